"""The `tidemill` command, in processes of its own."""

import signal
import socket
import sys
import textwrap
import threading
import time
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "streaming"))
from programs import Process  # noqa: E402

EXAMPLES = Path(__file__).parents[2] / "examples"

STREAM = """
from pyspark import SparkContext
from pyspark.streaming import StreamingContext
ssc = StreamingContext(SparkContext("local[2]", "test"), 0.1)
numbers = ssc.queueStream([[n] for n in range(10000)])
numbers.{output}
ssc.start()
{wait}
"""


def program(folder: Path, text: str, name: str = "program.py") -> Path:
    path = folder / name
    path.write_text(textwrap.dedent(text))
    return path


def stream(folder: Path, output: str = "pprint()", wait: str = "ssc.awaitTermination()") -> Path:
    return program(folder, STREAM.format(output=output, wait=wait))


def test_a_program_is_started_as_python_does_it(tmp_path: Path) -> None:
    program(tmp_path, "VALUE = 5", "beside.py")
    path = program(
        tmp_path, "import sys, beside\nprint(__name__, sys.argv[1:], beside.VALUE, __file__ == sys.argv[0])"
    )
    with Process(["run", path, "--x", "y"], tmp_path) as process:
        assert process.ended() == 0
        assert process.stdout == "__main__ ['--x', 'y'] 5 True\n"


@pytest.mark.parametrize(
    ("text", "code", "said"),
    [
        ("raise SystemExit(7)", 7, ""),
        ("raise SystemExit('not so')", 1, "not so"),
        ("1 / 0", 1, "ZeroDivisionError"),
        ("def broken(:", 1, "SyntaxError"),
        ("import signal; signal.raise_signal(signal.SIGINT)", 130, ""),
    ],
)
def test_exit_codes(tmp_path: Path, text: str, code: int, said: str) -> None:
    with Process([program(tmp_path, text)], tmp_path) as process:
        assert process.ended() == code
        assert said in process.stderr
        assert "tidemill/cli" not in process.stderr


@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_drains(tmp_path: Path, sent: signal.Signals) -> None:
    with Process(["run", stream(tmp_path)], tmp_path) as process:
        process.until("Time: ")
        process.send(sent)
        assert process.ended() == 0
        assert "drained after" in process.stderr


@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("blocks", ["__import__('time').sleep(60)", "all(True for _ in iter(int, 1))"])
def test_a_second_signal_gives_up(tmp_path: Path, sent: signal.Signals, blocks: str) -> None:
    path = stream(tmp_path, f"foreachRDD(lambda rdd: (print('begun', flush=True), {blocks}))")
    with Process(["run", path], tmp_path) as process:
        process.until("begun")
        process.send(sent)
        process.until_stderr("draining")
        process.send(sent)
        process.until_stderr("giving up what waits; the program ends within 2 s\n")
        begun = time.monotonic()
        assert process.ended() == 128 + sent
        assert time.monotonic() - begun < 4


def test_a_program_that_does_not_wait_is_drained(tmp_path: Path) -> None:
    with Process(["run", stream(tmp_path, wait="")], tmp_path) as process:
        assert process.ended() == 0


def test_a_failed_batch(tmp_path: Path) -> None:
    with Process(["run", stream(tmp_path, "map(lambda n: 1 // n).pprint()")], tmp_path) as process:
        assert process.ended() == 1
        assert "ZeroDivisionError" in process.stderr and "lambda n: 1 // n" in process.stderr


def test_nothing_to_do(tmp_path: Path) -> None:
    with Process(["run", stream(tmp_path, "map(str)")], tmp_path) as process:
        assert process.ended() == 2
        assert "No output operations" in process.stderr


def test_a_reader_that_goes(tmp_path: Path) -> None:
    with Process(["run", stream(tmp_path)], tmp_path) as process:
        process.until("Time: ")
        process.close_stdout()
        assert process.ended() == 0
        assert "BrokenPipe" not in process.stderr


def test_a_connection_of_the_programs_that_breaks_is_an_error(tmp_path: Path) -> None:
    with Process([program(tmp_path, "raise BrokenPipeError('of a server')")], tmp_path) as process:
        assert process.ended() == 1
        assert "BrokenPipeError: of a server" in process.stderr


def test_submit(tmp_path: Path) -> None:
    (tmp_path / "lib").mkdir()
    program(tmp_path / "lib", "VALUE = 5", "library.py")
    (tmp_path / "spark.conf").write_text("# comment\nspark.app.name  from properties\nspark.one=1\nspark.two: 2\n")
    path = program(
        tmp_path,
        """
        import sys, library
        from pyspark import SparkConf
        conf = SparkConf()
        print(library.VALUE, [conf.get(f"spark.{key}") for key in ("master", "app.name", "one", "two", "three")], sys.argv[1:])
        """,
    )
    arguments = [
        *("submit", "--master", "local[3]", "--conf", "spark.three=a=b", "-c", "spark.two=x y", "--name", "said"),
        *("--py-files", "lib", "--properties-file", "spark.conf", "--packages", "a:b:1", "--jars=x.jar"),
        *("--driver-memory", "4g", "--verbose", "--no-such-option", "value", path, "--name", "mine"),
    ]
    with Process(arguments, tmp_path) as process:
        assert process.ended() == 0, process.stderr
        assert process.stdout == "5 ['local[3]', 'said', '1', 'x y', 'a=b'] ['--name', 'mine']\n"
        assert process.stderr.count("without effect") == 1
        for option in ("--packages", "--jars", "--verbose", "--no-such-option"):
            assert option in process.stderr


