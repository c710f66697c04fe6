"""Files of pickled records, as Spark's `saveAsPickleFile` writes them: a Hadoop sequence file without compression whose
values are arrays of byte arrays, in Java's serialization; each byte array is a pickled list of records."""

from __future__ import annotations

import os
import pickle
import struct
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any, BinaryIO

from tidemill.pyspark._ops import Block

NULL_CLASS = b"org.apache.hadoop.io.NullWritable"
BYTES_CLASS = b"org.apache.hadoop.io.BytesWritable"
ESCAPE = -1
SYNC_BYTES = 16
SYNC_INTERVAL_BYTES = 2000
ARRAYS_PER_RECORD = 10

# Java's serialization: stream header, "array of byte[]", "byte[]", and a reference to the class of the latter.
JAVA_HEADER = bytes.fromhex("aced0005")
ARRAY_OF_ARRAYS = bytes.fromhex("7572 0003 5b5b42 4bfd19156767db37 0200 0078 70")
FIRST_ARRAY = bytes.fromhex("7572 0002 5b42 acf317f8060854e0 0200 0078 70")
NEXT_ARRAY = bytes.fromhex("7571 007e0002")


def _chunks(records: Iterable[Any], size: int) -> Iterator[Block]:
    records = iter(records)
    while chunk := list(islice(records, size)):
        yield chunk


def serialized(arrays: list[bytes]) -> bytes:
    """An array of byte arrays in Java's serialization."""
    parts = [JAVA_HEADER, ARRAY_OF_ARRAYS, struct.pack(">i", len(arrays))]
    for number, array in enumerate(arrays):
        parts += [NEXT_ARRAY if number else FIRST_ARRAY, struct.pack(">i", len(array)), array]
    return b"".join(parts)


def deserialized(data: bytes) -> Iterator[bytes]:
    """The byte arrays in an array in Java's serialization. Raises ValueError for anything else."""
    start = len(JAVA_HEADER) + len(ARRAY_OF_ARRAYS)
    if data[:start] != JAVA_HEADER + ARRAY_OF_ARRAYS:
        raise ValueError("a pickle file holds something else than pickled records")
    (number,) = struct.unpack_from(">i", data, start)
    at = start + 4
    for _ in range(number):
        head = next((head for head in (FIRST_ARRAY, NEXT_ARRAY) if data.startswith(head, at)), None)
        if head is None:
            raise ValueError("a pickle file holds something else than pickled records")
        (length,) = struct.unpack_from(">i", data, at + len(head))
        at += len(head) + 4 + length
        yield data[at - length : at]


def write(file: BinaryIO, records: Iterable[Any], batch: int) -> None:
    """Writes records to a new file, pickled in lists of `batch`."""
    sync = os.urandom(SYNC_BYTES)
    names = b"".join(struct.pack(">B", len(name)) + name for name in (NULL_CLASS, BYTES_CLASS))
    file.write(b"SEQ\x06" + names + b"\x00\x00" + struct.pack(">i", 0) + sync)
    last_sync = file.tell()
    pickles = (pickle.dumps(chunk, protocol=4) for chunk in _chunks(records, batch))
    for arrays in _chunks(pickles, ARRAYS_PER_RECORD):
        if file.tell() >= last_sync + SYNC_INTERVAL_BYTES:
            file.write(struct.pack(">i", ESCAPE) + sync)
            last_sync = file.tell()
        value = serialized(arrays)
        file.write(struct.pack(">iii", 4 + len(value), 0, len(value)) + value)


def _skip_header(data: bytes) -> int:
    """Where the records of a sequence file begin. Raises ValueError for what cannot be read."""
    if data[:4] != b"SEQ\x06":
        raise ValueError("a pickle file does not begin as a sequence file does")
    at = 4
    for expected in (NULL_CLASS, BYTES_CLASS):
        length = data[at]
        name, at = data[at + 1 : at + 1 + length], at + 1 + length
        if name != expected:
            raise ValueError(f'a pickle file has records of the class "{name.decode()}"')
    if data[at : at + 2] != b"\x00\x00":
        raise ValueError("a pickle file is compressed, which cannot be read")
    (entries,) = struct.unpack_from(">i", data, at + 2)
    if entries:
        raise ValueError("a pickle file has metadata, which cannot be read")
    return at + 6 + SYNC_BYTES


def read(data: bytes) -> Iterator[Any]:
    """The records in the contents of a file."""
    at = _skip_header(data)
    while at < len(data):
        (length,) = struct.unpack_from(">i", data, at)
        at += 4
        if length == ESCAPE:
            at += SYNC_BYTES
            continue
        (size,) = struct.unpack_from(">i", data, at + 4)
        for array in deserialized(data[at + 8 : at + 8 + size]):
            chunk = pickle.loads(array)
            yield from chunk if isinstance(chunk, list) else [chunk]
        at += 4 + length
