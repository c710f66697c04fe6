"""Actions that give what is known after a time."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Iterator
from math import inf
from pathlib import Path
from typing import Any

import pytest

from tidemill.pyspark import RDD, SparkContext, _approximate
from tidemill.pyspark._approximate import Counted, approximate_mean, approximate_sum
from tidemill.pyspark.rdd import BoundedFloat
from tidemill.pyspark.statcounter import StatCounter

PATIENCE_S = 30.0


def until(condition: Callable[[], object]) -> None:
    end = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.005)


def bounds(figure: BoundedFloat) -> tuple[float, ...]:
    return float(figure), figure.confidence, figure.low, figure.high


# What Spark's SumEvaluator and MeanEvaluator give, with Student's t for 2 and for 3 values and the normal distribution for many.
@pytest.mark.parametrize(
    ("values", "done", "total", "mean"),
    [
        ([], 0, (0.0, 0.0, -inf, inf), (0.0, 0.0, -inf, inf)),
        ([], 1, (0.0, 0.0, -inf, inf), (0.0, 0.0, -inf, inf)),
        ([5.0], 1, (15.0, 0.95, -inf, inf), (5.0, 0.95, -inf, inf)),
        ([1.0, 3.0], 2, (6.0, 0.95, 6 - 37.04463, 6 + 37.04463), (2.0, 0.95, 2 - 12.7062047, 2 + 12.7062047)),
        ([1.0, 2.0, 3.0], 2, (9.0, 0.95, 9 - 13.942188, 9 + 13.942188), (2.0, 0.95, 2 - 2.4841377, 2 + 2.4841377)),
        ([0.0, 2.0] * 100, 2, (300.0, 0.95, 300 - 27.787633, 300 + 27.787633), (1.0, 0.95, 1 - 0.1389382, 1 + 0.1389382)),
        ([1.0, 3.0], 3, (4.0, 1.0, 4.0, 4.0), (2.0, 1.0, 2.0, 2.0)),
    ],
)
def test_estimates(values: list[float], done: int, total: tuple[float, ...], mean: tuple[float, ...]) -> None:
    counted = Counted(StatCounter(values), done, 3)
    assert bounds(approximate_sum(counted, 0.95)) == pytest.approx(total)
    assert bounds(approximate_mean(counted, 0.95)) == pytest.approx(mean)


def test_all_confidence_has_no_bounds() -> None:
    counted = Counted(StatCounter([1.0, 3.0]), 2, 3)
    assert bounds(approximate_mean(counted, 1.0)) == (2.0, 1.0, -inf, inf)


@pytest.fixture
def sc() -> Iterator[SparkContext]:
    # One after another: when a partition is begun the one before it is done.
    with SparkContext("local[1]", "approximate") as sc:
        yield sc


@pytest.fixture
def held(sc: SparkContext, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[RDD[int]]:
    """Three partitions, of which the time is over when the last has begun; that does not end."""
    begun = tmp_path / "begun"

    def hold(split: int, records: Iterator[int]) -> Iterator[int]:
        if split == 2:
            begun.touch()
            for _ in itertools.count():
                time.sleep(0.001)
        return records

    monkeypatch.setattr(_approximate, "wait", lambda futures, timeout: until(begun.exists))
    yield sc.parallelize([1, 2, 3, 4, 5, 6, 7, 8, 9], 3).mapPartitionsWithIndex(hold)
    # The job is cancelled, so that others can run.
    assert sc.range(3).count() == 3
    until(lambda: not sc.statusTracker().getActiveJobsIds())
    info = sc.statusTracker().getJobInfo(0)
    assert info is not None and info.status == "FAILED"


def test_the_sum_of_what_is_done(held: RDD[int]) -> None:
    # 6 + 15 and, for the third, their mean.
    figure = held.sumApprox(10, 0.9)
    assert (figure, figure.confidence) == (31.5, 0.9) and -inf < figure.low < 31.5 < figure.high < inf


def test_the_mean_of_what_is_done(held: RDD[int]) -> None:
    figure = held.meanApprox(10)
    assert (figure, figure.confidence) == (3.5, 0.95) and 1 < figure.low < 3.5 < figure.high < 6


def test_the_count_of_what_is_done(held: RDD[int]) -> None:
    assert held.countApprox(10) == 9


def test_of_no_partition_and_of_no_record(sc: SparkContext) -> None:
    for rdd in (sc.emptyRDD(), sc.parallelize([], 2)):
        numbers: Any = rdd
        assert numbers.countApprox(60_000) == 0
        for figure in (numbers.sumApprox(60_000), numbers.meanApprox(60_000)):
            assert bounds(figure) == (0.0, 1.0, 0.0, 0.0)


def test_what_a_job_fails_with_in_its_time_is_raised(sc: SparkContext) -> None:
    texts: Any = sc.parallelize(["a"])
    with pytest.raises(TypeError):
        texts.sumApprox(60_000)
    with pytest.raises(ValueError, match="could not convert"):
        texts.meanApprox(60_000)


def test_a_count_is_whole(sc: SparkContext) -> None:
    rdd = sc.parallelize(range(1000), 7).filter(lambda n: n % 3 == 1 or n > 600)
    assert rdd.countApprox(60_000) == rdd.count()
