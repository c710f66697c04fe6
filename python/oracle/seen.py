"""What came out of streams. A module of its own, for functions that are written to a checkpoint may not hold it."""

import threading
from datetime import datetime
from typing import Any

BATCH_S = 0.5
BATCHES = 6


class Seen:
    """What came out of each pipeline, by the number of the batch; and when all batches have come."""

    def __init__(self) -> None:
        self.first: datetime | None = None
        self.last = 0
        self.done = threading.Event()
        self.failed: str | None = None
        self.batches: dict[int, dict[int, Any]] = {}

    def number(self, at: datetime) -> int:
        assert self.first is not None
        return round((at - self.first).total_seconds() / BATCH_S)


current = Seen()


def begin(at: datetime, rdd: Any) -> None:
    """The first output of a batch."""
    current.first = current.first or at


def end(at: datetime, rdd: Any) -> None:
    """The last output of a batch."""
    current.last = current.number(at) + 1
    if current.last >= BATCHES:
        current.done.set()


def keep(pipeline: int, at: datetime, rdd: Any) -> None:
    number = current.number(at)
    if number < BATCHES:
        current.batches.setdefault(pipeline, {})[number] = rdd.glom().collect()
