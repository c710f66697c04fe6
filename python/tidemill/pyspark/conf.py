"""The configuration of a program."""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Iterable
from typing import Any, ClassVar, overload


class SparkConf:
    """Keys and values of Spark's configuration, both str. Setters give the configuration itself.

    With `loadDefaults` it starts with what `SparkContext.setSystemProperty` set and what the environment variable
    PYSPARK_SUBMIT_ARGS says (`--master`, `--name`, `--conf key=value`).

    >>> conf = SparkConf(loadDefaults=False).setMaster("local").set("spark.ui.enabled", False)
    >>> conf.get("spark.ui.enabled"), conf.contains("spark.app.name"), conf.getAll()
    ('False', False, [('spark.master', 'local'), ('spark.ui.enabled', 'False')])
    """

    _system_properties: ClassVar[dict[str, str]] = {}

    def __init__(self, loadDefaults: bool = True, _jvm: Any = None, _jconf: Any = None) -> None:
        self._values: dict[str, str] = {}
        if loadDefaults:
            self._values.update(submit_arguments(os.environ.get("PYSPARK_SUBMIT_ARGS", "")))
            spark = {key: value for key, value in self._system_properties.items() if key.startswith("spark.")}
            self._values.update(spark)

    def set(self, key: str, value: Any) -> SparkConf:
        """Sets a key; the value is made a str.

        >>> SparkConf(False).set("spark.task.cpus", 1).get("spark.task.cpus")
        '1'
        """
        self._values[key] = str(value)
        return self

    def setIfMissing(self, key: str, value: Any) -> SparkConf:
        """Sets a key that is not set.

        >>> SparkConf(False).setMaster("local").setIfMissing("spark.master", "other").get("spark.master")
        'local'
        """
        return self if self.contains(key) else self.set(key, value)

    def setMaster(self, value: str) -> SparkConf:
        """Sets `spark.master`: "local", "local[n]" or "local[*]".

        >>> SparkConf(False).setMaster("local[2]").get("spark.master")
        'local[2]'
        """
        return self.set("spark.master", value)

    def setAppName(self, value: str) -> SparkConf:
        """Sets `spark.app.name`.

        >>> SparkConf(False).setAppName("words").get("spark.app.name")
        'words'
        """
        return self.set("spark.app.name", value)

    def setSparkHome(self, value: str) -> SparkConf:
        """Sets `spark.home`, which nothing reads.

        >>> SparkConf(False).setSparkHome("/opt/spark").get("spark.home")
        '/opt/spark'
        """
        return self.set("spark.home", value)

    @overload
    def setExecutorEnv(self, key: str, value: str) -> SparkConf: ...
    @overload
    def setExecutorEnv(self, *, pairs: list[tuple[str, str]]) -> SparkConf: ...
    def setExecutorEnv(
        self, key: str | None = None, value: str | None = None, pairs: list[tuple[str, str]] | None = None
    ) -> SparkConf:
        """Sets environment variables of tasks: one by key and value, or several pairs; Exception for both or none.

        >>> SparkConf(False).setExecutorEnv("LANG", "C").getAll()
        [('spark.executorEnv.LANG', 'C')]
        """
        if (key is None) == (pairs is None):
            raise RuntimeError("setExecutorEnv takes either a key and a value, or a list of pairs")
        for name, setting in pairs if pairs is not None else [(key, value)]:
            self.set(f"spark.executorEnv.{name}", setting)
        return self

    def setAll(self, pairs: Iterable[tuple[str, str]]) -> SparkConf:
        """Sets all pairs of keys and values.

        >>> SparkConf(False).setAll([("a", "1"), ("b", "2")]).getAll()
        [('a', '1'), ('b', '2')]
        """
        for key, value in pairs:
            self.set(key, value)
        return self

    def get(self, key: str, defaultValue: str | None = None) -> str | None:
        """The value of a key, or the default.

        >>> SparkConf(False).get("spark.master", "none")
        'none'
        """
        return self._values.get(key, defaultValue)

    def getAll(self) -> list[tuple[str, str]]:
        """All keys and values, in the order in which they were set.

        >>> SparkConf(False).setAppName("a").getAll()
        [('spark.app.name', 'a')]
        """
        return list(self._values.items())

    def contains(self, key: str) -> bool:
        """Whether a key is set.

        >>> SparkConf(False).contains("spark.master")
        False
        """
        return key in self._values

    def toDebugString(self) -> str:
        """A line `key=value` for each key, in their order; values that may be secret are not shown.

        >>> print(SparkConf(False).setAll([("b", "1"), ("a", "2"), ("b.password", "hush")]).toDebugString())
        a=2
        b=1
        b.password=*********(redacted)
        """
        secret = re.compile(self._values.get("spark.redaction.regex", _SECRET))
        shown = ((key, value, secret.search(key) or secret.search(value)) for key, value in sorted(self._values.items()))
        return "\n".join(f"{key}={_REDACTED if is_secret else value}" for key, value, is_secret in shown)

    def _copy(self) -> SparkConf:
        copied = SparkConf(loadDefaults=False)
        copied._values.update(self._values)
        return copied


# As Spark has them.
_SECRET = "(?i)secret|password|token|access[.]?key"
_REDACTED = "*********(redacted)"
_FLAGS = {"--master": "spark.master", "--name": "spark.app.name", "--py-files": "spark.submit.pyFiles"}


def submit_arguments(text: str) -> dict[str, str]:
    """What the arguments of spark-submit say; those that mean nothing here are left out.

    >>> submit_arguments("--master local[2] --conf spark.ui.port=1 pyspark-shell")
    {'spark.master': 'local[2]', 'spark.ui.port': '1'}
    """
    said: dict[str, str] = {}
    words = iter(shlex.split(text))
    for word in words:
        flag, separator, value = word.partition("=")
        if flag in ("--conf", "-c"):
            key, _, setting = (value if separator else next(words, "")).partition("=")
            said[key] = setting
        elif flag in _FLAGS:
            said[_FLAGS[flag]] = value if separator else next(words, "")
    return said
