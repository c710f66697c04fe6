"""What a message of Kafka becomes, and what becomes a message."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

Decoder = Callable[[bytes | None], Any]
# How much of a record a message shows.
SHOWN = 200


def utf8_decoder(s: bytes | None) -> str | None:
    """The text of a key or a value; None of None.

    >>> utf8_decoder(b"record")
    'record'
    """
    return None if s is None else s.decode("utf-8")


def utf8_encoder(value: object) -> bytes | None:
    """The bytes of a key or a value: a str as UTF-8, bytes as they are, None of None. TypeError of anything else.

    >>> utf8_encoder("record"), utf8_encoder(None)
    (b'record', None)
    """
    if value is None or isinstance(value, bytes):
        return value
    if isinstance(value, str):
        return value.encode("utf-8")
    raise TypeError(f"a key or value for Kafka is str, bytes or None, not {type(value).__name__}: give an encoder")


class KafkaMessageAndMetadata:
    """What a `messageHandler` gets: the place of a message, and its key and value, decoded when they are asked for."""

    def __init__(
        self,
        topic: str,
        partition: int,
        offset: int,
        rawKey: bytes | None,
        rawMessage: bytes | None,
        keyDecoder: Decoder = utf8_decoder,
        valueDecoder: Decoder = utf8_decoder,
    ) -> None:
        self.topic, self.partition, self.offset = topic, partition, offset
        self._rawKey, self._rawMessage = rawKey, rawMessage
        self._keyDecoder, self._valueDecoder = keyDecoder, valueDecoder

    @property
    def key(self) -> Any:
        """The decoded key."""
        return self._keyDecoder(self._rawKey)

    @property
    def message(self) -> Any:
        """The decoded value."""
        return self._valueDecoder(self._rawMessage)

    def __repr__(self) -> str:
        return f"KafkaMessageAndMetadata(topic: {self.topic}, partition: {self.partition}, offset: {self.offset}, ...)"

    def __reduce__(self) -> tuple[Any, ...]:
        return KafkaMessageAndMetadata, (
            self.topic,
            self.partition,
            self.offset,
            self._rawKey,
            self._rawMessage,
            self._keyDecoder,
            self._valueDecoder,
        )


class Undecoded(NamedTuple):
    """Stands for a message that could not be decoded; the engine puts it aside."""

    topic: str
    partition: int
    offset: int
    value: bytes | None
    error: str


class Unencoded(NamedTuple):
    """Stands for a record that could not be encoded; the engine puts it aside, or fails the batch."""

    record: str
    error: str


@dataclass(frozen=True)
class Decode:
    """What a message becomes: `messageHandler` of it, or a pair of its key and value.

    ValueError with the place of the message if that fails; instead an `Undecoded`, if it `marks` them.
    """

    key: Decoder
    value: Decoder
    handler: Callable[[KafkaMessageAndMetadata], Any] | None
    marks: bool = False

    def __call__(self, message: tuple[str, int, int, bytes | None, bytes | None]) -> Any:
        try:
            return self._decoded(message)
        except Exception as error:
            topic, partition, offset, _, value = message
            place = f'the record of "{topic}-{partition}" at offset {offset}'
            text = f"{place} cannot be decoded: {type(error).__name__}: {error}"
            if self.marks:
                return Undecoded(topic, partition, offset, value, text)
            raise ValueError(text) from error

    def _decoded(self, message: tuple[str, int, int, bytes | None, bytes | None]) -> Any:
        if self.handler is None:
            return self.key(message[3]), self.value(message[4])
        return self.handler(KafkaMessageAndMetadata(*message, self.key, self.value))


@dataclass(frozen=True)
class Encode:
    """A record as key, value and headers; an `Unencoded`, if it cannot be one."""

    key: Callable[[Any], bytes | None]
    value: Callable[[Any], bytes | None]

    def __call__(self, record: Any) -> tuple[bytes | None, bytes | None, list[tuple[str, bytes]]] | Unencoded:
        try:
            return self._encoded(record)
        except Exception as error:
            shown = repr(record)
            text = f"the record {shown:.{SHOWN}} cannot be encoded for Kafka: {type(error).__name__}: {error}"
            return Unencoded(shown, text)

    def _encoded(self, record: Any) -> tuple[bytes | None, bytes | None, list[tuple[str, bytes]]]:
        is_pair = isinstance(record, tuple) and len(record) in (2, 3)
        key, value = (self.key(record[0]), self.value(record[1])) if is_pair else (None, self.value(record))
        if key is None and value is None:
            raise ValueError("it has neither key nor value: a tombstone needs the key that it deletes")
        headers = [(name, header) for name, header in record[2]] if is_pair and len(record) == 3 else []
        _check_bytes("the key", key)
        _check_bytes("the value", value)
        for name, header in headers:
            if not isinstance(name, str):
                raise TypeError(f"the name of a header is {type(name).__name__} and not str")
            if not isinstance(header, bytes):
                raise TypeError(f'the header "{name}" is {type(header).__name__} and not bytes')
        return key, value, headers


def _check_bytes(what: str, encoded: object) -> None:
    if encoded is not None and not isinstance(encoded, bytes):
        raise TypeError(f"{what} was made {type(encoded).__name__} and not bytes by its encoder")
