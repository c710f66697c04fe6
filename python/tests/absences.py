"""What of PySpark's public names there is not, or is otherwise, and why. COMPATIBILITY.md is written from this table.

A pattern is a dotted name as in `pyspark_names.json`, with `*` as in file names; it covers what is below the name too.
"""

from fnmatch import fnmatchcase
from typing import NamedTuple


class Absence(NamedTuple):
    status: str  # "absent" or "differs"
    patterns: tuple[str, ...]
    why: str


def absent(why: str, *patterns: str) -> Absence:
    return Absence("absent", patterns, why)


def differs(why: str, *patterns: str) -> Absence:
    return Absence("differs", patterns, why)


NO_HADOOP = "no Hadoop input or output formats"
INTERNAL = "internal to PySpark, or of its bridge to the JVM"

ABSENCES = (
    absent(
        NO_HADOOP,
        "pyspark.context.SparkContext.hadoopFile",
        "pyspark.context.SparkContext.hadoopRDD",
        "pyspark.context.SparkContext.newAPIHadoopFile",
        "pyspark.context.SparkContext.newAPIHadoopRDD",
        "pyspark.context.SparkContext.sequenceFile",
        "pyspark.rdd.RDD.saveAsHadoopDataset",
        "pyspark.rdd.RDD.saveAsHadoopFile",
        "pyspark.rdd.RDD.saveAsNewAPIHadoopDataset",
        "pyspark.rdd.RDD.saveAsNewAPIHadoopFile",
        "pyspark.rdd.RDD.saveAsSequenceFile",
    ),
    absent(
        INTERNAL,
        "pyspark.accumulators.AccumulatorServer",
        "pyspark.broadcast.BroadcastPickleRegistry",
        "pyspark.cloudpickle",
        "pyspark.daemon",
        "pyspark.find_spark_home",
        "pyspark.install",
        "pyspark.instrumentation_utils",
        "pyspark.java_gateway",
        "pyspark.join",
        "pyspark.rdd.PythonEvalType",
        "pyspark.rddsampler",
        "pyspark.shell",
        "pyspark.shuffle",
        "pyspark.streaming.listener.StreamingListener.Java",
        "pyspark.streaming.util.TransformFunction",
        "pyspark.streaming.util.TransformFunctionSerializer",
        "pyspark.testing",
        "pyspark.traceback_utils",
        "pyspark.util.VersionUtils",
        "pyspark.worker",
        "pyspark.worker_util",
    ),
    absent("no part of Spark Streaming", "pyspark.ml", "pyspark.mllib", "pyspark.pandas"),
)


def covers(pattern: str, name: str) -> bool:
    return fnmatchcase(name, pattern) or fnmatchcase(name, f"{pattern}.*")


def absence(name: str) -> Absence | None:
    """The row that covers a name."""
    return next((row for row in ABSENCES if any(covers(pattern, name) for pattern in row.patterns)), None)
