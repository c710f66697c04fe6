"""Where the datasets of a context come from."""

from __future__ import annotations

import glob
import os
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

from tidemill.pyspark import _object_files, _ops
from tidemill.pyspark._ops import Block, Step
from tidemill.pyspark._saving import local_path
from tidemill.pyspark.rdd import RDD

if TYPE_CHECKING:
    from tidemill import _native
    from tidemill.pyspark.context import SparkContext

T = TypeVar("T")


LARGEST_BATCH_RECORDS = 1024


def slices(records: Sequence[Any], number: int, batch: int = 1) -> list[Sequence[Any]]:
    """A sequence cut into so many parts, the longer ones not first. Parts are of whole batches, and as even as these
    allow: PySpark's engine cuts a list of pickled batches.

    >>> slices("abcdefgh", 3), slices("abcdefgh", 3, 2)
    (['ab', 'cde', 'fgh'], ['ab', 'cd', 'efgh'])
    """
    batches = -(-len(records) // batch)
    bounds = [i * batches // number * batch for i in range(number + 1)]
    return [records[start:end] for start, end in zip(bounds, bounds[1:])]


def _same(x: Any) -> Any:
    return x


def _encoded(line: str) -> bytes:
    return line.encode("utf-8")


def _encoded_pair(pair: tuple[str, str]) -> tuple[str, bytes]:
    return pair[0], pair[1].encode("utf-8")


def _read_pickles(path: str) -> Iterable[Any]:
    with open(path, "rb") as file:
        return _object_files.read(file.read())


def pickle_files(path: str) -> list[str]:
    """The files with records at a path: a file, a folder or a glob."""
    found: list[str] = []
    for name in sorted(glob.glob(local_path(path))):
        inside = sorted(os.listdir(name)) if os.path.isdir(name) else None
        found += [name] if inside is None else [os.path.join(name, part) for part in inside if part[0] not in "._"]
    if not found:
        raise FileNotFoundError(f'there is no pickle file at "{path}"')
    return found


def _parts_of(paths: str) -> list[str]:
    """The paths in a list with commas; those within braces belong to a glob."""
    parts, depth = [""], 0
    for character in paths:
        depth += {"{": 1, "}": -1}.get(character, 0)
        if character == "," and depth == 0:
            parts.append("")
        else:
            parts[-1] += character
    return parts


class Sources:
    """The methods of a SparkContext that make datasets."""

    _batch_records: int

    @property
    def _engine(self) -> _native.Context:
        raise NotImplementedError("a context has an engine")

    @property
    def defaultParallelism(self) -> int:
        """Into how many partitions a dataset is cut if nothing else is said."""
        raise NotImplementedError("a context has a parallelism")

    @property
    def defaultMinPartitions(self) -> int:
        """Into how many partitions files are cut at least."""
        raise NotImplementedError("a context has a parallelism")

    def _context(self) -> SparkContext:
        from tidemill.pyspark.context import SparkContext

        assert isinstance(self, SparkContext), "only a context has sources"
        return self

    def _source(self, make: Any, label: str, is_frozen: bool = False) -> RDD[Any]:
        return RDD._of(make, self._context(), label, is_frozen)

    def _files(self, path: str, make: Any, label: str) -> RDD[Any]:
        """A dataset of files; a path that is wrong is found out when it is first read."""
        engine = self._engine
        parts = _parts_of(path)
        if len(parts) == 1:
            return self._source(lambda: make(path), label)
        return self._source(lambda: engine.union([make(part) for part in parts]), label)

    def parallelize(self, c: Iterable[T], numSlices: int | None = None) -> RDD[T]:
        """The records of a collection, cut into `numSlices` partitions or `defaultParallelism`.

        Records that can be changed in place are pickled now, and each job gets its own.

        >>> from tidemill.pyspark import SparkContext
        >>> with SparkContext("local[1]", "doc") as sc:
        ...     sc.parallelize([0, 2, 3, 4, 6], 5).glom().collect()
        [[0], [2], [3], [4], [6]]
        """
        number = self.defaultParallelism if numSlices is None else int(numSlices)
        if number <= 0:
            raise ValueError(f'a dataset has at least one partition, not "{number}"')
        if isinstance(c, range):
            return self._range(c, number)
        records = c if isinstance(c, list) else list(c)
        batch = max(1, min(len(records) // number, self._batch_records or LARGEST_BATCH_RECORDS))
        parts: list[Block] = [list(part) for part in slices(records, number, batch)]
        is_frozen = not _ops.is_immutable(records)
        made = self._engine.parallelize([_ops.frozen(part) for part in parts] if is_frozen else parts)
        return self._source(made, "ParallelCollectionRDD", is_frozen)

    def _range(self, numbers: range, number: int) -> RDD[Any]:
        """Numbers that tasks count themselves."""
        made = self._engine.parallelize([[part] for part in slices(numbers, number)])
        return self._source(made, "ParallelCollectionRDD")._then(Step("range", _ops.lift_flat_map, _same))

    def range(self, start: int, end: int | None = None, step: int = 1, numSlices: int | None = None) -> RDD[int]:
        """The numbers from `start` (0 if only one is given) up to `end`, which is not one of them.

        >>> from tidemill.pyspark import SparkContext
        >>> with SparkContext("local[1]", "doc") as sc:
        ...     sc.range(5).collect(), sc.range(2, 4).collect(), sc.range(1, 7, 2).collect()
        ([0, 1, 2, 3, 4], [2, 3], [1, 3, 5])
        """
        numbers = range(0, start) if end is None else range(start, end, step)
        return self.parallelize(numbers if end is not None else range(0, start, step), numSlices)

    def emptyRDD(self) -> RDD[Any]:
        """No records, in no partitions.

        >>> from tidemill.pyspark import SparkContext
        >>> with SparkContext("local[1]", "doc") as sc:
        ...     sc.emptyRDD().getNumPartitions()
        0
        """
        return self._source(self._engine.parallelize([]), "EmptyRDD")

    def textFile(self, name: str, minPartitions: int | None = None, use_unicode: bool = True) -> RDD[str]:
        """The lines of text files: a file, a folder, a glob or several with commas between them; compressed ones
        too. A path that does not exist fails when the dataset is first read.

        With `use_unicode=False` records are bytes.

        >>> import os, tempfile
        >>> from tidemill.pyspark import SparkContext
        >>> with SparkContext("local[1]", "doc") as sc, tempfile.TemporaryDirectory() as folder:
        ...     _ = open(os.path.join(folder, "a.txt"), "w").write("to be\\nor not\\n")
        ...     sc.textFile(folder).collect()
        ['to be', 'or not']
        """
        engine, at_least = self._engine, minPartitions or self.defaultMinPartitions
        lines = self._files(name, lambda path: engine.text_file(path, at_least), f"{name} MapPartitionsRDD")
        return lines if use_unicode else lines._then(Step("textFile", _ops.lift_map, _encoded))

    def wholeTextFiles(
        self, path: str, minPartitions: int | None = None, use_unicode: bool = True
    ) -> RDD[tuple[str, str]]:
        """Pairs of the path and the text of each file.

        >>> import os, tempfile
        >>> from tidemill.pyspark import SparkContext
        >>> with SparkContext("local[1]", "doc") as sc, tempfile.TemporaryDirectory() as folder:
        ...     _ = open(os.path.join(folder, "a.txt"), "w").write("to be")
        ...     sc.wholeTextFiles(folder).values().collect()
        ['to be']
        """
        engine, at_least = self._engine, minPartitions or self.defaultMinPartitions
        texts = self._files(path, lambda part: engine.whole_text_files(part, at_least), "WholeTextFileRDD")
        return texts if use_unicode else texts._then(Step("wholeTextFiles", _ops.lift_map, _encoded_pair))

    def binaryFiles(self, path: str, minPartitions: int | None = None) -> RDD[tuple[str, bytes]]:
        """Pairs of the path and the contents of each file.

        >>> import os, tempfile
        >>> from tidemill.pyspark import SparkContext
        >>> with SparkContext("local[1]", "doc") as sc, tempfile.TemporaryDirectory() as folder:
        ...     _ = open(os.path.join(folder, "a.bin"), "wb").write(b"abc")
        ...     sc.binaryFiles(folder).values().collect()
        [b'abc']
        """
        engine, at_least = self._engine, minPartitions or self.defaultMinPartitions
        return self._files(path, lambda part: engine.binary_files(part, at_least), "BinaryFileRDD")

    def binaryRecords(self, path: str, recordLength: int) -> RDD[bytes]:
        """Records of a fixed number of bytes.

        >>> import os, tempfile
        >>> from tidemill.pyspark import SparkContext
        >>> with SparkContext("local[1]", "doc") as sc, tempfile.TemporaryDirectory() as folder:
        ...     _ = open(os.path.join(folder, "a.bin"), "wb").write(b"abcdef")
        ...     sc.binaryRecords(folder, 3).collect()
        [b'abc', b'def']
        """
        engine = self._engine
        return self._files(path, lambda part: engine.binary_records(part, recordLength), "BinaryRecordsRDD")

    def pickleFile(self, name: str, minPartitions: int | None = None) -> RDD[Any]:
        """The records that `RDD.saveAsPickleFile` wrote, here or with Spark; one partition for each file.

        >>> import os, tempfile
        >>> from tidemill.pyspark import SparkContext
        >>> with SparkContext("local[1]", "doc") as sc, tempfile.TemporaryDirectory() as folder:
        ...     sc.range(3).saveAsPickleFile(os.path.join(folder, "saved"))
        ...     sc.pickleFile(os.path.join(folder, "saved")).collect()
        [0, 1, 2]
        """
        engine = self._engine
        paths = self._source(lambda: engine.parallelize([[path] for path in pickle_files(name)]), "pickleFile")
        return paths._then(Step("pickleFile", _ops.lift_flat_map, _read_pickles))

    def union(self, rdds: list[RDD[T]]) -> RDD[T]:
        """The records of all these RDDs: their partitions one after another, or, where all have the same partitioner,
        partition by partition. Raises IndexError if there are none.

        >>> from tidemill.pyspark import SparkContext
        >>> with SparkContext("local[1]", "doc") as sc:
        ...     sc.union([sc.range(2), sc.range(1)]).collect()
        [0, 1, 0]
        """
        first, *others = rdds or [rdds[0]]
        return first._new(lambda: self._engine.union([rdd._native for rdd in rdds]), "UnionRDD", *others)
