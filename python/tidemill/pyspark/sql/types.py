"""Rows, and the types of columns."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from tidemill.pyspark.sql.row import Row

__all__ = [
    "ArrayType", "BinaryType", "BooleanType", "ByteType", "CharType", "DataType", "DateType", "DayTimeIntervalType",
    "DecimalType", "DoubleType", "FloatType", "IntegerType", "LongType", "MapType", "NullType", "Row", "ShortType",
    "StringType", "StructField", "StructType", "TimestampNTZType", "TimestampType", "VarcharType",
    "YearMonthIntervalType",
]  # fmt: skip


class DataType:
    """What all types have. Two are equal if they describe the same values.

    >>> StringType() == StringType(), ArrayType(LongType()).simpleString()
    (True, 'array<bigint>')
    """

    def __eq__(self, other: object) -> bool:
        return isinstance(other, type(self)) and self.__dict__ == other.__dict__

    def __hash__(self) -> int:
        return hash(repr(self))

    def __repr__(self) -> str:
        return f"{type(self).__name__}()"

    @classmethod
    def typeName(cls) -> str:
        """The name in schemas."""
        return cls.__name__.removesuffix("Type").lower()

    def simpleString(self) -> str:
        """The name in SQL."""
        return self.typeName()

    def jsonValue(self) -> str | dict[str, Any]:
        """What `json` writes."""
        return self.typeName()

    def json(self) -> str:
        """The type as JSON."""
        return json.dumps(self.jsonValue(), separators=(",", ":"), sort_keys=True)

    def needConversion(self) -> bool:
        """Whether values differ from Python's."""
        return False


class NullType(DataType):
    """None alone."""

    @classmethod
    def typeName(cls) -> str:
        """The name in schemas."""
        return "void"


class StringType(DataType):
    """Text."""


class BinaryType(DataType):
    """Bytes."""


class BooleanType(DataType):
    """True and False."""


class DateType(DataType):
    """Dates."""


class TimestampType(DataType):
    """Instants."""


class TimestampNTZType(DataType):
    """Dates with times of day, of no zone."""

    @classmethod
    def typeName(cls) -> str:
        """The name in schemas."""
        return "timestamp_ntz"


class NumericType(DataType):
    """Numbers."""


class DoubleType(NumericType):
    """Numbers of 64 bits with a fraction."""


class FloatType(NumericType):
    """Numbers of 32 bits with a fraction."""


class ByteType(NumericType):
    """Whole numbers of 8 bits."""

    def simpleString(self) -> str:
        """The name in SQL."""
        return "tinyint"


class ShortType(NumericType):
    """Whole numbers of 16 bits."""

    def simpleString(self) -> str:
        """The name in SQL."""
        return "smallint"


class IntegerType(NumericType):
    """Whole numbers of 32 bits."""

    def simpleString(self) -> str:
        """The name in SQL."""
        return "int"


class LongType(NumericType):
    """Whole numbers of 64 bits."""

    def simpleString(self) -> str:
        """The name in SQL."""
        return "bigint"


class DecimalType(NumericType):
    """Decimal numbers with so many digits, so many of them after the point."""

    def __init__(self, precision: int = 10, scale: int = 0) -> None:
        self.precision, self.scale = precision, scale

    def simpleString(self) -> str:
        """The name in SQL."""
        return f"decimal({self.precision},{self.scale})"

    def jsonValue(self) -> str:
        """What `json` writes."""
        return self.simpleString()

    def __repr__(self) -> str:
        return f"DecimalType({self.precision},{self.scale})"


class CharType(DataType):
    """Text of so many characters."""

    def __init__(self, length: int) -> None:
        self.length = length

    def simpleString(self) -> str:
        """The name in SQL."""
        return f"{self.typeName()}({self.length})"

    def jsonValue(self) -> str:
        """What `json` writes."""
        return self.simpleString()

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.length})"


class VarcharType(CharType):
    """Text of at most so many characters."""


class DayTimeIntervalType(DataType):
    """Durations in days and parts of a day."""

    def simpleString(self) -> str:
        """The name in SQL."""
        return "interval day to second"


class YearMonthIntervalType(DataType):
    """Durations in years and months."""

    def simpleString(self) -> str:
        """The name in SQL."""
        return "interval year to month"


