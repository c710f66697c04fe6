"""Streams under a clock that stands still: nothing sleeps, and every batch is run when it is told to.

The fixtures of `tidemill.pytest_plugin` are made of this; it works without pytest too.
"""

from __future__ import annotations

import queue
import tempfile
import threading
from collections.abc import Callable
from datetime import datetime
from typing import TYPE_CHECKING, Any, final

from tidemill import _native
from tidemill.pyspark.conf import SparkConf
from tidemill.pyspark.context import SparkContext
from tidemill.pyspark.streaming.context import Engine, StreamingContext
from tidemill.pyspark.streaming.listener import StreamingListener
from tidemill.pyspark.streaming.util import duration_ms

if TYPE_CHECKING:
    from tidemill.pyspark.rdd import RDD
    from tidemill.pyspark.streaming.dstream import DStream

__all__ = ["Collected", "Input", "StreamTest", "batches_of"]

# For how long a batch may run before the test fails; it only ends a test that hangs.
PATIENCE_S = 60.0


@final
class Input:
    """Records on their way into the next batch."""

    def __init__(self, sc: SparkContext, partitions: int | None) -> None:
        self._sc, self._partitions = sc, partitions
        self._next: list[Any] = []

    def push(self, *records: Any) -> None:
        """Adds records to the next batch."""
        self._next.extend(records)

    def get_nowait(self) -> RDD[Any]:
        """What was pushed since it was asked last. Raises queue.Empty if nothing was."""
        if not self._next:
            raise queue.Empty
        records, self._next = self._next, []
        return self._sc.parallelize(records, self._partitions)


@final
class Collected:
    """The batches of a stream."""

    def __init__(self, batch_ms: int) -> None:
        self._batch_ms = batch_ms
        self._by_time: dict[int, list[Any]] = {}

    def _take(self, time: datetime, rdd: RDD[Any]) -> None:
        self._by_time[round(time.timestamp() * 1000)] = rdd.collect()

    @property
    def batches(self) -> list[list[Any]]:
        """All batches that there were, in their order."""
        return [self._by_time[time] for time in sorted(self._by_time)]

    def batch(self, tick: int) -> list[Any]:
        """The batch of a tick, from 1. LookupError if the stream had none then."""
        try:
            return self._by_time[tick * self._batch_ms]
        except KeyError:
            raise LookupError(f"the stream had no batch at tick {tick}") from None


class StreamTest:
    """Streams under a clock that stands still: nothing sleeps, and every batch is run when it is told to.

    The fixtures of `tidemill.pytest_plugin` are made of this; it works without pytest too.
    """

    def __init__(self, sc: SparkContext, batch: float, start_ms: int = 0) -> None:
        self.sc = sc
        self._clock = _native.ManualClock(start_ms)
        self.ssc = StreamingContext(sc, None, Engine.of(sc, duration_ms(batch), self._clock))
        self._ticks = 0
        # The time of the latest batch that is done.
        self._done_ms = 0
        self._condition = threading.Condition()

    def input(self, partitions: int | None = None) -> Any:
        """A stream of what is pushed into it, by `push(*records)`; the records of a batch are in so many partitions."""
        source = Input(self.sc, partitions)
        dstream: Any = self.ssc.queueStream(source)  # type: ignore[arg-type]
        dstream.push = source.push
        return dstream

    def collect(self, dstream: DStream[Any]) -> Collected:
        """The batches of a stream, as they come."""
        collected = Collected(self.ssc._batch_ms)
        take = collected._take
        dstream.foreachRDD(lambda time, rdd: take(time, rdd))
        return collected

    def tick(self, n: int = 1) -> None:
        """Runs the next batch, or the next n. Raises what one failed with."""
        for _ in range(n):
            self._ticks += 1
            self._run(self._ticks * self.ssc._batch_ms)

    def _run(self, time_ms: int) -> None:
        """Runs the batch at a time."""
        if self._ticks == 1:
            self._start()
        self._clock.advance(self.ssc._batch_ms)
        self._wait(time_ms)

    def _start(self) -> None:
        done = self._done

        class Completed(StreamingListener):
            def onBatchCompleted(self, batchCompleted: Any) -> None:
                done(batchCompleted.batchInfo().batchTime().milliseconds())

        # Other outputs have nothing to do at times that are no multiple of their slide.
        with self.ssc._plan.inside():
            # An output that computes nothing of records that are there is warned of.
            nothing = self.sc.emptyRDD()
            self.input().transform(lambda rdd: nothing).foreachRDD(lambda rdd: None)
        self.ssc.addStreamingListener(Completed())
        self.ssc.start()

    def stop(self) -> None:
        """Ends the streams, if they were begun."""
        if self._ticks:
            self.ssc.stop(stopSparkContext=False)

    def _done(self, time_ms: int) -> None:
        with self._condition:
            self._done_ms = max(self._done_ms, time_ms)
            self._condition.notify_all()

    def _wait(self, time_ms: int) -> None:
        with self._condition:
            done = self._condition.wait_for(lambda: self._done_ms >= time_ms, PATIENCE_S)
        self.ssc.awaitTerminationOrTimeout(0)
        if not done:
            raise TimeoutError(f"batch {self._ticks} is not done after {PATIENCE_S:.0f} s")


def batches_of(
    build: Callable[[Any], DStream[Any]], *batches: list[Any], batch: float = 1.0, partitions: int = 1
) -> list[list[Any]]:
    """The batches of what `build(stream)` gives, for these input batches; `batch` is their duration in seconds.

    >>> batches_of(lambda numbers: numbers.map(str), [1, 2], [], [3])
    [['1', '2'], [], ['3']]
    """
    conf = SparkConf().setMaster(f"local[{partitions}]").setAppName("test")
    with SparkContext(conf=conf) as sc, tempfile.TemporaryDirectory() as folder:
        sc.setCheckpointDir(folder)
        test = StreamTest(sc, batch)
        try:
            source = test.input()
            collected = test.collect(build(source))
            for records in batches:
                source.push(*records)
                test.tick()
        finally:
            test.stop()
        return collected.batches
