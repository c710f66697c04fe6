"""The `tidemill` command.

`run` and `submit` run programs of PySpark here; every other command is the engine's.
"""

from __future__ import annotations

import difflib
import os
import sys
from collections.abc import Sequence

from tidemill.cli.options import ConfigurationError, check, parse_run, parse_submit
from tidemill.cli.run import Application, fix_hashes, run

USAGE = """\
usage: tidemill run [--master M] [--name N] [--conf K=V]... APP.py [ARGUMENTS]
       tidemill submit [OPTIONS OF SPARK-SUBMIT] APP.py [ARGUMENTS]
       tidemill checkpoint|dlq|gen|launch ...    (each with --help)

run and submit execute a program of PySpark with no JVM. SIGINT and SIGTERM stop it in an orderly way.
exit codes: 0 done or drained, 1 the program failed, 2 it cannot be started so, 129, 130 or 143 interrupted
"""

PARSERS = {"run": parse_run, "submit": parse_submit}
OF_ENGINE = ("checkpoint", "dlq", "gen", "launch")


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command line; the exit code. `arguments` are those of the process unless given."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    if not given or given[0] in ("-h", "--help", "help"):
        print(USAGE, end="")
        return 0 if given else 2
    command, rest = given[0], given[1:]
    if command not in PARSERS and (command.endswith(".py") or os.path.isfile(command)):
        command, rest = "run", given
    if command in PARSERS:
        if arguments is None:
            fix_hashes()
        return _start(command, rest)
    if command not in (*OF_ENGINE, "-V", "--version"):
        near = difflib.get_close_matches(command, [*PARSERS, *OF_ENGINE], 1)
        suggestion = f'; did you mean "{near[0]}"?' if near else ""
        print(f'tidemill: there is no command "{command}"{suggestion}\n{USAGE}', end="", file=sys.stderr)
        return 2
    from tidemill import _native

    return _native.cli(given)


def _start(command: str, arguments: list[str]) -> int:
    """Runs a program."""
    if arguments and arguments[0] in ("-h", "--help"):
        print(USAGE, end="")
        return 0
    if arguments == ["--version"]:
        from tidemill import _native

        return _native.cli(arguments)
    try:
        application: Application = PARSERS[command](arguments)
        check(application.conf)
    except ConfigurationError as error:
        print(f"tidemill {command}: {error}", file=sys.stderr)
        return 2
    return run(application)
