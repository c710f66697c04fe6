"""A program as bytes: what is stored, what is refused, and the file."""

import operator
import pickle
import threading
from pathlib import Path
from typing import Any

import pytest

from tidemill.pyspark.streaming import StateSpec, StreamingContext, program
from tidemill.pyspark.streaming.pickled import dump
from tidemill.pytest_plugin import StreamTest

FIXTURE = Path(__file__).parent / "fixtures" / "v1" / "python-program"


def recovered(test: StreamTest, path: Path) -> StreamingContext:
    """The context that its program is rebuilt as."""
    prepared = program.prepare(test.ssc)
    path.mkdir(mode=0o700)
    program.store(path, prepared)
    read = program.read(str(path))
    assert read == prepared
    return StreamingContext._recover(str(path), read)


def test_every_kind_of_call_is_made_again(stream: StreamTest, tmp_path: Path) -> None:
    ssc = stream.ssc
    lines = ssc.textFileStream(str(tmp_path))
    pairs = lines.flatMap(str.split).map(lambda word: (word, 1)).cache()
    pairs.updateStateByKey(lambda values, state: sum(values), initialRDD=stream.sc.parallelize([("a", 1)])).pprint()
    stateful = pairs.mapWithState(StateSpec(lambda key, value, state: key, stream.sc.parallelize([("b", 2)])))
    ssc.union(lines, stateful).countByWindow(5, 1).saveAsTextFiles("out", suffix="txt")
    ssc.transform([lines, pairs], lambda rdds: rdds[0]).foreachRDD(lambda rdd: rdd.count())
    stateful.stateSnapshots().join(pairs).reduceByKeyAndWindow(operator.add, None, 2, filterFunc=bool).pprint(3)
    lines.transformWith(lambda a, b: a.union(b), other=lines).slice
    again = recovered(stream, tmp_path / "recovered")
    assert again._outputs == ssc._outputs and len(ssc._outputs) == 4
    assert again._keeps_state and again._batch_ms == ssc._batch_ms
    assert [step.method for step in ssc._plan.steps][:4] == ["textFileStream", "flatMap", "map", "cache"]
    again.stop(stopSparkContext=False)


def test_contexts_in_functions_are_the_recovered_ones(stream: StreamTest, tmp_path: Path) -> None:
    ssc, seen = stream.ssc, []
    lines = ssc.textFileStream(str(tmp_path))
    lines.transform(lambda rdd: seen.append((ssc, rdd.context)) or rdd).pprint()  # type: ignore[func-returns-value]
    again = recovered(stream, tmp_path / "recovered")
    data = program.read(str(tmp_path / "recovered"))
    assert data is not None
    steps = data.steps("", stream.sc, again)
    function = steps[1].arguments[0]
    cells = dict(zip(function.__code__.co_freevars, function.__closure__))
    assert cells["ssc"].cell_contents is again
    again.stop(stopSparkContext=False)


def test_broadcast_values_and_accumulators_are_made_again(stream: StreamTest, tmp_path: Path) -> None:
    known, seen = stream.sc.broadcast({"a"}), stream.sc.accumulator(7)
    lines = stream.ssc.textFileStream(str(tmp_path))
    lines.filter(lambda line: line in known.value).foreachRDD(lambda rdd: seen.add(1))
    again = recovered(stream, tmp_path / "recovered")
    data = program.read(str(tmp_path / "recovered"))
    assert data is not None
    steps = data.steps("", stream.sc, again)
    known_again, seen_again = (step.arguments[0].__closure__[0].cell_contents for step in steps[1:])
    assert known_again is not known and known_again.value == {"a"}
    assert seen_again is not seen and seen_again.value == 7
    again.stop(stopSparkContext=False)


def test_what_a_function_refers_to(stream: StreamTest) -> None:
    rdd = stream.sc.parallelize([1])
    source: Any = stream.ssc.queueStream([[1]])
    held = threading.Lock()
    for function, why in (
        (lambda x: x.union(rdd), "refers to an RDD"),
        (lambda x: source and x, "refers to a DStream"),
        (lambda x: held and x, "lock"),
    ):
        source.transform(function)
        with pytest.raises(pickle.PicklingError, match=f"transform at .*test_program.py:.*{why}"):
            dump(stream.ssc._plan.steps)
        stream.ssc._plan.steps.pop()


def test_queues_are_not_recovered(stream: StreamTest, tmp_path: Path) -> None:
    stream.ssc.queueStream([[1]]).pprint()
    with pytest.raises(program.UnreadableProgram, match="tidemill.queueStream.allowCheckpoint=true"):
        recovered(stream, tmp_path / "recovered")


def test_another_version_of_python(stream: StreamTest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stream.ssc.textFileStream(str(tmp_path)).pprint()
    monkeypatch.setattr(program, "python_version", lambda: "3.9")
    data = program.prepare(stream.ssc)
    monkeypatch.undo()
    with pytest.raises(program.UnreadableProgram, match="its functions are of Python 3.9"):
        data.steps("checkpoint", stream.sc, stream.ssc)


def test_secrets_are_not_stored(stream: StreamTest) -> None:
    stream.ssc.textFileStream(".").pprint()
    stream.sc.getConf()  # a copy
    stream.sc._conf.set("spark.my.password", "hush").set("spark.my.name", "said")
    data = program.prepare(stream.ssc).encode()
    assert b"hush" not in data and b"said" in data and b"spark.app.id" not in data


@pytest.mark.parametrize("length", [0, 10, 16, 30, -1])
def test_cut_files(length: int) -> None:
    data = FIXTURE.read_bytes()
    with pytest.raises((program.UnreadableProgram, IndexError)):
        program.Program.decode(data[:length])


def test_a_file_of_another_format() -> None:
    with pytest.raises(program.UnreadableProgram, match="version 9"):
        program.Program.decode(program.MAGIC + bytes([9]))


def test_a_program_of_version_1(stream: StreamTest) -> None:
    """Stored by the first release: no function of it is a script's own, for those are of one version of Python."""
    stored = program.Program.decode(FIXTURE.read_bytes())
    assert (stored.batch_ms, stored.conf) == (1000, {"spark.app.name": "fixture"})
    from tidemill.pyspark.streaming.pickled import load

    steps = load(stored.pickled, stream.sc, stream.ssc)
    assert [step.method for step in steps] == ["textFileStream", "map", "pprint"]


def test_a_link_is_not_followed(tmp_path: Path) -> None:
    tmp_path.chmod(0o700)
    (tmp_path / program.NAME).symlink_to(FIXTURE)
    with pytest.raises(OSError):
        program.read(str(tmp_path))


def test_another_directory_than_the_first_is_made_for_its_user_only(tmp_path: Path) -> None:
    program.make_directory(str(tmp_path / "a" / "b"))
    assert (tmp_path / "a" / "b").stat().st_mode & 0o777 == 0o700
    assert program.read(str(tmp_path / "a" / "b")) is None
    assert program.read(str(tmp_path / "none")) is None


