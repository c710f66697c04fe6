"""Actions: what runs a job and gives its result to the driver."""

from __future__ import annotations

import functools
import heapq
from collections import Counter, defaultdict, deque
from collections.abc import Callable, Iterable, Iterator
from copy import deepcopy
from dataclasses import dataclass
from itertools import chain, islice
from math import ceil
from typing import TYPE_CHECKING, Any, TypeVar

from tidemill.pyspark import _ops
from tidemill.pyspark._dataset import Dataset
from tidemill.pyspark._ops import Block, Step
from tidemill.pyspark._task import to_list

if TYPE_CHECKING:
    from tidemill.pyspark.rdd import RDD

T = TypeVar("T")
U = TypeVar("U")
K = TypeVar("K")
V = TypeVar("V")
T_co = TypeVar("T_co", covariant=True)

_NOTHING: Any = object()


def _count(blocks: Iterable[Block]) -> int:
    return sum(map(len, blocks))


@dataclass(frozen=True)
class Reduce:
    """A partition's records put together by `function`; a list of that, or an empty list of none."""

    function: Callable[[Any, Any], Any]

    def __call__(self, split: int, records: Any) -> Block:
        records = iter(records)
        for start in records:
            return [functools.reduce(self.function, records, start)]
        return []


@dataclass(frozen=True)
class Fold:
    """A partition's records put together by `function`, from its own copy of `zero` on."""

    function: Callable[[Any, Any], Any]
    zero: Any

    def __call__(self, split: int, records: Any) -> Any:
        return functools.reduce(self.function, records, deepcopy(self.zero))


@dataclass(frozen=True)
class FoldIntoRecord(Fold):
    """The same, as the only record of a partition."""

    def __call__(self, split: int, records: Any) -> Block:
        return [super().__call__(split, records)]


@dataclass(frozen=True)
class Extreme:
    """The largest or smallest record of a partition, as `choose` finds it, in a list; an empty list of none."""

    choose: Callable[..., Any]
    key: Callable[[Any], Any] | None

    def __call__(self, split: int, records: Any) -> Block:
        found = self.choose(records, key=self.key, default=_NOTHING)
        return [] if found is _NOTHING else [found]


@dataclass(frozen=True)
class Best:
    """The `number` first records of a partition in an order, as `choose` finds them."""

    choose: Callable[..., Block]
    number: int
    key: Callable[[Any], Any] | None

    def __call__(self, split: int, records: Any) -> Block:
        return self.choose(self.number, records, key=self.key)


@dataclass(frozen=True)
class Take:
    """The first records of a partition."""

    number: int

    def __call__(self, split: int, records: Any) -> Block:
        return list(islice(records, self.number))


@dataclass(frozen=True)
class Call:
    """Calls `function` with the records of a partition, and goes through what it gives."""

    function: Callable[[Any], Any]

    def __call__(self, split: int, records: Any) -> None:
        deque(self.function(iter(records)), maxlen=0)


def _drain(split: int, records: Any) -> None:
    deque(records, maxlen=0)


@dataclass(frozen=True)
class TreeKeys:
    """Keys the results of partitions for the next level of a tree."""

    width: int

    def __call__(self, split: int, records: Any) -> Iterable[tuple[int, Any]]:
        return [(split % self.width, record) for record in records]


def _merged_counts(partitions: list[Counter[Any]]) -> dict[Any, int]:
    counts: dict[Any, int] = defaultdict(int)
    for partition in partitions:
        for value, number in partition.items():
            counts[value] += number
    return counts


def _counter(split: int, records: Any) -> Counter[Any]:
    return Counter(records)


def _pair_with_false(record: Any) -> tuple[Any, bool]:
    return record, False


