"""A SparkContext as the front of a StreamingContext."""

from collections.abc import Iterator
from typing import Any

import pytest

import tidemill.pyspark.streaming as streaming
from tidemill.pyspark import SparkConf, SparkContext


class Recorder:
    """Stands for a StreamingContext."""

    made: list[tuple[Any, ...]] = []
    _state = "active"
    active: Any = None

    def __init__(self, sparkContext: SparkContext, batchDuration: float) -> None:
        self.sparkContext = sparkContext
        self.made.append((sparkContext, batchDuration))

    @classmethod
    def getActive(cls) -> Any:
        return cls.active

    def socketTextStream(self, host: str, port: int) -> tuple[str, int]:
        return host, port

    def stop(self, stopSparkContext: bool = True, stopGraceFully: bool = False) -> None:
        self.made.append(("stopped", stopSparkContext, stopGraceFully))


@pytest.fixture(autouse=True)
def recorder(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(streaming, "StreamingContext", Recorder)
    Recorder.made, Recorder.active = [], None
    yield


def test_a_streaming_context_is_made_when_it_is_needed() -> None:
    with SparkContext("local[1]", "front") as sc:
        assert not hasattr(sc, "no_such_stream") and Recorder.made == []
        assert sc.socketTextStream("localhost", 1) == ("localhost", 1)
        assert sc.socketTextStream("localhost", 2) == ("localhost", 2)
        assert Recorder.made == [(sc, 1)]
    assert Recorder.made[1:] == [("stopped", False, False)]


@pytest.mark.parametrize(("given", "seconds"), [("5", 5), ("0.5", 0.5)])
def test_the_configuration_says_how_long_batches_are(given: str, seconds: float) -> None:
    conf = SparkConf(False).setMaster("local[1]").set("tidemill.streaming.batchDuration", given)
    with SparkContext(conf=conf) as sc:
        sc.socketTextStream("localhost", 1)
        assert Recorder.made[0][1] == seconds


def test_a_wrong_duration_is_refused() -> None:
    conf = SparkConf(False).setMaster("local[1]").set("tidemill.streaming.batchDuration", "soon")
    with pytest.raises(ValueError, match='"soon"'):
        SparkContext(conf=conf)


def test_the_running_context_is_stopped_too() -> None:
    with SparkContext("local[1]", "front") as sc:
        Recorder.active = Recorder(sc, 1)
    assert Recorder.made[1:] == [("stopped", False, False)]


def test_a_context_without_streams_makes_none() -> None:
    with SparkContext("local[1]", "front") as sc:
        sc.range(1).count()
    assert Recorder.made == []
