"""Random records, and how two results compare.

Types of records are told apart so that a pipeline fits together: "int", "float", "str", "any" (what can be a key but has
no order), ("pair", key, value), and "list" (has no hash).
"""

from typing import Any

from hypothesis import strategies as st

Type = Any

WORDS = st.one_of(st.sampled_from(["a", "b", "", "hello", "wörld", "日本", "🙂", "a b"]), st.text(max_size=4))
INTS = st.one_of(st.integers(-6, 6), st.integers(-(2**70), 2**70))
# Halves: never equal to an int, and sums of them are exact in any order.
FLOATS = st.integers(-40, 40).map(lambda n: n + 0.5)
ANY = st.one_of(st.none(), INTS, WORDS, st.tuples(), st.tuples(INTS, WORDS), st.tuples(st.none(), st.tuples(WORDS)))
SCALARS: dict[str, st.SearchStrategy[Any]] = {"int": INTS, "float": FLOATS, "str": WORDS, "any": ANY}
KEYS: dict[str, st.SearchStrategy[Any]] = {**SCALARS, "int": st.integers(-3, 3), "str": st.sampled_from("a b c é".split())}

types: st.SearchStrategy[Type] = st.one_of(
    st.sampled_from(sorted(SCALARS)),
    st.tuples(st.just("pair"), st.sampled_from(["int", "str", "any"]), st.sampled_from(["int", "str", "any"])),
    st.just(("pair", "str", "int")),
)


def is_pair(of: Type) -> bool:
    return isinstance(of, tuple)


def hashable(of: Type) -> bool:
    return of != "list" and not (is_pair(of) and not (hashable(of[1]) and hashable(of[2])))


def ordered(of: Type) -> bool:
    return of in ("int", "float", "str") or (is_pair(of) and ordered(of[1]) and ordered(of[2]))


def records(of: Type) -> st.SearchStrategy[list[Any]]:
    if is_pair(of):
        record = st.tuples(KEYS[of[1]], SCALARS[of[2]] if of[2] != "int" else st.integers(-9, 9))
    else:
        record = SCALARS[of]
    return st.lists(record, max_size=9)


def plain(value: Any) -> str:
    """A text that is equal for equal results: the types of what is nested show, dictionaries are in an order."""
    if isinstance(value, dict):
        entries = sorted(f"{plain(key)}: {plain(inner)}" for key, inner in value.items())
        return f"{type(value).__name__} {{{', '.join(entries)}}}"
    if isinstance(value, (list, tuple)):
        return f"{type(value).__name__} ({', '.join(plain(inner) for inner in value)})"
    if type(value) is float:
        return f"float {value:.12g}"
    return repr(value)


def comparable(value: Any, order: str) -> Any:
    """What has to be equal: all of it, or each partition as a multiset, or all records as one."""
    if value is None or isinstance(value, dict) or order == "exact":
        return plain(value)
    if order == "partitions":
        return [sorted(map(plain, partition)) for partition in value]
    return sorted(plain(record) for partition in value for record in partition)


def failed(result: Any) -> bool:
    return isinstance(result, dict) and set(result) == {"failed", "text"}


def shown(result: Any, pipeline: dict[str, Any]) -> Any:
    """What of a result has to be equal, for a stream batch by batch; of a failure it is the name of the exception."""
    if failed(result):
        return ("failed", result["failed"])
    if "queue" in pipeline:
        return [comparable(batch, pipeline["order"]) for batch in result]
    return comparable(result, pipeline["order"])
