"""Running a program of the user's, from its first line to the exit code of the process."""

from __future__ import annotations

import atexit
import os
import select
import shlex
import shutil
import signal
import sys
import tempfile
import threading
import traceback
import types
from collections.abc import Callable
from dataclasses import dataclass, field
from types import FrameType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tidemill.pyspark.streaming import StreamingContext

FAILED, UNSTARTABLE = 1, 2
# How long a program may take to end that is told so for the second time.
HURRY_S = 2.0


@dataclass
class Application:
    """A program and what it is started with."""

    program: str
    arguments: list[str] = field(default_factory=list)
    conf: dict[str, str] = field(default_factory=dict)
    py_files: list[str] = field(default_factory=list)
    files: list[str] = field(default_factory=list)


class Terminated(BaseException):
    """SIGTERM or SIGHUP, whose number is the argument. No `except Exception` of the program's stops it."""


def run(application: Application) -> int:
    """Runs the program as `__main__`; the exit code of the process."""
    _prepare(application)
    signal.signal(signal.SIGTERM, _terminate)
    # Under nohup the end of the terminal means nothing.
    if signal.getsignal(signal.SIGHUP) != signal.SIG_IGN:
        signal.signal(signal.SIGHUP, _terminate)
    try:
        return _finish(_execute(application.program))
    except BrokenPipeError:
        return _quiet_exit()
    except (KeyboardInterrupt, Terminated) as interruption:
        return _code_of_signal(interruption)


def fix_hashes() -> None:
    """Begins this process anew with hashes that are the same in every one, so that workers place keys alike.

    PySpark's launcher does the same; whoever sets PYTHONHASHSEED is left alone.
    """
    if sys.flags.hash_randomization and "PYTHONHASHSEED" not in os.environ:
        os.environ["PYTHONHASHSEED"] = "0"
        sys.stdout.flush()
        os.execv(sys.executable, [sys.executable, *sys.orig_argv[1:]])


def _terminate(number: int, _frame: FrameType | None) -> None:
    raise Terminated(number)


def _prepare(application: Application) -> None:
    """What the program finds: `pyspark`, its configuration, its arguments and its modules."""
    from tidemill.pyspark._install import install

    install()
    _say_conf(application)
    sys.argv = [application.program, *application.arguments]
    folder = os.path.dirname(os.path.realpath(application.program))
    sys.path[0:1] = [folder, *_importable(application.py_files)]


def _importable(py_files: list[str]) -> list[str]:
    """What finds the modules in these: archives and folders do; modules by themselves are copied into a folder."""
    modules = [path for path in py_files if path.endswith(".py")]
    others = [os.path.abspath(path) for path in py_files if path not in modules]
    if not modules:
        return others
    copies = tempfile.mkdtemp(prefix="tidemill-modules-")
    remove = atexit.register(lambda: shutil.rmtree(copies, ignore_errors=True))
    # A child has its parent's modules.
    os.register_at_fork(after_in_child=lambda: atexit.unregister(remove))
    for path in modules:
        shutil.copy2(path, copies)
    return [copies, *others]


def _say_conf(application: Application) -> None:
    """Puts the configuration where PySpark's own spark-submit puts it: `SparkConf()` begins with that."""
    conf = dict(application.conf)
    if application.files:
        conf["spark.files"] = ",".join(application.files)
    said = [os.environ.get("PYSPARK_SUBMIT_ARGS", "").removesuffix("pyspark-shell").strip()]
    said += [shlex.join(["--conf", f"{key}={value}"]) for key, value in conf.items()]
    os.environ["PYSPARK_SUBMIT_ARGS"] = " ".join([*filter(None, said), "pyspark-shell"])


def _execute(program: str) -> int:
    """Runs the program to its end; its exit code. A signal ends it where it is."""
    try:
        _run_as_main(program)
    except SystemExit as exit:
        return _code_of(exit)
    except (KeyboardInterrupt, Terminated) as interruption:
        if _active() is None:
            return _code_of_signal(interruption)
    except Exception as error:
        if _is_of_stdout(error):
            raise
        _show(error)
        return UNSTARTABLE if _is_configuration(error) else FAILED
    return 0


