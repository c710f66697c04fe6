"""Functions of users that the engine knows by what they are written like, so that it need not call them."""

from __future__ import annotations

import inspect
import operator
import types
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from tidemill.pyspark._ops import Step

_NAMES: dict[Any, str] = {operator.add: "add", min: "min", max: "max"}
_INT_BITS = 64

UNLIKE_LAMBDA = (
    inspect.CO_VARARGS
    | inspect.CO_VARKEYWORDS
    | inspect.CO_GENERATOR
    | inspect.CO_COROUTINE
    | inspect.CO_ITERABLE_COROUTINE
    | inspect.CO_ASYNC_GENERATOR
)


class _Template:
    """Functions written as `example` is, with other names, and perhaps another constant in place of `constant`."""

    def __init__(self, example: Callable[..., Any], constant: Any = None) -> None:
        self._code = example.__code__
        self._constant = constant
        held = self._code.co_consts
        self._place = held.index(constant) if constant is not None and constant in held else None

    def constant_of(self, function: Any) -> Any:
        """The constant that stands in the function; None if that is written in another way."""
        if not isinstance(function, types.FunctionType) or function.__defaults__ or function.__kwdefaults__:
            return None
        code, like = function.__code__, self._code
        if code.co_code != like.co_code or code.co_names != like.co_names or code.co_flags & UNLIKE_LAMBDA:
            return None
        if code.co_freevars or (code.co_argcount, code.co_posonlyargcount, code.co_kwonlyargcount, code.co_nlocals) != (
            like.co_argcount,
            0,
            0,
            like.co_nlocals,
        ):
            return None
        return self._constant if self._place is None else code.co_consts[self._place]


# True stands for "no constant".
_SUM = _Template(lambda a, b: a + b, True)
# Small numbers are part of the instruction since Python 3.14.
_PAIRS = (_Template(lambda x: (x, 1), 1), _Template(lambda x: (x, 1 << 40), 1 << 40))
_SPLIT = _Template(lambda x: x.split(), True)
_SPLIT_AT = _Template(lambda x: x.split(" "), " ")


def _is_sum(function: Any) -> bool:
    """Whether the function is written `lambda a, b: a + b`, with any names."""
    return _SUM.constant_of(function) is True


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


def paired_with(function: Any) -> int | None:
    """The number in a function that is written `lambda x: (x, 1)`.

    >>> paired_with(lambda word: (word, 1)), paired_with(lambda word: (word, word))
    (1, None)
    """
    for template in _PAIRS:
        constant = template.constant_of(function)
        if type(constant) is int and constant.bit_length() < _INT_BITS:
            return constant
    return None


class Split(NamedTuple):
    """A function that does what `str.split(separator)` does, to a str."""

    separator: str | None


def split(function: Any) -> Split | None:
    """How a function splits that is written `lambda x: x.split(" ")` or `lambda x: x.split()`, or is `str.split`.

    >>> split(lambda line: line.split(",")), split(str.split), split(str.lower)
    (Split(separator=','), Split(separator=None), None)
    """
    if function is str.split or _SPLIT.constant_of(function) is True:
        return Split(None)
    separator = _SPLIT_AT.constant_of(function)
    return Split(separator) if type(separator) is str and separator else None


class Words(NamedTuple):
    """The last of some steps: each word becomes a pair with a number, and perhaps lines become words before that."""

    number: int
    split: Split | None
    steps: int


def words(steps: Sequence[Step]) -> Words | None:
    """What the last steps do, if they are known."""
    from tidemill.pyspark import _ops

    number = paired_with(steps[-1].function) if steps and steps[-1].lift is _ops.lift_map else None
    if number is None:
        return None
    how = split(steps[-2].function) if len(steps) > 1 and steps[-2].lift is _ops.lift_flat_map else None
    return Words(number, how, 1 if how is None else 2)
