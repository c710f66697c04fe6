"""Worker processes: tasks whose Python is worth more than the way there and back run beside each other, on all cores.

A `local[n]` with n > 1 has n workers, started when the first task is sent away. What tasks of the same functions cost
lately decides (`Costs`), so small ones stay in this process. Of tasks of which nothing is known the first runs here, and
the others wait a moment for it. A worker gets a task's command once, a broadcast once, and ends when its connection
does.
"""

from __future__ import annotations

import os
import pickle
import queue
import socket
import subprocess
import sys
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from multiprocessing.connection import Connection
from typing import Any

from tidemill import _native
from tidemill.pyspark import _cancel, _captures, _task, accumulators, broadcast
from tidemill.pyspark.files import SparkFiles
from tidemill.pyspark.taskcontext import TaskContext

# A task that takes less than this is not worth being sent away, nor one whose way takes longer than it does.
WORTH_SECONDS = 0.003
# How long tasks wait for what the first one of their kind costs.
FIRST_SECONDS = 0.01
# How much of the last task goes into what the next one is thought to cost.
NEWEST = 0.5
# How much of the cost of the way is left after each task that did not go it.
FORGETS = 0.97
HOW_LONG_TO_END_SECONDS = 2.0
COMMANDS_KEPT = 64


# Whether Python's own hashes are the same in every process: `tidemill run` sees to it.
HASHES_ARE_ALIKE = not sys.flags.hash_randomization or os.environ.get("PYTHONHASHSEED", "random") != "random"


class WorkerDied(RuntimeError):
    """A worker process ended while it ran a task: killed, out of memory, or ended by native code."""


class _InWorker(Exception):
    """Carries the traceback of a worker to where its exception is raised again."""

    def __str__(self) -> str:
        return f"\n{self.args[0]}"


class WithoutInit:
    """Pickles as an exception that is made again without its `__init__`, which may want what is not in its `args`."""

    def __init__(self, error: Exception) -> None:
        self._error = error

    def __reduce__(self) -> tuple[Any, ...]:
        return _made_again, (type(self._error), self._error.args, vars(self._error))


def _made_again(of: type[Exception], args: tuple[Any, ...], attributes: dict[str, Any]) -> Exception:
    error = of.__new__(of, *args)
    error.args = args
    vars(error).update(attributes)
    return error


@dataclass
class Cost:
    """What tasks of one kind took lately, in seconds: their work, and the way to a worker and back."""

    work: float
    way: float | None = None

    def add(self, work: float, way: float | None) -> None:
        self.work += NEWEST * (work - self.work)
        if way is None:
            # What was dear once is tried again some day.
            self.way = self.way and self.way * FORGETS
        else:
            self.way = way if self.way is None else self.way + NEWEST * (way - self.way)


def _kind(command: _task.Command) -> tuple[Any, ...]:
    """What tasks have in common that cost alike: the code of their functions, whatever the batch."""
    functions = [step.function for plan in command.inputs for step in plan.steps]
    finish = getattr(command.finish, "function", command.finish)
    return tuple(getattr(function, "__code__", type(function)) for function in (*functions, finish))


class Costs:
    """What is known of kinds of tasks."""

    def __init__(self) -> None:
        self._known: dict[tuple[Any, ...], Cost] = {}
        self._first: dict[tuple[Any, ...], threading.Event] = {}
        self._lock = threading.Lock()

    def is_worth_the_way(self, kind: tuple[Any, ...]) -> bool:
        with self._lock:
            first = self._first.get(kind)
            if first is None:
                self._first[kind] = threading.Event()
                return False
        if kind not in self._known and not first.wait(FIRST_SECONDS):
            return True
        cost = self._known.get(kind)
        return cost is not None and cost.work > max(WORTH_SECONDS, cost.way or 0.0)

    def add(self, kind: tuple[Any, ...], work: float, way: float | None) -> None:
        with self._lock:
            known = self._known.get(kind)
            if known is None:
                self._known[kind] = Cost(work, way)
            else:
                known.add(work, way)
            self._first.setdefault(kind, threading.Event()).set()


