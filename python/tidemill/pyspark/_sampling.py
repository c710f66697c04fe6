"""Methods of RDD that take records by chance: the same ones for the same seed, and the same as PySpark."""

from __future__ import annotations

import random
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import compress, repeat, starmap
from math import exp, log, sqrt
from typing import TYPE_CHECKING, Any, TypeVar

from tidemill.pyspark import _ops
from tidemill.pyspark._dataset import Dataset
from tidemill.pyspark._ops import Step

if TYPE_CHECKING:
    from tidemill.pyspark.rdd import RDD

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)
K = TypeVar("K")
V = TypeVar("V")

WARM_UP_DRAWS = 10
LARGEST_MEAN_BY_PRODUCT = 20.0


def _generator(seed: int, split: int) -> random.Random:
    """The random numbers of a partition. Seeds that are alike start alike: the first numbers are thrown away."""
    generator = random.Random(seed ^ split)
    for _ in range(WARM_UP_DRAWS):
        generator.randint(0, 1)
    return generator


def _uniform(generator: random.Random) -> Iterator[float]:
    return starmap(generator.random, repeat(()))


def _poisson(generator: random.Random, mean: float) -> int:
    """A number of a Poisson distribution: by Knuth's product where the mean is small, else by gaps."""
    number = 0
    if mean < LARGEST_MEAN_BY_PRODUCT:
        limit, product = exp(-mean), generator.random()
        while product > limit:
            number += 1
            product *= generator.random()
        return number
    reached = generator.expovariate(mean)
    while reached < 1.0:
        number += 1
        reached += generator.expovariate(mean)
    return number


def _seed(seed: int | None) -> int:
    return random.randint(0, sys.maxsize) if seed is None else seed


@dataclass(frozen=True)
class Sample:
    """Each record with a probability."""

    fraction: float
    seed: int

    def __call__(self, split: int, records: Any) -> Iterable[Any]:
        drawn = _uniform(_generator(self.seed, split))
        return compress(records, map(float(self.fraction).__gt__, drawn))


@dataclass(frozen=True)
class SampleRange:
    """The records whose random number is within bounds."""

    low: float
    high: float
    seed: int

    def __call__(self, split: int, records: Any) -> Iterable[Any]:
        drawn = _uniform(_generator(self.seed, split))
        return (record for record, number in zip(records, drawn) if self.low <= number < self.high)


@dataclass(frozen=True)
class SampleWithReplacement:
    """Each record as often as a Poisson distribution says."""

    fraction: float
    seed: int

    def __call__(self, split: int, records: Any) -> Iterable[Any]:
        generator = _generator(self.seed, split)
        for record in records:
            yield from repeat(record, _poisson(generator, self.fraction))


@dataclass(frozen=True)
class SampleByKey:
    """Each pair with the probability of its key."""

    fractions: dict[Any, float]
    seed: int

    def __call__(self, split: int, records: Any) -> Iterable[Any]:
        generator = _generator(self.seed, split)
        for pair in records:
            if generator.random() < self.fractions[pair[0]]:
                yield pair


@dataclass(frozen=True)
class SampleByKeyWithReplacement:
    """Each pair as often as a Poisson distribution with the mean of its key says."""

    fractions: dict[Any, float]
    seed: int

    def __call__(self, split: int, records: Any) -> Iterable[Any]:
        generator = _generator(self.seed, split)
        for pair in records:
            yield from repeat(pair, _poisson(generator, self.fractions[pair[0]]))


def fraction_for(number: int, total: int, with_replacement: bool) -> float:
    """A fraction with which a sample is nearly always as large as `number`."""
    fraction = float(number) / total
    if with_replacement:
        deviations = 9 if number < 12 else 5
        return fraction + deviations * sqrt(fraction / total)
    gamma = -log(0.00005) / total
    return min(1, fraction + gamma + sqrt(gamma * gamma + 2 * gamma * fraction))


