"""Totals that tasks add to and the driver reads."""

from __future__ import annotations

import itertools
import threading
import weakref
from typing import Any, Generic, TypeVar

from tidemill.pyspark import _task

T = TypeVar("T")

__all__ = ["Accumulator", "AccumulatorParam"]

_ids = itertools.count()
_accumulators: weakref.WeakValueDictionary[int, Accumulator[Any]] = weakref.WeakValueDictionary()
_lock = threading.RLock()


class AccumulatorParam(Generic[T]):
    """How values of a type are added: a class of the user's that has `zero` and `addInPlace`.

    >>> from tidemill.pyspark import AccumulatorParam, SparkContext
    >>> class Lists(AccumulatorParam):
    ...     def zero(self, value):
    ...         return []
    ...     def addInPlace(self, value1, value2):
    ...         return value1 + value2
    >>> with SparkContext("local[1]", "doc") as sc:
    ...     seen = sc.accumulator([], Lists())
    ...     sc.range(3).foreach(lambda x: seen.add([x]))
    ...     seen.value
    [0, 1, 2]
    """

    def zero(self, value: T) -> T:
        """What adding begins with, of the same kind as `value`."""
        raise NotImplementedError(f"{type(self).__name__} has no method zero")

    def addInPlace(self, value1: T, value2: T) -> T:
        """Both added; may change and give the first one."""
        raise NotImplementedError(f"{type(self).__name__} has no method addInPlace")


class AddingAccumulatorParam(AccumulatorParam[T]):
    """Adds with `+=`, from a given zero on.

    >>> AddingAccumulatorParam(0).addInPlace(1, 2)
    3
    """

    def __init__(self, zero_value: T) -> None:
        self.zero_value = zero_value

    def zero(self, value: T) -> T:
        """The given zero."""
        return self.zero_value

    def addInPlace(self, value1: T, value2: T) -> T:
        """`value1 += value2`."""
        value1 += value2  # type: ignore[operator]
        return value1


INT_ACCUMULATOR_PARAM: AccumulatorParam[Any] = AddingAccumulatorParam(0)
FLOAT_ACCUMULATOR_PARAM: AccumulatorParam[Any] = AddingAccumulatorParam(0.0)
COMPLEX_ACCUMULATOR_PARAM: AccumulatorParam[Any] = AddingAccumulatorParam(0.0j)


def default_param(value: object) -> AccumulatorParam[Any]:
    """How numbers are added. Raises TypeError for anything else."""
    for kind, param in (
        (int, INT_ACCUMULATOR_PARAM),
        (float, FLOAT_ACCUMULATOR_PARAM),
        (complex, COMPLEX_ACCUMULATOR_PARAM),
    ):
        if isinstance(value, kind):
            return param
    raise TypeError(f'no AccumulatorParam is known for the type "{type(value).__name__}": give one')


class Accumulator(Generic[T]):
    """A total; `SparkContext.accumulator` makes one. Tasks add to it, the driver reads it.

    What a task adds counts when the task has succeeded.

    >>> from tidemill.pyspark import SparkContext
    >>> with SparkContext("local[1]", "doc") as sc:
    ...     total = sc.accumulator(1)
    ...     sc.range(3).foreach(lambda x: total.add(x))
    ...     total.value
    4
    """

    def __init__(self, aid: int, value: T, accum_param: AccumulatorParam[T]) -> None:
        self.aid = aid
        self.accum_param = accum_param
        self._value = value
        self._is_of_driver = True
        _accumulators[aid] = self

    @property
    def value(self) -> T:
        """The total. Raises RuntimeError when read or set in a task.

        >>> from tidemill.pyspark import SparkContext
        >>> with SparkContext("local[1]", "doc") as sc:
        ...     total = sc.accumulator(1.5)
        ...     total.value = 2.5
        ...     total.value
        2.5
        """
        self._assert_on_driver()
        return self._value

    @value.setter
    def value(self, value: T) -> None:
        self._assert_on_driver()
        self._value = value

    def _assert_on_driver(self) -> None:
        if not self._is_of_driver or _task.current() is not None:
            raise RuntimeError("Accumulator.value cannot be accessed inside tasks")

    def add(self, term: T) -> None:
        """Adds a term.

        >>> from tidemill.pyspark import SparkContext
        >>> with SparkContext("local[1]", "doc") as sc:
        ...     total = sc.accumulator(1)
        ...     total.add(2)
        ...     total
        Accumulator<id=..., value=3>
        """
        task = _task.current()
        if task is None:
            with _lock:
                self._value = self.accum_param.addInPlace(self._value, term)
            return
        updates = task.updates
        if self.aid not in updates:
            updates[self.aid] = self.accum_param.zero(self._value)
        updates[self.aid] = self.accum_param.addInPlace(updates[self.aid], term)

    def __iadd__(self, term: T) -> Accumulator[T]:
        self.add(term)
        return self

    def __str__(self) -> str:
        return str(self._value)

    def __repr__(self) -> str:
        return f"Accumulator<id={self.aid}, value={self._value}>"

    def __reduce__(self) -> tuple[Any, ...]:
        return _of_id, (self.aid, self.accum_param.zero(self._value), self.accum_param)


def _of_id(aid: int, zero: Any, param: AccumulatorParam[Any]) -> Accumulator[Any]:
    """The accumulator of a number: the driver's own in its process, else one that tasks add to."""
    found = _accumulators.get(aid)
    if found is None:
        found = Accumulator(aid, zero, param)
        found._is_of_driver = False
        _kept[aid] = found
    return found


_kept: dict[int, Accumulator[Any]] = {}  # those of a worker process


def merge(updates: dict[int, Any], into: dict[int, Any] | None) -> None:
    """Adds what a task added: to what another task, which it is a part of, adds; or (None) to the totals.

    In a worker process the latter is for whoever ships the command: it runs tasks within one of its own.
    """
    for aid, term in updates.items():
        accumulator = _accumulators.get(aid)
        if accumulator is None:
            continue  # nobody can read it any more
        param = accumulator.accum_param
        if into is not None:
            into[aid] = param.addInPlace(into[aid], term) if aid in into else term
        else:
            with _lock:
                accumulator._value = param.addInPlace(accumulator._value, term)


def new_id() -> int:
    """A number for a new accumulator."""
    return next(_ids)