def _run_as_main(program: str) -> None:
    """As `python program` does it: the module stays, for what runs in the background belongs to it."""
    main = types.ModuleType("__main__")
    main.__file__ = program
    sys.modules["__main__"] = main
    with open(program, "rb") as source:
        code = compile(source.read(), program, "exec")
    exec(code, main.__dict__)


def _code_of(exit: SystemExit) -> int:
    if exit.code is None or isinstance(exit.code, int):
        return exit.code or 0
    print(exit.code, file=sys.stderr)
    return 1


def _code_of_signal(interruption: KeyboardInterrupt | Terminated) -> int:
    return 128 + (int(interruption.args[0]) if isinstance(interruption, Terminated) else signal.SIGINT)


def _active() -> StreamingContext | None:
    # A program that does not stream has not loaded it.
    module = sys.modules.get("tidemill.pyspark.streaming")
    return None if module is None else module.StreamingContext.getActive()


def _finish(code: int) -> int:
    """Ends what runs still: drains it, unless a batch failed. The exit code."""
    active = _active()
    if active is not None:
        heard = _hear_signals()
        drains = active._drains_at_exit()
        if drains:
            print("tidemill: draining; interrupt again to give up what waits", file=sys.stderr, flush=True)
        # On a thread, for this one has to hear signals.
        stopping = _on_thread(active.stop, False, drains)
        while stopping.is_alive():
            stopping.join(0.1)
        code = _code_of_end(active, code) if not heard else 128 + heard[0]
    sys.stdout.flush()
    return code


def _code_of_end(ended: StreamingContext, code: int) -> int:
    """Says how it ended; the exit code of a program that would have this one but for that."""
    failure = ended._failure()
    if failure is None:
        done = ended._native.completed_batches
        print(f"tidemill: drained after {done} batches", file=sys.stderr, flush=True)
        return code
    if _is_of_stdout(failure):
        raise failure
    # A program that failed by itself has said why.
    if code:
        return code
    if isinstance(failure, SystemExit):
        return _code_of(failure) or FAILED
    _show(failure)
    return FAILED


def _hear_signals() -> list[int]:
    """What signals come from now on: the first gives up what waits, and ends the process soon; the second does at once."""
    heard: list[int] = []

    def hurry(number: int, _frame: FrameType | None) -> None:
        heard.append(number)
        if len(heard) > 1:
            os._exit(128 + number)
        # Written past the buffer, in whose midst the signal may have come.
        os.write(2, f"tidemill: giving up what waits; the program ends within {HURRY_S:.0f} s\n".encode())
        _on_thread(sys.stdout.flush)
        # For a function that does not return.
        end = threading.Timer(HURRY_S, os._exit, [128 + number])
        end.daemon = True
        end.start()

    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) != signal.SIG_IGN:
            signal.signal(number, hurry)
    return heard


def _on_thread(function: Callable[..., object], *arguments: object) -> threading.Thread:
    thread = threading.Thread(target=function, args=arguments, name="tidemill-stop", daemon=True)
    thread.start()
    return thread


def _is_configuration(error: BaseException) -> bool:
    from tidemill.pyspark import errors

    return isinstance(error, errors.IllegalArgumentException)


def _show(error: BaseException) -> None:
    """The traceback, from the program's first line on."""
    frames = error.__traceback__
    while frames is not None and frames.tb_frame.f_globals.get("__name__") == __name__:
        frames = frames.tb_next
    traceback.print_exception(type(error), error, frames)


def _is_of_stdout(error: BaseException) -> bool:
    """Whether it says that nobody reads the output any more; another pipe or connection of the program's is its own."""
    if not isinstance(error, BrokenPipeError):
        return False
    try:
        poll = select.poll()
        poll.register(sys.stdout.fileno(), 0)
        return bool(poll.poll(0))
    except (OSError, ValueError):
        return False


def _quiet_exit() -> int:
    """Whoever read the output has gone: nobody is told, as other filters do it."""
    active = _active()
    if active is not None:
        try:
            active.stop(stopSparkContext=False)
        except Exception:
            pass
    # What is still buffered cannot be written either, and Python would say so at its exit.
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return 0
