"""Heavy lambdas on one thread or two: `scaling.py MASTER`; prints seconds, job by job."""

import json
import sys
import time

from pyspark import SparkContext

context = SparkContext(sys.argv[1], "scaling")
numbers = context.parallelize(range(400), 8)
took_s = []
for _ in range(5):
    begin = time.perf_counter()
    numbers.map(lambda n: sum(i * i for i in range(10_000 + n))).sum()
    took_s.append(time.perf_counter() - begin)
print(json.dumps(took_s), flush=True)
context.stop()
