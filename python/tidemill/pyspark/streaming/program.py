"""The program in its checkpoint: the file `python-program` beside what the engine keeps there.

The file is what PySpark's contract asks for: a recovered program is not run again, so its functions have to be stored,
by cloudpickle. Functions of the main script are stored with the globals that they use; its classes, and what is
imported from modules, are taken as they are when the program is recovered.

| bytes | |
|---|---|
| 16 | `tidemill-python` and the version of the format, one byte |
| 8 | the length of the header, big-endian, then the header: JSON, UTF-8 |
| 8 | the length of the pickled steps, then these |
| 32 | SHA-256 of all that |

Whoever can write this file can run code as this user. It is only read from a directory that belongs to this user and
that nobody else may write to.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import platform
import re
import stat
import types
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from tidemill.pyspark._front_keys import AFRESH, SETUP_AGAIN
from tidemill.pyspark.streaming.errors import SparkException
from tidemill.pyspark.streaming.plan import Step

if TYPE_CHECKING:
    from tidemill.pyspark.context import SparkContext
    from tidemill.pyspark.streaming.context import StreamingContext

NAME = "python-program"
MAGIC = b"tidemill-python"
VERSION = 1
# A program that is recovered runs the batches that it missed, as in Spark; others go on with the next one.
MISSED_BATCHES = "tidemill.recovery.missedBatches"
# A number that no start of a program has.
ANY_START = 2**64 - 1
ALLOW_QUEUES = "tidemill.queueStream.allowCheckpoint"

# What a restart may say anew; everything else is as it was, as in Spark.
_RELOADED = re.compile(r"spark\.master|tidemill\..*")
# What is of one run and not of the program.
_OF_A_RUN = frozenset(("spark.app.id", "spark.app.startTime", "spark.executor.id", SETUP_AGAIN))
_SECRET = re.compile(r"password|secret|token|credential", re.IGNORECASE)


class UnreadableProgram(SparkException):
    """There is a program in a checkpoint, and it cannot be used."""


@dataclass(frozen=True)
class Program:
    """A program as it is stored."""

    batch_ms: int
    conf: dict[str, str]
    python: str
    has_queues: bool
    calls: list[str]
    pickled: bytes
    # Of each call, a digest of its functions: `tidemill checkpoint diff` compares them.
    code: list[str] = field(default_factory=list)
    # The last start of an earlier run that this program does not go on with.
    begins_after: int = 0

    def __str__(self) -> str:
        return f"{len(self.calls)} calls, batch duration {self.batch_ms} ms"

    def encode(self) -> bytes:
        """The bytes of the file."""
        header = {
            "batch_ms": self.batch_ms,
            "conf": self.conf,
            "python": self.python,
            "has_queues": self.has_queues,
            "calls": self.calls,
            "code": self.code,
            "begins_after": self.begins_after,
        }
        out = io.BytesIO()
        out.write(MAGIC + bytes([VERSION]))
        for part in (json.dumps(header).encode(), self.pickled):
            out.write(len(part).to_bytes(8, "big") + part)
        return out.getvalue() + hashlib.sha256(out.getvalue()).digest()

    @staticmethod
    def decode(data: bytes) -> Program:
        """The program in these bytes. UnreadableProgram if they are damaged or of another version."""
        if data[: len(MAGIC)] != MAGIC:
            raise UnreadableProgram("it is no program of tidemill")
        if data[len(MAGIC)] != VERSION:
            version = data[len(MAGIC)]
            raise UnreadableProgram(f"it has version {version} of the format, and this tidemill reads {VERSION}")
        body, checksum = data[:-32], data[-32:]
        if hashlib.sha256(body).digest() != checksum:
            raise UnreadableProgram("it is damaged: the checksum does not fit")
        parts, at = [], len(MAGIC) + 1
        while at < len(body):
            length = int.from_bytes(body[at : at + 8], "big")
            parts.append(body[at + 8 : at + 8 + length])
            at += 8 + length
        header, pickled = parts
        return Program(**json.loads(header), pickled=pickled)

    def steps(self, path: str, sc: SparkContext, ssc: StreamingContext) -> list[Step]:
        """The calls. UnreadableProgram if they cannot be made here."""
        from tidemill.pyspark.streaming.pickled import load

        if self.has_queues and sc.getConf().get(ALLOW_QUEUES) != "true":
            raise _unreadable(
                path, f"what a queueStream held is not stored; to go on without it, set {ALLOW_QUEUES}=true"
            )
        here = python_version()
        if self.python != here:
            raise _unreadable(path, f"its functions are of Python {self.python}, and this is Python {here}")
        try:
            return load(self.pickled, sc, ssc)
        except Exception as error:
            raise _unreadable(path, f"{type(error).__name__}: {error}") from error


def _unreadable(path: str, why: str) -> UnreadableProgram:
    return UnreadableProgram(
        f"Failed to read checkpoint from directory {path}: the program in it cannot be recovered: {why} "
        f"(with {SETUP_AGAIN}=true the setup function is called and takes over what is remembered)"
    )


def python_version() -> str:
    """The version that functions are stored for."""
    return ".".join(platform.python_version_tuple()[:2])


def place(directory: str) -> Path | None:
    """The folder of this machine that a checkpoint is in; None if it is elsewhere.

    >>> place("file:///tmp/checkpoint")
    PosixPath('/tmp/checkpoint')
    >>> place("s3://bucket/checkpoint")
    """
    if directory.startswith("file:"):
        return Path("/" + directory.removeprefix("file:").lstrip("/"))
    return None if re.match(r"[a-z][a-z0-9+.-]*://", directory) else Path(directory).absolute()


def make_directory(directory: str) -> None:
    """Makes the folder, for this user only, if it does not exist."""
    folder = place(directory)
    if folder is not None and not folder.is_dir():
        folder.parent.mkdir(parents=True, exist_ok=True)
        folder.mkdir(mode=0o700, exist_ok=True)


def defaults() -> dict[str, str]:
    """What the command line says of the configuration."""
    from tidemill.pyspark.conf import submit_arguments

    return submit_arguments(os.environ.get("PYSPARK_SUBMIT_ARGS", ""))


def is_set_up_again() -> bool:
    """Whether a setup function is called although there is a checkpoint."""
    from tidemill.pyspark.context import SparkContext

    active = SparkContext._active_spark_context
    said = None if active is None else active.getConf().get(SETUP_AGAIN)
    return (said or defaults().get(SETUP_AGAIN)) == "true"


def is_afresh(ssc: StreamingContext) -> bool:
    """Whether a context leaves behind what its checkpoint remembers: as it is configured, else if it is not `getOrCreate`'s."""
    said = ssc._sc.getConf().get(AFRESH)
    return not (ssc._goes_on or is_set_up_again()) if said is None else said == "true"


