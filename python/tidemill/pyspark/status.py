"""What is known of jobs and stages."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from tidemill.pyspark._jobs import Jobs

__all__ = ["SparkJobInfo", "SparkStageInfo", "StatusTracker"]


class SparkJobInfo(NamedTuple):
    """A job: its number, its stages, and "RUNNING", "SUCCEEDED" or "FAILED"."""

    jobId: int
    stageIds: list[int]
    status: str


class SparkStageInfo(NamedTuple):
    """A stage: its number and name, and how many tasks it has in which state."""

    stageId: int
    currentAttemptId: int
    name: str
    numTasks: int
    numActiveTasks: int
    numCompletedTasks: int
    numFailedTasks: int


class StatusTracker:
    """Answers what jobs there are. Only the last thousand are remembered, and of stages nothing but the number.

    >>> from tidemill.pyspark import SparkContext
    >>> with SparkContext("local[1]", "doc") as sc:
    ...     sc.range(1).count(), sc.statusTracker().getJobInfo(0).status
    (1, 'SUCCEEDED')
    """

    def __init__(self, jtracker: Jobs) -> None:
        self._jobs = jtracker

    def getJobIdsForGroup(self, jobGroup: str | None = None) -> list[int]:
        """The numbers of the known jobs of a group; of those without one for None."""
        return [job for job, (group, _) in list(self._jobs._known_jobs.items()) if group == jobGroup]

    def getActiveStageIds(self) -> list[int]:
        """The numbers of the stages that run now."""
        infos = map(self.getJobInfo, self.getActiveJobsIds())
        return sorted(stage for info in infos if info is not None for stage in info.stageIds)

    def getActiveJobsIds(self) -> list[int]:
        """The numbers of the jobs that run now."""
        return sorted(self._jobs._active_jobs)

    def getJobInfo(self, jobId: int) -> SparkJobInfo | None:
        """What is known of a job; None if nothing is."""
        known = self._jobs._known_jobs.get(jobId)
        return None if known is None else known[1]

    def getStageInfo(self, stageId: int) -> SparkStageInfo | None:
        """None: of stages nothing is remembered."""
        return None
