"""What a program says about Kafka, in the words of Kafka 0.8, of the Java client or of librdkafka, as the engine wants it."""

from __future__ import annotations

import sys
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tidemill.pyspark.conf import SparkConf

BROKERS_KEY = "tidemill.kafka.brokers"
_PREFIX = "kafka."
_NO_BROKERS = f'no Kafka brokers are given: set "bootstrap.servers" (once "metadata.broker.list"), or --conf {BROKERS_KEY}=host:port'
_BROKERS = ("metadata.broker.list", "bootstrap.servers")
_STARTS = {"smallest": "earliest", "earliest": "earliest", "largest": "latest", "latest": "latest"}
# What is the stream's own and not all clients', and what to do instead of setting it in the configuration.
_NOT_OF_ALL = {
    "bootstrap.servers": f"set {BROKERS_KEY}",
    "metadata.broker.list": f"set {BROKERS_KEY}",
    "group.id": "give it to createStream",
    "auto.offset.reset": "set it in kafkaParams, or tidemill.kafka.onDataLoss for what becomes of lost offsets",
}
# What the engine does by itself, or what no client of today has: said once, and passed over.
_WITHOUT_MEANING = frozenset(
    (
        "auto.commit.enable",
        "auto.commit.interval.ms",
        "auto.create.topics.enable",
        "consumer.id",
        "consumer.timeout.ms",
        "dual.commit.enabled",
        "enable.auto.commit",
        "key.deserializer",
        "key.serializer",
        "num.consumer.fetchers",
        "offsets.storage",
        "partition.assignment.strategy",
        "queued.max.message.chunks",
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
# What only consumers have: a program may give an output what it gives its inputs.
_OF_CONSUMERS = frozenset(
    (
        "auto.offset.reset",
        "check.crcs",
        "fetch.error.backoff.ms",
        "fetch.max.bytes",
        "fetch.message.max.bytes",
        "fetch.min.bytes",
        "fetch.queue.backoff.ms",
        "fetch.wait.max.ms",
        "group.id",
        "heartbeat.interval.ms",
        "isolation.level",
        "max.partition.fetch.bytes",
        "queued.max.messages.kbytes",
        "queued.min.messages",
        "session.timeout.ms",
    )
)


@dataclass(frozen=True)
class Plan:
    """The settings of the client, `bootstrap.servers` among them; at which end to begin; and whether the group says where
    instead, and is told what was read."""

    settings: dict[str, str] = field(repr=False)
    start: str
    stored: bool


def _configured(conf: SparkConf) -> dict[str, str]:
    """Librdkafka's keys in the configuration, where each begins with `kafka.`."""
    found = {key.removeprefix(_PREFIX): value for key, value in conf.getAll() if key.startswith(_PREFIX)}
    for key, instead in _NOT_OF_ALL.items():
        if key in found:
            raise ValueError(f'"{_PREFIX}{key}" cannot be set in the configuration: {instead}')
    return found


def _settings(given: dict[str, str], conf: SparkConf, missing: str, unused: frozenset[str] = frozenset()) -> dict[str, str]:
    """Librdkafka's settings: those of the configuration, and over them what the program gives, without what means
    nothing to it and what is `unused` here."""
    settings = {str(key): _text(value) for key, value in given.items()}
    brokers = next((settings[key] for key in _BROKERS if settings.get(key)), None) or conf.get(BROKERS_KEY)
    if not brokers:
        raise ValueError(missing)
    ignored = {key for key in settings if key in _WITHOUT_MEANING or key in unused}
    if ignored:
        names = ", ".join(sorted(ignored))
        print(f"tidemill: {names} of the Kafka parameters mean nothing here", file=sys.stderr, flush=True)
    kept = {key: value for key, value in settings.items() if key not in ignored and key not in _BROKERS}
    return {**_configured(conf), **kept, "bootstrap.servers": brokers}


def _reading(settings: dict[str, str], stored: bool) -> Plan:
    reset = settings.pop("auto.offset.reset", "largest")
    if reset not in _STARTS:
        raise ValueError(f'"auto.offset.reset" is "smallest" ("earliest") or "largest" ("latest"), not "{reset}"')
    return Plan(settings, _STARTS[reset], stored)


def _text(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def direct(given: dict[str, str], conf: SparkConf) -> Plan:
    """For a direct stream.

    >>> from tidemill.pyspark.conf import SparkConf
    >>> plan = direct({"metadata.broker.list": "broker:9092", "auto.offset.reset": "smallest"}, SparkConf(False))
    >>> plan.settings, plan.start
    ({'bootstrap.servers': 'broker:9092'}, 'earliest')
    """
    return _reading(_settings(given, conf, _NO_BROKERS, frozenset(("group.id",))), False)


def ranges(given: dict[str, str], conf: SparkConf) -> dict[str, str]:
    """For ranges of offsets."""
    return _settings(given, conf, _NO_BROKERS, frozenset(("auto.offset.reset", "group.id")))


def producer(given: dict[str, str], conf: SparkConf) -> dict[str, str]:
    """For an output."""
    return _settings(given, conf, _NO_BROKERS, _OF_CONSUMERS)


def of_group(given: dict[str, str], conf: SparkConf, zookeeper: str) -> Plan:
    """For a stream that goes on where its group was committed."""
    missing = (
        f'"{zookeeper}" is the address of a ZooKeeper, which Kafka has no more: say which brokers there are by '
        f'--conf {BROKERS_KEY}=host:port, or by "bootstrap.servers" in kafkaParams'
    )
    return _reading(_settings(given, conf, missing), True)
