# Counts the words of each second. Needs a server that sends lines: nc -lk 9999
from pyspark.sql import SparkSession
from pyspark.sql.functions import *

spark = SparkSession.builder.appName("SparkStreamingExample").getOrCreate()
streamingContext = spark.sparkContext.setLogLevel("WARN").setCheckpointDir("checkpoint")

lines = streamingContext.socketTextStream("localhost", 9999)
words = lines.flatMap(lambda line: line.split(" "))
pairs = words.map(lambda word: (word, 1))
wordCounts = pairs.reduceByKey(lambda a, b: a + b)
wordCounts.pprint()

streamingContext.checkpoint("checkpoint")
streamingContext.start()
streamingContext.awaitTermination()
