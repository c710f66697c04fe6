"""Decorators that programs import from the package."""

from __future__ import annotations

import functools
import types
from collections.abc import Callable
from typing import Any, TypeVar, cast

F = TypeVar("F", bound=Callable[..., Any])


def since(version: str | float) -> Callable[[F], F]:
    """A decorator that adds to a docstring since which version there is a function.

    >>> @since("1.0")
    ... def f():
    ...     '''Does something.'''
    >>> f.__doc__
    'Does something.\\n\\n.. versionadded:: 1.0'
    """

    def decorate(f: F) -> F:
        f.__doc__ = f"{(f.__doc__ or '').rstrip()}\n\n.. versionadded:: {version}"
        return f

    return decorate


def copy_func(f: F, name: str | None = None, sinceversion: str | float | None = None, doc: str | None = None) -> F:
    """A copy of a function, with another name, version or docstring.

    >>> copy_func(lambda: 1, name="one").__name__
    'one'
    """
    assert isinstance(f, types.FunctionType), "only a function written in Python can be copied"
    copied = types.FunctionType(f.__code__, f.__globals__, name or f.__name__, f.__defaults__, f.__closure__)
    copied.__doc__ = f.__doc__ if doc is None else doc
    if sinceversion is not None:
        copied = since(sinceversion)(copied)
    return cast(F, copied)


def keyword_only(func: F) -> F:
    """A decorator for methods whose arguments are all given by name; the call finds them in `self._input_kwargs`.

    >>> class Model:
    ...     @keyword_only
    ...     def fit(self, **given):
    ...         return self._input_kwargs
    >>> Model().fit(depth=2)
    {'depth': 2}
    """

    @functools.wraps(func)
    def call(self: Any, *args: Any, **kwargs: Any) -> Any:
        if args:
            raise TypeError(f"{func.__name__} takes its arguments by name only")
        self._input_kwargs = kwargs
        return func(self, **kwargs)

    return cast(F, call)
