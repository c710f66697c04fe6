"""A program that is crashed at its durable steps."""

from typing import Any

from tidemill.pytest_plugin import CrashEverywhere, CrashRun


def add(values: list[int], count: int | None) -> int:
    return sum(values) + (count or 0)


def test_state_is_exact(crash_everywhere: CrashEverywhere) -> None:
    def program(run: CrashRun) -> None:
        words: Any = run.input()
        words.map(lambda word: (word, 1)).updateStateByKey(add, 1).saveAsTextFiles(run.path("counts"))

    crash_everywhere(program, [["a", "b"], ["a"]], every=8)
