"""Streams of batches, and what can be made of them."""

from __future__ import annotations

import operator
from collections.abc import Callable, Hashable, Iterable
from datetime import datetime
from typing import TYPE_CHECKING, Any, TypeVar

from tidemill.pyspark import _kafka_parameters as kafka_parameters
from tidemill.pyspark._partitioner import portable_hash
from tidemill.pyspark._saving import as_line
from tidemill.pyspark.resultiterable import ResultIterable
from tidemill.pyspark.storagelevel import StorageLevel
from tidemill.pyspark.streaming import output, windows
from tidemill.pyspark.streaming.kafka_records import Encode, utf8_encoder
from tidemill.pyspark.streaming.plan import declares, noted
from tidemill.pyspark.streaming.stream import Stream, T, checked_rdd
from tidemill.pyspark.streaming.util import duration_ms, takes_time, to_datetime

if TYPE_CHECKING:
    from tidemill import _native
    from tidemill.pyspark.rdd import RDD
    from tidemill.pyspark.streaming.context import StreamingContext
    from tidemill.pyspark.streaming.state import StateSpec

U = TypeVar("U")
K = TypeVar("K", bound=Hashable)
V = TypeVar("V")
W = TypeVar("W")

__all__ = ["DStream", "MapWithStateDStream", "TransformedDStream"]


