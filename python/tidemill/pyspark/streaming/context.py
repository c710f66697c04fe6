"""Where a streaming program begins."""

from __future__ import annotations

import atexit
import contextlib
import math
import os
import re
import sys
import threading
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from numbers import Real
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

from tidemill import _native
from tidemill.pyspark import _kafka_parameters as kafka_parameters
from tidemill.pyspark.context import SparkContext
from tidemill.pyspark.rdd import RDD
from tidemill.pyspark.storagelevel import StorageLevel
from tidemill.pyspark.streaming import program
from tidemill.pyspark.streaming.dstream import DStream
from tidemill.pyspark.streaming.errors import (
    IllegalArgumentException,
    IllegalStateException,
    SparkException,
)
from tidemill.pyspark.streaming.listener import Values, deliver
from tidemill.pyspark.streaming.plan import Plan, _place, declares, replay
from tidemill.pyspark.streaming.queue_input import queue_stream
from tidemill.pyspark.streaming.receiver import Receiver, ReceiverStore, runner
from tidemill.pyspark.streaming.stream import checked_rdd
from tidemill.pyspark.streaming.util import duration_ms

if TYPE_CHECKING:
    from queue import Queue

    from tidemill.pyspark.streaming.kafka_records import Decode

T = TypeVar("T")

__all__ = ["StreamingContext"]

_WHEN = {
    "active": "adding new inputs, transformations, and output operations after starting a context is not supported",
    "stopped": "adding new inputs, transformations, and output operations after stopping a context is not supported",
}


@dataclass(frozen=True)
class Engine:
    """A context of the engine, and its batch duration."""

    native: _native.StreamingContext
    batch_ms: int

    @staticmethod
    def of(sc: SparkContext, batch_ms: int, clock: _native.ManualClock | None = None) -> Engine:
        """One with this batch duration; `clock` tells its time, by default the system's."""
        return Engine(_native.StreamingContext(sc._engine, batch_ms, clock), batch_ms)


