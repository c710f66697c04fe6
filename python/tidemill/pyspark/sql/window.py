"""Windows over the rows of DataFrames."""

from tidemill.pyspark.sql._later import Later, LaterNamespace


class Window(metaclass=LaterNamespace):
    """Makes windows. Raises NotImplementedError: DataFrames come later."""

    unboundedPreceding = -(1 << 63)
    unboundedFollowing = (1 << 63) - 1
    currentRow = 0


class WindowSpec(Later):
    """A window. Raises NotImplementedError: DataFrames come later."""
