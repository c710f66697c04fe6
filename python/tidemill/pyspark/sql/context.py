"""The old front of SQL."""

from __future__ import annotations

from typing import Any, NoReturn

from tidemill.pyspark.context import SparkContext
from tidemill.pyspark.sql._later import later
from tidemill.pyspark.sql.session import SparkSession


class SQLContext:
    """The front of SQL before there were sessions. Every call that needs DataFrames raises NotImplementedError.

    >>> from tidemill.pyspark import SparkContext, SQLContext
    >>> with SparkContext("local[1]", "doc") as sc:
    ...     SQLContext(sc).sql("select 1")
    Traceback (most recent call last):
        ...
    NotImplementedError: SQLContext.sql is not here yet: DataFrames come later
    """

    def __init__(self, sparkContext: SparkContext, sparkSession: SparkSession | None = None, jsqlContext: Any = None):
        self._sc = sparkContext
        self.sparkSession = sparkSession or SparkSession.builder.getOrCreate()

    @classmethod
    def getOrCreate(cls, sc: SparkContext) -> SQLContext:
        """A front of the context."""
        return cls(sc)

    def newSession(self) -> SQLContext:
        """Another front of the same context."""
        return type(self)(self._sc, self.sparkSession.newSession())

    def setConf(self, key: str, value: str | int | bool) -> None:
        """Sets a key of the session."""
        self.sparkSession.conf.set(key, value)

    def getConf(self, key: str, defaultValue: str | None = None) -> str | None:
        """The value of a key of the session, or the default."""
        return self.sparkSession.conf.get(key, defaultValue)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            return object.__getattribute__(self, name)
        if name in ("read", "readStream", "streams", "udf"):
            raise later(f"{type(self).__name__}.{name}")

        def call(*_: Any, **__: Any) -> NoReturn:
            raise later(f"{type(self).__name__}.{name}")

        return call


class HiveContext(SQLContext):
    """The same; there is no Hive."""
