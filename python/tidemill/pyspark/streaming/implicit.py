"""Streams of a SparkContext: a program may declare and start them there, without a StreamingContext of its own.

The context behind it is made when one of these methods is used first. Its batches are a second long.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tidemill.pyspark.context import SparkContext
    from tidemill.pyspark.streaming.context import StreamingContext

BATCH_S = 1.0

METHODS = frozenset(
    {
        *("socketTextStream", "textFileStream", "binaryRecordsStream", "queueStream", "receiverStream"),
        *("checkpoint", "remember", "addStreamingListener", "guarantees"),
        *("start", "awaitTermination", "awaitTerminationOrTimeout"),
    }
)

_lock = threading.Lock()


def streaming_method(sc: SparkContext, name: str) -> Any:
    """The method of this name of the context's own StreamingContext. AttributeError if it has none such."""
    if name not in METHODS:
        raise AttributeError(f"'SparkContext' object has no attribute {name!r}")
    return getattr(context_of(sc), name)


def context_of(sc: SparkContext) -> StreamingContext:
    """The StreamingContext that belongs to a SparkContext."""
    from tidemill.pyspark.streaming.context import StreamingContext

    with _lock:
        ssc: StreamingContext | None = vars(sc).get("_streaming")
        if ssc is None:
            ssc = vars(sc)["_streaming"] = StreamingContext(sc, BATCH_S)
        return ssc
