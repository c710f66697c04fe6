"""Small batches with a shuffle: `interval.py MS`; prints how late batches end, in ms, over the last of four seconds."""

import json
import sys
import time
from datetime import datetime

from pyspark import RDD, SparkContext
from pyspark.streaming import StreamingContext

interval_ms = int(sys.argv[1])
context = SparkContext("local[2]", "interval")
streaming = StreamingContext(context, interval_ms / 1000)  # type: ignore[arg-type]
records = context.parallelize(range(1000), 2)
counts = streaming.queueStream([], default=records).map(lambda n: (n % 100, 1)).reduceByKey(lambda a, b: a + b)
ends: list[tuple[float, float]] = []


def measure(at: datetime, rdd: RDD[tuple[int, int]]) -> None:
    assert len(rdd.collect()) == 100
    ends.append((time.time(), 1000 * (time.time() - at.timestamp())))


counts.foreachRDD(measure)
streaming.start()
time.sleep(4)
last = time.time() - 1
print(json.dumps([late_ms for end, late_ms in list(ends) if end > last]), flush=True)
streaming.stop()
