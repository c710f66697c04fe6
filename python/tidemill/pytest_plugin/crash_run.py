"""One run of a program that is to be crashed, in a process of its own: `crash_run PROGRAM FOLDER`."""

from __future__ import annotations

import pickle
import sys
import threading
from pathlib import Path
from typing import Any

from tidemill import _native
from tidemill.pyspark.conf import SparkConf
from tidemill.pyspark.context import SparkContext
from tidemill.pyspark.streaming import StreamingContext, StreamingListener
from tidemill.pyspark.streaming.context import Engine
from tidemill.pytest_plugin.crash import BATCH_MS, CrashRun

# A batch that was done before the crash is not run again, and nothing is heard of it.
SILENCE_S = 2.0


class Completed(StreamingListener):
    """The latest batch that is done."""

    def __init__(self) -> None:
        self._latest = 0
        self._condition = threading.Condition()

    def onBatchCompleted(self, batchCompleted: Any) -> None:
        with self._condition:
            self._latest = max(self._latest, batchCompleted.batchInfo().batchTime().milliseconds())
            self._condition.notify_all()

    def wait(self, ms: int) -> bool:
        """Waits for the batch of a time; whether it was heard of."""
        with self._condition:
            return self._condition.wait_for(lambda: self._latest >= ms, SILENCE_S)


def main(program_path: str, folder: Path) -> None:
    """Runs the program to the end of its input, from wherever it was left."""
    conf = SparkConf().setMaster("local[2]").setAppName("crash")
    program, batches, said = pickle.loads(Path(program_path).read_bytes())
    conf.setAll(said.items())
    sc = SparkContext(conf=conf)
    clock = _native.ManualClock(0)
    ssc = StreamingContext(sc, None, Engine.of(sc, BATCH_MS, clock))
    ssc.checkpoint(str(folder / "checkpoint"))
    program(CrashRun(ssc, batches, folder / "output"))
    completed = Completed()
    ssc.addStreamingListener(completed)
    ssc.start()
    for number in range(1, len(batches) + 1):
        clock.advance(BATCH_MS)
        completed.wait(number * BATCH_MS)
        ssc.awaitTerminationOrTimeout(0)
    ssc.stop()


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
