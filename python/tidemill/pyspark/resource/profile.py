"""What a stage asks for, of executors and of tasks."""

from __future__ import annotations

import itertools
from typing import Any

from tidemill.pyspark.resource.requests import (
    ExecutorResourceRequest,
    ExecutorResourceRequests,
    TaskResourceRequest,
    TaskResourceRequests,
)

_ids = itertools.count(1)


class _Requested:
    """What tasks and executors want."""

    _executors: dict[str, ExecutorResourceRequest]
    _tasks: dict[str, TaskResourceRequest]

    @property
    def taskResources(self) -> dict[str, TaskResourceRequest]:
        """What tasks want."""
        return self._tasks

    @property
    def executorResources(self) -> dict[str, ExecutorResourceRequest]:
        """What executors want."""
        return self._executors


class ResourceProfile(_Requested):
    """Requests that go together. `ResourceProfileBuilder` makes one.

    >>> ResourceProfileBuilder().require(TaskResourceRequests().cpus(2)).build.taskResources["cpus"].amount
    2.0
    """

    def __init__(
        self,
        _java_resource_profile: Any = None,
        _exec_req: dict[str, ExecutorResourceRequest] | None = None,
        _task_req: dict[str, TaskResourceRequest] | None = None,
    ) -> None:
        self._id = next(_ids)
        self._executors, self._tasks = dict(_exec_req or {}), dict(_task_req or {})

    @property
    def id(self) -> int:
        """A number that no other profile has."""
        return self._id


class ResourceProfileBuilder(_Requested):
    """Gathers requests.

    >>> ResourceProfileBuilder().require(ExecutorResourceRequests().cores(2)).executorResources["cores"].amount
    2
    """

    def __init__(self) -> None:
        self._executors, self._tasks = {}, {}

    def require(self, resourceRequest: ExecutorResourceRequests | TaskResourceRequests) -> ResourceProfileBuilder:
        """Adds requests; gives this builder."""
        if isinstance(resourceRequest, TaskResourceRequests):
            self._tasks.update(resourceRequest.requests)
        else:
            self._executors.update(resourceRequest.requests)
        return self

    def clearExecutorResourceRequests(self) -> None:
        """Forgets what executors want."""
        self._executors.clear()

    def clearTaskResourceRequests(self) -> None:
        """Forgets what tasks want."""
        self._tasks.clear()

    @property
    def build(self) -> ResourceProfile:
        """The profile."""
        return ResourceProfile(None, self._executors, self._tasks)
