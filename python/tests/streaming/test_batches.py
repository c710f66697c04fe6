"""What becomes of each batch: input batches and the batches expected of them, under a clock that stands still."""

import operator
from typing import Any

import pytest

from tidemill.pytest_plugin import StreamTest

PAIRS = [("a", 1), ("b", 2), ("a", 3)]


def run(stream: StreamTest, build: Any, *inputs: list[list[Any]], ticks: int | None = None) -> list[list[Any]]:
    """The batches of what `build` makes of streams of these inputs."""
    streams = [stream.input() for _ in inputs]
    out = stream.collect(build(*streams))
    for tick in range(ticks or max(map(len, inputs))):
        for source, batches in zip(streams, inputs):
            source.push(*(batches[tick] if tick < len(batches) else []))
        stream.tick()
    return out.batches


# A name, what is built, its input batches, and what is expected: batches, each sorted.
CASES: list[tuple[str, Any, list[list[Any]], list[list[Any]]]] = [
    ("map", lambda s: s.map(str), [[1, 2], [], [3]], [["1", "2"], [], ["3"]]),
    ("flatMap", lambda s: s.flatMap(range), [[2, 1], [0]], [[0, 0, 1], []]),
    ("filter", lambda s: s.filter(lambda n: n % 2), [[1, 2, 3]], [[1, 3]]),
    ("count", lambda s: s.count(), [[1, 2, 3], [], [4]], [[3], [0], [1]]),
    ("reduce", lambda s: s.reduce(operator.add), [[], [1, 2, 3]], [[], [6]]),
    ("countByValue", lambda s: s.countByValue(), [["x", "y", "x"], []], [[("x", 2), ("y", 1)], []]),
    ("mapPartitions", lambda s: s.mapPartitions(lambda records: [sum(records)]).reduce(operator.add), [[1, 2]], [[3]]),
    (
        "mapPartitionsWithIndex",
        lambda s: s.mapPartitionsWithIndex(lambda index, records: ((index, r) for r in records)),
        [["a", "b"]],
        [[(0, "a"), (1, "b")]],
    ),
    ("glom", lambda s: s.glom(), [[1, 2, 3, 4]], [[[1, 2], [3, 4]]]),
    ("repartition", lambda s: s.repartition(1).glom().map(sorted), [[1, 2, 3]], [[[1, 2, 3]]]),
    ("mapValues", lambda s: s.mapValues(lambda v: v + 1), [PAIRS], [[("a", 2), ("a", 4), ("b", 3)]]),
    ("flatMapValues", lambda s: s.flatMapValues(range), [[("a", 2)]], [[("a", 0), ("a", 1)]]),
    ("reduceByKey", lambda s: s.reduceByKey(operator.add), [PAIRS, []], [[("a", 4), ("b", 2)], []]),
    (
        "combineByKey",
        lambda s: s.combineByKey(lambda v: [v], lambda c, v: [*c, v], lambda c, d: [*c, *d]).mapValues(sorted),
        [PAIRS],
        [[("a", [1, 3]), ("b", [2])]],
    ),
    ("groupByKey", lambda s: s.groupByKey().mapValues(sorted), [PAIRS], [[("a", [1, 3]), ("b", [2])]]),
    ("groupByKey has a length", lambda s: s.groupByKey().mapValues(len), [PAIRS], [[("a", 2), ("b", 1)]]),
    (
        "partitionBy",
        lambda s: s.partitionBy(2, lambda key: key).glom(),
        [[(0, "x"), (1, "y"), (2, "z")]],
        [[[(0, "x"), (2, "z")], [(1, "y")]]],
    ),
    ("transform", lambda s: s.transform(lambda rdd: rdd.map(lambda n: n * 2)), [[1]], [[2]]),
    (
        "transform with time",
        lambda s: s.transform(lambda time, rdd: rdd.map(lambda n: (n, time.timestamp()))),
        [["x"], ["y"]],
        [[("x", 1.0)], [("y", 2.0)]],
    ),
    ("a row of transformations", lambda s: s.map(lambda n: n + 1).filter(bool).map(str), [[-1, 1]], [["2"]]),
    ("a cached stream", lambda s: s.map(lambda n: n + 1).cache().map(str), [[1]], [["2"]]),
]


@pytest.mark.parametrize(("build", "inputs", "expected"), [case[1:] for case in CASES], ids=[case[0] for case in CASES])
def test_one_stream(stream: StreamTest, build: Any, inputs: list[list[Any]], expected: list[list[Any]]) -> None:
    assert [sorted(batch) for batch in run(stream, build, inputs)] == expected


