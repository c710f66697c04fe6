"""Count, mean, variance, minimum and maximum of numbers, in one pass."""

from __future__ import annotations

import copy
import math
from collections.abc import Iterable
from typing import Any


class StatCounter:
    """Statistics that numbers are added to one by one and that can be merged (Welford's and Chan's formulas).

    >>> stats = StatCounter([1.0, 2.0, 3.0])
    >>> stats.mean(), stats.sampleVariance()
    (2.0, 1.0)
    >>> stats.merge(6.0).max()
    6.0
    """

    def __init__(self, values: Iterable[float] | None = None) -> None:
        self.n = 0
        self.mu = 0.0
        self.m2 = 0.0
        self.maxValue: float = -math.inf
        self.minValue: float = math.inf
        for value in values or ():
            self.merge(value)

    def merge(self, value: float) -> StatCounter:
        """Adds a number; gives this counter."""
        delta = value - self.mu
        self.n += 1
        self.mu += delta / self.n
        self.m2 += delta * (value - self.mu)
        self.maxValue = max(self.maxValue, value)
        self.minValue = min(self.minValue, value)
        return self

    def mergeStats(self, other: StatCounter) -> StatCounter:
        """Adds all that another counter has seen; gives this one. Raises TypeError for anything else."""
        if not isinstance(other, StatCounter):
            raise TypeError(f'only a StatCounter can be merged, not "{type(other).__name__}"')
        if other is self:
            return self.mergeStats(other.copy())
        if other.n == 0:
            return self
        if self.n == 0:
            self.__dict__.update(other.__dict__)
            return self
        self._merge(other)
        return self

    def _merge(self, other: StatCounter) -> None:
        delta, n = other.mu - self.mu, self.n + other.n
        if other.n * 10 < self.n:
            self.mu = self.mu + (delta * other.n) / n
        elif self.n * 10 < other.n:
            self.mu = other.mu - (delta * self.n) / n
        else:
            self.mu = (self.mu * self.n + other.mu * other.n) / n
        self.m2 += other.m2 + (delta * delta * self.n * other.n) / n
        self.maxValue = max(self.maxValue, other.maxValue)
        self.minValue = min(self.minValue, other.minValue)
        self.n = n

    def copy(self) -> StatCounter:
        """Another counter with the same state."""
        return copy.copy(self)

    def count(self) -> int:
        """How many numbers."""
        return int(self.n)

    def mean(self) -> float:
        """Their mean; 0.0 of none."""
        return self.mu

    def sum(self) -> float:
        """Their sum."""
        return self.n * self.mu

    def min(self) -> float:
        """The smallest; infinity of none."""
        return self.minValue

    def max(self) -> float:
        """The largest; minus infinity of none."""
        return self.maxValue

    def variance(self) -> float:
        """The variance of a population (divided by n); nan of none."""
        return self.m2 / self.n if self.n else math.nan

    def sampleVariance(self) -> float:
        """The variance of a sample (divided by n - 1); nan of fewer than two."""
        return self.m2 / (self.n - 1) if self.n > 1 else math.nan

    def stdev(self) -> float:
        """The square root of `variance`."""
        return math.sqrt(self.variance())

    def sampleStdev(self) -> float:
        """The square root of `sampleVariance`."""
        return math.sqrt(self.sampleVariance())

    def asDict(self, sample: bool = False) -> dict[str, Any]:
        """All figures by name. As in PySpark, `sample=False` gives the figures of a sample and True those of a
        population."""
        return {
            "count": self.count(),
            "mean": self.mean(),
            "sum": self.sum(),
            "min": self.min(),
            "max": self.max(),
            "stdev": self.stdev() if sample else self.sampleStdev(),
            "variance": self.variance() if sample else self.sampleVariance(),
        }

    def __repr__(self) -> str:
        return (
            f"(count: {self.count()}, mean: {self.mean()}, stdev: {self.stdev()}, "
            f"max: {self.max()}, min: {self.min()})"
        )
