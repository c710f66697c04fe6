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
        # Python does not look for a signal between the beginning of a sleep and the system's.
        while True:
            time.sleep(0.05)
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


ENDS = """
begun = threading.Event()
def callback(rdd):
    begun.set()
    {raises}
numbers.foreachRDD(callback)
"""


LATER = "begun.wait(); time.sleep(0.5); sys.exit({code})"


@pytest.mark.parametrize(
    ("raises", "then", "code", "said"),
    [
        ("sys.exit(0)", "", 1, ""),
        ("sys.exit(0)", LATER.format(code=0), 1, ""),
        ("sys.exit(7)", "", 7, ""),
        ("sys.exit(7)", LATER.format(code=9), 9, ""),
        ("sys.exit('not so')", "", 1, "not so"),
        ("raise KeyboardInterrupt", "", 1, "KeyboardInterrupt"),
        ("raise KeyboardInterrupt", LATER.format(code=0), 1, "KeyboardInterrupt"),
        ("1 / 0", "", 1, "ZeroDivisionError"),
        ("1 / 0", LATER.format(code=0), 1, "ZeroDivisionError"),
    ],
)
def test_a_batch_that_failed_is_no_success(tmp_path: Path, raises: str, then: str, code: int, said: str) -> None:
    with Process(["run", write(tmp_path, ENDS.format(raises=raises), then)], tmp_path) as process:
        assert process.ended() == code
        assert said in process.stderr and "drain" not in process.stderr
        errors = [line for line in process.stderr.splitlines() if line.startswith(("ZeroDivisionError", "    1 / 0"))]
        assert len(errors) == (2 if "1 / 0" in raises else 0), process.stderr
        assert "not so" not in raises or process.stderr.count("\nnot so") == 1


def test_the_end_of_a_users_handler_of_signals_is_none_of_a_batch(tmp_path: Path) -> None:
    text = """
        import signal
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
        numbers.pprint()
    """
    with Process(["run", write(tmp_path, text)], tmp_path) as process:
        process.until("Time: ")
        process.send(signal.SIGTERM)
        assert process.ended() == 0
        assert "drained" in process.stderr


SYS_EXIT = """
import sys
from pyspark import SparkContext

sc = SparkContext("local[2]", "exits")
try:
    sc.parallelize([1, 2], 2).map(lambda n: sys.exit(7)).collect()
except RuntimeError as error:
    print("the task failed:", error, flush=True)
print(sc.parallelize([1, 2], 2).sum(), flush=True)
"""


def test_sys_exit_in_a_task_ends_the_task(tmp_path: Path) -> None:
    (tmp_path / "program.py").write_text(SYS_EXIT)
    with Process(["run", "program.py"], tmp_path) as process:
        process.until("the task failed: a function of a task raised SystemExit: 7")
        process.until("3")
        assert process.ended() == 0


FORK = """
import os
import sys
import time
from pyspark import SparkContext
from pyspark.streaming import StreamingContext

ssc = StreamingContext(SparkContext("local[2]", "forks"), 0.1)
ssc.queueStream([[1, 2]]).pprint()
ssc.start()
child = os.fork()
if child == 0:
    sys.exit(3)
begun = time.monotonic()
code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
# One write: a batch may print at the same time.
sys.stdout.write(f"the child ended with {code}, {'soon' if time.monotonic() - begun < 10 else 'late'}\\n")
ssc.stop(stopGraceFully=True)
"""


def test_a_child_of_a_running_program_ends_by_itself(tmp_path: Path) -> None:
    (tmp_path / "program.py").write_text(FORK)
    with Process(["run", "program.py"], tmp_path) as process:
        process.until("the child ended with 3, soon")
        assert process.ended() == 0


ABORT = """
import os
import time
from pyspark import SparkContext

DRIVER = os.getpid()

def work(n):
    end = time.perf_counter() + 0.02
    while time.perf_counter() < end:
        pass
    if fatal and n == 3 and os.getpid() != DRIVER:
        os.abort()
    return n

sc = SparkContext("local[2]", "aborts")
numbers = sc.parallelize(range(8), 4)
fatal = False
print(numbers.map(work).sum(), flush=True)
fatal = True
try:
    numbers.map(work).sum()
except Exception as error:
    print(type(error).__name__, error, flush=True)
fatal = False
print(numbers.map(work).sum(), flush=True)
"""


def test_a_worker_that_aborts_fails_its_task_and_no_other(tmp_path: Path) -> None:
    (tmp_path / "program.py").write_text(ABORT)
    with Process(["run", "program.py"], tmp_path) as process:
        process.until("28")
        process.until("WorkerDied the worker process")
        process.until("28")
        assert process.ended() == 0
