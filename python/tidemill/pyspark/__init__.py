"""PySpark's API over tidemill's engine, without a JVM.

`from tidemill.pyspark import SparkContext` works as it is. `install()` makes `import pyspark` mean this package, for
programs that were written for the other one.
"""

from tidemill.pyspark._install import install as install
from tidemill.pyspark._keywords import copy_func as copy_func
from tidemill.pyspark._keywords import keyword_only as keyword_only
from tidemill.pyspark._keywords import since as since
from tidemill.pyspark.accumulators import Accumulator, AccumulatorParam
from tidemill.pyspark.broadcast import Broadcast
from tidemill.pyspark.conf import SparkConf
from tidemill.pyspark.context import SparkContext
from tidemill.pyspark.files import SparkFiles
from tidemill.pyspark.profiler import BasicProfiler, Profiler
from tidemill.pyspark.rdd import RDD, RDDBarrier
from tidemill.pyspark.serializers import CPickleSerializer, MarshalSerializer
from tidemill.pyspark.sql import HiveContext as HiveContext
from tidemill.pyspark.sql import Row as Row
from tidemill.pyspark.sql import SQLContext as SQLContext
from tidemill.pyspark.status import SparkJobInfo, SparkStageInfo, StatusTracker
from tidemill.pyspark.storagelevel import StorageLevel
from tidemill.pyspark.taskcontext import BarrierTaskContext, BarrierTaskInfo, TaskContext
from tidemill.pyspark.util import InheritableThread, inheritable_thread_target
from tidemill.pyspark.version import __version__ as __version__

__all__ = [
    "Accumulator",
    "AccumulatorParam",
    "BarrierTaskContext",
    "BarrierTaskInfo",
    "BasicProfiler",
    "Broadcast",
    "CPickleSerializer",
    "InheritableThread",
    "MarshalSerializer",
    "Profiler",
    "RDD",
    "RDDBarrier",
    "SparkConf",
    "SparkContext",
    "SparkFiles",
    "SparkJobInfo",
    "SparkStageInfo",
    "StatusTracker",
    "StorageLevel",
    "TaskContext",
    "inheritable_thread_target",
]
