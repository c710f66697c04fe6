"""Fixtures for tests of streaming programs, in a time that stands still.

    def test_counts(stream):
        words = stream.input()
        counts = stream.collect(words.map(lambda word: (word, 1)).reduceByKey(lambda a, b: a + b))
        words.push("a", "b", "a")
        stream.tick()
        assert sorted(counts.batch(1)) == [("a", 2), ("b", 1)]

Nothing sleeps: `tick` moves the clock by one batch duration and returns when that batch is done. What a batch raises is
raised by `tick`. The marker `stream(batch=1.0, master="local[2]", conf={...})` says how the context is made.

    @pytest.mark.crash_everywhere
    def test_counts_are_exact(stream, tmp_path):
        words = stream.input()
        counts = words.map(lambda word: (word, 1)).updateStateByKey(add)
        counts.saveAsTextFiles(str(tmp_path / "counts"))
        last = stream.collect(counts)
        for batch in ["a", "b"], ["a"]:
            words.push(*batch)
            stream.tick()
        assert sorted(last.batch(2)) == [("a", 2), ("b", 1)]

runs the test in processes of their own. One is not interrupted; the others are ended at a step that makes something
durable, each at another one, and started again from the first line of the test. What they saved below `tmp_path` and what
`stream.collect` saw must be what it is without a crash. The marker `stream` counts here too.

A test that crashes several programs, or has something to do beside, calls the fixture of that name:

    def test_counts_are_exact(crash_everywhere):
        def program(run):
            counts = run.input().map(lambda word: (word, 1)).updateStateByKey(add)
            counts.saveAsTextFiles(run.path("counts"))

        crash_everywhere(program, [["a", "b"], ["a"]])
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tidemill.pyspark.streaming.testing import Collected, Input, StreamTest
from tidemill.pytest_plugin.crash import CrashEverywhere, CrashRun

__all__ = ["Collected", "CrashEverywhere", "CrashRun", "Input", "StreamTest", "crash_everywhere", "stream"]

MARKERS = (
    "stream(batch=1.0, master='local[2]', conf={}): how the context of the fixture `stream` is made",
    "crash_everywhere(every=1): the test, of `stream` and `tmp_path`, is crashed at each step that makes something durable, "
    "or at each `every`th, and must save the same",
)


def _said(test: pytest.Item, name: str) -> dict[str, Any]:
    """What the marker of a test says."""
    marker = test.get_closest_marker(name)
    return {} if marker is None else dict(marker.kwargs)


@pytest.fixture
def stream(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[StreamTest]:
    """A streaming context whose time stands still; see `tidemill.pytest_plugin`."""
    from tidemill.pyspark.conf import SparkConf
    from tidemill.pyspark.context import SparkContext

    said = _said(request.node, "stream")
    conf = SparkConf().setMaster(said.get("master", "local[2]")).setAppName(request.node.name)
    conf.setAll(list(said.get("conf", {}).items()))
    sc = SparkContext(conf=conf)
    try:
        sc.setCheckpointDir(str(tmp_path / "checkpoint"))
        test = StreamTest(sc, said.get("batch", 1.0))
        try:
            yield test
        finally:
            test.stop()
    finally:
        sc.stop()


@pytest.fixture
def crash_everywhere(request: pytest.FixtureRequest, tmp_path: Path) -> CrashEverywhere:
    """Runs a program and crashes it; see `CrashEverywhere.__call__`."""
    return CrashEverywhere(tmp_path, request.config.getoption("--crash-every"))


def pytest_addoption(parser: pytest.Parser) -> None:
    """How many of the steps are crashed at."""
    parser.getgroup("tidemill").addoption(
        "--crash-every",
        type=int,
        default=1,
        metavar="N",
        help="crash_everywhere: crash programs at each Nth of their durable steps (default: at each)",
    )


def pytest_configure(config: pytest.Config) -> None:
    """Makes the markers known."""
    for marker in MARKERS:
        config.addinivalue_line("markers", marker)


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> bool | None:
    """Crashes the program that a marked test declares, in place of calling the test here."""
    if pyfuncitem.get_closest_marker("crash_everywhere") is None:
        return None
    function, wanted = pyfuncitem.obj, pyfuncitem._fixtureinfo.argnames
    others = set(wanted) - {"stream", "tmp_path"}
    assert not others, f"a test that is crashed everywhere may use the fixtures stream and tmp_path, not {sorted(others)}"

    def run(stream: StreamTest, folder: Path) -> None:
        given = {"stream": stream, "tmp_path": folder}
        function(**{name: given[name] for name in wanted})

    of_stream = _said(pyfuncitem, "stream")
    conf = {"spark.master": of_stream.get("master", "local[2]"), **of_stream.get("conf", {})}
    every = _said(pyfuncitem, "crash_everywhere").get("every")
    folder: Any = pyfuncitem.funcargs.get("tmp_path") or pyfuncitem._request.getfixturevalue("tmp_path")
    crash = CrashEverywhere(folder, pyfuncitem.config.getoption("--crash-every"))
    crash.crash(run, function.__module__, conf, of_stream.get("batch", 1.0), every)
    return True
