"""The life of a context, and what it refuses."""

import functools
import queue
import threading
from collections import deque
from collections.abc import Iterator
from typing import Any

import pytest

from tidemill.pyspark.conf import SparkConf
from tidemill.pyspark.context import SparkContext
from tidemill.pyspark.streaming import StreamingContext
from tidemill.pyspark.streaming.errors import (
    IllegalArgumentException,
    IllegalStateException,
    SparkException,
    UnsupportedOperationException,
)
from tidemill.pyspark.streaming.kinesis import KinesisUtils
from tidemill.pytest_plugin import StreamTest


@pytest.fixture
def sc() -> Iterator[SparkContext]:
    sc = SparkContext(conf=SparkConf().setMaster("local[2]").setAppName("test"))
    yield sc
    active = StreamingContext.getActive()
    if active is not None:
        active.stop(False)
    sc.stop()


@pytest.fixture
def ssc(sc: SparkContext) -> StreamingContext:
    return StreamingContext(sc, 0.05)


def with_output(ssc: StreamingContext) -> StreamingContext:
    ssc.queueStream([[1]]).foreachRDD(lambda rdd: None)
    return ssc


def test_start_and_stop(ssc: StreamingContext, sc: SparkContext) -> None:
    with_output(ssc).start()
    assert StreamingContext.getActive() is ssc
    ssc.start()
    assert ssc.awaitTerminationOrTimeout(0.01) is False
    assert ssc.awaitTermination(0.01) is None  # type: ignore[func-returns-value]
    ssc.stop(stopSparkContext=False)
    assert StreamingContext.getActive() is None
    assert ssc.awaitTerminationOrTimeout(0.01) is True
    ssc.stop(stopSparkContext=False)
    with pytest.raises(IllegalStateException, match="already been stopped"):
        ssc.start()
    with_output(StreamingContext(sc, 0.05)).start()


def test_no_output(ssc: StreamingContext) -> None:
    ssc.queueStream([[1]]).map(str)
    with pytest.raises(IllegalArgumentException, match="No output operations registered"):
        ssc.start()
    with pytest.raises(IllegalStateException, match="stopped"):
        ssc.start()


def test_one_context_at_a_time(ssc: StreamingContext, sc: SparkContext) -> None:
    with_output(ssc).start()
    with pytest.raises(IllegalStateException, match="test_context.py"):
        with_output(StreamingContext(sc, 1)).start()


def test_nothing_is_declared_after_start(ssc: StreamingContext) -> None:
    source = ssc.queueStream([[1]])
    with_output(ssc).start()
    for declare in (lambda: source.map(str), lambda: source.pprint(), lambda: ssc.queueStream([[1]])):
        with pytest.raises(IllegalStateException, match="after starting"):
            declare()
    ssc.stop(stopSparkContext=False)
    with pytest.raises(IllegalStateException, match="after stopping"):
        source.map(str)


def test_levels_and_intervals_are_set_before_start(ssc: StreamingContext) -> None:
    source = ssc.queueStream([[1]])
    assert source.cache() is source and source.is_cached
    with_output(ssc).start()
    for change in (source.cache, lambda: source.checkpoint(1)):
        with pytest.raises(UnsupportedOperationException):
            change()


def test_state_needs_a_checkpoint(ssc: StreamingContext) -> None:
    ssc.queueStream([[("a", 1)]]).updateStateByKey(lambda values, state: 1).pprint()
    with pytest.raises(IllegalArgumentException, match="checkpoint directory"):
        ssc.start()


def test_a_checkpoint_by_configuration(tmp_path: Any) -> None:
    directory = str(tmp_path / "there")
    conf = SparkConf().setMaster("local[2]").setAppName("test").set("spark.streaming.checkpoint.directory", directory)
    with SparkContext(conf=conf) as sc:
        ssc = StreamingContext(sc, 0.05)
        ssc.checkpoint(directory)
        assert str(sc.getCheckpointDir()).startswith(directory)
        ssc.textFileStream(str(tmp_path)).foreachRDD(lambda rdd: None)
        ssc.start()
        ssc.stop(stopSparkContext=False)
    assert (tmp_path / "there" / "python-program").exists()


def test_a_context_is_stopped_with_its_spark_context(ssc: StreamingContext, sc: SparkContext) -> None:
    with_output(ssc).start()
    sc.stop()
    assert ssc.awaitTerminationOrTimeout(0)


def test_remember_is_said_once(ssc: StreamingContext) -> None:
    ssc.remember(5)
    with pytest.raises(IllegalArgumentException, match="already set as 5000 ms"):
        ssc.remember(6)


def test_slice_needs_a_start(ssc: StreamingContext) -> None:
    with pytest.raises(SparkException, match="not initialized"):
        ssc.queueStream([[1]]).slice(0, 1)


def test_arity(ssc: StreamingContext) -> None:
    source: Any = ssc.queueStream([[1]])
    wrong: Any
    for wrong in (lambda: None, lambda a, b, c: a):
        with pytest.raises(AssertionError):
            source.transform(wrong)
    for wrong in (lambda a: a, lambda a, b, c, d: a):
        with pytest.raises(AssertionError):
            source.transformWith(wrong, source)
    for declare in (source.transform, source.foreachRDD):
        for no_code in (print, functools.partial(lambda rdd: rdd)):
            with pytest.raises(AttributeError):
                declare(no_code)


class Method:
    def output(self, rdd: Any) -> None:
        raise AssertionError("it is called with a time too, as in PySpark")


