"""Functions of users that the engine knows, so that it need not call them."""

from __future__ import annotations

import inspect
import operator
import types
from collections.abc import Callable
from typing import Any

_NAMES: dict[Any, str] = {operator.add: "add", min: "min", max: "max"}


UNLIKE_SUM = (
    inspect.CO_VARARGS
    | inspect.CO_VARKEYWORDS
    | inspect.CO_GENERATOR
    | inspect.CO_COROUTINE
    | inspect.CO_ITERABLE_COROUTINE
    | inspect.CO_ASYNC_GENERATOR
)


def _sum_of(a: Any, b: Any) -> Any:
    return a + b


def _is_sum(function: Any) -> bool:
    """Whether the function is written `lambda a, b: a + b`, with any names."""
    if not isinstance(function, types.FunctionType) or function.__defaults__ or function.__kwdefaults__:
        return False
    code = function.__code__
    arguments = code.co_argcount, code.co_posonlyargcount, code.co_kwonlyargcount, code.co_nlocals
    return code.co_code == _sum_of.__code__.co_code and arguments == (2, 0, 0, 2) and not code.co_flags & UNLIKE_SUM


def known(function: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
    """`operator.add` for a function that only adds; else the function itself."""
    return operator.add if _is_sum(function) else function


def merge(function: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any] | str:
    """The name by which the engine knows the function; else the function itself.

    >>> merge(lambda total, one: total + one), merge(min)
    ('add', 'min')
    """
    function = known(function)
    try:
        return _NAMES.get(function, function)
    except TypeError:
        return function
