"""The package as programs import it: under the name of pyspark, with serializers, rows and what comes later."""

import io
import marshal
import os
import pickle
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import tidemill.pyspark as package
from tidemill.pyspark import InheritableThread, Row, SparkContext, StorageLevel, serializers
from tidemill.pyspark.sql import SparkSession, SQLContext, Window, functions, types

ROOT = Path(package.__file__).parents[2]


def python(program: str, *path: Path) -> subprocess.CompletedProcess[str]:
    """Runs a program in a process of its own."""
    places = [str(ROOT), *map(str, path), os.environ.get("PYTHONPATH", "")]
    return subprocess.run(
        [sys.executable, "-c", program],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(places)},
        capture_output=True,
        text=True,
        timeout=60,
    )


INSTALLED = """
import tidemill.pyspark
tidemill.pyspark.install()
tidemill.pyspark.install()
import findspark
findspark.init()
import pyspark, pyspark.rdd, pyspark.sql.functions
from pyspark.sql.types import StringType
import sys, pickle
for name, module in list(sys.modules.items()):
    if name.split(".")[0] == "pyspark":
        assert module is sys.modules["tidemill." + name], name
assert pyspark.__spec__.name == "tidemill.pyspark"
assert pickle.loads(pickle.dumps(pyspark.Row(a=1))) == pyspark.Row(a=1)
try:
    import pyspark.ml
except ModuleNotFoundError as error:
    print(error)
try:
    import pyspark.no_such_thing
except ModuleNotFoundError as error:
    print(error.name)
"""


def test_install() -> None:
    done = python(INSTALLED)
    assert done.returncode == 0, done.stderr
    absent, missing = done.stdout.splitlines()
    assert "pyspark.ml" in absent and "no_such_thing" in missing
    assert done.stderr == ""


