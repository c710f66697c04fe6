"""Where Python's functions run: every task goes through `run_task`, with a command that can be pickled.

A task has a context (`TaskContext.get()`) and gathers what it adds to accumulators; the driver gets that only when the
task has succeeded.
"""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, Final

from tidemill.pyspark import _barrier
from tidemill.pyspark._ops import Block, Steps, cut, frozen, iterate, thawed

_END: Final = object()
_stage_ids = itertools.count()
_attempt_ids = itertools.count()


@dataclass(frozen=True)
class Input:
    """How the blocks of a dataset become records: thawed where they are kept frozen, and through its steps."""

    steps: Steps = ()
    is_frozen: bool = False

    def records(self, split: int, blocks: Iterable[Block]) -> Iterable[Any]:
        return iterate(self.steps, split, self.blocks(blocks))

    def blocks(self, blocks: Iterable[Block]) -> Iterable[Block]:
        return map(thawed, blocks) if self.is_frozen else blocks

    def through(self, split: int, blocks: Iterable[Block]) -> Iterable[Block]:
        """Blocks of the records; the blocks themselves where there are no steps."""
        return cut(self.records(split, blocks)) if self.steps else self.blocks(blocks)

    def parted(self, last: int) -> tuple[Input, Input]:
        """All but the last steps, and those."""
        first = len(self.steps) - last
        return Input(self.steps[:first], self.is_frozen), Input(self.steps[first:])


@dataclass(frozen=True)
class Command:
    """The work of a task: `finish(split, input, ...)` of its inputs gives what goes back to the engine."""

    finish: Callable[..., Iterable[Any]]
    inputs: tuple[Input, ...]
    name: str
    is_barrier: bool = False
    partitions: int = 0
    places_keys: bool = False
    stage: int = field(default_factory=_stage_ids.__next__)

    def run(self, split: int, *inputs: Iterable[Block]) -> Iterator[Any]:
        sources = (Source(plan, split, blocks) for plan, blocks in zip(self.inputs, inputs))
        return iter(self.finish(split, *sources))


@dataclass(frozen=True)
class Source:
    """One input of a running task."""

    plan: Input
    split: int
    raw: Iterable[Block]

    def records(self) -> Iterable[Any]:
        return self.plan.records(self.split, self.raw)

    def blocks(self) -> Iterable[Block]:
        return self.plan.through(self.split, self.raw)


class Task:
    """A task that runs: which one, and what it added to accumulators."""

    def __init__(self, command: Command, split: int) -> None:
        self.command, self.split = command, split
        self.attempt = next(_attempt_ids)
        self.updates: dict[int, Any] = {}
        self.outer = current()

    @property
    def outermost(self) -> Task:
        return self if self.outer is None else self.outer.outermost

    def __enter__(self) -> None:
        self._before = current()
        _running.task = self

    def __exit__(self, *raised: object) -> None:
        _running.task = self._before

    def succeed(self) -> None:
        """Hands on what was added: to the task that this one is a part of, or to the driver."""
        updates, self.updates = self.updates, {}
        if updates:
            from tidemill.pyspark.accumulators import merge

            merge(updates, None if self.outer is None else self.outer.updates)


class _Running(threading.local):
    task: Task | None = None


_running = _Running()


def current() -> Task | None:
    """The task that runs on this thread."""
    return _running.task


def run_task(command: Command, split: int, *inputs: Iterable[Block]) -> Iterator[Any]:
    """Runs a command on a partition: gives blocks, or whatever the command's `finish` gives."""
    task = Task(command, split)
    try:
        with task:
            items = command.run(split, *inputs)
        while True:
            with task:
                item = next(items, _END)
            if item is _END:
                break
            yield item
    except GeneratorExit:
        task.succeed()
        raise
    except BaseException as error:
        if command.is_barrier:
            _barrier.meeting(command.stage, command.partitions).abort()
        if isinstance(error, SystemExit):
            # It ends the task, as in PySpark, where it ends a worker, and not the program.
            raise RuntimeError(f"a function of a task raised SystemExit: {error}") from error
        raise
    task.succeed()


# What can become of the records of a task. All of these pickle.


def to_blocks(split: int, source: Source) -> Iterable[Block]:
    return source.blocks()


def to_frozen_blocks(split: int, source: Source) -> Iterable[Block]:
    return map(frozen, source.blocks())


def to_list(split: int, records: Iterable[Any]) -> Block:
    return records if type(records) is list else list(records)


@dataclass(frozen=True)
class Finish:
    """One value of all records: `function(split, records)`."""

    function: Callable[[int, Any], Any]

    def __call__(self, split: int, source: Source) -> Iterable[Any]:
        yield self.function(split, source.records())


@dataclass(frozen=True)
class FinishBlocks:
    """One value of all blocks: `function(blocks)`."""

    function: Callable[[Iterable[Block]], Any]

    def __call__(self, split: int, source: Source) -> Iterable[Any]:
        yield self.function(source.blocks())
