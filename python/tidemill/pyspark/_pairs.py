"""Methods of RDDs of pairs: what is said of a key's values."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable
from copy import deepcopy
from dataclasses import dataclass
from itertools import chain
from typing import TYPE_CHECKING, Any, TypeVar

from tidemill import _native
from tidemill.pyspark import _known, _ops
from tidemill.pyspark._dataset import Dataset
from tidemill.pyspark._ops import Block, Step
from tidemill.pyspark._partitioner import Partitioner, Route, portable_hash
from tidemill.pyspark.resultiterable import ResultIterable

if TYPE_CHECKING:
    from tidemill.pyspark._task import Source
    from tidemill.pyspark.rdd import RDD

T_co = TypeVar("T_co", covariant=True)
K = TypeVar("K", bound=Hashable)
V = TypeVar("V")
U = TypeVar("U")
C = TypeVar("C")

Merge = Callable[[Any, Any], Any]


def identity(x: Any) -> Any:
    return x


@dataclass(frozen=True)
class Combine:
    """Combines the values of each key in a partition: pairs of keys, in the order in which they came, and results."""

    create: Callable[[Any], Any] | None
    merge: Merge | str

    def __call__(self, source: Source) -> Iterable[Any]:
        words = _known.words(source.plan.steps) if self.merge == "add" and self.create is None else None
        if words is None:
            return _native.combine_pairs(iter(source.blocks()), self.create, self.merge).items()
        before, known = source.plan.parted(words.steps)
        blocks = iter(before.through(source.split, source.raw))
        separator = None if words.split is None else words.split.separator
        sums, rest = _native.sum_words(blocks, words.number, words.split is not None, separator)
        if rest is not None:
            pairs = known.through(source.split, chain([rest], blocks))
            sums = _native.combine_pairs(iter(pairs), None, self.merge, sums)
        return sums.items()


@dataclass(frozen=True)
class CombineBlocks:
    """`Combine`, into blocks."""

    combine: Combine

    def __call__(self, split: int, source: Source) -> Iterable[Block]:
        return _ops.cut(list(self.combine(source)))


def placed(rdd: RDD[Any], route: Route) -> RDD[Any]:
    """The pairs where the route places them; the RDD itself if that is where they are."""
    partitioner = Partitioner(route.partitions, route.function)
    if rdd.partitioner == partitioner:
        return rdd
    moved = rdd._shuffled(route.partitions, route, "partitionBy")
    moved.partitioner = partitioner
    return moved


def grouped(pairs_in_blocks: Iterable[Block]) -> dict[Any, Block]:
    """The values of each key, in order."""
    groups: dict[Any, Block] = {}
    for block in pairs_in_blocks:
        for key, value in block:
            if key in groups:
                groups[key].append(value)
            else:
                groups[key] = [value]
    return groups


def _grouped_blocks(split: int, source: Source) -> Iterable[Block]:
    groups = grouped(source.blocks())
    return _ops.cut(list(zip(groups, map(ResultIterable, groups.values()))))


@dataclass(frozen=True)
class FromZero:
    """Starts a key: `function` of a copy of the zero value and the key's first value."""

    function: Callable[[Any, Any], Any]
    zero: Any

    def __call__(self, value: Any) -> Any:
        return self.function(deepcopy(self.zero), value)


@dataclass(frozen=True)
class HasKey:
    """Whether a pair has this key."""

    key: Any

    def __call__(self, pair: Any) -> bool:
        return bool(pair[0] == self.key)


@dataclass(frozen=True)
class ReduceLocally:
    """The values of each key put together, as a dict of the partition."""

    merge: Merge | str

    def __call__(self, blocks: Iterable[Block]) -> dict[Any, Any]:
        return _native.combine_pairs(iter(blocks), None, self.merge)


