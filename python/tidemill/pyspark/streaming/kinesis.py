"""Kinesis: the names are here so that programs import; there is no source behind them."""

from typing import Any, NoReturn

__all__ = ["InitialPositionInStream", "KinesisUtils", "MetricsLevel", "utf8_decoder"]


def utf8_decoder(s: bytes | None) -> str | None:
    """The text of a record; None of None.

    >>> utf8_decoder(b"record")
    'record'
    """
    return None if s is None else s.decode("utf-8")


class InitialPositionInStream:
    """Where a stream is read from at first."""

    LATEST, TRIM_HORIZON = 0, 1


class MetricsLevel:
    """How much is reported to CloudWatch."""

    DETAILED, SUMMARY, NONE = 0, 1, 2


class KinesisUtils:
    """Makes streams of Kinesis; none can be made here."""

    @staticmethod
    def createStream(*args: Any, **kwargs: Any) -> NoReturn:
        """Raises NotImplementedError."""
        raise NotImplementedError(
            "KinesisUtils.createStream: tidemill has no Kinesis source; read the stream in a receiver of your own and "
            "give it to StreamingContext.receiverStream"
        )
