"""Serializers that programs name. Records do not go through them: they stay objects, or move as pickles."""

from __future__ import annotations

import itertools
import marshal
import pickle
import struct
import zlib
from collections.abc import Iterable, Iterator
from typing import IO, Any

__all__ = [
    "CPickleSerializer",
    "CloudPickleSerializer",
    "MarshalSerializer",
    "PickleSerializer",
    "UTF8Deserializer",
]


class SpecialLengths:
    """Lengths that are no lengths, in front of what is not a record."""

    END_OF_DATA_SECTION = -1
    PYTHON_EXCEPTION_THROWN = -2
    TIMING_DATA = -3
    END_OF_STREAM = -4
    NULL = -5
    START_ARROW_STREAM = -6


class Serializer:
    """Writes objects to a stream and reads them from it."""

    def dump_stream(self, iterator: Iterable[Any], stream: IO[bytes]) -> None:
        """Writes all objects."""
        raise NotImplementedError(f"{type(self).__name__} has no method dump_stream")

    def load_stream(self, stream: IO[bytes]) -> Iterator[Any]:
        """The objects in a stream."""
        raise NotImplementedError(f"{type(self).__name__} has no method load_stream")

    def dumps(self, obj: Any) -> bytes:
        """An object as bytes."""
        raise NotImplementedError(f"{type(self).__name__} has no method dumps")

    def _load_batch_stream(self, stream: IO[bytes]) -> Iterator[Iterable[Any]]:
        return ([item] for item in self.load_stream(stream))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, type(self)) and self.__dict__ == other.__dict__

    def __hash__(self) -> int:
        return hash(str(self))

    def __repr__(self) -> str:
        return f"{type(self).__name__}()"


class FramedSerializer(Serializer):
    """Writes each object as its length and its bytes."""

    def dump_stream(self, iterator: Iterable[Any], stream: IO[bytes]) -> None:
        """Writes all objects."""
        for obj in iterator:
            write_with_length(self.dumps(obj), stream)

    def load_stream(self, stream: IO[bytes]) -> Iterator[Any]:
        """The objects in a stream, up to its end."""
        while True:
            try:
                length = read_int(stream)
            except EOFError:
                return
            if length in (SpecialLengths.END_OF_DATA_SECTION, SpecialLengths.END_OF_STREAM):
                return
            yield None if length == SpecialLengths.NULL else self.loads(_exactly(stream, length))

    def loads(self, obj: bytes) -> Any:
        """The object in bytes."""
        raise NotImplementedError(f"{type(self).__name__} has no method loads")


class PickleSerializer(FramedSerializer):
    """Python's pickles.

    >>> PickleSerializer().loads(PickleSerializer().dumps({"a": (1, None)}))
    {'a': (1, None)}
    """

    def dumps(self, obj: Any) -> bytes:
        """An object as bytes."""
        return pickle.dumps(obj, pickle.HIGHEST_PROTOCOL)

    def loads(self, obj: bytes, encoding: str = "bytes") -> Any:
        """The object in bytes."""
        return pickle.loads(obj, encoding=encoding)


class CloudPickleSerializer(FramedSerializer):
    """Pickles with functions and classes in them.

    >>> CloudPickleSerializer().loads(CloudPickleSerializer().dumps(lambda x: x + 1))(1)
    2
    """

    def dumps(self, obj: Any) -> bytes:
        """An object as bytes. Raises pickle.PicklingError where that cannot be."""
        import cloudpickle  # slow to import

        try:
            pickled: bytes = cloudpickle.dumps(obj)
        except pickle.PickleError:
            raise
        except Exception as error:
            raise pickle.PicklingError(f"Could not serialize object: {type(error).__name__}: {error}") from error
        return pickled

    def loads(self, obj: bytes, encoding: str = "bytes") -> Any:
        """The object in bytes."""
        return pickle.loads(obj, encoding=encoding)


CPickleSerializer = CloudPickleSerializer


class MarshalSerializer(FramedSerializer):
    """Python's marshal: quick, for plain values only.

    >>> MarshalSerializer().loads(MarshalSerializer().dumps([1, "a"]))
    [1, 'a']
    """

    def dumps(self, obj: Any) -> bytes:
        """An object as bytes."""
        return marshal.dumps(obj)

    def loads(self, obj: bytes) -> Any:
        """The object in bytes."""
        return marshal.loads(obj)


class NoOpSerializer(FramedSerializer):
    """Bytes as they are."""

    def dumps(self, obj: Any) -> Any:
        """The bytes."""
        return obj

    def loads(self, obj: bytes) -> Any:
        """The bytes."""
        return obj


