"""Counts records by key from Kafka to Kafka, exactly once: values "id key" come in, "id key count" go out.

tidemill run kafka_to_kafka.py BROKERS IN_TOPIC OUT_TOPIC CHECKPOINT: kill it as often as you like, and start it again.
"""

import sys

from pyspark import SparkContext
from pyspark.streaming import State, StateSpec, StreamingContext
from pyspark.streaming.kafka import KafkaUtils


def record(value: str) -> tuple[str, str]:
    identity, key = value.split(" ")
    return key, identity


def number(key: str, identity: str | None, count: State[int]) -> tuple[str, str]:
    current = (count.getOption() or 0) + 1
    count.update(current)
    return key, f"{identity} {key} {current}"


def create(brokers: str, source: str, target: str) -> StreamingContext:
    ssc = StreamingContext(SparkContext("local[2]", "KafkaToKafka"), 0.1)
    parameters = {"bootstrap.servers": brokers, "auto.offset.reset": "earliest"}
    messages = KafkaUtils.createDirectStream(ssc, [source], parameters)
    counted = messages.map(lambda message: record(message[1])).mapWithState(StateSpec.function(number))
    counted.saveToKafka(target, {"bootstrap.servers": brokers})
    return ssc


if __name__ == "__main__":
    if len(sys.argv) != 5:
        sys.exit("usage: kafka_to_kafka.py BROKERS IN_TOPIC OUT_TOPIC CHECKPOINT")
    brokers, source, target, checkpoint = sys.argv[1:]
    context = StreamingContext.getOrCreate(checkpoint, lambda: create(brokers, source, target))
    context.start()
    context.awaitTermination()
