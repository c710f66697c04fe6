"""Counts words for good, and goes on with its counts when it is killed and started again.

tidemill run recoverable_word_count.py INPUT CHECKPOINT OUTPUT: move files of words into INPUT.
"""

import sys
from datetime import datetime

from pyspark import RDD, SparkContext
from pyspark.streaming import StreamingContext


def add(values: list[int], count: int | None) -> int:
    return sum(values) + (count or 0)


def create(folder: str, output: str) -> StreamingContext:
    sc = SparkContext("local[2]", "RecoverableWordCount")
    ssc = StreamingContext(sc, 0.5)

    def write(time: datetime, rdd: RDD[tuple[str, int]]) -> None:
        with open(output, "a") as out:
            for word, count in sorted(rdd.collect()):
                print(time.timestamp(), word, count, file=out)

    words = ssc.textFileStream(folder).flatMap(lambda line: line.split())
    words.map(lambda word: (word, 1)).updateStateByKey(add).foreachRDD(write)
    return ssc


if __name__ == "__main__":
    folder, checkpoint, output = sys.argv[1:]
    ssc = StreamingContext.getOrCreate(checkpoint, lambda: create(folder, output))
    ssc.start()
    ssc.awaitTermination()
