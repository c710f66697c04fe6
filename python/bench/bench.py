"""Measures ours against the real PySpark and a loop by hand, in one run of a few minutes: `python python/bench/bench.py`.

Every figure is a median after a warm-up. Where the machine is busy the figures are worth nothing; its load is printed.
"""

import itertools
import json
import multiprocessing
import os
import random
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent / "oracle"))
from peer import ended, started  # noqa: E402

SIDES = ("ours", "spark")
WORDS = 1_000_000
WARM_UP = 2


def output(side: str, program: str, *arguments: str) -> list[float]:
    """The numbers that a program prints, which may take two minutes; none if it fails."""
    log = tempfile.TemporaryFile("w+")
    process = started(side, HERE / program, *arguments, stdout=subprocess.PIPE, stderr=log, cwd=tempfile.mkdtemp())
    try:
        printed, _ = process.communicate(timeout=150)
        found: list[float] = json.loads(printed.decode().strip().splitlines()[-1])
        return found
    except (subprocess.TimeoutExpired, IndexError, ValueError):
        log.seek(0)
        print(f"{side} {program} failed: {log.read()[-1500:]}", file=sys.stderr)
        return []
    finally:
        ended(process)


def median(numbers: list[float], warm_up: int = WARM_UP) -> float:
    return statistics.median(numbers[warm_up:]) if len(numbers) > warm_up else float("nan")


def row(name: str, goal: str, **figures: float) -> None:
    cells = "  ".join(f"{what.replace('_', ' ')} {figure:.3g}" for what, figure in figures.items())
    print(f"{name:<34} {cells}  (goal: {goal})", flush=True)


def text() -> str:
    """A file of words, as common as words are."""
    chance = random.Random(1)
    words = [f"word{number}" for number in range(20_000)]
    weights = list(itertools.accumulate(1 / (rank + 10) for rank in range(len(words))))
    with tempfile.NamedTemporaryFile("w", suffix=".txt", delete=False) as file:
        for _ in range(WORDS // 10):
            file.write(" ".join(chance.choices(words, cum_weights=weights, k=10)) + "\n")
    return file.name


def counted_by_hand(file: str) -> float:
    def once() -> float:
        begin = time.perf_counter()
        counts: dict[str, int] = {}
        with open(file, encoding="utf-8") as lines:
            for line in lines:
                for word in line.rstrip("\n").split(" "):
                    counts[word] = counts.get(word, 0) + 1
        return time.perf_counter() - begin

    return median([once() for _ in range(5)])


def word_count(file: str, kind: str, goal: str) -> None:
    by_hand = WORDS / counted_by_hand(file)
    ours, spark = (WORDS / median(output(side, "word_count.py", file, kind, "7")) for side in SIDES)
    ratios = {"to_spark": ours / spark, "to_loop": ours / by_hand}
    row(f"word count, {kind}, words/s", goal, ours=ours, spark=spark, loop=by_hand, **ratios)


def heavy(n: int) -> int:
    return sum(i * i for i in range(10_000 + n))


def heavy_part(numbers: range) -> int:
    return sum(map(heavy, numbers))


def scaled_by_hand() -> float:
    """What two processes of `multiprocessing` gain: what this machine has to give."""
    parts = [range(begin, begin + 50) for begin in range(0, 400, 50)]
    one, two = [], []
    with multiprocessing.Pool(2) as pool:
        for _ in range(5):
            begin = time.perf_counter()
            sum(map(heavy_part, parts))
            middle = time.perf_counter()
            sum(pool.map(heavy_part, parts, chunksize=1))
            one.append(middle - begin)
            two.append(time.perf_counter() - middle)
    return median(one) / median(two)


def scaling() -> None:
    figures = {"by_hand": scaled_by_hand()}
    for side in SIDES:
        one, two = (median(output(side, "scaling.py", master)) for master in ("local[1]", "local[2]"))
        figures[side] = one / two
    row("local[2] : local[1]", "1.7", **figures)


def stable(side: str, interval_ms: int) -> bool:
    """Whether batches end before the next but one is due, and all of them come."""
    late_ms = output(side, "interval.py", str(interval_ms))
    return len(late_ms) >= 0.9 * 1000 / interval_ms and median(late_ms, 0) <= 2 * interval_ms


def smallest_interval() -> None:
    tried = {"ours": (5, 10, 20, 50, 100, 200), "spark": (50, 100, 200, 500, 1000)}
    figures = {}
    for side in SIDES:
        figures[side] = next((float(ms) for ms in tried[side] if stable(side, ms)), float("nan"))
    row("smallest stable interval, ms", "20", **figures)


def first_batch(side: str) -> float:
    begin = time.perf_counter()
    process = started(
        side, HERE / "first_batch.py", stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, cwd=tempfile.mkdtemp()
    )
    assert process.stdout is not None
    try:
        for line in process.stdout:
            if line.startswith(b"a"):
                return time.perf_counter() - begin
        return float("nan")
    finally:
        ended(process)


def start() -> None:
    ours = median([first_batch("ours") for _ in range(5)], 1)
    spark = median([first_batch("spark") for _ in range(3)], 1)
    row("start to first batch, s", "0.5", ours=ours, spark=spark, to_spark=spark / ours)


def state_by_hand(keys: int, records: int) -> float:
    chance = random.Random(1)
    state = dict.fromkeys(range(keys), 0)

    def update(new: list[int], sum_: int) -> int:
        return sum(new) + (sum_ or 0)

    def once() -> float:
        pairs = [(chance.randrange(keys), 1) for _ in range(records)]
        begin = time.perf_counter()
        grouped: dict[int, list[int]] = {}
        for key, value in pairs:
            grouped.setdefault(key, []).append(value)
        for key in state:
            state[key] = update(grouped.get(key, []), state[key])
        return time.perf_counter() - begin

    return median([once() for _ in range(7)])


def state(keys: int = 100_000, records: int = 10_000) -> None:
    ours, spark = (median(output(side, "state.py", str(keys), str(records), "12")) for side in SIDES)
    by_hand = state_by_hand(keys, records)
    row("updateStateByKey, s/batch", "5 x spark", ours=ours, spark=spark, loop=by_hand, to_spark=spark / ours)


def main(chosen: list[str]) -> None:
    file = text()
    measured: dict[str, Callable[[], None]] = {
        "lambdas": lambda: word_count(file, "lambdas", "4 x spark, 1.0 x loop"),
        "operator": lambda: word_count(file, "operator", "8 x spark"),
        "scaling": scaling,
        "interval": smallest_interval,
        "start": start,
        "state": state,
    }
    print(f"load before: {os.getloadavg()[0]:.1f}, processors: {os.cpu_count()}")
    for name, measure in measured.items():
        if not chosen or name in chosen:
            measure()
    print(f"load after: {os.getloadavg()[0]:.1f}")


if __name__ == "__main__":
    main(sys.argv[1:])
