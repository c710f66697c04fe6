"""Which functions the engine knows."""

import operator
from collections.abc import Callable
from typing import Any

import pytest

from tidemill.pyspark import SparkContext, _known

OTHER = 1


def closing_over(x: Any) -> Callable[..., Any]:
    return lambda a, b: a + b + x


TABLE: list[tuple[str, Callable[..., Any], str | None]] = [
    ("operator.add", operator.add, "add"),
    ("min", min, "min"),
    ("max", max, "max"),
    ("a sum", lambda a, b: a + b, "add"),
    ("a sum of other names", lambda total, one: total + one, "add"),
    ("a sum the other way round", lambda a, b: b + a, None),
    ("a difference", lambda a, b: a - b, None),
    ("a sum with a global", lambda a, b: a + OTHER, None),
    ("a sum with a default", lambda a, b=1: a + b, None),
    ("a sum of three", lambda a, b, c: a + b, None),
    ("a sum of more", lambda a, b: a + b + 1, None),
    ("a closure", closing_over(1), None),
    ("another builtin", operator.mul, None),
    ("what has no hash", {}.setdefault, None),
]


@pytest.mark.parametrize(("function", "name"), [row[1:] for row in TABLE], ids=[row[0] for row in TABLE])
def test_known(function: Callable[..., Any], name: str | None) -> None:
    assert _known.merge(function) == (function if name is None else name)


@pytest.mark.parametrize(
    ("values", "total"),
    [([1, 2, 3], 6), ([1.5, 1], 2.5), (["a", "b"], "ab"), ([(1,), (2,)], (1, 2)), ([2**63, 1], 2**63 + 1), ([True, True], 2)],
)
def test_sums_of_any_type(values: list[Any], total: Any) -> None:
    with SparkContext("local[2]", "sums") as sc:
        pairs = sc.parallelize([("k", value) for value in values], 2)
        for add in (operator.add, lambda a, b: a + b, lambda a, b: (a + b)):
            assert pairs.reduceByKey(add).collect() == [("k", total)]
            assert pairs.values().reduce(add) == total
            assert pairs.reduceByKeyLocally(add) == {"k": total}


@pytest.mark.parametrize("choose", [min, max])
def test_extremes_of_any_type(choose: Callable[..., Any]) -> None:
    with SparkContext("local[2]", "extremes") as sc:
        for values in ([3, 1, 2], [1.5, 1], ["b", "a"], [(2, 1), (1, 2)], [2**70, -(2**70)]):
            pairs = sc.parallelize([(0, value) for value in values], 2)
            assert pairs.reduceByKey(choose).collect() == [(0, choose(values))]
