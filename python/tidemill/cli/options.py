"""What the command line says: spark-submit's options, and what they are here."""

from __future__ import annotations

import difflib
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from tidemill.cli.run import Application

# Options of spark-submit that take a value and are keys of the configuration.
KEYS = {
    "--master": "spark.master",
    "--name": "spark.app.name",
    "--deploy-mode": "spark.submit.deployMode",
    "--driver-memory": "spark.driver.memory",
    "--driver-cores": "spark.driver.cores",
    "--executor-memory": "spark.executor.memory",
    "--executor-cores": "spark.executor.cores",
    "--total-executor-cores": "spark.cores.max",
    "--num-executors": "spark.executor.instances",
    "--queue": "spark.yarn.queue",
}
# What --py-files says, where that is not there.
PY_FILES = "spark.submit.pyFiles"
# Those that take a value and have no meaning without a JVM or a cluster.
IGNORED = frozenset(
    {
        *("--packages", "--jars", "--exclude-packages", "--repositories", "--class", "--archives", "--proxy-user"),
        *("--driver-java-options", "--driver-library-path", "--driver-class-path", "--principal", "--keytab"),
    }
)
IGNORED_FLAGS = frozenset({"--supervise", "--verbose", "-v"})
OWN = frozenset({"--conf", "-c", "--py-files", "--files", "--properties-file"})
KNOWN = frozenset({*KEYS, *IGNORED, *IGNORED_FLAGS, *OWN})


class ConfigurationError(Exception):
    """The program cannot be started so; says what to do."""


@dataclass
class Options:
    """What was said before the program's name."""

    conf: dict[str, str] = field(default_factory=dict)
    properties: dict[str, str] = field(default_factory=dict)
    py_files: list[str] = field(default_factory=list)
    files: list[str] = field(default_factory=list)
    ignored: list[str] = field(default_factory=list)

    def read(self, option: str, value: str) -> None:
        """Takes an option with its value."""
        if option in KEYS:
            self.conf[KEYS[option]] = value
        elif option in ("--conf", "-c"):
            self.conf.update([_pair(value)])
        elif option == "--properties-file":
            self.properties.update(_properties(value))
        elif option in ("--py-files", "--files"):
            paths = self.py_files if option == "--py-files" else self.files
            paths.extend(_listed(value))
        else:
            self.ignored.append(option)

    def application(self, program: str, arguments: list[str]) -> Application:
        """The program with all that. ConfigurationError if a file is missing."""
        conf = {**self.properties, **self.conf}
        py_files = self.py_files or _listed(conf.get(PY_FILES, ""))
        for path in (program, *py_files):
            if not Path(path).exists():
                raise ConfigurationError(_missing(path))
        for path in self.files:
            if "://" not in path and not Path(path).exists():
                raise ConfigurationError(_missing(path))
        return Application(program, arguments, conf, py_files, self.files)


def _listed(text: str) -> list[str]:
    """The items of a list with commas."""
    return list(filter(None, text.split(",")))


def _pair(text: str) -> tuple[str, str]:
    key, equals, value = text.partition("=")
    if not equals or not key:
        raise ConfigurationError(f'--conf takes KEY=VALUE, not "{text}"')
    return key, value


def _properties(path: str) -> Iterator[tuple[str, str]]:
    """Keys and values of a properties file: a line each, with `=`, `:` or white space between."""
    try:
        lines = Path(path).read_text(encoding="utf-8").splitlines()
    except OSError as error:
        raise ConfigurationError(f'the properties file "{path}" cannot be read: {error.strerror}') from error
    for line in map(str.strip, lines):
        if line and line[0] not in "#!":
            cut = next((at for at, sign in enumerate(line) if sign in "=: \t"), len(line))
            yield line[:cut], line[cut:].lstrip(" \t").removeprefix("=").removeprefix(":").strip()


def _missing(path: str) -> str:
    folder = Path(path).parent
    names = [entry.name for entry in folder.iterdir()] if folder.is_dir() else []
    return f'there is no file "{path}"{_suggestion(Path(path).name, names, str(folder / "_")[:-1])}'


def _suggestion(word: str, words: list[str], prefix: str = "") -> str:
    near = difflib.get_close_matches(word, words, 1)
    return f'; did you mean "{prefix.removeprefix("./")}{near[0]}"?' if near else ""


def _split(arguments: list[str], takes_unknown: bool) -> tuple[Options, str, list[str]]:
    """The options, the program, and its arguments."""
    options, rest = Options(), list(arguments)
    while rest and rest[0].startswith("-"):
        option, equals, value = rest.pop(0).partition("=")
        if option == "--":
            break
        if option in IGNORED_FLAGS:
            options.ignored.append(option)
            continue
        if option not in KNOWN:
            if not takes_unknown or not option.startswith("--"):
                raise ConfigurationError(f'there is no option "{option}"{_suggestion(option, sorted(KNOWN))}')
            # What takes no value is followed by the next option or by the program.
            if not equals and len(rest) > 1 and not rest[0].startswith("-") and not rest[0].endswith(".py"):
                rest.pop(0)
            options.ignored.append(option)
            continue
        if not equals:
            if not rest:
                raise ConfigurationError(f"{option} needs a value")
            value = rest.pop(0)
        options.read(option, value)
    if not rest:
        raise ConfigurationError("which program? Give the path of a Python file after the options")
    return options, rest[0], rest[1:]


def parse_run(arguments: list[str]) -> Application:
    """The program of `tidemill run`. ConfigurationError if it cannot be started so."""
    options, program, rest = _split(arguments, takes_unknown=False)
    _say_ignored(options)
    return options.application(program, rest[1:] if rest[:1] == ["--"] else rest)


def parse_submit(arguments: list[str]) -> Application:
    """The program of `tidemill submit`. ConfigurationError if it cannot be started so."""
    options, program, rest = _split(arguments, takes_unknown=True)
    if not program.endswith(".py"):
        raise ConfigurationError(f'only programs of Python can be run, and "{program}" does not end with .py')
    _say_ignored(options)
    return options.application(program, rest)


def _say_ignored(options: Options) -> None:
    if options.ignored:
        names = ", ".join(dict.fromkeys(options.ignored))
        print(f"tidemill: without effect here, where there is no JVM and no cluster: {names}", file=sys.stderr)


def check(conf: dict[str, str]) -> None:
    """ConfigurationError if the front or the engine refuses this configuration."""
    if not conf:
        return
    from tidemill import _native
    from tidemill.pyspark import _front_keys

    try:
        _front_keys.check(conf)
        _native.Context({key: value for key, value in conf.items() if key not in _front_keys.KEYS}).stop()
    except ValueError as error:
        raise ConfigurationError(str(error)) from error
