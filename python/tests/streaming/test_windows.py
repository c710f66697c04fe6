"""Windows, by tables of input batches and expected batches; a batch is a second."""

import operator
from typing import Any

import pytest

from tidemill.pytest_plugin import StreamTest

from test_batches import run


def test_window(stream: StreamTest) -> None:
    batches = run(stream, lambda s: s.window(2, 1), [[1], [2], [3]], ticks=5)
    assert batches == [[1], [1, 2], [2, 3], [3], []]


def test_tumbling_window(stream: StreamTest) -> None:
    assert run(stream, lambda s: s.window(2, 2), [[1], [2], [3], [4], [5]], ticks=6) == [[1, 2], [3, 4], [5]]


def test_window_slides_as_its_stream_by_default(stream: StreamTest) -> None:
    assert run(stream, lambda s: s.window(3), [[1], [2]], ticks=4) == [[1], [1, 2], [1, 2], [2]]


ONES = [[("a", 1)], [("b", 1)], [("a", 1), ("b", 1)], []]
SHORT = [
    [("a", 1)],
    [("a", 1), ("b", 1)],
    [("a", 1), ("b", 2)],
    [("a", 1), ("b", 1)],
    [],
]


@pytest.mark.parametrize("inverse", [None, operator.sub], ids=["recomputed", "inverse"])
@pytest.mark.parametrize("add", [operator.add, lambda a, b: a + b], ids=["operator", "lambda"])
def test_short_window_loses_keys_with_their_records(stream: StreamTest, inverse: Any, add: Any) -> None:
    batches = run(stream, lambda s: s.reduceByKeyAndWindow(add, inverse, 2, 1), ONES, ticks=5)
    assert [sorted(batch) for batch in batches] == SHORT


def test_long_window_with_an_inverse(stream: StreamTest) -> None:
    inputs = [[("a", 1)], [("b", 2)], [], [], [], [("b", 5)]]
    batches = run(stream, lambda s: s.reduceByKeyAndWindow(operator.add, operator.sub, 5, 1), inputs, ticks=7)
    assert [dict(batch).get("b", 0) for batch in batches] == [0, 2, 2, 2, 2, 7, 5]
    assert [dict(batch).get("a", 0) for batch in batches] == [1, 1, 1, 1, 1, 0, 0]


@pytest.mark.xfail(strict=True, reason="a key leaves the engine's windows with its last record")
def test_long_window_keeps_keys_as_spark_does(stream: StreamTest) -> None:
    batches = run(
        stream, lambda s: s.reduceByKeyAndWindow(operator.add, operator.sub, 5, 1), [[("a", 1)], [("b", 1)]], ticks=6
    )
    assert sorted(batches[5]) == [("a", 0), ("b", 1)]


def test_filter_of_a_window_with_an_inverse(stream: StreamTest) -> None:
    def build(s: Any) -> Any:
        return s.reduceByKeyAndWindow(operator.add, operator.sub, 5, 1, filterFunc=lambda pair: pair[1] > 0)

    batches = run(stream, build, [[("a", 1)], [("b", 1)]], ticks=7)
    assert [sorted(batch) for batch in batches[4:]] == [[("a", 1), ("b", 1)], [("b", 1)], []]


def test_filter_means_nothing_without_an_inverse(stream: StreamTest) -> None:
    def build(s: Any) -> Any:
        return s.reduceByKeyAndWindow(operator.add, None, 2, filterFunc=lambda pair: False)

    assert run(stream, build, [[("a", 1)]]) == [[("a", 1)]]


@pytest.mark.parametrize("inverse", [None, operator.sub], ids=["recomputed", "inverse"])
@pytest.mark.parametrize("window", [2, 5])
def test_reduce_by_window(stream: StreamTest, inverse: Any, window: int) -> None:
    batches = run(stream, lambda s: s.reduceByWindow(operator.add, inverse, window, 1), [[1, 2], [3]], ticks=2)
    assert batches == [[3], [6]]


def test_count_by_window(stream: StreamTest) -> None:
    assert run(stream, lambda s: s.countByWindow(2, 1), [[], ["x", "y"], ["z"]], ticks=4) == [[], [2], [3], [1]]