class DStream(Stream[T]):
    """One RDD of records for every slide duration.

    Made by the inputs of a StreamingContext and by other streams, before the context is started; afterwards every
    declaration is an IllegalStateException. Nothing is computed that no output (`pprint`, `foreachRDD`,
    `saveAsTextFiles`) asks for. Pairs are tuples of a key and a value; where a number of partitions is not given, it is
    the context's `defaultParallelism`. Durations are seconds, and may be fractions.

    A stream may have no batch at all at some time, which is not the same as an empty one: what is made of it alone has
    none either, and outputs do nothing; where there are two parents, the missing one counts as empty.

    Examples are of `tidemill.pyspark.streaming.testing.batches_of`: a stream, its batches, and what they become.
    """

    def __init__(self, jdstream: _native.DStream | None, ssc: StreamingContext, jrdd_deserializer: object) -> None:
        """Made by others: `jdstream` is the engine's stream; `jrdd_deserializer` means nothing here."""
        super().__init__(jdstream, ssc)

    # What is done to each record or partition.

    def _each(self, function: Callable[[RDD[Any]], RDD[Any]]) -> DStream[Any]:
        return TransformedDStream(self, lambda _, rdd: function(rdd))

    def _partitions(self, given: int | None) -> int:
        return self._sc.defaultParallelism if given is None else given

    @declares
    def map(self, f: Callable[[T], U], preservesPartitioning: bool = False) -> DStream[U]:
        """What `f` makes of each record.

        >>> batches_of(lambda s: s.map(str), [1, 2])
        [['1', '2']]
        """
        return self._each(lambda rdd: rdd.map(f, preservesPartitioning))

    @declares
    def flatMap(self, f: Callable[[T], Iterable[U]], preservesPartitioning: bool = False) -> DStream[U]:
        """All that `f` makes of each record.

        >>> batches_of(lambda s: s.flatMap(str.split), ['to be', 'or'])
        [['to', 'be', 'or']]
        """
        return self._each(lambda rdd: rdd.flatMap(f, preservesPartitioning))

    @declares
    def filter(self, f: Callable[[T], bool]) -> DStream[T]:
        """The records that `f` takes.

        >>> batches_of(lambda s: s.filter(lambda n: n > 1), [1, 2, 3])
        [[2, 3]]
        """
        return self._each(lambda rdd: rdd.filter(f))

    @declares
    def mapPartitions(
        self, f: Callable[[Iterable[T]], Iterable[U]], preservesPartitioning: bool = False
    ) -> DStream[U]:
        """What `f` makes of the iterator over each partition, of empty ones too.

        >>> batches_of(lambda s: s.mapPartitions(lambda numbers: [sum(numbers)]), [1, 2, 3], [])
        [[6], [0]]
        """
        return self._each(lambda rdd: rdd.mapPartitions(f, preservesPartitioning))

    @declares
    def mapPartitionsWithIndex(
        self, f: Callable[[int, Iterable[T]], Iterable[U]], preservesPartitioning: bool = False
    ) -> DStream[U]:
        """As `mapPartitions`; `f` gets the number of the partition before the iterator.

        >>> batches_of(lambda s: s.mapPartitionsWithIndex(lambda i, records: ((i, r) for r in records)), ['a'])
        [[(0, 'a')]]
        """
        return self._each(lambda rdd: rdd.mapPartitionsWithIndex(f, preservesPartitioning))

    @declares
    def glom(self) -> DStream[list[T]]:
        """One list for each partition.

        >>> batches_of(lambda s: s.glom(), [1, 2])
        [[[1, 2]]]
        """
        return self._each(lambda rdd: rdd.glom())

    @declares
    def repartition(self, numPartitions: int) -> DStream[T]:
        """The same records, dealt out to so many partitions.

        >>> batches_of(lambda s: s.repartition(1).glom(), [1, 2])
        [[[1, 2]]]
        """
        return self._each(lambda rdd: rdd.repartition(numPartitions))

    # What is made of a whole batch.

    @declares
    def count(self) -> DStream[int]:
        """One record: how many there are. None if the batch has no partition, as that of an idle socket.

        >>> batches_of(lambda s: s.count(), ['a', 'b'], [])
        [[2], [0]]
        """
        return self.mapPartitions(lambda records: [sum(1 for _ in records)]).reduce(operator.add)

    @declares
    def reduce(self, func: Callable[[T, T], T]) -> DStream[T]:
        """One record, reduced from all by `func`; none if there are none.

        >>> batches_of(lambda s: s.reduce(max), [1, 5, 3], [])
        [[5], []]
        """
        keyed: DStream[Any] = self.map(lambda record: (None, record))
        return keyed.reduceByKey(func, 1).map(lambda pair: pair[1])

    @declares
    def countByValue(self) -> DStream[tuple[T, int]]:
        """Each different record, and how often it is there.

        >>> batches_of(lambda s: s.countByValue(), ['a', 'b', 'a'])
        [[('a', 2), ('b', 1)]]
        """
        keyed: DStream[tuple[Any, int]] = self.map(lambda record: (record, 1))
        return keyed.reduceByKey(operator.add)

    # Pairs.

    @declares
    def mapValues(self: DStream[tuple[K, V]], f: Callable[[V], U]) -> DStream[tuple[K, U]]:
        """Each key with what `f` makes of its value.

        >>> batches_of(lambda s: s.mapValues(str), [('a', 1)])
        [[('a', '1')]]
        """
        return self._each(lambda rdd: rdd.mapValues(f))

    @declares
    def flatMapValues(self: DStream[tuple[K, V]], f: Callable[[V], Iterable[U]]) -> DStream[tuple[K, U]]:
        """Each key with all that `f` makes of its value, one by one.

        >>> batches_of(lambda s: s.flatMapValues(range), [('a', 2)])
        [[('a', 0), ('a', 1)]]
        """
        return self._each(lambda rdd: rdd.flatMapValues(f))

    @declares
    def reduceByKey(
        self: DStream[tuple[K, V]], func: Callable[[V, V], V], numPartitions: int | None = None
    ) -> DStream[tuple[K, V]]:
        """Each key with its values reduced by `func`, before and after they are moved to its partition.

        >>> batches_of(lambda s: s.reduceByKey(max), [('a', 1), ('a', 2)])
        [[('a', 2)]]
        """
        partitions = self._partitions(numPartitions)
        return self._each(lambda rdd: rdd.reduceByKey(func, partitions))

    @declares
    def combineByKey(
        self: DStream[tuple[K, V]],
        createCombiner: Callable[[V], U],
        mergeValue: Callable[[U, V], U],
        mergeCombiners: Callable[[U, U], U],
        numPartitions: int | None = None,
    ) -> DStream[tuple[K, U]]:
        """Each key with its values combined: begun of one, merged with more, and merged with one another.

        >>> lists = (lambda v: [v], lambda c, v: [*c, v], lambda c, d: [*c, *d])
        >>> batches_of(lambda s: s.combineByKey(*lists), [('a', 1), ('a', 2)])
        [[('a', [1, 2])]]
        """
        partitions = self._partitions(numPartitions)
        return self._each(lambda rdd: rdd.combineByKey(createCombiner, mergeValue, mergeCombiners, partitions))

    @declares
    def groupByKey(self: DStream[tuple[K, V]], numPartitions: int | None = None) -> DStream[tuple[K, Iterable[V]]]:
        """Each key with its values, of which one can take the `len`. Prefer `reduceByKey`: it moves less.

        >>> batches_of(lambda s: s.groupByKey().mapValues(list), [('a', 1), ('a', 2)])
        [[('a', [1, 2])]]
        """
        partitions = self._partitions(numPartitions)
        return self._each(lambda rdd: rdd.groupByKey(partitions))

    @declares
    def partitionBy(
        self: DStream[tuple[K, V]], numPartitions: int, partitionFunc: Callable[[K], int] = portable_hash
    ) -> DStream[tuple[K, V]]:
        """The same pairs, each in the partition `partitionFunc(key) % numPartitions`.

        >>> batches_of(lambda s: s.partitionBy(2, len).glom(), [('a', 1), ('bb', 2)])
        [[[('bb', 2)], [('a', 1)]]]
        """
        return self._each(lambda rdd: rdd.partitionBy(numPartitions, partitionFunc))

    # Two streams, batch by batch.

    def _with(self, other: DStream[Any], f: Callable[[RDD[Any], RDD[Any]], RDD[Any]]) -> DStream[Any]:
        return self.transformWith(lambda a, b: f(a, b), other)

    @declares
    def union(self, other: DStream[U]) -> DStream[T | U]:
        """The records of both. ValueError if their slide durations differ.

        >>> batches_of(lambda s: s.union(s.map(str)), [1])
        [[1, '1']]
        """
        if self._slide_ms != other._slide_ms:
            raise ValueError("the two DStream should have same slide duration")
        return self._with(other, lambda a, b: a.union(b))

    @declares
    def cogroup(
        self: DStream[tuple[K, V]], other: DStream[tuple[K, W]], numPartitions: int | None = None
    ) -> DStream[tuple[K, tuple[ResultIterable[V], ResultIterable[W]]]]:
        """Each key of either with its values of both.

        >>> batches_of(lambda s: s.cogroup(s).mapValues(lambda both: [list(side) for side in both]), [('a', 1)])
        [[('a', [[1], [1]])]]
        """
        partitions = self._partitions(numPartitions)
        return self._with(other, lambda a, b: a.cogroup(b, partitions))

    @declares
    def join(
        self: DStream[tuple[K, V]], other: DStream[tuple[K, W]], numPartitions: int | None = None
    ) -> DStream[tuple[K, tuple[V, W]]]:
        """Each key of both, with every pair of its values.

        >>> batches_of(lambda s: s.join(s.mapValues(str)), [('a', 1)])
        [[('a', (1, '1'))]]
        """
        partitions = self._partitions(numPartitions)
        return self._with(other, lambda a, b: a.join(b, partitions))

    @declares
    def leftOuterJoin(
        self: DStream[tuple[K, V]], other: DStream[tuple[K, W]], numPartitions: int | None = None
    ) -> DStream[tuple[K, tuple[V, W | None]]]:
        """As `join`, with the keys that only this has and None.

        >>> batches_of(lambda s: s.leftOuterJoin(s.filter(lambda pair: False)), [('a', 1)])
        [[('a', (1, None))]]
        """
        partitions = self._partitions(numPartitions)
        return self._with(other, lambda a, b: a.leftOuterJoin(b, partitions))

    @declares
    def rightOuterJoin(
        self: DStream[tuple[K, V]], other: DStream[tuple[K, W]], numPartitions: int | None = None
    ) -> DStream[tuple[K, tuple[V | None, W]]]:
        """As `join`, with the keys that only the other has and None.

        >>> batches_of(lambda s: s.filter(lambda pair: False).rightOuterJoin(s), [('a', 1)])
        [[('a', (None, 1))]]
        """
        partitions = self._partitions(numPartitions)
        return self._with(other, lambda a, b: a.rightOuterJoin(b, partitions))

    @declares
    def fullOuterJoin(
        self: DStream[tuple[K, V]], other: DStream[tuple[K, W]], numPartitions: int | None = None
    ) -> DStream[tuple[K, tuple[V | None, W | None]]]:
        """As `join`, with the keys that only one of both has and None.

        >>> batches_of(lambda s: s.fullOuterJoin(s.filter(lambda pair: False)), [('a', 1)])
        [[('a', (1, None))]]
        """
        partitions = self._partitions(numPartitions)
        return self._with(other, lambda a, b: a.fullOuterJoin(b, partitions))

    # Anything that RDDs can do.

    @declares
    def transform(
        self, func: Callable[[RDD[T]], RDD[U] | None] | Callable[[datetime, RDD[T]], RDD[U] | None]
    ) -> DStream[U]:
        """What `func(rdd)` or `func(time, rdd)` makes of each batch, on the driver; `time` is local time.

        If it returns None, there is no batch at that time. AssertionError if it takes another number of arguments.

        >>> batches_of(lambda s: s.transform(lambda rdd: rdd.sortBy(lambda n: -n)), [1, 3, 2])
        [[3, 2, 1]]
        """
        function: Callable[..., Any] = func
        if not takes_time(function):
            return TransformedDStream(self, lambda _, rdd: function(rdd))
        _assert_arity(function, 2, "transform takes a function of (rdd) or of (time, rdd)")
        return TransformedDStream(self, lambda time, rdd: function(to_datetime(time), rdd))

    @declares
    def transformWith(
        self,
        func: Callable[[RDD[Any], RDD[Any]], RDD[U]] | Callable[[datetime, RDD[Any], RDD[Any]], RDD[U]],
        other: DStream[Any],
        keepSerializer: bool = False,
    ) -> DStream[U]:
        """What `func(a, b)` or `func(time, a, b)` makes of the batches of this and another stream.

        AssertionError if it takes another number of arguments. `keepSerializer` means nothing here.

        >>> batches_of(lambda s: s.transformWith(lambda a, b: a.subtract(b), s.filter(lambda n: n > 1)), [1, 2])
        [[1]]
        """
        function: Callable[..., Any] = func
        timed = function.__code__.co_argcount != 2
        if timed:
            _assert_arity(function, 3, "transformWith takes a function of (a, b) or of (time, a, b)")
        wrap = self._ssc._wrap

        def make(time: int, natives: list[_native.Rdd]) -> _native.Rdd | None:
            rdds = map(wrap, natives)
            given = function(to_datetime(time), *rdds) if timed else function(*rdds)
            return None if given is None else checked_rdd(given, "transformWith", function)._native

        return DStream(self._ssc._native.transform([self._native, other._native], make), self._ssc, None)

    # Windows.

    @declares
    def window(self, windowDuration: float, slideDuration: float | None = None) -> DStream[T]:
        """At every slide, the records of the last `windowDuration`.

        The first windows are shorter. ValueError if a duration is not a multiple of this stream's slide duration.

        >>> batches_of(lambda s: s.window(2), [1], [2], [3])
        [[1], [1, 2], [2, 3]]
        """
        windows.validate(self, windowDuration, slideDuration)
        slide = None if slideDuration is None else duration_ms(slideDuration)
        return DStream(self._native.window(duration_ms(windowDuration), slide), self._ssc, None)

    @declares
    def reduceByWindow(
        self,
        reduceFunc: Callable[[T, T], T],
        invReduceFunc: Callable[[T, T], T] | None,
        windowDuration: float,
        slideDuration: float,
    ) -> DStream[T]:
        """One record: the window's records reduced; none if it has none.

        With `invReduceFunc`, which takes out of a result what left the window, see `reduceByKeyAndWindow`.

        >>> batches_of(lambda s: s.reduceByWindow(max, None, 2, 1), [5], [1], [2])
        [[5], [5], [2]]
        """
        return windows.reduce_by_window(self, reduceFunc, invReduceFunc, windowDuration, slideDuration)

    @declares
    def countByWindow(self, windowDuration: float, slideDuration: float) -> DStream[int]:
        """One record: how many the window has; none until the first record came.

        >>> batches_of(lambda s: s.countByWindow(2, 1), ['a'], ['b', 'c'], [])
        [[1], [3], [2]]
        """
        ones: DStream[int] = self.map(lambda _: 1)
        return windows.reduce_by_window(ones, operator.add, operator.sub, windowDuration, slideDuration)

    @declares
    def countByValueAndWindow(
        self, windowDuration: float, slideDuration: float, numPartitions: int | None = None
    ) -> DStream[tuple[T, int]]:
        """Each different record of the window, and how often it is there.

        >>> batches_of(lambda s: s.countByValueAndWindow(2, 1), ['a'], ['a'])
        [[('a', 1)], [('a', 2)]]
        """
        return windows.count_by_value(self, windowDuration, slideDuration, numPartitions)

    @declares
    def groupByKeyAndWindow(
        self: DStream[tuple[K, V]], windowDuration: float, slideDuration: float, numPartitions: int | None = None
    ) -> DStream[tuple[K, Iterable[V]]]:
        """Each key of the window with its values, in the order they came.

        >>> batches_of(lambda s: s.groupByKeyAndWindow(2, 1).mapValues(list), [('a', 1)], [('a', 2)])
        [[('a', [1])], [('a', [1, 2])]]
        """
        return windows.group_by_key(self, windowDuration, slideDuration, numPartitions)

    @declares
    def reduceByKeyAndWindow(
        self: DStream[tuple[K, V]],
        func: Callable[[V, V], V],
        invFunc: Callable[[V, V], V] | None,
        windowDuration: float,
        slideDuration: float | None = None,
        numPartitions: int | None = None,
        filterFunc: Callable[[tuple[K, V]], bool] | None = None,
    ) -> DStream[tuple[K, V]]:
        """Each key of the window with its values reduced.

        If there is an `invFunc` and the window has five slides or more, a window is made from the one before: what left
        is taken out by `invFunc(result, left)`. Otherwise the window is reduced anew. `filterFunc(pair)` says which
        pairs are kept; without an `invFunc` it means nothing, as in PySpark.

        >>> batches_of(lambda s: s.reduceByKeyAndWindow(max, None, 2), [('a', 2)], [('a', 1)], [])
        [[('a', 2)], [('a', 2)], [('a', 1)]]
        """
        return windows.reduce_by_key(
            self, func, invFunc, windowDuration, slideDuration, numPartitions, filterFunc
        )

    # State.

    @declares
    def updateStateByKey(
        self: DStream[tuple[K, V]],
        updateFunc: Callable[[list[V], W | None], W | None],
        numPartitions: int | None = None,
        initialRDD: RDD[tuple[K, W]] | Iterable[tuple[K, W]] | None = None,
    ) -> DStream[tuple[K, W]]:
        """The state of every key, at every batch.

        `updateFunc(values, state)` is called in every batch for every key that has values in it or a state before it;
        `values` may be empty, and `state` is None at first. If it returns None, the key is forgotten. `initialRDD` are
        the states to begin with. Needs a checkpoint directory.

        >>> add = lambda values, state: sum(values) + (state or 0)
        >>> batches_of(lambda s: s.updateStateByKey(add), [('a', 1)], [('a', 2)], [])
        [[('a', 1)], [('a', 3)], [('a', 3)]]
        """
        initial = self._ssc._states(initialRDD)
        self._ssc._keeps_state = True
        partitions = self._partitions(numPartitions)
        return DStream(self._native.update_state_by_key(updateFunc, partitions, initial), self._ssc, None)

    @declares
    def mapWithState(self: DStream[tuple[K, V]], spec: StateSpec) -> MapWithStateDStream[Any]:
        """What a function makes of each record and the state of its key; see `StateSpec`. Scala's, added here."""
        self._ssc._keeps_state = True
        stateful = self._native.map_with_state(
            spec._stepper(),
            self._partitions(spec._partitions),
            self._ssc._states(spec._initial),
            None if spec._timeout is None else duration_ms(spec._timeout),
        )
        return MapWithStateDStream(stateful, self._ssc)

    # What is kept.

    @noted
    def cache(self) -> DStream[T]:
        """Keeps each batch in memory, once it was computed, as long as a later batch may need it."""
        self._persist(StorageLevel.MEMORY_ONLY)
        return self

    @noted
    def persist(self, storageLevel: StorageLevel) -> DStream[T]:
        """As `cache`, on disk or in memory. UnsupportedOperationException after start."""
        self._persist(storageLevel)
        return self

    @noted
    def checkpoint(self, interval: float) -> DStream[T]:
        """How often what is remembered is checkpointed, in seconds: a multiple of the slide duration."""
        self._checkpoint(interval)
        return self

    @declares
    def uid(self, uid: str) -> DStream[T]:
        """Names what this stream remembers, so that a changed program finds it in a checkpoint. Only here."""
        self._made = self._native.uid(uid)
        self.is_named = True
        return self

    def slice(self, begin: datetime | float, end: datetime | float) -> list[RDD[T]]:
        """The batches from one time to another, both included: local datetimes, or seconds since the epoch.

        SparkException before start.
        """
        return self._slice(begin, end)

    # Outputs.

    @declares
    def foreachRDD(
        self, func: Callable[[RDD[T]], object] | Callable[[datetime, RDD[T]], object]
    ) -> None:
        """Calls `func(rdd)` or `func(time, rdd)` for each batch, on the driver; `time` is local time.

        Nothing of the batch is computed but what `func` asks for. What it raises fails the batch, and is raised by
        `awaitTermination`.
        """
        function: Callable[..., object] = func
        if takes_time(function):
            self._output(lambda time, rdd: function(to_datetime(time), rdd))
        else:
            self._output(lambda _, rdd: function(rdd))

    @declares
    def pprint(self, num: int = 10) -> None:
        """Prints the first `num` records of each batch, below its time, and `...` if there are more."""
        self._output(output.printing(num), "pprint")

    @declares
    def saveAsTextFiles(self, prefix: str, suffix: str | None = None) -> None:
        """Writes each batch as lines, the `str` of its records, into a folder `prefix-<ms>[.suffix]`."""
        self.map(as_line)._native.save_as_text_files(prefix, suffix or "")
        self._ssc._note_output("saveAsTextFiles")

    @declares
    def saveToKafka(
        self,
        topic: str,
        kafkaParams: dict[str, str] | None = None,
        exactlyOnce: bool = True,
        keyEncoder: Callable[[Any], bytes | None] = utf8_encoder,
        valueEncoder: Callable[[Any], bytes | None] = utf8_encoder,
    ) -> None:
        """Writes the records of each batch to a topic. Only here.

        A record is a pair of key and value, or a triple of them and the headers, a list of pairs of str and bytes;
        anything else is a value without a key. An encoder makes bytes of a key or value; None stays None, and a value
        of None is a tombstone. `kafkaParams` are librdkafka's, over the keys `kafka.<key>` of the configuration, and may
        be those of an input; the brokers are `bootstrap.servers`, or the configuration key `tidemill.kafka.brokers`. A
        record that cannot be encoded is put aside as a dead letter, or fails the batch.

        With `exactlyOnce` each batch is a transaction: a reader with `isolation.level` of `read_committed` sees it
        once, whatever crashes, if the program has a checkpoint. Without, batches may be there twice after a crash.
        """
        settings = kafka_parameters.producer(kafkaParams or {}, self._sc.getConf())
        encoded = self.map(Encode(keyEncoder, valueEncoder))
        encoded._native.save_to_kafka(settings, topic, exactlyOnce)
        self._ssc._note_output("saveToKafka")

    def _output(self, function: Callable[[int, RDD[Any]], object], name: str = "foreachRDD") -> None:
        wrap, inside = self._wrap_batch, self._ssc._inside_callback

        def run(time: int, rdd: _native.Rdd) -> None:
            with inside():
                function(time, wrap(time, rdd))

        self._native.foreach_rdd(run)
        self._ssc._note_output(name)


