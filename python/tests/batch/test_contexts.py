"""Contexts and configurations: each test makes its own."""

import os
import sys
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tidemill.pyspark import RDD, SparkConf, SparkContext, SparkFiles, StorageLevel


@pytest.fixture(autouse=True)
def stopped() -> Iterator[None]:
    """No context before a test, and none after it."""
    yield
    if SparkContext._active_spark_context is not None:
        SparkContext._active_spark_context.stop()


def test_arguments_are_stronger_than_the_configuration() -> None:
    conf = SparkConf(False).setMaster("local[3]").setAppName("conf").set("spark.ui.port", 1)
    with SparkContext("local[1]", conf=conf, environment={"COLOUR": "red"}) as sc:
        assert (sc.master, sc.appName, sc.environment) == ("local[1]", "conf", {"COLOUR": "red"})
        assert sc.getConf().get("spark.ui.port") == "1"
        assert sc.defaultParallelism == 1
        sc.getConf().set("spark.ui.port", "2")
        assert sc.getConf().get("spark.ui.port") == "1"
    assert conf.get("spark.master") == "local[3]"


def test_one_context_at_a_time() -> None:
    sc = SparkContext("local[1]", "first")
    with pytest.raises(ValueError, match=r"existing SparkContext\(app=first, master=local\[1\]\) created by .*test_contexts"):
        SparkContext("local[1]", "second")
    assert SparkContext.getOrCreate() is sc
    sc.stop()
    sc.stop()
    assert SparkContext.getOrCreate(SparkConf(False).setMaster("local[1]")) is not sc


def test_a_wrong_master_leaves_no_context() -> None:
    with pytest.raises(ValueError):
        SparkContext("yarn-of-old", "wrong")
    SparkContext("local[1]", "right").stop()


def test_a_stopped_context_does_nothing() -> None:
    sc = SparkContext("local[1]", "stopped")
    numbers = sc.range(3)
    sc.stop()
    for act in (lambda: sc.range(3), lambda: numbers.map(str).union(numbers).collect(), lambda: sc.textFile("x")):
        with pytest.raises(AttributeError, match='the SparkContext "stopped" is stopped'):
            act()


def test_default_parallelism_decides_where_it_is_set() -> None:
    conf = SparkConf(False).setMaster("local[2]").setAppName("wide").set("spark.default.parallelism", 3)
    with SparkContext(conf=conf) as sc:
        pairs = sc.parallelize([(1, 2)], 5)
        assert sc.defaultParallelism == sc.range(9).getNumPartitions() == 3
        assert pairs.reduceByKey(max).getNumPartitions() == pairs.join(pairs).getNumPartitions() == 3


def test_setters_give_the_context(tmp_path: Path) -> None:
    with SparkContext("local[1]", "setters") as sc:
        assert sc.setLogLevel("warn") is sc
        assert sc.getCheckpointDir() is None
        assert sc.setCheckpointDir(str(tmp_path)) is sc
        assert sc.getCheckpointDir() is not None
        with pytest.raises(ValueError):
            sc.setLogLevel("LOUD")


def test_what_a_context_says_of_itself() -> None:
    with SparkContext("local[2]", "itself") as sc:
        assert sc.applicationId.startswith("local-") and sc.startTime > 0 and sc.version.startswith("3.5")
        assert (sc.defaultMinPartitions, sc.resources, sc.uiWebUrl) == (2, {}, None)
        assert repr(sc) == "<SparkContext master=local[2] appName=itself>"
        assert sc.sparkUser()
        assert "itself" in sc._repr_html_()


SLICES: list[tuple[Any, int, list[list[Any]]]] = [
    (range(7), 4, [[0], [1, 2], [3, 4], [5, 6]]),
    (list(range(7)), 4, [[0], [1, 2], [3, 4], [5, 6]]),
    (list(range(8)), 3, [[0, 1], [2, 3], [4, 5, 6, 7]]),
    (range(8), 3, [[0, 1], [2, 3, 4], [5, 6, 7]]),
    (["a", "b"], 4, [[], ["a"], [], ["b"]]),
    ((x for x in "ab"), 1, [["a", "b"]]),
    ([], 2, [[], []]),
    ({"k": 1}, 1, [["k"]]),
]


