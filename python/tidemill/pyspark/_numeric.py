"""Methods of RDDs of numbers."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import reduce
from math import ceil, isinf, isnan, log, log2
from typing import Any, TypeVar

from tidemill.pyspark._approximate import BoundedFloat, approximate_mean, approximate_sum, counted_within
from tidemill.pyspark._dataset import Dataset
from tidemill.pyspark._partitioner import portable_hash
from tidemill.pyspark.statcounter import StatCounter

T_co = TypeVar("T_co", covariant=True)
S = TypeVar("S", bound=float)


def _sum(split: int, records: Any) -> Any:
    return sum(records)


def _stats(split: int, records: Any) -> StatCounter:
    return StatCounter(records)


def _float_sum(split: int, records: Any) -> StatCounter:
    return StatCounter([float(sum(records))])


def _float_count(split: int, records: Any) -> StatCounter:
    return StatCounter([float(sum(1 for _ in records))])


def _float_stats(split: int, records: Any) -> StatCounter:
    return StatCounter(map(float, records))


def _is_missing(value: Any) -> bool:
    return value is None or (isinstance(value, float) and isnan(value))


def _range(split: int, records: Any) -> list[tuple[Any, Any, int]]:
    """The smallest and the largest of a partition's values, and how many there are; nothing of none."""
    values = [value for value in records if not _is_missing(value)]
    return [(min(values), max(values), len(values))] if values else []


@dataclass(frozen=True)
class Buckets:
    """Counts a partition's values by bucket. `step` is the width of all buckets if they are of the same width."""

    bounds: Sequence[Any]
    step: Any

    def __call__(self, split: int, records: Any) -> list[int]:
        low, high = self.bounds[0], self.bounds[-1]
        counts = [0] * len(self.bounds)
        for value in records:
            if _is_missing(value) or value > high or value < low:
                continue
            is_even = self.step is not None
            counts[int((value - low) / self.step) if is_even else bisect_right(self.bounds, value) - 1] += 1
        at_the_end = counts.pop()
        counts[-1] += at_the_end
        return counts


def _common_width(bounds: Sequence[Any]) -> Any:
    """The width of the buckets if all have the same, else None."""
    try:
        widths = [high - low for low, high in zip(bounds, bounds[1:])]
        is_even = max(widths) - min(widths) < 1e-10
    except TypeError:
        return None
    return (bounds[-1] - bounds[0]) / (len(bounds) - 1) if is_even else None


def _check_bounds(bounds: Sequence[Any]) -> None:
    if len(bounds) < 2:
        raise ValueError("buckets should have more than one value")
    if any(map(_is_missing, bounds)):
        raise ValueError("can not have None or NaN in buckets")
    if sorted(bounds) != list(bounds):
        raise ValueError("buckets should be sorted")
    if len(set(bounds)) != len(bounds):
        raise ValueError("buckets should not contain duplicated values")


def _even_bounds(low: Any, high: Any, buckets: int) -> tuple[list[Any], Any]:
    """So many buckets of the same width between two values: the bounds and the width."""
    try:
        step = (high - low) / buckets
    except TypeError as error:
        raise TypeError("Can not generate buckets with non-number in RDD") from error
    if isinf(step):
        raise ValueError("Can not generate buckets with infinite value")
    step = int(step)
    if step * buckets != high - low:
        step = (high - low) * 1.0 / buckets
    return [*(i * step + low for i in range(buckets)), high], step


HASH_BITS = 64


@dataclass(frozen=True)
class Registers:
    """A HyperLogLog sketch of a partition's records, with 2 ** `index_bits` registers."""

    index_bits: int

    def __call__(self, split: int, records: Any) -> bytes:
        registers = bytearray(1 << self.index_bits)
        rest_bits = HASH_BITS - self.index_bits
        for value in set(map(portable_hash, records)):
            mixed = _mixed(value)
            index, rest = mixed >> rest_bits, mixed & (1 << rest_bits) - 1
            registers[index] = max(registers[index], rest_bits - rest.bit_length() + 1)
        return bytes(registers)


