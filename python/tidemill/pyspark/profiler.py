"""Profilers that programs name. Nothing profiles the functions of tasks; a profiler of one's own can be called."""

from __future__ import annotations

import cProfile
import os
import pstats
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from tidemill.pyspark.accumulators import AccumulatorParam

if TYPE_CHECKING:
    from tidemill.pyspark.context import SparkContext

__all__ = ["BasicProfiler", "Profiler"]


class PStatsParam(AccumulatorParam[Any]):
    """Adds figures of cProfile."""

    @staticmethod
    def zero(value: Any) -> None:
        """None."""
        return None

    @staticmethod
    def addInPlace(value1: Any, value2: Any) -> Any:
        """Both together."""
        return value2 if value1 is None else value1.add(value2)


class MemUsageParam(AccumulatorParam[Any]):
    """Adds figures of memory, by file and line."""

    @staticmethod
    def zero(value: Any) -> Any:
        """None."""
        return None

    @staticmethod
    def addInPlace(value1: Any, value2: Any) -> Any:
        """Both together."""
        return value2 if value1 is None else {**value1, **(value2 or {})}


class Profiler:
    """What a profiler of the user's derives from."""

    def __init__(self, ctx: SparkContext | None) -> None:
        pass

    def profile(self, func: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        """Calls a function and notes what it took."""
        raise NotImplementedError(f"{type(self).__name__} has no method profile")

    def stats(self) -> Any:
        """What was noted."""
        raise NotImplementedError(f"{type(self).__name__} has no method stats")

    def show(self, id: int) -> None:
        """Prints what was noted."""
        raise NotImplementedError(f"{type(self).__name__} has no method show")

    def dump(self, id: int, path: str) -> None:
        """Writes what was noted into a folder."""
        raise NotImplementedError(f"{type(self).__name__} has no method dump")


class BasicProfiler(Profiler):
    """Profiles with cProfile.

    >>> profiler = BasicProfiler(None)
    >>> profiler.profile(sum, [1, 2])
    3
    >>> profiler.stats() is not None
    True
    """

    def __init__(self, ctx: SparkContext | None) -> None:
        super().__init__(ctx)
        self._stats: pstats.Stats | None = None

    def profile(self, func: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        """Calls a function and notes what it took."""
        profile = cProfile.Profile()
        result = profile.runcall(func, *args, **kwargs)
        self._stats = PStatsParam.addInPlace(self._stats, pstats.Stats(profile))
        return result

    def stats(self) -> pstats.Stats | None:
        """What was noted; None if nothing was."""
        return self._stats

    def show(self, id: int) -> None:
        """Prints what was noted."""
        if self._stats is not None:
            print(f"{'=' * 60}\nProfile of RDD<id={id}>\n{'=' * 60}")
            self._stats.sort_stats("time", "cumulative").print_stats()

    def dump(self, id: int, path: str) -> None:
        """Writes what was noted into a folder, which is made."""
        if self._stats is not None:
            os.makedirs(path, exist_ok=True)
            self._stats.dump_stats(os.path.join(path, f"rdd_{id}.pstats"))


class UDFBasicProfiler(BasicProfiler):
    """The same, of functions of SQL."""

    def show(self, id: int) -> None:
        """Prints what was noted."""
        super().show(id)

    def dump(self, id: int, path: str) -> None:
        """Writes what was noted into a folder, which is made."""
        if self._stats is not None:
            os.makedirs(path, exist_ok=True)
            self._stats.dump_stats(os.path.join(path, f"udf_{id}.pstats"))


class MemoryProfiler(Profiler):
    """Calls functions of SQL; notes nothing."""

    def __init__(self, ctx: SparkContext | None) -> None:
        super().__init__(ctx)

    def profile(  # type: ignore[override]  # PySpark's own
        self, sub_lines: Any, start_line: Any, func: Callable[..., Any], *args: Any, **kwargs: Any
    ) -> Any:
        """Calls a function."""
        return func(*args, **kwargs)

    def stats(self) -> None:
        """None."""
        return None

    def show(self, id: int) -> None:
        """Prints nothing."""

    def dump(self, id: int, path: str) -> None:
        """Writes nothing."""


class ProfilerCollector:
    """The profilers of a context."""

    def __init__(
        self,
        profiler_cls: type[Profiler],
        udf_profiler_cls: type[Profiler],
        memory_profiler_cls: type[Profiler],
        dump_path: str | None = None,
    ) -> None:
        self.profiler_cls, self.udf_profiler_cls = profiler_cls, udf_profiler_cls
        self.memory_profiler_cls = memory_profiler_cls
        self.profile_dump_path = dump_path
        self.profilers: list[tuple[int, Profiler]] = []

    def new_profiler(self, ctx: SparkContext) -> Profiler:
        """A profiler."""
        return self.profiler_cls(ctx)

    def new_udf_profiler(self, ctx: SparkContext) -> Profiler:
        """A profiler of functions of SQL."""
        return self.udf_profiler_cls(ctx)

    def new_memory_profiler(self, ctx: SparkContext) -> Profiler:
        """A profiler of memory."""
        return self.memory_profiler_cls(ctx)

    def add_profiler(self, id: int, profiler: Profiler) -> None:
        """Keeps a profiler under a number."""
        self.profilers.append((id, profiler))

    def show_profiles(self) -> None:
        """Prints what all of them noted."""
        for id, profiler in self.profilers:
            profiler.show(id)
        self.profilers = []

    def dump_profiles(self, path: str) -> None:
        """Writes what all of them noted into a folder."""
        for id, profiler in self.profilers:
            profiler.dump(id, path)
        self.profilers = []
