"""Methods of RDDs of pairs that bring the values of several RDDs together by key."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable
from dataclasses import dataclass
from itertools import chain, product, repeat
from typing import TYPE_CHECKING, Any, TypeVar

from tidemill.pyspark import _ops
from tidemill.pyspark._dataset import Dataset
from tidemill.pyspark._ops import Block, Step
from tidemill.pyspark._pairs import grouped, placed
from tidemill.pyspark._partitioner import Partitioner, Route, portable_hash
from tidemill.pyspark.resultiterable import ResultIterable

if TYPE_CHECKING:
    from tidemill.pyspark._task import Source
    from tidemill.pyspark.rdd import RDD

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)
K = TypeVar("K", bound=Hashable)
V = TypeVar("V")
U = TypeVar("U")

NONE: Block = [None]
EMPTY: Block = []


def _keys(groups: list[dict[Any, Block]]) -> Iterable[Any]:
    """Each key once, in the order in which they came."""
    return dict.fromkeys(chain.from_iterable(groups))


@dataclass(frozen=True)
class Join:
    """Pairs of a key and each combination of its values; a side with `keeps` stands with None where the other has
    no values."""

    keeps_left: bool
    keeps_right: bool

    def __call__(self, split: int, left: Source, right: Source) -> Iterable[Block]:
        return _ops.cut(chain.from_iterable(self._joined(grouped(left.blocks()), grouped(right.blocks()))))

    def _joined(self, left: dict[Any, Block], right: dict[Any, Block]) -> Iterable[Iterable[Any]]:
        for key in _keys([left, right]):
            ours, theirs = left.get(key, EMPTY), right.get(key, EMPTY)
            if not theirs and self.keeps_left:
                theirs = NONE
            elif not ours and self.keeps_right:
                ours = NONE
            yield zip(repeat(key), product(ours, theirs))


def _cogrouped(split: int, left: Source, right: Source) -> Iterable[Block]:
    groups = [grouped(left.blocks()), grouped(right.blocks())]
    return _ops.cut(_of_all(groups))


def _of_all(groups: list[dict[Any, Block]]) -> list[Any]:
    """Pairs of each key and its values in all groups."""
    return [(key, tuple([ResultIterable(group.get(key, [])) for group in groups])) for key in _keys(groups)]


@dataclass(frozen=True)
class Tag:
    """A partition's pairs with the number of the RDD that they are of."""

    number: int

    def __call__(self, split: int, records: Any) -> Iterable[Any]:
        return zip(repeat(self.number), records)


@dataclass(frozen=True)
class CogroupTagged:
    """Groups the pairs of many RDDs, told apart by their numbers."""

    number: int

    def __call__(self, split: int, records: Any) -> Iterable[Any]:
        pairs: list[Block] = [[] for _ in range(self.number)]
        for number, pair in records:
            pairs[number].append(pair)
        return _of_all([grouped([block]) for block in pairs])


def _subtracted(split: int, left: Source, right: Source) -> Iterable[Block]:
    groups, excluded = grouped(left.blocks()), grouped(right.blocks())
    kept = (zip(repeat(key), values) for key, values in groups.items() if key not in excluded)
    return _ops.cut(chain.from_iterable(kept))


def _intersected(split: int, left: Source, right: Source) -> Iterable[Block]:
    groups, others = grouped(left.blocks()), grouped(right.blocks())
    return _ops.cut([key for key in groups if key in others])


def _with_none(record: Any) -> tuple[Any, None]:
    return record, None


