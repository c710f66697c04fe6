"""Runs pipelines of streams under whichever `pyspark` is imported: all of them in one streaming context.

A pipeline is plain data: `{"queue": [[records, partitions], ...], "steps": [[method, ...], ...]}`, a batch of each entry
of the queue. The result is what the last stream gave, batch by batch, partition by partition; a batch that it skipped is
None.
"""

import tempfile
import threading
from collections.abc import Callable
from datetime import datetime
from typing import Any

import seen
from batch import OF_FUNCTIONS
from functions import named, unordered, unordered_groups

def queued(context: Any, pipeline: dict[str, Any]) -> Any:
    batches = [context.sparkContext.parallelize(*entry) for entry in pipeline["queue"]]
    empty = context.sparkContext.parallelize([], 1)
    return context.queueStream(batches, pipeline.get("one", True), default=empty if pipeline.get("default") else None)


def step(context: Any, stream: Any, name: str, arguments: list[Any]) -> Any:
    if name in SPECIAL:
        return SPECIAL[name](stream, *arguments)
    if name in OF_FUNCTIONS | {"reduce", "reduceByWindow", "reduceByKeyAndWindow"}:
        functions = [named(argument) if isinstance(argument, str) else argument for argument in arguments]
        return getattr(stream, name)(*functions)
    if name in OF_TWO:
        other, *rest = arguments
        return getattr(stream, name)(built(context, other), *rest)
    if name == "initially updated":
        f, partitions, initial = arguments
        return stream.updateStateByKey(named(f), partitions, context.sparkContext.parallelize(*initial))
    if name == "of both":
        return context.transform([stream, built(context, arguments[0])], lambda rdds: rdds[0].union(rdds[1]))
    if name == "united":
        # PySpark takes only streams that it writes down in the same way; after `map` they are.
        streams = [stream, *[built(context, other) for other in arguments]]
        return context.union(*[of_one.map(named("unchanged")) for of_one in streams])
    if name == "with table":
        return stream.transform(lambda rdd: rdd.leftOuterJoin(rdd.context.parallelize(*arguments)))
    return getattr(stream, name)(*arguments)


OF_TWO = frozenset("union join leftOuterJoin rightOuterJoin fullOuterJoin cogroup".split())
SPECIAL: dict[str, Callable[..., Any]] = {
    "accept group": lambda stream: stream.mapValues(unordered),
    "accept groups": lambda stream: stream.mapValues(unordered_groups),
    "cached": lambda stream: stream.cache(),
    "now and then": lambda stream: stream.transform(lambda at, rdd: None if rdd.getNumPartitions() % 2 else rdd),
    "partitionBy": lambda stream, n, f: stream.partitionBy(n, named(f)) if f else stream.partitionBy(n),
    "sorted": lambda stream, up: stream.transform(lambda rdd: rdd.sortBy(repr, up, 1)),
    "updateStateByKey": lambda stream, f, partitions: stream.updateStateByKey(named(f), partitions),
    "with itself": lambda stream: stream.transformWith(lambda a, b: a.union(b.map(repr)), stream),
}


def built(context: Any, pipeline: dict[str, Any]) -> Any:
    stream = queued(context, pipeline)
    for name, *arguments in pipeline["steps"]:
        stream = step(context, stream, name, seen.windows(arguments))
    return stream


def kept(number: int) -> Callable[[datetime, Any], None]:
    return lambda at, rdd: seen.keep(number, at, rdd)


def kept_of(number: int) -> list[Any]:
    batches = seen.current.batches.get(number, {})
    return [batches.get(at) for at in range(seen.BATCHES)]


def problem(context: Any, number: int, pipeline: dict[str, Any]) -> dict[str, str] | None:
    """Declares a pipeline; why it cannot be."""
    try:
        built(context, pipeline).foreachRDD(kept(number))
    except Exception as error:
        return {"failed": type(error).__name__, "text": str(error)}
    return None


def awaited(context: Any) -> None:
    """Waits for the context, as a program does, to know why it failed."""
    try:
        context.awaitTermination()
    except Exception as error:
        seen.current.failed = f"{type(error).__name__}: {error}"
        seen.current.done.set()


def finished(context: Any, limit_s: int) -> bool:
    """Runs the context until all batches have come."""
    context.start()
    waiting = threading.Thread(target=awaited, args=(context,), daemon=True)
    waiting.start()
    seen.current.done.wait(limit_s)
    context.stop(stopSparkContext=False, stopGraceFully=False)
    waiting.join(30)
    return seen.current.last >= seen.BATCHES


def run(spark: Any, pipelines: list[dict[str, Any]]) -> list[Any]:
    from pyspark.streaming import StreamingContext

    seen.current = seen.Seen()
    context = StreamingContext(spark, seen.BATCH_S)  # type: ignore[arg-type]
    context.checkpoint(tempfile.mkdtemp())
    marks = context.queueStream([], default=spark.parallelize([0], 1))
    marks.foreachRDD(seen.begin)
    problems = [problem(context, number, pipeline) for number, pipeline in enumerate(pipelines)]
    marks.foreachRDD(seen.end)
    if not finished(context, 60 + 15 * seen.BATCHES * len(pipelines)):
        text = seen.current.failed or f"only {seen.current.last} batches"
        return [{"failed": "stream", "text": text} for _ in pipelines]
    return [found or kept_of(number) for number, found in enumerate(problems)]