class AutoSerializer(FramedSerializer):
    """Marshal until an object cannot be written so, then pickle."""

    def __init__(self) -> None:
        super().__init__()
        self._uses_pickle = False

    def dumps(self, obj: Any) -> bytes:
        """An object as bytes, the first of which says how."""
        if not self._uses_pickle:
            try:
                return b"M" + marshal.dumps(obj)
            except ValueError:
                self._uses_pickle = True
        return b"P" + pickle.dumps(obj, pickle.HIGHEST_PROTOCOL)

    def loads(self, obj: bytes) -> Any:
        """The object in bytes."""
        if obj[:1] == b"M":
            return marshal.loads(obj[1:])
        if obj[:1] == b"P":
            return pickle.loads(obj[1:])
        raise ValueError(f"an object begins with M or P, not {obj[:1]!r}")


class CompressedSerializer(FramedSerializer):
    """What another serializer writes, compressed."""

    def __init__(self, serializer: FramedSerializer) -> None:
        if not isinstance(serializer, FramedSerializer):
            raise TypeError("only a FramedSerializer can be compressed")
        self.serializer = serializer

    def dumps(self, obj: Any) -> bytes:
        """An object as bytes."""
        return zlib.compress(self.serializer.dumps(obj), 1)

    def loads(self, obj: bytes) -> Any:
        """The object in bytes."""
        return self.serializer.loads(zlib.decompress(obj))

    def __repr__(self) -> str:
        return f"CompressedSerializer({self.serializer})"


class BatchedSerializer(Serializer):
    """Lists of objects, written by another serializer.

    >>> import io
    >>> stream = io.BytesIO()
    >>> serializer = BatchedSerializer(PickleSerializer(), 2)
    >>> serializer.dump_stream([1, 2, 3], stream)
    >>> _ = stream.seek(0)
    >>> list(serializer.load_stream(stream))
    [1, 2, 3]
    """

    UNLIMITED_BATCH_SIZE = -1
    UNKNOWN_BATCH_SIZE = 0

    def __init__(self, serializer: Serializer, batchSize: int = UNLIMITED_BATCH_SIZE) -> None:
        self.serializer = serializer
        self.batchSize = batchSize

    def _batched(self, iterator: Iterable[Any]) -> Iterator[list[Any]]:
        if self.batchSize == self.UNLIMITED_BATCH_SIZE:
            yield list(iterator)
            return
        records = iter(iterator)
        while batch := list(itertools.islice(records, max(self.batchSize, 1))):
            yield batch

    def dump_stream(self, iterator: Iterable[Any], stream: IO[bytes]) -> None:
        """Writes all objects."""
        self.serializer.dump_stream(self._batched(iterator), stream)

    def load_stream(self, stream: IO[bytes]) -> Iterator[Any]:
        """The objects in a stream."""
        return itertools.chain.from_iterable(self._load_batch_stream(stream))

    def _load_batch_stream(self, stream: IO[bytes]) -> Iterator[Iterable[Any]]:
        return self.serializer.load_stream(stream)

    def __repr__(self) -> str:
        return f"BatchedSerializer({self.serializer}, {self.batchSize})"


class FlattenedValuesSerializer(BatchedSerializer):
    """Pairs of keys and lists of values, in lists of at most so many values."""

    def __init__(self, serializer: Serializer, batchSize: int = 10) -> None:
        super().__init__(serializer, batchSize)

    def _batched(self, iterator: Iterable[Any]) -> Iterator[list[Any]]:
        for key, values in iterator:
            for start in range(0, len(values), self.batchSize):
                yield [(key, values[start : start + self.batchSize])]

    def load_stream(self, stream: IO[bytes]) -> Iterator[Any]:
        """The pairs in a stream."""
        return itertools.chain.from_iterable(self.serializer.load_stream(stream))

    def __repr__(self) -> str:
        return f"FlattenedValuesSerializer({self.serializer}, {self.batchSize})"


