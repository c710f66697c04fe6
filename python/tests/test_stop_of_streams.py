"""What is left when a stream is stopped."""

import threading
import time

import pytest

from tidemill.pyspark import RDD, SparkContext
from tidemill.pyspark.streaming import StreamingContext, StreamingListener
from tidemill.pyspark.streaming.listener import BatchEvent
from tidemill.pyspark.streaming.testing import batches_of


def assert_that_both_stop(streaming: StreamingContext) -> None:
    assert streaming.awaitTerminationOrTimeout(10)
    # Its context is stopped next, on a thread of its own.
    for thread in threading.enumerate():
        if thread.name == "tidemill-stop-context":
            thread.join(10)
    assert SparkContext._active_spark_context is None


@pytest.mark.parametrize("graceful", [True, False])
def test_the_spark_context_lives_on_if_it_is_not_to_stop(graceful: bool) -> None:
    with SparkContext("local[2]", "test") as context:
        streaming = StreamingContext(context, 0.05)
        streaming.queueStream([context.parallelize([1], 1)]).foreachRDD(lambda rdd: None)
        streaming.start()
        streaming.stop(stopSparkContext=False, stopGraceFully=graceful)
        assert context.parallelize([1, 2], 2).collect() == [1, 2]


@pytest.mark.parametrize("graceful", [True, False])
def test_from_a_listener_the_stop_only_begins(graceful: bool) -> None:
    streaming = StreamingContext(SparkContext("local[2]", "test"), 0.02)

    class Stopping(StreamingListener):
        def onBatchCompleted(self, batchCompleted: BatchEvent) -> None:
            streaming.stop(stopSparkContext=True, stopGraceFully=graceful)

    def slow(rdd: RDD[int]) -> None:
        time.sleep(0.1)
        assert rdd.count() == 1

    streaming.addStreamingListener(Stopping())
    streaming.queueStream([[1]], default=[2]).foreachRDD(slow)
    streaming.start()
    assert_that_both_stop(streaming)


@pytest.mark.parametrize("graceful", [True, False])
@pytest.mark.parametrize("where", ["in a function", "outside", "with the SparkContext"])
def test_a_clean_end_is_silent(where: str, graceful: bool, capfd: pytest.CaptureFixture[str]) -> None:
    context = SparkContext("local[2]", "test")
    streaming = StreamingContext(context, 0.02)

    def count(rdd: RDD[int]) -> None:
        rdd.count()
        if where == "in a function":
            streaming.stop(stopGraceFully=graceful)

    streaming.queueStream([[1]], default=[2]).foreachRDD(count)
    streaming.start()
    if where == "outside":
        streaming.stop(stopGraceFully=graceful)
    elif where == "with the SparkContext":
        context.stop()
    assert_that_both_stop(streaming)
    assert "WARN" not in capfd.readouterr().err


def test_the_test_of_a_stream_is_silent(capfd: pytest.CaptureFixture[str]) -> None:
    assert batches_of(lambda numbers: numbers.map(str), [1], []) == [["1"], []]
    assert "WARN" not in capfd.readouterr().err


@pytest.mark.parametrize(
    ("duration", "error"),
    [(-1, ValueError), (0, ValueError), (float("nan"), ValueError), (float("inf"), ValueError), ("1", TypeError)],
)
def test_a_batch_duration_that_there_cannot_be(duration: float, error: type[Exception]) -> None:
    with SparkContext("local[2]", "test") as context, pytest.raises(error, match="the batch duration"):
        StreamingContext(context, duration)


def test_from_a_transformation_the_stop_only_begins() -> None:
    streaming = StreamingContext(SparkContext("local[2]", "test"), 0.02)

    def stopping(rdd: RDD[int]) -> RDD[int]:
        streaming.stop()
        return rdd

    streaming.queueStream([[1]], default=[2]).transform(stopping).foreachRDD(lambda rdd: rdd.count())
    streaming.start()
    assert_that_both_stop(streaming)
