from tidemill.pyspark import *