class Joins(Dataset[T_co]):
    """Methods of RDD that look at several RDDs of pairs."""

    def join(
        self: Dataset[tuple[K, V]], other: Dataset[tuple[K, U]], numPartitions: int | None = None
    ) -> RDD[tuple[K, tuple[V, U]]]:
        """Pairs of each key that both have and each pair of its values.

        Without `numPartitions` and `spark.default.parallelism` there are as many partitions as both have together.

        >>> from tidemill.pyspark import SparkContext
        >>> with SparkContext("local[1]", "doc") as sc:
        ...     sc.parallelize([("a", 1), ("b", 4)]).join(sc.parallelize([("a", 2), ("a", 3)])).collect()
        [('a', (1, 2)), ('a', (1, 3))]
        """
        return _together(self, other, numPartitions, Join(False, False), "join")

    def leftOuterJoin(
        self: Dataset[tuple[K, V]], other: Dataset[tuple[K, U]], numPartitions: int | None = None
    ) -> RDD[tuple[K, tuple[V, U | None]]]:
        """`join`, with None for what the other does not have.

        >>> from tidemill.pyspark import SparkContext
        >>> with SparkContext("local[1]", "doc") as sc:
        ...     sorted(sc.parallelize([("a", 1), ("b", 4)]).leftOuterJoin(sc.parallelize([("a", 2)])).collect())
        [('a', (1, 2)), ('b', (4, None))]
        """
        return _together(self, other, numPartitions, Join(True, False), "leftOuterJoin")

    def rightOuterJoin(
        self: Dataset[tuple[K, V]], other: Dataset[tuple[K, U]], numPartitions: int | None = None
    ) -> RDD[tuple[K, tuple[V | None, U]]]:
        """`join`, with None for what this RDD does not have.

        >>> from tidemill.pyspark import SparkContext
        >>> with SparkContext("local[1]", "doc") as sc:
        ...     sorted(sc.parallelize([("a", 2)]).rightOuterJoin(sc.parallelize([("a", 1), ("b", 4)])).collect())
        [('a', (2, 1)), ('b', (None, 4))]
        """
        return _together(self, other, numPartitions, Join(False, True), "rightOuterJoin")

    def fullOuterJoin(
        self: Dataset[tuple[K, V]], other: Dataset[tuple[K, U]], numPartitions: int | None = None
    ) -> RDD[tuple[K, tuple[V | None, U | None]]]:
        """`join`, with None for what one of them does not have.

        >>> from tidemill.pyspark import SparkContext
        >>> with SparkContext("local[1]", "doc") as sc:
        ...     sorted(sc.parallelize([("a", 1)]).fullOuterJoin(sc.parallelize([("c", 8)])).collect())
        [('a', (1, None)), ('c', (None, 8))]
        """
        return _together(self, other, numPartitions, Join(True, True), "fullOuterJoin")

    def cogroup(
        self: Dataset[tuple[K, V]], other: Dataset[tuple[K, U]], numPartitions: int | None = None
    ) -> RDD[tuple[K, tuple[ResultIterable[V], ResultIterable[U]]]]:
        """Pairs of each key and its values in both RDDs.

        >>> from tidemill.pyspark import SparkContext
        >>> with SparkContext("local[1]", "doc") as sc:
        ...     both = sc.parallelize([("a", 1), ("b", 4)]).cogroup(sc.parallelize([("a", 2)]))
        ...     sorted((key, tuple(map(list, values))) for key, values in both.collect())
        [('a', ([1], [2])), ('b', ([4], []))]
        """
        return _together(self, other, numPartitions, _cogrouped, "cogroup")

    def groupWith(
        self: Dataset[tuple[Any, Any]], other: Dataset[tuple[Any, Any]], *others: Dataset[tuple[Any, Any]]
    ) -> RDD[tuple[Any, tuple[ResultIterable[Any], ...]]]:
        """`cogroup` of any number of RDDs.

        >>> from tidemill.pyspark import SparkContext
        >>> with SparkContext("local[1]", "doc") as sc:
        ...     a, b, c = (sc.parallelize([("k", i)]) for i in range(3))
        ...     [(key, tuple(map(list, values))) for key, values in a.groupWith(b, c).collect()]
        [('k', ([0], [1], [2]))]
        """
        rdds = [self._as_rdd(), other._as_rdd(), *(rdd._as_rdd() for rdd in others)]
        if len(rdds) == 2:
            return self._as_rdd().cogroup(other)
        partitions = _default_partitions(rdds)
        route = Route(partitions, may_have_more=True)
        tagged: list[RDD[Any]] = [
            placed(rdd, route)._then(Step("groupWith", _ops.lift_partition, Tag(number)), True)
            for number, rdd in enumerate(rdds)
        ]
        united = tagged[0]
        for rdd in tagged[1:]:
            united = united.union(rdd)
        return united._then(Step("groupWith", _ops.lift_partition, CogroupTagged(len(rdds))), True)

    def intersection(self: Dataset[T], other: Dataset[T]) -> RDD[T]:
        """The records that both have, each once.

        >>> from tidemill.pyspark import SparkContext
        >>> with SparkContext("local[1]", "doc") as sc:
        ...     sorted(sc.parallelize([1, 10, 2, 3, 3]).intersection(sc.parallelize([1, 3, 7])).collect())
        [1, 3]
        """
        step = Step("intersection", _ops.lift_map, _with_none)
        common = _together(self._then(step), other._then(step), None, _intersected, "intersection")
        common.partitioner = None
        return common

    def subtract(self: Dataset[T], other: Dataset[T], numPartitions: int | None = None) -> RDD[T]:
        """The records that the other does not have; what stands here twice stays twice.

        >>> from tidemill.pyspark import SparkContext
        >>> with SparkContext("local[1]", "doc") as sc:
        ...     sorted(sc.parallelize([1, 1, 2, 3]).subtract(sc.parallelize([3])).collect())
        [1, 1, 2]
        """
        step = Step("subtract", _ops.lift_map, _with_none)
        left: RDD[tuple[Any, None]] = self._then(step)
        kept: RDD[Any] = left.subtractByKey(other._then(step), numPartitions).keys()
        return kept

    def subtractByKey(
        self: Dataset[tuple[K, V]], other: Dataset[tuple[K, Any]], numPartitions: int | None = None
    ) -> RDD[tuple[K, V]]:
        """The pairs whose keys the other does not have.

        >>> from tidemill.pyspark import SparkContext
        >>> with SparkContext("local[1]", "doc") as sc:
        ...     sorted(sc.parallelize([("a", 1), ("b", 4)]).subtractByKey(sc.parallelize([("a", 3)])).collect())
        [('b', 4)]
        """
        return _together(self, other, numPartitions, _subtracted, "subtractByKey")


def _default_partitions(rdds: list[RDD[Any]]) -> int:
    """How many partitions the union of these RDDs would be reduced to."""
    ctx = rdds[0].ctx
    if ctx._conf.contains("spark.default.parallelism"):
        return ctx.defaultParallelism
    return ctx.union(rdds).getNumPartitions()


def _together(
    left: Dataset[Any], right: Dataset[Any], partitions: int | None, finish: Callable[..., Any], label: str
) -> RDD[Any]:
    """What `finish(split, left, right)` makes of the pairs of both, brought to the same partitions."""
    ours, theirs = left._as_rdd(), right._as_rdd()
    width = _default_partitions([ours, theirs]) if partitions is None else partitions
    # Of records with more than two parts the first two count, as in PySpark.
    route = Route(width, may_have_more=True)
    made = placed(ours, route)._zipped(placed(theirs, route), finish, label)
    made.partitioner = Partitioner(width, portable_hash)
    return made
