"""Fixtures for tests of streaming programs, in a time that stands still.

    def test_counts(stream):
        words = stream.input()
        counts = stream.collect(words.map(lambda word: (word, 1)).reduceByKey(lambda a, b: a + b))
        words.push("a", "b", "a")
        stream.tick()
        assert sorted(counts.batch(1)) == [("a", 2), ("b", 1)]

Nothing sleeps: `tick` moves the clock by one batch duration and returns when that batch is done. What a batch raises is
raised by `tick`. The marker `stream(batch=1.0, master="local[2]", conf={...})` says how the context is made.

    def test_counts_are_exact(crash_everywhere):
        def program(run):
            counts = run.input().map(lambda word: (word, 1)).updateStateByKey(add)
            counts.saveAsTextFiles(run.path("counts"))

        crash_everywhere(program, [["a", "b"], ["a"]])

runs the program in processes of their own, ends them between any two steps that make something durable, starts them
again, and compares what they saved with a run that nothing interrupted.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tidemill.pytest_plugin.crash import CrashEverywhere, CrashRun
from tidemill.pyspark.streaming.testing import Collected, Input, StreamTest

__all__ = ["Collected", "CrashEverywhere", "CrashRun", "Input", "StreamTest", "crash_everywhere", "stream"]


@pytest.fixture
def stream(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[StreamTest]:
    """A streaming context whose time stands still; see `tidemill.pytest_plugin`."""
    from tidemill.pyspark.conf import SparkConf
    from tidemill.pyspark.context import SparkContext

    marker = request.node.get_closest_marker("stream")
    said: dict[str, Any] = {} if marker is None else dict(marker.kwargs)
    conf = SparkConf().setMaster(said.get("master", "local[2]")).setAppName(request.node.name)
    conf.setAll(list(said.get("conf", {}).items()))
    sc = SparkContext(conf=conf)
    try:
        sc.setCheckpointDir(str(tmp_path / "checkpoint"))
        test = StreamTest(sc, said.get("batch", 1.0))
        try:
            yield test
        finally:
            test.ssc.stop(stopSparkContext=False)
    finally:
        sc.stop()


@pytest.fixture
def crash_everywhere(tmp_path: Path) -> CrashEverywhere:
    """Runs a program and crashes it; see `CrashEverywhere.__call__`."""
    return CrashEverywhere(tmp_path)


def pytest_configure(config: pytest.Config) -> None:
    """Makes the marker known."""
    config.addinivalue_line(
        "markers", "stream(batch=1.0, master='local[2]', conf={}): how the context of the fixture `stream` is made"
    )
