"""Writes down what the real PySpark makes of random pipelines, for `python/tests/test_golden.py` to compare without it.

    python python/oracle/golden.py batch 0 400 > python/tests/golden_batches.txt
    python python/oracle/golden.py streams 0 80 > python/tests/golden_streams.txt
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


def write(kind: str, begin: int, end: int) -> None:
    peer = Peer("spark")
    for number in range(begin, end, AT_ONCE):
        some = several(STRATEGIES[kind](), range(number, min(end, number + AT_ONCE)))
        for pipeline, result in zip(some, peer.answers(kind, some)):
            entry: Any = (pipeline, shown(result, pipeline))
            print(repr(entry), flush=True)
    peer.close()


if __name__ == "__main__":
    write(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