def context(program: Program) -> SparkContext:
    """The SparkContext that is active, or one as the program had it."""
    from tidemill.pyspark.conf import SparkConf
    from tidemill.pyspark.context import SparkContext

    if SparkContext._active_spark_context is not None:
        return SparkContext._active_spark_context
    said = {key: value for key, value in defaults().items() if _RELOADED.fullmatch(key) and key != SETUP_AGAIN}
    conf = {MISSED_BATCHES: "each", **program.conf, **said}
    return SparkContext(conf=SparkConf().setAll(list(conf.items())))


def prepare(ssc: StreamingContext) -> Program:
    """The program of a context. PicklingError, naming the call, if a function cannot be stored."""
    from tidemill.pyspark.streaming.pickled import dump

    steps = ssc._plan.steps
    said = ssc._sc.getConf().getAll()
    conf = {key: value for key, value in said if key not in _OF_A_RUN and not _SECRET.search(key)}
    return Program(
        batch_ms=ssc._batch_ms,
        conf=conf,
        python=python_version(),
        has_queues=any(step.method == "queueStream" for step in steps),
        calls=[str(step) for step in steps],
        pickled=dump(steps),
        code=[_code_of(step) for step in steps],
    )


def _code_of(step: Step) -> str:
    """A digest of the code of a call's functions, whatever lines they stand on."""
    arguments = (*step.arguments, *step.keywords.values())
    functions = [argument.__code__ for argument in arguments if isinstance(argument, types.FunctionType)]
    return hashlib.sha256(repr([_shape(code) for code in functions]).encode()).hexdigest()[:16] if functions else ""


def _shape(code: types.CodeType) -> tuple[Any, ...]:
    constants = [_shape(one) if isinstance(one, types.CodeType) else one for one in code.co_consts]
    return code.co_code, code.co_names, code.co_varnames, code.co_freevars, constants


def store(folder: Path, program: Program) -> None:
    """Makes it the program of the checkpoint; after a crash that has either this one or the one before."""
    unpublished = folder / f".{NAME}-{os.getpid()}"
    unpublished.unlink(missing_ok=True)
    file = os.open(unpublished, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    with open(file, "wb") as out:
        out.write(program.encode())
        out.flush()
        os.fsync(out.fileno())
    unpublished.rename(folder / NAME)
    directory = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)


def read(directory: str) -> Program | None:
    """The program of a checkpoint, if it has one.

    PermissionError if others could have written it; UnreadableProgram if it is damaged.
    """
    folder = place(directory)
    if folder is None:
        return None
    file = _open_trusted(folder)
    if file is None:
        return None
    with file:
        try:
            return Program.decode(file.read())
        except Exception as error:
            raise _unreadable(directory, str(error)) from error


def distrust(folder: Path) -> str | None:
    """Why a program in this folder is not to be run; None if it may be."""
    return _distrust(os.stat(folder), folder)


def _distrust(found: os.stat_result, path: Path) -> str | None:
    if found.st_uid != os.geteuid():
        return f'"{path}" belongs to another user (uid {found.st_uid})'
    if found.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        return f'"{path}" may be written to by others; chmod go-w it'
    return None


def _open_trusted(folder: Path) -> BinaryIO | None:
    """The file, which is checked as it is opened, so that it cannot be exchanged in between."""
    try:
        directory = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    except FileNotFoundError:
        return None
    try:
        try:
            file = os.open(NAME, os.O_RDONLY | os.O_NOFOLLOW, dir_fd=directory)
        except FileNotFoundError:
            return None
        opened = open(file, "rb")
        why = _distrust(os.fstat(directory), folder) or _distrust(os.fstat(file), folder / NAME)
    finally:
        os.close(directory)
    if why is not None:
        opened.close()
        raise PermissionError(f"the program in the checkpoint is code, and is not run: {why}")
    return opened
