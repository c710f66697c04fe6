"""A SparkContext as the front of a StreamingContext that is made when it is first needed."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from tidemill.pyspark._front_keys import BATCH_DURATION

if TYPE_CHECKING:
    from tidemill.pyspark.conf import SparkConf

STREAMING = frozenset(
    (
        "addStreamingListener",
        "awaitTermination",
        "awaitTerminationOrTimeout",
        "binaryRecordsStream",
        "checkpoint",
        "queueStream",
        "remember",
        "socketTextStream",
        "start",
        "textFileStream",
        "transform",
    )
)


class StreamingFront:
    """The streaming methods of a SparkContext."""

    _conf: SparkConf

    def _begin_streaming(self) -> None:
        self._streaming: Any = None

    def _streaming_context(self) -> Any:
        """The StreamingContext of this context."""
        if self._streaming is None:
            from tidemill.pyspark.streaming import StreamingContext

            seconds = float(self._conf.get(BATCH_DURATION, "1") or "1")
            self._streaming = StreamingContext(self, int(seconds) if seconds.is_integer() else seconds)  # type: ignore[arg-type]
        return self._streaming

    def _stop_streaming(self) -> None:
        """Stops the streams before the engine that runs them."""
        loaded = sys.modules.get("tidemill.pyspark.streaming")
        active = None if loaded is None else loaded.StreamingContext.getActive()
        for streaming in (self._streaming, active):
            if streaming is not None and streaming.sparkContext is self and streaming._state == "active":
                streaming.stop(stopSparkContext=False, stopGraceFully=False)
        self._streaming = None

    def __getattr__(self, name: str) -> Any:
        if name in STREAMING:
            return getattr(self._streaming_context(), name)
        return object.__getattribute__(self, name)
