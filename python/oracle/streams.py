"""Random pipelines of streams: a queue of batches, and steps. Their order is never more defined than "partitions"."""

from dataclasses import dataclass
from typing import Any

from hypothesis import strategies as st

from batches import Draw
from records import SCALARS, Type, is_pair, records
from seen import DRAWN_BATCH_S

LEVELS = ("partitions", "multiset")
PARTITIONS = st.sampled_from([None, 1, 3])
TYPES: st.SearchStrategy[Type] = st.sampled_from(["int", "str", "any", ("pair", "str", "int"), ("pair", "int", "int")])


@dataclass
class Growing:
    draw: Draw
    of: Type
    steps: list[list[Any]]
    order: str = "partitions"
    slowed: bool = False  # a batch of it comes not with every batch
    skips: bool = False  # some of its batches are None, of which PySpark can make nothing but windows

    def add(self, name: str, *arguments: Any, of: Type = None, order: str = "partitions") -> None:
        self.steps.append([name, *arguments])
        self.of = self.of if of is None else of
        self.order = max(self.order, order, key=LEVELS.index)


def seconds(grow: Growing) -> tuple[float, float]:
    """A window and its slide."""
    slide = grow.draw(st.sampled_from([1, 1, 2]))
    grow.slowed = slide > 1
    return DRAWN_BATCH_S * grow.draw(st.integers(1, 5)), DRAWN_BATCH_S * slide


def queue(draw: Draw, of: Type) -> list[list[Any]]:
    return [[draw(records(of)), draw(st.integers(1, 2))] for _ in range(draw(st.integers(1, 5)))]


def other(grow: Growing, of: Type) -> dict[str, Any]:
    return {"queue": queue(grow.draw, of), "steps": [], "default": grow.draw(st.booleans())}


def narrow(grow: Growing) -> None:
    name, *rest = grow.draw(
        st.sampled_from(
            [
                ("map", "repr", "str"),
                ("filter", "is_odd", None),
                ("flatMap", "twice", None),
                ("sorted", True, None),
                ("cached", None),
            ]
        )
    )
    grow.add(name, *rest[:-1], of=rest[-1])


def of_partitions(grow: Growing) -> None:
    name, f, of = grow.draw(
        st.sampled_from(
            [
                ("mapPartitions", "number_of", "int"),
                ("mapPartitionsWithIndex", "with_partition", ("pair", "int", grow.of)),
            ]
        )
    )
    grow.add(name, f, of=of)


def counted(grow: Growing) -> None:
    names = ["count", "countByValue", "countByWindow", "countByValueAndWindow"]
    name = grow.draw(st.sampled_from(names[:2] if grow.slowed else names))
    if name.endswith("Window"):
        rest = [*seconds(grow), *([grow.draw(PARTITIONS)] if "Value" in name else [])]
    else:
        rest = []
    grow.add(name, *rest, of=("pair", grow.of, "int") if "Value" in name else "int")


def windowed(grow: Growing) -> None:
    grow.add("window", *seconds(grow))
    grow.skips = False


def merged(grow: Growing) -> None:
    name = grow.draw(st.sampled_from(["union", "of both", "united"]))
    grow.add(name, other(grow, grow.of))


def skipped(grow: Growing) -> None:
    names = ["with itself"] if grow.order == "multiset" else ["now and then", "with itself"]
    name = grow.draw(st.sampled_from(names))
    grow.add(name, of="any")
    grow.skips = name == "now and then"


def repartitioned(grow: Growing) -> None:
    grow.add("repartition", grow.draw(st.integers(1, 3)), order="multiset")


def reduced(grow: Growing) -> None:
    f = grow.draw(st.sampled_from(["operator.add", "max", "add"]))
    if grow.slowed or grow.draw(st.booleans()):
        grow.add("reduce", f)
    else:
        inverse = "subtract" if f != "max" and grow.draw(st.booleans()) else None
        grow.add("reduceByWindow", f, inverse, *seconds(grow))


