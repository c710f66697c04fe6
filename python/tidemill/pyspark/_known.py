"""Functions of users that the engine knows by what they are written like, so that it need not call them."""

from __future__ import annotations

import inspect
import operator
import re
import types
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from tidemill.pyspark._ops import Step

_NAMES: dict[Any, str] = {operator.add: "add", min: "min", max: "max"}
_INT_BITS = 64
_SURROGATE = re.compile("[\ud800-\udfff]")

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


class Known(str):
    """The name by which the engine knows a function, which it calls where it fails itself: for the function's error."""

    function: Callable[[Any, Any], Any]


def merge(function: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any] | Known:
    """The name by which the engine knows the function; else the function itself.

    >>> merge(lambda total, one: total + one), merge(min)
    ('add', 'min')
    """
    try:
        name = _NAMES.get(function)
    except TypeError:
        name = None
    # Written `lambda a, b: a + b`, with any names.
    if name is None and _SUM.constant_of(function) is True:
        name = "add"
    if name is None:
        return function
    known = Known(name)
    known.function = function
    return known


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
    # `split` refuses an empty one, and words are looked for in UTF-8.
    is_usable = type(separator) is str and separator and not _SURROGATE.search(separator)
    return Split(separator) if is_usable else None


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
