"""Programs that are killed and started again, in processes of their own."""

import shutil
import signal
from pathlib import Path

import pytest

from programs import Process

PROGRAM = """
import sys
from pyspark import SparkContext
from pyspark.streaming import StreamingContext

VERSION = {version}
totals = {{}}

def add(values, count):
    return sum(values) + (count or 0)

def say(time, rdd):
    for word, count in sorted(rdd.collect()):
        totals[word] = count
    print("counts", VERSION, sorted(totals.items()), flush=True)

def setup():
    print("setup", VERSION, flush=True)
    ssc = StreamingContext(SparkContext("local[2]", "counts"), 0.1)
    words = ssc.textFileStream("in").flatMap(str.split).map(lambda word: (word, 1))
    words.updateStateByKey(add{initial}).foreachRDD(say)
    return ssc

ssc = StreamingContext.getOrCreate("checkpoint", setup)
ssc.start()
ssc.awaitTermination()
"""


def write(folder: Path, version: int = 1, initial: str = "") -> Path:
    (folder / "in").mkdir(exist_ok=True)
    path = folder / "program.py"
    path.write_text(PROGRAM.format(version=version, initial=initial))
    return path


def put(folder: Path, name: str, text: str) -> None:
    (folder / f".{name}").write_text(text)
    (folder / f".{name}").rename(folder / "in" / name)


def killed(folder: Path, program: Path) -> None:
    with Process(["run", program], folder) as process:
        process.until("setup 1")
        process.until("counts 1 []")
        put(folder, "first", "a b a\n")
        process.until("[('a', 2), ('b', 1)]")
        process.send(signal.SIGKILL)
        assert process.ended() == -signal.SIGKILL


def test_a_killed_program_goes_on_without_its_setup(tmp_path: Path) -> None:
    program = write(tmp_path)
    killed(tmp_path, program)
    with Process(["run", program], tmp_path) as process:
        put(tmp_path, "second", "a c\n")
        process.until("[('a', 3), ('b', 1), ('c', 1)]")
        process.send(signal.SIGTERM)
        assert process.ended() == 0
        assert "setup" not in process.stdout
        assert "recovered the program" in process.stderr
        assert "guarantee: textFileStream -> foreachRDD: at least once\n" in process.stderr
        assert "drained" in process.stderr


def test_a_changed_program_has_no_effect_unless_setup_is_called_again(tmp_path: Path) -> None:
    killed(tmp_path, write(tmp_path))
    program = write(tmp_path, version=2)
    with Process(["run", program], tmp_path) as process:
        process.until("counts 1")
    with Process(["run", "--conf", "tidemill.python.setupAgain=true", program], tmp_path) as process:
        process.until("setup 2")
        process.until("counts 2 [('a', 2), ('b', 1)]")
    with Process(["run", program], tmp_path) as process:
        process.until("counts 2")
        assert "setup" not in process.stdout


WITH_A_CLASS = PROGRAM.replace(
    "def add(values, count):\n    return sum(values) + (count or 0)",
    """class Count:
    def __init__(self):
        self.count = 0
    def __repr__(self):
        return str(self.count)
    def __lt__(self, other):
        return self.count < other.count

def add(values, count):
    count = count or Count()
    assert isinstance(count, Count)
    count.count += sum(values)
    return count""",
)


def test_states_of_a_class_of_the_program(tmp_path: Path) -> None:
    program = write(tmp_path)
    program.write_text(WITH_A_CLASS.format(version=1, initial=""))
    for run in range(1, 4):
        with Process(["run", program], tmp_path) as process:
            process.until("counts 1")
            put(tmp_path, f"file-{run}", "a\n")
            process.until(f"[('a', {run})]")
            process.send(signal.SIGKILL)


def test_initial_states_are_stored_by_value(tmp_path: Path) -> None:
    program = write(tmp_path, initial=", initialRDD=ssc.sparkContext.parallelize([('z', 5)])")
    with Process(["run", program], tmp_path) as process:
        process.until("counts 1 [('z', 5)]")
        process.send(signal.SIGKILL)
    with Process(["run", program], tmp_path) as process:
        process.until("counts 1 [('z', 5)]")
        assert "setup" not in process.stdout


def test_a_directory_that_others_may_write_to_is_not_trusted(tmp_path: Path) -> None:
    program = write(tmp_path)
    killed(tmp_path, program)
    (tmp_path / "checkpoint").chmod(0o777)
    with Process(["run", program], tmp_path) as process:
        assert process.ended() == 1
        assert "may be written to by others; chmod go-w it" in process.stderr


@pytest.mark.parametrize("at", [3, 40, -1])
def test_a_damaged_program_is_refused(tmp_path: Path, at: int) -> None:
    program = write(tmp_path)
    killed(tmp_path, program)
    stored = tmp_path / "checkpoint" / "python-program"
    data = bytearray(stored.read_bytes())
    data[at] ^= 1
    stored.write_bytes(data)
    with Process(["run", program], tmp_path) as process:
        assert process.ended() == 1
        assert "Failed to read checkpoint from directory checkpoint" in process.stderr
        assert "tidemill.python.setupAgain=true" in process.stderr


