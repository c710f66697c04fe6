from tidemill.pyspark.sql.functions import *
