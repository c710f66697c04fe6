"""The part of PySpark's SQL that streaming programs touch: sessions and rows. DataFrames come later; until then what
needs them raises NotImplementedError, which names it."""

from tidemill.pyspark.sql.column import Column
from tidemill.pyspark.sql.context import HiveContext, SQLContext
from tidemill.pyspark.sql.dataframe import DataFrame
from tidemill.pyspark.sql.session import SparkSession
from tidemill.pyspark.sql.types import Row
from tidemill.pyspark.sql.window import Window, WindowSpec

__all__ = ["Column", "DataFrame", "HiveContext", "Row", "SQLContext", "SparkSession", "Window", "WindowSpec"]
