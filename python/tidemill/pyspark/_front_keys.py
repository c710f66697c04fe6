"""Keys of the configuration that are of the Python front: the engine does not know them."""

from __future__ import annotations

import difflib
import math
from collections.abc import Callable, Mapping

WORKERS = "tidemill.python.workers"
SETUP_AGAIN = "tidemill.python.setupAgain"
# The engine's: whether a start leaves behind what its checkpoint remembers. Here that depends on how the context is made.
AFRESH = "tidemill.checkpoint.afresh"
BATCH_DURATION = "tidemill.streaming.batchDuration"
# All keys that begin so are of the front.
PREFIXES = ("tidemill.python.", "tidemill.streaming.")


def _is_count(value: str) -> bool:
    return value.isascii() and value.isdigit() and int(value) > 0


def _is_flag(value: str) -> bool:
    return value in ("true", "false")


def _is_duration(value: str) -> bool:
    try:
        return 0 < float(value) < math.inf
    except ValueError:
        return False


# What a value must be, in words and as a check.
KEYS: dict[str, tuple[str, Callable[[str], bool]]] = {
    WORKERS: ("a whole number from 1 on", _is_count),
    SETUP_AGAIN: ('"true" or "false"', _is_flag),
    BATCH_DURATION: ("a number of seconds", _is_duration),
}


def check(conf: Mapping[str, str]) -> None:
    """ValueError for a key of the front that there is not, and for a value that it cannot have."""
    for key, value in conf.items():
        if key in KEYS:
            expected, is_right = KEYS[key]
            if not is_right(value):
                raise ValueError(f'the value "{value}" of "{key}" cannot be used: expected {expected}')
        elif key.startswith(PREFIXES):
            near = difflib.get_close_matches(key, KEYS, 1)
            raise ValueError(f'there is no key "{key}"' + (f'; did you mean "{near[0]}"?' if near else ""))
