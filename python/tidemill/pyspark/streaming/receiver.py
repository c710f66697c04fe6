"""Receivers written in Python."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, Protocol, final

if TYPE_CHECKING:
    from tidemill import _native


@final
class ReceiverStore:
    """Where a receiver puts its records; it can be called with one."""

    __slots__ = ("_native",)

    def __init__(self, native: _native.Store) -> None:
        self._native = native

    def store(self, record: Any) -> None:
        """Stores a record; waits while there is no room for more."""
        self._native.store(record)

    __call__ = store

    def storeAll(self, records: Iterable[Any]) -> None:
        """Stores many records, which are in the same batch."""
        self._native.store_many(list(records))

    def isStopped(self) -> bool:
        """Whether the receiver is to stop."""
        return self._native.is_stopped

    def wait(self, seconds: float) -> bool:
        """Waits, at most so long, until the receiver is to stop; whether it is."""
        return self._native.wait(int(seconds * 1000))


class Receiver(Protocol):
    """Something that gives records on its own."""

    def onStart(self, store: ReceiverStore) -> None:
        """Begins to store records: here, until `store.isStopped()`, or on a thread of its own."""

    def onStop(self) -> None:
        """Ends what `onStart` began."""


def runner(receiver: Receiver | Callable[[ReceiverStore], object]) -> Callable[[_native.Store], None]:
    """What the engine runs on a thread of its own. TypeError if it is no receiver."""
    on_start = getattr(receiver, "onStart", None)
    if on_start is None:
        if not callable(receiver):
            raise TypeError(f"a receiver has onStart(store) and onStop(), or is a function of store; not {receiver!r}")
        call: Callable[[ReceiverStore], object] = receiver

        def run(store: _native.Store) -> None:
            call(ReceiverStore(store))

        return run
    on_stop = getattr(receiver, "onStop", None)

    def run_and_stop(store: _native.Store) -> None:
        try:
            on_start(ReceiverStore(store))
            while not store.wait(1000):
                pass
        finally:
            if on_stop is not None:
                on_stop()

    return run_and_stop