def test_a_method_counts_itself(stream: StreamTest) -> None:
    stream.input().foreachRDD(Method().output)
    with pytest.raises(TypeError):
        stream.tick()


def test_unions(ssc: StreamingContext) -> None:
    source = ssc.queueStream([[1]])
    with pytest.raises(ValueError, match="at least one"):
        ssc.union()
    assert ssc.union(source) is source


def test_durations() -> None:
    with pytest.raises(AssertionError):
        StreamingContext(None)  # type: ignore[arg-type]


def test_get_active_or_create(ssc: StreamingContext) -> None:
    with pytest.raises(TypeError, match="callable"):
        StreamingContext.getActiveOrCreate(None, None)  # type: ignore[arg-type]
    assert StreamingContext.getActiveOrCreate(None, lambda: ssc) is ssc
    with_output(ssc).start()
    assert StreamingContext.getActiveOrCreate(None, lambda: None) is ssc  # type: ignore[arg-type, return-value]


def test_transform_of_many_must_give_an_rdd(stream: StreamTest) -> None:
    nothing: Any = lambda rdds: None  # noqa: E731
    stream.ssc.transform([stream.input()], nothing).foreachRDD(lambda rdd: None)
    with pytest.raises(SparkException, match="empty RDD"):
        stream.tick()


def test_what_stops_from_an_output(ssc: StreamingContext, sc: SparkContext) -> None:
    counts: list[int] = []

    def count_and_stop(rdd: Any) -> None:
        ssc.stop()
        counts.append(rdd.count())

    ssc.queueStream([[1, 2]]).foreachRDD(count_and_stop)
    ssc.start()
    assert ssc.awaitTerminationOrTimeout(20)
    assert counts == [2]


def test_kinesis_says_what_it_is() -> None:
    with pytest.raises(NotImplementedError, match="KinesisUtils.createStream"):
        KinesisUtils.createStream(None, "app", "stream", "url", "region", 0, 2)  # type: ignore[arg-type]


# Queues.


def collected(stream: StreamTest, *arguments: Any, ticks: int = 3, **keywords: Any) -> list[list[Any]]:
    out = stream.collect(stream.ssc.queueStream(*arguments, **keywords))
    stream.tick(ticks)
    return out.batches


def test_one_rdd_after_the_other(stream: StreamTest) -> None:
    assert collected(stream, [stream.sc.parallelize([1]), stream.sc.parallelize([2, 3])]) == [[1], [2, 3], []]


def test_all_rdds_at_once(stream: StreamTest) -> None:
    assert collected(stream, [[1], [2, 3]], False) == [[1, 2, 3], [], []]


def test_a_default(stream: StreamTest) -> None:
    assert collected(stream, [[1]], default=[0]) == [[1], [0], [0]]


def test_an_exhausted_queue_has_one_partition(stream: StreamTest) -> None:
    partitions: list[int] = []
    stream.ssc.queueStream([[1]]).foreachRDD(lambda rdd: partitions.append(rdd.getNumPartitions()))
    stream.tick(2)
    assert partitions == [2, 1]


def test_an_empty_list_without_a_default(stream: StreamTest) -> None:
    with pytest.raises(IndexError):
        stream.ssc.queueStream([])
    assert collected(stream, [], default=[5], ticks=1) == [[5]]


def test_what_is_appended_later_is_seen(stream: StreamTest) -> None:
    rdds: list[Any] = [[1]]
    out = stream.collect(stream.ssc.queueStream(rdds))
    stream.tick()
    rdds.append([2])
    stream.tick()
    assert (out.batches, rdds) == ([[1], [2]], [[1], [2]])


@pytest.mark.parametrize("kind", [deque, queue.Queue])
def test_queues(stream: StreamTest, kind: Any) -> None:
    source = kind()
    out = stream.collect(stream.ssc.queueStream(source))
    stream.tick()
    (source.append if kind is deque else source.put)([1])
    stream.tick(2)
    assert out.batches == [[], [1], []]


# Receivers.


def received(ssc: StreamingContext, receiver: Any, expected: int) -> list[Any]:
    records: list[Any] = []
    done = threading.Event()

    def take(rdd: Any) -> None:
        records.extend(rdd.collect())
        if len(records) >= expected:
            done.set()

    ssc.receiverStream(receiver).foreachRDD(take)
    ssc.start()
    assert done.wait(20)
    return records


def test_a_function_as_receiver(ssc: StreamingContext) -> None:
    def numbers(store: Any) -> None:
        store(1)
        store.store(2)
        store.storeAll([3, 4])
        while not store.wait(1):
            pass

    assert received(ssc, numbers, 4) == [1, 2, 3, 4]


class Numbers:
    def __init__(self) -> None:
        self.calls: list[str] = []

    def onStart(self, store: Any) -> None:
        self.calls.append("start")
        threading.Thread(target=store.storeAll, args=([1, 2],)).start()

    def onStop(self) -> None:
        self.calls.append("stop")


def test_an_object_as_receiver(ssc: StreamingContext) -> None:
    numbers = Numbers()
    assert received(ssc, numbers, 2) == [1, 2]
    ssc.stop(stopSparkContext=False)
    assert numbers.calls == ["start", "stop"]


def test_what_is_no_receiver(ssc: StreamingContext) -> None:
    with pytest.raises(TypeError, match="onStart"):
        ssc.receiverStream(5)  # type: ignore[arg-type]
