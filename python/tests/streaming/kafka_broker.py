"""A real Kafka for tests: a node of `ci/kafka`, which ends with this process."""

import os
import shutil
import socket
import struct
import subprocess
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).parents[3]
PATIENCE_S = 60


class Kafka:
    """One node. Topics are made when they are first written to, with three partitions."""

    def __init__(self) -> None:
        self._folder = Path(tempfile.mkdtemp())
        with socket.create_server(("127.0.0.1", 0)) as clients, socket.create_server(("127.0.0.1", 0)) as controllers:
            port, controller = clients.getsockname()[1], controllers.getsockname()[1]
        self.brokers = f"127.0.0.1:{port}"
        self._node = [str(self._folder / "node"), "1", str(port), f"1@127.0.0.1:{controller}", "num.partitions=3"]
        self._start()

    def _start(self) -> None:
        log = self._folder / "node" / "log"
        starts = self._starts(log)
        self._process = subprocess.Popen(
            [ROOT / "ci/kafka/watched.sh", *self._node], stdin=subprocess.PIPE, start_new_session=True
        )
        patience = time.monotonic() + PATIENCE_S
        while self._starts(log) == starts:
            assert self._process.poll() is None and time.monotonic() < patience, log.read_text()[-3000:]
            time.sleep(0.05)

    def expire(self, topic: str, partition: int, offset: int) -> None:
        """Deletes the records before an offset, as if they had expired, by a DeleteRecords request of version 2."""
        name, tags, timeout_ms = topic.encode(), b"\x00", 10_000
        partitions = b"\x02" + struct.pack(">iq", partition, offset) + tags
        topics = b"\x02" + bytes([len(name) + 1]) + name + partitions + tags
        request = struct.pack(">hhih", 21, 2, 1, -1) + tags + topics + struct.pack(">i", timeout_ms) + tags
        host, port = self.brokers.split(":")
        with socket.create_connection((host, int(port)), PATIENCE_S) as connection, connection.makefile("rb") as answers:
            connection.sendall(struct.pack(">i", len(request)) + request)
            answer = answers.read(struct.unpack(">i", answers.read(4))[0])
        # Before the three ends of tags at last is the error of the partition.
        assert answer[-5:-3] == b"\x00\x00", answer

    @staticmethod
    def _starts(log: Path) -> int:
        return log.read_text().count("Kafka Server started") if log.exists() else 0

    def restart(self) -> None:
        """Kills the node as `kill -9` does, and starts it with what it stored."""
        os.killpg(self._process.pid, 9)
        self._process.wait(PATIENCE_S)
        self._start()

    def end(self) -> None:
        """Kills it, and forgets what it stored."""
        os.killpg(self._process.pid, 9)
        self._process.wait(PATIENCE_S)
        shutil.rmtree(self._folder, ignore_errors=True)
