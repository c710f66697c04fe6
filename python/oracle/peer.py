"""The two sides: processes that answer the same requests, one with the real PySpark and one with ours."""

import atexit
import os
import pickle
import signal
import subprocess
import sys
import tempfile
import threading
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
# Pythons with PySpark and with ours; see ci/pyspark.sh.
TARGET = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target")).absolute()
SPARK = Path(os.environ.get("PYSPARK_VENV", TARGET / "pyspark"))
OURS = Path(os.environ.get("TIDEMILL_VENV", TARGET / "python"))

ENVIRONMENT = {
    **{name: value for name, value in os.environ.items() if not name.startswith(("SPARK_", "PYSPARK_"))},
    "PYTHONHASHSEED": "0",
    "PYTHONPATH": str(HERE),
    "PYTHONUNBUFFERED": "1",
    "ORACLE_SPEED": "1",
    "SPARK_LOCAL_IP": "127.0.0.1",
    "PYSPARK_SUBMIT_ARGS": "--master local[2] --conf spark.ui.enabled=false pyspark-shell",
}


def started(side: str, program: Path, *arguments: str, **options: Any) -> "subprocess.Popen[bytes]":
    """Starts a program as users of each side do, in a process group of its own, for all below it to be ended with it."""
    environment = {**ENVIRONMENT, "ORACLE_SPEED": "5"}
    if side == "spark":
        command = [str(SPARK / "bin/python")]
        environment = {**ENVIRONMENT, "PYSPARK_PYTHON": command[0]}
    else:
        command = [str(OURS / "bin/python"), "-m", "tidemill", "run"]
    full = [*command, str(program), *arguments]
    process = subprocess.Popen(full, env=environment, start_new_session=True, **options)
    atexit.register(ended, process)
    return process


def stop(_signal: int, _frame: object) -> None:
    """SIGTERM, of a time limit for example: what was started is ended too."""
    raise SystemExit(1)


if threading.current_thread() is threading.main_thread():
    signal.signal(signal.SIGTERM, stop)


def ended(process: "subprocess.Popen[bytes]") -> None:
    if process.returncode is None:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


class Peer:
    """A side that answers requests until it is closed."""

    def __init__(self, side: str) -> None:
        self.side = side
        self.log = tempfile.NamedTemporaryFile("w+", suffix=f"-{side}.log", delete=False)
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": self.log}
        self.process = started(side, HERE / "answer.py", cwd=tempfile.mkdtemp(), **pipes)

    def answers(self, kind: str, pipelines: list[dict[str, Any]]) -> list[Any]:
        assert self.process.stdin is not None and self.process.stdout is not None
        pickle.dump((kind, pipelines), self.process.stdin)
        self.process.stdin.flush()
        try:
            found: list[Any] = pickle.load(self.process.stdout)
        except EOFError:
            tail = Path(self.log.name).read_text()[-3000:]
            raise RuntimeError(f"{self.side} ended with {self.process.wait()}:\n{tail}") from None
        return found

    def close(self) -> None:
        ended(self.process)


if __name__ == "__main__":
    # For a look at one pipeline: python peer.py spark '{"source": ...}'
    peer = Peer(sys.argv[1])
    print(peer.answers("batch", [eval(sys.argv[2])]))
    peer.close()
