"""What a function of the user's takes along with it, and what of that cannot go into a task.

PySpark finds this out by pickling every function. Here a function that stays in the process is only looked at: its
closure, its defaults and the globals that it reads, the way cloudpickle would follow them.
"""

from __future__ import annotations

import dis
import functools
import pickle
import sys
import types
import weakref
from collections.abc import Callable, Iterable, Iterator
from typing import Any

DEPTH = 6
MOST_VALUES = 500
_checked: weakref.WeakSet[types.FunctionType] = weakref.WeakSet()


def is_importable(function: types.FunctionType) -> bool:
    """Whether a pickle names the function instead of containing it."""
    module = sys.modules.get(function.__module__ or "")
    if module is None or module.__name__ == "__main__":
        return False
    found: Any = module
    for part in function.__qualname__.split("."):
        found = getattr(found, part, None)
    return found is function


def _codes(code: types.CodeType) -> Iterator[types.CodeType]:
    yield code
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            yield from _codes(constant)


def _reads_global(function: types.FunctionType, name: str) -> bool:
    """Whether the name is that of a global, and not of an attribute."""
    return any(
        instruction.opname.startswith("LOAD_GLOBAL") and instruction.argval == name
        for code in _codes(function.__code__)
        for instruction in dis.get_instructions(code)
    )


def captured(function: types.FunctionType) -> Iterator[tuple[str, Any]]:
    """The names and values of what a function takes along."""
    for name, cell in zip(function.__code__.co_freevars, function.__closure__ or ()):
        try:
            yield name, cell.cell_contents
        except ValueError:
            continue
    for value in function.__defaults__ or ():
        yield "a default", value
    names = {name for code in _codes(function.__code__) for name in code.co_names}
    for name in names & function.__globals__.keys():
        value = function.__globals__[name]
        if not isinstance(value, (types.ModuleType, type)):
            yield name, value


def _inside(value: Any) -> Iterable[tuple[str, Any]]:
    """What a value that is no function takes along, one level deep."""
    if isinstance(value, functools.partial):
        return [("a partial", part) for part in (value.func, *value.args, *value.keywords.values())]
    if isinstance(value, types.MethodType):
        return [("the method's object", value.__self__), ("the method", value.__func__)]
    if type(value) in (list, tuple, set) and len(value) <= 32:
        return [("an item", item) for item in value]
    if type(value) is dict and len(value) <= 32:
        return [(str(key), item) for key, item in value.items()]
    if type(value).__module__ == "builtins" or isinstance(value, (type, types.ModuleType)):
        return []
    try:
        return list(object.__getattribute__(value, "__dict__").items())
    except AttributeError:
        return []


def _own_refusal(value: Any) -> str | None:
    """Why a value cannot go into a task: what its class has a method `_refusal` for lives on the driver alone."""
    refusal = getattr(type(value), "_refusal", None)
    return None if refusal is None else refusal(value)


def _refusal(value: Any, depth: int, seen: set[int]) -> tuple[str, str] | None:
    """The first thing within that must not go into a task: its name, and why."""
    if depth == 0 or id(value) in seen or len(seen) > MOST_VALUES:
        return None
    seen.add(id(value))
    is_function = isinstance(value, types.FunctionType)
    if is_function and (value in _checked or is_importable(value)):
        return None
    for name, part in captured(value) if is_function else _inside(value):
        why = _own_refusal(part)
        found = (name, why) if why else _refusal(part, depth - 1, seen)
        if found is None or (is_function and name in value.__globals__ and not _is_really_read(value, name)):
            continue
        return found
    if is_function:
        _checked.add(value)
    return None


def _is_really_read(function: types.FunctionType, name: str) -> bool:
    return name in function.__code__.co_freevars or _reads_global(function, name)


def check(function: Any) -> None:
    """Raises pickle.PicklingError if the function takes along what lives on the driver alone."""
    if isinstance(function, (types.BuiltinFunctionType, type)):
        return
    found = _refusal(function, DEPTH, set())
    if found is not None:
        name, why = found
        called = getattr(function, "__name__", repr(function))
        raise pickle.PicklingError(
            f'Could not serialize object: PySparkRuntimeError: {why} (the variable "{name}" of the function "{called}")'
        )


def dumped(command: Any, dumps: Callable[[Any], bytes]) -> bytes:
    """The command as bytes. Where that fails, pickle.PicklingError names the variable that cannot be pickled."""
    try:
        return dumps(command)
    except Exception as error:
        name = unpicklable(command, dumps)
        where = f' (the variable "{name}")' if name else ""
        text = f"Could not serialize object: {type(error).__name__}: {error}{where}"
        raise pickle.PicklingError(text) from error


def unpicklable(value: Any, dumps: Callable[[Any], bytes], depth: int = DEPTH) -> str | None:
    """The name of the innermost thing within that cannot be pickled."""
    if depth == 0:
        return None
    parts = captured(value) if isinstance(value, types.FunctionType) else _inside(value)
    for name, part in parts:
        try:
            dumps(part)
        except Exception:
            return unpicklable(part, dumps, depth - 1) or name
    return None
