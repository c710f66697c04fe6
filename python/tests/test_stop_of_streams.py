"""What is left when a stream is stopped."""

import pytest

from tidemill.pyspark import SparkContext
from tidemill.pyspark.streaming import StreamingContext


@pytest.mark.parametrize("graceful", [True, False])
def test_the_spark_context_lives_on_if_it_is_not_to_stop(graceful: bool) -> None:
    with SparkContext("local[2]", "test") as context:
        streaming = StreamingContext(context, 0.05)
        streaming.queueStream([context.parallelize([1], 1)]).foreachRDD(lambda rdd: None)
        streaming.start()
        streaming.stop(stopSparkContext=False, stopGraceFully=graceful)
        assert context.parallelize([1, 2], 2).collect() == [1, 2]
