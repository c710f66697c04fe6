"""What a program declared: the calls it made on a context and its streams, in their order.

A program that is recovered is not run again, as in PySpark; it is rebuilt from this. Calls are noted as the program
made them, and not what they are made of, so that a later version of this library may do them in another way.
"""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar, cast

if TYPE_CHECKING:
    from tidemill.pyspark.streaming.context import StreamingContext

Method = TypeVar("Method", bound=Callable[..., Any])


@dataclass(frozen=True)
class StreamRef:
    """Stands for the stream that a step gave."""

    step: int


@dataclass(frozen=True)
class Step:
    """One call. `target` is the step whose stream it was made on; None is the context."""

    target: int | None
    method: str
    arguments: tuple[Any, ...]
    keywords: dict[str, Any]
    place: str

    def __str__(self) -> str:
        return f"{self.method} at {self.place}"


@dataclass
class Plan:
    """The calls so far."""

    steps: list[Step] = field(default_factory=list)
    # Inside a call: what that is made of is no step.
    busy: bool = False
    # Not to be noted any more: the program was recovered.
    closed: bool = False
    # Where the call stands in the program that is replayed.
    replayed: str | None = None

    @contextmanager
    def inside(self) -> Iterator[None]:
        """Notes nothing meanwhile."""
        before, self.busy = self.busy, True
        try:
            yield
        finally:
            self.busy = before

    def note(self, target: object, method: str, arguments: tuple[Any, ...], keywords: dict[str, Any]) -> int:
        """Adds a call; its number."""
        self.steps.append(
            Step(
                getattr(target, "_step", None),
                method,
                tuple(map(_refer, arguments)),
                {name: _refer(value) for name, value in keywords.items()},
                _place(),
            )
        )
        return len(self.steps) - 1


def _refer(argument: Any) -> Any:
    """Streams as references, also in a list of them."""
    from tidemill.pyspark.streaming.dstream import DStream

    if isinstance(argument, DStream) and argument._step is not None:
        return StreamRef(argument._step)
    if isinstance(argument, (list, tuple)) and any(isinstance(item, DStream) for item in argument):
        return type(argument)(map(_refer, argument))
    return argument


def _place() -> str:
    """Where the user's program is."""
    frame = sys._getframe(1)
    while frame.f_back is not None and frame.f_globals.get("__name__", "").startswith("tidemill.pyspark."):
        frame = frame.f_back
    return f"{frame.f_code.co_filename}:{frame.f_lineno}"


def noted(method: Method) -> Method:
    """A method of a context or a stream whose calls are part of the program."""

    @functools.wraps(method)
    def note(self: Any, *arguments: Any, **keywords: Any) -> Any:
        plan: Plan = self._ssc._plan
        if plan.busy or plan.closed:
            return method(self, *arguments, **keywords)
        with plan.inside():
            given = method(self, *arguments, **keywords)
        step = plan.note(self, method.__name__, arguments, keywords)
        if getattr(given, "_step", 0) is None:
            given._step = step
        return given

    return cast(Method, note)


def declares(method: Method) -> Method:
    """As `noted`, of a method that declares something, which is refused after start."""
    note = noted(method)

    @functools.wraps(method)
    def declare(self: Any, *arguments: Any, **keywords: Any) -> Any:
        self._ssc._refuse_declarations()
        return note(self, *arguments, **keywords)

    return cast(Method, declare)


def replay(context: StreamingContext, steps: list[Step]) -> None:
    """Makes the calls again, on another context."""
    given: list[Any] = []

    def resolve(argument: Any) -> Any:
        if isinstance(argument, StreamRef):
            return given[argument.step]
        if isinstance(argument, (list, tuple)) and any(isinstance(item, StreamRef) for item in argument):
            return type(argument)(map(resolve, argument))
        return argument

    for step in steps:
        context._plan.replayed = step.place
        target = context if step.target is None else given[step.target]
        keywords = {name: resolve(value) for name, value in step.keywords.items()}
        given.append(getattr(target, step.method)(*map(resolve, step.arguments), **keywords))
    context._plan.replayed = None
