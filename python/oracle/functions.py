"""The functions that pipelines name. Both sides import this module, so that only names travel between the processes."""

import operator
from collections.abc import Callable, Hashable, Iterable, Iterator
from typing import Any


def double(x: Any) -> Any:
    """Of any record a record of the same type."""
    return x if x is None else x + x


def unchanged(x: Any) -> Any:
    return x


def is_odd(x: Any) -> bool:
    """About half of all records, of whatever type, the same in every process."""
    return len(repr(x)) % 2 == 1


def length(x: Any) -> int:
    return len(repr(x))


def pair_by_length(x: Any) -> tuple[int, Any]:
    return (len(repr(x)) % 3, x)


def pair_with_one(x: Any) -> tuple[Any, int]:
    return (x, 1)


def swap(pair: tuple[Any, Any]) -> tuple[Any, Any]:
    return (pair[1], pair[0])


def twice(x: Any) -> list[Any]:
    return [x, x]


def as_often_as_long(x: Any) -> Iterator[Any]:
    return (x for _ in range(len(repr(x)) % 3))


def characters(x: Any) -> str:
    return str(x)


def first_two(records: Iterator[Any]) -> Iterator[Any]:
    for _, record in zip(range(2), records):
        yield record


def number_of(records: Iterator[Any]) -> list[int]:
    return [sum(1 for _ in records)]


def with_partition(partition: int, records: Iterator[Any]) -> Iterator[tuple[int, Any]]:
    return ((partition, record) for record in records)


def one_list(records: Iterator[Any]) -> list[list[Any]]:
    return [list(records)]


def larger(a: Any, b: Any) -> Any:
    return a if a >= b else b


def add(a: Any, b: Any) -> Any:
    return a + b


def subtract(a: Any, b: Any) -> Any:
    return a - b


def left(a: Any, b: Any) -> Any:
    return a


def listed(x: Any) -> list[Any]:
    return [x]


def append(xs: list[Any], x: Any) -> list[Any]:
    return [*xs, x]


def extend(xs: list[Any], more: list[Any]) -> list[Any]:
    xs.extend(more)
    return xs


def count_in(n: int, x: Any) -> int:
    return n + 1


def negated_repr(x: Any) -> tuple[int, ...]:
    """An order that is not the natural one."""
    return tuple(-ord(c) for c in repr(x))


def place_by_length(key: Hashable) -> int:
    return len(repr(key))


def fails_on_odd(x: Any) -> Any:
    if is_odd(x):
        raise KeyError("odd")
    return x


def running_sum(values: list[Any], state: Any) -> Any:
    return sum(values) + (state or 0)


def forgetful_sum(values: list[Any], state: Any) -> Any:
    """Drops keys that got nothing."""
    return sum(values) + (state or 0) if values else None


def seen(values: list[Any], state: Any) -> Any:
    """How often the function was called for the key, and with how many values."""
    return [*(state or []), len(values)]


def positive(pair: tuple[Any, int]) -> bool:
    return pair[1] > 0


def unordered(values: Iterable[Any]) -> list[Any]:
    """Values whose order Spark leaves open, in an order."""
    return sorted(values, key=repr)


def unordered_groups(groups: tuple[Iterable[Any], ...]) -> list[list[Any]]:
    return [unordered(group) for group in groups]


NAMED: dict[str, Callable[..., Any]] = {
    "operator.add": operator.add,
    "min": min,
    "max": max,
    "str": str,
    "repr": repr,
    "lambda add": lambda a, b: a + b,
    "lambda one": lambda x: (x, 1),
    **{name: found for name, found in list(globals().items()) if callable(found) and name[0].islower()},
}


def named(name: str | None) -> Callable[..., Any] | None:
    return None if name is None else NAMED[name]
