"""Jobs that are ended while they run."""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tidemill.pyspark import InheritableThread, RDD, SparkContext, _workers
from tidemill.pyspark.errors import SparkRuntimeException

PATIENCE_S = 30.0


def waits(begun: Path) -> Callable[[Any], Any]:
    """A function that says that it runs, and never ends."""

    def wait(record: Any) -> Any:
        begun.touch()
        for _ in itertools.count():
            time.sleep(0.001)

    return wait


def counts(begun: Path) -> Callable[[Any], Any]:
    """A function that says that it runs, and gives records for ever."""

    def count(record: Any) -> Any:
        begun.touch()
        return itertools.count()

    return count


@pytest.fixture(params=["home", "workers"])
def sc(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[SparkContext]:
    away = request.param == "workers"
    monkeypatch.setattr(_workers.Costs, "is_worth_the_way", lambda self, kind: away)
    with SparkContext("local[2]", "cancelling") as sc:
        yield sc


class Action:
    """An action on another thread."""

    def __init__(self, run: Callable[[], object], begun: Path) -> None:
        self.error: BaseException | None = None
        self._run = run
        self._thread = InheritableThread(self._outcome)
        self._thread.start()
        deadline = time.monotonic() + PATIENCE_S
        while not begun.exists() and time.monotonic() < deadline:
            time.sleep(0.005)
        assert begun.exists()

    def _outcome(self) -> None:
        try:
            self._run()
        except BaseException as error:
            self.error = error

    def ended(self) -> BaseException | None:
        self._thread.join(PATIENCE_S)
        assert not self._thread.is_alive()
        return self.error


CHAINS: dict[str, Callable[[RDD[int], Path], object]] = {
    "count": lambda rdd, begun: rdd.map(waits(begun)).count(),
    "blocks": lambda rdd, begun: rdd.flatMap(counts(begun)).foreach(lambda _: None),
    "shuffle": lambda rdd, begun: rdd.map(waits(begun)).map(lambda n: (n, 1)).groupByKey().collect(),
    "behind a shuffle": lambda rdd, begun: rdd.repartition(2).map(waits(begun)).collect(),
}


@pytest.mark.parametrize("chain", CHAINS)
def test_a_group_is_cancelled(sc: SparkContext, chain: str, tmp_path: Path) -> None:
    sc.setJobGroup("endless", "is cancelled", interruptOnCancel=True)
    endless = Action(lambda: CHAINS[chain](sc.range(1, numSlices=1), tmp_path / "begun"), tmp_path / "begun")
    sc.cancelJobGroup("nobody's")
    sc.cancelJobGroup("endless")
    error = endless.ended()
    assert isinstance(error, SparkRuntimeException)
    assert str(error) == "Job 0 cancelled part of cancelled job group endless"
    info = sc.statusTracker().getJobInfo(0)
    assert info is not None and info.status == "FAILED"
    # The context goes on.
    assert sc.range(4, numSlices=4).map(lambda n: n + 1).collect() == [1, 2, 3, 4]


def test_another_group_goes_on(sc: SparkContext, tmp_path: Path) -> None:
    release, begun = tmp_path / "release", tmp_path / "other"

    def until_released(n: int) -> int:
        begun.touch()
        while not release.exists():
            time.sleep(0.005)
        return n

    sc.setJobGroup("other", "goes on")
    other = Action(lambda: sc.range(1, numSlices=1).map(until_released).collect(), begun)
    sc.setJobGroup("endless", "is cancelled")
    endless = Action(lambda: sc.range(1, numSlices=1).map(waits(tmp_path / "begun")).count(), tmp_path / "begun")
    sc.cancelJobGroup("endless")
    # A job ends when every thread of the engine has come to it.
    release.touch()
    assert other.ended() is None
    assert "cancelled job group endless" in str(endless.ended())


def test_all_jobs_and_jobs_with_a_tag(sc: SparkContext, tmp_path: Path) -> None:
    sc.addJobTag("slow")
    tagged = Action(lambda: sc.range(1).map(waits(tmp_path / "1")).count(), tmp_path / "1")
    sc.cancelJobsWithTag("slo")
    sc.cancelJobsWithTag("slow")
    assert "cancelled job tag slow" in str(tagged.ended())
    some = Action(lambda: sc.range(1).map(waits(tmp_path / "2")).count(), tmp_path / "2")
    sc.cancelAllJobs()
    assert "as part of cancellation of all jobs" in str(some.ended())


def test_what_catches_exceptions_is_ended_too(sc: SparkContext, tmp_path: Path) -> None:
    def stubborn(_: int) -> None:
        while True:
            try:
                waits(tmp_path / "begun")(0)
            except Exception:
                pass

    action = Action(lambda: sc.range(1).foreach(stubborn), tmp_path / "begun")
    sc.cancelAllJobs()
    assert "cancelled" in str(action.ended())


def test_the_end_of_the_context_ends_its_jobs(tmp_path: Path) -> None:
    with SparkContext("local[1]", "cancelling") as sc:
        action = Action(lambda: sc.range(1).map(waits(tmp_path / "begun")).count(), tmp_path / "begun")
    assert "because SparkContext was shut down" in str(action.ended())


def test_jobs_are_cancelled_at_any_instant(tmp_path: Path) -> None:
    """What comes in the wrong instant must not end another job's task, nor lose a lock."""
    with SparkContext("local[2]", "cancelling") as sc:
        for attempt in range(150):
            sc.setJobGroup(f"group {attempt}", "cancelled some time")
            thread = InheritableThread(lambda: sc.range(4, numSlices=4).map(lambda n: sum(range(200))).count())
            thread.run = cancelled(thread.run)  # type: ignore[method-assign]
            thread.start()
            time.sleep(attempt % 15 / 5000)
            sc.cancelJobGroup(f"group {attempt}")
            assert sc.range(4, numSlices=2).map(lambda n: n + 1).collect() == [1, 2, 3, 4]
            thread.join(PATIENCE_S)
            assert not thread.is_alive()


def cancelled(run: Callable[[], None]) -> Callable[[], None]:
    def ended() -> None:
        try:
            run()
        except SparkRuntimeException as error:
            assert "cancelled part of" in str(error)

    return ended
