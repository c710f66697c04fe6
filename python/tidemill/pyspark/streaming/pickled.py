"""Steps of a program as bytes, by cloudpickle.

All steps are pickled at once, so that functions that share globals share them after a recovery too. Contexts in them
are the recovered ones; broadcast values are broadcast again, and accumulators begin with what they had at start.
Datasets that are arguments are stored record by record; elsewhere they are refused, as in Spark.
"""

from __future__ import annotations

import io
import pickle
import sys
from collections import deque
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from tidemill.pyspark import _captures
from tidemill.pyspark._pickling import Pickler
from tidemill.pyspark.accumulators import Accumulator
from tidemill.pyspark.broadcast import Broadcast
from tidemill.pyspark.context import SparkContext
from tidemill.pyspark.rdd import RDD
from tidemill.pyspark.streaming.plan import Step
from tidemill.pyspark.streaming.state import StateSpec
from tidemill.pyspark.streaming.stream import Stream

if TYPE_CHECKING:
    from tidemill.pyspark.streaming.context import StreamingContext


@dataclass(frozen=True)
class Records:
    """Stands for a dataset."""

    records: list[Any]
    partitions: int


class _Pickler(Pickler):
    def persistent_id(self, obj: Any) -> str | None:
        if isinstance(obj, SparkContext):
            return "SparkContext"
        if type(obj).__name__ == "StreamingContext" and hasattr(obj, "_plan"):
            return "StreamingContext"
        if type(obj).__name__ == "SparkSession":
            return "SparkSession"
        if isinstance(obj, RDD):
            raise pickle.PicklingError(
                "it refers to an RDD, which cannot be stored; make the RDD inside the function, from rdd.context"
            )
        if isinstance(obj, Stream):
            raise pickle.PicklingError("it refers to a DStream, which is only there while streams are declared")
        return None

    def reducer_override(self, obj: Any) -> Any:
        if isinstance(obj, Broadcast):
            return _broadcast, (SparkContext._active_spark_context, obj.value)
        if isinstance(obj, Accumulator):
            return _accumulator, (SparkContext._active_spark_context, obj.value, obj.accum_param)
        if isinstance(obj, type) and obj.__module__ == "__main__" and "<locals>" not in obj.__qualname__:
            return _class_of_main, (obj.__qualname__,)
        return super().reducer_override(obj)


def _class_of_main(name: str) -> Any:
    """A class of the main script as it is now: records and states in the checkpoint are of that class too."""
    found: Any = sys.modules["__main__"]
    for part in name.split("."):
        found = getattr(found, part, None)
    if not isinstance(found, type):
        raise pickle.UnpicklingError(f'the main script has no class "{name}" where it asks for the checkpoint')
    return found


def _broadcast(sc: SparkContext, value: Any) -> Broadcast[Any]:
    return sc.broadcast(value)


def _accumulator(sc: SparkContext, value: Any, param: Any) -> Accumulator[Any]:
    return sc.accumulator(value, param)


class _Unpickler(pickle.Unpickler):
    def __init__(self, data: bytes, sc: SparkContext, ssc: StreamingContext) -> None:
        super().__init__(io.BytesIO(data))
        self._sc, self._ssc = sc, ssc

    def persistent_load(self, pid: Any) -> Any:
        if pid == "SparkContext":
            return self._sc
        if pid == "StreamingContext":
            return self._ssc
        if pid == "SparkSession":
            from tidemill.pyspark.sql import SparkSession

            return SparkSession.builder.getOrCreate()
        raise pickle.UnpicklingError(f"unknown reference {pid!r}")


def dump(steps: list[Step]) -> bytes:
    """The steps as bytes. PicklingError, naming the step and the way out, if one cannot be pickled."""
    stored = [_stored(step) for step in steps]
    try:
        return _dump(stored)
    except Exception as error:
        culprit = next((step for step in stored if not _can_be_dumped(step)), None)
        raise pickle.PicklingError(
            f"the program cannot be stored in its checkpoint: {culprit or 'a function'}: {error}{_variable(culprit)}"
        ) from error


def _variable(culprit: Step | None) -> str:
    """Which variable of the call's functions cannot be pickled."""
    arguments = () if culprit is None else (*culprit.arguments, *culprit.keywords.values())
    names = (_captures.unpicklable(argument, _dump) for argument in arguments)
    name = next(filter(None, names), None)
    return f' (the variable "{name}")' if name else ""


def _dump(steps: Any) -> bytes:
    out = io.BytesIO()
    _Pickler(out, protocol=4).dump(steps)
    return out.getvalue()


def _can_be_dumped(step: Step) -> bool:
    try:
        _dump([step])
    except Exception:
        return False
    return True


def load(data: bytes, sc: SparkContext, ssc: StreamingContext) -> list[Step]:
    """The steps in these bytes, for these contexts."""
    steps: list[Step] = _Unpickler(data, sc, ssc).load()
    return [_each_argument(step, lambda argument: _thaw(argument, sc)) for step in steps]


def _stored(step: Step) -> Step:
    if step.method == "queueStream":
        # What it holds is lost, as its owner was told; the queue is there, and empty.
        step = replace(step, arguments=(deque(), *step.arguments[1:])) if step.arguments else step
        step = replace(step, keywords={**step.keywords, "rdds": deque()}) if "rdds" in step.keywords else step
    return _each_argument(step, _freeze)


def _each_argument(step: Step, change: Any) -> Step:
    keywords = {name: change(value) for name, value in step.keywords.items()}
    return replace(step, arguments=tuple(map(change, step.arguments)), keywords=keywords)


def _freeze(argument: Any) -> Any:
    if isinstance(argument, RDD):
        return Records(argument.collect(), argument.getNumPartitions())
    if isinstance(argument, StateSpec) and argument._initial is not None:
        return argument.initialState(_freeze(argument._initial))
    return argument


def _thaw(argument: Any, sc: SparkContext) -> Any:
    if isinstance(argument, Records):
        return sc.parallelize(argument.records, argument.partitions)
    if isinstance(argument, StateSpec) and argument._initial is not None:
        return argument.initialState(_thaw(argument._initial, sc))
    return argument
