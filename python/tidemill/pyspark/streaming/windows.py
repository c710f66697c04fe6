"""Windows that are reduced, by PySpark's rules."""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from tidemill.pyspark.resultiterable import ResultIterable
from tidemill.pyspark.streaming.util import duration_ms

if TYPE_CHECKING:
    from tidemill.pyspark.streaming.dstream import DStream

Reduce = Callable[[Any, Any], Any]

# A window of so many slides is made from the one before it; a shorter one is reduced anew.
SLIDES_OF_INCREMENTAL = 5


def validate(stream: DStream[Any], window: float, slide: float | None) -> None:
    """ValueError unless both are whole multiples of the stream's slide duration."""
    step = stream._slide_ms
    for name, duration in (("windowDuration", window), ("slideDuration", slide)):
        if duration is not None and duration_ms(duration) % step != 0:
            raise ValueError(f"{name} must be multiple of the slide duration ({step} ms)")


def reduce_by_key(
    stream: DStream[Any],
    func: Reduce,
    inverse: Reduce | None,
    window: float,
    slide: float | None,
    partitions: int | None,
    keep: Callable[[Any], bool] | None,
) -> DStream[Any]:
    """`DStream.reduceByKeyAndWindow`."""
    from tidemill.pyspark.streaming.dstream import DStream

    validate(stream, window, slide)
    window_ms = duration_ms(window)
    slide_ms = stream._slide_ms if slide is None else duration_ms(slide)
    is_incremental = inverse is not None and window_ms >= SLIDES_OF_INCREMENTAL * slide_ms
    native = stream._native.reduce_by_key_and_window(
        func,
        inverse if is_incremental else None,
        window_ms,
        slide_ms,
        stream._partitions(partitions),
    )
    if inverse is not None:
        stream._ssc._keeps_state = True
    reduced: DStream[Any] = DStream(native, stream._ssc, None)
    return reduced if inverse is None or keep is None else reduced.filter(keep)


def reduce_by_window(
    stream: DStream[Any], func: Reduce, inverse: Reduce | None, window: float, slide: float
) -> DStream[Any]:
    """`DStream.reduceByWindow`: with an inverse, all records are of one key."""
    validate(stream, window, slide)
    if inverse is None:
        return stream.reduce(func).window(window, slide).reduce(func)
    keyed = stream.map(lambda record: (1, record))
    return reduce_by_key(keyed, func, inverse, window, slide, 1, None).map(lambda pair: pair[1])


def count_by_value(
    stream: DStream[Any], window: float, slide: float, partitions: int | None
) -> DStream[Any]:
    """`DStream.countByValueAndWindow`: values whose records left are not shown."""
    ones = stream.map(lambda record: (record, 1))
    counts = reduce_by_key(ones, operator.add, operator.sub, window, slide, partitions, None)
    return counts.filter(lambda pair: pair[1] > 0)


def group_by_key(stream: DStream[Any], window: float, slide: float, partitions: int | None) -> DStream[Any]:
    """`DStream.groupByKeyAndWindow`: what left the window is at the front of the list."""
    lists = stream.groupByKey(partitions).mapValues(list)
    grouped = reduce_by_key(
        lists, operator.add, lambda values, left: values[len(left) :], window, slide, partitions, None
    )
    return grouped.mapValues(ResultIterable)
