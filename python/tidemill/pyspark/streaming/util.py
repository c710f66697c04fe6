"""What batches are called: their times, and the names of what is written for them."""

import time
from collections.abc import Callable
from datetime import datetime
from typing import Any


def rddToFileName(prefix: str, suffix: str | None, timestamp: datetime | int) -> str:
    """The name of what is saved for a batch: `prefix-<ms>`, and `.suffix` unless that is None.

    A datetime is local time; an int is taken as it is.

    >>> rddToFileName("counts", None, 12345678910)
    'counts-12345678910'
    >>> rddToFileName("counts", "txt", 12345678910)
    'counts-12345678910.txt'
    """
    if isinstance(timestamp, datetime):
        timestamp = to_ms(timestamp) + timestamp.microsecond // 1000
    name = f"{prefix}-{timestamp}"
    return name if suffix is None else f"{name}.{suffix}"


def to_ms(timestamp: datetime | float) -> int:
    """Milliseconds since the epoch, of a local time, whose fraction of a second is lost, or of seconds.

    >>> to_ms(1.5)
    1500
    """
    seconds = time.mktime(timestamp.timetuple()) if isinstance(timestamp, datetime) else timestamp
    return int(seconds * 1000)


def to_datetime(ms: int) -> datetime:
    """The local time of a batch."""
    return datetime.fromtimestamp(ms / 1000)


def duration_ms(seconds: float) -> int:
    """Whole milliseconds of seconds.

    >>> duration_ms(0.5)
    500
    """
    return int(seconds * 1000)


def takes_time(function: Callable[..., Any]) -> bool:
    """Whether a function of batches wants the time before them: one of a single argument does not.

    Arguments are counted in `__code__`, as PySpark does it: `self` of a method counts, and what has no code of Python
    (a builtin, a `functools.partial`) is an AttributeError.
    """
    return int(function.__code__.co_argcount) != 1
