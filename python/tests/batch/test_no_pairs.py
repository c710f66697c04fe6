"""Methods of pairs over records that are none, which do what the real PySpark 3.5 does."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tidemill.pyspark import SparkContext


def groups(rdd: Any) -> list[Any]:
    return [(key, tuple(map(list, values))) for key, values in rdd.collect()]


@pytest.mark.parametrize("records", [[(1, 2, 3), (1, 5, 6)], [[1, 2], [1, 5]], [[1, 2, 3], (1, 5)]])
def test_joins_go_by_the_first_two_parts(sc: SparkContext, records: list[Any]) -> None:
    odd, pairs = sc.parallelize(records, 2), sc.parallelize([(1, "x"), (2, "y")], 2)
    assert odd.join(pairs).collect() == [(1, (2, "x")), (1, (5, "x"))]
    assert pairs.join(odd).collect() == [(1, ("x", 2)), (1, ("x", 5))]
    assert sorted(pairs.leftOuterJoin(odd, 1).collect()) == [(1, ("x", 2)), (1, ("x", 5)), (2, ("y", None))]
    assert sorted(groups(odd.cogroup(pairs))) == [(1, ([2, 5], ["x"])), (2, ([], ["y"]))]
    assert sorted(groups(odd.groupWith(pairs, pairs))) == [(1, ([2, 5], ["x"], ["x"])), (2, ([], ["y"], ["y"]))]
    assert sorted(pairs.subtractByKey(odd).collect()) == [(2, "y")]
    assert odd.subtractByKey(pairs).collect() == []


@pytest.mark.parametrize(
    ("records", "error", "text"),
    [
        ([1], TypeError, "'int' object is not subscriptable"),
        ([None], TypeError, "'NoneType' object is not subscriptable"),
        ([(1,)], IndexError, "tuple index out of range"),
    ],
)
def test_joins_refuse_what_has_no_two_parts(
    sc: SparkContext, records: list[Any], error: type[Exception], text: str
) -> None:
    odd, pairs = sc.parallelize(records), sc.parallelize([(1, "x")])
    for rdd in (odd.join(pairs), pairs.cogroup(odd), odd.groupWith(pairs, pairs), odd.subtractByKey(pairs)):
        with pytest.raises(error, match=text):
            rdd.collect()


BY_KEY: list[Callable[[Any], Any]] = [
    lambda rdd: rdd.reduceByKey(lambda a, b: a),
    lambda rdd: rdd.groupByKey(),
    lambda rdd: rdd.combineByKey(lambda v: [v], lambda c, v: c, lambda a, b: a),
    lambda rdd: rdd.partitionBy(2),
    lambda rdd: rdd.partitionBy(1),
    lambda rdd: rdd.partitionBy(2, lambda key: 0),
    lambda rdd: rdd.sortByKey(),
]


@pytest.mark.parametrize("method", BY_KEY)
def test_others_want_two_parts(sc: SparkContext, method: Callable[[Any], Any]) -> None:
    for record, error in (((1, 2, 3), ValueError), ((1,), ValueError), ("abc", ValueError), (1, TypeError)):
        with pytest.raises(error, match="unpack|not subscriptable"):
            method(sc.parallelize([record, record], 2)).collect()


@pytest.mark.parametrize("method", BY_KEY[3:])
def test_what_is_moved_is_tuples(sc: SparkContext, method: Callable[[Any], Any]) -> None:
    assert method(sc.parallelize([[1, 2]], 2)).collect() == [(1, 2)]
