"""Random pipelines give the same under the real PySpark and under ours, run side by side.

What PySpark gave for many more is written down in `python/tests/golden_*.txt`. `ORACLE_NUMBERS=1000-1200` takes others.
"""

import os
from typing import Any

import pytest

import batches
import streams
from drawing import drawn, several
from peer import Peer
from records import failed, shown

BEGIN, END = (int(number) for number in os.environ.get("ORACLE_NUMBERS", "1000-1050").split("-"))
AT_ONCE = 10


def difference(pipeline: dict[str, Any], expected: Any, found: Any) -> str | None:
    if shown(expected, pipeline) == shown(found, pipeline):
        return None
    text = found["text"] if failed(found) else ""
    return f"{pipeline}\n  PySpark: {shown(expected, pipeline)}\n  ours:    {shown(found, pipeline)}\n{text}"


@pytest.mark.parametrize("number", range(BEGIN, END))
def test_batch(spark: Peer, ours: Peer, number: int) -> None:
    pipeline = drawn(batches.pipelines(), number)
    expected, found = (peer.answers("batch", [pipeline])[0] for peer in (spark, ours))
    assert (problem := difference(pipeline, expected, found)) is None, problem


@pytest.mark.parametrize("begin", range(BEGIN, END, 2 * AT_ONCE))
def test_streams(spark: Peer, ours: Peer, begin: int) -> None:
    pipelines = several(streams.pipelines(), range(begin, begin + AT_ONCE))
    expected, found = (peer.answers("streams", pipelines) for peer in (spark, ours))
    problems = [difference(*of_one) for of_one in zip(pipelines, expected, found)]
    assert not any(problems), "\n".join(filter(None, problems))
