"""Transformations that look at one record or one partition at a time, and those that only move partitions."""

from __future__ import annotations

import shlex
import subprocess
import threading
from collections.abc import Callable, Hashable, Iterable, Iterator
from dataclasses import dataclass
from itertools import chain, count
from typing import TYPE_CHECKING, Any, TypeVar

from tidemill.pyspark import _ops
from tidemill.pyspark._dataset import Dataset
from tidemill.pyspark._ops import Block, Records, Step
from tidemill.pyspark._partitioner import RoundRobin, portable_hash
from tidemill.pyspark.errors import PySparkValueError

if TYPE_CHECKING:
    from tidemill.pyspark._task import Source
    from tidemill.pyspark.rdd import RDD
    from tidemill.pyspark.resultiterable import ResultIterable

T = TypeVar("T")
U = TypeVar("U")
K = TypeVar("K", bound=Hashable)
T_co = TypeVar("T_co", covariant=True)


@dataclass(frozen=True)
class WithoutIndex:
    """A function of a partition's records, as one of its index and records."""

    function: Callable[[Any], Any]

    def __call__(self, split: int, records: Any) -> Any:
        return self.function(records)


def _keyed_by_none(record: Any) -> tuple[Any, None]:
    return record, None


def _keep_first(kept: Any, _: Any) -> Any:
    return kept


def _glom(split: int, records: Any) -> list[Block]:
    return [list(records)]


@dataclass(frozen=True)
class UniqueIds:
    """Numbers the records of partition k of n: k, k + n, k + 2n..."""

    partitions: int

    def __call__(self, split: int, records: Any) -> Iterable[Any]:
        return zip(records, count(split, self.partitions))


@dataclass(frozen=True)
class Indexes:
    """Numbers the records, each partition from its start on."""

    starts: list[int]

    def __call__(self, split: int, records: Any) -> Iterable[Any]:
        return zip(records, count(self.starts[split]))


def _zip_blocks(split: int, left: Source, right: Source) -> Iterable[Block]:
    return _ops.cut(_zip_records(iter(left.records()), iter(right.records())))


def _zip_records(left: Records, right: Records) -> Records:
    """Pairs; raises ValueError where one side has more records than the other."""
    missing = object()
    left_ended: list[bool] = []
    yield from zip(chain(left, _ops._mark(left_ended)), right)
    if not left_ended or next(right, missing) is not missing:
        raise PySparkValueError("Can only zip with RDD which has the same number of elements in each partition")


@dataclass(frozen=True)
class Pipe:
    """Writes records as lines to a program and gives the lines that it writes."""

    command: str
    env: dict[str, str]
    is_checked: bool

    def __call__(self, split: int, records: Any) -> Iterator[str]:
        with subprocess.Popen(
            shlex.split(self.command), env=self.env, stdin=subprocess.PIPE, stdout=subprocess.PIPE
        ) as process:
            failures: list[BaseException] = []
            records = list(records)  # which only the thread of the task may read
            writer = threading.Thread(target=self._write, args=(process, records, failures), name="pipe", daemon=True)
            writer.start()
            assert process.stdout is not None, "the output is a pipe"
            for line in process.stdout:
                yield line.rstrip(b"\n").decode("utf-8")
            writer.join()
        if failures:
            raise failures[0]
        if self.is_checked and process.returncode:
            raise RuntimeError(f'pipe: the command "{self.command}" ended with exit code {process.returncode}')

    @staticmethod
    def _write(process: subprocess.Popen[bytes], records: Any, failures: list[BaseException]) -> None:
        assert process.stdin is not None, "the input is a pipe"
        try:
            with process.stdin as stdin:
                for record in records:
                    stdin.write(str(record).rstrip("\n").encode("utf-8") + b"\n")
        except BrokenPipeError:
            pass  # the program has read what it wants
        except BaseException as error:
            failures.append(error)


