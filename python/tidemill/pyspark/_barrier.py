"""Where the tasks of barrier stages wait for each other."""

from __future__ import annotations

import threading


class Meeting:
    """The tasks of one barrier stage, and what they have to say to each other."""

    def __init__(self, tasks: int) -> None:
        self._barrier = threading.Barrier(tasks)
        self._messages: dict[int, str] = {}

    def wait(self) -> None:
        """Waits until all tasks are here. Raises RuntimeError if one of them fails instead."""
        try:
            self._barrier.wait()
        except threading.BrokenBarrierError as error:
            raise RuntimeError("another task of the barrier stage failed") from error

    def gather(self, partition: int, message: str) -> list[str]:
        """Waits until all tasks are here, and gives what each of them said, by partition."""
        self._messages[partition] = message
        self.wait()
        gathered = [text for _, text in sorted(self._messages.items())]
        self.wait()
        return gathered

    def abort(self) -> None:
        """A task failed: nobody needs to wait for it."""
        self._barrier.abort()


_meetings: dict[int, Meeting] = {}
_lock = threading.Lock()


def meeting(stage: int, tasks: int) -> Meeting:
    """The meeting of a stage, which its first task opens."""
    with _lock:
        if stage not in _meetings:
            _meetings[stage] = Meeting(tasks)
        return _meetings[stage]


def close(stage: int) -> None:
    """The stage is done."""
    with _lock:
        _meetings.pop(stage, None)
