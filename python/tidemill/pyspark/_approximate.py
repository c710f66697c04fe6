"""Actions that give what is known after a time, by the partitions that are done.

The estimates and their bounds are those of Spark: what is not known yet is taken to be like what is.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, wait
from dataclasses import dataclass
from functools import reduce
from math import cos, inf, isnan, pi, sin, sqrt, tan
from statistics import NormalDist
from typing import Any

from tidemill.pyspark import _task
from tidemill.pyspark._cancel import Cancellation
from tidemill.pyspark._dataset import Dataset
from tidemill.pyspark.statcounter import StatCounter

# Above so many values Student's distribution is taken for the normal one, as in Spark.
_MANY = 100


class BoundedFloat(float):
    """A figure with the bounds that it is in with some confidence.

    >>> figure = BoundedFloat(3.0, 0.95, 2.5, 3.5)
    >>> figure + 1, figure.low
    (4.0, 2.5)
    """

    confidence: float
    low: float
    high: float

    def __new__(cls, mean: float, confidence: float, low: float, high: float) -> BoundedFloat:
        made = super().__new__(cls, mean)
        made.confidence, made.low, made.high = confidence, low, high
        return made


_UNKNOWN = BoundedFloat(0.0, 0.0, -inf, inf)


@dataclass(frozen=True)
class Counted:
    """What the partitions that are done come to."""

    values: StatCounter
    done: int
    partitions: int


def counted_within(dataset: Dataset[Any], function: Callable[[int, Any], StatCounter], timeout_ms: int) -> Counted:
    """`function(split, records)` of the partitions that are done in that time. Raises what the job failed with by then.

    The job is another thread's, with the properties of this one. When the time is over it is cancelled, and not waited for.
    """
    from tidemill.pyspark.util import InheritableThread

    found: dict[int, StatCounter] = {}
    outcome: Future[None] = Future()
    cancellation = Cancellation(dict(dataset.ctx._properties.of_thread))

    def run() -> None:
        try:
            dataset._job(_task.Finish(function), function, None, found.__setitem__, cancellation)
        except BaseException as error:
            outcome.set_exception(error)
        else:
            outcome.set_result(None)

    dataset.ctx._assert_on_driver()
    partitions = dataset.getNumPartitions()
    InheritableThread(run, name="tidemill-approximate", daemon=True).start()
    wait([outcome], timeout_ms / 1000)
    if outcome.done():
        outcome.result()
    else:
        cancellation.cancel("as its time is over")
    done = sorted(found.copy().items())
    return Counted(reduce(StatCounter.mergeStats, (values for _, values in done), StatCounter()), len(done), partitions)


def approximate_sum(counted: Counted, confidence: float) -> BoundedFloat:
    """The sum of all values."""
    values = counted.values
    if counted.done == counted.partitions:
        return BoundedFloat(values.sum(), 1.0, values.sum(), values.sum())
    if values.count() == 0:
        return _UNKNOWN
    share = counted.done / counted.partitions
    unseen = values.count() * (1 - share) / share
    estimate = values.sum() + values.mean() * unseen
    variance_of_mean = values.sampleVariance() / values.count()
    if isnan(variance_of_mean):
        return BoundedFloat(estimate, confidence, -inf, inf)
    variance_of_unseen = unseen / share
    variance = (
        values.mean() ** 2 * variance_of_unseen + unseen**2 * variance_of_mean + variance_of_mean * variance_of_unseen
    )
    reach = _factor(values.count(), confidence) * sqrt(variance)
    return BoundedFloat(estimate, confidence, estimate - reach, estimate + reach)


def approximate_mean(counted: Counted, confidence: float) -> BoundedFloat:
    """The mean of all values."""
    values = counted.values
    if counted.done == counted.partitions:
        return BoundedFloat(values.mean(), 1.0, values.mean(), values.mean())
    if values.count() == 0:
        return _UNKNOWN
    if values.count() == 1:
        return BoundedFloat(values.mean(), confidence, -inf, inf)
    reach = _factor(values.count(), confidence) * sqrt(values.sampleVariance() / values.count())
    return BoundedFloat(values.mean(), confidence, values.mean() - reach, values.mean() + reach)


def _factor(count: int, confidence: float) -> float:
    """How many standard deviations a mean of so many values is off at the most, with this confidence."""
    if confidence >= 1:
        return inf
    if count > _MANY:
        return NormalDist().inv_cdf(1 - (1 - confidence) / 2)
    return _student(count - 1, confidence)


def _student(freedom: int, confidence: float) -> float:
    """What the absolute value of Student's t is below, with this confidence.

    >>> round(_student(1, 0.95), 3), round(_student(10, 0.95), 3), round(_student(99, 0.5), 3)
    (12.706, 2.228, 0.677)
    """
    low, high = 0.0, pi / 2
    while (middle := (low + high) / 2) not in (low, high):
        if _within(freedom, middle) < confidence:
            low = middle
        else:
            high = middle
    return sqrt(freedom) * tan(low)


def _within(freedom: int, angle: float) -> float:
    """The probability that the absolute value of Student's t is below `sqrt(freedom) * tan(angle)`: a finite series."""
    is_odd = freedom % 2 == 1
    term, total = (cos(angle), 0.0) if is_odd else (1.0, 0.0)
    for index in range(2 if is_odd else 1, freedom, 2):
        total += term
        term *= index / (index + 1) * cos(angle) ** 2
    return 2 / pi * (angle + sin(angle) * total) if is_odd else sin(angle) * total
