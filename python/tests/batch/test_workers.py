"""Tasks in worker processes: the same results, errors and totals as in this one."""

from __future__ import annotations

import enum
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tidemill.pyspark import RDD, SparkConf, SparkContext, TaskContext
from tidemill.pyspark import _workers


class Point:
    """A class that a worker can only know by value, if it is the program's own."""

    def __init__(self, x: int) -> None:
        self.x = x

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Point) and other.x == self.x

    def __hash__(self) -> int:
        return hash(self.x)


@pytest.fixture
def sc(monkeypatch: pytest.MonkeyPatch) -> Iterator[SparkContext]:
    """A context whose every task goes to a worker."""
    monkeypatch.setattr(_workers.Costs, "is_worth_the_way", lambda self, kind: True)
    with SparkContext("local[2]", "workers") as sc:
        yield sc


def pids(rdd: RDD[int]) -> set[int]:
    return set(rdd.map(lambda _: os.getpid()).collect())


def test_tasks_run_in_other_processes(sc: SparkContext) -> None:
    found = pids(sc.range(8, numSlices=4))
    assert os.getpid() not in found and 1 <= len(found) <= 2


def test_shuffles_and_joins_give_what_they_give_here(sc: SparkContext) -> None:
    words = sc.parallelize(["a b", "b c", "c c"], 3).flatMap(str.split)
    counts = words.map(lambda word: (word, 1)).reduceByKey(lambda a, b: a + b)
    assert sorted(counts.join(counts).collect()) == [("a", (1, 1)), ("b", (2, 2)), ("c", (3, 3))]
    assert counts.sortByKey().keys().collect() == ["a", "b", "c"]


def test_broadcasts_and_accumulators(sc: SparkContext) -> None:
    names, seen = sc.broadcast({1: "one", 2: "two"}), sc.accumulator(0)

    def named(x: int) -> str:
        seen.add(x)
        return names.value[x]

    for total in (3, 6):
        assert sc.parallelize([1, 2], 2).map(named).collect() == ["one", "two"]
        assert seen.value == total


def test_a_task_knows_its_partition(sc: SparkContext) -> None:
    def partition(_: int) -> int:
        context = TaskContext.get()
        assert context is not None
        return context.partitionId()

    assert sc.range(3, numSlices=3).map(partition).collect() == [0, 1, 2]


def test_an_idle_worker_that_was_killed_is_replaced_unnoticed(sc: SparkContext) -> None:
    numbers = sc.range(8, numSlices=4)
    assert numbers.sum() == 28
    assert _workers._workers is not None
    for worker in _workers._workers._all:
        os.kill(worker.process.pid, signal.SIGKILL)
        worker.process.wait()
    assert numbers.sum() == 28


def test_an_exception_is_itself_with_the_traceback_of_the_worker(sc: SparkContext) -> None:
    with pytest.raises(ZeroDivisionError) as raised:
        sc.parallelize([1, 0], 2).map(lambda x: 1 // x).collect()
    cause = str(raised.value.__cause__)
    assert f'File "{__file__}"' in cause
    assert "sc.parallelize([1, 0], 2).map(lambda x: 1 // x).collect()" in cause


def test_the_traceback_of_a_program_shows_its_line(tmp_path: Path) -> None:
    (tmp_path / "app.py").write_text(
        "import time\n"
        "from pyspark import SparkContext\n"
        "def broken(x):\n"
        "    time.sleep(0.02)\n"
        "    return 1 // x  # divides\n"
        'SparkContext("local[2]", "app").range(30, -1, -1, 31).map(broken).collect()\n'
    )
    command = [sys.executable, "-m", "tidemill", "run", "app.py"]
    ended = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=60)
    assert ended.returncode == 1
    assert 'app.py", line 5, in broken\n    return 1 // x  # divides\n' in ended.stderr
    assert "<dynamic-code>" not in ended.stderr


class Refusal(Exception):
    """One whose `__init__` takes more than its `args` have."""

    def __init__(self, record: int, why: str) -> None:
        super().__init__(f"{record}: {why}")
        self.record = record