class _Worker:
    """One worker process, and what it knows already."""

    def __init__(self, environment: dict[str, str]) -> None:
        ours, theirs = socket.socketpair()
        with theirs:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "tidemill.pyspark._worker", str(theirs.fileno())],
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                env=environment,
            )
        self._connection = Connection(ours.detach())
        # In the order in which they were sent; the worker forgets by the same rule.
        self._commands: OrderedDict[int, None] = OrderedDict()
        self._broadcasts: set[int] = set()
        self._surroundings: Any = None
        self.is_new = True

    def run(self, request: _Request) -> bytes:
        """The answer to a request. Raises WorkerDied if there is none."""
        surroundings = (list(sys.path), SparkFiles._root_directory, dict(TaskContext._properties))
        is_known = request.number in self._commands
        gone = [number for number in self._broadcasts if number not in broadcast.Broadcast._registry]
        new = request.broadcasts - self._broadcasts
        frame = (
            request.number,
            None if is_known else request.command,
            request.split,
            request.inputs,
            {number: _dumped(broadcast.Broadcast._registry[number]._value) for number in new},
            gone,
            None if surroundings == self._surroundings else surroundings,
        )
        try:
            self._connection.send_bytes(pickle.dumps(frame, 5))
            answer = self._connection.recv_bytes()
        except (EOFError, OSError):
            code = self.process.wait()
            raise WorkerDied(
                f"the worker process {self.process.pid} ended ({_ending(code)}) while it ran "
                f'"{request.name}" on partition {request.split}'
            ) from None
        self._commands[request.number] = None
        if len(self._commands) > COMMANDS_KEPT:
            self._commands.popitem(last=False)
        self._broadcasts = (self._broadcasts | new).difference(gone)
        self._surroundings = surroundings
        return answer

    def end(self) -> None:
        self._connection.close()

    def join(self) -> None:
        try:
            self.process.wait(HOW_LONG_TO_END_SECONDS)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


def _ending(code: int) -> str:
    return f"signal {-code}" if code < 0 else f"exit code {code}"


@dataclass
class _Request:
    number: int
    name: str
    command: bytes
    broadcasts: set[int]
    split: int
    inputs: bytes