PLAIN = """
from pyspark import SparkContext
from pyspark.streaming import StreamingContext

def say(time, rdd):
    print("counts", {version}, sorted(rdd.collect()), flush=True)

ssc = StreamingContext(SparkContext("local[2]", "counts"), 0.1)
ssc.checkpoint("checkpoint")
words = ssc.textFileStream("in").flatMap(str.split).map(lambda word: (word, {value}))
words.updateStateByKey(lambda new, old: {update}).foreachRDD(say)
ssc.start()
ssc.awaitTermination()
"""
LEFT_BEHIND = (
    "tidemill: checkpoint holds a checkpoint of an earlier run, which a program without getOrCreate does not go on with"
)


def plain(folder: Path, version: int, value: str = "1", update: str = "sum(new) + (old or 0)") -> Path:
    (folder / "in").mkdir(exist_ok=True)
    path = folder / f"plain-{version}.py"
    path.write_text(PLAIN.format(version=version, value=value, update=update))
    return path


def left_running(folder: Path, program: Path, name: str, line: str) -> str:
    """Runs a program until it says a line of a file's words, and kills it; its stderr."""
    with Process(["run", program], folder) as process:
        process.until("[]")
        put(folder, name, "a b a\n")
        process.until(line)
        process.send(signal.SIGKILL)
        process.ended()
        return process.stderr


def test_a_program_without_get_or_create_begins_afresh(tmp_path: Path) -> None:
    program = plain(tmp_path, 1)
    assert LEFT_BEHIND not in left_running(tmp_path, program, "first", "counts 1 [('a', 2), ('b', 1)]")
    assert LEFT_BEHIND in left_running(tmp_path, program, "second", "counts 1 [('a', 2), ('b', 1)]")
    # Another one, with other states under the same id.
    other = plain(tmp_path, 2, value="'x'", update="''.join([old or '', *new])")
    assert LEFT_BEHIND in left_running(tmp_path, other, "third", "counts 2 [('a', 'xx'), ('b', 'x')]")
    # What is recovered is the last one, with its state; the setup function is another program's.
    with Process(["run", write(tmp_path)], tmp_path) as process:
        process.until("counts 2 [('a', 'xx'), ('b', 'x')]")
        put(tmp_path, "fourth", "b\n")
        process.until("counts 2 [('a', 'xx'), ('b', 'xx')]")
        assert "setup" not in process.stdout and LEFT_BEHIND not in process.stderr


@pytest.mark.parametrize("setting", ["tidemill.checkpoint.afresh=false", "tidemill.python.setupAgain=true"])
def test_a_program_without_get_or_create_goes_on_if_so_configured(tmp_path: Path, setting: str) -> None:
    program = plain(tmp_path, 1)
    left_running(tmp_path, program, "first", "counts 1 [('a', 2), ('b', 1)]")
    with Process(["run", "--conf", setting, program], tmp_path) as process:
        process.until("counts 1 [('a', 2), ('b', 1)]")
        assert "goes on from what checkpoint remembers" in process.stderr


def test_a_program_that_dies_as_it_begins_afresh_is_recovered_without_what_was_before(tmp_path: Path) -> None:
    left_running(tmp_path, plain(tmp_path, 1), "first", "counts 1 [('a', 2), ('b', 1)]")
    saved = tmp_path / "saved"
    shutil.copytree(tmp_path / "checkpoint", saved)
    steps, other = tmp_path / "steps", plain(tmp_path, 2)
    with Process(["run", other], tmp_path, {"TIDEMILL_CRASH_LOG": str(steps)}) as process:
        process.until("counts 2 []")
    names = steps.read_text().splitlines()
    at = next((number for number, name in enumerate(names, 1) if name.endswith("before a start is logged")), None)
    if at is None:
        pytest.skip("a build without the steps to crash at")
    shutil.rmtree(tmp_path / "checkpoint")
    saved.rename(tmp_path / "checkpoint")
    with Process(["run", other], tmp_path, {"TIDEMILL_CRASH_AT": str(at)}) as process:
        assert process.ended() == -signal.SIGABRT
    with Process(["run", write(tmp_path)], tmp_path) as process:
        process.until("counts 2 []")
        put(tmp_path, "second", "a b\n")
        process.until("counts 2 [('a', 1), ('b', 1)]")
    with Process(["run", write(tmp_path)], tmp_path) as process:
        process.until("counts 2 [('a', 1), ('b', 1)]")
        assert "setup" not in process.stdout


def test_what_changed_in_a_program_is_told_of_two_checkpoints(tmp_path: Path) -> None:
    for name, kept in (("one", "a"), ("other", "b")):
        folder = tmp_path / name
        folder.mkdir()
        program = write(folder)
        program.write_text(program.read_text().replace(".map(", f".filter(lambda word: word != {kept!r}).map(", 1))
        with Process(["run", program], folder) as process:
            process.until("counts")
    with Process(["checkpoint", "diff", "one/checkpoint", "other/checkpoint"], tmp_path) as process:
        process.until("Python, only in the checkpoint: filter at")
        process.until("Python, only in the other: filter at")
        assert process.ended() == 0
    with Process(["checkpoint", "inspect", "one/checkpoint"], tmp_path) as process:
        process.until("(cloudpickle)")
        process.until("updateStateByKey at")
