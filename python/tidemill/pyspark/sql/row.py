"""Rows."""

from __future__ import annotations

from typing import Any


class Row(tuple[Any, ...]):
    """A tuple with names. `Row(name="a", age=1)` is a row; `Row("name", "age")` makes rows of values.

    >>> row = Row(name="Alice", age=11)
    >>> row.name, row["age"], row[0], "name" in row
    ('Alice', 11, 'Alice', True)
    >>> Person = Row("name", "age")
    >>> Person("Bob", 5)
    Row(name='Bob', age=5)
    """

    __fields__: list[str]

    def __new__(cls, *args: Any, **kwargs: Any) -> Row:
        if args and kwargs:
            raise ValueError("a row has either values without names or values with names")
        made = super().__new__(cls, tuple(kwargs.values()) if kwargs else args)
        if kwargs:
            made.__fields__ = list(kwargs)
        return made

    def _names(self) -> list[str] | None:
        names: list[str] | None = self.__dict__.get("__fields__")
        return names

    def asDict(self, recursive: bool = False) -> dict[str, Any]:
        """The values by name; with `recursive` those of rows within too. Raises TypeError if there are no names.

        >>> Row(name="Alice", at=Row(x=1)).asDict(True)
        {'name': 'Alice', 'at': {'x': 1}}
        """
        names = self._names()
        if names is None:
            raise TypeError("a row without names cannot be made a dict")
        return dict(zip(names, map(_plain, self) if recursive else self))

    def __contains__(self, item: Any) -> bool:
        names = self._names()
        return item in names if names is not None else super().__contains__(item)

    def __call__(self, *args: Any) -> Row:
        if len(args) > len(self):
            raise ValueError(f"a row of the {len(self)} names {list(self)} cannot have the {len(args)} values {list(args)}")
        return _row(list(self), args)

    def __getitem__(self, item: Any) -> Any:
        if isinstance(item, (int, slice)):
            return super().__getitem__(item)
        names = self._names() or []
        if item not in names:
            raise ValueError(f'the row has no "{item}"')
        return super().__getitem__(names.index(item))

    def __getattr__(self, item: str) -> Any:
        names = self._names()
        if item.startswith("__") or names is None or item not in names:
            raise AttributeError(f'the row has no "{item}"')
        return super().__getitem__(names.index(item))

    def __setattr__(self, key: str, value: Any) -> None:
        if key != "__fields__":
            raise RuntimeError("a row cannot be changed")
        self.__dict__[key] = value

    def __reduce__(self) -> tuple[Any, ...]:
        names = self._names()
        return (Row, tuple(self)) if names is None else (_row, (names, tuple(self)))

    def __repr__(self) -> str:
        names = self._names()
        if names is None:
            return f"<Row({', '.join(map(repr, self))})>"
        return f"Row({', '.join(f'{name}={value!r}' for name, value in zip(names, self))})"


def _row(names: list[str], values: tuple[Any, ...]) -> Row:
    row = Row(*values)
    row.__fields__ = names
    return row


def _plain(value: Any) -> Any:
    if isinstance(value, Row):
        return value.asDict(True)
    if isinstance(value, list):
        return list(map(_plain, value))
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    return value