@pytest.mark.parametrize(("given", "number", "expected"), SLICES)
def test_parallelize_cuts_as_spark_does(given: Any, number: int, expected: list[list[Any]]) -> None:
    with SparkContext("local[1]", "slices") as sc:
        assert sc.parallelize(given, number).glom().collect() == expected


def test_ranges() -> None:
    with SparkContext("local[1]", "ranges") as sc:
        assert sc.range(10, 0, -3, numSlices=2).glom().collect() == [[10, 7], [4, 1]]
        assert sc.range(2**40, numSlices=3).getNumPartitions() == 3
        assert sc.emptyRDD().glom().collect() == []
        assert sc.union([sc.range(1), sc.range(2), sc.range(1)]).collect() == [0, 0, 1, 0]
        assert sc.union([sc.range(2)]).collect() == [0, 1]
        with pytest.raises(IndexError):
            sc.union([])
        with pytest.raises(ValueError):
            sc.parallelize([1], 0)


def appended(records: list[Any], record: Any) -> list[Any]:
    records.append(record)
    return records


def counted(accumulator: Any, record: Any) -> Any:
    accumulator.add(1)
    return record


def test_jobs_get_their_own_records() -> None:
    with SparkContext("local[1]", "own") as sc:
        given = [[1], [2]]
        lists = sc.parallelize(given, 2)
        grown = lists.map(lambda x: appended(x, 9))
        assert grown.collect() == grown.collect() == [[1, 9], [2, 9]]
        assert given == [[1], [2]]
        kept = sc.range(2).map(lambda x: [x]).cache()
        assert kept.map(lambda x: appended(x, 9)).collect() == [[0, 9], [1, 9]]
        assert kept.collect() == [[0], [1]]
        given.append([3])
        assert lists.count() == 2


def test_cached_records_are_computed_once() -> None:
    with SparkContext("local[2]", "cached") as sc:
        computed = sc.accumulator(0)
        numbers = sc.range(4).map(lambda x: counted(computed, x))
        assert numbers.cache() is numbers and numbers.is_cached
        assert (numbers.count(), numbers.map(str).count(), numbers.sum(), computed.value) == (4, 4, 6, 4)
        assert numbers.persist(StorageLevel.MEMORY_ONLY) is numbers
        assert str(numbers.getStorageLevel()) == "Memory Serialized 1x Replicated"
        with pytest.raises(ValueError):
            numbers.persist(StorageLevel.DISK_ONLY)
        with pytest.raises(TypeError):
            numbers.persist("MEMORY")  # type: ignore[arg-type]
        assert numbers.unpersist() is numbers
        assert (numbers.count(), computed.value, numbers.is_cached) == (4, 8, False)
        assert numbers.getStorageLevel() == StorageLevel.NONE


def test_a_dataset_cached_later_is_used_by_what_was_made_of_it_before() -> None:
    with SparkContext("local[1]", "later") as sc:
        computed = sc.accumulator(0)
        numbers = sc.range(4).map(lambda x: counted(computed, x)).coalesce(1)
        texts = numbers.map(str)
        numbers.cache()
        assert (texts.count(), texts.count(), computed.value) == (4, 4, 4)


def test_checkpoint(tmp_path: Path) -> None:
    with SparkContext("local[2]", "checkpoint") as sc:
        numbers = sc.range(4).map(str)
        with pytest.raises(RuntimeError, match="checkpoint directory has not been set"):
            numbers.checkpoint()
        sc.setCheckpointDir(str(tmp_path))
        numbers.checkpoint()
        assert not numbers.isCheckpointed() and numbers.getCheckpointFile() is None
        assert numbers.collect() == ["0", "1", "2", "3"]
        assert numbers.isCheckpointed() and numbers.getCheckpointFile() is not None
        assert numbers.map(int).sum() == 6


