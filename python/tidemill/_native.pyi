"""The engine, as Python sees it.

A dataset (`Rdd`) is cut into partitions, and each partition moves through the engine in *blocks*: lists of records. All
functions that work on records are Python's, called once for a partition: they get an iterator of blocks and give an
iterable of blocks. `itertools.chain.from_iterable` makes records of blocks at the speed of C.

Times are milliseconds since the epoch, durations are milliseconds.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, final

__all__ = [
    "Context",
    "DStream",
    "Interrupt",
    "KafkaStream",
    "Listener",
    "ManualClock",
    "MapWithStateDStream",
    "Rdd",
    "RddQueue",
    "State",
    "Store",
    "StreamingContext",
    "by_partition",
    "cli",
    "combine_pairs",
    "counted_seconds",
    "interrupt_jobs",
    "portable_hash",
    "set_log_level",
    "sum_words",
    "task_interrupt",
]

_Block = list[Any]
_Blocks = Iterator[_Block]

@final
class Context:
    """What runs datasets: `local[n]` with n threads, by `spark.master` in `conf`.

    `conf` takes keys of Spark and of tidemill; a key that means nothing here is left alone. Raises ValueError where a
    value is wrong.
    """

    def __new__(cls, conf: dict[str, str]) -> Context: ...
    @property
    def default_parallelism(self) -> int: ...
    def kafka_rdd(self, settings: dict[str, str], ranges: Sequence[tuple[str, int, int, int]]) -> Rdd:
        """Messages of ranges of offsets, as `KafkaStream` has them: one partition of each."""
    def parallelize(self, partitions: Sequence[_Block]) -> Rdd:
        """One partition of each list."""
    def text_file(self, path: str, min_partitions: int) -> Rdd:
        """Lines, as str (what is not UTF-8 is replaced). Folders, globs and compressed files too."""
    def whole_text_files(self, path: str, min_partitions: int) -> Rdd:
        """Pairs of path and text."""
    def binary_files(self, path: str, min_partitions: int) -> Rdd:
        """Pairs of path and bytes."""
    def binary_records(self, path: str, record_length: int) -> Rdd: ...
    def union(self, rdds: Sequence[Rdd]) -> Rdd: ...
    def set_checkpoint_dir(self, path: str) -> None: ...
    @property
    def checkpoint_dir(self) -> str | None: ...
    def stop(self) -> None: ...

@final
class Rdd:
    @property
    def id(self) -> int: ...
    @property
    def num_partitions(self) -> int: ...
    @property
    def placement(self) -> int | None:
        """The number of the function that placed the keys, where that is known."""
    def placed_by(self, number: int) -> Rdd:
        """The same dataset, whose keys are said to be placed by the function of this number; 0 is `portable_hash`. A
        union of datasets with as many partitions, placed by one function, goes partition by partition."""
    def without_undecoded(self) -> Rdd:
        """Without the `Undecoded` among the records, which are put aside with their place."""
    def map_partitions(self, f: Callable[[int, _Blocks], Iterable[_Block]], name: str) -> Rdd:
        """The blocks that `f(partition, blocks)` makes of each partition. `name` is the operation's in errors."""
    def shuffle(self, partitions: int, f: Callable[[int, _Blocks], Iterable[tuple[int, _Block]]], name: str) -> Rdd:
        """Moves each list that `f` gives to the partition it is given with; there they stand in the order of the
        partitions they come from."""
    def zip_partitions(self, other: Rdd, f: Callable[[int, _Blocks, _Blocks], Iterable[_Block]], name: str) -> Rdd:
        """The blocks that `f(partition, blocks, other_blocks)` makes of two datasets with as many partitions."""
    def cartesian(self, other: Rdd) -> Rdd:
        """Pairs of every record with every record of the other, partition by partition of the other."""
    def coalesce(self, partitions: int) -> Rdd:
        """Fewer partitions, without a shuffle."""
    def persist(self, disk: bool, memory: bool) -> Rdd:
        """The same dataset, kept where it is computed first."""
    def unpersist(self) -> None: ...
    def checkpoint(self) -> None:
        """To be written to the context's checkpoint directory when it is computed next; forgets where it came from."""
    @property
    def is_checkpointed(self) -> bool: ...
    @property
    def checkpoint_file(self) -> str | None: ...
    def collect(self) -> list[_Block]:
        """The records of each partition."""
    def run(
        self, f: Callable[[int, _Blocks], Any], partitions: Sequence[int] | None = None, name: str = "run"
    ) -> list[Any]:
        """What `f(partition, blocks)` gives for each of these partitions, or of all: one job."""
    def take(self, n: int) -> _Block:
        """The first n records; of partitions only as many are computed as it takes."""
    def local_iterator(self) -> Iterator[_Block]:
        """The records partition by partition, each computed when it is asked for."""
    def save_as_text_file(self, path: str, codec: str | None = None) -> None:
        """Writes records, all of them str, as lines: a folder with a file for each partition and `_SUCCESS`. `codec` is
        None, "gzip", "bzip2" or "zstd"."""

