"""The values of a key."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, TypeVar

T = TypeVar("T")


class ResultIterable(Iterable[T]):
    """Values that can be gone through again and again, and counted; they have no index.

    >>> values = ResultIterable([1, 2])
    >>> list(values), len(values)
    ([1, 2], 2)
    """

    def __init__(self, data: Any) -> None:
        self.data = data
        self.index = 0
        self.maxindex = len(data)

    def __iter__(self) -> Iterator[T]:
        return iter(self.data)

    def __len__(self) -> int:
        return len(self.data)
