"""Jobs of a context: their numbers, groups, tags and properties."""

from __future__ import annotations

import itertools
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from tidemill import _native
from tidemill.pyspark import taskcontext
from tidemill.pyspark._cancel import Cancellation
from tidemill.pyspark.errors import SparkRuntimeException
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
        self._active_jobs: dict[int, Cancellation] = {}

    def _next_rdd_id(self) -> int:
        return next(self._rdd_ids)

    @contextmanager
    def _job(self, command: Command, cancellation: Cancellation | None = None) -> Iterator[None]:
        """Notes that a job runs, and how it ended. Raises SparkRuntimeException if it was cancelled."""
        job, group = next(self._job_ids), self._properties.of_thread.get(GROUP)
        stages, cancellation = [command.stage], cancellation or Cancellation(dict(self._properties.of_thread))
        taskcontext._set_properties(self._properties.of_thread)
        self._note(job, group, SparkJobInfo(job, stages, "RUNNING"))
        self._active_jobs[job] = cancellation
        status = "FAILED"
        _native.interrupt_jobs(cancellation.interrupt)
        try:
            yield
            status = "SUCCEEDED"
        except BaseException:
            if cancellation.reason is None:
                raise
            raise SparkRuntimeException(f"Job {job} cancelled {cancellation.reason}") from None
        finally:
            _native.interrupt_jobs(None)
            del self._active_jobs[job]
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
        """Gives the jobs of this thread a group, which `statusTracker` knows and `cancelJobGroup` ends.

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
        """Accepted: tasks of cancelled jobs are interrupted in any case.

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

    def _cancel(self, reason: str, is_meant: Callable[[dict[str, str]], bool] = lambda properties: True) -> None:
        for cancellation in list(self._active_jobs.values()):
            if is_meant(cancellation.properties):
                cancellation.cancel(reason)

    def cancelJobGroup(self, groupId: str) -> None:
        """Ends the jobs that run in the group: their actions raise an error that says so.

        >>> from tidemill.pyspark import SparkContext
        >>> with SparkContext("local[1]", "doc") as sc:
        ...     sc.setJobGroup("endless", "never done")
        ...     threading.Timer(0.2, sc.cancelJobGroup, ["endless"]).start()
        ...     sc.range(1).flatMap(lambda _: itertools.count()).count()
        Traceback (most recent call last):
            ...
        tidemill.pyspark.errors.SparkRuntimeException: Job 0 cancelled part of cancelled job group endless
        """
        reason = f"part of cancelled job group {groupId}"
        self._cancel(reason, lambda properties: properties.get(GROUP) == groupId)

    def cancelJobsWithTag(self, tag: str) -> None:
        """Ends the jobs that run with the tag."""
        reason = f"part of cancelled job tag {tag}"
        self._cancel(reason, lambda properties: tag in properties.get(TAGS, "").split(","))

    def cancelAllJobs(self) -> None:
        """Ends all jobs that run."""
        self._cancel("as part of cancellation of all jobs")

    def statusTracker(self) -> StatusTracker:
        """What is known of jobs.

        >>> from tidemill.pyspark import SparkContext
        >>> with SparkContext("local[1]", "doc") as sc:
        ...     sc.statusTracker().getActiveJobsIds()
        []
        """
        return StatusTracker(self)