@final
class Interrupt:
    """Ends jobs once it is set."""

    def __new__(cls) -> Interrupt: ...
    def set(self) -> None: ...
    def is_set(self) -> bool: ...

def interrupt_jobs(interrupt: Interrupt | None) -> None:
    """From now on the jobs of this thread end with an error when this is set, between two blocks; None: they do not."""

def task_interrupt() -> Interrupt | None:
    """What ends the task that this thread runs, if something can."""

@final
class ManualClock:
    """A clock that stands still until it is told to move."""

    def __new__(cls, start_ms: int = 0) -> ManualClock: ...
    def now(self) -> int: ...
    def advance(self, ms: int) -> None: ...

@final
class RddQueue:
    def push(self, rdd: Rdd) -> None: ...

@final
class StreamingContext:
    def __new__(cls, context: Context, batch_ms: int, clock: ManualClock | None = None) -> StreamingContext: ...
    @property
    def state(self) -> str:
        """"initialized", "active" or "stopped"."""
    @property
    def completed_batches(self) -> int: ...
    def checkpoint(self, url: str) -> None: ...
    def leave_behind(self, start: int) -> None:
        """Begins afresh if the checkpoint is of a run that began with this start of its or an earlier one."""
    def before_start(self, call: Callable[[int], None]) -> None:
        """`call(last)` is called when the checkpoint is taken and before the start is logged; `last` is the last start that
        it knows, 0 if none. What it raises `start` raises."""
    def remember(self, ms: int) -> None: ...
    def guarantees(self) -> list[str]: ...
    def socket_text_stream(self, host: str, port: int) -> DStream: ...
    def text_file_stream(
        self,
        directory: str,
        filter: Callable[[str], bool] | None = None,
        new_files_only: bool = True,
    ) -> DStream:
        """Lines of new files whose path `filter` takes (None: those whose names begin with neither "." nor "_")."""
    def binary_records_stream(self, directory: str, record_length: int) -> DStream: ...
    def queue_stream(self, one_at_a_time: bool, default: Rdd | None) -> tuple[DStream, RddQueue]: ...
    def receiver_stream(self, run: Callable[[Store], None]) -> DStream:
        """`run(store)` is called on a thread of its own and gives records to `store` until `store.is_stopped`."""
    def kafka_stream(
        self,
        settings: dict[str, str],
        topics: Sequence[str],
        begin: dict[tuple[str, int], int],
        start: str,
        stored: bool,
    ) -> KafkaStream:
        """Messages of topics; with `begin` only of its partitions, from these offsets on. `settings` are librdkafka's,
        `bootstrap.servers` among them. Begins at `start`, "earliest" or "latest"; if `stored`, where the group was
        committed last, if it was, and what was read is committed to it."""
    def union(self, streams: Sequence[DStream]) -> DStream: ...
    def transform(self, streams: Sequence[DStream], f: Callable[[int, list[Rdd]], Rdd | None]) -> DStream:
        """`f(time, rdds)` for each batch; a parent without a batch gives an empty dataset of no partitions."""
    def add_streaming_listener(self, listener: Callable[[str, dict[str, Any]], None]) -> Listener:
        """`listener(event, values)`: event is one of "streaming_started", "receiver_started", "receiver_error",
        "receiver_stopped", "batch_submitted", "batch_started", "batch_completed", "output_operation_started",
        "output_operation_completed". The values of each are in docs of tidemill.pyspark.streaming.listener."""
    def remove_streaming_listener(self, listener: Listener) -> bool: ...
    def start(self) -> None: ...
    def await_termination(self, timeout_ms: int | None) -> bool:
        """Whether it has stopped. Raises what a batch failed with: the exception of the user's own function, if that
        raised one, with notes on where it happened. Signals are handled while it waits (KeyboardInterrupt)."""
    def stop(self, graceful: bool) -> None: ...

@final
class KafkaStream:
    @property
    def puts_aside(self) -> bool:
        """Whether what cannot be used is kept as dead letters."""
    @property
    def messages(self) -> DStream:
        """Tuples of topic, partition, offset, key and value; these are bytes, or None."""
    def offset_ranges(self, time: int) -> list[tuple[str, int, int, int]]:
        """What the batch at this time reads: topic, partition, the first offset, and the one behind the last."""

@final
class Listener:
    """What a listener is known by."""

@final
class Store:
    """Where a receiver puts its records."""

    @property
    def is_stopped(self) -> bool: ...
    def wait(self, ms: int) -> bool:
        """Waits, at most so long, until the receiver is to stop; whether it is."""
    def store(self, record: Any) -> None:
        """_Blocks while the pool of received blocks is full."""
    def store_many(self, records: _Block) -> None: ...

