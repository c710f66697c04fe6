"""Methods of RDD that write files."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Any, TypeVar
from urllib.parse import unquote, urlparse

from tidemill.pyspark import _object_files, _task
from tidemill.pyspark._dataset import Dataset
from tidemill.pyspark._ops import Block

T_co = TypeVar("T_co", covariant=True)

CODECS = {"GzipCodec": "gzip", "BZip2Codec": "bzip2", "ZStandardCodec": "zstd"}


def local_path(path: str) -> str:
    """A path in the file system of a path or `file:` address. Raises NotImplementedError for other addresses."""
    parsed = urlparse(path)
    if parsed.scheme in ("", "file"):
        return unquote(parsed.path) if parsed.scheme else path
    raise NotImplementedError(f'pickle files are read and written in the local file system only, not at "{path}"')


def as_line(record: Any) -> str:
    if isinstance(record, str):
        return record
    return record.decode("utf-8") if isinstance(record, bytes) else str(record)


def _lines(block: Block) -> Block:
    return block if set(map(type, block)) == {str} else list(map(as_line, block))


def _to_lines(split: int, source: _task.Source) -> Any:
    return map(_lines, source.blocks())


@dataclass(frozen=True)
class WritePart:
    """Writes a partition to its file of a folder; the file has its name only when all of it is there."""

    folder: str
    batch: int

    def __call__(self, split: int, records: Any) -> None:
        name = os.path.join(self.folder, f"part-{split:05d}")
        hidden = os.path.join(self.folder, f".part-{split:05d}.unfinished")
        with open(hidden, "wb") as file:
            _object_files.write(file, records, self.batch)
        os.replace(hidden, name)


class Saving(Dataset[T_co]):
    """Methods of RDD that save."""

    def saveAsTextFile(self, path: str, compressionCodecClass: str | None = None) -> None:
        """Writes each record as a line: str and bytes as they are, anything else as `str` shows it.

        A folder with a file for each partition and `_SUCCESS`; it must not exist. The codec is the name of Hadoop's
        class for gzip, bzip2 or Zstandard, else ValueError.

        >>> import os, tempfile
        >>> from tidemill.pyspark import SparkContext
        >>> with SparkContext("local[1]", "doc") as sc, tempfile.TemporaryDirectory() as folder:
        ...     sc.parallelize([1, 2], 1).saveAsTextFile(os.path.join(folder, "saved"))
        ...     sc.textFile(os.path.join(folder, "saved")).collect()
        ['1', '2']
        """
        codec = None
        if compressionCodecClass is not None:
            codec = CODECS.get(compressionCodecClass.rsplit(".", 1)[-1])
            if codec is None:
                known = ", ".join(sorted(CODECS))
                raise ValueError(f'saveAsTextFile knows the codecs {known}, not "{compressionCodecClass}"')
        self.ctx._assert_on_driver()
        native, plan = self._reading()
        command = self._command(_to_lines, plan)
        with self.ctx._job(command):
            lines = self._mapped(native, plan, _to_lines)
            lines.save_as_text_file(path, codec)
        self._note_computed()

    def saveAsPickleFile(self, path: str, batchSize: int = 10) -> None:
        """Writes pickled records, `batchSize` to a pickle, to files that `SparkContext.pickleFile` and Spark read.

        A folder of the local file system; FileExistsError if it exists.

        >>> import os, tempfile
        >>> from tidemill.pyspark import SparkContext
        >>> with SparkContext("local[1]", "doc") as sc, tempfile.TemporaryDirectory() as folder:
        ...     sc.parallelize([1, "b", (2, 3)]).saveAsPickleFile(os.path.join(folder, "saved"))
        ...     sc.pickleFile(os.path.join(folder, "saved")).collect()
        [1, 'b', (2, 3)]
        """
        folder = local_path(path)
        os.makedirs(folder)
        self._run(WritePart(folder, batchSize))
        with open(os.path.join(folder, "_SUCCESS"), "xb"):
            pass
