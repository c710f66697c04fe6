"""What examples in docstrings find without importing it."""

from typing import Any

import pytest


@pytest.fixture(autouse=True)
def names_of_examples(request: pytest.FixtureRequest, doctest_namespace: dict[str, Any]) -> None:
    if isinstance(request.node, pytest.DoctestItem):
        from tidemill.pyspark.streaming.testing import batches_of

        doctest_namespace["batches_of"] = batches_of