@pytest.mark.parametrize("said", ["--conf=tidemill.python.workers=1", "--properties-file=spark.conf", ""])
def test_keys_of_the_front_are_heard_wherever_they_are_said(tmp_path: Path, said: str) -> None:
    (tmp_path / "spark.conf").write_text("tidemill.python.workers 1\ntidemill.streaming.batchDuration 0.25\n")
    path = program(
        tmp_path,
        """
        import sys
        from pyspark import SparkConf, SparkContext
        from tidemill.pyspark import _workers
        conf = SparkConf().setMaster("local[2]")
        if not sys.argv[1:]:
            conf.set("tidemill.python.workers", 1)
        sc = SparkContext(conf=conf)
        print(_workers._workers, sc.getConf().get("tidemill.streaming.batchDuration"))
        try:
            sc.stop()
            SparkContext(conf=SparkConf().set("tidemill.python.wrokers", 1))
        except ValueError as error:
            print(error)
        """,
    )
    with Process(["run", *filter(None, [said]), path, *filter(None, [said])], tmp_path) as process:
        assert process.ended() == 0, process.stderr
        heard, refused = process.stdout.splitlines()
        assert heard == ("None 0.25" if "properties" in said else "None None")
        assert refused == 'there is no key "tidemill.python.wrokers"; did you mean "tidemill.python.workers"?'


@pytest.mark.parametrize("said", [["--py-files"], ["--conf", "spark.submit.pyFiles="]])
def test_modules_by_themselves(tmp_path: Path, said: list[str]) -> None:
    (tmp_path / "lib").mkdir()
    program(tmp_path / "lib", "VALUE = 5", "helper.py")
    program(tmp_path / "lib", "VALUE = 6", "beside.py")
    path = program(
        tmp_path,
        """
        import os, sys, time, helper
        from pyspark import SparkContext
        sc = SparkContext("local[2]", "modules")
        import helper as again
        def look(_):
            time.sleep(0.03)
            import helper
            return helper.VALUE, os.getpid() != driver
        driver, found = os.getpid(), []
        while not any(away for _, away in found):
            found = sc.parallelize(range(8), 8).map(look).collect()
        print(helper.VALUE, again is helper, {value for value, _ in found})
        print(next(path for path in sys.path if os.path.exists(os.path.join(path, "helper.py"))))
        import beside
        """,
    )
    arguments = [*said[:-1], f"{said[-1]}lib/helper.py"] if said[-1].endswith("=") else [*said, "lib/helper.py"]
    with Process(["submit", *arguments, path], tmp_path) as process:
        assert process.ended() == 1
        assert "No module named 'beside'" in process.stderr
        values, folder = process.stdout.splitlines()
        assert values == "5 True {5}"
        assert not Path(folder).exists()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["run", "progam.py"], 'did you mean "program.py"?'),
        (["run"], "which program?"),
        (["run", "--mater", "local", "program.py"], 'did you mean "--master"?'),
        (["run", "--conf", "spark.master", "program.py"], "KEY=VALUE"),
        (["run", "--conf", "tidemill.batch.onFailur=stop", "program.py"], 'did you mean "tidemill.batch.onFailure"?'),
        (["run", "--conf", "tidemill.python.wrokers=1", "program.py"], 'did you mean "tidemill.python.workers"?'),
        (["run", "--conf", "tidemill.python.setupagain=true", "program.py"], 'mean "tidemill.python.setupAgain"?'),
        (["run", "--conf", "tidemill.python.workers=x", "program.py"], 'cannot be used: expected a whole number'),
        (["run", "--properties-file", "workers.conf", "program.py"], 'the value "0" of "tidemill.python.workers"'),
        (["run", "--conf", "tidemill.streaming.batchDuration=soon", "program.py"], "expected a number of seconds"),
        (["run", "--master", "lokal", "program.py"], "lokal"),
        (["submit", "--master"], "--master needs a value"),
        (["submit", "program.jar"], "only programs of Python"),
        (["submit", "--properties-file", "none", "program.py"], 'the properties file "none" cannot be read'),
        ([], "usage"),
        (["foo"], 'there is no command "foo"\nusage: tidemill run'),
        (["submti", "program.py"], 'did you mean "submit"?'),
    ],
)
def test_what_cannot_be_started(tmp_path: Path, arguments: list[str], said: str) -> None:
    program(tmp_path, "")
    (tmp_path / "workers.conf").write_text("tidemill.python.workers=0")
    with Process(arguments, tmp_path) as process:
        assert process.ended() == 2
        assert said in process.stderr + process.stdout


def test_other_commands_are_the_engines(tmp_path: Path) -> None:
    with Process(["checkpoint", "ls", tmp_path / "none"], tmp_path) as process:
        assert process.ended() != 0
        assert "none" in process.stderr


def test_the_first_users_program(tmp_path: Path) -> None:
    """It is run letter for letter, but for the port, which has to be a free one."""
    server = socket.create_server(("127.0.0.1", 0))
    text = (EXAMPLES / "spark_streaming_example.py").read_text()
    path = program(tmp_path, text.replace("9999", str(server.getsockname()[1])))

    def serve() -> None:
        connection, _ = server.accept()
        connection.sendall(b"to be or not to be\n")

    serving = threading.Thread(target=serve)
    serving.start()
    with Process(["run", path], tmp_path) as process:
        process.until("Time: ")
        process.until("('not', 1)")
        process.send(signal.SIGINT)
        assert process.ended() == 0, process.stderr
        assert "('be', 2)" in process.stdout and "('to', 2)" in process.stdout
    serving.join()
    server.close()


@pytest.mark.parametrize("name", ["queue_stream.py", "sessions.py"])
def test_examples_that_feed_themselves(tmp_path: Path, name: str) -> None:
    with Process(["run", EXAMPLES / name], tmp_path) as process:
        assert process.ended() == 0, process.stderr
        assert "Time: " in process.stdout
