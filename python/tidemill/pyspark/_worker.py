"""A worker process: runs tasks that come over a connection, until that ends. Started by `_workers`."""

from __future__ import annotations

import os
import pickle
import signal
import sys
import threading
import time
import traceback
from collections import OrderedDict
from multiprocessing.connection import Connection
from typing import Any

import cloudpickle

import tidemill.pyspark
from tidemill import _native
from tidemill.pyspark import _task, _workers
from tidemill.pyspark.broadcast import Broadcast
from tidemill.pyspark.files import SparkFiles
from tidemill.pyspark.taskcontext import TaskContext

LOOK_AT_PARENT_SECONDS = 1.0


class Worker:
    """What a worker process has learnt."""

    def __init__(self) -> None:
        self._commands: OrderedDict[int, bytes | _task.Command] = OrderedDict()
        self._broadcasts: dict[int, bytes] = {}
        Broadcast._load = self._broadcast

    def _broadcast(self, number: int) -> Any:
        return pickle.loads(self._broadcasts[number])

    def answer(self, frame: bytes) -> bytes:
        """What a task gives, or what it raised."""
        try:
            answer = cloudpickle.dumps((True, *self._run(*pickle.loads(frame))), 5)
        except BaseException as error:
            answer = cloudpickle.dumps((False, _portable(error), traceback.format_exc()), 5)
        sys.stdout.flush()
        return bytes(answer)

    def _run(
        self,
        number: int,
        command: bytes | None,
        split: int,
        inputs: bytes,
        broadcasts: dict[int, bytes],
        gone: list[int],
        surroundings: tuple[list[str], str | None, dict[str, str]] | None,
    ) -> tuple[list[Any], dict[int, Any], float]:
        if surroundings is not None:
            sys.path[:], SparkFiles._root_directory, properties = surroundings
            TaskContext._properties.clear()
            TaskContext._properties.update(properties)
        self._broadcasts.update(broadcasts)
        for broadcast in gone:
            self._broadcasts.pop(broadcast, None)
            Broadcast._kept.pop(broadcast, None)
        if command is not None:
            # As bytes first: one that cannot be loaded is told so again. The other side forgets by the same rule.
            self._commands[number] = command
            if len(self._commands) > _workers.COMMANDS_KEPT:
                self._commands.popitem(last=False)
        task = self._commands[number]
        if isinstance(task, bytes):
            task = self._commands[number] = pickle.loads(task)
        blocks = pickle.loads(inputs)
        begun = time.perf_counter() - _native.counted_seconds()
        outer = _task.Task(task, split)
        with outer:
            result = list(_task.run_task(task, split, *map(iter, blocks)))
        return result, outer.updates, time.perf_counter() - _native.counted_seconds() - begun


def _portable(error: BaseException) -> Exception | _workers.WithoutInit:
    """The exception, if it can be raised in another process: `sys.exit` of a task does not end the program."""
    if not isinstance(error, Exception):
        return RuntimeError(f"a function of a task raised {type(error).__name__}: {error}")
    for portable in (error, _workers.WithoutInit(error)):
        try:
            pickle.loads(cloudpickle.dumps(portable))
        except Exception:
            continue
        return portable
    return RuntimeError(f"{type(error).__name__}: {error}")


def _end_with_parent(parent: int) -> None:
    """A task that never ends does not outlive the program."""
    while os.getppid() == parent:
        time.sleep(LOOK_AT_PARENT_SECONDS)
    os._exit(1)


def main() -> None:
    # Ctrl-C is for the program, which then ends its workers.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    tidemill.pyspark.install(quiet=True)
    threading.Thread(target=_end_with_parent, args=(os.getppid(),), name="parent", daemon=True).start()
    connection, worker = Connection(int(sys.argv[1])), Worker()
    while True:
        try:
            frame = connection.recv_bytes()
        except (EOFError, OSError):
            return
        try:
            connection.send_bytes(worker.answer(frame))
        except OSError:
            return


if __name__ == "__main__":
    main()
