"""Small things that programs import from here."""

from __future__ import annotations

import functools
import itertools
import threading
import traceback
from collections.abc import Callable, Iterator
from types import TracebackType
from typing import TYPE_CHECKING, Any, TextIO, TypeVar

if TYPE_CHECKING:
    from tidemill.pyspark._jobs import Jobs

__all__ = ["InheritableThread", "fail_on_stopiteration", "inheritable_thread_target", "print_exec"]

F = TypeVar("F", bound=Callable[..., Any])


def print_exec(stream: TextIO) -> None:
    """Prints the exception that is being handled to a stream."""
    traceback.print_exc(None, stream)


def fail_on_stopiteration(f: Callable[..., Any]) -> Callable[..., Any]:
    """The function, with RuntimeError in place of StopIteration, which would cut a dataset short.

    >>> fail_on_stopiteration(next)(iter([]))
    Traceback (most recent call last):
        ...
    RuntimeError: a function of a task raised StopIteration
    """

    @functools.wraps(f)
    def call(*args: Any, **kwargs: Any) -> Any:
        try:
            return f(*args, **kwargs)
        except StopIteration as error:
            raise RuntimeError("a function of a task raised StopIteration") from error

    return call


def walk_tb(tb: TracebackType | None) -> Iterator[TracebackType]:
    """A traceback and all that follow it."""
    while tb is not None:
        yield tb
        tb = tb.tb_next


def try_simplify_traceback(tb: TracebackType) -> TracebackType | None:
    """None: tracebacks are shown as they are."""
    return None


def _of_this_thread() -> tuple[Jobs, dict[str, str]] | None:
    """The active context, and a copy of what this thread says about its jobs."""
    from tidemill.pyspark.context import SparkContext

    context = SparkContext._active_spark_context
    return None if context is None else (context, dict(context._properties.of_thread))


def _inherit(parent: tuple[Jobs, dict[str, str]] | None) -> None:
    if parent is not None:
        context, properties = parent
        context._properties.of_thread = properties


def inheritable_thread_target(f: Any) -> Any:
    """A function for another thread, whose jobs then have the properties of this one's. Also a decorator that is
    given a session.

    >>> from tidemill.pyspark import SparkContext
    >>> with SparkContext("local[1]", "doc") as sc:
    ...     sc.setLocalProperty("colour", "red")
    ...     inheritable_thread_target(lambda: sc.getLocalProperty("colour"))()
    'red'
    """
    if not callable(f):
        return inheritable_thread_target
    parent = _of_this_thread()

    @functools.wraps(f)
    def call(*args: Any, **kwargs: Any) -> Any:
        _inherit(parent)
        return f(*args, **kwargs)

    return call


class InheritableThread(threading.Thread):
    """A thread whose jobs have the properties of those of the thread that starts it.

    >>> from tidemill.pyspark import SparkContext
    >>> with SparkContext("local[1]", "doc") as sc:
    ...     sc.setLocalProperty("colour", "red")
    ...     thread = InheritableThread(lambda: print(sc.getLocalProperty("colour")))
    ...     thread.start()
    ...     thread.join()
    red
    """

    _numbers = itertools.count()

    def __init__(self, target: Callable[..., Any], *args: Any, **kwargs: Any) -> None:
        self._parent: tuple[Jobs, dict[str, str]] | None = None

        def call(*given: Any, **named: Any) -> Any:
            _inherit(self._parent)
            return target(*given, **named)

        kwargs.setdefault("name", f"inheritable-{next(InheritableThread._numbers)}")
        super().__init__(None, call, *args, **kwargs)

    def start(self) -> None:
        """Starts the thread."""
        self._parent = _of_this_thread()
        super().start()
