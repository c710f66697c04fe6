"""Values that tasks read."""

from __future__ import annotations

import itertools
import os
import pickle
import threading
import weakref
from collections.abc import Callable
from typing import IO, TYPE_CHECKING, Any, ClassVar, Generic, TypeVar

from tidemill.pyspark import _task

if TYPE_CHECKING:
    from tidemill.pyspark.context import SparkContext

T = TypeVar("T")

__all__ = ["Broadcast"]

_UNSET: Any = object()
_ids = itertools.count()


class _Pickled(threading.local):
    """The numbers of the broadcasts that were pickled on this thread: who ships a command empties it before and
    learns from it afterwards what the command needs."""

    def __init__(self) -> None:
        self.ids: set[int] = set()


pickled = _Pickled()


class Broadcast(Generic[T]):
    """A value for tasks; `SparkContext.broadcast` makes one. In a pickled function it is only a number.

    >>> from tidemill.pyspark import SparkContext
    >>> with SparkContext("local[1]", "doc") as sc:
    ...     names = sc.broadcast({1: "one", 2: "two"})
    ...     sc.parallelize([2, 1]).map(lambda x: names.value[x]).collect()
    ['two', 'one']
    """

    _registry: ClassVar[weakref.WeakValueDictionary[int, Broadcast[Any]]] = weakref.WeakValueDictionary()
    _kept: ClassVar[dict[int, Broadcast[Any]]] = {}  # those of a worker process, which loads each of them once
    _load: ClassVar[Callable[[int], Any] | None] = None  # how a worker process gets the value of a number

    def __init__(
        self,
        sc: SparkContext | None = None,
        value: T | None = None,
        pickle_registry: Any = None,
        path: str | None = None,
        sock_file: Any = None,
    ) -> None:
        self._id = next(_ids)
        self._value: Any = _UNSET if sc is None and value is None else value
        self._path = path
        self._is_destroyed = False
        self._is_of_driver = sc is not None
        if sc is not None:
            Broadcast._registry[self._id] = self

    def _refusal(self) -> str | None:
        return f"Attempted to use Broadcast({self._id}) after it was destroyed" if self._is_destroyed else None

    @property
    def value(self) -> T:
        """The value, the same object each time. Raises RuntimeError after `destroy`.

        >>> from tidemill.pyspark import SparkContext
        >>> with SparkContext("local[1]", "doc") as sc:
        ...     sc.broadcast([1, 2]).value
        [1, 2]
        """
        if self._is_destroyed:
            raise RuntimeError(f"Attempted to use Broadcast({self._id}) after it was destroyed")
        if self._value is _UNSET:
            if self._path is not None:
                self._value = self.load_from_path(self._path)
            elif Broadcast._load is not None:
                self._value = Broadcast._load(self._id)
            else:
                raise RuntimeError(f"Broadcast({self._id}) is not known in this process")
        known: T = self._value
        return known

    def _assert_on_driver(self, what: str) -> None:
        if not self._is_of_driver or _task.current() is not None:
            raise RuntimeError(f"Broadcast can only be {what} in driver")

    def unpersist(self, blocking: bool = False) -> None:
        """Lets go of the copies of tasks, which get the value again at the next use. Raises RuntimeError in a task.

        >>> from tidemill.pyspark import SparkContext
        >>> with SparkContext("local[1]", "doc") as sc:
        ...     kept = sc.broadcast(1)
        ...     kept.unpersist()
        ...     kept.value
        1
        """
        self._assert_on_driver("unpersisted")

    def destroy(self, blocking: bool = False) -> None:
        """Lets go of the value for good. Raises RuntimeError in a task.

        >>> from tidemill.pyspark import SparkContext
        >>> with SparkContext("local[1]", "doc") as sc:
        ...     gone = sc.broadcast(1)
        ...     gone.destroy()
        ...     gone.value
        Traceback (most recent call last):
            ...
        RuntimeError: Attempted to use Broadcast(...) after it was destroyed
        """
        self._assert_on_driver("destroyed")
        self._is_destroyed, self._value = True, _UNSET
        Broadcast._registry.pop(self._id, None)

    def dump(self, value: T, f: IO[bytes]) -> None:
        """Pickles a value into an open file and closes it. Raises pickle.PicklingError where that cannot be.

        >>> import io
        >>> Broadcast(value=1).dump(2, io.BytesIO())
        """
        try:
            pickle.dump(value, f, pickle.HIGHEST_PROTOCOL)
        except pickle.PickleError:
            raise
        except Exception as error:
            raise pickle.PicklingError(f"Could not serialize broadcast: {type(error).__name__}: {error}") from error
        f.close()

    def load(self, file: IO[bytes]) -> T:
        """The value pickled in an open file.

        >>> import io, pickle
        >>> Broadcast(value=1).load(io.BytesIO(pickle.dumps(2)))
        2
        """
        loaded: T = pickle.load(file)
        return loaded

    def load_from_path(self, path: str) -> T:
        """The value pickled in a file.

        >>> import pickle, tempfile
        >>> with tempfile.NamedTemporaryFile() as file:
        ...     pickle.dump(2, file)
        ...     file.flush()
        ...     Broadcast(value=1).load_from_path(file.name)
        2
        """
        with open(os.fspath(path), "rb", 1 << 20) as file:
            return self.load(file)

    def __reduce__(self) -> tuple[Any, ...]:
        if why := self._refusal():
            raise RuntimeError(why)
        if self._is_of_driver and self._id not in Broadcast._registry:
            raise RuntimeError("Broadcast can only be serialized in driver")
        pickled.ids.add(self._id)
        return _of_id, (self._id,)


def _of_id(number: int) -> Broadcast[Any]:
    """The broadcast of a number: the driver's own in its process, else one that is loaded when it is read."""
    found = Broadcast._registry.get(number)
    if found is None:
        found = Broadcast()
        found._id = number
        Broadcast._registry[number] = Broadcast._kept[number] = found
    return found