MADE: list[tuple[str, Callable[[SparkContext], RDD[Any]]]] = [
    ("a source", lambda sc: sc.parallelize([1, 2], 2)),
    ("a source that is kept frozen", lambda sc: sc.parallelize([[1], [2]], 2)),
    ("a step", lambda sc: sc.range(2, numSlices=2).map(str)),
    ("a cached step", lambda sc: sc.range(2, numSlices=2).map(str).cache()),
    ("a shuffle", lambda sc: sc.range(2, numSlices=2).repartition(2)),
    ("a reduction", lambda sc: sc.range(2, numSlices=2).keyBy(abs).reduceByKey(max)),
    ("a join", lambda sc: sc.range(2).keyBy(abs).join(sc.range(2).keyBy(abs))),
    ("a union", lambda sc: sc.range(2).union(sc.range(2))),
    ("no records", lambda sc: sc.parallelize([], 2).repartition(1)),
]


@pytest.mark.parametrize("make", [row[1] for row in MADE], ids=[row[0] for row in MADE])
def test_checkpoint_of(tmp_path: Path, make: Callable[[SparkContext], RDD[Any]]) -> None:
    with SparkContext("local[2]", "checkpoint") as sc:
        sc.setCheckpointDir(str(tmp_path))
        expected = make(sc).collect()
        made = make(sc)
        made.checkpoint()
        assert made.collect() == expected and made.isCheckpointed()
        assert made.collect() == made.map(lambda x: x).collect() == expected


def test_local_checkpoint() -> None:
    with SparkContext("local[2]", "checkpoint") as sc:
        computed = sc.accumulator(0)
        numbers = sc.range(4).map(lambda x: counted(computed, x))
        assert not numbers.isLocallyCheckpointed()
        numbers.localCheckpoint()
        assert numbers.isLocallyCheckpointed() and not numbers.isCheckpointed()
        assert (numbers.count(), numbers.sum(), computed.value) == (4, 6, 4)
        assert numbers.isCheckpointed() and numbers.getCheckpointFile() is None


def test_names_of_datasets() -> None:
    with SparkContext("local[1]", "names") as sc:
        numbers = sc.parallelize([1])
        assert numbers.name() is None and numbers.setName("one") is numbers and numbers.name() == "one"
        assert repr(numbers).startswith("one ParallelCollectionRDD[")
        assert b"one ParallelCollectionRDD" in numbers.map(str).toDebugString()
        assert numbers.context is numbers.ctx is sc
        assert numbers.id() != numbers.map(str).id()
        numbers.cleanShuffleDependencies()


def written(folder: Path, files: dict[str, str]) -> str:
    for name, text in files.items():
        (folder / name).write_text(text)
    return str(folder)


TEXTS: list[tuple[str, Callable[[SparkContext, str], RDD[Any]], list[Any]]] = [
    ("a folder", lambda sc, at: sc.textFile(at), ["a", "b", "c"]),
    ("a file", lambda sc, at: sc.textFile(f"{at}/1.txt"), ["a", "b"]),
    ("an address", lambda sc, at: sc.textFile(f"file://{at}/1.txt"), ["a", "b"]),
    ("a glob", lambda sc, at: sc.textFile(f"{at}/*.txt"), ["a", "b", "c"]),
    ("a list", lambda sc, at: sc.textFile(f"{at}/2.txt,{at}/1.txt"), ["c", "a", "b"]),
    ("bytes", lambda sc, at: sc.textFile(at, use_unicode=False), [b"a", b"b", b"c"]),
    ("whole", lambda sc, at: sc.wholeTextFiles(at).values(), ["a\nb\n", "c"]),
    ("whole bytes", lambda sc, at: sc.wholeTextFiles(at, use_unicode=False).values(), [b"a\nb\n", b"c"]),
    ("binary", lambda sc, at: sc.binaryFiles(at).values(), [b"a\nb\n", b"c"]),
    ("records", lambda sc, at: sc.binaryRecords(f"{at}/1.txt", 2), [b"a\n", b"b\n"]),
]


@pytest.mark.parametrize(("read", "expected"), [row[1:] for row in TEXTS], ids=[row[0] for row in TEXTS])
def test_files(tmp_path: Path, read: Callable[[SparkContext, str], RDD[Any]], expected: list[Any]) -> None:
    at = written(tmp_path, {"1.txt": "a\nb\n", "2.txt": "c", "_hidden": "x"})
    with SparkContext("local[1]", "files") as sc:
        assert read(sc, at).collect() == expected


