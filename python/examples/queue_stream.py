"""Counts numbers by their remainder, one RDD of a list after another. Feeds itself: tidemill run queue_stream.py"""

import time

from pyspark import SparkContext
from pyspark.streaming import StreamingContext

if __name__ == "__main__":
    sc = SparkContext("local[2]", "QueueStream")
    ssc = StreamingContext(sc, 0.5)
    rdds = [sc.parallelize(range(1, 1001), 10) for _ in range(5)]
    ssc.queueStream(rdds).map(lambda number: (number % 10, 1)).reduceByKey(lambda a, b: a + b).pprint()
    ssc.start()
    time.sleep(3)
    ssc.stop(stopSparkContext=True, stopGraceFully=True)
