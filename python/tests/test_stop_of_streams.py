"""What is left when a stream is stopped."""

import threading
import time

import pytest

from tidemill.pyspark import RDD, SparkContext
from tidemill.pyspark.streaming import StreamingContext, StreamingListener
from tidemill.pyspark.streaming.listener import BatchEvent


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


def test_from_a_transformation_the_stop_only_begins() -> None:
    streaming = StreamingContext(SparkContext("local[2]", "test"), 0.02)

    def stopping(rdd: RDD[int]) -> RDD[int]:
        streaming.stop()
        return rdd

    streaming.queueStream([[1]], default=[2]).transform(stopping).foreachRDD(lambda rdd: rdd.count())
    streaming.start()
    assert_that_both_stop(streaming)
