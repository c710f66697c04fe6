"""A context for the tests of this folder."""

from collections.abc import Iterator

import pytest

from tidemill.pyspark import SparkContext


@pytest.fixture(scope="module")
def sc() -> Iterator[SparkContext]:
    context = SparkContext("local[2]", "tests")
    yield context
    context.stop()
