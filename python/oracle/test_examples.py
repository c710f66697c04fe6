"""The seven streaming examples that PySpark brings along, unmodified, count the same under both.

Each is fed a group of lines once it listens, and the next when all of that has been printed. What is compared is what was
counted, and not in which batch: that is a matter of timing.
"""

import ast
import re
import socket
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from peer import SPARK, ended, started

PYSPARK = next((SPARK / "lib").glob("python3*/site-packages/pyspark"), Path("no pyspark"))
EXAMPLES = PYSPARK / "examples/src/main/python/streaming"
# Only ends an example that hangs.
PATIENCE_S = 300

# A batch prints ten words at the most, so no group has more, and nothing that is counted over groups.
LINES = (
    ["the quick brown fox", "jumps over the lazy dog"],
    ["a b c a b c hello world", "hello hello"],
    ["grüße an die welt 日本 🙂", "the end"],
)
FEW_WORDS = (["a b a hello world", "hello hello"], ["grüße 日本 🙂 a"], ["the end"])
FEELINGS = (["great good good good bad"], ["fine awful thrilled thrilled"])
# PySpark's own file has tabs, where the example expects spaces.
SENTIMENTS = "awful -3\nbad -2\nfine 2\ngood 3\ngreat 4\nthrilled 5\n"


@dataclass
class Run:
    """One example under one side."""

    folder: Path
    port: int
    output: list[str] = field(default_factory=list)

    def text(self) -> str:
        return "".join(self.output)


# What the examples print.


def batches(text: str) -> list[Counter[Any]]:
    """The pairs that `pprint` has printed, batch by batch."""
    printed = re.split(r"-{43}\nTime: .*\n-{43}\n", text)[1:]
    return [Counter(dict(map(ast.literal_eval, re.findall(r"^\(.*\)$", batch, re.M)))) for batch in printed]


def summed(text: str) -> Counter[Any]:
    return sum(batches(text), Counter())


def latest(text: str) -> Counter[Any]:
    """Of counts that only grow those that have come furthest."""
    return max(batches(text), key=Counter.total, default=Counter())


def distinct(text: str) -> list[Counter[Any]]:
    """Of equal batches one; how many come before the example stops itself is a matter of timing."""
    found: list[Counter[Any]] = []
    for batch in batches(text):
        if batch and batch not in found:
            found.append(batch)
    return found


def happiness(text: str) -> Counter[str]:
    return Counter({word: int(value) for word, value in re.findall(r"^(\w+) \((-?\d+) happiness\)$", text, re.M)})


def counted(text: str) -> Counter[Any]:
    """What was echoed, and how many words were dropped."""
    echoed = re.findall(r"^Counts at time \S+ \S+ (\[.*\])$", text, re.M)
    counts = sum((Counter(dict(ast.literal_eval(batch))) for batch in echoed), Counter())
    dropped = re.findall(r"^Dropped (\d+) word\(s\) totally$", text, re.M)
    counts["Dropped"] = int(dropped[-1]) if dropped else 0
    counts["Creating new context"] = text.count("Creating new context")
    return counts


def begun(text: str) -> bool:
    """Whether three batches were begun; what they do with DataFrames is not compared, which are not here."""
    return len(re.findall(r"^=+ \S+ \S+ =+$", text, re.M)) >= 3


def words(groups: tuple[list[str], ...]) -> int:
    return sum(len(line.split(" ")) for group in groups for line in group)


@dataclass(frozen=True)
class Example:
    """`is_there(facts, groups)`: whether what was printed tells of all of these groups."""

    name: str
    groups: tuple[list[str], ...]
    facts: Callable[[str], Any]
    is_there: Callable[[Any, tuple[list[str], ...]], bool]
    arguments: Callable[[Run], list[str]] = lambda run: ["localhost", str(run.port)]