def test_a_real_pyspark_is_left_alone_and_named(tmp_path: Path) -> None:
    (tmp_path / "pyspark").mkdir()
    (tmp_path / "pyspark" / "__init__.py").write_text("real = True")
    done = python("import tidemill.pyspark as p; p.install(); import pyspark; assert pyspark is p", tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("\n") == 1 and str(tmp_path) in done.stderr
    done = python("import pyspark, tidemill.pyspark as p; p.install()", tmp_path)
    assert "RuntimeError" in done.stderr and "imported already" in done.stderr


def test_functions_import_as_they_do_elsewhere() -> None:
    names: dict[str, Any] = {}
    exec("from tidemill.pyspark.sql.functions import *", names)
    with pytest.raises(NotImplementedError, match="functions.col is not here yet: DataFrames come later"):
        names["col"]("a")
    assert {"sum", "desc", "window", "udf"} <= set(functions.__all__)


def test_what_needs_dataframes_says_so() -> None:
    spark = SparkSession.builder.master("local[1]").appName("later").config("a", True).getOrCreate()
    try:
        assert SparkSession.builder.getOrCreate() is spark is SparkSession.getActiveSession()
        assert spark.conf.get("a") == "true" and spark.version == spark.sparkContext.version
        with pytest.raises(KeyError):
            spark.conf.get("b")
        old = SQLContext(spark.sparkContext)
        acts: dict[str, Callable[[], Any]] = {
            "SparkSession.createDataFrame": lambda: spark.createDataFrame([(1,)]),
            "SparkSession.read": lambda: spark.read,
            "SQLContext.sql": lambda: old.sql("select 1"),
            "RDD.toDF": lambda: spark.sparkContext.range(1).toDF(["a"]),
            "Window.partitionBy": lambda: Window.partitionBy("a"),
        }
        for name, act in acts.items():
            with pytest.raises(NotImplementedError, match=f"{name} is not here yet"):
                act()
    finally:
        spark.stop()
    assert SparkSession.getActiveSession() is None
    with pytest.raises(RuntimeError):
        SparkSession.active()


def test_rows() -> None:
    row = Row(name="Alice", age=11)
    assert (row.name, row["age"], row[0], "age" in row, len(row)) == ("Alice", 11, "Alice", True, 2)
    assert row == ("Alice", 11) and repr(row) == "Row(name='Alice', age=11)"
    assert Row("name", "age")("Alice", 11) == row and repr(Row("a", 1)) == "<Row('a', 1)>"
    assert Row(a=Row(b=[Row(c=1)]), d={"e": Row(f=2)}).asDict(True) == {"a": {"b": [{"c": 1}]}, "d": {"e": {"f": 2}}}
    assert pickle.loads(pickle.dumps(row)).age == 11 and pickle.loads(pickle.dumps(Row("a"))) == Row("a")
    assert sorted([Row(a=2), Row(a=1)])[0].a == 1


def test_what_rows_refuse() -> None:
    row = Row(name="Alice")
    acts: list[tuple[Callable[[], Any], type[Exception]]] = [
        (lambda: row.age, AttributeError),
        (lambda: row["age"], ValueError),
        (lambda: Row("a", b=1), ValueError),
        (lambda: Row("a").asDict(), TypeError),
        (lambda: Row("a")(1, 2), ValueError),
        (lambda: setattr(row, "name", "Bob"), RuntimeError),
    ]
    for act, error in acts:
        with pytest.raises(error):
            act()


def test_types() -> None:
    schema = types.StructType([types.StructField("a", types.ArrayType(types.IntegerType()))])
    schema.add("b", "string").add(types.StructField("c", types.MapType(types.StringType(), types.DecimalType(5, 2))))
    assert schema.simpleString() == "struct<a:array<int>,b:string,c:map<string,decimal(5,2)>>"
    assert (schema.fieldNames(), len(schema), schema[1].name) == (["a", "b", "c"], 3, "b")  # type: ignore[union-attr]
    assert schema == types.StructType(list(schema)) and '"name":"b"' in schema.json()
    with pytest.raises(KeyError):
        schema["none"]
    with pytest.raises(ValueError):
        schema.add("d")


@pytest.mark.parametrize(
    "serializer",
    [
        serializers.PickleSerializer(),
        serializers.CPickleSerializer(),
        serializers.MarshalSerializer(),
        serializers.AutoSerializer(),
        serializers.CompressedSerializer(serializers.PickleSerializer()),
        serializers.BatchedSerializer(serializers.PickleSerializer(), 2),
        serializers.AutoBatchedSerializer(serializers.PickleSerializer()),
    ],
    ids=repr,
)
def test_serializers(serializer: serializers.Serializer) -> None:
    stream = io.BytesIO()
    serializer.dump_stream(iter([1, "a", (2.5, None)]), stream)
    stream.seek(0)
    assert list(serializer.load_stream(stream)) == [1, "a", (2.5, None)]


def test_parts_of_serializers() -> None:
    stream = io.BytesIO()
    serializers.write_int(-1, stream)
    serializers.write_long(2**40, stream)
    serializers.write_with_length("ä".encode(), stream)
    stream.write(b"\x01")
    stream.seek(0)
    assert (serializers.read_int(stream), serializers.read_long(stream)) == (-1, 2**40)
    assert serializers.UTF8Deserializer().loads(stream) == "ä"
    assert serializers.read_bool(stream) is True
    with pytest.raises(EOFError):
        serializers.read_int(stream)
    assert serializers.PickleSerializer() == serializers.PickleSerializer() != serializers.MarshalSerializer()
    chunked = serializers.ChunkedStream(stream, 2)
    chunked.write(b"abc")
    chunked.close()
    assert stream.getvalue().endswith(b"\x00\x00\x00\x02ab\x00\x00\x00\x01c\xff\xff\xff\xff") and chunked.closed
    assert marshal.loads(serializers.MarshalSerializer().dumps([1])) == [1]


@pytest.mark.parametrize(
    ("level", "text"),
    [
        (StorageLevel.NONE, "Serialized 1x Replicated"),
        (StorageLevel.DISK_ONLY_3, "Disk Serialized 3x Replicated"),
        (StorageLevel.MEMORY_AND_DISK_2, "Disk Memory Serialized 2x Replicated"),
        (StorageLevel.MEMORY_AND_DISK_DESER, "Disk Memory Deserialized 1x Replicated"),
        (StorageLevel.OFF_HEAP, "Disk Memory OffHeap Serialized 1x Replicated"),
    ],
)
def test_storage_levels(level: StorageLevel, text: str) -> None:
    assert str(level) == text
    assert eval(repr(level)) == level


def test_threads_inherit_properties() -> None:
    with SparkContext("local[1]", "threads") as sc:
        sc.setLocalProperty("colour", "red")
        seen: list[str | None] = []
        thread = InheritableThread(lambda: seen.append(sc.getLocalProperty("colour")))
        sc.setLocalProperty("colour", "blue")
        thread.start()
        thread.join()
        assert seen == ["blue"]


def test_profilers(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    profiler = package.BasicProfiler(None)
    assert profiler.profile(max, [1, 2]) == 2
    profiler.show(3)
    assert "Profile of RDD<id=3>" in capsys.readouterr().out
    profiler.dump(3, str(tmp_path / "profiles"))
    assert os.listdir(tmp_path / "profiles") == ["rdd_3.pstats"]
    with SparkContext("local[1]", "profiles") as sc:
        sc.show_profiles()
        sc.dump_profiles(str(tmp_path))


def test_errors() -> None:
    from tidemill.pyspark import errors
    from tidemill.pyspark.sql.utils import AnalysisException

    assert issubclass(AnalysisException, errors.PySparkException)
    error = errors.PySparkTypeError("no", error_class="NOT_THAT", message_parameters={"a": "b"})
    assert isinstance(error, TypeError) and str(error) == "[NOT_THAT] no"
    assert error.getMessageParameters() == {"a": "b"}


IN_A_SUBINTERPRETER = """
import _xxsubinterpreters as interpreters
import tidemill._native
program = 'try:\\n import tidemill._native\\nexcept ImportError as error:\\n print(error, flush=True)'
interpreters.run_string(interpreters.create(isolated=False), program)
"""


@pytest.mark.skipif(sys.version_info >= (3, 13), reason="subinterpreters have another module there")
def test_a_subinterpreter_is_refused() -> None:
    done = python(IN_A_SUBINTERPRETER)
    assert "runs in the main interpreter of a process only" in done.stdout, done.stderr
