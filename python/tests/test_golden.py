"""Pipelines give what the real PySpark gave, as `python/oracle/golden.py` wrote it down."""

import ast
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

HERE = Path(__file__).parent
os.environ.setdefault("TIDEMILL_VENV", sys.prefix)
sys.path.insert(0, str(HERE.parent / "oracle"))
from golden import AT_ONCE  # noqa: E402
from peer import Peer  # noqa: E402
from records import failed, shown  # noqa: E402

Golden = list[tuple[dict[str, Any], Any]]


def golden(name: str) -> Golden:
    lines = (HERE / f"golden_{name}.txt").read_text(encoding="utf-8").split("\n")
    return [ast.literal_eval(line) for line in lines if line]


@pytest.fixture(scope="module")
def ours() -> Iterator[Peer]:
    peer = Peer("ours")
    yield peer
    peer.close()


def problems(some: Golden, results: list[Any]) -> Iterator[str]:
    for (pipeline, expected), result in zip(some, results):
        if (found := shown(result, pipeline)) != expected:
            text = result["text"] if failed(result) else ""
            yield f"{pipeline}\n  PySpark: {expected}\n  ours:    {found}\n{text}"


@pytest.mark.parametrize(("kind", "name"), [("batch", "batches"), ("streams", "streams")])
def test_golden(ours: Peer, kind: str, name: str) -> None:
    found: list[str] = []
    entries = golden(name)
    for begin in range(0, len(entries), AT_ONCE):
        some = entries[begin : begin + AT_ONCE]
        found += problems(some, ours.answers(kind, [pipeline for pipeline, _ in some]))
    assert not found, f"{len(found)} of {len(entries)} differ\n" + "\n".join(found)