class TransformedDStream(DStream[T]):
    """What a function makes of each batch of another stream.

    A row of them is one node of the engine, from the last that is kept: a stream with many steps costs what one costs.
    """

    def __init__(self, prev: DStream[Any], func: Callable[[int, RDD[Any]], RDD[Any] | None]) -> None:
        super().__init__(None, prev._ssc, None)
        self._prev, self._func = prev, func

    @property
    def _slide_ms(self) -> int:
        return self._prev._slide_ms

    def _make(self) -> _native.DStream:
        functions, parent = [self._func], self._prev
        while type(parent) is TransformedDStream and not parent._is_kept:
            functions.append(parent._func)
            parent = parent._prev
        functions.reverse()
        wrap = parent._wrap_batch

        def make(time: int, native: _native.Rdd) -> _native.Rdd | None:
            rdd = wrap(time, native)
            for function in functions:
                given = function(time, rdd)
                if given is None:
                    return None
                rdd = checked_rdd(given, "transform", function)
            return rdd._native

        return parent._native.transform(make)


class MapWithStateDStream(DStream[T]):
    """What the function of `mapWithState` gave, and a view of the state behind it."""

    def __init__(self, native: _native.MapWithStateDStream, ssc: StreamingContext) -> None:
        super().__init__(native.mapped, ssc, None)
        self._stateful = native

    @declares
    def stateSnapshots(self) -> DStream[Any]:
        """Pairs of every key and its state, at every batch."""
        return DStream(self._stateful.state_snapshots, self._ssc, None)


def _assert_arity(function: Callable[..., Any], arity: int, what: str) -> None:
    count = function.__code__.co_argcount
    assert count == arity, f"{what}, and not of {count} arguments"
