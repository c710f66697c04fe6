"""Proof that a program is exactly-once: crashed at its durable steps and started again, it saves the same.

A build of the engine that is for production has no such steps to crash at; then the test is skipped. For each step the
program is started three times, on each core another step; one start of a small program takes half a second.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any, final

import pytest

if TYPE_CHECKING:
    from tidemill.pyspark.streaming import DStream, StreamingContext
    from tidemill.pyspark.streaming.testing import StreamTest

# Read by the engine.
AT, LOG = "TIDEMILL_CRASH_AT", "TIDEMILL_CRASH_LOG"
# How long one run of a program may take.
PATIENCE_S = 120.0

Program = Callable[["CrashRun"], object]


@final
class CrashRun:
    """What a program has to work with while it is crashed."""

    def __init__(self, stream: StreamTest, folder: Path) -> None:
        self._stream, self._folder = stream, folder
        self.inputs: list[Any] = []

    @property
    def ssc(self) -> StreamingContext:
        """The context."""
        return self._stream.ssc

    def input(self) -> DStream[Any]:
        """The stream of the input, which is the same again after a crash."""
        dstream: DStream[Any] = self._stream.input()
        self.inputs.append(dstream)
        return dstream

    def path(self, name: str) -> str:
        """A path in the folder whose files are compared, those excepted whose name begins with "." or "_"."""
        return str(self._folder / name)


def _over(program: Program, batches: Sequence[Sequence[Any]]) -> Callable[[StreamTest, Path], None]:
    """The program with all of its input."""

    def run(stream: StreamTest, folder: Path) -> None:
        declared = CrashRun(stream, folder)
        program(declared)
        for batch in batches:
            for dstream in declared.inputs:
                dstream.push(*batch)
            stream.tick()

    return run


@final
class CrashEverywhere:
    """Crashes a program everywhere. `every` is how many of its steps go by from one crash to the next."""

    def __init__(self, folder: Path, every: int = 1) -> None:
        self._folder, self._every = folder, every
        self._done: dict[Path, int] = {}

    def __call__(
        self,
        program: Program,
        batches: Sequence[Sequence[Any]],
        conf: dict[str, str] | None = None,
        every: int | None = None,
    ) -> None:
        """Runs `program(run)` over batches of a second each; crashes it at each of its durable steps, or at each
        `every`th.

        The program declares streams from `run.input()` and saves below `run.path(...)`; the lines of all files are
        compared, order aside. Whatever it does beside that happens in processes of their own.

        Raises AssertionError with the step after which something differs.
        """
        __tracebackhide__ = True
        self.crash(_over(program, [list(batch) for batch in batches]), program.__module__, conf or {}, 1.0, every)

    def crash(
        self,
        run: Callable[[StreamTest, Path], object],
        module: str,
        conf: dict[str, str],
        batch: float,
        every: int | None,
    ) -> None:
        """As `__call__`, of a function of a stream's test and the folder whose files are compared. `module` is where the
        program comes from, and goes with it."""
        __tracebackhide__ = True
        import cloudpickle  # only where something is crashed

        if module in sys.modules and module != "__main__":
            cloudpickle.register_pickle_by_value(sys.modules[module])
        (self._folder / "program").write_bytes(cloudpickle.dumps((run, conf, batch)))
        expected, steps = self._uninterrupted()
        if not steps:
            pytest.skip("this build of tidemill has no steps to crash at")
        assert expected, "the program saved nothing"
        chosen = range(1, len(steps) + 1, every or self._every)
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            try:
                for step, found in zip(chosen, pool.map(self._crashed_at, chosen)):
                    place = f"durable step {step} of {len(steps)}, {steps[step - 1]}"
                    assert found == expected, f"what was saved differs after a crash at {place}"
            finally:
                pool.shutdown(cancel_futures=True)

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
        __tracebackhide__ = True
        folder = self._folder / run
        (folder / "output").mkdir(parents=True, exist_ok=True)
        environment = {name: value for name, value in os.environ.items() if name not in (AT, LOG)}
        arguments = [str(self._folder / "program"), str(folder), str(self._done_ms(folder))]
        ended = subprocess.run(
            [sys.executable, "-m", "tidemill.pytest_plugin.crash_run", *arguments],
            env={**environment, **variables},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=PATIENCE_S,
        )
        may_crash = AT in variables and ended.returncode == -signal.SIGABRT
        assert may_crash or ended.returncode == 0, f"{run}: the program ended with {ended.returncode}\n{ended.stderr}"
        return _saved(folder / "output")

    def _done_ms(self, folder: Path) -> int:
        """The time of the last batch that a run in this folder has done; 0 if none is."""
        # A checkpoint that was started from lists only what came after.
        done_ms = max(self._done.get(folder, 0), _listed_ms(folder / "checkpoint"))
        self._done[folder] = done_ms
        return done_ms


def _listed_ms(checkpoint: Path) -> int:
    """The time of the last batch in the list of a checkpoint; 0 if there is none."""
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
            found.setdefault(str(path.parent.relative_to(folder)), []).extend(path.read_text(errors="backslashreplace").splitlines())
    return {name: sorted(lines) for name, lines in found.items()}
