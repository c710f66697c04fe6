"""The RDD: a dataset cut into partitions, with all methods of PySpark's."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from tidemill import _native
from tidemill.pyspark._actions import Actions
from tidemill.pyspark._approximate import BoundedFloat
from tidemill.pyspark._joins import Joins
from tidemill.pyspark._numeric import Numeric
from tidemill.pyspark._ops import Step, lift_partition
from tidemill.pyspark._pairs import Pairs
from tidemill.pyspark._partitioner import Partitioner, portable_hash
from tidemill.pyspark._sampling import Sampling
from tidemill.pyspark._saving import Saving
from tidemill.pyspark._sorting import Sorting
from tidemill.pyspark._transforms import Transforms, WithoutIndex
from tidemill.pyspark.serializers import AutoBatchedSerializer, CloudPickleSerializer, Serializer

if TYPE_CHECKING:
    from tidemill.pyspark.context import SparkContext
    from tidemill.pyspark.resource import ResourceProfile

T_co = TypeVar("T_co", covariant=True)
U = TypeVar("U")

__all__ = ["RDD"]

_MADE_BY = {
    "BinaryFileRDD": "binaryFiles",
    "BinaryRecordsRDD": "binaryRecords",
    "CartesianRDD": "cartesian",
    "CoalescedRDD": "coalesce",
    "EmptyRDD": "emptyRDD",
    "MapPartitionsRDD": "textFile",
    "ParallelCollectionRDD": "parallelize",
    "UnionRDD": "union",
    "WholeTextFileRDD": "wholeTextFiles",
}

for _moved in (BoundedFloat, Partitioner, portable_hash):
    _moved.__module__ = __name__


class RDD(
    Transforms[T_co],
    Actions[T_co],
    Pairs[T_co],
    Joins[T_co],
    Numeric[T_co],
    Sorting[T_co],
    Sampling[T_co],
    Saving[T_co],
):
    """A dataset cut into partitions. Made by a SparkContext or of another RDD; nothing is computed before an action.

    >>> from tidemill.pyspark import SparkContext
    >>> with SparkContext("local[1]", "doc") as sc:
    ...     words = sc.parallelize(["to be or", "not to be"], 2).flatMap(str.split)
    ...     sorted(words.map(lambda word: (word, 1)).reduceByKey(lambda a, b: a + b).collect())
    [('be', 2), ('not', 1), ('or', 1), ('to', 2)]
    """

    def __init__(
        self,
        jrdd: _native.Rdd,
        ctx: SparkContext,
        jrdd_deserializer: Serializer = AutoBatchedSerializer(CloudPickleSerializer()),
    ) -> None:
        self._begin(ctx, "RDD")
        self._source = jrdd

    @classmethod
    def _of(
        cls,
        source: _native.Rdd | Callable[[], _native.Rdd],
        ctx: SparkContext,
        label: str,
        is_frozen: bool = False,
    ) -> RDD[Any]:
        made: RDD[Any] = RDD.__new__(RDD)
        made._begin(ctx, label)
        made._source, made._is_frozen = source, is_frozen
        return made

    def id(self) -> int:
        """A number that no other RDD of the context has.

        >>> from tidemill.pyspark import SparkContext
        >>> with SparkContext("local[1]", "doc") as sc:
        ...     sc.range(1).id() != sc.range(1).id()
        True
        """
        return self._id

    @property
    def context(self) -> SparkContext:
        """The context that it was made in.

        >>> from tidemill.pyspark import SparkContext
        >>> with SparkContext("local[1]", "doc") as sc:
        ...     sc.range(1).context is sc
        True
        """
        return self.ctx

    def name(self) -> str | None:
        """The name given with `setName`, or None.

        >>> from tidemill.pyspark import SparkContext
        >>> with SparkContext("local[1]", "doc") as sc:
        ...     sc.range(1).setName("one").name()
        'one'
        """
        return self._name

    def setName(self, name: str) -> RDD[T_co]:
        """Gives it a name that shows in `repr`; gives this RDD.

        >>> from tidemill.pyspark import SparkContext
        >>> with SparkContext("local[1]", "doc") as sc:
        ...     repr(sc.parallelize([1]).setName("one")).split("[")[0]
        'one ParallelCollectionRDD'
        """
        self._name = name
        return self

    def __repr__(self) -> str:
        name = f"{self._name} " if self._name else ""
        kind = self._label if self._label.endswith("RDD") else "PythonRDD"
        return f"{name}{kind}[{self._id}] at {_MADE_BY.get(kind.rsplit(' ', 1)[-1], self._label)}"

    def toDebugString(self) -> bytes:
        """What this RDD is made of, a line for each RDD.

        >>> from tidemill.pyspark import SparkContext
        >>> with SparkContext("local[1]", "doc") as sc:
        ...     sc.range(1).map(str).toDebugString().decode().count("\\n")
        2
        """
        lines: list[str] = []
        indents: list[tuple[RDD[Any], int]] = [(self, 0)]
        while indents:
            rdd, depth = indents.pop()
            lines.append(f"({rdd.getNumPartitions()}) {' |  ' * depth}{rdd!r} []")
            if not rdd.is_checkpointed:
                indents += [(parent, depth + 1) for parent in reversed(rdd._parents)]
        return "\n".join(lines).encode()

    def cleanShuffleDependencies(self, blocking: bool = False) -> None:
        """Does nothing: what a shuffle leaves is freed with its job.

        >>> from tidemill.pyspark import SparkContext
        >>> with SparkContext("local[1]", "doc") as sc:
        ...     sc.range(1).cleanShuffleDependencies()
        """

    def barrier(self) -> RDDBarrier[T_co]:
        """The same records for tasks that start together and can wait for each other.

        >>> from tidemill.pyspark import SparkContext
        >>> with SparkContext("local[1]", "doc") as sc:
        ...     sc.range(1).barrier().mapPartitions(list).collect()
        [0]
        """
        return RDDBarrier(self)

    def withResources(self, profile: ResourceProfile) -> RDD[T_co]:
        """Notes the resources that tasks want; nothing acts on them. Gives this RDD.

        >>> from tidemill.pyspark import SparkContext
        >>> from tidemill.pyspark.resource import ResourceProfileBuilder
        >>> with SparkContext("local[1]", "doc") as sc:
        ...     sc.range(1).withResources(ResourceProfileBuilder().build).has_resource_profile
        True
        """
        self.has_resource_profile, self._profile = True, profile
        return self

    def getResourceProfile(self) -> ResourceProfile | None:
        """What `withResources` noted, or None.

        >>> from tidemill.pyspark import SparkContext
        >>> with SparkContext("local[1]", "doc") as sc:
        ...     print(sc.range(1).getResourceProfile())
        None
        """
        profile: ResourceProfile | None = self._profile
        return profile

    def toDF(self, schema: Any = None, sampleRatio: float | None = None) -> Any:
        """Raises NotImplementedError: DataFrames come later.

        >>> from tidemill.pyspark import SparkContext
        >>> with SparkContext("local[1]", "doc") as sc:
        ...     sc.range(1).toDF()
        Traceback (most recent call last):
            ...
        NotImplementedError: RDD.toDF is not here yet: DataFrames come later
        """
        from tidemill.pyspark.sql._later import later

        raise later("RDD.toDF")

    def __getattr__(self, name: str) -> Any:
        if name.startswith(("saveAsHadoop", "saveAsNewAPIHadoop", "saveAsSequence")):
            raise NotImplementedError(f"RDD.{name} is not here: there are no Hadoop formats; use saveAsTextFile")
        return object.__getattribute__(self, name)  # says what is missing, or what a property failed with


class PipelinedRDD(RDD[U]):
    """An RDD that is another one with steps on top; those of several in a row are one pass over the records."""

    prev: RDD[Any]
    func: Any
    preservesPartitioning: bool

    def __init__(
        self,
        prev: RDD[Any],
        func: Callable[[int, Iterable[Any]], Iterable[U]],
        preservesPartitioning: bool = False,
        isFromBarrier: bool = False,
    ) -> None:
        self._put_on(prev, Step("mapPartitionsWithIndex", lift_partition, func), preservesPartitioning)
        self.is_barrier = isFromBarrier or prev.is_barrier

    @classmethod
    def _of(cls, prev: RDD[Any], step: Step, keeps_partitioning: bool) -> PipelinedRDD[Any]:  # type: ignore[override]
        made: PipelinedRDD[Any] = PipelinedRDD.__new__(PipelinedRDD)
        made._put_on(prev, step, keeps_partitioning)
        return made

    def _put_on(self, prev: RDD[Any], step: Step, keeps_partitioning: bool) -> None:
        self._begin(prev.ctx, step.name)
        base, steps = prev._under()
        self._base, self._steps = base, (*steps, step)
        self._parents = (prev,)
        self.prev, self.func, self.preservesPartitioning = prev, step.function, keeps_partitioning
        self.is_barrier = prev.is_barrier
        self.partitioner = prev.partitioner if keeps_partitioning else None

    @property
    def _placement(self) -> int | None:
        if self.partitioner is not None or not self.preservesPartitioning:
            return super()._placement
        return self.prev._placement

    def getNumPartitions(self) -> int:
        """How many partitions there are."""
        assert self._base is not None, "a pipelined RDD has a base"
        return self._base.getNumPartitions()

    def id(self) -> int:
        """A number that no other RDD of the context has."""
        return self._id


class RDDBarrier(Generic[T_co]):
    """An RDD whose next step runs in tasks that start together.

    >>> from tidemill.pyspark import BarrierTaskContext, SparkContext
    >>> with SparkContext("local[1]", "doc") as sc:
    ...     numbers = sc.range(1, numSlices=1).barrier()
    ...     numbers.mapPartitions(lambda it: [BarrierTaskContext.get().partitionId()]).collect()
    [0]
    """

    def __init__(self, rdd: RDD[T_co]) -> None:
        self.rdd = rdd

    def mapPartitions(
        self, f: Callable[[Iterable[T_co]], Iterable[U]], preservesPartitioning: bool = False
    ) -> RDD[U]:
        """The records that `f` gives of an iterator over each partition."""
        return PipelinedRDD(self.rdd, WithoutIndex(f), preservesPartitioning, isFromBarrier=True)

    def mapPartitionsWithIndex(
        self, f: Callable[[int, Iterable[T_co]], Iterable[U]], preservesPartitioning: bool = False
    ) -> RDD[U]:
        """The records that `f` gives of the index of each partition and an iterator over it."""
        return PipelinedRDD(self.rdd, f, preservesPartitioning, isFromBarrier=True)
