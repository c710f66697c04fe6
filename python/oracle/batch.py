"""Runs a pipeline of datasets under whichever `pyspark` is imported.

A pipeline is plain data: `{"source": [name, ...], "steps": [[method, ...], ...], "action": [name, ...]}`. Functions are
named (`functions.py`), another dataset is a pipeline without an action.
"""

import os
import tempfile
from collections.abc import Callable
from typing import Any

from functions import named, unordered, unordered_groups

Pipeline = dict[str, Any]


def written(context: Any, lines: list[str]) -> str:
    """A file of these lines."""
    with tempfile.NamedTemporaryFile("w", encoding="utf-8", suffix=".txt", delete=False) as file:
        file.writelines(f"{line}\n" for line in lines)
    return file.name


def saved(rdd: Any) -> list[list[str]]:
    """What `saveAsTextFile` writes, part by part."""
    folder = os.path.join(tempfile.mkdtemp(), "saved")
    rdd.saveAsTextFile(folder)
    parts = sorted(name for name in os.listdir(folder) if not name.startswith("."))
    return [[name, *open(os.path.join(folder, name), encoding="utf-8").read().split("\n")] for name in parts]


def pickled(rdd: Any) -> Any:
    folder = os.path.join(tempfile.mkdtemp(), "pickled")
    rdd.saveAsPickleFile(folder)
    return rdd.context.pickleFile(folder)


def counted(rdd: Any, by: str) -> Any:
    """Counts records in an accumulator, and looks them up in a broadcast value."""
    accumulator, table = rdd.context.accumulator(0), rdd.context.broadcast({"by": 3})

    def count(record: Any) -> None:
        accumulator.add(table.value[by])

    rdd.foreach(count)
    return accumulator.value


def checkpointed(rdd: Any) -> Any:
    rdd.context.setCheckpointDir(tempfile.mkdtemp())
    rdd.checkpoint()
    before = rdd.count()
    assert rdd.isCheckpointed()
    assert rdd.count() == before
    return rdd


def mean_by_key(rdd: Any, partitions: int | None) -> Any:
    """The classic of `aggregateByKey`: a sum and a number for every key."""
    return rdd.aggregateByKey(
        (0, 0), lambda sum, x: (sum[0] + x, sum[1] + 1), lambda a, b: (a[0] + b[0], a[1] + b[1]), partitions
    )


def sources(context: Any) -> dict[str, Callable[..., Any]]:
    return {
        "parallelize": context.parallelize,
        "range": context.range,
        "empty": context.emptyRDD,
        "text": lambda lines, partitions: context.textFile(written(context, lines), partitions),
    }


def step(context: Any, rdd: Any, name: str, arguments: list[Any]) -> Any:
    """One transformation. Methods whose arguments are functions or datasets are told apart by name."""
    if name in SPECIAL:
        return SPECIAL[name](rdd, *arguments)
    if name in OF_FUNCTIONS:
        functions = [named(argument) if isinstance(argument, str) else argument for argument in arguments]
        return getattr(rdd, name)(*functions)
    if name in OF_TWO:
        other, *rest = arguments
        return getattr(rdd, name)(built(context, other), *rest)
    return getattr(rdd, name)(*arguments)


OF_FUNCTIONS = frozenset(
    "map flatMap filter mapPartitions mapPartitionsWithIndex keyBy groupBy mapValues flatMapValues reduceByKey "
    "combineByKey foldByKey sortBy".split()
)
OF_TWO = frozenset(
    "union intersection subtract subtractByKey cartesian zip join leftOuterJoin rightOuterJoin fullOuterJoin "
    "cogroup groupWith".split()
)
SPECIAL: dict[str, Callable[..., Any]] = {
    "accept group": lambda rdd: rdd.mapValues(unordered),
    "accept groups": lambda rdd: rdd.mapValues(unordered_groups),
    "cached": lambda rdd: rdd.cache(),
    "checkpointed": checkpointed,
    "mean by key": mean_by_key,
    "pickled": pickled,
    "partitionBy": lambda rdd, n, f: rdd.partitionBy(n, named(f)) if f else rdd.partitionBy(n),
    "sort within": lambda rdd, n, up: rdd.repartitionAndSortWithinPartitions(n, ascending=up),
    "split": lambda rdd, weights, seed, which: rdd.randomSplit(weights, seed)[which],
    "sorted by key": lambda rdd, up, n, f: rdd.sortByKey(up, n, *([named(f)] if f else [])),
    "top by key": lambda rdd: rdd.groupByKey().mapValues(lambda values: max(values, key=repr)),
    "with itself": lambda rdd, f: rdd.zip(rdd.map(named(f))),
}
ACTIONS: dict[str, Callable[..., Any]] = {
    "aggregate": lambda rdd: rdd.aggregate(([], 0), lambda a, x: (a[0] + [x], a[1] + 1), lambda a, b: (a[0] + b[0], a[1] + b[1])),
    "approximately distinct": lambda rdd: rdd.countApproxDistinct(0.01) <= max(1, 2 * rdd.distinct().count()),
    "as map": lambda rdd: rdd.collectAsMap(),
    "counted": counted,
    "fold": lambda rdd, zero, f: rdd.fold(zero, named(f)),
    "glom": lambda rdd: rdd.glom().collect(),
    "histogram": lambda rdd, buckets: rdd.histogram(buckets),
    "local": lambda rdd: list(rdd.toLocalIterator()),
    "lookup": lambda rdd, key: unordered(rdd.lookup(key)),
    "max": lambda rdd, f: rdd.max(named(f)),
    "min": lambda rdd, f: rdd.min(named(f)),
    "plus": lambda rdd: (rdd + rdd).glom().collect(),
    "reduce": lambda rdd, f: rdd.reduce(named(f)),
    "reduceByKeyLocally": lambda rdd, f: rdd.reduceByKeyLocally(named(f)),
    "runJob": lambda rdd, chosen: rdd.context.runJob(rdd, lambda records: [list(records)], chosen),
    "saved": saved,
    "stats": lambda rdd: rdd.stats().asDict(),
    "takeOrdered": lambda rdd, n, f: rdd.takeOrdered(n, named(f)),
    "top": lambda rdd, n, f: rdd.top(n, named(f)),
    "tree": lambda rdd, depth: (rdd.treeReduce(lambda a, b: a + b, depth), rdd.treeAggregate(3, lambda a, x: a + x, lambda a, b: a + b, depth)),
}


def built(context: Any, pipeline: Pipeline) -> Any:
    """The dataset that a pipeline describes."""
    name, *arguments = pipeline["source"]
    rdd = sources(context)[name](*arguments)
    for name, *arguments in pipeline["steps"]:
        rdd = step(context, rdd, name, arguments)
    return rdd


def run(context: Any, pipeline: Pipeline) -> Any:
    name, *arguments = pipeline["action"]
    rdd = built(context, pipeline)
    return ACTIONS[name](rdd, *arguments) if name in ACTIONS else getattr(rdd, name)(*arguments)
