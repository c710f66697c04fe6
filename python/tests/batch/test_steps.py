"""Steps, blocks, and what is kept frozen."""

from collections import namedtuple
from collections.abc import Iterator
from typing import Any

import pytest

from tidemill.pyspark import Row, _ops
from tidemill.pyspark._ops import Step

Point = namedtuple("Point", "x y")
LENGTHS = [16, 32, 64, 128, 256, 512, 1024, 1024]


def test_blocks_grow() -> None:
    assert [len(block) for block in _ops.cut(iter(range(sum(LENGTHS))))] == LENGTHS
    assert list(_ops.cut([1, 2])) == [[1, 2]]
    assert list(_ops.cut([])) == list(_ops.cut(iter([]))) == []


def test_blocks_come_before_all_records_are_there() -> None:
    def records() -> Iterator[int]:
        yield from range(16)
        raise AssertionError("nobody asked for more")

    assert next(iter(_ops.cut(records()))) == list(range(16))


@pytest.mark.parametrize(
    ("records", "is_immutable"),
    [
        ([1, "a", None, 2.5, b"", True, 1j], True),
        ([(1, "a"), (2, ("b",))], True),
        ([Point(1, 2), Row(a=1)], True),
        ([], True),
        ([[1]], False),
        ([(1, [2])], False),
        ([Point(1, {})], False),
        ([(((([],),),),)], False),
        ([{"a": 1}], False),
        ([object()], False),
    ],
)
def test_what_can_change_in_place_is_frozen(records: list[Any], is_immutable: bool) -> None:
    assert _ops.is_immutable(records) == is_immutable
    kept = _ops.frozen(records)
    assert (kept is records) == is_immutable
    if is_immutable:
        assert _ops.thawed(kept) is records


def test_what_is_frozen_is_another_each_time() -> None:
    kept = _ops.frozen([[1]])
    first, second = _ops.thawed(kept), _ops.thawed(kept)
    assert first == second == [[1]] and first[0] is not second[0]


def test_what_cannot_be_pickled_is_kept_as_it_is() -> None:
    records = [lambda: None]
    assert _ops.frozen(records) is records


def test_steps_run_one_after_another() -> None:
    steps = (
        Step("map", _ops.lift_map, lambda x: x + 1),
        Step("part", _ops.lift_partition, lambda split, records: [split, *records]),
        Step("filter", _ops.lift_filter, lambda x: x > 1),
    )
    assert list(_ops.iterate(steps, 7, [[0, 1], [], [2]])) == [7, 2, 3]
    assert list(_ops.iterate((), 7, [[0, 1], [2]])) == [0, 1, 2]


def test_a_list_of_the_last_step_stays_one_block() -> None:
    made = list(range(5000))
    steps = (Step("part", _ops.lift_partition, lambda split, records: made),)
    assert list(_ops.cut(_ops.iterate(steps, 0, [[1]])))[0] is made