class AutoBatchedSerializer(BatchedSerializer):
    """Lists of objects, of a number that makes their bytes about `bestSize`."""

    def __init__(self, serializer: Serializer, bestSize: int = 1 << 16) -> None:
        super().__init__(serializer, self.UNKNOWN_BATCH_SIZE)
        self.bestSize = bestSize

    def dump_stream(self, iterator: Iterable[Any], stream: IO[bytes]) -> None:
        """Writes all objects."""
        records, batch = iter(iterator), 1
        while objects := list(itertools.islice(records, batch)):
            data = self.serializer.dumps(objects)
            write_with_length(data, stream)
            batch = batch * 2 if len(data) < self.bestSize else max(batch // 2, 1)

    def __repr__(self) -> str:
        return f"AutoBatchedSerializer({self.serializer})"


class CartesianDeserializer(Serializer):
    """Pairs of every object of one stream with every object of another, batch by batch."""

    def __init__(self, key_ser: Serializer, val_ser: Serializer) -> None:
        self.key_ser = key_ser
        self.val_ser = val_ser

    def _load_batch_stream(self, stream: IO[bytes]) -> Iterator[Iterable[Any]]:
        keys, values = self.key_ser._load_batch_stream(stream), self.val_ser._load_batch_stream(stream)
        return (itertools.product(*batches) for batches in zip(keys, values))

    def load_stream(self, stream: IO[bytes]) -> Iterator[Any]:
        """The pairs in a stream."""
        return itertools.chain.from_iterable(self._load_batch_stream(stream))

    def __repr__(self) -> str:
        return f"CartesianDeserializer({self.key_ser}, {self.val_ser})"


class PairDeserializer(Serializer):
    """Pairs of the objects of two streams, batch by batch."""

    def __init__(self, key_ser: Serializer, val_ser: Serializer) -> None:
        self.key_ser = key_ser
        self.val_ser = val_ser

    def load_stream(self, stream: IO[bytes]) -> Iterator[Any]:
        """The pairs in a stream. Raises ValueError where batches have different numbers of objects."""
        keys, values = self.key_ser._load_batch_stream(stream), self.val_ser._load_batch_stream(stream)
        for left, right in zip(map(list, keys), map(list, values)):
            if len(left) != len(right):
                raise ValueError(f"batches of pairs have {len(left)} keys and {len(right)} values")
            yield from zip(left, right)

    def __repr__(self) -> str:
        return f"PairDeserializer({self.key_ser}, {self.val_ser})"


class UTF8Deserializer(Serializer):
    """Text, or bytes with `use_unicode=False`, each with its length."""

    def __init__(self, use_unicode: bool = True) -> None:
        self.use_unicode = use_unicode

    def loads(self, stream: IO[bytes]) -> str | bytes | None:
        """The next text. Raises EOFError at the end."""
        length = read_int(stream)
        if length == SpecialLengths.END_OF_DATA_SECTION:
            raise EOFError("the end of a stream of texts")
        if length == SpecialLengths.NULL:
            return None
        text = _exactly(stream, length)
        return text.decode("utf-8") if self.use_unicode else text

    def load_stream(self, stream: IO[bytes]) -> Iterator[Any]:
        """The texts in a stream."""
        while True:
            try:
                yield self.loads(stream)
            except EOFError:
                return

    def __repr__(self) -> str:
        return f"UTF8Deserializer({self.use_unicode})"


def _exactly(stream: IO[bytes], length: int) -> bytes:
    data = stream.read(length)
    if len(data) < length:
        raise EOFError(f"a stream ends {length - len(data)} bytes early")
    return data


def read_long(stream: IO[bytes]) -> int:
    """The next eight bytes as a number. Raises EOFError at the end."""
    number: int = struct.unpack("!q", _exactly(stream, 8))[0]
    return number


def write_long(value: int, stream: IO[bytes]) -> None:
    """A number as eight bytes."""
    stream.write(pack_long(value))


def pack_long(value: int) -> bytes:
    """A number as eight bytes.

    >>> pack_long(1)
    b'\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x01'
    """
    return struct.pack("!q", value)


def read_int(stream: IO[bytes]) -> int:
    """The next four bytes as a number. Raises EOFError at the end."""
    number: int = struct.unpack("!i", _exactly(stream, 4))[0]
    return number


def write_int(value: int, stream: IO[bytes]) -> None:
    """A number as four bytes."""
    stream.write(struct.pack("!i", value))


def read_bool(stream: IO[bytes]) -> bool:
    """The next byte as a truth value. Raises EOFError at the end."""
    return bool(_exactly(stream, 1)[0])


def write_with_length(obj: bytes | bytearray, stream: IO[bytes]) -> None:
    """Bytes after their number."""
    write_int(len(obj), stream)
    stream.write(obj)


class ChunkedStream:
    """Writes to a stream in pieces of a size, each after its length."""

    def __init__(self, wrapped: IO[bytes], buffer_size: int) -> None:
        self._wrapped, self._size = wrapped, buffer_size
        self._buffer = bytearray()
        self._is_closed = False

    def write(self, bytes: bytes) -> None:
        """Adds bytes; writes what is a whole piece."""
        self._buffer += bytes
        while len(self._buffer) >= self._size:
            write_with_length(self._buffer[: self._size], self._wrapped)
            del self._buffer[: self._size]

    def close(self) -> None:
        """Writes the rest and the mark of the end."""
        if self._buffer:
            write_with_length(self._buffer, self._wrapped)
        write_int(SpecialLengths.END_OF_DATA_SECTION, self._wrapped)
        self._wrapped.flush()
        self._is_closed = True

    @property
    def closed(self) -> bool:
        """Whether `close` was called, or the stream itself is closed."""
        return self._is_closed or self._wrapped.closed
