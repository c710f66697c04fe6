"""The smallest program that prints a batch."""

import time

from pyspark import SparkContext
from pyspark.streaming import StreamingContext

context = SparkContext("local[2]", "first batch")
streaming = StreamingContext(context, 0.1)  # type: ignore[arg-type]
streaming.queueStream([context.parallelize(["a b a"])]).flatMap(lambda line: line.split(" ")).pprint()
streaming.start()
time.sleep(30)
