"""Random pipelines of datasets.

Each step knows how much of the order it leaves defined: "exact", "partitions" (which records a partition has, not in what
order), or "multiset". Steps that depend on more than is defined are not drawn.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from hypothesis import strategies as st

from records import KEYS, SCALARS, Type, hashable, is_pair, ordered, records, types

Draw = Callable[[st.SearchStrategy[Any]], Any]
LEVELS = ("exact", "partitions", "multiset")
PARTITIONS = st.sampled_from([None, 1, 2, 3])
PLACES = st.sampled_from([1, 2, 3])


@dataclass
class Growing:
    """A pipeline while it is drawn: the type of its records, and what of their order is defined."""

    draw: Draw
    of: Type
    order: str
    steps: list[list[Any]]
    shuffled: bool = False

    def add(self, name: str, *arguments: Any, of: Type = None, order: str = "exact") -> None:
        self.steps.append([name, *arguments])
        self.of = self.of if of is None else of
        self.order = max(self.order, order, key=LEVELS.index)

    def place(self, name: str, *arguments: Any, of: Type = None, order: str = "partitions") -> None:
        """A step after which records are where their keys are placed, whatever was before."""
        self.order = order
        self.shuffled = True
        self.add(name, *arguments, of=of)


Step = Callable[[Growing], None]


def narrow(grow: Growing) -> None:
    name, *rest = grow.draw(
        st.sampled_from(
            [
                ("map", "repr", "str"),
                ("map", "str", "str"),
                ("map", "length", "int"),
                ("filter", "is_odd", None),
                ("flatMap", "twice", None),
                ("flatMap", "as_often_as_long", None),
                ("flatMap", "characters", "str"),
            ]
        )
    )
    grow.add(name, rest[0], of=rest[1])


def to_pairs(grow: Growing) -> None:
    name, f, of = grow.draw(
        st.sampled_from(
            [
                ("map", "lambda one", ("pair", grow.of, "int")),
                ("map", "pair_by_length", ("pair", "int", grow.of)),
                ("keyBy", "length", ("pair", "int", grow.of)),
                ("keyBy", "repr", ("pair", "str", grow.of)),
            ]
        )
    )
    grow.add(name, f, of=of)


def of_partitions(grow: Growing) -> None:
    """Steps that see partitions, and in them an order."""
    name, f, of = grow.draw(
        st.sampled_from(
            [
                ("mapPartitions", "first_two", grow.of),
                ("mapPartitions", "number_of", "int"),
                ("mapPartitionsWithIndex", "with_partition", ("pair", "int", grow.of)),
                ("mapPartitions", "one_list", "list"),
            ]
        )
    )
    grow.add(name, f, of=of)


def in_order(grow: Growing) -> None:
    """Steps whose result depends on the order of records."""
    seed = st.integers(0, 5)
    name, *rest = grow.draw(
        st.one_of(
            st.tuples(st.just("sample"), st.booleans(), st.sampled_from([0.3, 0.8]), seed),
            st.tuples(st.just("split"), st.sampled_from([[1, 2], [0.2, 0.3, 0.5]]), seed, st.integers(0, 1)),
            st.just(("glom",)),
            st.just(("zipWithIndex",)),
            st.just(("zipWithUniqueId",)),
            st.just(("with itself", "repr")),
        )
    )
    of = {"glom": "list", "sample": grow.of, "split": grow.of, "with itself": ("pair", grow.of, "str")}
    grow.add(name, *rest, of=of.get(name, ("pair", grow.of, "int")))


def kept(grow: Growing) -> None:
    name = grow.draw(st.sampled_from(["cached", "pickled", "checkpointed"]))
    # Files are read in the order in which the folder lists them.
    grow.add(name, order="multiset" if name == "pickled" else "exact")


def fewer(grow: Growing) -> None:
    if grow.draw(st.booleans()):
        grow.place("repartition", grow.draw(PLACES), order="multiset")
    else:
        grow.add("coalesce", grow.draw(PLACES), order="multiset" if grow.shuffled else "exact")


def distinct(grow: Growing) -> None:
    grow.place("distinct", grow.draw(PARTITIONS))


def grouped(grow: Growing) -> None:
    grow.place("groupBy", "length", grow.draw(PARTITIONS), of=("pair", "int", "list"))
    grow.add("accept group")


def sorted_records(grow: Growing) -> None:
    grow.place("sortBy", "repr", grow.draw(st.booleans()), grow.draw(PARTITIONS), order="exact")


def naturally_sorted(grow: Growing) -> None:
    grow.add("map", "lambda one", of=("pair", grow.of, "int"))
    grow.place("sorted by key", grow.draw(st.booleans()), grow.draw(PARTITIONS), None, order="exact")


def with_other(grow: Growing) -> None:
    """Steps with another dataset of the same type."""
    other = {"source": ["parallelize", grow.draw(records(grow.of)), grow.draw(PLACES)], "steps": []}
    name = grow.draw(st.sampled_from(["union", "intersection", "subtract", "cartesian"]))
    if name == "union":
        grow.add(name, other)
    elif name == "cartesian":
        grow.add(name, other, of=("pair", grow.of, grow.of), order="multiset" if grow.shuffled else "exact")
    else:
        grow.place(name, other, *([grow.draw(PARTITIONS)] if name == "subtract" else []))


def of_values(grow: Growing) -> None:
    _, key, value = grow.of
    name, *rest = grow.draw(
        st.sampled_from(
            [
                ("keys", key),
                ("values", value),
                ("mapValues", "repr", ("pair", key, "str")),
                ("flatMapValues", "twice", grow.of),
                ("map", "swap", ("pair", value, key)),
            ]
        )
    )
    grow.add(name, *rest[:-1], of=rest[-1])


def by_key(grow: Growing) -> None:
    partitions = grow.draw(PARTITIONS)
    name = grow.draw(st.sampled_from(["groupByKey", "partitionBy", "top by key", "placed"]))
    if name == "groupByKey":
        grow.place("groupByKey", partitions, of=("pair", grow.of[1], "list"))
        grow.add("accept group")
    elif name == "top by key":
        grow.place(name)
    else:
        grow.place("partitionBy", partitions, "place_by_length" if name == "placed" else None)


def reduced(grow: Growing) -> None:
    """Combining ints, for whose sums no order matters."""
    partitions = grow.draw(PARTITIONS)
    key = grow.of[1]
    f = grow.draw(st.sampled_from(["operator.add", "lambda add", "add", "min", "max", "larger"]))
    name = grow.draw(st.sampled_from(["reduceByKey", "foldByKey", "combineByKey", "mean by key"]))
    if name == "reduceByKey":
        grow.place(name, f, partitions)
    elif name == "foldByKey":
        grow.place(name, 0, "lambda add", partitions)
    elif name == "mean by key":
        grow.place(name, partitions, of=("pair", key, "any"))
    else:
        grow.place(name, "listed", "append", "extend", partitions, of=("pair", key, "list"))
        grow.add("accept group")


def joined(grow: Growing) -> None:
    """Steps with another dataset of pairs."""
    key = grow.of[1]
    other = {"source": ["parallelize", grow.draw(records(("pair", key, "str"))), grow.draw(PLACES)], "steps": []}
    names = ["join", "leftOuterJoin", "rightOuterJoin", "fullOuterJoin", "cogroup", "groupWith", "subtractByKey"]
    name = grow.draw(st.sampled_from(names))
    partitions = [] if name == "groupWith" else [grow.draw(PARTITIONS)]
    hash_of = "any" if hashable(grow.of[2]) else "list"
    if name in ("cogroup", "groupWith"):
        grow.place(name, other, *partitions, of=("pair", key, "list"))
        grow.add("accept groups")
    else:
        grow.place(name, other, *partitions, of=grow.of if name == "subtractByKey" else ("pair", key, hash_of))


def sorted_pairs(grow: Growing) -> None:
    up, partitions = grow.draw(st.booleans()), grow.draw(PARTITIONS)
    if grow.draw(st.booleans()):
        # PySpark compares the bounds of partitions without `keyfunc` with keys after it: only one partition is sorted.
        f = grow.draw(st.sampled_from([None, "negated_repr"]))
        grow.place("sorted by key", up, 1 if f else partitions, f)
    else:
        grow.place("sort within", grow.draw(PLACES), up)


def possible(grow: Growing) -> list[Step]:
    """The steps that fit to the records as they are."""
    scalar_key = is_pair(grow.of) and grow.of[1] in SCALARS
    exact, placed = grow.order == "exact", grow.order != "multiset"
    steps: list[tuple[Step, bool]] = [
        (narrow, True),
        (to_pairs, not is_pair(grow.of) and hashable(grow.of)),
        (of_partitions, exact),
        (in_order, exact),
        (kept, placed),
        (fewer, True),
        (distinct, hashable(grow.of)),
        (grouped, True),
        (sorted_records, True),
        (naturally_sorted, grow.of in ("int", "float", "str")),
        (with_other, grow.of in SCALARS),
        (of_values, is_pair(grow.of) and hashable(grow.of)),
        (by_key, scalar_key),
        (reduced, scalar_key and grow.of[2] == "int"),
        (joined, scalar_key),
        (sorted_pairs, scalar_key and ordered(grow.of[1])),
    ]
    return [step for step, fits in steps if fits]


def source(draw: Draw, of: Type) -> list[Any]:
    if of == "int" and draw(st.booleans()):
        start, step = draw(st.integers(-5, 5)), draw(st.sampled_from([1, 2, 7]))
        return ["range", start, start + draw(st.integers(0, 30)), step, draw(PLACES)]
    if of == "str" and draw(st.integers(0, 3)) == 0:
        lines = st.lists(st.text(st.characters(exclude_categories=["C", "Z"]), max_size=6), min_size=1, max_size=6)
        return ["text", draw(lines), draw(PLACES)]
    if draw(st.integers(0, 15)) == 0:
        return ["empty"]
    return ["parallelize", draw(records(of)), draw(PLACES)]


def of_ints(grow: Growing) -> list[list[Any]]:
    add = grow.draw(st.sampled_from(["operator.add", "lambda add", "add", "min", "max"]))
    buckets = grow.draw(st.sampled_from([1, 3, [-100, 0, 3, 1000], ["a", "b"]]))
    return [
        ["reduce", add],
        ["fold", 0, "operator.add"],
        ["fold", 5, "lambda add"],
        ["sum"],
        ["mean"],
        ["variance"],
        ["stdev"],
        ["sampleStdev"],
        ["sampleVariance"],
        ["histogram", buckets],
        ["tree", grow.draw(st.integers(1, 3))],
    ]


def actions(grow: Growing) -> list[list[Any]]:
    """The actions that fit to the records as they are."""
    n = grow.draw(st.integers(0, 6))
    found: list[list[Any]] = [["glom"]] * 3
    found += [["count"], ["isEmpty"], ["getNumPartitions"], ["counted", "by"], ["max", "repr"], ["takeOrdered", n, "repr"]]
    found += [["top", n, "negated_repr"]]
    if grow.order == "exact":
        found += [["collect"], ["take", n], ["first"], ["local"], ["aggregate"], ["runJob", [0]], ["saved"], ["plus"]]
        found += [["takeSample", grow.draw(st.booleans()), n, grow.draw(st.integers(0, 3))]]
    if grow.of in ("int", "float"):
        found += of_ints(grow)
    if ordered(grow.of):
        found += [["max", None], ["min", None], ["top", n, None], ["takeOrdered", n, None], ["stats"]][: 5 if grow.of == "int" else 4]
    if hashable(grow.of):
        found += [["countByValue"], ["approximately distinct"]]
    if is_pair(grow.of) and grow.of[1] in SCALARS:
        found += [["countByKey"], ["lookup", grow.draw(KEYS[grow.of[1]])]]
        if grow.of[2] == "int":
            found += [["reduceByKeyLocally", "operator.add"]]
    return found


@st.composite
def pipelines(draw: Draw) -> dict[str, Any]:
    of = draw(types)
    grow = Growing(draw, of, "exact", [])
    first = source(draw, of)
    for _ in range(draw(st.integers(0, 4))):
        draw(st.sampled_from(possible(grow)))(grow)
    action = draw(st.sampled_from(actions(grow)))
    order = grow.order if action[0] == "glom" else "exact"
    return {"source": first, "steps": grow.steps, "action": action, "order": order}
