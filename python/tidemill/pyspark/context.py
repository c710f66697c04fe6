"""The context of a program: where datasets come from."""

from __future__ import annotations

import atexit
import getpass
import os
import re
import sys
import time
import traceback
from collections.abc import Callable, Iterable, Sequence
from threading import RLock
from types import TracebackType
from typing import Any, ClassVar, NoReturn, TypeVar

from tidemill import _native
from tidemill.pyspark import _front_keys, _task, _workers, accumulators
from tidemill.pyspark._jobs import Jobs
from tidemill.pyspark._sources import Sources
from tidemill.pyspark._streaming_front import StreamingFront
from tidemill.pyspark.accumulators import Accumulator, AccumulatorParam
from tidemill.pyspark.broadcast import Broadcast
from tidemill.pyspark.conf import SparkConf
from tidemill.pyspark.files import Shipped
from tidemill.pyspark.profiler import BasicProfiler, MemoryProfiler, ProfilerCollector, UDFBasicProfiler
from tidemill.pyspark.rdd import RDD
from tidemill.pyspark.resource import ResourceInformation
from tidemill.pyspark.serializers import CloudPickleSerializer, Serializer
from tidemill.pyspark.version import __version__

T = TypeVar("T")
U = TypeVar("U")

__all__ = ["SparkContext"]

DEFAULTS = {"spark.serializer.objectStreamReset": "100", "spark.rdd.compress": "True"}
# What the engine need not know: ours, and what every context has without being asked for it.
OF_PYTHON = (
    *_front_keys.PREFIXES,
    *("spark.executor.id", "spark.app.id", "spark.app.startTime"),
    *DEFAULTS,
)
LOG_LEVELS = frozenset(("ALL", "DEBUG", "ERROR", "FATAL", "INFO", "OFF", "TRACE", "WARN"))
ON_DRIVER_ONLY = (
    "[CONTEXT_ONLY_VALID_ON_DRIVER] It appears that you are attempting to reference SparkContext from a broadcast "
    "variable, action, or transformation. SparkContext can only be used on the driver, not in code that it run on "
    "workers. For more information, see SPARK-5063."
)


def _creation_site() -> str:
    """The line of the program that makes a context."""
    here = os.path.dirname(os.path.abspath(__file__))
    frames = traceback.extract_stack()[:-1]
    site = next((frame for frame in reversed(frames) if os.path.dirname(frame.filename) != here), frames[-1])
    return f"{site.name} at {site.filename}:{site.lineno}"


def _threads(master: str) -> int:
    """How many tasks run at once on a master that the engine has accepted."""
    said = re.match(r"local(?:-cluster)?\[(\d+|\*)", master)
    if said is None:
        return 1
    return (os.cpu_count() or 1) if said[1] == "*" else int(said[1])


