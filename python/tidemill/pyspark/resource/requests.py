"""What a stage asks for."""

from __future__ import annotations

from typing import Any


class ExecutorResourceRequest:
    """An amount of a resource for an executor.

    >>> ExecutorResourceRequest("cores", 2).amount
    2
    """

    def __init__(self, resourceName: str, amount: int, discoveryScript: str = "", vendor: str = "") -> None:
        self._name, self._amount, self._script, self._vendor = resourceName, amount, discoveryScript, vendor

    @property
    def resourceName(self) -> str:
        """The kind."""
        return self._name

    @property
    def amount(self) -> int:
        """How much."""
        return self._amount

    @property
    def discoveryScript(self) -> str:
        """What would find it."""
        return self._script

    @property
    def vendor(self) -> str:
        """Who makes it."""
        return self._vendor


class TaskResourceRequest:
    """An amount of a resource for a task.

    >>> TaskResourceRequest("cpus", 1).resourceName
    'cpus'
    """

    def __init__(self, resourceName: str, amount: float) -> None:
        self._name, self._amount = resourceName, float(amount)

    @property
    def resourceName(self) -> str:
        """The kind."""
        return self._name

    @property
    def amount(self) -> float:
        """How much."""
        return self._amount


class ExecutorResourceRequests:
    """What is asked for executors, by kind; methods give the requests themselves.

    >>> ExecutorResourceRequests().cores(2).requests["cores"].amount
    2
    """

    def __init__(self, _jvm: Any = None, _requests: dict[str, ExecutorResourceRequest] | None = None) -> None:
        self._requests = dict(_requests or {})

    def _ask(self, name: str, amount: Any, *where: str) -> ExecutorResourceRequests:
        self._requests[name] = ExecutorResourceRequest(name, amount, *where)
        return self

    def memory(self, amount: str) -> ExecutorResourceRequests:
        """Memory, such as "2g"."""
        return self._ask("memory", amount)

    def memoryOverhead(self, amount: str) -> ExecutorResourceRequests:
        """Memory beside that."""
        return self._ask("memoryOverhead", amount)

    def offheapMemory(self, amount: str) -> ExecutorResourceRequests:
        """Memory outside of Java."""
        return self._ask("offHeap", amount)

    def pysparkMemory(self, amount: str) -> ExecutorResourceRequests:
        """Memory of Python."""
        return self._ask("pyspark.memory", amount)

    def cores(self, amount: int) -> ExecutorResourceRequests:
        """CPUs."""
        return self._ask("cores", amount)

    def resource(
        self, resourceName: str, amount: int, discoveryScript: str = "", vendor: str = ""
    ) -> ExecutorResourceRequests:
        """Anything else."""
        return self._ask(resourceName, amount, discoveryScript, vendor)

    @property
    def requests(self) -> dict[str, ExecutorResourceRequest]:
        """All of it by kind."""
        return self._requests


class TaskResourceRequests:
    """What is asked for tasks, by kind; methods give the requests themselves.

    >>> TaskResourceRequests().cpus(1).requests["cpus"].amount
    1.0
    """

    def __init__(self, _jvm: Any = None, _requests: dict[str, TaskResourceRequest] | None = None) -> None:
        self._requests = dict(_requests or {})

    def cpus(self, amount: int) -> TaskResourceRequests:
        """CPUs."""
        return self.resource("cpus", amount)

    def resource(self, resourceName: str, amount: float) -> TaskResourceRequests:
        """Anything else."""
        self._requests[resourceName] = TaskResourceRequest(resourceName, amount)
        return self

    @property
    def requests(self) -> dict[str, TaskResourceRequest]:
        """All of it by kind."""
        return self._requests
