"""What a program says about Kafka, in the words of Kafka 0.8, of the Java client or of librdkafka, as the engine wants it."""

from __future__ import annotations

import sys
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tidemill.pyspark.conf import SparkConf

BROKERS_KEY = "tidemill.kafka.brokers"
_NO_BROKERS = f'no Kafka brokers are given: set "bootstrap.servers" (once "metadata.broker.list"), or --conf {BROKERS_KEY}=host:port'
_BROKERS = ("metadata.broker.list", "bootstrap.servers")
_STARTS = {"smallest": "earliest", "earliest": "earliest", "largest": "latest", "latest": "latest"}
# What the engine does by itself, or what no client of today has: said once, and passed over.
_WITHOUT_MEANING = frozenset(
    (
        "auto.commit.enable",
        "auto.commit.interval.ms",
        "auto.create.topics.enable",
        "consumer.timeout.ms",
        "enable.auto.commit",
        "key.deserializer",
        "key.serializer",
        "num.consumer.fetchers",
        "rebalance.backoff.ms",
        "rebalance.max.retries",
        "refresh.leader.backoff.ms",
        "serializer.class",
        "value.deserializer",
        "value.serializer",
        "zookeeper.connect",
        "zookeeper.connection.timeout.ms",
        "zookeeper.session.timeout.ms",
        "zookeeper.sync.time.ms",
    )
)


@dataclass(frozen=True)
class Plan:
    """The settings of the client, `bootstrap.servers` among them; at which end to begin; and whether the group says where
    instead, and is told what was read."""

    settings: dict[str, str] = field(repr=False)
    start: str
    stored: bool


def _settings(given: dict[str, str], conf: SparkConf, missing: str) -> dict[str, str]:
    """Librdkafka's settings, without what means nothing to it."""
    settings = {str(key): _text(value) for key, value in given.items()}
    brokers = next((settings[key] for key in _BROKERS if settings.get(key)), None) or conf.get(BROKERS_KEY)
    if not brokers:
        raise ValueError(missing)
    ignored = sorted(key for key in settings if key in _WITHOUT_MEANING)
    if ignored:
        print(f"tidemill: {', '.join(ignored)} of the Kafka parameters mean nothing here", file=sys.stderr, flush=True)
    kept = {key: value for key, value in settings.items() if key not in _WITHOUT_MEANING and key not in _BROKERS}
    return {**kept, "bootstrap.servers": brokers}


def _plan(given: dict[str, str], conf: SparkConf, stored: bool, missing: str) -> Plan:
    settings = _settings(given, conf, missing)
    reset = settings.pop("auto.offset.reset", "largest")
    if reset not in _STARTS:
        raise ValueError(f'"auto.offset.reset" is "smallest" ("earliest") or "largest" ("latest"), not "{reset}"')
    return Plan(settings, _STARTS[reset], stored)


def _text(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def direct(given: dict[str, str], conf: SparkConf) -> Plan:
    """For a direct stream or an RDD.

    >>> from tidemill.pyspark.conf import SparkConf
    >>> plan = direct({"metadata.broker.list": "broker:9092", "auto.offset.reset": "smallest"}, SparkConf(False))
    >>> plan.settings, plan.start
    ({'bootstrap.servers': 'broker:9092'}, 'earliest')
    """
    return _plan(given, conf, False, _NO_BROKERS)


def producer(given: dict[str, str], conf: SparkConf) -> dict[str, str]:
    """For an output."""
    return _settings(given, conf, _NO_BROKERS)


def of_group(given: dict[str, str], conf: SparkConf, zookeeper: str) -> Plan:
    """For a stream that goes on where its group was committed."""
    missing = (
        f'"{zookeeper}" is the address of a ZooKeeper, which Kafka has no more: say which brokers there are by '
        f'--conf {BROKERS_KEY}=host:port, or by "bootstrap.servers" in kafkaParams'
    )
    return _plan(given, conf, True, missing)
