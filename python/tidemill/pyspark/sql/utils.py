"""Exceptions, where older programs import them from."""

from tidemill.pyspark.errors import (
    AnalysisException,
    IllegalArgumentException,
    ParseException,
    PySparkException,
    PythonException,
    QueryExecutionException,
    SparkUpgradeException,
    StreamingQueryException,
    UnknownException,
)

__all__ = [
    "AnalysisException",
    "IllegalArgumentException",
    "ParseException",
    "PySparkException",
    "PythonException",
    "QueryExecutionException",
    "SparkUpgradeException",
    "StreamingQueryException",
    "UnknownException",
]