@final
class DStream:
    @property
    def slide_ms(self) -> int: ...
    def transform(self, f: Callable[[int, Rdd], Rdd | None]) -> DStream:
        """`f(time, rdd)` on the driver for each batch; None: the stream has no batch at that time, which its children
        and outputs skip."""
    def transform_with(self, other: DStream, f: Callable[[int, Rdd, Rdd], Rdd | None]) -> DStream: ...
    def foreach_rdd(self, f: Callable[[int, Rdd], None]) -> None:
        """An output: `f(time, rdd)` on the driver for each batch."""
    def save_as_text_files(self, prefix: str, suffix: str) -> None:
        """An output: the records, all of them str, as lines into a folder `prefix-<ms>[.suffix]` for each batch, which is
        complete or absent; a batch that is run again replaces its own."""
    def save_to_kafka(self, settings: dict[str, str], topic: str, exactly_once: bool) -> None:
        """An output of tuples of key, value (bytes or None) and headers (pairs of str and bytes). An
        `Unencoded` among them is put aside, or fails the batch."""
    def window(self, window_ms: int, slide_ms: int | None) -> DStream: ...
    def update_state_by_key(
        self, f: Callable[[list[Any], Any | None], Any | None], partitions: int, initial: Rdd | None
    ) -> DStream:
        """Of pairs: `f(values, state)` for every key that has a state or new values; gives pairs of key and state."""
    def reduce_by_key_and_window(
        self,
        f: Callable[[Any, Any], Any],
        inverse: Callable[[Any, Any], Any] | None,
        window_ms: int,
        slide_ms: int | None,
        partitions: int,
    ) -> DStream:
        """Of pairs; a key leaves with its last record. `operator.add` and `operator.sub` are not called for numbers."""
    def map_with_state(
        self,
        f: Callable[[int, Any, Any | None, State], Any],
        partitions: int,
        initial: Rdd | None,
        timeout_ms: int | None,
    ) -> MapWithStateDStream:
        """Of pairs: `f(time, key, value, state)` for every record; None gives no record. Timing out, value is None."""
    def persist(self, disk: bool, memory: bool) -> DStream: ...
    def checkpoint(self, interval_ms: int) -> DStream: ...
    def uid(self, uid: str) -> DStream: ...
    def slice(self, begin: int, end: int) -> list[Rdd]: ...

@final
class MapWithStateDStream:
    @property
    def mapped(self) -> DStream: ...
    @property
    def state_snapshots(self) -> DStream: ...

@final
class State:
    """The state of a key, in the hands of a function of `map_with_state`; valid only while that runs."""

    def exists(self) -> bool: ...
    def get(self) -> Any:
        """Raises KeyError if there is none."""
    def get_option(self) -> Any | None: ...
    def update(self, value: Any) -> None: ...
    def remove(self) -> None: ...
    def is_timing_out(self) -> bool: ...

def portable_hash(value: Any) -> int:
    """PySpark's hash that places keys: str and bytes as CPython hashes them under PYTHONHASHSEED=0. For what is neither,
    nor None or a tuple, it is `hash`, which is the same in every process only where that is set."""

def combine_pairs(
    blocks: _Blocks,
    create: Callable[[Any], Any] | None,
    merge: Callable[[Any, Any], Any] | str,
    combined: dict[Any, Any] | None = None,
) -> dict[Any, Any]:
    """Combines the values of pairs by key, in a loop without bytecode, on top of what is in `combined`. `create` of None
    takes the value as it is. `merge` is called as `merge(combined, value)`, or is "add", "min" or "max": then nothing of
    Python's is called for int and float."""

def sum_words(
    blocks: _Blocks, number: int, splits: bool, separator: str | None = None
) -> tuple[dict[str, int], _Block | None]:
    """For each word the sum of `number` over all times it is there: records are words, or are split into them as
    `str.split(separator)` does it. Ends before the first record that is no plain str, which it gives too, with the
    records behind it in its block. Lines that were read as text are counted without the interpreter."""

def counted_seconds() -> float:
    """How many seconds of this thread's processor time `sum_words` spent on records, not on Python's objects."""

def by_partition(
    pairs: Iterable[Any], partitions: int, may_have_more: bool = False
) -> list[tuple[int, _Block]]:
    """Pairs sorted out by `portable_hash(key) % partitions`; only partitions that got some."""

def set_log_level(level: str) -> None:
    """From which of Spark's levels on the engine speaks on standard error; "WARN" at first."""

def cli(arguments: list[str]) -> int:
    """Runs `tidemill` with these arguments (`checkpoint`, `dlq`, `launch`); the exit code."""