class Transforms(Dataset[T_co]):
    """Methods of RDD that give another RDD without looking at keys."""

    def map(self, f: Callable[[T_co], U], preservesPartitioning: bool = False) -> RDD[U]:
        """`f` of each record.

        >>> from tidemill.pyspark import SparkContext
        >>> with SparkContext("local[1]", "doc") as sc:
        ...     sc.parallelize(["b", "a"]).map(lambda x: (x, 1)).collect()
        [('b', 1), ('a', 1)]
        """
        return self._then(Step("map", _ops.lift_map, f), preservesPartitioning)

    def flatMap(self, f: Callable[[T_co], Iterable[U]], preservesPartitioning: bool = False) -> RDD[U]:
        """All records that `f` gives of each record.

        >>> from tidemill.pyspark import SparkContext
        >>> with SparkContext("local[1]", "doc") as sc:
        ...     sc.parallelize(["a b", "c"]).flatMap(str.split).collect()
        ['a', 'b', 'c']
        """
        return self._then(Step("flatMap", _ops.lift_flat_map, f), preservesPartitioning)

    def filter(self: Dataset[T], f: Callable[[T], bool]) -> RDD[T]:
        """The records for which `f` is true.

        >>> from tidemill.pyspark import SparkContext
        >>> with SparkContext("local[1]", "doc") as sc:
        ...     sc.range(5).filter(lambda x: x % 2 == 0).collect()
        [0, 2, 4]
        """
        return self._then(Step("filter", _ops.lift_filter, f), True)

    def mapPartitions(
        self, f: Callable[[Iterable[T_co]], Iterable[U]], preservesPartitioning: bool = False
    ) -> RDD[U]:
        """The records that `f` gives of an iterator over each partition.

        >>> from tidemill.pyspark import SparkContext
        >>> with SparkContext("local[1]", "doc") as sc:
        ...     sc.parallelize([1, 2, 3, 4], 2).mapPartitions(lambda it: [sum(it)]).collect()
        [3, 7]
        """
        return self._then(Step("mapPartitions", _ops.lift_partition, WithoutIndex(f)), preservesPartitioning)

    def mapPartitionsWithIndex(
        self, f: Callable[[int, Iterable[T_co]], Iterable[U]], preservesPartitioning: bool = False
    ) -> RDD[U]:
        """The records that `f` gives of the index of each partition and an iterator over it.

        >>> from tidemill.pyspark import SparkContext
        >>> with SparkContext("local[1]", "doc") as sc:
        ...     sc.parallelize([1, 2, 3, 4], 2).mapPartitionsWithIndex(lambda i, it: [(i, sum(it))]).collect()
        [(0, 3), (1, 7)]
        """
        return self._then(Step("mapPartitionsWithIndex", _ops.lift_partition, f), preservesPartitioning)

    def mapPartitionsWithSplit(
        self, f: Callable[[int, Iterable[T_co]], Iterable[U]], preservesPartitioning: bool = False
    ) -> RDD[U]:
        """An old name of `mapPartitionsWithIndex`.

        >>> from tidemill.pyspark import SparkContext
        >>> with SparkContext("local[1]", "doc") as sc:
        ...     sc.parallelize([1, 2], 2).mapPartitionsWithSplit(lambda i, it: [i]).collect()
        [0, 1]
        """
        return self.mapPartitionsWithIndex(f, preservesPartitioning)

    def glom(self: Dataset[T]) -> RDD[list[T]]:
        """Each partition as one list.

        >>> from tidemill.pyspark import SparkContext
        >>> with SparkContext("local[1]", "doc") as sc:
        ...     sc.parallelize([1, 2, 3], 2).glom().collect()
        [[1], [2, 3]]
        """
        return self._then(Step("glom", _ops.lift_partition, _glom))

    def pipe(self, command: str, env: dict[str, str] | None = None, checkCode: bool = False) -> RDD[str]:
        """The lines that a program writes when it reads the records of a partition as lines.

        `env` is all of the program's environment: none by default. With `checkCode` an exit code other than 0 fails
        the job.

        >>> from tidemill.pyspark import SparkContext
        >>> with SparkContext("local[1]", "doc") as sc:
        ...     sc.parallelize(["1", "2", "", "3"]).pipe("cat").collect()
        ['1', '2', '', '3']
        """
        return self._then(Step("pipe", _ops.lift_partition, Pipe(command, dict(env or {}), checkCode)))

    def keyBy(self: Dataset[T], f: Callable[[T], K]) -> RDD[tuple[K, T]]:
        """Pairs of `f` of each record and the record.

        >>> from tidemill.pyspark import SparkContext
        >>> with SparkContext("local[1]", "doc") as sc:
        ...     sc.range(3).keyBy(lambda x: x * x).collect()
        [(0, 0), (1, 1), (4, 2)]
        """
        return self._then(Step("keyBy", _ops.lift_key_by, f))

    def groupBy(
        self: Dataset[T],
        f: Callable[[T], K],
        numPartitions: int | None = None,
        partitionFunc: Callable[[K], int] = portable_hash,
    ) -> RDD[tuple[K, ResultIterable[T]]]:
        """The records by what `f` gives of them.

        >>> from tidemill.pyspark import SparkContext
        >>> with SparkContext("local[1]", "doc") as sc:
        ...     grouped = sc.parallelize([1, 1, 2, 3]).groupBy(lambda x: x % 2)
        ...     sorted((key, list(values)) for key, values in grouped.collect())
        [(0, [2]), (1, [1, 1, 3])]
        """
        return self._as_rdd().keyBy(f).groupByKey(numPartitions, partitionFunc)

    def distinct(self: Dataset[T], numPartitions: int | None = None) -> RDD[T]:
        """Each record once.

        >>> from tidemill.pyspark import SparkContext
        >>> with SparkContext("local[1]", "doc") as sc:
        ...     sorted(sc.parallelize([1, 1, 2, 3]).distinct().collect())
        [1, 2, 3]
        """
        pairs: RDD[tuple[Any, Any]] = self._then(Step("distinct", _ops.lift_map, _keyed_by_none))
        kept: RDD[Any] = pairs.reduceByKey(_keep_first, numPartitions).keys()
        return kept

    def union(self: Dataset[T], other: Dataset[U]) -> RDD[T | U]:
        """The records of both: the partitions of this RDD, then those of the other.

        Two RDDs with the same partitioner give one with that partitioner, partition by partition.

        >>> from tidemill.pyspark import SparkContext
        >>> with SparkContext("local[1]", "doc") as sc:
        ...     sc.parallelize([1, 1]).union(sc.parallelize([1])).collect()
        [1, 1, 1]
        """
        united: RDD[Any] = self.ctx.union([self._as_rdd(), other._as_rdd()])
        if self.partitioner == other.partitioner:
            united.partitioner = self.partitioner
        return united

    def __add__(self: Dataset[T], other: Dataset[U]) -> RDD[T | U]:
        """`union`. Raises TypeError for anything but an RDD.

        >>> from tidemill.pyspark import SparkContext
        >>> with SparkContext("local[1]", "doc") as sc:
        ...     (sc.parallelize([1]) + sc.parallelize([2])).collect()
        [1, 2]
        """
        if not isinstance(other, Dataset):
            raise TypeError(f'only an RDD can be added to an RDD, not "{type(other).__name__}"')
        return self._as_rdd().union(other)

    def cartesian(self: Dataset[T], other: Dataset[U]) -> RDD[tuple[T, U]]:
        """Pairs of every record with every record of the other.

        >>> from tidemill.pyspark import SparkContext
        >>> with SparkContext("local[1]", "doc") as sc:
        ...     sc.parallelize([1, 2]).cartesian(sc.parallelize([3, 4])).collect()
        [(1, 3), (1, 4), (2, 3), (2, 4)]
        """
        ours, theirs = self._as_rdd(), other._as_rdd()
        return self._new(lambda: ours._native.cartesian(theirs._native), "CartesianRDD", other)

    def zip(self: Dataset[T], other: Dataset[U]) -> RDD[tuple[T, U]]:
        """Pairs of the first records, the second ones, and so on.

        Raises ValueError if the other has another number of partitions; a job over the result raises it where
        partitions have different numbers of records.

        >>> from tidemill.pyspark import SparkContext
        >>> with SparkContext("local[1]", "doc") as sc:
        ...     sc.range(3).zip(sc.range(10, 13)).collect()
        [(0, 10), (1, 11), (2, 12)]
        """
        if self.getNumPartitions() != other.getNumPartitions():
            raise ValueError("Can only zip with RDD which has the same number of partitions")
        return self._zipped(other, _zip_blocks, "zip")

    def zipWithIndex(self: Dataset[T]) -> RDD[tuple[T, int]]:
        """Pairs of each record and its number, in the order of the partitions. Runs a job if there are several.

        >>> from tidemill.pyspark import SparkContext
        >>> with SparkContext("local[1]", "doc") as sc:
        ...     sc.parallelize(["a", "b", "c"], 3).zipWithIndex().collect()
        [('a', 0), ('b', 1), ('c', 2)]
        """
        starts = [0]
        if self.getNumPartitions() > 1:
            for counted in self._as_rdd()._counts()[:-1]:
                starts.append(starts[-1] + counted)
        return self._then(Step("zipWithIndex", _ops.lift_partition, Indexes(starts)))

    def zipWithUniqueId(self: Dataset[T]) -> RDD[tuple[T, int]]:
        """Pairs of each record and a number that no other record has: k, k + n, ... in partition k of n. No job.

        >>> from tidemill.pyspark import SparkContext
        >>> with SparkContext("local[1]", "doc") as sc:
        ...     sc.parallelize(["a", "b", "c", "d", "e"], 3).zipWithUniqueId().collect()
        [('a', 0), ('b', 1), ('c', 4), ('d', 2), ('e', 5)]
        """
        return self._then(Step("zipWithUniqueId", _ops.lift_partition, UniqueIds(self.getNumPartitions())))

    def coalesce(self: Dataset[T], numPartitions: int, shuffle: bool = False) -> RDD[T]:
        """At most so many partitions, of neighbouring ones put together; with `shuffle` exactly so many.

        Raises ValueError if that is less than one.

        >>> from tidemill.pyspark import SparkContext
        >>> with SparkContext("local[1]", "doc") as sc:
        ...     sc.parallelize([1, 2, 3, 4, 5], 3).coalesce(1).glom().collect()
        [[1, 2, 3, 4, 5]]
        """
        if numPartitions <= 0:
            raise ValueError(f'the number of partitions must be positive, not "{numPartitions}"')
        if shuffle:
            return self._shuffled(numPartitions, RoundRobin(numPartitions), "repartition")
        ours = self._as_rdd()
        return self._new(lambda: ours._native.coalesce(numPartitions), "CoalescedRDD")

    def repartition(self: Dataset[T], numPartitions: int) -> RDD[T]:
        """So many partitions; records are dealt out in batches of ten, as PySpark does.

        >>> from tidemill.pyspark import SparkContext
        >>> with SparkContext("local[1]", "doc") as sc:
        ...     sc.range(25, numSlices=2).repartition(4).getNumPartitions()
        4
        """
        return self._as_rdd().coalesce(numPartitions, shuffle=True)

