"""Kafka: `pyspark.streaming.kafka` as PySpark had it up to 2.4, over the engine's own direct stream.

Parameters are librdkafka's, and those of Kafka 0.8 that old programs have: `metadata.broker.list`, and `smallest` and
`largest` for `auto.offset.reset`.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tidemill.pyspark import _kafka_parameters as parameters
from tidemill.pyspark.rdd import RDD
from tidemill.pyspark.storagelevel import StorageLevel
from tidemill.pyspark.streaming.dstream import DStream
from tidemill.pyspark.streaming.kafka_records import Decode, Decoder, KafkaMessageAndMetadata, utf8_decoder

if TYPE_CHECKING:
    from tidemill import _native
    from tidemill.pyspark.context import SparkContext
    from tidemill.pyspark.streaming.context import StreamingContext

__all__ = [
    "Broker",
    "KafkaDStream",
    "KafkaMessageAndMetadata",
    "KafkaRDD",
    "KafkaUtils",
    "OffsetRange",
    "TopicAndPartition",
    "utf8_decoder",
]

class OffsetRange:
    """Offsets of one partition of a topic, from the first one up to, not including, `untilOffset`.

    >>> OffsetRange("payments", 0, 10, 30)
    OffsetRange(topic: payments, partition: 0, range: [10 -> 30])
    """

    def __init__(self, topic: str, partition: int, fromOffset: int, untilOffset: int) -> None:
        self.topic, self.partition = topic, partition
        self.fromOffset, self.untilOffset = fromOffset, untilOffset

    def _parts(self) -> tuple[str, int, int, int]:
        return self.topic, self.partition, self.fromOffset, self.untilOffset

    def __eq__(self, other: object) -> bool:
        return isinstance(other, OffsetRange) and self._parts() == other._parts()

    def __hash__(self) -> int:
        return hash(self._parts())

    def __repr__(self) -> str:
        span = f"[{self.fromOffset} -> {self.untilOffset}]"
        return f"OffsetRange(topic: {self.topic}, partition: {self.partition}, range: {span})"


@dataclass(frozen=True)
class TopicAndPartition:
    """A partition of a topic.

    >>> TopicAndPartition("payments", 0)
    TopicAndPartition(topic='payments', partition=0)
    """

    topic: str
    partition: int

    @property
    def _topic(self) -> str:
        return self.topic

    @property
    def _partition(self) -> int:
        return self.partition


class Broker:
    """The host and port of a broker. Nothing here needs it: leaders are asked for."""

    def __init__(self, host: str, port: int) -> None:
        self._host, self._port = host, port


class KafkaRDD(RDD[Any]):
    """Messages of Kafka: one partition for each range of offsets."""

    _ranges: tuple[OffsetRange, ...] = ()

    @classmethod
    def _ranged(cls, native: _native.Rdd, ctx: SparkContext, ranges: Iterable[tuple[str, int, int, int]]) -> KafkaRDD:
        rdd = cls(native, ctx)
        rdd._ranges = tuple(OffsetRange(*parts) for parts in ranges)
        return rdd

    def offsetRanges(self) -> list[OffsetRange]:
        """The offsets that its partitions have, in their order."""
        return list(self._ranges)


class KafkaDStream(DStream[Any]):
    """A stream of Kafka: the RDDs that its `transform` and `foreachRDD` give are `KafkaRDD`s."""

    def __init__(self, native: _native.KafkaStream, decode: Decode, ssc: StreamingContext) -> None:
        wrap, puts_aside = ssc._wrap, native.puts_aside
        decode = dataclasses.replace(decode, marks=puts_aside)

        def decoded(_: int, messages: _native.Rdd) -> _native.Rdd:
            rdd = wrap(messages).map(decode)._native
            return rdd.without_undecoded() if puts_aside else rdd

        super().__init__(native.messages.transform(decoded), ssc, None)
        self._kafka = native

    def _wrap_batch(self, time: int, rdd: _native.Rdd) -> KafkaRDD:
        return KafkaRDD._ranged(rdd, self._sc, self._kafka.offset_ranges(time))


class KafkaUtils:
    """Makes streams and RDDs of Kafka."""

    @staticmethod
    def createStream(
        ssc: StreamingContext,
        zkQuorum: str,
        groupId: str,
        topics: dict[str, int],
        kafkaParams: dict[str, str] | None = None,
        storageLevel: StorageLevel = StorageLevel.MEMORY_AND_DISK_2,
        keyDecoder: Decoder = utf8_decoder,
        valueDecoder: Decoder = utf8_decoder,
    ) -> DStream[Any]:
        """Pairs of key and value, from where the group was committed last; what was read is committed to the group.

        `zkQuorum` is not connected to, for brokers have no ZooKeeper any more: they are those of
        `kafkaParams["bootstrap.servers"]`, or of the configuration key `tidemill.kafka.brokers`. ValueError if neither
        is set. The numbers of threads in `topics` mean nothing: every partition of a topic is read by itself. Where the
        group's offsets expired, it goes on at the end that `auto.offset.reset` says, unless `tidemill.kafka.onDataLoss`
        is set.
        """
        if not isinstance(topics, dict):
            raise TypeError("topics should be dict")
        given = {**(kafkaParams or {}), "group.id": groupId}
        return ssc._kafka_stream(list(topics), given, zkQuorum, {}, Decode(keyDecoder, valueDecoder, None))

    @staticmethod
    def createDirectStream(
        ssc: StreamingContext,
        topics: list[str],
        kafkaParams: dict[str, str],
        fromOffsets: dict[TopicAndPartition, int] | None = None,
        keyDecoder: Decoder = utf8_decoder,
        valueDecoder: Decoder = utf8_decoder,
        messageHandler: Callable[[KafkaMessageAndMetadata], Any] | None = None,
    ) -> DStream[Any]:
        """Pairs of key and value, or what `messageHandler` makes of each message. Each partition of a topic is one of
        the RDD; which offsets a batch has is remembered before it runs.

        At first all partitions of `topics` are read from `auto.offset.reset` on (`largest` unless it is set); with
        `fromOffsets` only its partitions, from there. A tombstone's value is None. What cannot be decoded is put aside as
        a dead letter with its place, or fails the batch.
        """
        if not isinstance(topics, list):
            raise TypeError("topics should be list")
        if not isinstance(kafkaParams, dict):
            raise TypeError("kafkaParams should be dict")
        begin = {(at._topic, at._partition): int(offset) for at, offset in (fromOffsets or {}).items()}
        return ssc._kafka_stream(topics, kafkaParams, None, begin, Decode(keyDecoder, valueDecoder, messageHandler))

    @staticmethod
    def createRDD(
        sc: SparkContext,
        kafkaParams: dict[str, str],
        offsetRanges: list[OffsetRange],
        leaders: dict[TopicAndPartition, Broker] | None = None,
        keyDecoder: Decoder = utf8_decoder,
        valueDecoder: Decoder = utf8_decoder,
        messageHandler: Callable[[KafkaMessageAndMetadata], Any] | None = None,
    ) -> KafkaRDD:
        """The messages of some ranges of offsets, one partition for each. `leaders` means nothing: they are asked for."""
        if not isinstance(kafkaParams, dict):
            raise TypeError("kafkaParams should be dict")
        if not isinstance(offsetRanges, list):
            raise TypeError("offsetRanges should be list")
        settings = parameters.ranges(kafkaParams, sc.getConf())
        ranges = [one._parts() for one in offsetRanges]
        messages: RDD[Any] = RDD(sc._engine.kafka_rdd(settings, ranges), sc)
        decoded = messages.map(Decode(keyDecoder, valueDecoder, messageHandler))
        return KafkaRDD._ranged(decoded._native, sc, ranges)
