"""What every RDD is: a dataset of the engine, or one with steps on top that are not yet given to it."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any, Generic, TypeVar, cast

from tidemill import _native as engine
from tidemill.pyspark import _barrier, _captures, _task, _workers
from tidemill.pyspark._ops import Block, Step, Steps
from tidemill.pyspark.storagelevel import StorageLevel

if TYPE_CHECKING:
    from tidemill.pyspark._cancel import Cancellation
    from tidemill.pyspark._partitioner import Partitioner
    from tidemill.pyspark.context import SparkContext
    from tidemill.pyspark.rdd import RDD

T_co = TypeVar("T_co", covariant=True)

ON_DRIVER_ONLY = (
    "[RDD_TRANSFORM_ONLY_VALID_ON_DRIVER] It appears that you are attempting to broadcast an RDD or reference an RDD "
    "from an action or transformation. RDD transformations and actions can only be invoked by the driver, not inside "
    "of other transformations. For more information, see SPARK-5063."
)


class Dataset(Generic[T_co]):
    """Where an RDD's records come from, and how jobs run over them.

    It has either a source of its own (`_source`: an engine's dataset, or a function that makes it when it is first
    needed), or a base and steps (`_base`, `_steps`); those of several RDDs in a row become one pass of the engine.
    """

    ctx: SparkContext
    partitioner: Partitioner | None
    is_cached: bool
    is_checkpointed: bool
    has_resource_profile: bool
    is_barrier: bool

    def _begin(self, ctx: SparkContext, label: str) -> None:
        self.ctx = ctx
        self.partitioner = None
        self.is_cached = self.is_checkpointed = self.has_resource_profile = self.is_barrier = False
        self._label = label
        self._id = ctx._next_rdd_id()
        self._name: str | None = None
        self._source: engine.Rdd | Callable[[], engine.Rdd] | None = None
        self._is_frozen = False
        self._base: RDD[Any] | None = None
        self._steps: Steps = ()
        self._parents: tuple[RDD[Any], ...] = ()
        self._made: engine.Rdd | None = None
        self._persisted: engine.Rdd | None = None
        self._level: StorageLevel | None = None
        self._is_locally_checkpointed = self._was_computed = False
        self._profile: Any = None

    def _refusal(self) -> str | None:
        return ON_DRIVER_ONLY

    def __getnewargs__(self) -> Any:
        raise RuntimeError(ON_DRIVER_ONLY)

    def _as_rdd(self) -> RDD[T_co]:
        return cast("RDD[T_co]", self)

    # What the engine sees.

    def _is_pipelined(self) -> bool:
        """Whether the next step may join the steps of this RDD."""
        return self._base is not None and not (self.is_cached or self.is_checkpointed or self.has_resource_profile)

    def _under(self) -> tuple[RDD[Any], Steps]:
        """What a further step is put on: an RDD, and the steps that come before the new one."""
        if self._is_pipelined():
            assert self._base is not None, "a pipelined RDD has a base"
            return self._base, self._steps
        return self._as_rdd(), ()

    def _raw(self) -> tuple[engine.Rdd, bool]:
        """The engine's dataset of this RDD itself, and whether its blocks are kept frozen."""
        if self._persisted is not None:
            return self._persisted, True
        return self._computed(), self._base is None and self._is_frozen

    def _computed(self) -> engine.Rdd:
        """The engine's dataset that computes the records, kept or not."""
        if self._base is None:
            if callable(self._source):
                self._source = self._source()
            return cast(engine.Rdd, self._source)
        if self._made is None:
            base, plan = self._base._input(self._steps)
            self._made = self._mapped(base, plan, _task.to_blocks)
        return self._made

    def _input(self, steps: Steps) -> tuple[engine.Rdd, _task.Input]:
        native, is_frozen = self._raw()
        return native, _task.Input(steps, is_frozen)

    def _reading(self) -> tuple[engine.Rdd, _task.Input]:
        """What a job on this RDD reads: the engine's dataset, and the steps that its tasks add."""
        if self._made is not None and self._is_pipelined():
            return self._made, _task.Input()
        base, steps = self._under()
        return base._input(steps)

    def _mapped(self, native: engine.Rdd, plan: _task.Input, finish: Callable[..., Any]) -> engine.Rdd:
        command = self._command(finish, plan)
        return native.map_partitions(functools.partial(_workers.run_task, command), command.name)

    @property
    def _native(self) -> engine.Rdd:
        """The engine's dataset with plain records, and with how they are placed: for what takes several datasets, and
        for streams."""
        native, is_frozen = self._raw()
        if is_frozen:
            native = self._mapped(native, _task.Input((), True), _task.to_blocks)
        placement = self._placement
        return native if placement is None else native.placed_by(placement)

    @property
    def _placement(self) -> int | None:
        """The number of the function that placed the keys. The engine knows it of more RDDs than have a `partitioner`,
        as Spark's JVM does: of unions and of the batches of streams."""
        if self.partitioner is not None:
            return self.partitioner.placement
        return self._computed().placement

    def _command(self, finish: Callable[..., Any], *plans: _task.Input) -> _task.Command:
        """Makes a command after a look at what its functions take along."""
        for plan in plans:
            for step in plan.steps:
                _captures.check(step.function)
        names = " > ".join(step.name for plan in plans for step in plan.steps) or self._label
        tasks = self.getNumPartitions() if self.is_barrier else 0
        if tasks > self.ctx.defaultParallelism:
            raise RuntimeError(
                f"[SPARK-24819]: a barrier stage of {tasks} tasks cannot run on {self.ctx.defaultParallelism} threads"
            )
        return _task.Command(finish, plans, names, self.is_barrier, tasks)

    def getNumPartitions(self) -> int:
        """How many partitions there are.

        >>> from tidemill.pyspark import SparkContext
        >>> with SparkContext("local[1]", "doc") as sc:
        ...     sc.parallelize([1, 2, 3], 2).getNumPartitions()
        2
        """
        if self._base is not None:
            return self._base.getNumPartitions()
        return self._raw()[0].num_partitions

    # Datasets from this one.

    def _then(self, step: Step, keeps_partitioning: bool = False) -> RDD[Any]:
        """This RDD with one more step."""
        from tidemill.pyspark.rdd import PipelinedRDD

        made: RDD[Any] = PipelinedRDD._of(self._as_rdd(), step, keeps_partitioning)
        return made

    def _new(self, source: engine.Rdd | Callable[[], engine.Rdd], label: str, *parents: Dataset[Any]) -> RDD[Any]:
        """An RDD that has the given source; this RDD and the given ones are its parents."""
        from tidemill.pyspark.rdd import RDD

        made: RDD[Any] = RDD._of(source, self.ctx, label)
        made._parents = (self._as_rdd(), *(parent._as_rdd() for parent in parents))
        return made

    def _shuffled(self, partitions: int, finish: Callable[..., Any], label: str) -> RDD[Any]:
        """This RDD's records moved: `finish(split, source)` gives blocks with the partitions that they go to."""
        if partitions == 0:
            return self._new(lambda: self.ctx._engine.parallelize([]), label)

        def source() -> engine.Rdd:
            native, plan = self._reading()
            command = dataclasses.replace(self._command(finish, plan), places_keys=True)
            return native.shuffle(partitions, functools.partial(_workers.run_task, command), command.name)

        return self._new(source, label)

    def _zipped(self, other: Dataset[Any], finish: Callable[..., Any], label: str) -> RDD[Any]:
        """The blocks that `finish(split, source, other_source)` gives of two RDDs with as many partitions."""

        def source() -> engine.Rdd:
            (native, plan), (others, other_plan) = self._reading(), other._reading()
            command = self._command(finish, plan, other_plan)
            return native.zip_partitions(others, functools.partial(_workers.run_task, command), command.name)

        return self._new(source, label, other)

    # Jobs.

    def _run(self, function: Callable[[int, Any], Any], partitions: Sequence[int] | None = None) -> list[Any]:
        """`function(split, records)` of the chosen partitions, or of all: one job."""
        return self._job(_task.Finish(function), function, partitions)

    def _run_blocks(self, function: Callable[[Iterable[Block]], Any]) -> list[Any]:
        """`function(blocks)` of every partition: one job."""
        return self._job(_task.FinishBlocks(function), function, None)

    def _job(
        self,
        finish: Callable[..., Any],
        function: Any,
        partitions: Sequence[int] | None,
        note: Callable[[int, Any], object] | None = None,
        cancellation: Cancellation | None = None,
    ) -> list[Any]:
        """The results of a job; `note(split, result)` is told each when it is there."""
        self.ctx._assert_on_driver()
        _captures.check(function)
        native, plan = self._reading()
        command = self._command(finish, plan)
        try:
            with self.ctx._job(command, cancellation):
                run = functools.partial(_workers.run_for_result, command, note)
                results = native.run(run, partitions, command.name)
        finally:
            _barrier.close(command.stage)
        self._note_computed()
        return results

    def _note_computed(self) -> None:
        """A job ran over this RDD: what was to be kept by then is."""
        seen: list[Dataset[Any]] = [self]
        while seen:
            dataset = seen.pop()
            if not dataset._was_computed:
                dataset._was_computed = True
                seen.extend(dataset._parents)

    # Keeping.

    def cache(self) -> RDD[T_co]:
        """Keeps the records in memory once they are computed; gives this RDD.

        >>> from tidemill.pyspark import SparkContext
        >>> with SparkContext("local[1]", "doc") as sc:
        ...     sc.range(3).cache().is_cached
        True
        """
        return self.persist()

    def persist(self, storageLevel: StorageLevel = StorageLevel.MEMORY_ONLY) -> RDD[T_co]:
        """Keeps the records where the level says once they are computed; gives this RDD.

        Raises TypeError if that is no StorageLevel, and ValueError if another level was set before.

        >>> from tidemill.pyspark import SparkContext, StorageLevel
        >>> with SparkContext("local[1]", "doc") as sc:
        ...     print(sc.range(3).persist(StorageLevel.DISK_ONLY).getStorageLevel())
        Disk Serialized 1x Replicated
        """
        if not isinstance(storageLevel, StorageLevel):
            raise TypeError(f'storageLevel must be a StorageLevel, not "{type(storageLevel).__name__}"')
        if self._level is not None and self._level != storageLevel:
            raise ValueError(f'the storage level of an RDD that has one cannot be changed: unpersist it first ("{self._level}")')
        if self._persisted is None and (storageLevel.useDisk or storageLevel.useMemory):
            self._persisted = self._to_persist().persist(bool(storageLevel.useDisk), bool(storageLevel.useMemory))
        self._level, self.is_cached = storageLevel, True
        return self._as_rdd()

    def _to_persist(self) -> engine.Rdd:
        native, is_frozen = self._raw()
        return native if is_frozen else self._mapped(native, _task.Input(), _task.to_frozen_blocks)

    def unpersist(self, blocking: bool = False) -> RDD[T_co]:
        """Forgets the kept records; gives this RDD. They are computed again where they are needed.

        >>> from tidemill.pyspark import SparkContext
        >>> with SparkContext("local[1]", "doc") as sc:
        ...     sc.range(3).cache().unpersist().is_cached
        False
        """
        if self._persisted is not None:
            self._persisted.unpersist()
        self._persisted, self._level, self.is_cached = None, None, False
        return self._as_rdd()

    def getStorageLevel(self) -> StorageLevel:
        """Where the records are kept; `StorageLevel.NONE` if nowhere.

        >>> from tidemill.pyspark import SparkContext
        >>> with SparkContext("local[1]", "doc") as sc:
        ...     print(sc.range(3).getStorageLevel())
        Serialized 1x Replicated
        """
        return self._level or StorageLevel.NONE

    def checkpoint(self) -> None:
        """Has the records written to the checkpoint directory at the next job; then it is forgotten where they came
        from. Raises RuntimeError if the context has no such directory.

        >>> import tempfile
        >>> from tidemill.pyspark import SparkContext
        >>> with SparkContext("local[1]", "doc") as sc, tempfile.TemporaryDirectory() as folder:
        ...     numbers = sc.setCheckpointDir(folder).range(3)
        ...     numbers.checkpoint()
        ...     numbers.count(), numbers.isCheckpointed()
        (3, True)
        """
        if self.ctx._engine.checkpoint_dir is None:
            raise RuntimeError("checkpoint directory has not been set in the SparkContext: call setCheckpointDir first")
        if self._base is None and self._is_frozen:
            self._source, self._is_frozen = self._native, False
        self._computed().checkpoint()
        self.is_checkpointed = True

    def localCheckpoint(self) -> None:
        """Has the records kept in memory and on disk at the next job, in place of where they came from.

        >>> from tidemill.pyspark import SparkContext
        >>> with SparkContext("local[1]", "doc") as sc:
        ...     numbers = sc.range(3)
        ...     numbers.localCheckpoint()
        ...     numbers.isLocallyCheckpointed()
        True
        """
        if self._persisted is None:
            self._persisted = self._to_persist().persist(True, True)
        self.is_checkpointed = self._is_locally_checkpointed = True
        self._was_computed = False

    def isCheckpointed(self) -> bool:
        """Whether the records are written, or kept by `localCheckpoint`.

        >>> from tidemill.pyspark import SparkContext
        >>> with SparkContext("local[1]", "doc") as sc:
        ...     sc.range(3).isCheckpointed()
        False
        """
        if self._is_locally_checkpointed:
            return self._was_computed
        return self.is_checkpointed and self._computed().is_checkpointed

    def isLocallyCheckpointed(self) -> bool:
        """Whether `localCheckpoint` was called.

        >>> from tidemill.pyspark import SparkContext
        >>> with SparkContext("local[1]", "doc") as sc:
        ...     sc.range(3).isLocallyCheckpointed()
        False
        """
        return self._is_locally_checkpointed

    def getCheckpointFile(self) -> str | None:
        """Where the records were written; None if they were not.

        >>> from tidemill.pyspark import SparkContext
        >>> with SparkContext("local[1]", "doc") as sc:
        ...     print(sc.range(3).getCheckpointFile())
        None
        """
        if not self.is_checkpointed or self._is_locally_checkpointed:
            return None
        file: str | None = self._computed().checkpoint_file
        return file
