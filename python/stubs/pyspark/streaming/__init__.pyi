from tidemill.pyspark.streaming import *
