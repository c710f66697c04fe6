"""Who decides which partition a key lives in."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cached_property, partial
from itertools import chain, count, repeat
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

from tidemill import _native
from tidemill.pyspark._ops import Block, first

if TYPE_CHECKING:
    from tidemill.pyspark._task import Source


def portable_hash(x: Any) -> int:
    """The hash that places keys, the same in every process (PySpark's with PYTHONHASHSEED=0).

    >>> portable_hash((None, 1)), portable_hash("hello")
    (3430028580079870073, -2096571579003691106)
    """
    return _native.portable_hash(x)


class Numbers:
    """Numbers of functions that place keys, under which the engine tells them apart; 0 is `portable_hash`."""

    def __init__(self) -> None:
        self._known: WeakKeyDictionary[Callable[[Any], int], int] = WeakKeyDictionary()
        self._known[portable_hash] = 0
        self._next = count(1)

    def of(self, function: Callable[[Any], int]) -> int:
        try:
            return self._known.setdefault(function, next(self._next))
        except TypeError:
            # One that nothing can be noted about is like no other.
            return next(self._next)


_numbers = Numbers()


class Partitioner:
    """Places a key in one of `numPartitions` partitions, by the remainder of `partitionFunc(key)`.

    >>> Partitioner(3, int)(7)
    1
    """

    def __init__(self, numPartitions: int, partitionFunc: Callable[[Any], int]) -> None:
        self.numPartitions = numPartitions
        self.partitionFunc = partitionFunc

    @cached_property
    def placement(self) -> int:
        """The number of the function."""
        return _numbers.of(self.partitionFunc)

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, Partitioner)
            and self.numPartitions == other.numPartitions
            and self.partitionFunc == other.partitionFunc
        )

    def __hash__(self) -> int:
        return hash((self.numPartitions, self.partitionFunc))

    def __call__(self, k: Any) -> int:
        return self.partitionFunc(k) % self.numPartitions


Routed = Iterable[tuple[int, Block]]


@dataclass(frozen=True)
class Route:
    """Sorts pairs out by the partition of their keys; made of what `prepare(source)` gives, if that is given.

    If records may have more than two parts the first two are the pair.
    """

    partitions: int
    function: Callable[[Any], int] = portable_hash
    prepare: Callable[[Source], Iterable[Any]] | None = None
    may_have_more: bool = False

    def __call__(self, split: int, source: Source) -> Routed:
        pairs = source.records() if self.prepare is None else self.prepare(source)
        if self.function is portable_hash:
            return _native.by_partition(pairs, self.partitions, self.may_have_more)
        return self._by_function(pairs)

    def _by_function(self, pairs: Iterable[Any]) -> Routed:
        place, partitions = self.function, self.partitions
        routed: dict[int, Block] = {}
        for key, value in pairs:
            partition = place(key) % partitions
            if partition in routed:
                routed[partition].append((key, value))
            else:
                routed[partition] = [(key, value)]
        return routed.items()


@dataclass(frozen=True)
class RangeRoute:
    """Sorts pairs out by which of the sorted bounds their keys are between."""

    bounds: list[Any]
    key: Callable[[Any], Any] | None
    is_ascending: bool

    def place(self, key: Any) -> int:
        """The partition of a key."""
        place = bisect_left(self.bounds, key if self.key is None else self.key(key))
        return place if self.is_ascending else len(self.bounds) - place

    def __call__(self, split: int, source: Source) -> Routed:
        last = len(self.bounds)
        routed: list[Block] = [[] for _ in range(last + 1)]
        for block in source.blocks():
            keys = map(first, block)
            places = map(bisect_left, repeat(self.bounds), keys if self.key is None else map(self.key, keys))
            for place, (key, value) in zip(places, block):
                routed[place].append((key, value))
        numbered = enumerate(routed) if self.is_ascending else ((last - i, block) for i, block in enumerate(routed))
        return [(partition, block) for partition, block in numbered if block]


BATCH_RECORDS = 10


def _batches(records: Iterable[Any], size: int) -> Iterable[Block]:
    from itertools import islice

    records = iter(records)
    return iter(partial(lambda it: list(islice(it, size)), records), [])


@dataclass(frozen=True)
class RoundRobin:
    """Deals batches of ten records out in turn, from a start that depends on the partition: as PySpark does, whose
    engine sees the pickled batches only."""

    partitions: int

    def __call__(self, split: int, source: Source) -> Routed:
        start = XorShift(split).below(self.partitions)
        routed: dict[int, list[Block]] = {}
        for number, batch in enumerate(_batches(source.records(), BATCH_RECORDS), start + 1):
            routed.setdefault(number % self.partitions, []).append(batch)
        return [(partition, list(chain.from_iterable(batches))) for partition, batches in routed.items()]


_MASK_32 = (1 << 32) - 1
_MASK_64 = (1 << 64) - 1


def _murmur3(data: bytes, seed: int) -> int:
    """MurmurHash3 for 32 bits, of bytes whose number divides by four."""
    h = seed
    for start in range(0, len(data), 4):
        k = int.from_bytes(data[start : start + 4], "little") * 0xCC9E2D51 & _MASK_32
        k = (k << 15 | k >> 17) & _MASK_32
        h ^= k * 0x1B873593 & _MASK_32
        h = (h << 13 | h >> 19) & _MASK_32
        h = h * 5 + 0xE6546B64 & _MASK_32
    h ^= len(data)
    h = (h ^ h >> 16) * 0x85EBCA6B & _MASK_32
    h = (h ^ h >> 13) * 0xC2B2AE35 & _MASK_32
    return h ^ h >> 16


class XorShift:
    """The generator that Spark starts a repartitioning with."""

    ARRAY_SEED = 0x3C074A61

    def __init__(self, seed: int) -> None:
        data = seed.to_bytes(8, "big", signed=True)
        low = _murmur3(data, self.ARRAY_SEED)
        self._state = _murmur3(data, low) << 32 | low

    def _next(self, bits: int) -> int:
        state = self._state
        state ^= state << 21 & _MASK_64
        state ^= state >> 35
        state ^= state << 4 & _MASK_64
        self._state = state
        return state & (1 << bits) - 1

    def below(self, bound: int) -> int:
        """A number from 0 up to the bound, as java.util.Random makes it of its bits."""
        bits = self._next(31)
        if bound & bound - 1 == 0:
            return bound * bits >> 31
        while bits - bits % bound + bound - 1 > 0x7FFFFFFF:
            bits = self._next(31)
        return bits % bound
