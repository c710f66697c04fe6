"""Kinesis: the names are here so that programs import; there is no source behind them."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NoReturn

from tidemill.pyspark.storagelevel import StorageLevel
from tidemill.pyspark.streaming.kafka_records import utf8_decoder

if TYPE_CHECKING:
    from tidemill.pyspark.streaming.context import StreamingContext

__all__ = ["InitialPositionInStream", "KinesisUtils", "MetricsLevel", "utf8_decoder"]


class InitialPositionInStream:
    """Where a stream is read from at first."""

    LATEST, TRIM_HORIZON = 0, 1


class MetricsLevel:
    """How much is reported to CloudWatch."""

    DETAILED, SUMMARY, NONE = 0, 1, 2


class KinesisUtils:
    """Makes streams of Kinesis; none can be made here."""

    @staticmethod
    def createStream(
        ssc: StreamingContext,
        kinesisAppName: str,
        streamName: str,
        endpointUrl: str,
        regionName: str,
        initialPositionInStream: int,
        checkpointInterval: int,
        metricsLevel: int = MetricsLevel.DETAILED,
        storageLevel: StorageLevel = StorageLevel.MEMORY_AND_DISK_2,
        awsAccessKeyId: str | None = None,
        awsSecretKey: str | None = None,
        decoder: Callable[[bytes | None], Any] = utf8_decoder,
        stsAssumeRoleArn: str | None = None,
        stsSessionName: str | None = None,
        stsExternalId: str | None = None,
    ) -> NoReturn:
        """Raises NotImplementedError."""
        raise NotImplementedError(
            "KinesisUtils.createStream: tidemill has no Kinesis source; read the stream in a receiver of your own and "
            "give it to StreamingContext.receiverStream"
        )
