"""State by key, under the names of Scala's `mapWithState`, which PySpark does not have."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, Generic, TypeVar, final

from tidemill.pyspark.streaming.util import duration_ms, to_datetime

if TYPE_CHECKING:
    from tidemill import _native
    from tidemill.pyspark.rdd import RDD

S = TypeVar("S")

__all__ = ["State", "StateSpec"]


@final
class State(Generic[S]):
    """The state of a key, in the hands of a function of `mapWithState`; valid only while that runs."""

    __slots__ = ("_native",)

    def __init__(self, native: _native.State) -> None:
        self._native = native

    def exists(self) -> bool:
        """Whether the key has a state."""
        return self._native.exists()

    def get(self) -> S:
        """The state. Raises KeyError if there is none."""
        state: S = self._native.get()
        return state

    def getOption(self) -> S | None:
        """The state, or None."""
        return self._native.get_option()

    def update(self, newState: S) -> None:
        """Sets the state. An error if it was removed, or is timing out."""
        self._native.update(newState)

    def remove(self) -> None:
        """Removes the state. An error if it was removed before, or is timing out."""
        self._native.remove()

    def isTimingOut(self) -> bool:
        """Whether the key had no record for too long, and its state goes after this call."""
        return self._native.is_timing_out()

    def __repr__(self) -> str:
        return f"State({self.get()!r})" if self.exists() else "State(<state not set>)"


@final
class StateSpec:
    """What `DStream.mapWithState` does: a function, and where it begins and ends.

    `function(key, value, state)`, or `function(time, key, value, state)` with the batch's local time, is called for
    every record, and for every key that times out: then `value` is None and `state.isTimingOut()`. What it returns is
    a record of the stream; None is none.

    `initialState`: pairs of key and state, as an RDD or a list. `numPartitions`: of the state, by default
    `defaultParallelism`. `timeout`: how many seconds a key is kept without a record; by default for good.

    Both forms say the same:

    >>> StateSpec(lambda key, value, state: None, numPartitions=2, timeout=30) # doctest: +ELLIPSIS
    StateSpec(<function <lambda> at ...>, initialState=None, numPartitions=2, timeout=30)
    >>> StateSpec.function(lambda key, value, state: None).numPartitions(2).timeout(30) # doctest: +ELLIPSIS
    StateSpec(<function <lambda> at ...>, initialState=None, numPartitions=2, timeout=30)
    """

    def __init__(
        self,
        function: Callable[..., Any],
        initialState: RDD[Any] | Iterable[tuple[Any, Any]] | None = None,
        numPartitions: int | None = None,
        timeout: float | None = None,
    ) -> None:
        if not callable(function):
            raise TypeError(f"a StateSpec needs a function, not {function!r}")
        if timeout is not None and duration_ms(timeout) <= 0:
            raise ValueError(f"the timeout of a StateSpec must be above 0 seconds, not {timeout!r}")
        self._function, self._initial = function, initialState
        self._partitions, self._timeout = numPartitions, timeout

    @staticmethod
    def function(function: Callable[..., Any]) -> StateSpec:
        """A spec of this function."""
        return StateSpec(function)

    def initialState(self, initialState: RDD[Any] | Iterable[tuple[Any, Any]]) -> StateSpec:
        """This spec, beginning with these states."""
        return StateSpec(self._function, initialState, self._partitions, self._timeout)

    def numPartitions(self, numPartitions: int) -> StateSpec:
        """This spec, with its state in so many partitions."""
        return StateSpec(self._function, self._initial, numPartitions, self._timeout)

    def timeout(self, seconds: float) -> StateSpec:
        """This spec, forgetting keys that had no record for so long."""
        return StateSpec(self._function, self._initial, self._partitions, seconds)

    def _stepper(self) -> Callable[[int, Any, Any, _native.State], Any]:
        """The function as the engine calls it."""
        function = self._function
        code = getattr(function, "__code__", None)
        bound = 1 if getattr(function, "__self__", None) is not None else 0
        if code is not None and code.co_argcount - bound == 4:
            return lambda time, key, value, state: function(to_datetime(time), key, value, State(state))
        return lambda _, key, value, state: function(key, value, State(state))

    def __repr__(self) -> str:
        return (
            f"StateSpec({self._function!r}, initialState={self._initial!r}, numPartitions={self._partitions!r}, "
            f"timeout={self._timeout!r})"
        )
