"""The exceptions of PySpark, with the bases that programs catch them by."""

from __future__ import annotations

from collections.abc import Mapping


class PySparkException(Exception):
    """The base of all of them.

    >>> error = PySparkValueError("no such thing", error_class="VALUE_NOT_FOUND")
    >>> error.getErrorClass(), isinstance(error, ValueError)
    ('VALUE_NOT_FOUND', True)
    """

    def __init__(
        self,
        message: str | None = None,
        error_class: str | None = None,
        message_parameters: Mapping[str, str] | None = None,
    ) -> None:
        self.message = message or error_class or ""
        self.error_class = error_class
        self.message_parameters = dict(message_parameters or {})
        super().__init__(self.message)

    def getErrorClass(self) -> str | None:
        """The name of the kind of error; None if it has none."""
        return self.error_class

    def getMessageParameters(self) -> dict[str, str]:
        """What the message says about this case."""
        return self.message_parameters

    def getSqlState(self) -> None:
        """None: these errors do not come from SQL."""
        return None

    def __str__(self) -> str:
        return f"[{self.error_class}] {self.message}" if self.error_class else self.message


class AnalysisException(PySparkException):
    """A query that cannot be understood."""


class SessionNotSameException(PySparkException):
    """Two datasets of different sessions."""


class TempTableAlreadyExistsException(AnalysisException):
    """A view of that name exists."""


class ParseException(AnalysisException):
    """SQL that cannot be parsed."""


class IllegalArgumentException(PySparkException):
    """An argument with a wrong value."""


class ArithmeticException(PySparkException):
    """Arithmetic that has no result."""


class ArrayIndexOutOfBoundsException(PySparkException):
    """An index beyond the end of an array."""


class DateTimeException(PySparkException):
    """A date or time that does not exist."""


class NumberFormatException(IllegalArgumentException):
    """Text that is not a number."""


class StreamingQueryException(PySparkException):
    """A streaming query that failed."""


class QueryExecutionException(PySparkException):
    """A query that failed."""


class PythonException(PySparkException):
    """A failure in a Python worker."""


class SparkRuntimeException(PySparkException):
    """A failure while a job ran."""


class SparkUpgradeException(PySparkException):
    """A result that depends on the version."""


class UnknownException(PySparkException):
    """None of the others."""


class UnsupportedOperationException(PySparkException):
    """An operation that there is not."""


class PySparkValueError(PySparkException, ValueError):
    """A ValueError."""


class PySparkIndexError(PySparkException, IndexError):
    """An IndexError."""


class PySparkTypeError(PySparkException, TypeError):
    """A TypeError."""


class PySparkAttributeError(PySparkException, AttributeError):
    """An AttributeError."""


class PySparkRuntimeError(PySparkException, RuntimeError):
    """A RuntimeError."""


class PySparkAssertionError(PySparkException, AssertionError):
    """An AssertionError."""


class PySparkNotImplementedError(PySparkException, NotImplementedError):
    """A NotImplementedError."""


class PySparkImportError(PySparkException, ImportError):
    """An ImportError."""


class PySparkPicklingError(PySparkException):
    """Something that cannot be pickled."""


__all__ = [name for name, value in list(globals().items()) if isinstance(value, type) and name != "Mapping"]
