"""What is said of DataFrames until there are some."""

from __future__ import annotations

from typing import Any, NoReturn


def later(name: str) -> NotImplementedError:
    """The error that says that a call is not here yet."""
    return NotImplementedError(f"{name} is not here yet: DataFrames come later")


class Later:
    """A class every use of which says that it is not here yet."""

    def __init__(self, *_: Any, **__: Any) -> None:
        raise later(type(self).__name__)

    def __getattr__(self, name: str) -> NoReturn:
        if name.startswith("__"):
            raise AttributeError(name)
        raise later(f"{type(self).__name__}.{name}")


class LaterNamespace(type):
    """The metaclass of classes that are used without objects, such as Window."""

    def __getattr__(cls, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        raise later(f"{cls.__name__}.{name}")
