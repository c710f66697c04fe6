"""Makes `import pyspark` mean `tidemill.pyspark`."""

from __future__ import annotations

import importlib
import importlib.machinery
import importlib.util
import sys
from collections.abc import Sequence
from types import ModuleType
from typing import Any

OURS = "tidemill."
ABSENT = {
    "pyspark.ml": "machine learning",
    "pyspark.mllib": "machine learning",
    "pyspark.pandas": "pandas on Spark",
}


class _SameModule:
    """Loads a module of another name and lets it be."""

    def __init__(self, name: str) -> None:
        self._name = name

    def create_module(self, spec: importlib.machinery.ModuleSpec) -> ModuleType:
        module = importlib.import_module(self._name)
        self._spec = module.__spec__
        return module

    def exec_module(self, module: ModuleType) -> None:
        module.__spec__ = self._spec  # the import system has put its own there


class Finder:
    """Finds `pyspark` and what is in it, and `findspark` if there is none."""

    def __init__(self, with_findspark: bool) -> None:
        self._with_findspark = with_findspark

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        if fullname == "findspark" and self._with_findspark:
            return _spec(fullname, is_package=False)
        if fullname != "pyspark" and not fullname.startswith("pyspark."):
            return None
        if fullname in ABSENT:
            raise ModuleNotFoundError(
                f'there is no "{fullname}" ({ABSENT[fullname]}): this pyspark is tidemill\'s, of the RDD and DStream API',
                name=fullname,
            )
        found = importlib.util.find_spec(OURS + fullname)
        if found is None:
            return None
        return _spec(fullname, is_package=found.submodule_search_locations is not None)


def _spec(name: str, is_package: bool) -> importlib.machinery.ModuleSpec:
    loader: Any = _SameModule(OURS + name)  # importlib.abc, of which it could be, is slow to import
    return importlib.machinery.ModuleSpec(name, loader, is_package=is_package)


def _installed(name: str) -> str | None:
    """Where a package of that name is installed, if it is."""
    spec = importlib.machinery.PathFinder.find_spec(name)
    return None if spec is None else spec.origin or name


def install(quiet: bool = False) -> None:
    """Makes `import pyspark` in this process mean `tidemill.pyspark`, module by module the same objects.

    A real PySpark that is installed stays as it is; one line on standard error then says that it is not used. Raises
    RuntimeError if it is imported already. To call it again does nothing. With `quiet` nothing is said.

    >>> from tidemill.pyspark import install
    >>> install()
    >>> import pyspark.rdd, tidemill.pyspark.rdd
    >>> pyspark.rdd is tidemill.pyspark.rdd
    True
    """
    if any(isinstance(finder, Finder) for finder in sys.meta_path):
        return
    imported = sys.modules.get("pyspark")
    if imported is not None and imported is not sys.modules.get(OURS + "pyspark"):
        raise RuntimeError(
            f'pyspark is imported already, from "{imported.__file__}": call tidemill.pyspark.install() before that'
        )
    real = _installed("pyspark")
    if real is not None and not quiet:
        print(f'tidemill: "import pyspark" is tidemill\'s; the PySpark in "{real}" is not used', file=sys.stderr)
    finder: Any = Finder(with_findspark=_installed("findspark") is None)
    sys.meta_path.insert(0, finder)
