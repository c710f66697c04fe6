"""What came out of streams. A module of its own, for functions that are written to a checkpoint may not hold it."""

import os
import threading
from datetime import datetime
from typing import Any

DRAWN_BATCH_S = 0.5
# PySpark needs the time, and ours does not.
BATCH_S = DRAWN_BATCH_S / int(os.environ.get("ORACLE_SPEED", "1"))
BATCHES = 6


def windows(arguments: list[Any]) -> list[Any]:
    """Windows and slides, which are the only floats among the arguments of steps, at the speed of this run."""
    return [argument / DRAWN_BATCH_S * BATCH_S if isinstance(argument, float) else argument for argument in arguments]


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