class Actions(Dataset[T_co]):
    """Methods of RDD that run a job."""

    def collect(self: Dataset[T]) -> list[T]:
        """All records, in the order of the partitions.

        >>> from tidemill.pyspark import SparkContext
        >>> with SparkContext("local[1]", "doc") as sc:
        ...     sc.range(3).collect()
        [0, 1, 2]
        """
        return list(chain.from_iterable(self._run(to_list)))

    def collectWithJobGroup(
        self: Dataset[T], groupId: str, description: str, interruptOnCancel: bool = False
    ) -> list[T]:
        """`collect` in a job group of its own; an old way to say `SparkContext.setJobGroup`.

        >>> from tidemill.pyspark import SparkContext
        >>> with SparkContext("local[1]", "doc") as sc:
        ...     sc.range(3).collectWithJobGroup("numbers", "all of them")
        [0, 1, 2]
        """
        with self.ctx._in_job_group(groupId, description):
            return self._as_rdd().collect()

    def toLocalIterator(self: Dataset[T], prefetchPartitions: bool = False) -> Iterator[T]:
        """The records one after another; a partition is computed when its first record is asked for.

        `prefetchPartitions` is accepted and changes nothing.

        >>> from tidemill.pyspark import SparkContext
        >>> with SparkContext("local[1]", "doc") as sc:
        ...     [x for x in sc.range(3).toLocalIterator()]
        [0, 1, 2]
        """
        partitions = range(self.getNumPartitions())
        return chain.from_iterable(self._run(to_list, [partition])[0] for partition in partitions)

    def count(self) -> int:
        """How many records there are.

        >>> from tidemill.pyspark import SparkContext
        >>> with SparkContext("local[1]", "doc") as sc:
        ...     sc.parallelize([2, 3, 4]).count()
        3
        """
        return sum(self._counts())

    def _counts(self) -> list[int]:
        """How many records each partition has."""
        return self._run_blocks(_count)

    def isEmpty(self) -> bool:
        """Whether there is no record.

        >>> from tidemill.pyspark import SparkContext
        >>> with SparkContext("local[1]", "doc") as sc:
        ...     sc.emptyRDD().isEmpty(), sc.range(1).isEmpty()
        (True, False)
        """
        return not self.take(1)

    def take(self: Dataset[T], num: int) -> list[T]:
        """The first records, at most `num`.

        Looks into one partition first, then into more at a time, until there are enough.

        >>> from tidemill.pyspark import SparkContext
        >>> with SparkContext("local[1]", "doc") as sc:
        ...     sc.range(100, numSlices=10).take(3)
        [0, 1, 2]
        """
        taken: list[T] = []
        total, scanned = self.getNumPartitions(), 0
        while len(taken) < num and scanned < total:
            more = 1
            if scanned and not taken:
                more = scanned * 4
            elif scanned:
                more = min(max(int(1.5 * num * scanned / len(taken)) - scanned, 1), scanned * 4)
            chosen = range(scanned, min(scanned + more, total))
            for found in self._run(Take(num - len(taken)), chosen):
                taken += found
            scanned += more
        return taken[:num]

    def first(self: Dataset[T]) -> T:
        """The first record. Raises ValueError if there is none.

        >>> from tidemill.pyspark import SparkContext
        >>> with SparkContext("local[1]", "doc") as sc:
        ...     sc.parallelize([2, 3, 4]).first()
        2
        """
        for record in self._as_rdd().take(1):
            return record
        raise ValueError("RDD is empty")

    def foreach(self, f: Callable[[T_co], Any]) -> None:
        """Calls `f` with each record, in tasks.

        >>> from tidemill.pyspark import SparkContext
        >>> with SparkContext("local[1]", "doc") as sc:
        ...     total = sc.accumulator(0)
        ...     sc.range(4).foreach(total.add)
        ...     total.value
        6
        """
        self._then(Step("foreach", _ops.lift_map, f))._run(_drain)

    def foreachPartition(self, f: Callable[[Iterator[T_co]], Any]) -> None:
        """Calls `f` with an iterator over each partition; goes through what it gives, if that is iterable.

        >>> from tidemill.pyspark import SparkContext
        >>> with SparkContext("local[1]", "doc") as sc:
        ...     sums = sc.accumulator(0)
        ...     sc.range(4, numSlices=2).foreachPartition(lambda it: sums.add(sum(it)))
        ...     sums.value
        6
        """
        self._run(Call(_tolerant(f)))

    def reduce(self: Dataset[T], f: Callable[[T, T], T]) -> T:
        """All records put together by `f`, which must be associative and commutative. Raises ValueError of none.

        >>> from operator import add
        >>> from tidemill.pyspark import SparkContext
        >>> with SparkContext("local[1]", "doc") as sc:
        ...     sc.parallelize([1, 2, 3, 4, 5]).reduce(add)
        15
        """
        reduced: list[T] = list(chain.from_iterable(self._run(Reduce(f))))
        if not reduced:
            raise ValueError("Can not reduce() empty RDD")
        return functools.reduce(f, reduced)

    def treeReduce(self: Dataset[T], f: Callable[[T, T], T], depth: int = 2) -> T:
        """`reduce` in several levels, so that the driver has less to do. Raises ValueError if `depth` is below 1.

        >>> from tidemill.pyspark import SparkContext
        >>> with SparkContext("local[1]", "doc") as sc:
        ...     sc.range(10, numSlices=5).treeReduce(lambda a, b: a + b)
        45
        """
        _check_depth(depth)

        def combine(x: Any, y: Any) -> Any:
            if x[1]:
                return y
            return x if y[1] else (f(x[0], y[0]), False)

        marked: RDD[Any] = self._then(Step("treeReduce", _ops.lift_map, _pair_with_false))
        result: Any
        result, is_empty = marked.treeAggregate((None, True), combine, combine, depth)
        if is_empty:
            raise ValueError("Cannot reduce empty RDD.")
        reduced: T = result
        return reduced

    def fold(self: Dataset[T], zeroValue: T, op: Callable[[T, T], T]) -> T:
        """`op` over the zero value and all records; the zero value counts once per partition and once at the end.

        >>> from operator import add
        >>> from tidemill.pyspark import SparkContext
        >>> with SparkContext("local[1]", "doc") as sc:
        ...     sc.parallelize([1, 2, 3], 3).fold(1, add)
        10
        """
        return functools.reduce(op, self._run(Fold(op, zeroValue)), zeroValue)

    def aggregate(self, zeroValue: U, seqOp: Callable[[U, T_co], U], combOp: Callable[[U, U], U]) -> U:
        """`seqOp` over the zero value and the records of each partition, and `combOp` over the zero value and those.

        >>> from tidemill.pyspark import SparkContext
        >>> with SparkContext("local[1]", "doc") as sc:
        ...     sc.range(4).aggregate((0, 0), lambda a, x: (a[0] + x, a[1] + 1), lambda a, b: (a[0] + b[0], a[1] + b[1]))
        (6, 4)
        """
        return functools.reduce(combOp, self._run(Fold(seqOp, zeroValue)), zeroValue)

    def treeAggregate(
        self, zeroValue: U, seqOp: Callable[[U, T_co], U], combOp: Callable[[U, U], U], depth: int = 2
    ) -> U:
        """`aggregate` in several levels; the zero value counts once per partition only.

        Raises ValueError if `depth` is below 1.

        >>> from operator import add
        >>> from tidemill.pyspark import SparkContext
        >>> with SparkContext("local[1]", "doc") as sc:
        ...     sc.range(10, numSlices=5).treeAggregate(0, add, add)
        45
        """
        _check_depth(depth)
        left: float = self.getNumPartitions()
        if left == 0:
            return zeroValue
        scale = max(int(ceil(pow(left, 1.0 / depth))), 2)
        partial: RDD[Any] = self._then(Step("treeAggregate", _ops.lift_partition, FoldIntoRecord(seqOp, zeroValue)))
        while left > scale + left / scale:
            left /= scale
            width = int(left)
            keyed: RDD[Any] = partial.mapPartitionsWithIndex(TreeKeys(width))
            partial = keyed.reduceByKey(combOp, width).values()
        result: U = partial.reduce(combOp)
        return result

    def max(self: Dataset[T], key: Callable[[T], Any] | None = None) -> T:
        """The largest record, by `key` if given. Raises ValueError of none.

        >>> from tidemill.pyspark import SparkContext
        >>> with SparkContext("local[1]", "doc") as sc:
        ...     sc.parallelize([1.0, 5.0, 43.0, 10.0]).max(key=str)
        5.0
        """
        return _extreme(self, max, key)

    def min(self: Dataset[T], key: Callable[[T], Any] | None = None) -> T:
        """The smallest record, by `key` if given. Raises ValueError of none.

        >>> from tidemill.pyspark import SparkContext
        >>> with SparkContext("local[1]", "doc") as sc:
        ...     sc.parallelize([2.0, 5.0, 43.0, 10.0]).min()
        2.0
        """
        return _extreme(self, min, key)

    def top(self: Dataset[T], num: int, key: Callable[[T], Any] | None = None) -> list[T]:
        """The `num` largest records, largest first, by `key` if given. Raises ValueError if there is no partition.

        >>> from tidemill.pyspark import SparkContext
        >>> with SparkContext("local[1]", "doc") as sc:
        ...     sc.parallelize([10, 4, 2, 12, 3], 2).top(3)
        [12, 10, 4]
        """
        found = self._run(Best(heapq.nlargest, num, key))
        if not found:
            raise ValueError("Can not reduce() empty RDD")
        return _merged_best(heapq.nlargest, num, key, found)

    def takeOrdered(self: Dataset[T], num: int, key: Callable[[T], Any] | None = None) -> list[T]:
        """The `num` smallest records, smallest first, by `key` if given. Raises ValueError if `num` is negative.

        >>> from tidemill.pyspark import SparkContext
        >>> with SparkContext("local[1]", "doc") as sc:
        ...     sc.parallelize([10, 1, 2, 9, 3], 2).takeOrdered(3)
        [1, 2, 3]
        """
        if num < 0:
            raise ValueError("top N cannot be negative.")
        if num == 0 or self.getNumPartitions() == 0:
            return []
        found = self._run(Best(heapq.nsmallest, num, key))
        return _merged_best(heapq.nsmallest, num, key, found)

    def countByValue(self: Dataset[K]) -> dict[K, int]:
        """How often there is each record, on the driver. Raises ValueError if there is no partition.

        >>> from tidemill.pyspark import SparkContext
        >>> with SparkContext("local[1]", "doc") as sc:
        ...     sorted(sc.parallelize([1, 2, 1, 2, 2], 2).countByValue().items())
        [(1, 2), (2, 3)]
        """
        counted = self._run(_counter)
        if not counted:
            raise ValueError("Can not reduce() empty RDD")
        return _merged_counts(counted)

    def countByKey(self: Dataset[tuple[K, V]]) -> dict[K, int]:
        """How many pairs there are of each key, on the driver. Raises ValueError if there is no partition.

        >>> from tidemill.pyspark import SparkContext
        >>> with SparkContext("local[1]", "doc") as sc:
        ...     sorted(sc.parallelize([("a", 1), ("b", 1), ("a", 1)]).countByKey().items())
        [('a', 2), ('b', 1)]
        """
        return self._as_rdd().keys().countByValue()


def _check_depth(depth: int) -> None:
    if depth < 1:
        raise ValueError(f"Depth cannot be smaller than 1 but got {depth}.")


def _extreme(rdd: Dataset[T], choose: Any, key: Callable[[T], Any] | None) -> T:
    found: list[T] = list(chain.from_iterable(rdd._run(Extreme(choose, key))))
    if not found:
        raise ValueError("Can not reduce() empty RDD")
    best: T = choose(found, key=key)
    return best


def _merged_best(choose: Any, number: int, key: Any, found: list[Block]) -> Block:
    best = found[0]
    for more in found[1:]:
        best = choose(number, best + more, key=key)
    return best


def _tolerant(f: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """`f`, of whose result anything that is not iterable is dropped."""

    def call(records: Any) -> Iterable[Any]:
        result = f(records)
        try:
            iterator: Iterable[Any] = iter(result)
            return iterator
        except TypeError:
            return ()

    return call

