"""Functions of users that the engine knows, so that it need not call them."""

from __future__ import annotations

import operator
import types
from collections.abc import Callable
from typing import Any

_NAMES: dict[Any, str] = {operator.add: "add", min: "min", max: "max"}


def _sum_of(a: Any, b: Any) -> Any:
    return a + b


def _is_sum(function: Any) -> bool:
    """Whether the function is written `lambda a, b: a + b`, with any names."""
    if not isinstance(function, types.FunctionType) or function.__defaults__ or function.__kwdefaults__:
        return False
    code, model = function.__code__, _sum_of.__code__
    return (
        code.co_code == model.co_code
        and code.co_argcount == 2
        and code.co_nlocals == 2
        and code.co_flags == model.co_flags | (code.co_flags & 0x10)
        and code.co_posonlyargcount == code.co_kwonlyargcount == 0
    )


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
