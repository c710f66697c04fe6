"""Transformations, by tables: partitions in, partitions out."""

import itertools
from collections.abc import Callable
from typing import Any

import pytest

from tidemill.pyspark import RDD, SparkContext

Parts = list[list[Any]]


def of(sc: SparkContext, parts: Parts) -> RDD[Any]:
    """A dataset of these partitions."""
    return sc.parallelize(range(len(parts)), len(parts)).flatMap(lambda i: parts[i])


def parts(rdd: RDD[Any]) -> Parts:
    return rdd.glom().collect()


TABLE: list[tuple[str, Callable[[RDD[Any]], RDD[Any]], Parts, Parts]] = [
    ("map", lambda r: r.map(str), [[1], [], [2, 3]], [["1"], [], ["2", "3"]]),
    ("flatMap", lambda r: r.flatMap(range), [[1, 0], [2]], [[0], [0, 1]]),
    ("filter", lambda r: r.filter(lambda x: x > 1), [[1, 2], [3]], [[2], [3]]),
    ("filter by truth", lambda r: r.filter(lambda x: x), [[0, 2, ""]], [[2]]),
    ("mapPartitions", lambda r: r.mapPartitions(lambda it: [sum(it)]), [[1, 2], []], [[3], [0]]),
    ("mapPartitions of nothing", lambda r: r.mapPartitions(lambda it: []), [[1]], [[]]),
    ("mapPartitions lazily", lambda r: r.mapPartitions(lambda it: itertools.islice(it, 1)), [[1, 2]], [[1]]),
    ("mapPartitionsWithIndex", lambda r: r.mapPartitionsWithIndex(lambda i, it: [i, *it]), [[5], [6]], [[0, 5], [1, 6]]),
    ("mapPartitionsWithSplit", lambda r: r.mapPartitionsWithSplit(lambda i, it: [i]), [[5], [6]], [[0], [1]]),
    ("glom", lambda r: r.glom(), [[1, 2], []], [[[1, 2]], [[]]]),
    ("keyBy", lambda r: r.keyBy(lambda x: -x), [[1], [2]], [[(-1, 1)], [(-2, 2)]]),
    ("keys", lambda r: r.keys(), [[(1, 2)], [(3, 4)]], [[1], [3]]),
    ("values", lambda r: r.values(), [[(1, 2)], [(3, 4)]], [[2], [4]]),
    ("mapValues", lambda r: r.mapValues(str), [[(1, 2)], [[3, 4]]], [[(1, "2")], [(3, "4")]]),
    ("flatMapValues", lambda r: r.flatMapValues(range), [[(1, 2), (2, 0)]], [[(1, 0), (1, 1)]]),
    ("zipWithIndex", lambda r: r.zipWithIndex(), [["a"], [], ["b", "c"]], [[("a", 0)], [], [("b", 1), ("c", 2)]]),
    ("zipWithUniqueId", lambda r: r.zipWithUniqueId(), [["a", "b"], ["c"]], [[("a", 0), ("b", 2)], [("c", 1)]]),
    ("pipe", lambda r: r.pipe("cat"), [["a", 1], ["b\n"]], [["a", "1"], ["b"]]),
    ("coalesce", lambda r: r.coalesce(2), [[1], [2], [3], [4], [5]], [[1, 2], [3, 4, 5]]),
    ("coalesce to more", lambda r: r.coalesce(5), [[1], [2]], [[1], [2]]),
    ("repartition", lambda r: r.repartition(2), [list(range(12)), list(range(13))], [[10, 11, 10, 11, 12], [*range(10), *range(10)]]),
    ("repartition to three", lambda r: r.repartition(3), [[1, 2], [3]], [[1, 2], [3], []]),
    ("map after mapPartitions", lambda r: r.mapPartitions(list).map(str), [[1]], [["1"]]),
    ("a chain", lambda r: r.map(lambda x: x + 1).filter(bool).flatMap(lambda x: [x] * x).map(str), [[0, 1, -1]], [["1", "2", "2"]]),
    ("distinct", lambda r: r.distinct(), [[1, 1], [2]], [[2], [1]]),
    ("groupBy", lambda r: r.groupBy(lambda x: x % 2).mapValues(list), [[1, 2], [3]], [[(0, [2])], [(1, [1, 3])]]),
    ("partitionBy", lambda r: r.partitionBy(2), [[(1, "a"), (2, "b")], [(3, "c")]], [[(2, "b")], [(1, "a"), (3, "c")]]),
    ("partitionBy a function", lambda r: r.partitionBy(2, lambda k: k // 2), [[(1, 0), (2, 0)], [(3, 0)]], [[(1, 0)], [(2, 0), (3, 0)]]),
    ("sortByKey", lambda r: r.sortByKey(), [[(3, 0)], [(1, 0)], [(2, 0)]], [[(1, 0), (2, 0)], [(3, 0)], []]),
    ("sortByKey down", lambda r: r.sortByKey(False), [[(1, 0)], [(3, 0)], [(2, 0)]], [[], [(3, 0)], [(2, 0), (1, 0)]]),
    ("sortByKey in one", lambda r: r.sortByKey(numPartitions=1), [[(3, 0)], [(1, 0)]], [[(1, 0), (3, 0)]]),
    ("sortByKey is stable", lambda r: r.sortByKey(True, 1), [[(1, "b"), (1, "a"), (0, "c")]], [[(0, "c"), (1, "b"), (1, "a")]]),
    ("sortByKey by a function", lambda r: r.sortByKey(True, 1, abs), [[(-3, 0), (1, 0)]], [[(1, 0), (-3, 0)]]),
    ("sortBy", lambda r: r.sortBy(lambda x: -x, numPartitions=1), [[1, 3], [2]], [[3, 2, 1]]),
    ("repartitionAndSort", lambda r: r.repartitionAndSortWithinPartitions(2), [[(4, 0), (1, 0)], [(2, 0)]], [[(2, 0), (4, 0)], [(1, 0)]]),
    ("reduceByKey", lambda r: r.reduceByKey(lambda a, b: a + b), [[(0, 1), (0, 2)], [(0, 3)]], [[(0, 6)], []]),
    ("reduceByKey in order", lambda r: r.reduceByKey(lambda a, b: a + "," + b), [[(0, "a")], [(0, "b"), (0, "c")]], [[(0, "a,b,c")], []]),
    ("combineByKey", lambda r: r.combineByKey(lambda v: [v], lambda c, v: [*c, v], lambda a, b: [a, b]), [[(0, 1), (0, 2)], [(0, 3)]], [[(0, [[1, 2], [3]])], []]),
    ("aggregateByKey", lambda r: r.aggregateByKey([], lambda c, v: c + [v], lambda a, b: a + b, 1), [[(0, 1)], [(0, 2)]], [[(0, [1, 2])]]),
    ("foldByKey counts its zero in each partition", lambda r: r.foldByKey(10, lambda a, b: a + b, 1), [[("a", 1)], [("a", 2)]], [[("a", 23)]]),
    ("groupByKey", lambda r: r.groupByKey().mapValues(list), [[(0, 1), (2, 5)], [(0, 2)]], [[(0, [1, 2]), (2, [5])], []]),
]  # fmt: skip


@pytest.mark.parametrize(("f", "given", "expected"), [row[1:] for row in TABLE], ids=[row[0] for row in TABLE])
def test_partitions(sc: SparkContext, f: Callable[[RDD[Any]], RDD[Any]], given: Parts, expected: Parts) -> None:
    assert parts(f(of(sc, given))) == expected


Two = Callable[[RDD[Any], RDD[Any]], RDD[Any]]
PAIRS = [[("a", 1)], [("b", 2)]]
OTHERS = [[("a", 3), ("c", 4)]]
LISTS = lambda groups: tuple(map(list, groups))  # noqa: E731
OF_TWO: list[tuple[str, Two, Parts, Parts, list[Any]]] = [
    ("union", lambda a, b: a.union(b), [[1], [2]], [[1]], [1, 1, 2]),
    ("+", lambda a, b: a + b, [[1], [2]], [[1]], [1, 1, 2]),
    ("cartesian", lambda a, b: a.cartesian(b), [[1], [2]], [["x", "y"]], [(1, "x"), (1, "y"), (2, "x"), (2, "y")]),
    ("zip", lambda a, b: a.zip(b), [[1], [2]], [["x"], ["y"]], [(1, "x"), (2, "y")]),
    ("intersection", lambda a, b: a.intersection(b), [[1, 1, 2], [3]], [[3, 1, 4]], [1, 3]),
    ("subtract", lambda a, b: a.subtract(b), [[1, 1, 2], [3]], [[3, 2, 4]], [1, 1]),
    ("subtractByKey", lambda a, b: a.subtractByKey(b), PAIRS, OTHERS, [("b", 2)]),
    ("join", lambda a, b: a.join(b), PAIRS, OTHERS, [("a", (1, 3))]),
    ("left", lambda a, b: a.leftOuterJoin(b), PAIRS, OTHERS, [("a", (1, 3)), ("b", (2, None))]),
    ("right", lambda a, b: a.rightOuterJoin(b), PAIRS, OTHERS, [("a", (1, 3)), ("c", (None, 4))]),
    ("full", lambda a, b: a.fullOuterJoin(b), PAIRS, OTHERS, [("a", (1, 3)), ("b", (2, None)), ("c", (None, 4))]),
    ("cogroup", lambda a, b: a.cogroup(b).mapValues(LISTS), PAIRS, OTHERS, [("a", ([1], [3])), ("b", ([2], [])), ("c", ([], [4]))]),
    ("groupWith", lambda a, b: a.groupWith(b, a).mapValues(LISTS), PAIRS, OTHERS, [("a", ([1], [3], [1])), ("b", ([2], [], [2])), ("c", ([], [4], []))]),
]  # fmt: skip


@pytest.mark.parametrize(("f", "left", "right", "expected"), [r[1:] for r in OF_TWO], ids=[r[0] for r in OF_TWO])
def test_of_two(sc: SparkContext, f: Two, left: Parts, right: Parts, expected: list[Any]) -> None:
    assert sorted(f(of(sc, left), of(sc, right)).collect(), key=repr) == expected


def test_join_pairs_values_from_the_left(sc: SparkContext) -> None:
    left, right = of(sc, [[("k", 1), ("k", 2)]]), of(sc, [[("k", "x"), ("k", "y")]])
    assert left.join(right).values().collect() == [(1, "x"), (1, "y"), (2, "x"), (2, "y")]


def test_join_has_as_many_partitions_as_both_have(sc: SparkContext) -> None:
    left, right = sc.parallelize([(1, 2)], 3), sc.parallelize([(1, 3)], 4)
    assert left.join(right).getNumPartitions() == 7
    assert left.join(right, 2).getNumPartitions() == 2
    placed = left.partitionBy(5)
    assert placed.join(right.partitionBy(5)).getNumPartitions() == 5


def test_partitioners(sc: SparkContext) -> None:
    placed = sc.parallelize([(1, 2), (2, 3)], 2).partitionBy(3)
    assert placed.partitionBy(3) is placed
    assert placed.mapValues(str).partitioner == placed.partitioner == placed.filter(bool).partitioner
    assert placed.map(lambda pair: pair).partitioner is None
    assert placed.map(lambda pair: pair, preservesPartitioning=True).partitioner == placed.partitioner
    united = placed.union(placed.mapValues(str))
    assert united.partitioner == placed.partitioner
    assert united.getNumPartitions() == 3
    assert placed.lookup(1) == [2]


def test_groups_can_be_read_again(sc: SparkContext) -> None:
    ((_, values),) = sc.parallelize([(1, "a"), (1, "b")], 1).groupByKey().collect()
    assert (list(values), list(values), len(values)) == (["a", "b"], ["a", "b"], 2)


NO_ITERABLE: Any = int
REFUSED: list[tuple[str, Callable[[SparkContext], Any], type[Exception]]] = [
    ("zip of other partitions", lambda sc: sc.range(2, numSlices=2).zip(sc.range(2, numSlices=1)), ValueError),
    ("zip of more records", lambda sc: sc.range(2).zip(sc.range(3)).collect(), ValueError),
    ("zip of fewer records", lambda sc: sc.range(3).zip(sc.range(2)).collect(), ValueError),
    ("coalesce to none", lambda sc: sc.range(3).coalesce(0), ValueError),
    ("union with a list", lambda sc: sc.range(3) + NO_ITERABLE, TypeError),
    ("a pipe that fails", lambda sc: sc.range(1).pipe("false", checkCode=True).collect(), RuntimeError),
    ("a negative sample", lambda sc: sc.range(1).sample(False, -1.0), ValueError),
    ("a map that is no iterable", lambda sc: sc.range(1).flatMap(NO_ITERABLE).collect(), TypeError),
]


@pytest.mark.parametrize(("act", "error"), [row[1:] for row in REFUSED], ids=[row[0] for row in REFUSED])
def test_refused(sc: SparkContext, act: Callable[[SparkContext], Any], error: type[Exception]) -> None:
    with pytest.raises(error):
        act(sc)


def test_an_unchecked_pipe_may_fail(sc: SparkContext) -> None:
    assert sc.range(1).pipe("false").collect() == []


def test_pipe_gets_the_given_environment_alone(sc: SparkContext) -> None:
    assert sc.range(1, numSlices=1).pipe("/usr/bin/env", {"COLOUR": "red"}).collect() == ["COLOUR=red"]


def test_samples(sc: SparkContext) -> None:
    numbers = sc.range(20, numSlices=2)
    assert numbers.sample(False, 0.3, 1).collect() == [6, 9, 11, 14]
    assert [split.collect() for split in sc.range(10, numSlices=2).randomSplit([1, 2], 42)] == [
        [0, 1, 3, 4],
        [2, 5, 6, 7, 8, 9],
    ]
    doubled = numbers.sample(True, 2.0, 3).collect()
    assert doubled == sorted(doubled) and len(doubled) > 20
    often = sc.range(10).sample(True, 30.0, 3).countByValue()
    assert all(10 < number < 60 for number in often.values())


def test_sample_by_key(sc: SparkContext) -> None:
    pairs = sc.parallelize("ab").cartesian(sc.range(100))
    assert set(pairs.sampleByKey(False, {"a": 0.0, "b": 1.0}, 1).keys().collect()) == {"b"}
    assert pairs.sampleByKey(True, {"a": 0.0, "b": 1.0}, 1).filter(lambda p: p[0] == "a").isEmpty()
    with pytest.raises(KeyError):
        pairs.sampleByKey(False, {"a": 1.0}).count()


def test_distinct_of_none(sc: SparkContext) -> None:
    assert sc.emptyRDD().distinct().collect() == []
    assert sc.emptyRDD().reduceByKey(max).getNumPartitions() == 0


def test_unions_of_what_is_placed_alike(sc: SparkContext) -> None:
    def pairs() -> RDD[tuple[int, int]]:
        return sc.parallelize([(n, n) for n in range(4)], 3).partitionBy(2)

    left, right = pairs(), pairs()
    merged = [[(0, 0), (2, 2), (0, 0), (2, 2)], [(1, 1), (3, 3), (1, 1), (3, 3)]]
    assert left.union(right).glom().collect() == merged
    assert left.union(right).partitioner == left.partitioner
    assert sc.union([left, right]).glom().collect() == merged
    assert sc.union([left, right]).partitioner is None
    # The engine still knows.
    assert sc.union([left, right]).union(left).getNumPartitions() == 2
    assert left.union(sc.emptyRDD()).getNumPartitions() == 2
    assert left.mapPartitions(lambda it: it, True).union(right.cache()).getNumPartitions() == 2
    ranges = left.sortByKey(numPartitions=2)
    assert ranges.union(ranges).getNumPartitions() == 2
    assert left.join(right).getNumPartitions() == 2


def test_unions_of_what_is_not(sc: SparkContext) -> None:
    left = sc.parallelize([(n, n) for n in range(4)], 3).partitionBy(2)
    for other in (left.partitionBy(3), left.partitionBy(2, lambda key: key // 2), left.map(lambda pair: pair)):
        assert left.union(other).getNumPartitions() == 2 + other.getNumPartitions()
        assert left.union(other).partitioner is None