JOINED = ([[("a", 1), ("b", 2)]], [[("b", 3), ("c", 4)]])
TWO: list[tuple[str, Any, list[Any]]] = [
    ("union", lambda a, b: a.union(b), [("a", 1), ("b", 2), ("b", 3), ("c", 4)]),
    ("join", lambda a, b: a.join(b), [("b", (2, 3))]),
    ("leftOuterJoin", lambda a, b: a.leftOuterJoin(b), [("a", (1, None)), ("b", (2, 3))]),
    ("rightOuterJoin", lambda a, b: a.rightOuterJoin(b), [("b", (2, 3)), ("c", (None, 4))]),
    ("fullOuterJoin", lambda a, b: a.fullOuterJoin(b), [("a", (1, None)), ("b", (2, 3)), ("c", (None, 4))]),
    (
        "cogroup",
        lambda a, b: a.cogroup(b).mapValues(lambda sides: tuple(map(list, sides))),
        [("a", ([1], [])), ("b", ([2], [3])), ("c", ([], [4]))],
    ),
    (
        "transformWith",
        lambda a, b: a.transformWith(lambda time, x, y: x.union(y).map(lambda p: (p[0], time.timestamp())), b),
        [("a", 1.0), ("b", 1.0), ("b", 1.0), ("c", 1.0)],
    ),
    ("a missing side is empty", lambda a, b: a.union(b.transform(lambda rdd: None)), [("a", 1), ("b", 2)]),
]


@pytest.mark.parametrize(("build", "expected"), [case[1:] for case in TWO], ids=[case[0] for case in TWO])
def test_two_streams(stream: StreamTest, build: Any, expected: list[Any]) -> None:
    batches = run(stream, build, *JOINED)
    assert [sorted(batch, key=lambda pair: pair[0]) for batch in batches] == [expected]


def test_union_of_many(stream: StreamTest) -> None:
    batches = run(stream, lambda a, b, c: stream.ssc.union(a, b, c), [[1]], [[2]], [[3], [4]])
    assert [sorted(batch) for batch in batches] == [[1, 2, 3], [4]]


def test_transform_of_many(stream: StreamTest) -> None:
    def build(a: Any, b: Any) -> Any:
        return stream.ssc.transform([a, b], lambda rdds: rdds[1].union(rdds[0]))

    assert run(stream, build, [["a"]], [["b"]]) == [["b", "a"]]


def test_no_batch_where_transform_gives_none(stream: StreamTest) -> None:
    calls: list[int] = []

    def odd_seconds(time: Any, rdd: Any) -> Any:
        calls.append(int(time.timestamp()))
        return rdd if calls[-1] % 2 else None

    batches = run(stream, lambda s: s.transform(odd_seconds).map(str), [[1], [2], [3]])
    assert (batches, calls) == ([["1"], ["3"]], [1, 2, 3])


def test_a_failing_function_is_raised_as_it_is(stream: StreamTest) -> None:
    source = stream.input()
    stream.collect(source.map(lambda n: 1 / n))
    source.push(0)
    with pytest.raises(ZeroDivisionError):
        stream.tick()


def test_a_stream_of_several_contexts_must_give_rdds(stream: StreamTest) -> None:
    source = stream.input()
    stream.collect(source.transform(lambda rdd: 5))
    with pytest.raises(TypeError, match="must return an RDD, not int"):
        stream.tick()


def test_pprint(stream: StreamTest, capsys: pytest.CaptureFixture[str]) -> None:
    source = stream.input(1)
    source.map(lambda n: (n, n)).pprint(2)
    source.push(1, 2, 3)
    stream.tick(2)
    rule = "-" * 43
    from datetime import datetime

    first, second = (datetime.fromtimestamp(second) for second in (1, 2))
    assert capsys.readouterr().out == (
        f"{rule}\nTime: {first}\n{rule}\n(1, 1)\n(2, 2)\n...\n\n{rule}\nTime: {second}\n{rule}\n\n"
    )


@pytest.mark.stream(batch=0.5)
def test_pprint_shows_half_seconds(stream: StreamTest, capsys: pytest.CaptureFixture[str]) -> None:
    stream.input().pprint()
    stream.tick(2)
    first, second = [line for line in capsys.readouterr().out.splitlines() if line.startswith("Time: ")]
    assert first.endswith("00.500000") and second.endswith("01")


def test_saved_batches(stream: StreamTest, tmp_path: Any) -> None:
    source = stream.input(1)
    source.saveAsTextFiles(f"{tmp_path}/out", "txt")
    source.saveAsTextFiles(f"{tmp_path}/bare")
    source.push("x", ("y", 1))
    stream.tick(2)
    names = sorted(path.name for path in tmp_path.iterdir() if path.name != "checkpoint")
    assert names == ["bare-1000", "bare-2000", "out-1000.txt", "out-2000.txt"]
    assert (tmp_path / "out-1000.txt" / "part-00000").read_text() == "x\n('y', 1)\n"
    assert (tmp_path / "out-2000.txt" / "_SUCCESS").exists()


def test_foreach_rdd_of_one_or_two_arguments(stream: StreamTest) -> None:
    seen: list[Any] = []
    source = stream.input()
    source.foreachRDD(lambda rdd: seen.append(rdd.collect()))
    source.foreachRDD(lambda time, rdd: seen.append((time.timestamp(), rdd.context is stream.sc)))
    source.push(1)
    stream.tick()
    assert seen == [[1], (1.0, True)]


def test_batches_stay_in_reach_of_slice(stream: StreamTest) -> None:
    stream.ssc.remember(10)
    source = stream.input()
    stream.collect(source)
    for number in range(4):
        source.push(number)
        stream.tick()
    assert [rdd.collect() for rdd in source.slice(2, 3)] == [[1], [2]]
