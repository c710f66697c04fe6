"""The session: the front of SQL, of which there is only what programs with RDDs and streams touch."""

from __future__ import annotations

from threading import RLock
from types import TracebackType
from typing import Any, ClassVar, NoReturn

from tidemill.pyspark.conf import SparkConf
from tidemill.pyspark.context import SparkContext
from tidemill.pyspark.sql._later import later


class RuntimeConfig:
    """The settings of a session.

    >>> conf = RuntimeConfig(SparkConf(False))
    >>> conf.set("spark.sql.shuffle.partitions", 2)
    >>> conf.get("spark.sql.shuffle.partitions")
    '2'
    """

    def __init__(self, conf: SparkConf) -> None:
        self._conf = conf

    def set(self, key: str, value: str | int | bool) -> None:
        """Sets a key."""
        self._conf.set(key, str(value).lower() if isinstance(value, bool) else value)

    def get(self, key: str, default: str | None = None) -> str | None:
        """The value of a key, or the default. Raises KeyError if there is neither."""
        if default is None and not self._conf.contains(key):
            raise KeyError(f'the configuration has no "{key}"')
        return self._conf.get(key, default)

    def unset(self, key: str) -> None:
        """Forgets a key."""
        self._conf._values.pop(key, None)

    def isModifiable(self, key: str) -> bool:
        """Whether a session may set a key: those of SQL only."""
        return key.startswith("spark.sql.")


class Builder:
    """Gathers settings for a session; methods give the builder itself."""

    def __init__(self) -> None:
        self._options: dict[str, Any] = {}

    def config(
        self,
        key: str | None = None,
        value: Any = None,
        conf: SparkConf | None = None,
        *,
        map: dict[str, Any] | None = None,
    ) -> Builder:
        """Sets a key, all keys of a configuration, or those of a dict."""
        self._options.update(conf.getAll() if conf is not None else [])
        self._options.update(map or {})
        if key is not None:
            self._options[key] = str(value).lower() if isinstance(value, bool) else str(value)
        return self

    def master(self, master: str) -> Builder:
        """Sets `spark.master`."""
        return self.config("spark.master", master)

    def appName(self, name: str) -> Builder:
        """Sets `spark.app.name`."""
        return self.config("spark.app.name", name)

    def enableHiveSupport(self) -> Builder:
        """Accepted; there is no Hive."""
        return self

    def remote(self, url: str) -> NoReturn:
        """Raises NotImplementedError: there is no server to connect to."""
        raise later("SparkSession.builder.remote")

    def getOrCreate(self) -> SparkSession:
        """The session of the active context, or of a new one, with these settings."""
        with SparkSession._lock:
            session = SparkSession._instantiatedSession
            if session is None or session.sparkContext._native_context is None:
                conf = SparkConf().setAll(list(self._options.items()))
                session = SparkSession(SparkContext.getOrCreate(conf))
            for key, value in self._options.items():
                session.conf.set(key, value)
            return session

    create = getOrCreate


class _Builders:
    """A new builder each time it is asked for."""

    def __get__(self, instance: object, owner: type) -> Builder:
        return Builder()


class SparkSession:
    """The front of a context. Every call that needs DataFrames raises NotImplementedError.

    >>> from tidemill.pyspark.sql import SparkSession
    >>> spark = SparkSession.builder.master("local[1]").appName("doc").getOrCreate()
    >>> spark.sparkContext.range(3).count()
    3
    >>> spark.sql("select 1")
    Traceback (most recent call last):
        ...
    NotImplementedError: SparkSession.sql is not here yet: DataFrames come later
    >>> spark.stop()
    """

    builder = _Builders()
    _lock: ClassVar[RLock] = RLock()
    _instantiatedSession: ClassVar[SparkSession | None] = None

    Builder = Builder

    def __init__(self, sparkContext: SparkContext, jsparkSession: Any = None, options: dict[str, Any] | None = None):
        self._sc = sparkContext
        self._runtime = RuntimeConfig(sparkContext._conf)
        for key, value in (options or {}).items():
            self._runtime.set(key, value)
        if SparkSession._instantiatedSession is None:
            SparkSession._instantiatedSession = self

    @property
    def sparkContext(self) -> SparkContext:
        """The context behind the session."""
        return self._sc

    @property
    def conf(self) -> RuntimeConfig:
        """The settings."""
        return self._runtime

    @property
    def version(self) -> str:
        """The version of PySpark whose API this is."""
        return self._sc.version

    @classmethod
    def getActiveSession(cls) -> SparkSession | None:
        """The session, if there is one whose context is not stopped."""
        session = cls._instantiatedSession
        return session if session is not None and session._sc._native_context is not None else None

    @classmethod
    def active(cls) -> SparkSession:
        """The session. Raises RuntimeError if there is none."""
        session = cls.getActiveSession()
        if session is None:
            raise RuntimeError("there is no active SparkSession: make one with SparkSession.builder.getOrCreate()")
        return session

    def newSession(self) -> SparkSession:
        """Another session of the same context."""
        return SparkSession(self._sc)

    def stop(self) -> None:
        """Stops the context."""
        self._sc.stop()
        with SparkSession._lock:
            SparkSession._instantiatedSession = None

    def __enter__(self) -> SparkSession:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            return object.__getattribute__(self, name)
        if name in ("catalog", "read", "readStream", "streams", "udf", "udtf", "client"):
            raise later(f"SparkSession.{name}")

        def call(*_: Any, **__: Any) -> NoReturn:
            raise later(f"SparkSession.{name}")

        return call
