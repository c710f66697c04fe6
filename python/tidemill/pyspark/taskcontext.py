"""What a function can learn about the task that it runs in."""

from __future__ import annotations

from typing import Any, ClassVar

from tidemill.pyspark import _barrier, _task
from tidemill.pyspark.resource import ResourceInformation


class TaskContext:
    """The task that a function runs in. Not made by programs: `TaskContext.get()` gives it.

    >>> from tidemill.pyspark import SparkContext, TaskContext
    >>> with SparkContext("local[1]", "doc") as sc:
    ...     sc.range(2, numSlices=2).map(lambda x: TaskContext.get().partitionId()).collect()
    [0, 1]
    """

    _properties: ClassVar[dict[str, str]] = {}

    def __init__(self) -> None:
        self._task: _task.Task | None = None

    @classmethod
    def get(cls) -> TaskContext | None:
        """The context of the running task; None on the driver."""
        task = _task.current()
        if task is None:
            return None
        context = cls.__new__(cls)
        context._task = task.outermost
        return context

    @property
    def _running(self) -> _task.Task:
        if self._task is None:
            raise RuntimeError("a TaskContext is of use only inside a task; take it from TaskContext.get()")
        return self._task

    def stageId(self) -> int:
        """The number of the stage that the task is a part of."""
        return self._running.command.stage

    def partitionId(self) -> int:
        """The partition that the task computes."""
        return self._running.split

    def attemptNumber(self) -> int:
        """How many attempts at this task came before: 0."""
        self._running
        return 0

    def taskAttemptId(self) -> int:
        """A number that no other attempt has."""
        return self._running.attempt

    def getLocalProperty(self, key: str) -> str | None:
        """What the driver set with `SparkContext.setLocalProperty`, or None."""
        self._running
        return TaskContext._properties.get(key)

    def cpus(self) -> int:
        """The CPUs of the task: 1."""
        return 1

    def resources(self) -> dict[str, ResourceInformation]:
        """Resources such as GPUs given to the task: none."""
        return {}


class BarrierTaskInfo:
    """Where a task of a barrier stage runs: `address` is a host and a port."""

    def __init__(self, address: str) -> None:
        self.address = address


class BarrierTaskContext(TaskContext):
    """The task of a barrier stage, whose tasks can wait for each other.

    >>> from tidemill.pyspark import BarrierTaskContext, SparkContext
    >>> with SparkContext("local[1]", "doc") as sc:
    ...     alone = sc.range(1, numSlices=1).barrier()
    ...     alone.mapPartitions(lambda it: BarrierTaskContext.get().allGather("hello")).collect()
    ['hello']
    """

    @classmethod
    def get(cls) -> BarrierTaskContext:
        """The context of the running task. Raises RuntimeError outside barrier stages."""
        task = _task.current()
        if task is None or not task.outermost.command.is_barrier:
            raise RuntimeError("BarrierTaskContext.get() works only in the tasks of a barrier stage: use RDD.barrier()")
        context = cls.__new__(cls)
        context._task = task.outermost
        return context

    def _meeting(self) -> _barrier.Meeting:
        command = self._running.command
        return _barrier.meeting(command.stage, command.partitions)

    def barrier(self) -> None:
        """Waits until all tasks of the stage have come to this call. Raises RuntimeError if one of them fails."""
        self._meeting().wait()

    def allGather(self, message: str = "") -> list[str]:
        """Waits for all tasks and gives what each of them gave, by partition. Messages are str, else TypeError."""
        if not isinstance(message, str):
            raise TypeError(f'a message of allGather is a str, not "{type(message).__name__}"')
        return self._meeting().gather(self.partitionId(), message)

    def getTaskInfos(self) -> list[BarrierTaskInfo]:
        """Where each task of the stage runs, by partition."""
        return [BarrierTaskInfo("localhost:0") for _ in range(self._running.command.partitions)]


def _set_properties(properties: dict[str, Any]) -> None:
    TaskContext._properties = {key: str(value) for key, value in properties.items()}