def test_a_path_that_is_wrong_fails_when_it_is_read(tmp_path: Path) -> None:
    with SparkContext("local[1]", "files") as sc:
        missing = sc.textFile(str(tmp_path / "missing")).map(str)
        with pytest.raises(Exception, match="missing"):
            missing.count()


def test_text_is_saved(tmp_path: Path) -> None:
    with SparkContext("local[1]", "saved") as sc:
        at = str(tmp_path / "saved")
        sc.parallelize(["a", b"b", 3, (4, "d"), None], 2).saveAsTextFile(at)
        assert sorted(name for name in os.listdir(at) if name[0] != ".") == ["_SUCCESS", "part-00000", "part-00001"]
        assert sc.textFile(at).collect() == ["a", "b", "3", "(4, 'd')", "None"]
        with pytest.raises(Exception):
            sc.range(1).saveAsTextFile(at)
        with pytest.raises(ValueError):
            sc.range(1).saveAsTextFile(str(tmp_path / "other"), "org.example.OwnCodec")


def test_pickles_are_saved(tmp_path: Path) -> None:
    records = [1, "b", {"c": [None]}, (2.5, b"d")] * 50
    with SparkContext("local[1]", "saved") as sc:
        at = str(tmp_path / "saved")
        sc.parallelize(records, 2).saveAsPickleFile(at, 3)
        assert sorted(os.listdir(at)) == ["_SUCCESS", "part-00000", "part-00001"]
        assert sc.pickleFile(at).collect() == records
        assert sc.pickleFile(f"file://{at}").getNumPartitions() == 2
        with pytest.raises(FileExistsError):
            sc.range(1).saveAsPickleFile(at)
        with pytest.raises(FileNotFoundError):
            sc.pickleFile(f"{at}/none").count()


def test_pickle_files_look_as_those_of_spark(tmp_path: Path) -> None:
    """The bytes that Spark wrote for the same records, but for the marks that are by chance."""
    from tidemill.pyspark import _object_files

    array = _object_files.serialized([b"ab", b"c"])
    head, first, second = "aced0005757200035b5b424bfd19156767db370200007870", "757200025b42acf317f8060854e00200007870", "7571007e0002"
    assert array.hex() == f"{head}00000002{first}00000002{b'ab'.hex()}{second}00000001{b'c'.hex()}"
    assert list(_object_files.deserialized(array)) == [b"ab", b"c"]
    with pytest.raises(ValueError):
        list(_object_files.deserialized(b"something else"))


def test_added_files(tmp_path: Path) -> None:
    written(tmp_path, {"data.txt": "100", "added_module.py": "answer = 42"})
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("zipped_module.py", "answer = 43")
    (tmp_path / "folder").mkdir()
    written(tmp_path / "folder", {"inside.txt": "x"})
    with SparkContext("local[1]", "added", pyFiles=[str(tmp_path / "added_module.py")]) as sc:
        sc.addFile(str(tmp_path / "data.txt"))
        sc.addFile(str(tmp_path / "folder"), recursive=True)
        sc.addPyFile(str(tmp_path / "a.zip"))
        sc.addArchive(str(tmp_path / "a.zip#unpacked"))
        assert open(SparkFiles.get("data.txt")).read() == "100"
        assert os.listdir(SparkFiles.get("folder")) == ["inside.txt"]
        assert os.listdir(SparkFiles.get("unpacked")) == ["zipped_module.py"]
        assert [address.rsplit("/", 1)[1] for address in sc.listFiles] == ["added_module.py", "data.txt", "folder", "a.zip"]
        assert len(sc.listArchives) == 1

        def answers(_: int) -> tuple[int, int]:
            import added_module  # type: ignore[import-not-found]
            import zipped_module  # type: ignore[import-not-found]

            return added_module.answer, zipped_module.answer

        assert sc.range(1).map(answers).collect() == [(42, 43)]
        with pytest.raises(ValueError):
            sc.addFile(str(tmp_path / "folder"))
        root = SparkFiles.getRootDirectory()
    assert not os.path.exists(root) and root not in sys.path
    with pytest.raises(RuntimeError):
        SparkFiles.getRootDirectory()