def _mixed(value: int) -> int:
    """All 64 bits of a hash mixed (the finisher of splitmix64)."""
    mask = (1 << HASH_BITS) - 1
    value = value + 0x9E3779B97F4A7C15 & mask
    value = (value ^ value >> 30) * 0xBF58476D1CE4E5B9 & mask
    value = (value ^ value >> 27) * 0x94D049BB133111EB & mask
    return value ^ value >> 31


def _estimate(registers: bytes) -> int:
    """How many distinct values went into a sketch."""
    number = len(registers)
    raw = 0.7213 / (1 + 1.079 / number) * number * number / sum(map((0.5).__pow__, registers))
    empty = registers.count(0)
    if raw <= 2.5 * number and empty:
        raw = number * log(number / empty)
    return round(raw)


class Numeric(Dataset[T_co]):
    """Methods of RDD for numbers."""

    def sum(self: Dataset[S]) -> S | int:
        """The sum; 0 of none.

        >>> from tidemill.pyspark import SparkContext
        >>> with SparkContext("local[1]", "doc") as sc:
        ...     sc.parallelize([1.0, 2.0, 3.0]).sum()
        6.0
        """
        total: S | int = sum(self._run(_sum))
        return total

    def stats(self: Dataset[S]) -> StatCounter:
        """Count, mean, variance, minimum and maximum in one pass. Raises ValueError if there is no partition.

        >>> from tidemill.pyspark import SparkContext
        >>> with SparkContext("local[1]", "doc") as sc:
        ...     sc.parallelize([1, 2, 3]).stats().count()
        3
        """
        found: list[StatCounter] = self._run(_stats)
        if not found:
            raise ValueError("Can not reduce() empty RDD")
        return reduce(StatCounter.mergeStats, found)

    def mean(self: Dataset[S]) -> float:
        """The mean.

        >>> from tidemill.pyspark import SparkContext
        >>> with SparkContext("local[1]", "doc") as sc:
        ...     sc.parallelize([1, 2, 3]).mean()
        2.0
        """
        return self._as_rdd().stats().mean()

    def variance(self: Dataset[S]) -> float:
        """The variance of a population.

        >>> from tidemill.pyspark import SparkContext
        >>> with SparkContext("local[1]", "doc") as sc:
        ...     sc.parallelize([1, 2, 3]).variance()
        0.6666666666666666
        """
        return self._as_rdd().stats().variance()

    def stdev(self: Dataset[S]) -> float:
        """The standard deviation of a population.

        >>> from tidemill.pyspark import SparkContext
        >>> with SparkContext("local[1]", "doc") as sc:
        ...     sc.parallelize([1, 2, 3]).stdev()
        0.816496580927726
        """
        return self._as_rdd().stats().stdev()

    def sampleStdev(self: Dataset[S]) -> float:
        """The standard deviation of a sample (divided by n - 1).

        >>> from tidemill.pyspark import SparkContext
        >>> with SparkContext("local[1]", "doc") as sc:
        ...     sc.parallelize([1, 2, 3]).sampleStdev()
        1.0
        """
        return self._as_rdd().stats().sampleStdev()

    def sampleVariance(self: Dataset[S]) -> float:
        """The variance of a sample (divided by n - 1).

        >>> from tidemill.pyspark import SparkContext
        >>> with SparkContext("local[1]", "doc") as sc:
        ...     sc.parallelize([1, 2, 3]).sampleVariance()
        1.0
        """
        return self._as_rdd().stats().sampleVariance()

    def histogram(self: Dataset[Any], buckets: int | Sequence[Any]) -> tuple[Sequence[Any], list[int]]:
        """The bounds of buckets and how many records are in each; the last one includes its upper bound.

        `buckets` are the sorted bounds, or the number of buckets of the same width between the smallest and the
        largest record. None and NaN count nowhere. Raises ValueError or TypeError for bounds that are none.

        >>> from tidemill.pyspark import SparkContext
        >>> with SparkContext("local[1]", "doc") as sc:
        ...     sc.range(51).histogram(2), sc.range(51).histogram([0, 5, 25, 50])
        (([0, 25, 50], [25, 26]), ([0, 5, 25, 50], [5, 20, 26]))
        """
        if isinstance(buckets, int):
            return _histogram_of_number(self, buckets)
        if not isinstance(buckets, (list, tuple)):
            raise TypeError("buckets should be a list or tuple or number(int or long)")
        _check_bounds(buckets)
        return _histogram(self, buckets, _common_width(buckets))

    def sumApprox(self: Dataset[Any], timeout: int, confidence: float = 0.95) -> BoundedFloat:
        """The sum; after `timeout` milliseconds what it probably is, going by the partitions that are done, with the bounds
        that it is in with this confidence. The job is cancelled then.

        >>> from tidemill.pyspark import SparkContext
        >>> with SparkContext("local[1]", "doc") as sc:
        ...     figure = sc.range(10).sumApprox(60_000)
        ...     figure, figure.confidence
        (45.0, 1.0)
        """
        return approximate_sum(counted_within(self, _float_sum, timeout), confidence)

    def meanApprox(self: Dataset[Any], timeout: int, confidence: float = 0.95) -> BoundedFloat:
        """The mean; after `timeout` milliseconds that of the partitions that are done, with the bounds that the mean of
        all is in with this confidence. The job is cancelled then.

        >>> from tidemill.pyspark import SparkContext
        >>> with SparkContext("local[1]", "doc") as sc:
        ...     sc.range(11).meanApprox(60_000)
        5.0
        """
        return approximate_mean(counted_within(self, _float_stats, timeout), confidence)

    def countApprox(self, timeout: int, confidence: float = 0.95) -> int:
        """How many records there are; after `timeout` milliseconds how many there probably are, going by the partitions
        that are done. The job is cancelled then.

        >>> from tidemill.pyspark import SparkContext
        >>> with SparkContext("local[1]", "doc") as sc:
        ...     sc.range(10).countApprox(60_000)
        10
        """
        return round(approximate_sum(counted_within(self, _float_count, timeout), confidence))

    def countApproxDistinct(self, relativeSD: float = 0.05) -> int:
        """About how many distinct records there are, with a sketch whose size depends on the deviation that is
        allowed. Raises ValueError if that is below 0.000017.

        >>> from tidemill.pyspark import SparkContext
        >>> with SparkContext("local[1]", "doc") as sc:
        ...     900 < sc.range(1000).map(str).countApproxDistinct() < 1100
        True
        """
        if relativeSD < 0.000017:
            raise ValueError("relativeSD should be greater than 0.000017")
        index_bits = max(4, ceil(2 * log2(1.054 / relativeSD)))
        sketches: list[bytes] = self._run(Registers(index_bits))
        if not sketches:
            return 0
        return _estimate(bytes(map(max, *sketches)) if len(sketches) > 1 else sketches[0])


def _histogram(rdd: Dataset[Any], bounds: Sequence[Any], step: Any) -> tuple[Sequence[Any], list[int]]:
    counts: list[list[int]] = rdd._run(Buckets(bounds, step))
    if not counts:
        raise ValueError("Can not reduce() empty RDD")
    return bounds, [sum(bucket) for bucket in zip(*counts)]


def _histogram_of_number(rdd: Dataset[Any], buckets: int) -> tuple[Sequence[Any], list[int]]:
    if buckets < 1:
        raise ValueError("number of buckets must be >= 1")
    ranges: Iterable[tuple[Any, Any, int]] = [found for partition in rdd._run(_range) for found in partition]
    if not ranges:
        raise ValueError("can not generate buckets from empty RDD")
    lows, highs, counts = zip(*ranges)
    low, high = min(lows), max(highs)
    if low == high or buckets == 1:
        return [low, high], [sum(counts)]
    bounds, step = _even_bounds(low, high, buckets)
    return _histogram(rdd, bounds, step)
