"""Every public name of PySpark 3.5 is here and is called the same way, or is in the table of absences."""

import importlib
import inspect
import json
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest

import absences

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent / "tools"))
import names  # noqa: E402

OURS = "tidemill.pyspark"
PYSPARK: names.Names = json.loads((HERE / "pyspark_names.json").read_text())
FLAT = names.flat(PYSPARK)


@cache
def module(name: str) -> Any:
    """Our module of that name of PySpark's."""
    return importlib.import_module(OURS + name.removeprefix("pyspark"))


def split(name: str) -> tuple[str, list[str]]:
    """The module in a dotted name, and what follows it."""
    parts = name.split(".")
    length = max(length for length in range(1, len(parts) + 1) if ".".join(parts[:length]) in PYSPARK)
    return ".".join(parts[:length]), parts[length:]


def ours(name: str) -> names.Description:
    """Our description of a name; raises ImportError or AttributeError where there is none."""
    of, path = split(name)
    found = module(of)
    if not path:
        return {"kind": "module"}
    owner = getattr(found, path[0])
    if len(path) == 1:
        return names.described(owner, of)
    inspect.getattr_static(owner, path[1])
    return names.member(owner, path[1])


def without_additions(found: list[str] | None, theirs: list[str]) -> list[str] | None:
    """Ours may have parameters more, if they can be given only by name."""
    if found is None or "*" not in found or "*" in theirs:
        return found
    return found[: found.index("*")]


def difference(name: str, theirs: names.Description) -> str | None:
    if theirs["kind"] == "attribute of objects":
        return None  # see test_attributes_of_objects
    try:
        found = ours(name)
    except (ImportError, AttributeError):
        return "missing"
    if theirs["kind"] != found["kind"]:
        return f"{found['kind']} instead of {theirs['kind']}"
    if "parameters" in theirs:
        given = without_additions(found["parameters"], theirs["parameters"])
        return None if given == theirs["parameters"] else f"{given} instead of {theirs['parameters']}"
    return None


def differences() -> Iterator[tuple[str, str]]:
    for name, theirs in FLAT.items():
        if (found := difference(name, theirs)) is not None:
            yield name, found


def test_every_name_is_there_or_said_to_be_absent() -> None:
    unsaid = [f"{name}: {found}" for name, found in differences() if absences.absence(name) is None]
    assert not unsaid, "\n" + "\n".join(unsaid)


def test_what_is_said_to_be_absent_is() -> None:
    missing = {name for name, found in differences()}
    attributes = {name for name, theirs in FLAT.items() if theirs["kind"] == "attribute of objects"}
    for row in absences.ABSENCES:
        for pattern in row.patterns:
            covered = {name for name in FLAT if absences.covers(pattern, name)}
            assert covered & (missing | attributes), f'"{pattern}" is said to be {row.status} and is not'


@pytest.fixture
def objects() -> Iterator[dict[str, object]]:
    live = names.live(OURS)
    yield live
    names.stop_live(live)


def test_attributes_of_objects(objects: dict[str, object]) -> None:
    unsaid = []
    for name, theirs in FLAT.items():
        owner, _, attribute = name.rpartition(".")
        if theirs["kind"] == "attribute of objects" and absences.absence(name) is None:
            if not hasattr(objects[owner], attribute):
                unsaid.append(name)
    assert not unsaid, "\n" + "\n".join(unsaid)
