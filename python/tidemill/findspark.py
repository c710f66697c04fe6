"""What programs call to find Spark: there is nothing to be found."""

from __future__ import annotations

from typing import Any


def init(
    spark_home: str | None = None,
    python_path: str | None = None,
    edit_rc: bool = False,
    edit_profile: bool = False,
    **_: Any,
) -> None:
    """Makes `import pyspark` mean tidemill's.

    >>> init()
    >>> import pyspark
    """
    from tidemill.pyspark import install

    install()


def find() -> str:
    """The folder of the package, in place of that of Spark.

    >>> import os
    >>> os.path.basename(find())
    'tidemill'
    """
    import os

    return os.path.dirname(os.path.abspath(__file__))


def add_packages(packages: str | list[str]) -> None:
    """Does nothing: there is no JVM to load packages."""


def add_jars(jars: str | list[str]) -> None:
    """Does nothing: there is no JVM to load jars."""
