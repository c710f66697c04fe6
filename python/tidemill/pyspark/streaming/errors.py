"""Errors of the streaming layer, under the names that Spark gives them."""

from tidemill.pyspark import errors


class SparkException(errors.PySparkException, RuntimeError):
    """Something cannot be done, or a batch cannot be made."""


class IllegalStateException(errors.PySparkException, RuntimeError):
    """A call comes at the wrong time of a context's life."""


class IllegalArgumentException(errors.IllegalArgumentException, ValueError):
    """A program or a value cannot be started with."""


class UnsupportedOperationException(errors.UnsupportedOperationException, RuntimeError):
    """A call is not possible any more."""
