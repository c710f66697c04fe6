"""What goes wrong around programs of users: signals at bad times, threads that never rest."""

import signal
import sys
import textwrap
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "streaming"))
from programs import Process  # noqa: E402

PROGRAM = """
import os, sys, threading, time
from pyspark import SparkContext
from pyspark.streaming import StreamingContext
ssc = StreamingContext(SparkContext("{master}", "faults"), 0.1)
numbers = ssc.queueStream([], default=[1, 2])
{text}
ssc.start()
{then}
ssc.awaitTermination()
"""


def write(folder: Path, text: str, then: str = "", master: str = "local[2]") -> Path:
    path = folder / "program.py"
    path.write_text(PROGRAM.format(text=textwrap.dedent(text), then=textwrap.dedent(then), master=master))
    return path


@pytest.mark.parametrize("sent", [signal.SIGHUP, signal.SIGTERM, signal.SIGINT])
def test_a_signal_in_a_callback_drains(tmp_path: Path, sent: signal.Signals) -> None:
    text = f"""
        signals = [{int(sent)}]
        def callback(rdd):
            if signals:
                os.kill(os.getpid(), signals.pop())
            time.sleep(0.3)
            print("finished", rdd.count(), flush=True)
        numbers.foreachRDD(callback)
    """
    with Process(["run", write(tmp_path, text)], tmp_path) as process:
        assert process.ended() == 0
        assert "finished 2" in process.stdout and "drained" in process.stderr


@pytest.mark.parametrize(("sent", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130), (signal.SIGHUP, 129)])
def test_a_signal_before_the_start_ends_the_program(tmp_path: Path, sent: signal.Signals, code: int) -> None:
    text = f"""
        numbers.pprint()
        print("declared", flush=True)
        time.sleep(60)
    """
    with Process(["run", write(tmp_path, text)], tmp_path) as process:
        process.until("declared")
        process.send(sent)
        assert process.ended() == code


def test_a_thread_that_never_rests_does_not_stop_the_stream(tmp_path: Path) -> None:
    text = """
        def busy():
            while True:
                pass
        threading.Thread(target=busy, daemon=True).start()
        numbers.map(lambda n: n + 1).foreachRDD(lambda rdd: print("sum", rdd.sum(), flush=True))
    """
    with Process(["run", write(tmp_path, text)], tmp_path) as process:
        for _ in range(3):
            process.until("sum 5")
        process.send(signal.SIGTERM)
        assert process.ended() == 0
