"""Methods of RDD that put records in order."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

from tidemill.pyspark import _ops
from tidemill.pyspark._dataset import Dataset
from tidemill.pyspark._ops import Step
from tidemill.pyspark._partitioner import Partitioner, RangeRoute, portable_hash

if TYPE_CHECKING:
    from tidemill.pyspark.rdd import RDD

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)
K = TypeVar("K", bound=Hashable)
V = TypeVar("V")

SAMPLES_PER_PARTITION = 20.0

_same: Callable[[Any], Any] = lambda x: x  # noqa: E731  PySpark's default is a lambda, and is shown as one


@dataclass(frozen=True)
class KeyOf:
    """What a pair is sorted by: `function` of its key."""

    function: Callable[[Any], Any]

    def __call__(self, pair: Any) -> Any:
        return self.function(pair[0])


@dataclass(frozen=True)
class Sort:
    """A partition's pairs in order."""

    key: Callable[[Any], Any]
    is_ascending: bool

    def __call__(self, split: int, records: Any) -> list[Any]:
        return sorted(records, key=self.key, reverse=not self.is_ascending)


def _sort(keyfunc: Callable[[Any], Any], ascending: bool | None, name: str) -> Step:
    key = _ops.first if keyfunc is _same else KeyOf(keyfunc)
    return Step(name, _ops.lift_partition, Sort(key, bool(ascending)))


class Sorting(Dataset[T_co]):
    """Methods of RDD that sort."""

    def sortBy(
        self: Dataset[T], keyfunc: Callable[[T], Any], ascending: bool = True, numPartitions: int | None = None
    ) -> RDD[T]:
        """The records in the order of `keyfunc`, over all partitions. Runs jobs as `sortByKey` does.

        >>> from tidemill.pyspark import SparkContext
        >>> with SparkContext("local[1]", "doc") as sc:
        ...     sc.parallelize([("a", 3), ("b", 1), ("c", 2)]).sortBy(lambda x: x[1]).keys().collect()
        ['b', 'c', 'a']
        """
        ordered: RDD[Any] = self._as_rdd().keyBy(keyfunc).sortByKey(ascending, numPartitions).values()
        return ordered

    def sortByKey(
        self: Dataset[tuple[K, V]],
        ascending: bool | None = True,
        numPartitions: int | None = None,
        keyfunc: Callable[[Any], Any] = _same,
    ) -> RDD[tuple[K, V]]:
        """The pairs in the order of their keys, or of `keyfunc` of them, over all partitions; equal ones stay as
        they were.

        With several partitions this runs two jobs at once, which count the pairs and sample the keys; partitions
        are ranges of keys between samples.

        >>> from tidemill.pyspark import SparkContext
        >>> with SparkContext("local[1]", "doc") as sc:
        ...     pairs = sc.parallelize([("b", 1), ("a", 2), ("C", 3)])
        ...     pairs.sortByKey().keys().collect(), pairs.sortByKey(True, 1, str.lower).keys().collect()
        (['C', 'a', 'b'], ['a', 'b', 'C'])
        """
        ours = self._as_rdd()
        partitions = ours._default_partitions() if numPartitions is None else numPartitions
        sort = _sort(keyfunc, ascending, "sortByKey")
        if partitions == 1:
            single = ours.coalesce(1) if ours.getNumPartitions() > 1 else ours
            return single._then(sort, True)
        number = ours.count()
        if not number:
            return ours
        bounds = _bounds(ours, number, partitions, keyfunc)
        route = RangeRoute(bounds, None if keyfunc is _same else keyfunc, bool(ascending))
        moved = ours._shuffled(partitions, route, "sortByKey")
        moved.partitioner = Partitioner(partitions, route.place)
        return moved._then(sort, True)

    def repartitionAndSortWithinPartitions(
        self: Dataset[tuple[K, V]],
        numPartitions: int | None = None,
        partitionFunc: Callable[[Any], int] = portable_hash,
        ascending: bool = True,
        keyfunc: Callable[[Any], Any] = _same,
    ) -> RDD[tuple[K, V]]:
        """The pairs placed as `partitionBy` does, each partition in the order of its keys.

        >>> from tidemill.pyspark import SparkContext
        >>> with SparkContext("local[1]", "doc") as sc:
        ...     pairs = sc.parallelize([(0, 5), (3, 8), (2, 6), (0, 8)])
        ...     pairs.repartitionAndSortWithinPartitions(2, lambda x: x % 2).glom().collect()
        [[(0, 5), (0, 8), (2, 6)], [(3, 8)]]
        """
        placed = self._as_rdd().partitionBy(numPartitions, partitionFunc)
        return placed._then(_sort(keyfunc, ascending, "repartitionAndSortWithinPartitions"), True)


def _bounds(rdd: RDD[Any], number: int, partitions: int, keyfunc: Callable[[Any], Any]) -> list[Any]:
    """The keys between which the partitions of a sorted RDD are, of a sample that is always the same."""
    fraction = min(partitions * SAMPLES_PER_PARTITION / number, 1.0)
    keys: list[Any] = rdd.sample(False, fraction, 1).keys().collect()
    samples = sorted(keys if keyfunc is _same else map(keyfunc, keys))
    if not samples:
        return []
    return [samples[len(samples) * (i + 1) // partitions] for i in range(partitions - 1)]
