"""Names of resources of stages; nothing acts on them, for all tasks run in one process."""

from tidemill.pyspark.resource.information import ResourceInformation
from tidemill.pyspark.resource.profile import ResourceProfile, ResourceProfileBuilder
from tidemill.pyspark.resource.requests import (
    ExecutorResourceRequest,
    ExecutorResourceRequests,
    TaskResourceRequest,
    TaskResourceRequests,
)

__all__ = [
    "ExecutorResourceRequest",
    "ExecutorResourceRequests",
    "ResourceInformation",
    "ResourceProfile",
    "ResourceProfileBuilder",
    "TaskResourceRequest",
    "TaskResourceRequests",
]
