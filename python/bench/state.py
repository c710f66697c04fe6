"""State of many keys: `state.py KEYS RECORDS BATCHES`; prints the seconds from the end of each batch to that of the next.

Batches are due far faster than they can be done, so that nothing but the work is measured.
"""

import json
import random
import sys
import tempfile
import time

from pyspark import RDD, SparkContext
from pyspark.streaming import StreamingContext

keys, records, batches = map(int, sys.argv[1:])
context = SparkContext("local[2]", "state")
streaming = StreamingContext(context, 0.01)  # type: ignore[arg-type]
streaming.checkpoint(tempfile.mkdtemp())
chance = random.Random(1)
queue = [context.parallelize([(chance.randrange(keys), 1) for _ in range(records)], 2) for _ in range(batches)]
initial = context.parallelize([(key, 0) for key in range(keys)], 2)
totals = streaming.queueStream(queue).updateStateByKey(lambda new, sum_: sum(new) + (sum_ or 0), 2, initial)
ends: list[float] = []


def measure(rdd: RDD[tuple[int, int]]) -> None:
    assert rdd.count() == keys
    ends.append(time.perf_counter())


totals.foreachRDD(measure)
streaming.start()
while len(ends) < batches:
    time.sleep(0.01)
print(json.dumps([end - begin for begin, end in zip(ends, ends[1:])][: batches - 1]), flush=True)
streaming.stop()