EXAMPLE = [
    Example(
        "hdfs_wordcount", LINES, summed, lambda facts, fed: facts.total() == words(fed), lambda run: [str(run.folder / "in")]
    ),
    Example("network_wordcount", LINES, summed, lambda facts, fed: facts.total() == words(fed)),
    # The words of a line are in one batch.
    Example(
        "network_wordjoinsentiments",
        FEELINGS,
        happiness,
        lambda facts, fed: all(word in facts for group in fed for word in group[0].split(" ")),
    ),
    Example("queue_stream", (), distinct, lambda facts, fed: False, lambda run: []),
    Example(
        "recoverable_network_wordcount",
        LINES,
        counted,
        lambda facts, fed: facts.total() == words(fed) + 1,
        lambda run: ["localhost", str(run.port), str(run.folder / "checkpoint"), str(run.folder / "out")],
    ),
    Example("sql_network_wordcount", LINES, begun, lambda facts, fed: facts),
    # Two words are there from the beginning.
    Example("stateful_network_wordcount", FEW_WORDS, latest, lambda facts, fed: facts.total() == words(fed) + 2),
]


# How they are fed.


def put_file(run: Run, number: int, text: str) -> None:
    """A file that appears whole."""
    whole = run.folder / f".{number}"
    whole.write_text(text)
    whole.rename(run.folder / "in" / f"{number}.txt")


def until(condition: Callable[[], Any]) -> Any:
    """Waits until it is true; what it was last."""
    end = time.monotonic() + PATIENCE_S
    while not (found := condition()) and time.monotonic() < end:
        time.sleep(0.05)
    return found


def feed(example: Example, run: Run, server: socket.socket, has_ended: Callable[[], bool]) -> None:
    """Gives the example group by group, once it listens."""
    put: Callable[[int, str], None]
    if example.name == "hdfs_wordcount":
        until(lambda: "Time:" in run.text() or has_ended())
        put = lambda number, text: put_file(run, number, text)  # noqa: E731
    elif example.groups:
        connection, _ = server.accept()
        put = lambda number, text: connection.sendall(text.encode())  # noqa: E731
    for number, group in enumerate(example.groups):
        put(number, "".join(f"{line}\n" for line in group))
        fed = example.groups[: number + 1]
        until(lambda: example.is_there(example.facts(run.text()), fed) or has_ended())


def read(run: Run, stream: Any) -> None:
    for line in stream:
        run.output.append(line.decode())


def facts(example: Example, side: str) -> Any:
    """What the example has counted; the end of its log, if it did not come to that."""
    folder = Path(tempfile.mkdtemp())
    (folder / "in").mkdir()
    (folder / "data/streaming").mkdir(parents=True)
    (folder / "data/streaming/AFINN-111.txt").write_text(SENTIMENTS)
    with socket.create_server(("localhost", 0)) as server, open(folder / "log", "w") as log:
        server.settimeout(PATIENCE_S)
        run = Run(folder, server.getsockname()[1])
        program = EXAMPLES / f"{example.name}.py"
        process = started(side, program, *example.arguments(run), cwd=folder, stdout=-1, stderr=log)
        reader = threading.Thread(target=read, args=(run, process.stdout))
        reader.start()
        try:
            feed(example, run, server, lambda: process.poll() is not None)
            found = example.facts(run.text())
            if not example.groups:
                # It ends by itself.
                process.wait(PATIENCE_S)
        finally:
            ended(process)
            reader.join()
    if not example.groups:
        return example.facts(run.text())
    return found if example.is_there(found, example.groups) else run.text() + Path(log.name).read_text()[-3000:]


@pytest.mark.parametrize("example", [pytest.param(of, id=of.name) for of in EXAMPLE])
def test_example(example: Example) -> None:
    ours, spark = facts(example, "ours"), facts(example, "spark")
    assert ours == spark
    assert spark and not isinstance(spark, str)


if __name__ == "__main__":
    # For a look at one example under one side: python test_examples.py queue_stream spark
    print(facts(next(example for example in EXAMPLE if example.name == sys.argv[1]), sys.argv[2]))
