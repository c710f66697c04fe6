"""What a listener hears of a running program."""

import inspect
import threading
from pathlib import Path
from typing import Any

import pytest

from tidemill.pyspark.streaming import StreamingListener
from tidemill.pyspark.streaming.receiver import ReceiverStore
from tidemill.pytest_plugin import StreamTest

PATIENCE_S = 30.0


class Recorder(StreamingListener):
    def __init__(self) -> None:
        self.heard: list[tuple[str, Any]] = []


def recording(name: str) -> Any:
    return lambda self, event: self.heard.append((name, event))


for method in [name for name in vars(StreamingListener) if name.startswith("on")]:
    setattr(Recorder, method, recording(method))


def test_the_events_of_a_batch(stream: StreamTest) -> None:
    recorder = Recorder()
    stream.ssc.addStreamingListener(recorder)
    source = stream.input()
    declared = inspect.currentframe().f_lineno + 1  # type: ignore[union-attr]
    source.foreachRDD(lambda rdd: None)
    source.push(1)
    stream.tick()
    stream.ssc.stop(stopSparkContext=False)
    names = [name for name, _ in recorder.heard]
    operation = ["onOutputOperationStarted", "onOutputOperationCompleted"]
    assert names == ["onStreamingStarted", "onBatchSubmitted", "onBatchStarted", *operation * 2, "onBatchCompleted"]
    events = dict(recorder.heard)
    submitted = events["onBatchSubmitted"].batchInfo()
    assert submitted.batchTime().milliseconds() == 1000
    assert (submitted.processingStartTime(), submitted.totalDelay()) == (-1, -1)
    for event in ("onBatchSubmitted", "onBatchStarted"):
        waiting = events[event].batchInfo().outputOperationInfos()
        assert [(id, info.startTime(), info.endTime()) for id, info in waiting.items()] == [(0, -1, -1), (1, -1, -1)]
        assert waiting[0].description() == f"foreachRDD at {__file__}:{declared}"
    # What a queue gives is not reported.
    assert submitted.streamIdToInputInfo() == {} and submitted.numRecords() == 0
    completed = events["onBatchCompleted"].batchInfo()
    assert completed.totalDelay() == completed.schedulingDelay() + completed.processingDelay() >= 0
    outputs = completed.outputOperationInfos()
    assert sorted(outputs) == [0, 1]
    assert outputs[0].failureReason() is None and outputs[0].endTime() >= outputs[0].startTime() >= 0
    assert outputs[0].batchTime().milliseconds() == 1000
    assert outputs[0].description() == f"foreachRDD at {__file__}:{declared}"


@pytest.mark.stream(conf={"spark.streaming.receiverRestartDelay": "10"})
def test_why_a_receiver_was_stopped(stream: StreamTest) -> None:
    stopped: list[Any] = []
    has_failed, runs_again = threading.Event(), threading.Event()

    class Stopped(StreamingListener):
        def onReceiverStopped(self, event: Any) -> None:
            stopped.append(event.receiverInfo())
            has_failed.set()

    def receive(store: ReceiverStore) -> None:
        if not has_failed.is_set():
            raise OSError("the server is gone")
        runs_again.set()
        store.wait(PATIENCE_S)

    stream.ssc.addStreamingListener(Stopped())
    stream.ssc.receiverStream(receive).pprint()
    stream.tick()
    assert runs_again.wait(PATIENCE_S)
    stream.ssc.stop(stopSparkContext=False)
    failed, ended = stopped
    assert "Restarting receiver with delay" in failed.lastErrorMessage() and "gone" in failed.lastErrorMessage()
    assert "OSError" in failed.lastError() and failed.lastErrorTime() >= 0
    assert (ended.lastErrorMessage(), ended.lastError(), ended.lastErrorTime()) == ("Stopped by driver", "", -1)


def test_a_failed_output(stream: StreamTest) -> None:
    recorder = Recorder()
    stream.ssc.addStreamingListener(recorder)
    source = stream.input()
    stream.collect(source.map(lambda n: 1 // n))
    source.push(0)
    with pytest.raises(ZeroDivisionError):
        stream.tick()
    stream.ssc.stop(stopSparkContext=False)
    completed = dict(recorder.heard)["onBatchCompleted"].batchInfo()
    assert completed.outputOperationInfos()[0].failureReason()


def test_a_listener_may_be_any_object(stream: StreamTest) -> None:
    class Some:
        started = -1

        def onStreamingStarted(self, event: Any) -> None:
            self.started = event.time()

    some = Some()
    stream.ssc.addStreamingListener(some)
    stream.tick()
    stream.ssc.stop(stopSparkContext=False)
    assert some.started == 0


def test_outputs_are_named_by_their_place_in_the_program(stream: StreamTest, tmp_path: Path) -> None:
    recorder = Recorder()
    stream.ssc.addStreamingListener(recorder)
    source = stream.input()
    line = inspect.currentframe().f_lineno  # type: ignore[union-attr]
    source.pprint()
    source.map(str).saveAsTextFiles(str(tmp_path / "numbers"))
    stream.tick()
    stream.ssc.stop(stopSparkContext=False)
    outputs = dict(recorder.heard)["onBatchCompleted"].batchInfo().outputOperationInfos()
    places = [f"pprint at test_listener.py:{line + 1}", f"saveAsTextFiles at test_listener.py:{line + 2}"]
    assert [outputs[number].name() for number in (0, 1)] == places
    started = [event.outputOperationInfo() for name, event in recorder.heard if name == "onOutputOperationStarted"]
    assert [info.name() for info in started[:2]] == places


@pytest.mark.parametrize(("level", "is_said"), [(None, True), ("INFO", True), ("WARN", True), ("ERROR", False)])
def test_guarantees_are_said_at_start(
    stream: StreamTest, capsys: pytest.CaptureFixture[str], level: str | None, is_said: bool
) -> None:
    if level is not None:
        stream.sc.setLogLevel(level)
    source = stream.input()
    for _ in range(2):
        source.pprint()
    try:
        stream.tick()
    finally:
        stream.sc.setLogLevel("WARN")
    said = capsys.readouterr()
    guarantee = "queueStream -> pprint: at most once (no checkpoint)"
    assert stream.ssc.guarantees()[:2] == [guarantee, guarantee]
    assert said.err.count(f"tidemill: guarantee: {guarantee}\n") == is_said
    assert "guarantee" not in said.out
