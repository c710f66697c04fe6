"""Programs that are crashed at their durable steps, and the tests of users that do so."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tidemill.pytest_plugin import CrashEverywhere, CrashRun, StreamTest


def add(values: list[int], count: int | None) -> int:
    return sum(values) + (count or 0)


# At some steps only: all of them take a minute or two.
def test_state_is_exact(crash_everywhere: CrashEverywhere) -> None:
    def program(run: CrashRun) -> None:
        words: Any = run.input()
        words.map(lambda word: (word, 1)).updateStateByKey(add, 1).saveAsTextFiles(run.path("counts"))

    crash_everywhere(program, [["a", "b"], ["a"]], every=12)


@pytest.mark.stream(batch=0.5)
@pytest.mark.crash_everywhere(every=25)
def test_windows_are_exact(stream: StreamTest, tmp_path: Path) -> None:
    words = stream.input()
    ones = words.map(lambda word: (word, 1))
    counts = ones.reduceByKeyAndWindow(lambda a, b: a + b, lambda a, b: a - b, 2.5, 0.5)
    counts.saveAsTextFiles(str(tmp_path / "counts"))
    seen = stream.collect(counts)
    for batch in (["a", "b"], ["a"], []):
        words.push(*batch)
        stream.tick()
    assert sorted(seen.batch(3)) == [("a", 2), ("b", 1)]
    assert len(seen.batches) == 3


TESTS = """
import random
import pytest

def write(folder, records):
    with open(folder / "lines", "a") as file:
        file.writelines(f"{record}\\n" for record in records)

def run(stream):
    for batch in [1, 2], [3]:
        stream.numbers.push(*batch)
        stream.tick()

@pytest.fixture
def other():
    pass

@pytest.mark.crash_everywhere(every=25)
def test_exact(stream, tmp_path):
    stream.numbers = stream.input()
    stream.numbers.map(str).saveAsTextFiles(str(tmp_path / "numbers"))
    run(stream)

@pytest.mark.crash_everywhere
def test_at_least_once(stream, tmp_path):
    stream.numbers = stream.input()
    stream.numbers.foreachRDD(lambda rdd: write(tmp_path, rdd.collect()))
    run(stream)

@pytest.mark.crash_everywhere
def test_by_chance(stream):
    stream.numbers = stream.input()
    seen = stream.collect(stream.numbers.map(lambda n: random.random()))
    run(stream)

@pytest.mark.crash_everywhere
def test_wrong(stream):
    stream.numbers = stream.input()
    seen = stream.collect(stream.numbers)
    run(stream)
    assert seen.batch(1) == [1]

@pytest.mark.crash_everywhere
def test_of_another_fixture(stream, other):
    pass
"""


def test_what_is_not_exact_is_found(tmp_path: Path) -> None:
    (tmp_path / "test_program.py").write_text(TESTS)
    ended = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-rA", "--strict-markers", "--crash-every=7", tmp_path],
        capture_output=True,
        text=True,
        cwd=tmp_path,
    )
    said = ended.stdout
    assert "PASSED test_program.py::test_exact" in said, said
    for name in ("at_least_once", "by_chance", "wrong", "of_another_fixture"):
        assert f"FAILED test_program.py::test_{name}" in said, said
    assert said.count("AssertionError: what was saved differs after a crash at durable step") >= 2, said
    assert "assert [1, 2] == [1]" in said, said
    assert "may use the fixtures stream and tmp_path, not ['other']" in said, said
