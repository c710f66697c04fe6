"""What happens in tasks: errors, captures, accumulators, broadcasts, contexts of tasks."""

import pickle
import threading
from collections.abc import Callable
from typing import Any

import cloudpickle  # type: ignore[import-untyped]
import pytest

from tidemill.pyspark import (
    AccumulatorParam,
    BarrierTaskContext,
    Broadcast,
    SparkContext,
    TaskContext,
    _captures,
    _task,
)


class Mine(Exception):
    """An error of the user's."""


def fail(x: Any) -> Any:
    raise Mine(str(x))


def stop_iterating(x: Any) -> Any:
    raise StopIteration


JOBS: list[tuple[str, Callable[[SparkContext, Any], Any]]] = [
    ("map", lambda sc, f: sc.range(3).map(f).collect()),
    ("filter", lambda sc, f: sc.range(3).filter(f).count()),
    ("flatMap", lambda sc, f: sc.range(3).flatMap(f).collect()),
    ("mapValues", lambda sc, f: sc.range(3).keyBy(str).mapValues(f).collect()),
    ("flatMapValues", lambda sc, f: sc.range(3).keyBy(str).flatMapValues(f).collect()),
    ("keyBy", lambda sc, f: sc.range(3).keyBy(f).collect()),
    ("mapPartitions", lambda sc, f: sc.range(3).mapPartitions(f).collect()),
    ("between", lambda sc, f: sc.range(3).map(str).map(f).mapPartitions(list).map(str).collect()),
    ("foreach", lambda sc, f: sc.range(3).foreach(f)),
    ("foreachPartition", lambda sc, f: sc.range(3).foreachPartition(f)),
    ("reduce", lambda sc, f: sc.range(3, numSlices=1).reduce(lambda a, b: f(a))),
    ("fold", lambda sc, f: sc.range(3).fold(0, lambda a, b: f(a))),
    ("reduceByKey", lambda sc, f: sc.parallelize([(1, 1), (1, 2)], 1).reduceByKey(lambda a, b: f(a)).collect()),
    ("combineByKey", lambda sc, f: sc.parallelize([(1, 1)]).combineByKey(f, f, f).collect()),
    ("partitionBy", lambda sc, f: sc.parallelize([(1, 1)]).partitionBy(2, f).collect()),
    ("sortBy", lambda sc, f: sc.range(3, numSlices=2).sortBy(f).collect()),
    ("max", lambda sc, f: sc.range(3).max(key=f)),
    ("top", lambda sc, f: sc.range(3).top(1, key=f)),
    ("zip", lambda sc, f: sc.range(3).zip(sc.range(3).map(f)).collect()),
    ("cartesian", lambda sc, f: sc.range(3).cartesian(sc.range(3).map(f)).collect()),
    ("take", lambda sc, f: sc.range(3).map(f).take(1)),
    ("runJob", lambda sc, f: sc.runJob(sc.range(3), f)),
]


@pytest.mark.parametrize("job", [row[1] for row in JOBS], ids=[row[0] for row in JOBS])
def test_an_error_of_the_user_comes_back_as_itself(sc: SparkContext, job: Callable[[SparkContext, Any], Any]) -> None:
    with pytest.raises(Mine):
        job(sc, fail)


@pytest.mark.parametrize("job", [row[1] for row in JOBS], ids=[row[0] for row in JOBS])
def test_stop_iteration_cuts_nothing_short(sc: SparkContext, job: Callable[[SparkContext, Any], Any]) -> None:
    with pytest.raises(RuntimeError):
        job(sc, stop_iterating)


def test_the_last_record_may_not_stop_either(sc: SparkContext) -> None:
    with pytest.raises(RuntimeError):
        sc.range(1, numSlices=1).map(stop_iterating).collect()


def with_default(value: Any) -> Callable[[Any], Any]:
    def f(x: Any, default: Any = value) -> Any:
        return x

    return f