class SparkContext(Sources, Shipped, Jobs, StreamingFront):
    """Makes datasets and runs jobs on them, in this process. One at a time is active.

    `master` is "local", "local[n]" or "local[*]", the default; arguments are stronger than `conf`. ValueError for a
    wrong master, and if another context is active. `sparkHome`, `serializer`, `gateway` and `jsc` are accepted
    and change nothing; `batchSize` bounds the batches of which `parallelize` makes partitions.

    A context is also a streaming one, for programs that need no other: `socketTextStream`, `start` and the other
    methods of StreamingContext work on one with batches of one second, or of `tidemill.streaming.batchDuration`
    seconds.

    >>> from tidemill.pyspark import SparkContext
    >>> sc = SparkContext("local[1]", "doc")
    >>> sc.parallelize([1, 2, 3]).count()
    3
    >>> sc.stop()
    """

    PACKAGE_EXTENSIONS: ClassVar[Iterable[str]] = (".zip", ".egg", ".jar")
    _active_spark_context: ClassVar[SparkContext | None] = None
    _lock: ClassVar[RLock] = RLock()

    def __init__(
        self,
        master: str | None = None,
        appName: str | None = None,
        sparkHome: str | None = None,
        pyFiles: list[str] | None = None,
        environment: dict[str, Any] | None = None,
        batchSize: int = 0,
        serializer: Serializer = CloudPickleSerializer(),
        conf: SparkConf | None = None,
        gateway: Any = None,
        jsc: Any = None,
        profiler_cls: type[BasicProfiler] = BasicProfiler,
        udf_profiler_cls: type[UDFBasicProfiler] = UDFBasicProfiler,
        memory_profiler_cls: type[MemoryProfiler] = MemoryProfiler,
    ) -> None:
        self._assert_on_driver()
        with SparkContext._lock:
            self._refuse_second()
            self._configure(master, appName, sparkHome, environment, conf)
            _front_keys.check(dict(self._conf.getAll()))
            of_engine = {key: value for key, value in self._conf.getAll() if not key.startswith(OF_PYTHON)}
            # Whether a stream's end is the context's too says StreamingContext.stop, which stops it itself.
            of_engine["spark.streaming.stopSparkContextByDefault"] = "false"
            self._native_context: _native.Context | None = _native.Context(of_engine)
            SparkContext._active_spark_context = self
        self.serializer, self._batch_records = serializer, max(batchSize, 0)
        self.pythonExec, self.pythonVer = sys.executable, "%d.%d" % sys.version_info[:2]
        self.profiler_collector = ProfilerCollector(profiler_cls, udf_profiler_cls, memory_profiler_cls)
        self._log_level = "WARN"
        self._begin_jobs()
        self._begin_shipping(self._listed("spark.files"), [*(pyFiles or []), *self._listed("spark.submit.pyFiles")])
        self._begin_streaming()
        workers = self._conf.get(_front_keys.WORKERS)
        _workers.begin(_threads(self.master) if workers is None else int(workers), self.environment)

    def _refuse_second(self) -> None:
        active = SparkContext._active_spark_context
        self._site = _creation_site()
        if active is not None:
            raise ValueError(
                f"Cannot run multiple SparkContexts at once; existing SparkContext(app={active.appName}, "
                f"master={active.master}) created by {active._site}"
            )

    def _configure(
        self,
        master: str | None,
        name: str | None,
        home: str | None,
        environment: dict[str, Any] | None,
        conf: SparkConf | None,
    ) -> None:
        self._conf = (conf if conf is not None else SparkConf())._copy()
        given = {"spark.master": master, "spark.app.name": name, "spark.home": home}
        self._conf.setAll((key, value) for key, value in given.items() if value)
        self._conf.setIfMissing("spark.master", "local[*]").setIfMissing("spark.app.name", "pyspark-shell")
        for key, value in (environment or {}).items():
            self._conf.setExecutorEnv(key, str(value))
        for key, value in DEFAULTS.items():
            self._conf.setIfMissing(key, value)
        self._start_ms = time.time_ns() // 1_000_000
        self._conf.setIfMissing("spark.app.id", f"local-{self._start_ms}")
        self._conf.set("spark.executor.id", "driver").set("spark.app.startTime", self._start_ms)
        self.master, self.appName = str(self._conf.get("spark.master")), str(self._conf.get("spark.app.name"))
        self.sparkHome = self._conf.get("spark.home")
        prefix = "spark.executorEnv."
        variables = ((key, value) for key, value in self._conf.getAll() if key.startswith(prefix))
        self.environment: dict[str, Any] = {key.removeprefix(prefix): value for key, value in variables}

    def _listed(self, key: str) -> list[str]:
        """The items of a list with commas."""
        return list(filter(None, (self._conf.get(key) or "").split(",")))

    # Where it may be used.

    def _refusal(self) -> str | None:
        return ON_DRIVER_ONLY

    def __getnewargs__(self) -> NoReturn:
        raise RuntimeError(ON_DRIVER_ONLY)

    @staticmethod
    def _assert_on_driver() -> None:
        if _task.current() is not None:
            raise RuntimeError(ON_DRIVER_ONLY)

    @property
    def _engine(self) -> _native.Context:
        """The engine. Raises AttributeError after `stop`."""
        if self._native_context is None:
            raise AttributeError(f'the SparkContext "{self.appName}" is stopped')
        return self._native_context

    @classmethod
    def getOrCreate(cls, conf: SparkConf | None = None) -> SparkContext:
        """The active context, or a new one with this configuration.

        >>> from tidemill.pyspark import SparkContext
        >>> with SparkContext("local[1]", "doc") as sc:
        ...     SparkContext.getOrCreate() is sc
        True
        """
        with SparkContext._lock:
            return SparkContext._active_spark_context or SparkContext(conf=conf if conf is not None else SparkConf())

    def stop(self) -> None:
        """Ends the context: another one may then be made. To call it again does nothing.

        >>> from tidemill.pyspark import SparkContext
        >>> sc = SparkContext("local[1]", "doc")
        >>> sc.stop()
        >>> sc.stop()
        """
        with SparkContext._lock:
            engine, self._native_context = self._native_context, None
            if SparkContext._active_spark_context is self:
                SparkContext._active_spark_context = None
        if engine is not None:
            self._stop_streaming()
            self._cancel("because SparkContext was shut down")
            engine.stop()
            _workers.end()
            self._stop_shipping()

    def __enter__(self) -> SparkContext:
        return self

    def __exit__(
        self, type: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def __repr__(self) -> str:
        return f"<SparkContext master={self.master} appName={self.appName}>"

    def _repr_html_(self) -> str:
        return f"<p><b>SparkContext</b></p><p>Version v{self.version}, master {self.master}, app {self.appName}</p>"

    # What it is.

    @property
    def version(self) -> str:
        """The version of PySpark whose API this is.

        >>> from tidemill.pyspark import SparkContext
        >>> with SparkContext("local[1]", "doc") as sc:
        ...     sc.version.split(".")[:2]
        ['3', '5']
        """
        return __version__

    @property
    def applicationId(self) -> str:
        """A name that no other run has: "local-" and when it started.

        >>> from tidemill.pyspark import SparkContext
        >>> with SparkContext("local[1]", "doc") as sc:
        ...     sc.applicationId.split("-")[0]
        'local'
        """
        return str(self._conf.get("spark.app.id"))

    @property
    def uiWebUrl(self) -> str | None:
        """None: there is no page yet.

        >>> from tidemill.pyspark import SparkContext
        >>> with SparkContext("local[1]", "doc") as sc:
        ...     print(sc.uiWebUrl)
        None
        """
        return None

    @property
    def startTime(self) -> int:
        """When it was made, in milliseconds since the epoch.

        >>> from tidemill.pyspark import SparkContext
        >>> with SparkContext("local[1]", "doc") as sc:
        ...     sc.startTime > 0
        True
        """
        return self._start_ms

    @property
    def defaultParallelism(self) -> int:
        """Into how many partitions a dataset is cut if nothing else is said.

        >>> from tidemill.pyspark import SparkContext
        >>> with SparkContext("local[3]", "doc") as sc:
        ...     sc.defaultParallelism, sc.defaultMinPartitions
        (3, 2)
        """
        return self._engine.default_parallelism

    @property
    def defaultMinPartitions(self) -> int:
        """The smaller of `defaultParallelism` and 2."""
        return min(self.defaultParallelism, 2)

    @property
    def resources(self) -> dict[str, ResourceInformation]:
        """Resources such as GPUs of the driver: none.

        >>> from tidemill.pyspark import SparkContext
        >>> with SparkContext("local[1]", "doc") as sc:
        ...     sc.resources
        {}
        """
        return {}

    def sparkUser(self) -> str:
        """Whose program it is: SPARK_USER, or the user of the process.

        >>> from tidemill.pyspark import SparkContext
        >>> with SparkContext("local[1]", "doc") as sc:
        ...     len(sc.sparkUser()) > 0
        True
        """
        return os.environ.get("SPARK_USER") or getpass.getuser()

    def getConf(self) -> SparkConf:
        """A copy of the configuration.

        >>> from tidemill.pyspark import SparkContext
        >>> with SparkContext("local[1]", "doc") as sc:
        ...     sc.getConf().setAppName("other").get("spark.app.name"), sc.appName
        ('other', 'doc')
        """
        return self._conf._copy()

    @classmethod
    def setSystemProperty(cls, key: str, value: str) -> None:
        """Sets a key of `spark.` for all configurations made afterwards.

        >>> from tidemill.pyspark import SparkConf, SparkContext
        >>> SparkContext.setSystemProperty("spark.doc", "1")
        >>> SparkConf().get("spark.doc")
        '1'
        """
        SparkConf._system_properties[key] = value

    def setLogLevel(self, logLevel: str) -> SparkContext:
        """Sets from which of Spark's levels on the engine speaks on standard error ("WARN" at first), in any case, and
        gives the context; ValueError for anything else.

        >>> from tidemill.pyspark import SparkContext
        >>> with SparkContext("local[1]", "doc") as sc:
        ...     sc.setLogLevel("ERROR") is sc
        True
        """
        if logLevel.upper() not in LOG_LEVELS:
            raise ValueError(f'a log level is one of {", ".join(sorted(LOG_LEVELS))}, not "{logLevel}"')
        self._log_level = logLevel.upper()
        _native.set_log_level(self._log_level)
        return self

    def setCheckpointDir(self, dirName: str) -> SparkContext:
        """Sets where `RDD.checkpoint` writes, a new folder in this one; gives the context.

        >>> import tempfile
        >>> from tidemill.pyspark import SparkContext
        >>> with SparkContext("local[1]", "doc") as sc, tempfile.TemporaryDirectory() as folder:
        ...     sc.setCheckpointDir(folder).getCheckpointDir() is not None
        True
        """
        self._engine.set_checkpoint_dir(dirName)
        return self

    def getCheckpointDir(self) -> str | None:
        """Where `RDD.checkpoint` writes, or None.

        >>> from tidemill.pyspark import SparkContext
        >>> with SparkContext("local[1]", "doc") as sc:
        ...     print(sc.getCheckpointDir())
        None
        """
        return self._engine.checkpoint_dir

    # Shared variables and jobs.

    def broadcast(self, value: T) -> Broadcast[T]:
        """The value, for tasks to read.

        >>> from tidemill.pyspark import SparkContext
        >>> with SparkContext("local[1]", "doc") as sc:
        ...     five = sc.broadcast(5)
        ...     sc.range(2).map(lambda x: x + five.value).collect()
        [5, 6]
        """
        if isinstance(value, RDD):
            raise RuntimeError(value._refusal())
        self._engine
        return Broadcast(self, value)

    def accumulator(self, value: T, accum_param: AccumulatorParam[T] | None = None) -> Accumulator[T]:
        """A total that begins with `value`. Numbers are added as numbers; other types need a parameter, else
        TypeError.

        >>> from tidemill.pyspark import SparkContext
        >>> with SparkContext("local[1]", "doc") as sc:
        ...     total = sc.accumulator(9)
        ...     total += 1
        ...     total.value
        10
        """
        return Accumulator(accumulators.new_id(), value, accum_param or accumulators.default_param(value))

    def runJob(
        self,
        rdd: RDD[T],
        partitionFunc: Callable[[Iterable[T]], Iterable[U]],
        partitions: Sequence[int] | None = None,
        allowLocal: bool = False,
    ) -> list[U]:
        """What the function gives of an iterator over each chosen partition, or of all, in one list.

        >>> from tidemill.pyspark import SparkContext
        >>> with SparkContext("local[1]", "doc") as sc:
        ...     sc.runJob(sc.range(6, numSlices=3), lambda part: [x * x for x in part], [0, 2])
        [0, 1, 16, 25]
        """
        return [record for part in rdd.mapPartitions(partitionFunc)._run(_task.to_list, partitions) for record in part]

    def show_profiles(self) -> None:
        """Prints profiles, of which there are none."""
        self.profiler_collector.show_profiles()

    def dump_profiles(self, path: str) -> None:
        """Writes profiles into a folder, of which there are none."""
        self.profiler_collector.dump_profiles(path)

    def __getattr__(self, name: str) -> Any:
        if name in ("hadoopFile", "hadoopRDD", "newAPIHadoopFile", "newAPIHadoopRDD", "sequenceFile"):
            raise NotImplementedError(f"SparkContext.{name} is not here: there are no Hadoop formats; use textFile")
        return super().__getattr__(name)


def _stop_at_exit() -> None:
    """A program need not stop its context: what that has on disk goes with it, and its workers do."""
    if SparkContext._active_spark_context is not None:
        SparkContext._active_spark_context.stop()


def _forget_in_child() -> None:
    """A child has none of the threads; what runs is its parent's, who may hold the lock just now."""
    SparkContext._lock = RLock()
    SparkContext._active_spark_context = None


atexit.register(_stop_at_exit)
os.register_at_fork(after_in_child=_forget_in_child)