class Workers:
    """The worker processes of a context."""

    def __init__(self, count: int, environment: dict[str, str]) -> None:
        self._count = count
        self._environment = {**os.environ, **environment, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
        self._idle: queue.SimpleQueue[_Worker] = queue.SimpleQueue()
        self._all: list[_Worker] = []
        self._lock = threading.Lock()
        self._is_stopped = False
        self._pickled: OrderedDict[int, tuple[int, bytes, set[int]]] = OrderedDict()
        self._costs = Costs()

    def _start(self) -> None:
        with self._lock:
            while len(self._all) < self._count and not self._is_stopped:
                worker = _Worker(self._environment)
                self._all.append(worker)
                self._idle.put(worker)

    def run(self, command: _task.Command, split: int, inputs: tuple[Iterable[Any], ...]) -> Iterator[Any]:
        """Runs a task here or in a worker, whichever is cheaper."""
        kind = _kind(command)
        # Where hashes differ from process to process, a key would be in one place for one worker and in another for the next.
        stays = command.is_barrier or (command.places_keys and not HASHES_ARE_ALIKE)
        if stays or self._is_stopped or not self._costs.is_worth_the_way(kind):
            return self._run_here(kind, command, split, inputs)
        return iter(self._run_away(kind, command, split, inputs))

    def _run_here(
        self, kind: tuple[Any, ...], command: _task.Command, split: int, inputs: tuple[Iterable[Any], ...]
    ) -> Iterator[Any]:
        # Words are counted without the interpreter, as fast here as anywhere.
        begun = time.thread_time() - _native.counted_seconds()
        try:
            yield from _task.run_task(command, split, *inputs)
        finally:
            self._costs.add(kind, time.thread_time() - _native.counted_seconds() - begun, None)

    def _run_away(
        self, kind: tuple[Any, ...], command: _task.Command, split: int, inputs: tuple[Iterable[Any], ...]
    ) -> list[Any]:
        lists = tuple(list(blocks) for blocks in inputs)
        _cancel.leave_home()
        self._start()
        begun = time.perf_counter()
        number, pickled, broadcasts = self._command(command)
        request = _Request(number, command.name, pickled, broadcasts, split, _dumped(lists))
        worker = self._living()
        waited = time.perf_counter()
        try:
            with _cancel.at_worker(worker.process):
                answer = worker.run(request)
        except BaseException:
            self._replace(worker)
            raise
        try:
            result, updates, work = self._opened(answer)
        finally:
            self._idle.put(worker)
        # The first task of a worker waits for it to start.
        way = None if worker.is_new else max(0.0, time.perf_counter() - waited - work)
        worker.is_new = False
        self._costs.add(kind, work, way)
        if updates:
            outer = _task.current()
            accumulators.merge(updates, None if outer is None else outer.updates)
        return result

    def _living(self) -> _Worker:
        """A worker that is idle and there; those that were ended meanwhile are replaced."""
        while True:
            worker = self._idle.get()
            if self._is_stopped or worker.process.poll() is None:
                return worker
            self._replace(worker)

    def _command(self, command: _task.Command) -> tuple[int, bytes, set[int]]:
        with self._lock:
            known = self._pickled.get(command.stage)
            if known is None:
                broadcast.pickled.ids.clear()
                known = (command.stage, _dumped_command(command), set(broadcast.pickled.ids))
                self._pickled[command.stage] = known
                if len(self._pickled) > COMMANDS_KEPT:
                    self._pickled.popitem(last=False)
            return known

    def _opened(self, answer: bytes) -> tuple[list[Any], dict[int, Any], float]:
        succeeded, *rest = pickle.loads(answer)
        if succeeded:
            result, updates, work = rest
            return result, updates, work
        exception, trace = rest
        raise exception from _InWorker(trace)

    def _replace(self, worker: _Worker) -> None:
        """Another one takes the place of a worker that ended or is in the middle of a task."""
        worker.process.kill()
        worker.end()
        worker.join()
        with self._lock:
            if worker not in self._all:
                return
            self._all.remove(worker)
        self._start()

    def stop(self) -> None:
        """Ends all workers; tasks from now on run here."""
        with self._lock:
            self._is_stopped = True
            workers, self._all = self._all, []
        for worker in workers:
            worker.end()
        for worker in workers:
            worker.join()


def _dumped(value: Any) -> bytes:
    """Functions and classes of the program's own file by value: a worker has another `__main__`."""
    from tidemill.pyspark import _pickling  # only where tasks go away

    return _pickling.dumps(value)


def _dumped_command(command: _task.Command) -> bytes:
    """Raises pickle.PicklingError that names the variable of a function which cannot be pickled."""
    try:
        return _dumped(command)
    except Exception:
        functions = [step.function for plan in command.inputs for step in plan.steps]
        for function in (*functions, getattr(command.finish, "function", command.finish)):
            _captures.dumped(function, _dumped)
        raise


_workers: Workers | None = None


def begin(count: int, environment: dict[str, str]) -> None:
    """From now on tasks may go to `count` workers; none for 1, nor where threads run Python beside each other."""
    global _workers
    has_gil = getattr(sys, "_is_gil_enabled", lambda: True)()
    _workers = Workers(count, environment) if count > 1 and has_gil else None


def end() -> None:
    """Ends the workers."""
    global _workers
    workers, _workers = _workers, None
    if workers is not None:
        workers.stop()


def run_task(command: _task.Command, split: int, *inputs: Iterable[Any]) -> Iterator[Any]:
    """Runs a task, in this process or in a worker: gives what `_task.run_task` gives."""
    workers = _workers
    with _cancel.watched():
        if workers is None:
            yield from _task.run_task(command, split, *inputs)
        else:
            yield from workers.run(command, split, inputs)


def run_for_result(
    command: _task.Command, note: Callable[[int, Any], object] | None, split: int, *inputs: Iterable[Any]
) -> Any:
    """Runs a command that gives one value, of which `note` is told."""
    (result,) = run_task(command, split, *inputs)
    if note is not None:
        note(split, result)
    return result
