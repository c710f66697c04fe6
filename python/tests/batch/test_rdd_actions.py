"""Actions, by tables."""

import math
import operator
from collections.abc import Callable
from typing import Any

import pytest

from tidemill.pyspark import RDD, SparkContext
from tidemill.pyspark.statcounter import StatCounter

from test_rdd_transforms import Parts, of

ADD = operator.add
NAN = math.nan
TABLE: list[tuple[str, Callable[[RDD[Any]], Any], Parts, Any]] = [
    ("collect", lambda r: r.collect(), [[1], [], [2]], [1, 2]),
    ("collectWithJobGroup", lambda r: r.collectWithJobGroup("g", "d"), [[1], [2]], [1, 2]),
    ("toLocalIterator", lambda r: list(r.toLocalIterator()), [[1], [], [2, 3]], [1, 2, 3]),
    ("toLocalIterator ahead", lambda r: list(r.toLocalIterator(prefetchPartitions=True)), [[1]], [1]),
    ("count", lambda r: r.count(), [[1], [], [2, 3]], 3),
    ("count of a map", lambda r: r.map(str).count(), [list(range(5000))], 5000),
    ("isEmpty", lambda r: r.isEmpty(), [[], []], True),
    ("isEmpty not", lambda r: r.isEmpty(), [[], [1]], False),
    ("take", lambda r: r.take(3), [[1], [], [], [2, 3], [4]], [1, 2, 3]),
    ("take all", lambda r: r.take(9), [[1], [2]], [1, 2]),
    ("take none", lambda r: r.take(0), [[1], [2]], []),
    ("first", lambda r: r.first(), [[], [], [7]], 7),
    ("reduce", lambda r: r.reduce(ADD), [[1, 2], [], [3]], 6),
    ("reduce by a lambda", lambda r: r.reduce(lambda a, b: a + b), [["a", "b"], ["c"]], "abc"),
    ("treeReduce", lambda r: r.treeReduce(ADD), [[i] for i in range(10)], 45),
    ("treeReduce in more levels", lambda r: r.treeReduce(ADD, 5), [[i] for i in range(10)], 45),
    ("fold counts its zero once more", lambda r: r.fold(1, ADD), [[1], [2], [3]], 10),
    ("fold of none", lambda r: r.fold(7, ADD), [[]], 14),
    ("aggregate", lambda r: r.aggregate(10, ADD, ADD), [[1, 2], [3]], 36),
    ("aggregate copies its zero", lambda r: r.aggregate([], operator.iadd, ADD), [[[1]], [[2]]], [1, 2]),
    ("treeAggregate counts its zero in partitions", lambda r: r.treeAggregate(10, ADD, ADD), [[1], [2], [3], [4]], 50),
    ("max", lambda r: r.max(), [[1], [3, 2]], 3),
    ("max by key", lambda r: r.max(key=str), [[10], [9]], 9),
    ("min", lambda r: r.min(), [[], [3, 2]], 2),
    ("min by key", lambda r: r.min(key=lambda x: -x), [[10], [9]], 10),
    ("sum", lambda r: r.sum(), [[1], [2.5]], 3.5),
    ("mean", lambda r: r.mean(), [[1], [2, 3]], 2.0),
    ("variance", lambda r: r.variance(), [[1, 2], [3]], 2 / 3),
    ("stdev", lambda r: r.stdev(), [[1, 3]], 1.0),
    ("sampleVariance", lambda r: r.sampleVariance(), [[1, 2], [3]], 1.0),
    ("sampleStdev", lambda r: r.sampleStdev(), [[1, 2], [3]], 1.0),
    ("stats", lambda r: (r.stats().count(), r.stats().max(), r.stats().sum()), [[1, 2], [3]], (3, 3, 6.0)),
    ("mean of none", lambda r: r.mean(), [[]], 0.0),
    ("top", lambda r: r.top(2), [[10, 4], [2, 12]], [12, 10]),
    ("top by key", lambda r: r.top(2, key=str), [[10, 4], [2, 12]], [4, 2]),
    ("takeOrdered", lambda r: r.takeOrdered(2), [[10, 4], [2, 12]], [2, 4]),
    ("takeOrdered by key", lambda r: r.takeOrdered(2, key=lambda x: -x), [[10, 4], [2, 12]], [12, 10]),
    ("takeOrdered none", lambda r: r.takeOrdered(0), [[10]], []),
    ("countByValue", lambda r: dict(r.countByValue()), [["a", "b"], ["a"]], {"a": 2, "b": 1}),
    ("countByKey", lambda r: dict(r.countByKey()), [[("a", 1)], [("a", 2)]], {"a": 2}),
    ("countByKey of none", lambda r: dict(r.countByKey()), [[]], {}),
    ("collectAsMap", lambda r: r.collectAsMap(), [[("a", 1)], [("a", 2)]], {"a": 2}),
    ("reduceByKeyLocally", lambda r: r.reduceByKeyLocally(ADD), [[("a", 1)], [("a", 2), ("b", 1)]], {"a": 3, "b": 1}),
    ("lookup", lambda r: r.lookup("a"), [[("a", 1)], [("b", 2), ("a", 3)]], [1, 3]),
    ("histogram of a number", lambda r: r.histogram(2), [list(range(26)), list(range(26, 51))], ([0, 25, 50], [25, 26])),
    ("histogram of bounds", lambda r: r.histogram([0, 5, 25, 50]), [list(range(51))], ([0, 5, 25, 50], [5, 20, 26])),
    ("histogram of even bounds", lambda r: r.histogram([0, 15, 30, 45, 60]), [list(range(51))], ([0, 15, 30, 45, 60], [15, 15, 15, 6])),
    ("histogram of texts", lambda r: r.histogram(("a", "b", "c")), [["ab", "ac", "b", "bd", "ef"]], (("a", "b", "c"), [2, 2])),
    ("histogram of one value", lambda r: r.histogram(3), [[1, 1]], ([1, 1], [2])),
    ("histogram without what is missing", lambda r: r.histogram(1), [[None, 1.0, NAN, 3.0]], ([1.0, 3.0], [2])),
    ("countApprox", lambda r: r.countApprox(60_000), [[1], [2]], 2),
    ("sumApprox", lambda r: r.sumApprox(60_000), [[1], [2]], 3.0),
    ("meanApprox", lambda r: r.meanApprox(60_000), [[1], [3]], 2.0),
    ("countApproxDistinct of few", lambda r: r.countApproxDistinct(), [[1, 2, 2], [1, 3]], 3),
    ("takeSample of all", lambda r: sorted(r.takeSample(False, 9, 1)), [[1, 2], [3]], [1, 2, 3]),
    ("takeSample size", lambda r: len(r.takeSample(True, 9, 1)), [[1, 2], [3]], 9),
    ("takeSample none", lambda r: r.takeSample(False, 0), [[1]], []),
]  # fmt: skip


