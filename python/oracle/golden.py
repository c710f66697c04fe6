"""Writes down what the real PySpark makes of random pipelines, for `python/tests/test_golden.py` to compare without it.

    python python/oracle/golden.py batch 400 > python/tests/golden_batches.txt
    python python/oracle/golden.py streams 80 > python/tests/golden_streams.txt
"""

import sys
from typing import Any

import batches
import streams
from drawing import several
from peer import Peer
from records import shown

STRATEGIES = {"batch": batches.pipelines, "streams": streams.pipelines}
AT_ONCE = 6


def write(kind: str, number: int) -> None:
    peer = Peer("spark")
    pipelines = several(STRATEGIES[kind](), range(number))
    for begin in range(0, number, AT_ONCE):
        some = pipelines[begin : begin + AT_ONCE]
        for pipeline, result in zip(some, peer.answers(kind, some)):
            entry: Any = (pipeline, shown(result, pipeline))
            print(repr(entry), flush=True)
    peer.close()


if __name__ == "__main__":
    write(sys.argv[1], int(sys.argv[2]))