def test_files_of_the_configuration(tmp_path: Path) -> None:
    at = written(tmp_path, {"1.txt": "a", "2.txt": "b"})
    conf = SparkConf(False).setMaster("local[1]").set("spark.files", f"{at}/1.txt,{at}/2.txt")
    with SparkContext(conf=conf):
        assert open(SparkFiles.get("2.txt")).read() == "b"


def test_jobs_are_known() -> None:
    with SparkContext("local[1]", "jobs") as sc:
        sc.setJobGroup("group", "what it is", interruptOnCancel=True)
        sc.addJobTag("tag")
        sc.range(1).count()
        (job,) = sc.statusTracker().getJobIdsForGroup("group")
        info = sc.statusTracker().getJobInfo(job)
        assert info is not None and (info.jobId, info.status) == (job, "SUCCEEDED")
        assert sc.getLocalProperty("spark.job.description") == "what it is"
        assert sc.getJobTags() == {"tag"}
        sc.clearJobTags()
        assert sc.getJobTags() == set()
        assert sc.statusTracker().getJobInfo(99) is None
        assert sc.statusTracker().getStageInfo(99) is None
        running = sc.range(1).map(lambda _: 1)
        with pytest.raises(ZeroDivisionError):
            running.foreach(lambda x: x / 0)
        failed = sc.statusTracker().getJobInfo(max(sc.statusTracker().getJobIdsForGroup("group")))
        assert failed is not None and failed.status == "FAILED"
        assert sc.statusTracker().getActiveJobsIds() == sc.statusTracker().getActiveStageIds() == []
        for cancel in (sc.cancelAllJobs, lambda: sc.cancelJobGroup("group"), lambda: sc.cancelJobsWithTag("tag")):
            cancel()
        with pytest.raises(ValueError):
            sc.addJobTag("a,b")


def test_run_job() -> None:
    with SparkContext("local[1]", "jobs") as sc:
        numbers = sc.range(6, numSlices=3)
        assert sc.runJob(numbers, lambda part: [sum(part)]) == [1, 5, 9]
        assert sc.runJob(numbers, lambda part: [x * x for x in part], [0, 2], True) == [0, 1, 16, 25]


def test_configuration(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYSPARK_SUBMIT_ARGS", "--master local[7] --conf 'a.b=c d' --name n --verbose pyspark-shell")
    conf = SparkConf()
    assert (conf.get("spark.master"), conf.get("spark.app.name"), conf.get("a.b")) == ("local[7]", "n", "c d")
    assert conf.setIfMissing("a.b", "x").get("a.b") == "c d"
    assert SparkConf(False).getAll() == []
    made = SparkConf(False).setExecutorEnv(pairs=[("A", "1"), ("B", "2")]).setSparkHome("/s").set("t", True)
    assert made.toDebugString() == "spark.executorEnv.A=1\nspark.executorEnv.B=2\nspark.home=/s\nt=True"
    assert made.get("none") is None and made.get("none", "d") == "d"
    with pytest.raises(RuntimeError):
        made.setExecutorEnv()  # type: ignore[call-overload]


def test_hadoop_formats_are_refused_by_name() -> None:
    with SparkContext("local[1]", "hadoop") as sc:
        with pytest.raises(NotImplementedError, match="SparkContext.sequenceFile"):
            sc.sequenceFile("x")
        with pytest.raises(NotImplementedError, match="RDD.saveAsSequenceFile"):
            sc.range(1).saveAsSequenceFile("x")
        for what in (sc, sc.range(1)):
            with pytest.raises(AttributeError):
                what.no_such_thing


def test_resources_are_noted() -> None:
    from tidemill.pyspark.resource import ResourceProfileBuilder, TaskResourceRequests

    with SparkContext("local[1]", "resources") as sc:
        profile = ResourceProfileBuilder().require(TaskResourceRequests().cpus(2)).build
        wide = sc.range(3).withResources(profile)
        assert wide.getResourceProfile() is profile and wide.map(str).count() == 3
        assert sc.range(1).getResourceProfile() is None
