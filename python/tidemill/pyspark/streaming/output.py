"""Outputs that print and save."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from tidemill import _native
from tidemill.pyspark.streaming.util import to_datetime

if TYPE_CHECKING:
    from tidemill.pyspark.rdd import RDD

RULE = "-" * 43


def layout(time: object, records: list[Any], num: int) -> str:
    """What is printed of a batch whose first `num + 1` records these are.

    >>> print(layout("2026-11-22 13:26:23", [("a", 1), "b"], 1), end="")
    -------------------------------------------
    Time: 2026-11-22 13:26:23
    -------------------------------------------
    ('a', 1)
    ...
    <BLANKLINE>
    """
    lines = [RULE, f"Time: {time}", RULE, *map(str, records[:num])]
    if len(records) > num:
        lines.append("...")
    return "\n".join([*lines, "", ""])


def printing(num: int) -> Callable[[int, RDD[Any]], None]:
    """An output that prints the first records of a batch, all at once, so that nothing comes between."""

    def show(time: int, rdd: RDD[Any]) -> None:
        text = layout(to_datetime(time), rdd.take(num + 1), num)
        try:
            sys.stdout.write(text)
            sys.stdout.flush()
        except BrokenPipeError:
            # Whoever read has enough (`| head`): the program ends, and there is nothing to be said about it.
            _native.set_log_level("OFF")
            raise

    return show