class Pairs(Dataset[T_co]):
    """Methods of RDD for records that are pairs of a key and a value."""

    def keys(self: Dataset[tuple[K, V]]) -> RDD[K]:
        """The keys.

        >>> from tidemill.pyspark import SparkContext
        >>> with SparkContext("local[1]", "doc") as sc:
        ...     sc.parallelize([(1, 2), (3, 4)]).keys().collect()
        [1, 3]
        """
        return self._then(Step("keys", _ops.lift_map, _ops.first))

    def values(self: Dataset[tuple[K, V]]) -> RDD[V]:
        """The values.

        >>> from tidemill.pyspark import SparkContext
        >>> with SparkContext("local[1]", "doc") as sc:
        ...     sc.parallelize([(1, 2), (3, 4)]).values().collect()
        [2, 4]
        """
        return self._then(Step("values", _ops.lift_map, _ops.second))

    def mapValues(self: Dataset[tuple[K, V]], f: Callable[[V], U]) -> RDD[tuple[K, U]]:
        """Pairs of each key and `f` of its value; keys stay where they are.

        >>> from tidemill.pyspark import SparkContext
        >>> with SparkContext("local[1]", "doc") as sc:
        ...     sc.parallelize([("a", ["x", "y"]), ("b", ["z"])]).mapValues(len).collect()
        [('a', 2), ('b', 1)]
        """
        return self._then(Step("mapValues", _ops.lift_map_values, f), True)

    def flatMapValues(self: Dataset[tuple[K, V]], f: Callable[[V], Iterable[U]]) -> RDD[tuple[K, U]]:
        """Pairs of each key and all that `f` gives of its value; keys stay where they are.

        >>> from tidemill.pyspark import SparkContext
        >>> with SparkContext("local[1]", "doc") as sc:
        ...     sc.parallelize([("a", ["x", "y"]), ("b", [])]).flatMapValues(lambda v: v).collect()
        [('a', 'x'), ('a', 'y')]
        """
        return self._then(Step("flatMapValues", _ops.lift_flat_map_values, f), True)

    def collectAsMap(self: Dataset[tuple[K, V]]) -> dict[K, V]:
        """All pairs as a dict; of several values of a key the last one stays.

        >>> from tidemill.pyspark import SparkContext
        >>> with SparkContext("local[1]", "doc") as sc:
        ...     sc.parallelize([(1, 2), (3, 4)]).collectAsMap()
        {1: 2, 3: 4}
        """
        return dict(self._as_rdd().collect())

    def lookup(self: Dataset[tuple[K, V]], key: K) -> list[V]:
        """The values of a key. Only its partition is computed where a partitioner says which that is.

        >>> from tidemill.pyspark import SparkContext
        >>> with SparkContext("local[1]", "doc") as sc:
        ...     sc.parallelize([("a", 1), ("b", 2), ("a", 3)]).lookup("a")
        [1, 3]
        """
        values = self._as_rdd().filter(HasKey(key)).values()
        if self.partitioner is not None:
            return self.ctx.runJob(values, identity, [self.partitioner(key)])
        return values.collect()

    def _default_partitions(self) -> int:
        """Over how many partitions keys are spread if nothing else is said."""
        if self.ctx._conf.contains("spark.default.parallelism"):
            return self.ctx.defaultParallelism
        return self.getNumPartitions()

    def _defaultReducePartitions(self) -> int:
        return self._default_partitions()

    def partitionBy(
        self: Dataset[tuple[K, V]],
        numPartitions: int | None,
        partitionFunc: Callable[[K], int] = portable_hash,
    ) -> RDD[tuple[K, V]]:
        """Pairs in the partition that `partitionFunc(key) % numPartitions` says.

        Gives this RDD itself if it is partitioned so already. `None` takes the default number of partitions.

        >>> from tidemill.pyspark import SparkContext
        >>> with SparkContext("local[1]", "doc") as sc:
        ...     sc.parallelize([(1, "a"), (2, "b"), (3, "c")]).partitionBy(2).glom().collect()
        [[(2, 'b')], [(1, 'a'), (3, 'c')]]
        """
        ours = self._as_rdd()
        partitions = ours._default_partitions() if numPartitions is None else numPartitions
        return placed(ours, Route(partitions, partitionFunc))

    def combineByKey(
        self: Dataset[tuple[K, V]],
        createCombiner: Callable[[V], U],
        mergeValue: Callable[[U, V], U],
        mergeCombiners: Callable[[U, U], U],
        numPartitions: int | None = None,
        partitionFunc: Callable[[K], int] = portable_hash,
    ) -> RDD[tuple[K, U]]:
        """For each key: `createCombiner` of its first value in a partition, `mergeValue` of that and each further
        value, and `mergeCombiners` of what the partitions have.

        >>> from tidemill.pyspark import SparkContext
        >>> with SparkContext("local[1]", "doc") as sc:
        ...     pairs = sc.parallelize([("a", 1), ("b", 1), ("a", 2)])
        ...     lists = pairs.combineByKey(lambda v: [v], lambda l, v: l + [v], lambda a, b: a + b)
        ...     sorted(lists.collect())
        [('a', [1, 2]), ('b', [1])]
        """
        ours: RDD[Any] = self._as_rdd()
        first = Combine(createCombiner, _known.merge(mergeValue))
        return _combined(ours, first, _known.merge(mergeCombiners), numPartitions, partitionFunc)

    def reduceByKey(
        self: Dataset[tuple[K, V]],
        func: Callable[[V, V], V],
        numPartitions: int | None = None,
        partitionFunc: Callable[[K], int] = portable_hash,
    ) -> RDD[tuple[K, V]]:
        """The values of each key put together by `func`, which must be associative and commutative.

        >>> from operator import add
        >>> from tidemill.pyspark import SparkContext
        >>> with SparkContext("local[1]", "doc") as sc:
        ...     sorted(sc.parallelize([("a", 1), ("b", 1), ("a", 1)]).reduceByKey(add).collect())
        [('a', 2), ('b', 1)]
        """
        merge = _known.merge(func)
        return _combined(self._as_rdd(), Combine(None, merge), merge, numPartitions, partitionFunc)

    def aggregateByKey(
        self: Dataset[tuple[K, V]],
        zeroValue: U,
        seqFunc: Callable[[U, V], U],
        combFunc: Callable[[U, U], U],
        numPartitions: int | None = None,
        partitionFunc: Callable[[K], int] = portable_hash,
    ) -> RDD[tuple[K, U]]:
        """For each key: `seqFunc` over a copy of the zero value and its values in each partition, and `combFunc`
        of what the partitions have.

        >>> from tidemill.pyspark import SparkContext
        >>> with SparkContext("local[1]", "doc") as sc:
        ...     pairs = sc.parallelize([("a", 1), ("b", 1), ("a", 2)])
        ...     counted = pairs.aggregateByKey(0, lambda n, v: n + 1, lambda a, b: a + b)
        ...     sorted(counted.collect())
        [('a', 2), ('b', 1)]
        """
        return self._as_rdd().combineByKey(
            FromZero(seqFunc, zeroValue), seqFunc, combFunc, numPartitions, partitionFunc
        )

    def foldByKey(
        self: Dataset[tuple[K, V]],
        zeroValue: V,
        func: Callable[[V, V], V],
        numPartitions: int | None = None,
        partitionFunc: Callable[[K], int] = portable_hash,
    ) -> RDD[tuple[K, V]]:
        """For each key `func` over a copy of the zero value, once in each partition, and its values.

        >>> from operator import add
        >>> from tidemill.pyspark import SparkContext
        >>> with SparkContext("local[1]", "doc") as sc:
        ...     sc.parallelize([("a", 1), ("a", 2)], 2).foldByKey(10, add).collect()
        [('a', 23)]
        """
        return self._as_rdd().combineByKey(FromZero(func, zeroValue), func, func, numPartitions, partitionFunc)

    def groupByKey(
        self: Dataset[tuple[K, V]],
        numPartitions: int | None = None,
        partitionFunc: Callable[[K], int] = portable_hash,
    ) -> RDD[tuple[K, ResultIterable[V]]]:
        """Pairs of each key and all its values. To put values together, `reduceByKey` moves less.

        >>> from tidemill.pyspark import SparkContext
        >>> with SparkContext("local[1]", "doc") as sc:
        ...     grouped = sc.parallelize([("a", 1), ("b", 1), ("a", 2)]).groupByKey()
        ...     sorted((key, list(values)) for key, values in grouped.collect())
        [('a', [1, 2]), ('b', [1])]
        """
        placed = self._as_rdd().partitionBy(numPartitions, partitionFunc)
        return _finished(placed, _grouped_blocks, "groupByKey")

    def reduceByKeyLocally(self: Dataset[tuple[K, V]], func: Callable[[V, V], V]) -> dict[K, V]:
        """`reduceByKey` with the result as a dict on the driver. Raises ValueError if there is no partition.

        >>> from operator import add
        >>> from tidemill.pyspark import SparkContext
        >>> with SparkContext("local[1]", "doc") as sc:
        ...     sorted(sc.parallelize([("a", 1), ("b", 1), ("a", 1)]).reduceByKeyLocally(add).items())
        [('a', 2), ('b', 1)]
        """
        merge = _known.merge(func)
        found = self._run_blocks(ReduceLocally(merge))
        if not found:
            raise ValueError("Can not reduce() empty RDD")
        return _native.combine_pairs(iter([list(part.items()) for part in found]), None, merge)


def _finished(placed: RDD[Any], finish: Callable[..., Any], label: str) -> RDD[Any]:
    """What `finish(split, source)` makes of pairs in their places; they stay there."""
    made = placed._new(lambda: placed._mapped(*placed._reading(), finish), label)
    made.partitioner = placed.partitioner
    return made


def _combined(
    pairs: RDD[Any],
    first: Combine,
    merge: Merge | str,
    numPartitions: int | None,
    partitionFunc: Callable[[Any], int],
) -> RDD[Any]:
    """Combines in each partition, moves, and combines again; does it once where the pairs are in place."""
    partitions = pairs._default_partitions() if numPartitions is None else numPartitions
    partitioner = Partitioner(partitions, partitionFunc)
    if pairs.partitioner == partitioner:
        return _finished(pairs, CombineBlocks(first), "combineByKey")
    route = Route(partitions, partitionFunc, first)
    moved = pairs._shuffled(partitions, route, "combineByKey")
    moved.partitioner = partitioner
    return _finished(moved, CombineBlocks(Combine(None, merge)), "combineByKey")