CAPTURES: list[tuple[str, Callable[[SparkContext], Any]]] = [
    ("a context in a closure", lambda sc: sc.range(2).map(lambda x: sc.range(x).count()).collect()),
    ("a context in a default", lambda sc: sc.range(2).map(with_default(sc)).collect()),
    ("a context in a list", lambda sc: (lambda cs: sc.range(2).map(lambda x: cs).collect())([sc])),
    ("a dataset in a closure", lambda sc: (lambda r: sc.range(2).map(lambda x: r.count()).collect())(sc.range(1))),
    ("a dataset in a reduction", lambda sc: (lambda r: sc.range(2).reduce(lambda a, b: r.count()))(sc.range(1))),
    ("a dataset in a sort", lambda sc: (lambda r: sc.range(2).sortBy(lambda x: r).collect())(sc.range(1))),
]


@pytest.mark.parametrize("act", [row[1] for row in CAPTURES], ids=[row[0] for row in CAPTURES])
def test_what_lives_on_the_driver_stays_there(sc: SparkContext, act: Callable[[SparkContext], Any]) -> None:
    with pytest.raises(pickle.PicklingError, match="SPARK-5063"):
        act(sc)


def test_the_error_names_the_variable(sc: SparkContext) -> None:
    my_records = sc.range(1)
    with pytest.raises(pickle.PicklingError, match='the variable "my_records"'):
        sc.range(2).map(lambda x: my_records.count() * x).collect()


def test_contexts_and_datasets_cannot_be_pickled(sc: SparkContext) -> None:
    for what in (sc, sc.range(1)):
        with pytest.raises(RuntimeError, match="SPARK-5063"):
            pickle.dumps(what)
    with pytest.raises(RuntimeError, match="SPARK-5063"):
        sc.broadcast(sc.range(1))


def test_what_cannot_be_pickled_is_named() -> None:
    my_lock = threading.Lock()

    def locked(x: Any) -> Any:
        with my_lock:
            return x

    with pytest.raises(pickle.PicklingError, match='the variable "my_lock"'):
        _captures.dumped(locked, cloudpickle.dumps)


def test_commands_can_be_shipped(sc: SparkContext) -> None:
    """What a command pickles to does the same work."""
    factor = 3
    shared = sc.broadcast(10)
    rdd = sc.range(4).map(lambda x: x * factor + shared.value).filter(bool).keyBy(str)
    _, plan = rdd._reading()
    command = _task.Command(_task.to_blocks, (plan,), "test")
    shipped = cloudpickle.loads(cloudpickle.dumps(command))
    assert list(_task.run_task(shipped, 0, [[range(2)], [range(1)]])) == [[("10", 10), ("13", 13), ("10", 10)]]


class Sets(AccumulatorParam[set[Any]]):
    def zero(self, value: set[Any]) -> set[Any]:
        return set()

    def addInPlace(self, value1: set[Any], value2: set[Any]) -> set[Any]:
        return value1 | value2


def test_accumulators(sc: SparkContext) -> None:
    total, seen = sc.accumulator(1.5), sc.accumulator({0}, Sets())

    def note(x: int) -> None:
        nonlocal total
        total += x
        seen.add({x})

    sc.range(1, 4, numSlices=2).foreach(note)
    assert (total.value, seen.value) == (7.5, {0, 1, 2, 3})
    total.value = 2.0
    total += 1
    assert (total.value, str(total)) == (3.0, "3.0")


def test_accumulators_count_each_computation(sc: SparkContext) -> None:
    counted = sc.accumulator(0)

    def note(x: int) -> int:
        counted.add(2)
        return x

    numbers = sc.range(3).map(note)
    assert (numbers.count(), numbers.count(), counted.value) == (3, 3, 12)


def test_a_task_that_fails_adds_nothing(sc: SparkContext) -> None:
    counted = sc.accumulator(0)

    def note(x: int) -> None:
        counted.add(1)
        if x == 2:
            raise Mine(x)

    with pytest.raises(Mine):
        sc.range(4, numSlices=1).foreach(note)
    assert counted.value == 0


