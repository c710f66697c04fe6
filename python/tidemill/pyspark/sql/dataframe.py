"""DataFrames."""

from tidemill.pyspark.sql._later import Later


class DataFrame(Later):
    """Records with named columns. Raises NotImplementedError: DataFrames come later."""


class DataFrameNaFunctions(Later):
    """What is done about missing values. Raises NotImplementedError: DataFrames come later."""


class DataFrameStatFunctions(Later):
    """Statistics. Raises NotImplementedError: DataFrames come later."""
