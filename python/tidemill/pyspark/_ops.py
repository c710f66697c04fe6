"""What is done to the records of a partition: steps that are put together lazily and run in one go.

A step takes an iterator of records and gives one. Steps on single records are made of `map`, `filter` and `chain`, so
that between two calls of a user's function no bytecode of ours runs.
"""

from __future__ import annotations

import pickle
from collections.abc import Callable, Iterable, Iterator
from itertools import chain, islice, repeat, tee
from operator import itemgetter
from typing import Any, NamedTuple

Records = Iterator[Any]
Block = list[Any]

FIRST_BLOCK_RECORDS = 16
LARGEST_BLOCK_RECORDS = 1024

first = itemgetter(0)
second = itemgetter(1)


class Step(NamedTuple):
    """One transformation within a stage: `lift(function, partition, records)` gives the records that come out."""

    name: str
    lift: Callable[[Any, int, Records], Iterable[Any]]
    function: Any


Steps = tuple[Step, ...]


def lift_map(f: Any, split: int, records: Records) -> Records:
    return map(f, records)


def lift_filter(f: Any, split: int, records: Records) -> Records:
    return filter(f, records)


def lift_flat_map(f: Any, split: int, records: Records) -> Records:
    return chain.from_iterable(map(f, records))


def lift_map_values(f: Any, split: int, records: Records) -> Records:
    keys, values = tee(records)
    return zip(map(first, keys), map(f, map(second, values)))


def lift_flat_map_values(f: Any, split: int, records: Records) -> Records:
    keys, values = tee(records)
    return chain.from_iterable(map(zip, map(repeat, map(first, keys)), map(f, map(second, values))))


def lift_key_by(f: Any, split: int, records: Records) -> Records:
    keyed, plain = tee(records)
    return zip(map(f, keyed), plain)


def lift_partition(f: Any, split: int, records: Records) -> Iterable[Any]:
    """A function of a whole partition, `f(split, records)`."""
    result: Iterable[Any] = f(split, records)
    return result


def _mark(ended: list[bool]) -> Records:
    """No record; notes that the records before it were all taken."""
    ended.append(True)
    return
    yield


def _verify(ended: list[bool]) -> Records:
    """No record; raises where a step stopped although there were records left for it."""
    if not ended:
        raise RuntimeError("a function of a task raised StopIteration, which would have cut its partition short")
    return
    yield


def iterate(steps: Steps, split: int, blocks: Iterable[Block]) -> Iterable[Any]:
    """The records of a partition after all steps: an iterator, or the list that the last step gave."""
    ended: list[bool] = []
    records: Iterable[Any] = chain.from_iterable(chain(blocks, _mark(ended)))
    unverified = False
    for number, step in enumerate(steps):
        if step.lift is not lift_partition:
            records, unverified = step.lift(step.function, split, iter(records)), True
            continue
        if unverified:
            records, unverified = chain(records, _verify(ended)), False
        records = step.lift(step.function, split, iter(records))
        if number + 1 < len(steps) and steps[number + 1].lift is not lift_partition:
            ended = []
            records = chain(records, _mark(ended))
    return chain(records, _verify(ended)) if unverified else records


def cut(records: Iterable[Any]) -> Iterator[Block]:
    """Records in blocks that grow, so that the first one is soon there and a large partition streams."""
    if type(records) is list:
        if records:
            yield records
        return
    records = iter(records)
    size = FIRST_BLOCK_RECORDS
    while block := list(islice(records, size)):
        yield block
        size = min(2 * size, LARGEST_BLOCK_RECORDS)


IMMUTABLE = frozenset((str, int, float, bool, bytes, complex, type(None)))


def is_immutable(records: Iterable[Any], depth: int = 3) -> bool:
    """Whether the records are plain values, or tuples of them, that no function can change in place."""
    records = records if isinstance(records, list) else list(records)
    types = set(map(type, records))
    if types <= IMMUTABLE:
        return True
    if depth == 0 or not all(issubclass(kind, tuple) for kind in types - IMMUTABLE):
        return False
    return is_immutable(chain.from_iterable(record for record in records if isinstance(record, tuple)), depth - 1)


class Frozen:
    """A block of records that a function could change in place, kept as bytes so that each job gets its own."""

    __slots__ = ("pickled",)

    def __init__(self, pickled: bytes) -> None:
        self.pickled = pickled

    def __reduce__(self) -> tuple[Any, ...]:
        return Frozen, (self.pickled,)


def frozen(block: Block) -> Block:
    """The block, or the bytes of it where its records can be changed in place and can be pickled."""
    if is_immutable(block):
        return block
    try:
        return [Frozen(pickle.dumps(block, pickle.HIGHEST_PROTOCOL))]
    except Exception:
        return block


def thawed(block: Block) -> Block:
    """The records of a block that was perhaps frozen."""
    if len(block) == 1 and type(block[0]) is Frozen:
        records: Block = pickle.loads(block[0].pickled)
        return records
    return block
