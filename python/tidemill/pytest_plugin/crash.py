"""Proof that a program is exactly-once: crashed at its durable steps and started again, it saves the same.

A build of the engine that is for production has no such steps to crash at; then the test is skipped.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, final

import cloudpickle
import pytest

if TYPE_CHECKING:
    from tidemill.pyspark.streaming import DStream, StreamingContext

# Read by the engine.
AT, LOG = "TIDEMILL_CRASH_AT", "TIDEMILL_CRASH_LOG"
BATCH_MS = 1000

Program = Callable[["CrashRun"], object]


@final
class CrashRun:
    """What a program has to work with while it is crashed."""

    def __init__(self, ssc: StreamingContext, batches: list[list[Any]], folder: Path) -> None:
        self.ssc, self._batches, self._folder = ssc, batches, folder

    def input(self) -> DStream[Any]:
        """The stream of the input, which is the same again after a crash."""
        sc, batches = self.ssc.sparkContext, self._batches

        def batch(time: Any, _: Any) -> Any:
            number = round(time.timestamp() * 1000) // BATCH_MS
            return sc.parallelize(batches[number - 1] if number <= len(batches) else [])

        return self.ssc.queueStream([], default=[]).transform(batch)

    def path(self, name: str) -> str:
        """A path in the folder whose files are compared, those excepted whose name begins with "." or "_"."""
        return str(self._folder / name)


@final
class CrashEverywhere:
    """Crashes a program everywhere."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def __call__(
        self,
        program: Program,
        batches: Sequence[Sequence[Any]],
        conf: dict[str, str] | None = None,
        every: int = 1,
    ) -> None:
        """Runs `program(run)` over batches of a second each; crashes it at its durable steps, or at each `every`th.

        The program declares streams from `run.input()` and saves below `run.path(...)`; the lines of all files are
        compared, order aside. Whatever it does beside that happens in processes of their own.

        Raises AssertionError with the step after which something differs.
        """
        __tracebackhide__ = True
        module = sys.modules.get(program.__module__)
        if module is not None and module.__name__ != "__main__":
            cloudpickle.register_pickle_by_value(module)
        given = cloudpickle.dumps((program, [list(batch) for batch in batches], conf or {}))
        (self._folder / "program").write_bytes(given)
        expected, steps = self._uninterrupted()
        if not steps:
            pytest.skip("this build of tidemill has no steps to crash at")
        assert expected, "the program saved nothing"
        for step in range(1, len(steps) + 1, every):
            found = self._crashed_at(step)
            assert found == expected, f"after a crash at durable step {steps[step - 1]}"

    def _uninterrupted(self) -> tuple[dict[str, list[str]], list[str]]:
        log = self._folder / "steps"
        saved = self._start("uninterrupted", {LOG: str(log)})
        return saved, log.read_text().splitlines() if log.exists() else []

    def _crashed_at(self, step: int) -> dict[str, list[str]]:
        run = f"crashed-{step}"
        # Not the same step each time, and most of them in what a restart does.
        self._start(run, {AT: str(step)})
        self._start(run, {AT: str(1 + step * 7 % 23)})
        return self._start(run, {})

    def _start(self, run: str, variables: dict[str, str]) -> dict[str, list[str]]:
        """Runs the program to its end, or to its crash; what is saved then."""
        folder = self._folder / run
        (folder / "output").mkdir(parents=True, exist_ok=True)
        environment = {name: value for name, value in os.environ.items() if name not in (AT, LOG)}
        arguments = [str(self._folder / "program"), str(folder), str(_done_ms(folder / "checkpoint"))]
        ended = subprocess.run(
            [sys.executable, "-m", "tidemill.pytest_plugin.crash_run", *arguments],
            env={**environment, **variables},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
        )
        may_crash = AT in variables and ended.returncode == -signal.SIGABRT
        assert may_crash or ended.returncode == 0, f"{run}: the program ended with {ended.returncode}\n{ended.stderr}"
        return _saved(folder / "output")


def _done_ms(checkpoint: Path) -> int:
    """The time of the last batch that is done; 0 if none is."""
    if not checkpoint.exists():
        return 0
    listed = subprocess.run(
        [sys.executable, "-m", "tidemill", "checkpoint", "ls", "--json", str(checkpoint)], capture_output=True, text=True
    )
    # What a crash left before the first commit is no list yet.
    commits = json.loads(listed.stdout) if listed.returncode == 0 and listed.stdout else []
    return max((int(commit["time"]) for commit in commits), default=0)


def _saved(folder: Path) -> dict[str, list[str]]:
    """The lines of every file, by its folder."""
    found: dict[str, list[str]] = {}
    for path in sorted(folder.rglob("*")):
        if path.is_file() and not path.name.startswith((".", "_")):
            found.setdefault(str(path.parent.relative_to(folder)), []).extend(path.read_text().splitlines())
    return {name: sorted(lines) for name, lines in found.items()}
