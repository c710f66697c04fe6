"""One run of a program that is to be crashed, in a process of its own: `crash_run PROGRAM FOLDER DONE`.

DONE is the time of the last batch that is done already, in milliseconds.
"""

from __future__ import annotations

import os
import pickle
import sys
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tidemill.pyspark.conf import SparkConf
from tidemill.pyspark.context import SparkContext
from tidemill.pyspark.streaming.testing import StreamTest

if TYPE_CHECKING:
    from tidemill.pyspark.rdd import RDD
    from tidemill.pyspark.streaming import DStream


def replace(path: Path, content: bytes) -> None:
    """Writes a file whole, or not at all."""
    new = path.with_name(f".{path.name}")
    new.write_bytes(content)
    os.replace(new, path)


class Kept:
    """Records of batches in files, for the next run too."""

    def __init__(self, folder: Path, batch_ms: int) -> None:
        folder.mkdir(exist_ok=True)
        self._folder, self._batch_ms = folder, batch_ms

    def has(self, tick: int) -> bool:
        return (self._folder / str(tick)).exists()

    def keep(self, tick: int, records: list[Any]) -> None:
        replace(self._folder / str(tick), pickle.dumps(records))

    def tick_of(self, time: datetime) -> int:
        return round(time.timestamp() * 1000) // self._batch_ms

    @property
    def batches(self) -> list[list[Any]]:
        """All batches that there were, in their order."""
        return [self.batch(tick) for tick in sorted(int(path.name) for path in self._folder.glob("[0-9]*"))]

    def batch(self, tick: int) -> list[Any]:
        """The batch of a tick, from 1. LookupError if the stream had none then."""
        if not self.has(tick):
            raise LookupError(f"the stream had no batch at tick {tick}")
        records: list[Any] = pickle.loads((self._folder / str(tick)).read_bytes())
        return records


class CrashedStream(StreamTest):
    """Streams whose program is run again after a crash, from its first line on: ticks that are over do nothing then."""

    def __init__(self, sc: SparkContext, batch: float, folder: Path, done_ms: int) -> None:
        self._ticked = folder / "ticked"
        super().__init__(sc, batch, int(self._ticked.read_text()) if self._ticked.exists() else 0)
        self.ssc.checkpoint(str(folder / "checkpoint"))
        self.ssc._goes_on = True
        self._folder, self._done_ms = folder, done_ms
        self._inputs: list[tuple[Kept, list[Any]]] = []
        self._collected = 0

    def input(self, partitions: int | None = None) -> Any:
        """What is pushed is kept in files until its batch is done for good."""
        kept, pushed = Kept(self._folder / f"input-{len(self._inputs)}", self.ssc._batch_ms), list[Any]()
        self._inputs.append((kept, pushed))
        sc = self.sc

        def batch(time: datetime, _: Any) -> Any:
            tick = kept.tick_of(time)
            return sc.parallelize(kept.batch(tick) if kept.has(tick) else [], partitions)

        dstream: Any = self.ssc.queueStream([], default=[]).transform(batch)
        dstream.push = lambda *records: pushed.extend(records)
        return dstream

    def collect(self, dstream: DStream[Any]) -> Any:
        name = f"collected-{self._collected}"
        kept, lines = Kept(self._folder / name, self.ssc._batch_ms), self._folder / "output" / name
        lines.mkdir(exist_ok=True)
        self._collected += 1

        def take(time: datetime, rdd: RDD[Any]) -> None:
            tick, records = kept.tick_of(time), rdd.collect()
            kept.keep(tick, records)
            # What is compared.
            replace(lines / str(tick), "".join(f"{record!r}\n" for record in records).encode())

        dstream.foreachRDD(take)
        return kept

    def _run(self, time_ms: int) -> None:
        for kept, pushed in self._inputs:
            # What an earlier run was given stays.
            if not kept.has(self._ticks):
                kept.keep(self._ticks, pushed)
            pushed.clear()
        if self._ticks == 1:
            self._start()
        if self._clock.now() < time_ms:
            # First noted: a run after a crash begins with the batches of these ticks, by itself.
            replace(self._ticked, str(time_ms).encode())
            self._clock.advance(time_ms - self._clock.now())
        self._wait(time_ms)


def main(program_path: str, folder: Path, done_ms: int) -> None:
    """Runs the program to its end, from wherever it was left."""
    program, conf, batch = pickle.loads(Path(program_path).read_bytes())
    conf = {"spark.master": "local[2]", "spark.app.name": "crash", **conf, "tidemill.recovery.missedBatches": "each"}
    sc = SparkContext(conf=SparkConf().setAll(conf.items()))
    stream = CrashedStream(sc, batch, folder, done_ms)
    program(stream, folder / "output")
    stream.ssc.stop()


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), int(sys.argv[3]))
