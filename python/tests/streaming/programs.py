"""Programs in processes of their own, whose output is waited for."""

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType

# Only ends a test that hangs.
PATIENCE_S = 60.0


class Process:
    """A program that runs. It is killed at the end of the `with`, if it has not ended."""

    def __init__(self, arguments: Sequence[object], folder: Path, environment: dict[str, str] | None = None) -> None:
        self.stderr_path = folder / "stderr"
        self.stdout = ""
        self._popen = subprocess.Popen(
            [sys.executable, "-m", "tidemill", *map(str, arguments)],
            cwd=folder,
            env={**os.environ, **(environment or {})},
            stdout=subprocess.PIPE,
            stderr=self.stderr_path.open("w"),
            text=True,
            # Whoever runs the tests may ignore it (nohup), and its children with it.
            preexec_fn=lambda: signal.signal(signal.SIGHUP, signal.SIG_DFL),
        )
        self._patience = threading.Timer(PATIENCE_S, self._popen.kill)
        self._patience.start()

    def __enter__(self) -> "Process":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._popen.kill()
        self.ended()

    @property
    def stderr(self) -> str:
        return self.stderr_path.read_text()

    def until(self, line: str) -> None:
        """Reads until a line has this in it."""
        assert self._popen.stdout is not None
        for read in self._popen.stdout:
            self.stdout += read
            if line in read:
                return
        raise AssertionError(f"it ended without {line!r}:\n{self.stdout}\n{self.stderr}")

    def until_stderr(self, text: str) -> None:
        """Waits until this is in its stderr."""
        while text not in self.stderr:
            assert self.poll() is None, f"it ended without {text!r}:\n{self.stderr}"

    def poll(self) -> int | None:
        """The exit code, if it has ended; looks again after a moment."""
        try:
            return self._popen.wait(0.05)
        except subprocess.TimeoutExpired:
            return None

    def send(self, sent: signal.Signals) -> None:
        self._popen.send_signal(sent)

    def close_stdout(self) -> None:
        assert self._popen.stdout is not None
        self._popen.stdout.close()

    def ended(self) -> int:
        """The exit code, when it has ended."""
        assert self._popen.stdout is not None
        if not self._popen.stdout.closed:
            self.stdout += self._popen.stdout.read()
        code = self._popen.wait()
        self._patience.cancel()
        return code
