from tidemill.pyspark.sql import *