def test_tasks_do_not_read_accumulators(sc: SparkContext) -> None:
    counted = sc.accumulator(0)
    with pytest.raises(RuntimeError, match="inside tasks"):
        sc.range(1).foreach(lambda x: counted.value)
    with pytest.raises(TypeError):
        sc.accumulator("a")


def test_broadcasts(sc: SparkContext) -> None:
    shared = sc.broadcast([1, 2])
    assert sc.range(2).map(lambda i: shared.value[i]).collect() == [1, 2]
    shared.unpersist()
    assert pickle.loads(pickle.dumps(shared)) is shared
    shared.destroy()
    with pytest.raises(RuntimeError, match="after it was destroyed"):
        shared.value
    with pytest.raises(pickle.PicklingError, match="after it was destroyed"):
        sc.range(2).map(lambda i: shared.value[i]).collect()


def test_tasks_do_not_destroy_broadcasts(sc: SparkContext) -> None:
    shared = sc.broadcast(1)
    with pytest.raises(RuntimeError, match="in driver"):
        sc.range(1).foreach(lambda x: shared.destroy())


def test_a_broadcast_is_loaded_by_its_number_elsewhere(monkeypatch: pytest.MonkeyPatch, sc: SparkContext) -> None:
    data = pickle.dumps(sc.broadcast(1))
    monkeypatch.setattr(Broadcast, "_registry", {})
    monkeypatch.setattr(Broadcast, "_load", staticmethod(lambda number: ("loaded", number)))
    loaded: Broadcast[Any] = pickle.loads(data)
    assert loaded.value[0] == "loaded"


def test_context_of_tasks(sc: SparkContext) -> None:
    assert TaskContext.get() is None

    def described(_: Any) -> tuple[Any, ...]:
        context = TaskContext.get()
        assert context is not None
        return context.partitionId(), context.attemptNumber(), context.cpus(), context.resources()

    assert sc.range(2, numSlices=2).map(described).collect() == [(0, 0, 1, {}), (1, 0, 1, {})]
    ids = sc.range(2, numSlices=2).map(lambda _: TaskContext.get().taskAttemptId()).collect()  # type: ignore[union-attr]
    assert len(set(ids)) == 2
    stages = sc.range(2, numSlices=2).map(lambda _: TaskContext.get().stageId()).collect()  # type: ignore[union-attr]
    assert len(set(stages)) == 1


def test_barrier(sc: SparkContext) -> None:
    def together(records: Any) -> Any:
        context = BarrierTaskContext.get()
        context.barrier()
        return [context.allGather(str(list(records))), len(context.getTaskInfos())]

    assert sc.range(2, numSlices=2).barrier().mapPartitions(together).collect() == [["[0]", "[1]"], 2] * 2
    with pytest.raises(RuntimeError):
        sc.range(1).map(lambda _: BarrierTaskContext.get()).collect()
    with pytest.raises(RuntimeError, match="SPARK-24819"):
        sc.range(3, numSlices=3).barrier().mapPartitions(together).collect()


def test_nobody_waits_for_a_task_that_failed(sc: SparkContext) -> None:
    def together(index: int, records: Any) -> Any:
        if index == 0:
            raise Mine(index)
        BarrierTaskContext.get().barrier()
        return records

    with pytest.raises((Mine, RuntimeError)):
        sc.range(2, numSlices=2).barrier().mapPartitionsWithIndex(together).collect()


def test_jobs_run_on_the_driver_alone(sc: SparkContext) -> None:
    hidden: dict[str, Any] = {}

    class Holder:
        __slots__ = ("rdd",)
        rdd: Any

    holder = Holder()
    holder.rdd = sc.range(1)
    hidden["holder"] = holder
    with pytest.raises((RuntimeError, pickle.PicklingError), match="SPARK-5063"):
        sc.range(1).map(lambda x: hidden["holder"].rdd.count()).collect()
    with pytest.raises(RuntimeError, match="SPARK-5063"):
        sc.range(1).map(lambda x: SparkContext("local[1]", "nested")).collect()
