"""What a running program tells about itself.

The engine reports an event by its name and a dict of values:

- streaming_started: time;
- receiver_started, receiver_error, receiver_stopped: stream_id, name, active, location, executor_id,
  last_error_message, last_error, last_error_time;
- batch_submitted, batch_started, batch_completed: batch_time, submission_time, processing_start_time,
  processing_end_time, num_records; inputs, a dict by id of input_stream_id, num_records, metadata,
  metadata_description; outputs, a dict by id of the values of an output operation;
- output_operation_started, output_operation_completed: batch_time, id, name, description, start_time, end_time,
  failure_reason; name and description say where the program declares it: "pprint at app.py:12".

Times are milliseconds since the epoch; what is not known yet is None. A listener gets objects whose values are methods,
as Spark's are in Python: `event.batchInfo().batchTime().milliseconds()`. There, a time or a delay that is not known is
-1.
"""

from collections.abc import Mapping
from typing import Any

__all__ = ["StreamingListener"]

Values = Mapping[str, Any]


class StreamingListener:
    """Observes a running program: override what you want to hear of.

    Methods are called one event after another on a thread of their own, so that batches never wait for a listener. What
    one raises is written to stderr, and the program goes on.

    >>> class Delays(StreamingListener):
    ...     def onBatchCompleted(self, batchCompleted):
    ...         print(batchCompleted.batchInfo().totalDelay())
    >>> times = {"submission_time": 5, "processing_start_time": 6, "processing_end_time": 9}
    >>> deliver(Delays(), "batch_completed", times)
    4
    """

    def onStreamingStarted(self, streamingStarted: "StreamingStarted") -> None:
        """The context was started."""

    def onReceiverStarted(self, receiverStarted: "ReceiverEvent") -> None:
        """A receiver was started."""

    def onReceiverError(self, receiverError: "ReceiverEvent") -> None:
        """A receiver reported an error; it goes on."""

    def onReceiverStopped(self, receiverStopped: "ReceiverEvent") -> None:
        """A receiver was stopped, perhaps to be started again."""

    def onBatchSubmitted(self, batchSubmitted: "BatchEvent") -> None:
        """A batch waits to be processed."""

    def onBatchStarted(self, batchSubmitted: "BatchEvent") -> None:
        """The processing of a batch began; comes before its first output operation."""

    def onBatchCompleted(self, batchCompleted: "BatchEvent") -> None:
        """All output operations of a batch ended, whether they succeeded or not."""

    def onOutputOperationStarted(self, outputOperationStarted: "OutputOperationEvent") -> None:
        """An output operation of a batch began."""

    def onOutputOperationCompleted(self, outputOperationCompleted: "OutputOperationEvent") -> None:
        """An output operation of a batch ended."""


def _known(value: Any) -> int:
    return -1 if value is None else int(value)


class Info:
    """Values that are read by methods."""

    def __init__(self, values: Values) -> None:
        self._values = values

    def __repr__(self) -> str:
        return f"{type(self).__name__}({dict(self._values)!r})"

    toString = __repr__

    def _between(self, begin: str, end: str) -> int:
        begun, ended = self._values.get(begin), self._values.get(end)
        return -1 if begun is None or ended is None else int(ended) - int(begun)


class Time(Info):
    """An instant."""

    def milliseconds(self) -> int:
        """Since the epoch."""
        return _known(self._values.get("ms"))

    def __str__(self) -> str:
        return f"{self.milliseconds()} ms"

    toString = __str__


class StreamInputInfo(Info):
    """What an input gave to a batch."""

    def inputStreamId(self) -> int:
        """The input's number."""
        return int(self._values["input_stream_id"])

    def numRecords(self) -> int:
        """How many records; 0 where they are not counted, as for files."""
        return int(self._values.get("num_records", 0))

    def metadata(self) -> Mapping[str, Any]:
        """What else is known."""
        metadata: Mapping[str, Any] = self._values.get("metadata", {})
        return metadata

    def metadataDescription(self) -> str | None:
        """The names of files, for instance."""
        description = self._values.get("metadata_description")
        return None if description is None else str(description)


