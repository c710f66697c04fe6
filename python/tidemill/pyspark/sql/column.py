"""Columns of DataFrames."""

from tidemill.pyspark.sql._later import Later


class Column(Later):
    """A column. Raises NotImplementedError: DataFrames come later."""
