"""Word count over batches of a file: `word_count.py FILE lambdas|operator BATCHES`; prints seconds, batch by batch."""

import json
import operator
import sys
import threading
import time

from pyspark import RDD, SparkContext
from pyspark.streaming import StreamingContext

file, kind, batches = sys.argv[1], sys.argv[2], int(sys.argv[3])
context = SparkContext("local[2]", "word count")
streaming = StreamingContext(context, 0.05)  # type: ignore[arg-type]
lines = streaming.queueStream([context.textFile(file, 2) for _ in range(batches)])
words = lines.flatMap(lambda line: line.split(" "))
counts = words.map(lambda word: (word, 1)).reduceByKey(operator.add if kind == "operator" else lambda a, b: a + b)
took_s: list[float] = []
done = threading.Event()


def measure(rdd: RDD[tuple[str, int]]) -> None:
    begin = time.perf_counter()
    found = rdd.collect()
    if found and len(took_s) < batches:
        took_s.append(time.perf_counter() - begin)
    elif not found:
        done.set()


counts.foreachRDD(measure)
streaming.start()
done.wait(120)
print(json.dumps(took_s), flush=True)
streaming.stop()
