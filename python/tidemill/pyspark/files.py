"""Files that go to tasks."""

from __future__ import annotations

import importlib
import os
import shutil
import sys
import tempfile
from typing import ClassVar
from urllib.parse import unquote, urlparse

__all__ = ["SparkFiles"]

PYTHON_ARCHIVES = (".zip", ".egg", ".jar", ".whl")


class SparkFiles:
    """Finds files that `SparkContext.addFile` added. Not made by programs; its methods are those of the class.

    >>> import os, tempfile
    >>> from tidemill.pyspark import SparkContext, SparkFiles
    >>> with SparkContext("local[1]", "doc") as sc, tempfile.NamedTemporaryFile("w", suffix=".txt") as file:
    ...     _ = file.write("100") and file.flush()
    ...     sc.addFile(file.name)
    ...     open(SparkFiles.get(os.path.basename(file.name))).read()
    '100'
    """

    _root_directory: ClassVar[str | None] = None

    def __init__(self) -> None:
        raise NotImplementedError("SparkFiles is not made; call SparkFiles.get and SparkFiles.getRootDirectory")

    @classmethod
    def get(cls, filename: str) -> str:
        """The path of an added file."""
        return os.path.abspath(os.path.join(cls.getRootDirectory(), filename))

    @classmethod
    def getRootDirectory(cls) -> str:
        """The folder of added files. Raises RuntimeError while there is no context."""
        if cls._root_directory is None:
            raise RuntimeError("SparkFiles has no folder before there is a SparkContext")
        return cls._root_directory


def _source(path: str) -> str:
    """The file in the file system of a path or a `file:` address."""
    parsed = urlparse(path)
    if parsed.scheme not in ("", "file", "local"):
        raise NotImplementedError(f'only files of the local file system can be added, not "{path}"')
    found = unquote(parsed.path) if parsed.scheme else path
    if not os.path.exists(found):
        raise FileNotFoundError(f'the file to add does not exist: "{path}"')
    return found


class Shipped:
    """The methods of a SparkContext that add files."""

    def _begin_shipping(self, files: list[str], python_files: list[str]) -> None:
        self._files_root = tempfile.mkdtemp(prefix="tidemill-files-")
        SparkFiles._root_directory = self._files_root
        self._added_files: list[str] = []
        self._archives: list[str] = []
        self._added_to_path: list[str] = []
        for path in files:
            self.addFile(path, recursive=True)
        for path in python_files:
            self.addPyFile(path)

    def _stop_shipping(self) -> None:
        for folder in self._added_to_path:
            if folder in sys.path:
                sys.path.remove(folder)
        shutil.rmtree(self._files_root, ignore_errors=True)
        if SparkFiles._root_directory == self._files_root:
            SparkFiles._root_directory = None

    def _copy(self, path: str) -> str:
        source = _source(path)
        target = os.path.join(self._files_root, os.path.basename(source.rstrip(os.sep)))
        if os.path.isdir(source):
            shutil.copytree(source, target, dirs_exist_ok=True)
        else:
            shutil.copy2(source, target)
        return target

    def addFile(self, path: str, recursive: bool = False) -> None:
        """Adds a file, or with `recursive` a folder, that tasks find with `SparkFiles.get`.

        >>> from tidemill.pyspark import SparkContext
        >>> with SparkContext("local[1]", "doc") as sc:
        ...     sc.addFile("no such file")
        Traceback (most recent call last):
            ...
        FileNotFoundError: the file to add does not exist: "no such file"
        """
        if os.path.isdir(_source(path)) and not recursive:
            raise ValueError(f'"{path}" is a folder: call addFile with recursive=True')
        self._added_files.append("file:" + self._copy(path))

    @property
    def listFiles(self) -> list[str]:
        """The addresses of added files.

        >>> from tidemill.pyspark import SparkContext
        >>> with SparkContext("local[1]", "doc") as sc:
        ...     sc.listFiles
        []
        """
        return list(self._added_files)

    def addPyFile(self, path: str) -> None:
        """Adds a module, or an archive of modules, that functions of tasks can import.

        >>> import os, tempfile
        >>> from tidemill.pyspark import SparkContext
        >>> with SparkContext("local[1]", "doc") as sc, tempfile.TemporaryDirectory() as folder:
        ...     path = os.path.join(folder, "added_for_the_doc.py")
        ...     _ = open(path, "w").write("answer = 42")
        ...     sc.addPyFile(path)
        ...     import added_for_the_doc
        ...     added_for_the_doc.answer
        42
        """
        self.addFile(path)
        target = SparkFiles.get(os.path.basename(_source(path)))
        folder = target if target.endswith(PYTHON_ARCHIVES) else self._files_root
        if folder not in sys.path:
            sys.path.insert(1, folder)
            self._added_to_path.append(folder)
        importlib.invalidate_caches()

    def addArchive(self, path: str) -> None:
        """Adds an archive, unpacked into a folder of its name; `path#name` gives another name.

        >>> import os, tempfile, zipfile
        >>> from tidemill.pyspark import SparkContext, SparkFiles
        >>> with SparkContext("local[1]", "doc") as sc, tempfile.TemporaryDirectory() as folder:
        ...     with zipfile.ZipFile(os.path.join(folder, "a.zip"), "w") as archive:
        ...         archive.writestr("inside.txt", "100")
        ...     sc.addArchive(os.path.join(folder, "a.zip#unpacked"))
        ...     os.listdir(SparkFiles.get("unpacked"))
        ['inside.txt']
        """
        path, _, name = path.partition("#")
        source = _source(path)
        shutil.unpack_archive(source, os.path.join(self._files_root, name or os.path.basename(source)))
        self._archives.append("file:" + os.path.abspath(source))

    @property
    def listArchives(self) -> list[str]:
        """The addresses of added archives.

        >>> from tidemill.pyspark import SparkContext
        >>> with SparkContext("local[1]", "doc") as sc:
        ...     sc.listArchives
        []
        """
        return list(self._archives)