class Sampling(Dataset[T_co]):
    """Methods of RDD that sample."""

    def sample(self: Dataset[T], withReplacement: bool, fraction: float, seed: int | None = None) -> RDD[T]:
        """Each record with the probability `fraction`; with replacement, that often on average.

        Raises ValueError if the fraction is negative. Without a seed each RDD made has another.

        >>> from tidemill.pyspark import SparkContext
        >>> with SparkContext("local[1]", "doc") as sc:
        ...     sc.range(20, numSlices=2).sample(False, 0.3, seed=1).collect()
        [6, 9, 11, 14]
        """
        if not fraction >= 0:
            raise ValueError(f'the fraction of a sample must not be negative: "{fraction}"')
        sampler = SampleWithReplacement if withReplacement else Sample
        return self._then(Step("sample", _ops.lift_partition, sampler(fraction, _seed(seed))), True)

    def randomSplit(self: Dataset[T], weights: Sequence[int | float], seed: int | None = None) -> list[RDD[T]]:
        """RDDs that have all records among them, each record with the probability of the RDD's weight.

        >>> from tidemill.pyspark import SparkContext
        >>> with SparkContext("local[1]", "doc") as sc:
        ...     few, rest = sc.range(10, numSlices=2).randomSplit([1, 2], 42)
        ...     few.collect(), rest.collect()
        ([0, 1, 3, 4], [2, 5, 6, 7, 8, 9])
        """
        total, bounds = float(sum(weights)), [0.0]
        for weight in weights:
            bounds.append(bounds[-1] + weight / total)
        seed = random.randint(0, 2**32 - 1) if seed is None else seed
        steps = [SampleRange(low, high, seed) for low, high in zip(bounds, bounds[1:])]
        return [self._then(Step("randomSplit", _ops.lift_partition, step), True) for step in steps]

    def takeSample(self: Dataset[T], withReplacement: bool, num: int, seed: int | None = None) -> list[T]:
        """`num` records by chance, or all of them in another order if there are no more.

        Raises ValueError if `num` is negative or beyond what can be sampled.

        >>> from tidemill.pyspark import SparkContext
        >>> with SparkContext("local[1]", "doc") as sc:
        ...     len(sc.range(10).takeSample(False, 5, 2)), len(sc.range(10).takeSample(False, 15, 3))
        (5, 10)
        """
        if num < 0:
            raise ValueError("Sample size cannot be negative.")
        number = self._as_rdd().count() if num else 0
        if number == 0:
            return []
        generator = random.Random(seed)
        if not withReplacement and num >= number:
            samples = self._as_rdd().collect()
        else:
            samples = _enough(self._as_rdd(), withReplacement, num, number, seed, generator)
        generator.shuffle(samples)
        return samples[:num]

    def sampleByKey(
        self: Dataset[tuple[K, V]], withReplacement: bool, fractions: dict[K, float], seed: int | None = None
    ) -> RDD[tuple[K, V]]:
        """Each pair with the probability of its key. Raises ValueError for a negative one; a key that has none
        fails the job with KeyError.

        >>> from tidemill.pyspark import SparkContext
        >>> with SparkContext("local[1]", "doc") as sc:
        ...     pairs = sc.parallelize(["a", "b"]).cartesian(sc.range(1000))
        ...     counted = pairs.sampleByKey(False, {"a": 0.2, "b": 0.1}, 2).countByKey()
        ...     100 < counted["a"] < 300 and 50 < counted["b"] < 150
        True
        """
        for key, fraction in fractions.items():
            if fraction < 0:
                raise ValueError(f'the fraction of the key "{key}" must not be negative: "{fraction}"')
        sampler = SampleByKeyWithReplacement if withReplacement else SampleByKey
        return self._then(Step("sampleByKey", _ops.lift_partition, sampler(fractions, _seed(seed))), True)

    @staticmethod
    def _computeFractionForSampleSize(sampleSizeLowerBound: int, total: int, withReplacement: bool) -> float:
        return fraction_for(sampleSizeLowerBound, total, withReplacement)


def _enough(
    rdd: RDD[T], with_replacement: bool, num: int, total: int, seed: int | None, generator: random.Random
) -> list[T]:
    """A sample of at least `num` records; another one is taken in the rare case that it is smaller."""
    if num > (largest := sys.maxsize - int(10.0 * sqrt(sys.maxsize))):
        raise ValueError(f"Sample size cannot be greater than {largest}.")
    fraction = fraction_for(num, total, with_replacement)
    samples = rdd.sample(with_replacement, fraction, seed).collect()
    while len(samples) < num:
        samples = rdd.sample(with_replacement, fraction, generator.randint(0, sys.maxsize)).collect()
    return samples
