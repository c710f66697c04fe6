"""Programs that end while something of theirs still runs: they end at once, with their own exit code."""

import subprocess
import sys
from pathlib import Path

import pytest

CODE, TIMES, PATIENCE_S = 3, 5, 30

# Threads of the engine enter the interpreter all the time, and nothing stops them at exit.
TASKS = """
from tidemill import _native
context = _native.Context({"spark.master": "local[2]"})
def work(partition, blocks):
    begun.set()
    return [[sum(map(sum, blocks))]]
numbers = context.parallelize([[n] for n in range(2000)]).map_partitions(work, "work")
def forever():
    while True:
        numbers.collect()
threading.Thread(target=forever, daemon=True).start()
"""
JOB = """
from tidemill.pyspark import SparkContext
sc = SparkContext("local[2]", "exit")
def endless(n):
    begun.set()
    while True:
        pass
def job():
    # It is cancelled at exit; a thread that says so while Python ends would abort it.
    with contextlib.suppress(Exception):
        sc.range(4, numSlices=4).foreach(endless)
threading.Thread(target=job, daemon=True).start()
"""
STREAM = """
from tidemill.pyspark import SparkContext
from tidemill.pyspark.streaming import StreamingContext
ssc = StreamingContext(SparkContext("local[2]", "exit"), 0.01)
def receive(store):
    while not store.isStopped():
        store.store("record")
        begun.set()
ssc.receiverStream(receive).map(str.upper).foreachRDD(lambda rdd: rdd.count())
ssc.start()
"""


@pytest.mark.parametrize("program", [TASKS, JOB, STREAM], ids=["tasks", "job", "stream"])
def test_exit_code(program: str, tmp_path: Path) -> None:
    script = tmp_path / "program.py"
    script.write_text(f"import contextlib, sys, threading\nbegun = threading.Event()\n{program}\nbegun.wait()\nsys.exit({CODE})\n")
    for _ in range(TIMES):
        ended = subprocess.run([sys.executable, script], capture_output=True, text=True, timeout=PATIENCE_S)
        assert ended.returncode == CODE, ended.stderr
        assert "Fatal Python error" not in ended.stderr and "panicked" not in ended.stderr
