"""Pickling of functions by value that keeps where their code is from.

cloudpickle writes "<dynamic-code>" in place of the name of the file, so that equal functions have equal pickles; then a
traceback of a worker could not name, nor show, the line of the program that failed.
"""

from __future__ import annotations

import io
from types import CodeType
from typing import Any

import cloudpickle

UNNAMED = "<dynamic-code>"


def _code(code: CodeType) -> tuple[Any, ...]:
    make, arguments = cloudpickle.Pickler.dispatch_table[CodeType](code)
    return make, tuple(code.co_filename if argument == UNNAMED else argument for argument in arguments)


class Pickler(cloudpickle.Pickler):  # type: ignore[misc]
    """cloudpickle's, with the names of files."""

    dispatch_table = cloudpickle.Pickler.dispatch_table.new_child({CodeType: _code})


def dumps(value: Any) -> bytes:
    """A value as bytes, with what it needs of the main script."""
    file = io.BytesIO()
    Pickler(file, 5).dump(value)
    return file.getvalue()