class ArrayType(DataType):
    """Lists."""

    def __init__(self, elementType: DataType, containsNull: bool = True) -> None:
        self.elementType, self.containsNull = elementType, containsNull

    def simpleString(self) -> str:
        """The name in SQL."""
        return f"array<{self.elementType.simpleString()}>"

    def jsonValue(self) -> dict[str, Any]:
        """What `json` writes."""
        return {
            "type": self.typeName(),
            "elementType": self.elementType.jsonValue(),
            "containsNull": self.containsNull,
        }

    def __repr__(self) -> str:
        return f"ArrayType({self.elementType}, {self.containsNull})"


class MapType(DataType):
    """Dicts."""

    def __init__(self, keyType: DataType, valueType: DataType, valueContainsNull: bool = True) -> None:
        self.keyType, self.valueType, self.valueContainsNull = keyType, valueType, valueContainsNull

    def simpleString(self) -> str:
        """The name in SQL."""
        return f"map<{self.keyType.simpleString()},{self.valueType.simpleString()}>"

    def jsonValue(self) -> dict[str, Any]:
        """What `json` writes."""
        return {
            "type": self.typeName(),
            "keyType": self.keyType.jsonValue(),
            "valueType": self.valueType.jsonValue(),
            "valueContainsNull": self.valueContainsNull,
        }

    def __repr__(self) -> str:
        return f"MapType({self.keyType}, {self.valueType}, {self.valueContainsNull})"


class StructField(DataType):
    """A column: its name and type, and whether it may be None."""

    def __init__(
        self, name: str, dataType: DataType, nullable: bool = True, metadata: dict[str, Any] | None = None
    ) -> None:
        self.name, self.dataType, self.nullable, self.metadata = name, dataType, nullable, metadata or {}

    def simpleString(self) -> str:
        """The name in SQL."""
        return f"{self.name}:{self.dataType.simpleString()}"

    def jsonValue(self) -> dict[str, Any]:
        """What `json` writes."""
        return {
            "name": self.name,
            "type": self.dataType.jsonValue(),
            "nullable": self.nullable,
            "metadata": self.metadata,
        }

    def __repr__(self) -> str:
        return f"StructField('{self.name}', {self.dataType}, {self.nullable})"


class StructType(DataType):
    """The columns of a table.

    >>> schema = StructType().add("word", StringType()).add("count", LongType(), False)
    >>> schema.names, schema["count"].nullable, schema.simpleString()
    (['word', 'count'], False, 'struct<word:string,count:bigint>')
    """

    def __init__(self, fields: list[StructField] | None = None) -> None:
        self.fields = list(fields or [])
        self.names = [field.name for field in self.fields]

    def add(
        self,
        field: str | StructField,
        data_type: str | DataType | None = None,
        nullable: bool = True,
        metadata: dict[str, Any] | None = None,
    ) -> StructType:
        """Adds a column; gives the schema. Raises ValueError if a name comes without a type."""
        if isinstance(field, str):
            if data_type is None:
                raise ValueError(f'the column "{field}" needs a type')
            kind = named_type(data_type) if isinstance(data_type, str) else data_type
            field = StructField(field, kind, nullable, metadata)
        self.fields.append(field)
        self.names.append(field.name)
        return self

    def fieldNames(self) -> list[str]:
        """The names of the columns."""
        return list(self.names)

    def simpleString(self) -> str:
        """The name in SQL."""
        return f"struct<{','.join(field.simpleString() for field in self.fields)}>"

    def jsonValue(self) -> dict[str, Any]:
        """What `json` writes."""
        return {"type": self.typeName(), "fields": [field.jsonValue() for field in self.fields]}

    def __iter__(self) -> Iterator[StructField]:
        return iter(self.fields)

    def __len__(self) -> int:
        return len(self.fields)

    def __getitem__(self, key: str | int | slice) -> StructField | StructType:
        if isinstance(key, str):
            for field in self.fields:
                if field.name == key:
                    return field
            raise KeyError(f'there is no column "{key}"')
        return StructType(self.fields[key]) if isinstance(key, slice) else self.fields[key]

    def __repr__(self) -> str:
        return f"StructType([{', '.join(map(repr, self.fields))}])"


_SIMPLE: tuple[type[DataType], ...] = (
    NullType, StringType, BinaryType, BooleanType, DateType, TimestampType, TimestampNTZType, DoubleType, FloatType,
    ByteType, ShortType, IntegerType, LongType,
)  # fmt: skip


def named_type(name: str) -> DataType:
    """The type of a name in schemas or SQL. Raises ValueError for others than simple types.

    >>> named_type("bigint")
    LongType()
    """
    for kind in _SIMPLE:
        if name.strip().lower() in (kind.typeName(), kind().simpleString()):
            return kind()
    raise ValueError(f'there is no simple type "{name}"')
