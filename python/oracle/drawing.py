"""Random pipelines by number, the same for the same number: neighbours in one run of hypothesis are too much alike."""

import contextlib
from typing import Any

from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st
from hypothesis.errors import Unsatisfiable

EACH = settings(
    max_examples=4,
    database=None,
    deadline=None,
    phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
)


def drawn(strategy: st.SearchStrategy[Any], number: int) -> Any:
    """The last of a few, for the first is the simplest there is."""
    found: list[Any] = []

    @seed(number)
    @EACH
    @given(strategy)
    def collect(example: Any) -> None:
        found.append(example)

    with contextlib.suppress(Unsatisfiable):
        collect()
    return found[-1]


def several(strategy: st.SearchStrategy[Any], numbers: range) -> list[Any]:
    return [drawn(strategy, number) for number in numbers]