@pytest.mark.parametrize(("f", "given", "expected"), [row[1:] for row in TABLE], ids=[row[0] for row in TABLE])
def test_result(sc: SparkContext, f: Callable[[RDD[Any]], Any], given: Parts, expected: Any) -> None:
    assert f(of(sc, given)) == expected


WITHOUT_PARTITIONS: list[tuple[str, Callable[[RDD[Any]], Any], Any]] = [
    ("count", lambda r: r.count(), 0),
    ("sum", lambda r: r.sum(), 0),
    ("collect", lambda r: r.collect(), []),
    ("isEmpty", lambda r: r.isEmpty(), True),
    ("takeOrdered", lambda r: r.takeOrdered(1), []),
    ("fold", lambda r: r.fold(3, ADD), 3),
    ("treeAggregate", lambda r: r.treeAggregate(3, ADD, ADD), 3),
    ("reduce", lambda r: r.reduce(ADD), ValueError),
    ("max", lambda r: r.max(), ValueError),
    ("min", lambda r: r.min(), ValueError),
    ("mean", lambda r: r.mean(), ValueError),
    ("stats", lambda r: r.stats(), ValueError),
    ("countByValue", lambda r: r.countByValue(), ValueError),
    ("top", lambda r: r.top(1), ValueError),
    ("first", lambda r: r.first(), ValueError),
]


@pytest.mark.parametrize(("f", "expected"), [r[1:] for r in WITHOUT_PARTITIONS], ids=[r[0] for r in WITHOUT_PARTITIONS])
def test_without_partitions(sc: SparkContext, f: Callable[[RDD[Any]], Any], expected: Any) -> None:
    if isinstance(expected, type):
        with pytest.raises(expected):
            f(sc.emptyRDD())
    else:
        assert f(sc.emptyRDD()) == expected


