"""Counts words in lines of Kafka, batch by batch: tidemill run direct_kafka_word_count.py BROKERS TOPIC

For data, beside it: tidemill gen words --rate 100 --kafka BROKERS TOPIC
"""

import sys

from pyspark import SparkContext
from pyspark.streaming import StreamingContext
from pyspark.streaming.kafka import KafkaUtils

if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit("usage: direct_kafka_word_count.py BROKERS TOPIC")
    brokers, topic = sys.argv[1:]
    sc = SparkContext(appName="DirectKafkaWordCount")
    ssc = StreamingContext(sc, 2)
    messages = KafkaUtils.createDirectStream(ssc, [topic], {"metadata.broker.list": brokers})
    lines = messages.map(lambda message: message[1])
    counts = lines.flatMap(lambda line: line.split(" ")).map(lambda word: (word, 1)).reduceByKey(lambda a, b: a + b)
    counts.pprint()
    ssc.start()
    ssc.awaitTermination()
