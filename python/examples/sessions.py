"""Visits of users: begun by their first click, ended by seconds without one. Feeds itself: tidemill run sessions.py"""

import time

from pyspark import SparkContext
from pyspark.streaming import ReceiverStore, State, StateSpec, StreamingContext


def visit(user: str, page: str | None, state: State[int]) -> tuple[str, str, object]:
    if state.isTimingOut():
        return user, "left after", state.get()
    state.update((state.getOption() or 0) + 1)
    return user, "saw", page or ""


def clicks(store: ReceiverStore) -> None:
    number = 0
    while not store.wait(0.1):
        store(("anna" if number < 10 else "bert", f"page {number}"))
        number += 1


if __name__ == "__main__":
    ssc = StreamingContext(SparkContext("local[2]", "Sessions"), 0.5)
    ssc.checkpoint("checkpoint-sessions")
    ssc.receiverStream(clicks).mapWithState(StateSpec.function(visit).timeout(1)).pprint()
    ssc.start()
    time.sleep(5)
    ssc.stop(stopGraceFully=True)
