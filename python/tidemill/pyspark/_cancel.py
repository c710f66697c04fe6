"""Cancelling: a job that runs is ended, and its tasks with it, in this process and in workers.

The engine looks at a job's interrupt before each task and between blocks. What a task of Python's is in the middle of is
ended too: here by an exception that is raised in its thread, as soon as that is not inside of C; in a worker by the
worker's end.
"""

from __future__ import annotations

import ctypes
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from subprocess import Popen
from typing import Any

from tidemill import _native

_lock = threading.Lock()
_running: set[Watched] = set()


class Cancelled(BaseException):
    """Raised in a task whose job was cancelled. No Exception: a function of a task does not catch it by chance."""


class _OfThread(threading.local):
    watched: Watched | None = None


_of_thread = _OfThread()


def _raise_in_thread(thread: int, exception: type[BaseException] | None) -> None:
    """Raises it there when Python runs there next; None takes back what has not been raised yet."""
    ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread), exception and ctypes.py_object(exception))


class Watched:
    """A task that can be ended while it runs."""

    def __init__(self, interrupt: _native.Interrupt) -> None:
        self.interrupt = interrupt
        self._thread = threading.get_ident()
        self._is_here, self._was_told = True, False
        self._process: Popen[bytes] | None = None

    def __enter__(self) -> None:
        self._outer, _of_thread.watched = _of_thread.watched, self
        with _lock:
            _running.add(self)
        self._look()

    def __exit__(self, *raised: object) -> None:
        _of_thread.watched = self._outer
        try:
            self._leave()
        finally:
            # Again, if that is where the exception came.
            self._leave()

    def _leave(self) -> None:
        with _lock:
            _running.discard(self)
            if self._was_told:
                # Not for what runs on this thread next.
                _raise_in_thread(self._thread, None)

    def _look(self) -> None:
        if self.interrupt.is_set():
            raise Cancelled("the job was cancelled")

    def stop(self) -> None:
        """Ends it; the lock is held."""
        if self._process is not None:
            self._process.kill()
        if self._is_here and not self._was_told:
            self._was_told = True
            _raise_in_thread(self._thread, Cancelled)

    def leave_home(self) -> None:
        """From now on no exception comes into this thread."""
        with _lock:
            self._is_here = False
        self._look()

    @contextmanager
    def at(self, process: Popen[bytes]) -> Iterator[None]:
        """The task is a worker's meanwhile. Raises Cancelled if that was ended, whatever it answered."""
        with _lock:
            self._process = process
        try:
            self._look()
            yield
        finally:
            with _lock:
                self._process = None
            self._look()


@contextmanager
def _unwatched() -> Iterator[None]:
    yield


def watched() -> Any:
    """A `with` around a task."""
    interrupt = _native.task_interrupt()
    return _unwatched() if interrupt is None else Watched(interrupt)


def leave_home() -> None:
    """The task of this thread goes to a worker."""
    if _of_thread.watched is not None:
        _of_thread.watched.leave_home()


def at_worker(process: Popen[bytes]) -> Any:
    """A `with` around what a worker does of the task of this thread."""
    return _unwatched() if _of_thread.watched is None else _of_thread.watched.at(process)


class Cancellation:
    """What ends a job."""

    def __init__(self, properties: dict[str, str]) -> None:
        self.properties = properties
        self.interrupt = _native.Interrupt()
        self.reason: str | None = None

    def cancel(self, reason: str) -> None:
        """Ends the job and its tasks."""
        self.reason = self.reason or reason
        self.interrupt.set()
        with _lock:
            for task in _running:
                if task.interrupt.is_set():
                    task.stop()