class StreamingContext:
    """Declares streams, and runs them: one batch every `batchDuration` seconds (a float; whole milliseconds count).

    Streams are declared, then `start` runs them until `stop`. There may be many contexts, of which one is started at a
    time; one that was stopped cannot be started again. ValueError if the duration is below a millisecond or has no end,
    TypeError if it is no number.
    """

    _activeContext: ClassVar[StreamingContext | None] = None
    _activation: ClassVar[threading.RLock] = threading.RLock()

    def __init__(
        self,
        sparkContext: SparkContext,
        batchDuration: float | None = None,
        jssc: Engine | None = None,
    ) -> None:
        if jssc is None:
            assert batchDuration is not None, "a StreamingContext needs a batchDuration, in seconds"
            jssc = Engine.of(sparkContext, _batch_ms(batchDuration))
        self._sc, self._batch_ms, self._native = sparkContext, jssc.batch_ms, jssc.native
        self._plan = Plan()
        # What the outputs are called, and where they stand in the program, in their order.
        self._outputs: list[tuple[str, str]] = []
        self._keeps_state = False
        self._directory: str | None = None
        # Whether it takes over what its checkpoint remembers.
        self._goes_on = False
        self._remember_ms: int | None = None
        self._started_at = ""
        self._stop_begun = False
        self._thread = threading.local()
        directory = sparkContext.getConf().get("spark.streaming.checkpoint.directory")
        if directory is not None:
            self.checkpoint(directory)

    # What methods with `declares` find the context by.
    @property
    def _ssc(self) -> StreamingContext:
        return self

    def _refusal(self) -> str:
        """Why it cannot go into a task."""
        return "a StreamingContext can only be used on the driver, and not in a task"

    @property
    def _state(self) -> str:
        return self._native.state

    @property
    def sparkContext(self) -> SparkContext:
        """The SparkContext that this runs on."""
        return self._sc

    def _wrap(self, rdd: _native.Rdd) -> RDD[Any]:
        return RDD(rdd, self._sc)

    def _refuse_declarations(self) -> None:
        when = _WHEN.get(self._state)
        if when is not None:
            raise IllegalStateException(when)

    def _states(self, initial: RDD[Any] | Iterable[Any] | None) -> _native.Rdd | None:
        """The dataset of the states to begin with."""
        if initial is None:
            return None
        return initial._native if isinstance(initial, RDD) else self._sc.parallelize(initial)._native

    # Inputs.

    @declares
    def socketTextStream(
        self, hostname: str, port: int, storageLevel: StorageLevel = StorageLevel.MEMORY_AND_DISK_2
    ) -> DStream[str]:
        """The lines that a server sends: UTF-8, ended by a newline or the end of the connection.

        If the connection cannot be made or ends, it is made anew every two seconds. `storageLevel` means nothing here:
        what waits is in memory, and when that is full the server has to wait.
        """
        return DStream(self._native.socket_text_stream(hostname, int(port)), self, None)

    @declares
    def textFileStream(
        self, directory: str, *, filter: Callable[[str], bool] | None = None, newFilesOnly: bool = True
    ) -> DStream[str]:
        """The lines of files that are new in a directory, into which they have to be moved when they are complete.

        Only here: `filter` takes the path of a file; by default names that begin with neither "." nor "_". With
        `newFilesOnly=False` the files that are there already come first.
        """
        return DStream(self._native.text_file_stream(directory, filter, newFilesOnly), self, None)

    @declares
    def binaryRecordsStream(self, directory: str, recordLength: int) -> DStream[bytes]:
        """As `textFileStream`; records are so many bytes each."""
        return DStream(self._native.binary_records_stream(directory, recordLength), self, None)

    @declares
    def queueStream(
        self,
        rdds: list[RDD[T]] | list[list[T]] | Queue[Any],
        oneAtATime: bool = True,
        default: RDD[T] | Iterable[T] | None = None,
    ) -> DStream[T]:
        """RDDs of a list or queue, one for each batch, or all that are there at once.

        Items that are no RDDs are parallelized. Afterwards batches are `default`, or empty. Only here: items that are
        appended while the program runs are seen, and `rdds` may be a `deque` or a `queue.Queue`. IndexError if it is an
        empty list and there is no default.
        """
        return DStream(queue_stream(self._native, self._sc, rdds, oneAtATime, default), self, None)

    @declares
    def receiverStream(self, receiver: Receiver | Callable[[ReceiverStore], object]) -> DStream[Any]:
        """What a receiver stores. Only here.

        An object with `onStart(store)` and `onStop()`, or a function of `store`, which then returns when
        `store.isStopped()`. It is called on a thread of its own; when it raises, it is started again after two seconds.
        """
        return DStream(self._native.receiver_stream(runner(receiver)), self, None)

    @declares
    def _kafka_stream(
        self,
        topics: list[str],
        given: dict[str, str],
        zookeeper: str | None,
        begin: dict[tuple[str, int], int],
        decode: Decode,
    ) -> DStream[Any]:
        """What `KafkaUtils` makes streams with; with the address of a ZooKeeper, one of a group.

        The configuration, which may have secrets, is only looked into here, so that a checkpoint does not get it.
        """
        from tidemill.pyspark.streaming.kafka import KafkaDStream

        conf = self._sc.getConf()
        if zookeeper is None:
            plan = kafka_parameters.direct(given, conf)
        else:
            plan = kafka_parameters.of_group(given, conf, zookeeper)
        native = self._native.kafka_stream(plan.settings, topics, begin, plan.start, plan.stored)
        return KafkaDStream(native, decode, self)

    # Several streams.

    @declares
    def union(self, *dstreams: DStream[T]) -> DStream[T]:
        """The records of all. ValueError if there is none, or if their slide durations differ."""
        if not dstreams:
            raise ValueError("should have at least one DStream to union")
        first = dstreams[0]
        if len(dstreams) == 1:
            return first
        if any(stream._slide_ms != first._slide_ms for stream in dstreams):
            raise ValueError("all DStreams should have same slide duration")
        return DStream(self._native.union([stream._native for stream in dstreams]), self, None)

    @declares
    def transform(self, dstreams: list[DStream[Any]], transformFunc: Callable[..., RDD[T]]) -> DStream[T]:
        """What `transformFunc(rdds)` makes of the batches of these streams: a tuple in their order.

        SparkException in the batch if it returns None; return an empty RDD instead.
        """

        def make(_: int, natives: list[_native.Rdd]) -> _native.Rdd:
            given = transformFunc(tuple(map(self._wrap, natives)))
            if given is None:
                raise SparkException("the function of StreamingContext.transform gave None; let it return an empty RDD")
            return checked_rdd(given, "StreamingContext.transform", transformFunc)._native

        return DStream(self._native.transform([stream._native for stream in dstreams], make), self, None)

    # Settings.

    @declares
    def remember(self, duration: float) -> None:
        """How long every stream keeps its batches at the least, in seconds. Once only."""
        if self._remember_ms is not None:
            said = f"remember duration already set as {self._remember_ms} ms"
            raise IllegalArgumentException(f"requirement failed: {said}")
        self._remember_ms = duration_ms(duration)
        self._native.remember(self._remember_ms)

    def checkpoint(self, directory: str) -> None:
        """Keeps state and the program itself in this directory, which is made; `getOrCreate` goes on from there.

        A program that does not call that begins afresh, and leaves behind what the directory remembers, as in Spark.
        """
        if self._directory is not None and program.place(self._directory) == program.place(directory):
            return
        self._refuse_declarations()
        program.make_directory(directory)
        self._native.checkpoint(directory)
        self._directory = directory
        if self._sc.getCheckpointDir() is None and program.place(directory) is not None:
            # As in Spark, for RDDs that a function checkpoints.
            self._sc.setCheckpointDir(directory)

    def addStreamingListener(self, streamingListener: object) -> None:
        """Tells a `StreamingListener` what happens, from now on."""
        inside, named = self._inside_callback, self._named

        def tell(event: str, values: Values) -> None:
            with inside():
                deliver(streamingListener, event, named(values))

        self._native.add_streaming_listener(tell)

    def guarantees(self) -> list[str]:
        """What each output is promised, whatever crashes: a line for each. Only here."""
        lines = []
        for line, (output, _) in zip(self._native.guarantees(), self._outputs):
            # The engine has names of its own: "text_file_stream_with".
            inputs, arrow, promise = line.partition(" -> ")
            names = re.sub("_(.)", lambda found: found[1].upper(), re.sub("_with[a-z_]*", "", inputs))
            lines.append(f"{names}{arrow}{output}:{promise.partition(':')[2]}")
        return lines

    def _note_output(self, name: str) -> None:
        self._outputs.append((name, self._plan.replayed or _place()))

    def _named(self, values: Values) -> Values:
        """The values of an event, with the names that outputs have in the program: as Spark's, with their places."""
        if "outputs" in values:
            outputs = {number: self._named(output) for number, output in values["outputs"].items()}
            return {**values, "outputs": outputs}
        if "description" not in values:
            return values
        name, place = self._outputs[values["id"]]
        return {**values, "name": f"{name} at {os.path.basename(place)}", "description": f"{name} at {place}"}

    # Life.

    def start(self) -> None:
        """Begins to run what was declared.

        IllegalArgumentException if nothing is put out, IllegalStateException if it was stopped before or another
        context is running; a running context is left alone. After an error the context is stopped.
        """
        if self._state == "active":
            _say("StreamingContext has already been started")
            return
        if self._state == "stopped":
            raise IllegalStateException("StreamingContext has already been stopped")
        with StreamingContext._activation:
            other = StreamingContext.getActive()
            if other is not None:
                raise IllegalStateException(
                    "only one StreamingContext may be started at a time; another was started at " + other._started_at
                )
            self._started_at = _place()
            try:
                self._start()
            except BaseException:
                self._native.stop(False)
                raise
            StreamingContext._activeContext = self
            # It is stopped with its SparkContext.
            self._sc._streaming = self

    def _start(self) -> None:
        if not self._outputs:
            raise IllegalArgumentException(
                "requirement failed: No output operations registered, so nothing to execute"
            )
        if self._keeps_state and self._directory is None and self._sc._engine.checkpoint_dir is None:
            raise IllegalArgumentException(
                "requirement failed: The checkpoint directory has not been set. Please set it by "
                "StreamingContext.checkpoint()."
            )
        left_behind = self._take_checkpoint()
        try:
            self._native.start()
        except ValueError as error:
            if type(error) is ValueError:
                raise IllegalArgumentException(f"requirement failed: {error}") from error
            raise
        if self._sc._log_level not in ("ERROR", "FATAL", "OFF"):
            for line in dict.fromkeys(self.guarantees()):
                _say(f"guarantee: {line}")
        if any(left_behind):
            said = "holds a checkpoint of an earlier run, which a program without getOrCreate does not go on with"
            _say(f"{self._directory} {said}")

    def _take_checkpoint(self) -> list[int]:
        """Has the program stored as it starts. The list gets the last start of a run that is left behind, 0 if none is."""
        left_behind: list[int] = []
        if self._directory is None or self._plan.closed:
            return left_behind
        is_afresh = program.is_afresh(self)
        if is_afresh:
            self._native.leave_behind(program.ANY_START)
        stored, folder = self._program_to_store(is_afresh), program.place(self._directory)

        def store(last: int) -> None:
            begins_after = last if is_afresh else 0
            left_behind[:] = [begins_after]
            if stored is not None and folder is not None:
                program.store(folder, replace(stored, begins_after=begins_after))

        # Not before: until it is taken the checkpoint may be another program's, which is running.
        self._native.before_start(store)
        return left_behind

    def _program_to_store(self, is_afresh: bool) -> program.Program | None:
        """The program, if its checkpoint can have it. PermissionError if what others may have written were read."""
        assert self._directory is not None
        folder = program.place(self._directory)
        if folder is None:
            _say(f"the program is not stored in {self._directory}; a restart calls its setup function again")
            return None
        why = program.distrust(folder)
        if why is not None and not is_afresh and any(folder.iterdir()):
            # States may be pickled, and a pickle is code.
            raise PermissionError(f"what the checkpoint remembers is not read: {why}")
        if why is not None:
            _say(f"the program in the checkpoint will not be recovered: {why}")
        if not is_afresh and (folder / program.NAME).exists():
            _say(f"goes on from what {self._directory} remembers, with the program as it is now")
        return program.prepare(self)

    def awaitTermination(self, timeout: float | None = None) -> None:
        """Waits until the context is stopped, at most `timeout` seconds.

        Raises what a batch failed with: the exception of your own function, as it was. Only that a failure is no
        success: for `sys.exit(0)` it is SystemExit(1), and for a KeyboardInterrupt of a function a RuntimeError.
        """
        self._await(timeout)

    def awaitTerminationOrTimeout(self, timeout: float) -> bool:
        """As `awaitTermination`; whether the context is stopped."""
        return self._await(timeout)

    def _await(self, timeout: float | None) -> bool:
        try:
            return self._wait(None if timeout is None else duration_ms(timeout))
        except (KeyboardInterrupt, SystemExit) as error:
            # What a signal raises ends the program in its own way.
            if error is not self._failure():
                raise
            if isinstance(error, SystemExit):
                raise SystemExit(error.code or 1) from error
            raise RuntimeError("a function of a batch raised KeyboardInterrupt") from error

    def _wait(self, timeout_ms: int | None) -> bool:
        try:
            return self._native.await_termination(timeout_ms)
        except BaseException as error:
            # The engine adds its note whenever it raises the error.
            notes = getattr(error, "__notes__", [])
            notes[:] = dict.fromkeys(notes)
            raise

    def _failure(self) -> BaseException | None:
        """What a batch of this context, which was started, failed with."""
        try:
            self._wait(0)
        except BaseException as error:
            return error
        return None

    def _drains_at_exit(self) -> bool:
        """Whether the end of the program is a graceful stop: not after a batch that failed."""
        said = self._sc.getConf().get("spark.streaming.stopGracefullyOnShutdown", "true")
        return said == "true" and self._failure() is None

    def stop(self, stopSparkContext: bool = True, stopGraceFully: bool = False) -> None:
        """Stops the context, and the SparkContext too; what was received is worked off first if `stopGraceFully`.

        From a function of a batch or a listener the stop only begins: the batch that calls it is finished.
        """
        inside, begun, self._stop_begun = getattr(self._thread, "inside_callback", False), self._stop_begun, True
        # Once is enough: a stopped one is stopped again with its SparkContext, and a function is called for more batches.
        if self._state != "stopped" and not (inside and begun):
            self._native.stop(stopGraceFully)
        # The active one no more, unless the stop only begins.
        StreamingContext.getActive()
        if not stopSparkContext:
            return
        if inside or self._state == "active":
            threading.Thread(target=self._stop_spark_context, name="tidemill-stop-context").start()
        else:
            self._sc.stop()

    def _stop_spark_context(self) -> None:
        with contextlib.suppress(Exception):
            self._native.await_termination(None)
        self._sc.stop()

    @contextlib.contextmanager
    def _inside_callback(self) -> Iterator[None]:
        self._thread.inside_callback = True
        try:
            yield
        finally:
            self._thread.inside_callback = False

    # Contexts that are there already.

    @classmethod
    def getActive(cls) -> StreamingContext | None:
        """The context that is running."""
        with cls._activation:
            active = StreamingContext._activeContext
            if active is not None and active._state != "active":
                active = StreamingContext._activeContext = None
            return active

    @classmethod
    def getActiveOrCreate(
        cls, checkpointPath: str | None, setupFunc: Callable[[], StreamingContext]
    ) -> StreamingContext:
        """The context that is running; else as `getOrCreate`, or what `setupFunc()` makes if there is no path."""
        if not callable(setupFunc):
            raise TypeError("setupFunc should be callable.")
        active = cls.getActive()
        if active is not None:
            return active
        return setupFunc() if checkpointPath is None else cls.getOrCreate(checkpointPath, setupFunc)

    @classmethod
    def getOrCreate(cls, checkpointPath: str, setupFunc: Callable[[], StreamingContext]) -> StreamingContext:
        """The context that a checkpoint has, as its program declared it; what `setupFunc()` makes if there is none.

        `setupFunc` is not called if there is a checkpoint, as in PySpark: then a changed program has no effect. With
        `tidemill.python.setupAgain=true` it is called in any case, and what is remembered is attached to the streams
        that it declares.

        SparkException if there is a checkpoint and its program cannot be read. It is code: it is only read from a
        directory that is this user's and that nobody else may write to.
        """
        remembered = None if program.is_set_up_again() else program.read(checkpointPath)
        if remembered is None:
            ssc = setupFunc()
            ssc._goes_on = True
            ssc.checkpoint(checkpointPath)
            return ssc
        return cls._recover(checkpointPath, remembered)

    @classmethod
    def _recover(cls, path: str, remembered: program.Program) -> StreamingContext:
        sc = program.context(remembered)
        ssc = cls(sc, None, Engine.of(sc, remembered.batch_ms))
        steps = remembered.steps(path, sc, ssc)
        ssc._plan.closed = True
        replay(ssc, steps)
        ssc.checkpoint(path)
        # Unless it died before its first start was logged: then that is made up for.
        ssc._native.leave_behind(remembered.begins_after)
        _say(f"recovered the program of {remembered} from {path}; its setup function was not called")
        return ssc


def _batch_ms(seconds: Any) -> int:
    """The milliseconds of a batch duration. TypeError and ValueError if there can be none such."""
    if not isinstance(seconds, Real):
        raise TypeError(f"the batch duration is a number of seconds, not {seconds!r}")
    if not 0.001 <= float(seconds) < math.inf:
        raise ValueError(f"the batch duration must be at least 1 ms and have an end, and is {seconds} s")
    return duration_ms(float(seconds))


def _say(what: str) -> None:
    print(f"tidemill: {what}", file=sys.stderr, flush=True)


def _stop_at_exit() -> None:
    """Nothing runs on when the interpreter ends."""
    active = StreamingContext.getActive()
    if active is not None:
        with contextlib.suppress(Exception):
            active.stop(stopSparkContext=False, stopGraceFully=active._drains_at_exit())


def _forget_in_child() -> None:
    """A child has none of the threads; what runs is its parent's, who may hold the lock just now."""
    StreamingContext._activation = threading.RLock()
    StreamingContext._activeContext = None


atexit.register(_stop_at_exit)
os.register_at_fork(after_in_child=_forget_in_child)