def test_an_exception_that_pickle_cannot_make_again_is_itself_too(sc: SparkContext) -> None:
    def refuse(record: int) -> int:
        raise Refusal(record, "too small")

    with pytest.raises(Refusal, match="0: too small") as raised:
        sc.range(1).map(refuse).collect()
    assert raised.value.record == 0


def test_a_task_that_exits_does_not_end_the_program(sc: SparkContext) -> None:
    with pytest.raises(RuntimeError, match="SystemExit"):
        sc.range(2, numSlices=1).foreach(lambda _: sys.exit(3))


def test_a_worker_that_dies_is_named_and_replaced(sc: SparkContext) -> None:
    with pytest.raises(_workers.WorkerDied, match="signal 9.*map"):
        sc.range(1, numSlices=1).map(lambda _: os.kill(os.getpid(), signal.SIGKILL)).collect()
    assert sc.range(4, numSlices=4).map(lambda x: x + 1).collect() == [1, 2, 3, 4]


def test_what_cannot_be_pickled_is_named(sc: SparkContext) -> None:
    import threading

    the_lock = threading.Lock()
    with pytest.raises(Exception, match="the_lock"):
        sc.range(1, numSlices=1).map(lambda x: the_lock.locked()).collect()


def test_a_result_that_cannot_be_pickled_says_so(sc: SparkContext) -> None:
    with pytest.raises(TypeError, match="cannot pickle"):
        sc.range(2).map(lambda _: threading.Lock()).collect()


def test_functions_are_known_again_after_many_others(sc: SparkContext) -> None:
    kept = sc.range(2, numSlices=2).map(str)
    both = kept.union(kept)
    assert both.collect() == ["0", "1"] * 2
    for _ in range(2 * _workers.COMMANDS_KEPT):
        sc.range(2, numSlices=2).count()
    assert both.collect() == ["0", "1"] * 2


def test_objects_of_the_programs_classes(sc: SparkContext) -> None:
    assert sc.parallelize([Point(1)], 1).map(lambda point: Point(point.x + 1)).collect() == [Point(2)]


def test_a_module_that_was_added_is_there(sc: SparkContext, tmp_path: Path) -> None:
    (tmp_path / "shipped_module.py").write_text("def f(x):\n    return x + 41\n")
    sc.addPyFile(str(tmp_path / "shipped_module.py"))

    def shipped(x: int) -> int:
        import shipped_module  # type: ignore[import-not-found]

        found: int = shipped_module.f(x)
        return found

    assert sc.range(1, 2, numSlices=1).map(shipped).collect() == [42]


class Colour(enum.Enum):
    """Keys whose hashes are made of text."""

    RED = 1
    GREEN = 2


def test_keys_of_any_kind_come_together(sc: SparkContext) -> None:
    keys = [Colour.RED, Colour.GREEN] * 20
    counts = sc.parallelize(keys, 8).map(lambda key: (key, 1)).reduceByKey(lambda a, b: a + b, 4)
    assert sorted((key.name, count) for key, count in counts.collect()) == [("GREEN", 20), ("RED", 20)]


def test_workers_end_with_the_context(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_workers.Costs, "is_worth_the_way", lambda self, kind: True)
    with SparkContext("local[2]", "workers") as sc:
        found = pids(sc.range(4, numSlices=4))
    for pid in found:
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)


def test_tasks_that_cost_little_stay_here() -> None:
    with SparkContext("local[2]", "workers") as sc:
        assert pids(sc.range(8, numSlices=8)) == {os.getpid()}


def test_tasks_that_cost_much_go_away() -> None:
    def busy(x: int) -> int:
        begun = time.thread_time()
        while time.thread_time() - begun < 0.02:
            pass
        return os.getpid()

    with SparkContext("local[2]", "workers") as sc:
        sc.range(4, numSlices=4).map(busy).collect()
        assert os.getpid() not in set(sc.range(4, numSlices=4).map(busy).collect())


def test_no_workers_for_one_thread_or_if_the_configuration_says_so() -> None:
    conf = SparkConf().setMaster("local[2]").setAppName("workers").set("tidemill.python.workers", "1")
    with SparkContext(conf=conf):
        assert _workers._workers is None
    with SparkContext("local[1]", "workers"):
        assert _workers._workers is None
