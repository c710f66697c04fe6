from tidemill.pyspark.streaming.kafka import *
