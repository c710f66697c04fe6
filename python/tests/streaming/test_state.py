"""State by key, by tables of input batches and expected batches."""

from typing import Any

import pytest

from tidemill.pyspark.streaming import State, StateSpec
from tidemill.pytest_plugin import StreamTest

from test_batches import run


def add(values: list[int], count: int | None) -> int:
    return sum(values) + (count or 0)


def sorted_batches(batches: list[list[Any]]) -> list[list[Any]]:
    return [sorted(batch) for batch in batches]


def test_every_key_is_shown_in_every_batch(stream: StreamTest) -> None:
    batches = run(stream, lambda s: s.updateStateByKey(add), [[("a", 1)], [("b", 2), ("b", 3)]], ticks=3)
    assert sorted_batches(batches) == [[("a", 1)], [("a", 1), ("b", 5)], [("a", 1), ("b", 5)]]


def test_none_forgets_a_key_and_other_false_values_do_not(stream: StreamTest) -> None:
    def update(values: list[int], state: int | None) -> int | None:
        return 0 if values == [0] else None if not values else sum(values)

    batches = run(stream, lambda s: s.updateStateByKey(update), [[("a", 0), ("b", 1)], []])
    assert sorted_batches(batches) == [[("a", 0), ("b", 1)], []]


def test_idle_keys_are_updated_too(stream: StreamTest) -> None:
    def update(values: list[int], state: Any) -> tuple[int, Any]:
        return len(values), state

    batches = run(stream, lambda s: s.updateStateByKey(update), [[("a", 1)], []])
    assert batches == [[("a", (1, None))], [("a", (0, (1, None)))]]


@pytest.mark.parametrize("as_rdd", [False, True])
def test_initial_states(stream: StreamTest, as_rdd: bool) -> None:
    initial: Any = [("a", 10), ("c", 7)]
    if as_rdd:
        initial = stream.sc.parallelize(initial)
    batches = run(stream, lambda s: s.updateStateByKey(add, initialRDD=initial), [[("a", 1)]])
    assert sorted_batches(batches) == [[("a", 11), ("c", 7)]]


def test_state_may_be_changed_in_place(stream: StreamTest) -> None:
    def update(values: list[int], state: list[int] | None) -> list[int]:
        state = state if state is not None else []
        state.extend(values)
        return state

    batches = run(stream, lambda s: s.updateStateByKey(update), [[("a", 1)], [("a", 2)], []])
    assert batches == [[("a", [1])], [("a", [1, 2])], [("a", [1, 2])]]


def test_a_failed_batch_leaves_no_trace_in_state(stream: StreamTest) -> None:
    def update(values: list[Any], state: list[Any] | None) -> list[Any]:
        state = state if state is not None else []
        state.extend(values)
        if "bad" in values:
            raise LookupError("bad")
        return state

    source = stream.input()
    out = stream.collect(source.updateStateByKey(update))
    source.push(("a", 1))
    stream.tick()
    source.push(("a", "bad"))
    with pytest.raises(LookupError):
        stream.tick()
    source.push(("a", 2))
    with pytest.raises(LookupError):
        stream.tick()
    assert out.batches == [[("a", [1])], [("a", [1, 2])]]


def count(key: str, value: int | None, state: State[int]) -> tuple[str, int]:
    state.update((state.getOption() or 0) + (value or 0))
    return key, state.get()


def test_map_with_state_gives_what_each_record_makes(stream: StreamTest) -> None:
    batches = run(stream, lambda s: s.mapWithState(StateSpec.function(count)), [[("a", 1), ("a", 2)], [], [("a", 3)]])
    assert batches == [[("a", 1), ("a", 3)], [], [("a", 6)]]


def test_state_snapshots(stream: StreamTest) -> None:
    spec = StateSpec(count, initialState=[("z", 9)], numPartitions=1)
    batches = run(stream, lambda s: s.mapWithState(spec).stateSnapshots(), [[("a", 1)], [("b", 2)]])
    assert sorted_batches(batches) == [[("a", 1), ("z", 9)], [("a", 1), ("b", 2), ("z", 9)]]


def test_map_with_state_with_time_and_nothing_to_give(stream: StreamTest) -> None:
    def step(time: Any, key: str, value: int | None, state: State[int]) -> Any:
        assert not state.exists()
        return (key, time.timestamp()) if value == 1 else None

    batches = run(stream, lambda s: s.mapWithState(StateSpec(step)), [[("a", 1)], [("a", 2)]])
    assert batches == [[("a", 1.0)], []]


def test_keys_time_out(stream: StreamTest) -> None:
    def step(key: str, value: int | None, state: State[int]) -> tuple[str, str]:
        if state.isTimingOut():
            return key, f"gone with {state.get()}"
        assert value is not None
        state.update(value)
        return key, "here"

    batches = run(stream, lambda s: s.mapWithState(StateSpec(step, timeout=2)), [[("a", 7)]], ticks=5)
    assert [record for batch in batches for record in batch] == [("a", "here"), ("a", "gone with 7")]


def test_state_of_a_key(stream: StreamTest) -> None:
    seen: list[Any] = []

    def step(key: str, value: int | None, state: State[int]) -> None:
        seen.append((state.exists(), state.getOption(), repr(state)))
        with pytest.raises(KeyError):
            state.get()
        state.update(5)
        seen.append((state.exists(), state.get(), repr(state)))
        state.remove()

    assert run(stream, lambda s: s.mapWithState(StateSpec(step)), [[("a", 1)]]) == [[]]
    assert seen == [(False, None, "State(<state not set>)"), (True, 5, "State(5)")]


@pytest.mark.parametrize("bad", [0, -1])
def test_timeouts_are_above_zero(bad: float) -> None:
    with pytest.raises(ValueError, match="above 0"):
        StateSpec(count, timeout=bad)
