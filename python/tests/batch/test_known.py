"""Which functions the engine knows."""

import operator
import traceback
from collections.abc import Callable
from pathlib import Path
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


PAIRED: list[tuple[str, Callable[..., Any], int | None]] = [
    ("a word and one", lambda word: (word, 1), 1),
    ("another number", lambda x: (x, -(2**63) + 1), -(2**63) + 1),
    ("too large a number", lambda x: (x, 2**64), None),
    ("a bool", lambda x: (x, True), None),
    ("a float", lambda x: (x, 1.0), None),
    ("the other way round", lambda x: (1, x), None),
    ("three parts", lambda x: (x, 1, 1), None),
    ("a list", lambda x: [x, 1], None),
    ("a global", lambda x: (x, OTHER), None),
    ("a default", lambda x=0: (x, 1), None),
]


@pytest.mark.parametrize(("function", "number"), [row[1:] for row in PAIRED], ids=[row[0] for row in PAIRED])
def test_paired_with_a_number(function: Callable[..., Any], number: int | None) -> None:
    assert _known.paired_with(function) == number


SPLIT: list[tuple[str, Callable[..., Any], tuple[str | None] | None]] = [
    ("at spaces", lambda line: line.split(" "), (" ",)),
    ("at more than one character", lambda line: line.split("--"), ("--",)),
    ("at white space", lambda line: line.split(), (None,)),
    ("str.split", str.split, (None,)),
    ("at nothing", lambda line: line.split(""), None),
    ("at what is no UTF-8", lambda line: line.split("\udc80"), None),
    ("at bytes", lambda line: line.split(b" "), None),
    ("from the right", lambda line: line.rsplit(" "), None),
    ("some times", lambda line: line.split(" ", 1), None),
    ("after a change", lambda line: line.strip().split(" "), None),
    ("at a global", lambda line: line.split(OTHER), None),
]


@pytest.mark.parametrize(("function", "how"), [row[1:] for row in SPLIT], ids=[row[0] for row in SPLIT])
def test_splits(function: Callable[..., Any], how: tuple[str | None] | None) -> None:
    assert _known.split(function) == how


class Shout(str):
    """A str of another kind."""

    def split(self, *args: Any) -> list[str]:  # type: ignore[override]
        return ["shout"]


LINES: list[tuple[str, list[Any]]] = [
    ("words", ["to be or not", "to be"]),
    ("nothing", []),
    ("empty lines and spaces", ["", " ", "  a  b "]),
    ("white space of every kind", ["a\tb\x1cc\x1d\x1ed\x1fe\x85f\xa0g\u2003h\u3000i\u200bj"]),
    ("text of every width", ["é ü é", "日本 日本 語", "😀 😀 a"]),
    ("what is no UTF-8", ["a b", "\ud800 a", "b \ud800"]),
    ("many blocks", [f"{n % 7} {n % 11}" for n in range(5_000)]),
    ("a str of another kind in between", ["a b", Shout("a b"), "b c"]),
]


def opaque(function: Callable[..., Any]) -> Callable[..., Any]:
    """The function, written in a way that the engine does not know."""
    return lambda *args: function(*args)


@pytest.mark.parametrize("lines", [row[1] for row in LINES], ids=[row[0] for row in LINES])
@pytest.mark.parametrize("split", [lambda x: x.split(" "), lambda x: x.split(), lambda x: x.split("--")])
@pytest.mark.parametrize("number", [lambda x: (x, 1), lambda x: (x, 2**62)])
def test_counted_words_are_those_of_the_functions(
    sc: SparkContext, lines: list[Any], split: Callable[..., Any], number: Callable[..., Any]
) -> None:
    def counted(f: Callable[..., Any], g: Callable[..., Any], h: Callable[..., Any]) -> list[Any]:
        return sc.parallelize(lines, 2).flatMap(f).map(g).reduceByKey(h, 1).collect()

    expected = counted(opaque(split), opaque(number), opaque(operator.add))
    assert counted(split, number, lambda a, b: a + b) == expected
    assert counted(opaque(split), number, operator.add) == expected
    assert counted(opaque(split), opaque(number), operator.add) == expected
    # Types too: True is a 1, and a str of another kind equals one.
    assert [tuple(map(type, pair)) for pair in counted(split, number, operator.add)] == [
        tuple(map(type, pair)) for pair in expected
    ]


def test_words_of_a_file_are_counted(sc: SparkContext, tmp_path: Path) -> None:
    (tmp_path / "text").write_text("to be or not\nto be\r\n\nto\x85be\n", encoding="utf-8", newline="")
    lines = sc.textFile(str(tmp_path / "text"), 2)
    assert lines.flatMap(lambda line: line.split(" ")).map(lambda word: (word, 1)).reduceByKey(
        operator.add, 1
    ).collect() == [("to", 2), ("be", 2), ("or", 1), ("not", 1), ("", 1), ("to\x85be", 1)]
    assert lines.map(lambda line: (line, 1)).reduceByKey(operator.add, 1).count() == 4


@pytest.mark.parametrize(
    "pairs",
    [
        [("a", 1), ("a", True), ("b", True), ("b", 1)],
        [("a", 1), ("a", 1.5), (1, 1), (True, 1)],
        [("a", 2**63 - 1), ("a", 1)],
        [("a", 2**63), ("a", 1)],
        [["a", 1], ("a", 2)],
        [(Shout("a"), 1), ("a", 2)],
        [{"a": 1, "b": 2}, ("a", "c")],
    ],
)
def test_sums_of_pairs_of_any_kind(sc: SparkContext, pairs: list[Any]) -> None:
    rdd = sc.parallelize(pairs, 1)
    known, called = (rdd.reduceByKey(add).collect() for add in (operator.add, opaque(operator.add)))
    assert known == called
    assert [list(map(type, pair)) for pair in known] == [list(map(type, pair)) for pair in called]


def test_records_that_are_no_words_are_told_by_their_own_error(sc: SparkContext) -> None:
    words = sc.parallelize(["a b", 5], 1).flatMap(lambda line: line.split(" ")).map(lambda word: (word, 1))
    with pytest.raises(AttributeError, match="'int' object has no attribute 'split'"):
        words.reduceByKey(operator.add).collect()


@pytest.mark.parametrize(("pairs", "said"), [([("a", 1, 2), ("a", 3)], "too many"), ([("a",)], "got 1"), ([()], "got 0")])
def test_what_is_no_pair_is_refused_as_by_unpacking(sc: SparkContext, pairs: list[Any], said: str) -> None:
    for add in (operator.add, opaque(operator.add)):
        with pytest.raises(ValueError, match=said):
            sc.parallelize(pairs, 1).reduceByKey(add).collect()


def test_an_error_of_a_sum_is_that_of_the_function(sc: SparkContext) -> None:
    pairs = sc.parallelize([("a", "x"), ("a", 2)], 1)
    for run in (lambda: pairs.reduceByKey(lambda a, b: a + b).collect(), lambda: pairs.values().reduce(lambda a, b: a + b)):
        with pytest.raises(TypeError) as caught:
            run()
        assert "lambda a, b: a + b" in "".join(traceback.format_exception(caught.value))
