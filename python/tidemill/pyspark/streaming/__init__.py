"""Streams of batches: `pyspark.streaming` of PySpark 3.5."""

from tidemill.pyspark.streaming.context import StreamingContext
from tidemill.pyspark.streaming.dstream import DStream
from tidemill.pyspark.streaming.listener import StreamingListener
from tidemill.pyspark.streaming.receiver import Receiver, ReceiverStore
from tidemill.pyspark.streaming.state import State, StateSpec

__all__ = ["StreamingContext", "DStream", "StreamingListener", "Receiver", "ReceiverStore", "State", "StateSpec"]