@pytest.mark.parametrize("window", [2, 5])
def test_count_by_value_and_window(stream: StreamTest, window: int) -> None:
    batches = run(stream, lambda s: s.countByValueAndWindow(window, 1), [["x", "y"], ["x"]], ticks=7)
    assert sorted(batches[1]) == [("x", 2), ("y", 1)]
    assert batches[6] == []


@pytest.mark.parametrize("window", [2, 5])
def test_group_by_key_and_window(stream: StreamTest, window: int) -> None:
    batches = run(
        stream,
        lambda s: s.groupByKeyAndWindow(window, 1).mapValues(list).filter(lambda pair: pair[1]),
        [[("a", 1), ("a", 2)], [("a", 3)]],
        ticks=7,
    )
    assert batches[1] == [("a", [1, 2, 3])]
    assert batches[window] == [("a", [3])]
    assert batches[6] == []


@pytest.mark.parametrize(
    ("window", "slide", "name"), [(1.5, 1, "windowDuration"), (2, 1.5, "slideDuration"), (0.3, None, "windowDuration")]
)
def test_durations_must_fit(stream: StreamTest, window: float, slide: float | None, name: str) -> None:
    source = stream.input()
    with pytest.raises(ValueError, match=rf"{name} must be multiple of the slide duration \(1000 ms\)"):
        source.window(window, slide)
    with pytest.raises(ValueError, match=name):
        source.reduceByKeyAndWindow(operator.add, None, window, slide)


def test_streams_of_different_slides_have_no_union(stream: StreamTest) -> None:
    a, b = stream.input(), stream.input().window(2, 2)
    with pytest.raises(ValueError, match="same slide duration"):
        a.union(b)
    with pytest.raises(ValueError, match="same slide duration"):
        stream.ssc.union(a, b)
    assert (a._slideDuration, b._slideDuration, b.map(str)._slideDuration) == (1.0, 2.0, 2.0)


def partitions(test: StreamTest, make: Any, *batches: list[Any]) -> list[list[Any]]:
    """The partitions of each batch of what `make` makes of a stream."""
    source = test.input(1)
    seen: list[list[Any]] = []
    make(source).foreachRDD(lambda rdd: seen.append(rdd.glom().collect()))
    for batch in batches:
        source.push(*batch)
        test.tick()
    return seen


SUMS = ([(0, 1), (1, 2), (0, 3)], [(0, 5)])
MERGED = [[(0, 4), (0, 5)], [(1, 2)]]


@pytest.mark.parametrize(
    "make",
    [
        lambda sums: sums.window(2),
        lambda sums: sums.mapValues(lambda n: n).filter(lambda _: True).window(2),
        lambda sums: sums.union(sums.filter(lambda pair: False)).window(2),
        lambda sums: sums.window(1).window(2),
        lambda sums: sums.transformWith(lambda a, b: a.union(b), sums.filter(lambda _: False)).window(2),
    ],
    ids=["window", "kept", "union", "windows", "transformWith"],
)
def test_what_is_placed_alike_is_merged(stream: StreamTest, make: Any) -> None:
    seen = partitions(stream, lambda s: make(s.reduceByKey(operator.add, 2)), *SUMS)
    assert seen == [[[(0, 4)], [(1, 2)]], MERGED]


def test_states_are_merged_with_what_is_placed_alike(stream: StreamTest) -> None:
    def both(pairs: Any) -> Any:
        states = pairs.updateStateByKey(lambda new, old: sum(new) + (old or 0), 2)
        return states.union(pairs.reduceByKey(operator.add, 2))

    assert partitions(stream, both, *SUMS)[1] == [[(0, 9), (0, 5)], [(1, 2)]]


def test_what_a_map_may_have_changed_is_not_merged(stream: StreamTest) -> None:
    seen = partitions(stream, lambda s: s.reduceByKey(operator.add, 2).map(lambda pair: pair).window(2), *SUMS)
    assert seen[1] == [[(0, 4)], [(1, 2)], [(0, 5)], []]