class OutputOperationInfo(Info):
    """An output operation of a batch."""

    def batchTime(self) -> Time:
        """Of the batch."""
        return Time({"ms": self._values.get("batch_time")})

    def id(self) -> int:
        """Its place among the outputs of the program, from 0."""
        return int(self._values["id"])

    def name(self) -> str:
        """What it is."""
        return str(self._values.get("name", ""))

    def description(self) -> str:
        """What it is, and where it was declared."""
        return str(self._values.get("description", ""))

    def startTime(self) -> int:
        """In ms since the epoch."""
        return _known(self._values.get("start_time"))

    def endTime(self) -> int:
        """In ms since the epoch."""
        return _known(self._values.get("end_time"))

    def failureReason(self) -> str | None:
        """The error, if it failed."""
        reason = self._values.get("failure_reason")
        return None if reason is None else str(reason)


class BatchInfo(Info):
    """A batch: its times, inputs and outputs."""

    def batchTime(self) -> Time:
        """The instant that it belongs to."""
        return Time({"ms": self._values.get("batch_time")})

    def streamIdToInputInfo(self) -> Mapping[int, StreamInputInfo]:
        """What each input gave."""
        return {id: StreamInputInfo(values) for id, values in self._values.get("inputs", {}).items()}

    def outputOperationInfos(self) -> Mapping[int, OutputOperationInfo]:
        """Its output operations."""
        return {id: OutputOperationInfo(values) for id, values in self._values.get("outputs", {}).items()}

    def numRecords(self) -> int:
        """Of all inputs together."""
        return int(self._values.get("num_records", 0))

    def submissionTime(self) -> int:
        """In ms since the epoch."""
        return _known(self._values.get("submission_time"))

    def processingStartTime(self) -> int:
        """In ms since the epoch."""
        return _known(self._values.get("processing_start_time"))

    def processingEndTime(self) -> int:
        """In ms since the epoch."""
        return _known(self._values.get("processing_end_time"))

    def schedulingDelay(self) -> int:
        """How long it waited, in ms."""
        return self._between("submission_time", "processing_start_time")

    def processingDelay(self) -> int:
        """How long it was worked on, in ms."""
        return self._between("processing_start_time", "processing_end_time")

    def totalDelay(self) -> int:
        """Both together, in ms."""
        return self._between("submission_time", "processing_end_time")


class ReceiverInfo(Info):
    """A receiver."""

    def streamId(self) -> int:
        """The number of its input."""
        return int(self._values["stream_id"])

    def name(self) -> str:
        """What it is, and its number."""
        return str(self._values.get("name", ""))

    def active(self) -> bool:
        """Whether it runs."""
        return bool(self._values.get("active", False))

    def location(self) -> str:
        """Where it runs."""
        return str(self._values.get("location") or "")

    def executorId(self) -> str:
        """In which process it runs."""
        return str(self._values.get("executor_id") or "")

    def lastErrorMessage(self) -> str:
        """What it said of its last error."""
        return str(self._values.get("last_error_message") or "")

    def lastError(self) -> str:
        """Its last error."""
        return str(self._values.get("last_error") or "")

    def lastErrorTime(self) -> int:
        """In ms since the epoch."""
        return _known(self._values.get("last_error_time"))


class StreamingStarted(Info):
    """The context was started."""

    def time(self) -> int:
        """When, in ms since the epoch."""
        return _known(self._values.get("time"))


class ReceiverEvent(Info):
    """Something about a receiver."""

    def receiverInfo(self) -> ReceiverInfo:
        """The receiver."""
        return ReceiverInfo(self._values)


class BatchEvent(Info):
    """Something about a batch."""

    def batchInfo(self) -> BatchInfo:
        """The batch."""
        return BatchInfo(self._values)


class OutputOperationEvent(Info):
    """Something about an output operation."""

    def outputOperationInfo(self) -> OutputOperationInfo:
        """The output operation."""
        return OutputOperationInfo(self._values)


_EVENTS: dict[str, tuple[str, type[Info]]] = {
    "streaming_started": ("onStreamingStarted", StreamingStarted),
    "receiver_started": ("onReceiverStarted", ReceiverEvent),
    "receiver_error": ("onReceiverError", ReceiverEvent),
    "receiver_stopped": ("onReceiverStopped", ReceiverEvent),
    "batch_submitted": ("onBatchSubmitted", BatchEvent),
    "batch_started": ("onBatchStarted", BatchEvent),
    "batch_completed": ("onBatchCompleted", BatchEvent),
    "output_operation_started": ("onOutputOperationStarted", OutputOperationEvent),
    "output_operation_completed": ("onOutputOperationCompleted", OutputOperationEvent),
}


def deliver(listener: object, event: str, values: Values) -> None:
    """Calls the method of `listener` that is for this event; one that it does not have is passed over."""
    method, of = _EVENTS[event]
    hear = getattr(listener, method, None)
    if hear is not None:
        hear(of(values))
