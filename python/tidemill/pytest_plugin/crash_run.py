"""One run of a program that is to be crashed, in a process of its own: `crash_run PROGRAM FOLDER DONE`.

DONE is the time of the last batch that is done already, in milliseconds.
"""

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
from tidemill.pyspark.streaming.testing import PATIENCE_S
from tidemill.pytest_plugin.crash import BATCH_MS, CrashRun

# How long nothing is heard before a batch counts as not begun by the run that crashed.
SILENCE_S = 2.0


class Completed(StreamingListener):
    """The latest batch that is done."""

    def __init__(self, done_ms: int) -> None:
        self.latest = done_ms
        self._condition = threading.Condition()

    def onBatchCompleted(self, batchCompleted: Any) -> None:
        with self._condition:
            self.latest = max(self.latest, batchCompleted.batchInfo().batchTime().milliseconds())
            self._condition.notify_all()

    def wait_for_next(self, timeout_s: float) -> bool:
        """Waits for a later batch; whether there is one."""
        with self._condition:
            before = self.latest
            return self._condition.wait_for(lambda: self.latest > before, timeout_s)


def main(program_path: str, folder: Path, done_ms: int) -> None:
    """Runs the program to the end of its input, from wherever it was left."""
    program, batches, said = pickle.loads(Path(program_path).read_bytes())
    sc = SparkContext(conf=SparkConf().setMaster("local[2]").setAppName("crash").setAll(said.items()))
    clock = _native.ManualClock(0)
    ssc = StreamingContext(sc, None, Engine.of(sc, BATCH_MS, clock))
    ssc.checkpoint(str(folder / "checkpoint"))
    program(CrashRun(ssc, batches, folder / "output"))
    completed = Completed(done_ms)
    ssc.addStreamingListener(completed)
    ssc.start()
    last = len(batches) * BATCH_MS
    if done_ms > 0 or (folder / "begun").exists():
        # What was begun is run again without being asked to.
        while completed.latest < last and completed.wait_for_next(SILENCE_S):
            pass
    (folder / "begun").touch()
    while completed.latest < last:
        clock.advance(BATCH_MS)
        if not completed.wait_for_next(PATIENCE_S):
            raise TimeoutError(f"the batch after {completed.latest} ms is not done after {PATIENCE_S:.0f} s")
        ssc.awaitTerminationOrTimeout(0)
    ssc.stop()


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), int(sys.argv[3]))
