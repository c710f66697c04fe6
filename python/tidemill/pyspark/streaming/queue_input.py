"""A stream of what a queue of the program holds."""

from __future__ import annotations

import queue
import threading
from collections import deque
from collections.abc import Callable, MutableSequence
from typing import TYPE_CHECKING, Any

from tidemill.pyspark.rdd import RDD

if TYPE_CHECKING:
    from tidemill import _native
    from tidemill.pyspark.context import SparkContext


class QueueReader:
    """Takes batches out of a list, which is left as it is, or out of a `deque` or a queue, which gets shorter.

    What is appended later is seen. Whatever is not an RDD is made one.
    """

    def __init__(self, source: Any, one_at_a_time: bool, sc: SparkContext) -> None:
        self._source, self._one_at_a_time, self._sc = source, one_at_a_time, sc
        self._next = 0
        self._lock = threading.Lock()
        # A batch that is run again is given the same.
        self._last: tuple[int, _native.Rdd] | None = None

    def _pop(self) -> Any:
        """The next item. IndexError or queue.Empty if there is none."""
        if isinstance(self._source, deque):
            return self._source.popleft()
        if isinstance(self._source, MutableSequence) or hasattr(self._source, "__getitem__"):
            item = self._source[self._next]
            self._next += 1
            return item
        return self._source.get_nowait()

    def _pop_rdds(self) -> list[RDD[Any]]:
        rdds: list[RDD[Any]] = []
        try:
            while not rdds or not self._one_at_a_time:
                item = self._pop()
                rdds.append(item if isinstance(item, RDD) else self._sc.parallelize(item))
        except (IndexError, queue.Empty):
            pass
        return rdds

    def read(self, time: int, otherwise: _native.Rdd) -> _native.Rdd:
        """What the batch of this time gets."""
        with self._lock:
            if self._last is None or self._last[0] != time:
                rdds = self._pop_rdds()
                if len(rdds) > 1:
                    rdds = [self._sc.union(rdds)]
                self._last = (time, rdds[0]._native if rdds else otherwise)
            return self._last[1]


def queue_stream(
    native: _native.StreamingContext, sc: SparkContext, source: Any, one_at_a_time: bool, default: Any
) -> _native.DStream:
    """A stream of the engine whose empty batches are replaced by what the queue has."""
    if default is None:
        if isinstance(source, (list, tuple)):
            source[0]  # As in PySpark: an empty list and no default is an IndexError.
        default = sc.parallelize([], 1)
    elif not isinstance(default, RDD):
        default = sc.parallelize(default)
    reader = QueueReader(source, one_at_a_time, sc)
    empty, _ = native.queue_stream(True, default._native)
    read: Callable[[int, _native.Rdd], _native.Rdd] = reader.read
    return empty.transform(read)