REFUSED: list[tuple[str, Callable[[RDD[Any]], Any], type[Exception]]] = [
    ("reduce of none", lambda r: r.filter(lambda x: False).reduce(ADD), ValueError),
    ("max of none", lambda r: r.filter(lambda x: False).max(), ValueError),
    ("treeReduce of none", lambda r: r.filter(lambda x: False).treeReduce(ADD), ValueError),
    ("treeReduce without depth", lambda r: r.treeReduce(ADD, 0), ValueError),
    ("treeAggregate without depth", lambda r: r.treeAggregate(0, ADD, ADD, 0), ValueError),
    ("takeOrdered of fewer than none", lambda r: r.takeOrdered(-1), ValueError),
    ("takeSample of fewer than none", lambda r: r.takeSample(False, -1), ValueError),
    ("histogram of no bucket", lambda r: r.histogram(0), ValueError),
    ("histogram of one bound", lambda r: r.histogram([1]), ValueError),
    ("histogram out of order", lambda r: r.histogram([2, 1]), ValueError),
    ("histogram of equal bounds", lambda r: r.histogram([1, 1]), ValueError),
    ("histogram of None", lambda r: r.histogram([None, 1]), ValueError),
    ("histogram of a text", lambda r: r.histogram("ab"), TypeError),
    ("histogram of texts by number", lambda r: r.map(str).histogram(2), TypeError),
    ("histogram of none", lambda r: r.filter(lambda x: False).histogram(2), ValueError),
    ("countApproxDistinct beyond measure", lambda r: r.countApproxDistinct(0.00001), ValueError),
]


@pytest.mark.parametrize(("act", "error"), [row[1:] for row in REFUSED], ids=[row[0] for row in REFUSED])
def test_refused(sc: SparkContext, act: Callable[[RDD[Any]], Any], error: type[Exception]) -> None:
    with pytest.raises(error):
        act(sc.range(4, numSlices=2))


def test_foreach(sc: SparkContext) -> None:
    total = sc.accumulator(0)
    sc.range(5).foreach(total.add)
    sc.range(5, numSlices=2).foreachPartition(lambda it: total.add(100))
    sc.range(5, numSlices=1).foreachPartition(lambda it: map(total.add, [1000 for _ in it]))
    assert total.value == 10 + 200 + 5000


def test_take_computes_no_more_than_it_needs(sc: SparkContext) -> None:
    seen = sc.accumulator(0)

    def noted(x: int) -> int:
        seen.add(1)
        return x

    assert sc.range(10000, numSlices=10).map(noted).take(3) == [0, 1, 2]
    assert seen.value == 3


def test_local_iterator_computes_a_partition_when_asked(sc: SparkContext) -> None:
    seen = sc.accumulator(0)

    def noted(x: int) -> int:
        seen.add(1)
        return x

    records = sc.range(4, numSlices=2).map(noted).toLocalIterator()
    assert seen.value == 0
    assert next(records) == 0
    assert seen.value == 2


def test_approximate_count_of_many(sc: SparkContext) -> None:
    assert abs(sc.range(20000, numSlices=4).countApproxDistinct(0.02) - 20000) < 2000


def test_bounded_float(sc: SparkContext) -> None:
    figure = sc.range(4).sumApprox(60_000, 0.9)
    assert (figure.low, figure.high, figure.confidence) == (6.0, 6.0, 1.0)


def test_counter_of_statistics() -> None:
    stats = StatCounter([1.0, 2.0]).mergeStats(StatCounter([3.0]))
    assert (stats.count(), stats.mean(), stats.min(), stats.max()) == (3, 2.0, 1.0, 3.0)
    assert stats.asDict()["variance"] == stats.sampleVariance() == 1.0
    assert stats.asDict(sample=True)["stdev"] == stats.stdev()
    nothing = StatCounter()
    assert math.isnan(nothing.stdev()) and nothing.max() == -math.inf and nothing.min() == math.inf
    assert nothing.copy().mergeStats(stats).count() == 3
    assert stats.mergeStats(stats).count() == 6
    with pytest.raises(TypeError):
        stats.mergeStats(1)  # type: ignore[arg-type]


def test_counts_have_zero_for_what_is_not_there(sc: SparkContext) -> None:
    assert sc.range(3).countByValue()[7] == 0
