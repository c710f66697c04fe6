"""Watches payments for stolen cards: an alert for the third large payment of a card within a minute.

tidemill run kafka_fraud_check.py BROKERS IN_TOPIC OUT_TOPIC CHECKPOINT
For payments, beside it: tidemill gen payments --rate 100 --kafka BROKERS IN_TOPIC
"""

import json
import sys
from typing import Any

from pyspark import SparkContext
from pyspark.streaming import State, StateSpec, StreamingContext
from pyspark.streaming.kafka import KafkaUtils

LARGE = 400.0
WITHIN_MS = 60_000
SUSPICIOUS = 3

Payment = dict[str, Any]


def check(card: str, payment: Payment | None, recent: State[list[Payment]]) -> Payment | None:
    """The large payments of a card within the last minute are its state."""
    if payment is None or payment["amount"] < LARGE:
        return None
    large = [one for one in recent.getOption() or [] if payment["time"] - one["time"] < WITHIN_MS] + [payment]
    is_suspicious = len(large) >= SUSPICIOUS
    recent.update([] if is_suspicious else large)
    if not is_suspicious:
        return None
    return {"card": card, "amount": sum(one["amount"] for one in large), "payments": [one["id"] for one in large]}


def create(brokers: str, source: str, target: str) -> StreamingContext:
    ssc = StreamingContext(SparkContext("local[2]", "KafkaFraudCheck"), 1)
    parameters = {"bootstrap.servers": brokers, "auto.offset.reset": "earliest"}
    payments = KafkaUtils.createDirectStream(ssc, [source], parameters).map(lambda message: json.loads(message[1]))
    checked = payments.map(lambda payment: (payment["card"], payment)).mapWithState(StateSpec.function(check))
    alerts = checked.filter(lambda alert: alert is not None)
    alerts.map(lambda alert: (alert["card"], json.dumps(alert))).saveToKafka(target, {"bootstrap.servers": brokers})
    alerts.pprint()
    return ssc


if __name__ == "__main__":
    if len(sys.argv) != 5:
        sys.exit("usage: kafka_fraud_check.py BROKERS IN_TOPIC OUT_TOPIC CHECKPOINT")
    brokers, source, target, checkpoint = sys.argv[1:]
    context = StreamingContext.getOrCreate(checkpoint, lambda: create(brokers, source, target))
    context.start()
    context.awaitTermination()