def reduced_by_key(grow: Growing) -> None:
    partitions = grow.draw(PARTITIONS)
    names = ["reduceByKey", "combineByKey", "reduceByKeyAndWindow"]
    name = grow.draw(st.sampled_from(names[:2] if grow.slowed else names))
    if name == "reduceByKey":
        grow.add(name, grow.draw(st.sampled_from(["operator.add", "lambda add", "min"])), partitions)
    elif name == "combineByKey":
        grow.add(name, "listed", "append", "extend", partitions, of=("pair", grow.of[1], "list"))
        grow.add("accept group")
    else:
        inverse = grow.draw(st.sampled_from([None, "subtract"]))
        positive = grow.draw(st.sampled_from([None, "positive"]))
        grow.add(name, "add", inverse, *seconds(grow), partitions, positive)


def updated(grow: Growing) -> None:
    f = grow.draw(st.sampled_from(["running_sum", "forgetful_sum", "seen"]))
    of = ("pair", grow.of[1], "list" if f == "seen" else "int")
    if f != "seen" and grow.draw(st.booleans()):
        initial = grow.draw(records(grow.of).map(lambda pairs: list(dict(pairs).items())))
        grow.add("initially updated", f, grow.draw(PARTITIONS), [initial, 2], of=of)
    else:
        grow.add("updateStateByKey", f, grow.draw(PARTITIONS), of=of)


def grouped(grow: Growing) -> None:
    names = ["groupByKey", "groupByKeyAndWindow"]
    name = grow.draw(st.sampled_from(names[:1] if grow.slowed else names))
    rest = list(seconds(grow)) if name.endswith("Window") else []
    grow.add(name, *rest, grow.draw(PARTITIONS), of=("pair", grow.of[1], "list"))
    grow.add("accept group")


def of_pairs(grow: Growing) -> None:
    name, *rest = grow.draw(
        st.sampled_from(
            [
                ("partitionBy", 2, None, grow.of),
                ("partitionBy", 3, "place_by_length", grow.of),
                ("mapValues", "double", grow.of),
                ("flatMapValues", "twice", grow.of),
            ]
        )
    )
    grow.add(name, *rest[:-1], of=rest[-1])


def joined(grow: Growing) -> None:
    names = ["join", "leftOuterJoin", "rightOuterJoin", "fullOuterJoin", "cogroup", "with table"]
    name, of = grow.draw(st.sampled_from(names)), ("pair", grow.of[1], "str")
    if name == "with table":
        grow.add(name, grow.draw(records(of)), 2, of=("pair", grow.of[1], "any"))
    elif name == "cogroup":
        grow.add(name, other(grow, of), grow.draw(PARTITIONS), of=("pair", grow.of[1], "list"))
        grow.add("accept groups")
    else:
        grow.add(name, other(grow, of), grow.draw(PARTITIONS), of=("pair", grow.of[1], "any"))


def steps(grow: Growing) -> list[Any]:
    pairs = is_pair(grow.of) and grow.of[1] in SCALARS
    hashable = grow.of in SCALARS or (pairs and grow.of[2] in SCALARS)
    found = [
        (narrow, hashable),
        (of_partitions, hashable and grow.order == "partitions"),
        (counted, hashable),
        (windowed, hashable and not grow.slowed),
        (merged, hashable and grow.of != "float" and not grow.slowed),
        (skipped, hashable),
        (repartitioned, hashable),
        (reduced, grow.of == "int"),
        (reduced_by_key, pairs and grow.of[2] == "int"),
        (updated, pairs and grow.of[2] == "int"),
        (grouped, pairs),
        (of_pairs, pairs and hashable),
        (joined, pairs and not grow.slowed),
    ]
    return [step for step, fits in found if fits and (step is windowed or not grow.skips)]


@st.composite
def pipelines(draw: Draw) -> dict[str, Any]:
    of = draw(TYPES)
    grow = Growing(draw, of, [])
    first = queue(draw, of)
    for _ in range(draw(st.integers(1, 3))):
        if possible := steps(grow):
            draw(st.sampled_from(possible))(grow)
    return {
        "queue": first,
        "one": draw(st.sampled_from([True, True, True, False])),
        "default": draw(st.booleans()),
        "steps": grow.steps,
        "order": grow.order,
    }
