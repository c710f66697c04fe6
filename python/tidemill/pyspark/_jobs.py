"""Jobs of a context: their numbers, groups, tags and properties."""

from __future__ import annotations

import itertools
import threading
from collections import OrderedDict, deque
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from tidemill.pyspark import taskcontext
from tidemill.pyspark.status import SparkJobInfo, StatusTracker

if TYPE_CHECKING:
    from tidemill.pyspark._task import Command

GROUP = "spark.jobGroup.id"
DESCRIPTION = "spark.job.description"
INTERRUPT = "spark.job.interruptOnCancel"
TAGS = "spark.job.tags"
KEPT_JOBS = 1000


class _Properties(threading.local):
    """What a thread of the driver says about the jobs that it runs."""

    def __init__(self) -> None:
        self.of_thread: dict[str, str] = {}


class Jobs:
    """The methods of a SparkContext that are about jobs. All settings are those of the calling thread."""

    def _begin_jobs(self) -> None:
        self._properties = _Properties()
        self._rdd_ids, self._job_ids = itertools.count(), itertools.count()
        self._known_jobs: OrderedDict[int, tuple[str | None, SparkJobInfo]] = OrderedDict()
        self._active_jobs: deque[int] = deque()

    def _next_rdd_id(self) -> int:
        return next(self._rdd_ids)

    @contextmanager
    def _job(self, command: Command) -> Iterator[None]:
        """Notes that a job runs, and how it ended."""
        job, group = next(self._job_ids), self._properties.of_thread.get(GROUP)
        stages = [command.stage]
        taskcontext._set_properties(self._properties.of_thread)
        self._note(job, group, SparkJobInfo(job, stages, "RUNNING"))
        self._active_jobs.append(job)
        status = "FAILED"
        try:
            yield
            status = "SUCCEEDED"
        finally:
            self._active_jobs.remove(job)
            self._note(job, group, SparkJobInfo(job, stages, status))

    def _note(self, job: int, group: str | None, info: SparkJobInfo) -> None:
        self._known_jobs[job] = group, info
        while len(self._known_jobs) > KEPT_JOBS:
            self._known_jobs.popitem(last=False)

    @contextmanager
    def _in_job_group(self, group: str, description: str) -> Iterator[None]:
        before = dict(self._properties.of_thread)
        self.setJobGroup(group, description)
        try:
            yield
        finally:
            self._properties.of_thread = before

    def setLocalProperty(self, key: str, value: str | None) -> None:
        """Sets a property that tasks of this thread's jobs can read; None forgets it.

        >>> from tidemill.pyspark import SparkContext, TaskContext
        >>> with SparkContext("local[1]", "doc") as sc:
        ...     sc.setLocalProperty("colour", "red")
        ...     sc.range(1).map(lambda _: TaskContext.get().getLocalProperty("colour")).collect()
        ['red']
        """
        if value is None:
            self._properties.of_thread.pop(key, None)
        else:
            self._properties.of_thread[key] = value

    def getLocalProperty(self, key: str) -> str | None:
        """A property of this thread, or None.

        >>> from tidemill.pyspark import SparkContext
        >>> with SparkContext("local[1]", "doc") as sc:
        ...     print(sc.getLocalProperty("colour"))
        None
        """
        return self._properties.of_thread.get(key)

    def setJobGroup(self, groupId: str, description: str, interruptOnCancel: bool = False) -> None:
        """Gives the jobs of this thread a group, which `statusTracker` knows.

        >>> from tidemill.pyspark import SparkContext
        >>> with SparkContext("local[1]", "doc") as sc:
        ...     sc.setJobGroup("sums", "some sums")
        ...     sc.range(2).sum(), len(sc.statusTracker().getJobIdsForGroup("sums"))
        (1, 1)
        """
        self.setLocalProperty(GROUP, groupId)
        self.setLocalProperty(DESCRIPTION, description)
        self.setLocalProperty(INTERRUPT, str(interruptOnCancel).lower())

    def setJobDescription(self, value: str | None) -> None:
        """Describes the jobs of this thread.

        >>> from tidemill.pyspark import SparkContext
        >>> with SparkContext("local[1]", "doc") as sc:
        ...     sc.setJobDescription("some sums")
        ...     sc.getLocalProperty("spark.job.description")
        'some sums'
        """
        self.setLocalProperty(DESCRIPTION, value)

    def setInterruptOnCancel(self, interruptOnCancel: bool) -> None:
        """Notes whether cancelled jobs of this thread are to be interrupted.

        >>> from tidemill.pyspark import SparkContext
        >>> with SparkContext("local[1]", "doc") as sc:
        ...     sc.setInterruptOnCancel(True)
        ...     sc.getLocalProperty("spark.job.interruptOnCancel")
        'true'
        """
        self.setLocalProperty(INTERRUPT, str(interruptOnCancel).lower())

    def addJobTag(self, tag: str) -> None:
        """Gives the jobs of this thread a tag. Raises ValueError for an empty one or one with a comma.

        >>> from tidemill.pyspark import SparkContext
        >>> with SparkContext("local[1]", "doc") as sc:
        ...     sc.addJobTag("sums")
        ...     sc.getJobTags()
        {'sums'}
        """
        if not tag or "," in tag:
            raise ValueError(f'a job tag is not empty and has no comma: "{tag}"')
        self._set_tags(self.getJobTags() | {tag})

    def removeJobTag(self, tag: str) -> None:
        """Takes a tag away, if it is there.

        >>> from tidemill.pyspark import SparkContext
        >>> with SparkContext("local[1]", "doc") as sc:
        ...     sc.removeJobTag("sums")
        ...     sc.getJobTags()
        set()
        """
        self._set_tags(self.getJobTags() - {tag})

    def getJobTags(self) -> set[str]:
        """The tags of this thread's jobs."""
        return set(filter(None, (self.getLocalProperty(TAGS) or "").split(",")))

    def clearJobTags(self) -> None:
        """Takes all tags away.

        >>> from tidemill.pyspark import SparkContext
        >>> with SparkContext("local[1]", "doc") as sc:
        ...     sc.addJobTag("sums")
        ...     sc.clearJobTags()
        ...     sc.getJobTags()
        set()
        """
        self._set_tags(set())

    def _set_tags(self, tags: set[str]) -> None:
        self.setLocalProperty(TAGS, ",".join(sorted(tags)) or None)

    def cancelJobGroup(self, groupId: str) -> None:
        """Accepted; a job that runs is not cancelled."""

    def cancelJobsWithTag(self, tag: str) -> None:
        """Accepted; a job that runs is not cancelled."""

    def cancelAllJobs(self) -> None:
        """Accepted; a job that runs is not cancelled."""

    def statusTracker(self) -> StatusTracker:
        """What is known of jobs.

        >>> from tidemill.pyspark import SparkContext
        >>> with SparkContext("local[1]", "doc") as sc:
        ...     sc.statusTracker().getActiveJobsIds()
        []
        """
        return StatusTracker(self)
