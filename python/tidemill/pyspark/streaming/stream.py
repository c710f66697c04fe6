"""What every stream is: a node of the engine, made when it is first needed, and what is said about it before start."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from tidemill.pyspark.rdd import RDD
from tidemill.pyspark.streaming.errors import SparkException, UnsupportedOperationException
from tidemill.pyspark.streaming.util import duration_ms, to_ms

if TYPE_CHECKING:
    from tidemill._native import DStream as NativeStream
    from tidemill._native import Rdd as NativeRdd
    from tidemill.pyspark.storagelevel import StorageLevel
    from tidemill.pyspark.streaming.context import StreamingContext

T = TypeVar("T")


class Stream(Generic[T]):
    """The part of a stream that is not about its records."""

    def __init__(self, native: NativeStream | None, ssc: StreamingContext) -> None:
        self._made, self._ssc, self._sc = native, ssc, ssc._sc
        self._step: int | None = None
        self.is_cached = False
        self.is_checkpointed = False
        self.is_named = False

    @property
    def _is_kept(self) -> bool:
        """Whether it has to be a node of its own, for something is kept under its name."""
        return self.is_cached or self.is_checkpointed or self.is_named

    @property
    def _native(self) -> NativeStream:
        """The node of the engine."""
        if self._made is None:
            self._made = self._make()
        return self._made

    def _make(self) -> NativeStream:
        raise NotImplementedError(f"{type(self).__name__} has no node of the engine")

    @property
    def _slide_ms(self) -> int:
        return self._native.slide_ms

    @property
    def _slideDuration(self) -> float:
        """How often there is a batch, in seconds."""
        return self._slide_ms / 1000

    def _refusal(self) -> str:
        """Why it cannot go into a task."""
        return "a DStream is only there while streams are declared, and not in a task"

    def context(self) -> StreamingContext:
        """The context that it was declared with."""
        return self._ssc

    def _wrap(self, rdd: NativeRdd) -> RDD[Any]:
        return self._ssc._wrap(rdd)

    def _wrap_batch(self, time: int, rdd: NativeRdd) -> RDD[Any]:
        """The batch at a time, as functions get it."""
        return self._wrap(rdd)

    def _refuse_after_start(self, what: str) -> None:
        if self._ssc._state != "initialized":
            raise UnsupportedOperationException(f"{what} of a DStream cannot be changed after its context was started")

    def _persist(self, level: StorageLevel) -> None:
        self._refuse_after_start("the storage level")
        self._made = self._native.persist(bool(level.useDisk), bool(level.useMemory))
        self.is_cached = True

    def _checkpoint(self, interval: float) -> None:
        self._refuse_after_start("the checkpoint interval")
        self._made = self._native.checkpoint(duration_ms(interval))
        self.is_checkpointed = True

    def _slice(self, begin: datetime | float, end: datetime | float) -> list[RDD[Any]]:
        if self._ssc._state == "initialized":
            raise SparkException("a DStream that is not initialized has no batches yet: start its context first")
        return [self._wrap(rdd) for rdd in self._native.slice(to_ms(begin), to_ms(end))]


def checked_rdd(given: object, method: str, function: Callable[..., Any]) -> RDD[Any]:
    """The RDD that a user's function gave. TypeError if it gave something else."""
    if isinstance(given, RDD):
        return given
    name = getattr(function, "__name__", repr(function))
    raise TypeError(f"the function {name} given to {method} must return an RDD, not {type(given).__name__}")
