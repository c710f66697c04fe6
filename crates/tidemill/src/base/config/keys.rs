//! The table of configuration keys that do something: each with its name, type, default and meaning.
//!
//! The doc comment of a key is also its line of `docs/configuration.md`; a test keeps the two the same.

use super::{
    ConfigKey, Master, Unit,
    key::AnyKey,
    parse::{self, ConfigValue},
};
use std::time::Duration;

/// Declares constants of type `ConfigKey` and the table that lists them.
macro_rules! keys {
    ($($(#[doc = $doc:literal])+ $name:ident: $type:ty = $key:expr;)*) => {
        $($(#[doc = $doc])+ pub const $name: ConfigKey<$type> = $key.doc(concat!($($doc),+));)*

        /// Every key of this file.
        pub(super) static TABLE: &[&dyn AnyKey] = &[$(&$name),*];
    };
}

/// The key with this name or alias.
pub(super) fn find(name: &str) -> Option<&'static dyn AnyKey> {
    TABLE.iter().copied().find(|key| key.name() == name || key.aliases().contains(&name))
}

/// Which files of a watched folder belong to a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum FileStreamRule {
    /// Every file that was not seen before, whatever its modification time.
    SeenSet,
    /// Spark's rule, which goes by modification times and forgets late files.
    Spark,
}

impl ConfigValue for FileStreamRule {
    const UNIT: Unit = Unit::Text;
    const EXPECTED: &'static str = "\"seen-set\" or \"spark\"";
    fn parse(value: &str, _: Unit) -> Option<Self> {
        match value {
            "seen-set" => Some(Self::SeenSet),
            "spark" => Some(Self::Spark),
            _ => None,
        }
    }
}

/// What happens to a batch one of whose files is gone before it is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum MissingFile {
    /// The batch goes on without the file; the log counts and names it.
    Skip,
    /// The batch fails.
    Fail,
}

impl ConfigValue for MissingFile {
    const UNIT: Unit = Unit::Text;
    const EXPECTED: &'static str = "\"skip\" or \"fail\"";
    fn parse(value: &str, _: Unit) -> Option<Self> {
        match value {
            "skip" => Some(Self::Skip),
            "fail" => Some(Self::Fail),
            _ => None,
        }
    }
}

/// What happens when a file that is there cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Unreadable {
    /// What needs it fails: the batch, or the start.
    Fail,
    /// What is in the file is left out; the log counts and names it.
    Skip,
}

impl ConfigValue for Unreadable {
    const UNIT: Unit = Unit::Text;
    const EXPECTED: &'static str = "\"fail\" or \"skip\"";
    fn parse(value: &str, _: Unit) -> Option<Self> {
        match value {
            "fail" => Some(Self::Fail),
            "skip" => Some(Self::Skip),
            _ => None,
        }
    }
}

/// What becomes of the batches whose time passed while the program was down or stood still.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum MissedBatches {
    /// Each of them is run.
    Each,
    /// One batch is run for all of them.
    Merged,
    /// None is run; what came meanwhile is in the next batch that is due.
    Skipped,
}

impl ConfigValue for MissedBatches {
    const UNIT: Unit = Unit::Text;
    const EXPECTED: &'static str = "\"each\", \"merged\" or \"skipped\"";
    fn parse(value: &str, _: Unit) -> Option<Self> {
        match value {
            "each" => Some(Self::Each),
            "merged" => Some(Self::Merged),
            "skipped" => Some(Self::Skipped),
            _ => None,
        }
    }
}

/// What becomes of the program when a batch failed for good.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum OnFailure {
    /// No later batch is run; a restart runs this one again.
    Stop,
    /// Later batches are run; this one is passed over.
    Continue,
}

impl ConfigValue for OnFailure {
    const UNIT: Unit = Unit::Text;
    const EXPECTED: &'static str = "\"stop\" or \"continue\"";
    fn parse(value: &str, _: Unit) -> Option<Self> {
        match value {
            "stop" => Some(Self::Stop),
            "continue" => Some(Self::Continue),
            _ => None,
        }
    }
}

/// What becomes of a stream that is to read records of Kafka which are gone: they expired, or the topic was deleted and
/// made anew.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum OnDataLoss {
    /// The batch fails with what was lost.
    #[default]
    Fail,
    /// The stream goes on at the first record that there still is. The log says what was lost.
    Earliest,
    /// The stream goes on at what comes from now on. The log says what was lost.
    Latest,
}

impl ConfigValue for OnDataLoss {
    const UNIT: Unit = Unit::Text;
    const EXPECTED: &'static str = "\"fail\", \"earliest\" or \"latest\"";
    fn parse(value: &str, _: Unit) -> Option<Self> {
        match value {
            "fail" => Some(Self::Fail),
            "earliest" => Some(Self::Earliest),
            "latest" => Some(Self::Latest),
            _ => None,
        }
    }
}

const fn count(name: &'static str, default: &'static str) -> ConfigKey<usize> {
    ConfigKey::<usize>::new(name, default).bounded("a whole number that is at least 1", |count| *count > 0)
}

const fn optional_count(name: &'static str, otherwise: &'static str) -> ConfigKey<Option<usize>> {
    ConfigKey::<Option<usize>>::optional(name, otherwise)
        .bounded("a whole number that is at least 1", |count| !matches!(count, Some(0)))
}

const fn bytes(name: &'static str, default: &'static str) -> ConfigKey<u64> {
    let key = ConfigKey::<u64>::new(name, default).unit(Unit::Bytes).parsed_by(parse::SIZE, u64::parse);
    key.bounded("a size that is more than 0 bytes", |bytes| *bytes > 0)
}

const fn optional_rate(name: &'static str, otherwise: &'static str) -> ConfigKey<Option<u64>> {
    ConfigKey::<Option<u64>>::optional(name, otherwise).unit(Unit::RecordsPerSecond).parsed_by(parse::RATE, parse::rate)
}

const fn gain(name: &'static str, default: &'static str) -> ConfigKey<f64> {
    ConfigKey::<f64>::new(name, default).bounded("a number that is not negative", |gain| *gain >= 0.0)
}

const fn switch(name: &'static str, default: &'static str) -> ConfigKey<bool> {
    ConfigKey::<bool>::new(name, default)
}

const fn time(name: &'static str, default: &'static str) -> ConfigKey<Duration> {
    ConfigKey::<Duration>::new(name, default)
}

const fn positive_time(name: &'static str, default: &'static str) -> ConfigKey<Duration> {
    time(name, default).bounded("a time that is longer than 0", |time| !time.is_zero())
}

keys! {
    /// Where the program runs: `local` (one thread), `local[N]` or `local[*]` (as many as there are processors), and
    /// with `local[N,F]` or `local[*,F]` how often a task is tried.
    MASTER: Master = ConfigKey::<Master>::new("spark.master", "local[*]");
    /// The name of the program, in logs, metrics and on its page.
    APP_NAME: String = ConfigKey::<String>::new("spark.app.name", "tidemill");
    /// Into how many partitions a shuffle goes when the program does not say.
    DEFAULT_PARALLELISM: Option<usize> =
        optional_count("spark.default.parallelism", "the number of worker threads");
    /// How often a task is tried before its batch fails. The `F` of `local[N,F]` goes before it.
    TASK_MAX_FAILURES: Option<usize> = optional_count("spark.task.maxFailures", "1");

    /// Whether the PID estimator sets the rate of the receivers, from how long batches took. Memory is bounded without
    /// it, by `tidemill.receiver.poolBytes`.
    BACKPRESSURE_ENABLED: bool = switch("spark.streaming.backpressure.enabled", "false");
    /// The rate of a receiver until there is a first estimate.
    BACKPRESSURE_INITIAL_RATE: Option<u64> =
        optional_rate("spark.streaming.backpressure.initialRate", "`spark.streaming.receiver.maxRate`");
    /// How the rate is estimated; `pid` is the only way.
    BACKPRESSURE_ESTIMATOR: String = ConfigKey::<String>::new("spark.streaming.backpressure.rateEstimator", "pid")
        .bounded("\"pid\"", |estimator| estimator.as_bytes().eq_ignore_ascii_case(b"pid"));
    /// PID: the weight of the present error.
    PID_PROPORTIONAL: f64 = gain("spark.streaming.backpressure.pid.proportional", "1.0");
    /// PID: the weight of the backlog.
    PID_INTEGRAL: f64 = gain("spark.streaming.backpressure.pid.integral", "0.2");
    /// PID: the weight of the change of the error.
    PID_DERIVED: f64 = gain("spark.streaming.backpressure.pid.derived", "0.0");
    /// PID: the lowest rate it ever asks for.
    PID_MIN_RATE: f64 = ConfigKey::<f64>::new("spark.streaming.backpressure.pid.minRate", "100")
        .unit(Unit::RecordsPerSecond)
        .bounded("a number that is more than 0", |rate| *rate > 0.0);

    /// The highest rate of each receiver; 0 or less is no limit.
    RECEIVER_MAX_RATE: Option<u64> = optional_rate("spark.streaming.receiver.maxRate", "no limit");
    /// Whether what receivers take in is stored in the checkpoint before a batch is given it, and kept there until that batch is
    /// done: a crash then loses nothing of it. What a receiver stores record by record is stored after a block interval at the latest.
    RECEIVER_LOG_ENABLED: bool = switch("spark.streaming.receiver.writeAheadLog.enable", "false");
    /// How long a receiver that asked to be restarted, or that failed, waits before it starts again.
    RECEIVER_RESTART_DELAY: Duration = time("spark.streaming.receiverRestartDelay", "2000");
    /// After how long a block of received records is closed even if it is not full. One block is one partition.
    BLOCK_INTERVAL: Duration = positive_time("spark.streaming.blockInterval", "200ms");

    /// Whether a program that is told to end (see `tidemill.shutdown.signals`) finishes what it received first. Spark's
    /// default is false, which loses the batches that wait.
    STOP_GRACEFULLY_ON_SHUTDOWN: bool = switch("spark.streaming.stopGracefullyOnShutdown", "true");
    /// Whether stopping the streaming context also stops the batch context it was made from.
    STOP_SPARK_CONTEXT: bool = switch("spark.streaming.stopSparkContextByDefault", "true");
    /// How long a graceful stop waits for what was received to be worked off.
    GRACEFUL_STOP_TIMEOUT: Option<Duration> =
        ConfigKey::<Option<Duration>>::optional("spark.streaming.gracefulStopTimeout", "ten batch durations, but `tidemill.shutdown.timeout` at the least");
    /// How many output operations run at once. With more than one, batches overlap and their order is lost.
    CONCURRENT_JOBS: usize = count("spark.streaming.concurrentJobs", "1");
    /// The checkpoint directory, as if the program had called `checkpoint` with it.
    CHECKPOINT_DIRECTORY: Option<String> =
        ConfigKey::<Option<String>>::optional("spark.streaming.checkpoint.directory", "none");
    /// With the rule `spark`: how old a file may be to be read still, and for how long its name is remembered.
    FILE_MIN_REMEMBER: Duration = positive_time("spark.streaming.fileStream.minRememberDuration", "60s")
        .unit(Unit::Seconds)
        .also_called(&["spark.streaming.minRememberDuration"]);
    /// How many records of each Kafka partition a second of a batch may bring at most; 0 or less is no limit.
    KAFKA_MAX_RATE: Option<u64> = optional_rate("spark.streaming.kafka.maxRatePerPartition", "no limit");
    /// How many records of each Kafka partition a batch may bring at least, whatever backpressure says.
    KAFKA_MIN_RATE: usize = count("spark.streaming.kafka.minRatePerPartition", "1");

    /// How many worker threads run a job.
    WORKER_THREADS: Option<usize> = optional_count("tidemill.worker.threads", "the threads of `spark.master`");
    /// The longest line that a text source accepts; a longer one is an error and not an endless buffer.
    LINES_MAX_BYTES: u64 = bytes("tidemill.lines.maxBytes", "16MiB");
    /// At what size a block of received records is closed.
    RECEIVER_BLOCK_BYTES: u64 = bytes("tidemill.receiver.blockBytes", "64KiB");
    /// How much received data may wait to be processed, all receivers of a context together. When the pool is full, receivers stop
    /// reading and the sender waits.
    RECEIVER_POOL_BYTES: u64 = bytes("tidemill.receiver.poolBytes", "256MiB");
    /// What happens when stored received data is damaged or gone: `fail` fails the start or the batch that needs it, `skip`
    /// loses what was in the file, and says so.
    RECEIVER_DAMAGED_BLOCKS: Unreadable = ConfigKey::<Unreadable>::new("tidemill.receiver.damagedBlocks", "fail");
    /// How many blocks of each receiver the first batch after a start takes at most, so that a program that is still
    /// cold is not handed a mountain.
    RECEIVER_FIRST_BATCH_BLOCKS: usize = count("tidemill.receiver.firstBatchBlocks", "16");
    /// What is done when a batch failed for good: with `stop` no later batch is run, and a restart runs this one again;
    /// with `continue` later batches go on, as in Spark, and this one is passed over.
    BATCH_ON_FAILURE: Option<OnFailure> =
        ConfigKey::<Option<OnFailure>>::optional("tidemill.batch.onFailure", "`stop` with a checkpoint, `continue` without");
    /// How long a batch may run. One that takes longer cannot be ended, for a thread cannot: the log says which operators
    /// are at work on which partitions, and the process ends with code 1; a restart runs the batch again.
    BATCH_TIMEOUT: Option<Duration> = ConfigKey::<Option<Duration>>::optional("tidemill.batch.timeout", "no limit")
        .bounded("a time that is longer than 0", |time| !matches!(time, Some(Duration::ZERO)));
    /// Whether a record is put aside as a dead letter when a function that is called for each record returns an error or
    /// panics on it, or a sink rejects it; otherwise the batch fails. Needs a checkpoint, which keeps the letters.
    DEAD_LETTER_ENABLED: bool = switch("tidemill.deadLetter.enabled", "false");
    /// How many records one batch may put aside. A batch that has more to put aside fails, and the program stops.
    DEAD_LETTER_MAX_PER_BATCH: usize = count("tidemill.deadLetter.maxPerBatch", "1000");
    /// How many records all batches of a checkpoint together may put aside, restarts included. The batch that exceeds it
    /// fails, and the program stops.
    DEAD_LETTER_MAX_TOTAL: usize = count("tidemill.deadLetter.maxTotal", "10000");
    /// How many bytes of a record a dead letter keeps; of a longer one it keeps the beginning and the length.
    DEAD_LETTER_MAX_RECORD_BYTES: u64 = bytes("tidemill.deadLetter.maxRecordBytes", "64KiB");
    /// For how long an output is tried again, at growing intervals, when the place it writes to does not answer or is
    /// full. The source waits meanwhile.
    BATCH_RETRY_TIMEOUT: Duration = time("tidemill.batch.retryTimeout", "10min");
    /// What becomes of the batches whose time passed while the program was down or stood still: `each` is run, as in
    /// Spark; `merged` runs one for all; `skipped` runs none, and what came is in the next batch.
    MISSED_BATCHES: MissedBatches = ConfigKey::<MissedBatches>::new("tidemill.recovery.missedBatches", "each");
    /// What of a checkpoint may be thrown away because the program changed: uids separated by commas, `batch-duration`,
    /// or `*` for all that does not fit.
    CHECKPOINT_DISCARD: Option<String> = ConfigKey::<Option<String>>::optional("tidemill.checkpoint.discard", "nothing");
    /// Whether a start leaves behind all that a checkpoint remembers of an earlier run: no state, no input positions, no
    /// batches that are not done or were missed. Starts after it that do not say so go on from the new run.
    CHECKPOINT_AFRESH: bool = switch("tidemill.checkpoint.afresh", "false");
    /// Whether a checkpoint is taken from a driver that seems to be alive, which then fails at its next commit.
    CHECKPOINT_TAKE_OVER: bool = switch("tidemill.checkpoint.takeOver", "false");
    /// Whether operations with state refuse to start without a checkpoint, as in Spark. Without one their state is gone
    /// when the program ends.
    CHECKPOINT_REQUIRED: bool = switch("tidemill.checkpoint.required", "true");
    /// For how long a checkpoint is watched, where the storage knows no locks, before it counts as nobody's.
    CHECKPOINT_LEASE: Duration = time("tidemill.checkpoint.lease", "10s");
    /// How many batches must be waiting for a warning that the program does not keep up.
    BATCH_QUEUE_WARNING: usize = count("tidemill.batch.queueWarning", "10");
    /// Whether a program with a queue stream may be checkpointed. What is in the queue is lost by a restart.
    QUEUE_STREAM_ALLOW_CHECKPOINT: bool = switch("tidemill.queueStream.allowCheckpoint", "false");
    /// Which files are new: `seen-set` takes every file that it did not take before; `spark` goes by modification
    /// times as Spark does, and so passes over files that appear late.
    FILE_STREAM_RULE: FileStreamRule = ConfigKey::<FileStreamRule>::new("tidemill.fileStream.rule", "seen-set");
    /// How long a file must lie unchanged before it is read, for writers that do not move finished files into place.
    FILE_STREAM_MIN_AGE: Duration = time("tidemill.fileStream.minAge", "0ms");
    /// Whether files in folders below the watched one are read too.
    FILE_STREAM_RECURSIVE: bool = switch("tidemill.fileStream.recursive", "false");
    /// How many files one batch takes at most, oldest first.
    FILE_STREAM_MAX_FILES: Option<usize> = optional_count("tidemill.fileStream.maxFilesPerBatch", "no limit");
    /// For how long nothing may come over a socket before the receiver gives the connection up and connects anew. A
    /// server that vanished without a word is noticed only by that.
    SOCKET_IDLE_TIMEOUT: Option<Duration> =
        ConfigKey::<Option<Duration>>::optional("tidemill.socket.idleTimeout", "no limit");
    /// The brokers of Kafka, as `host:port`, with commas between; keys of librdkafka are set as `kafka.<key>`.
    KAFKA_BROKERS: Option<String> = ConfigKey::<Option<String>>::optional("tidemill.kafka.brokers", "none")
        .also_called(&["tidemill.kafka.bootstrap"]);
    /// How many records of each Kafka partition the first batch after a start takes at most, so that a program that is
    /// still cold is not handed a mountain.
    KAFKA_FIRST_BATCH_RECORDS: usize = count("tidemill.kafka.firstBatchRecords", "10000");
    /// After how long new topics and partitions are looked for, and offsets that expired.
    KAFKA_REFRESH_INTERVAL: Duration = positive_time("tidemill.kafka.refreshInterval", "10s");
    /// The largest Kafka record, key and value together; a larger one is put aside with its place, or fails the batch.
    KAFKA_MAX_RECORD_BYTES: u64 = bytes("tidemill.kafka.maxRecordBytes", "64MiB");
    /// What becomes of a stream of Kafka whose records are gone before they were read: with `fail` the batch fails, with
    /// `earliest` or `latest` the stream goes on there, and the log says what was lost.
    KAFKA_ON_DATA_LOSS: Option<OnDataLoss> = ConfigKey::<Option<OnDataLoss>>::optional(
        "tidemill.kafka.onDataLoss", "`fail`; for Python's `createStream` what `auto.offset.reset` says");
    /// Whether a program starts although Kafka has forgotten what it committed last, which it does
    /// `offsets.retention.minutes` (7 days) after the program stopped: batches that were not done then may come twice.
    KAFKA_ACCEPT_LOST_MARKS: bool = switch("tidemill.kafka.acceptLostMarks", "false");
    /// How long a transaction may take before the brokers end it. The brokers' `transaction.max.timeout.ms` (15 minutes) is
    /// the most.
    KAFKA_TRANSACTION_TIMEOUT: Duration = positive_time("tidemill.kafka.transactionTimeout", "5min");
    /// What happens to a batch when one of its files is gone before it is read: `skip` leaves the file out and says so,
    /// `fail` fails the batch.
    FILE_STREAM_MISSING: MissingFile = ConfigKey::<MissingFile>::new("tidemill.fileStream.missingFile", "skip");
    /// What happens to a batch when one of its files may not be read: `fail` fails the batch, `skip` leaves the file out and
    /// says so.
    FILE_STREAM_UNREADABLE: Unreadable = ConfigKey::<Unreadable>::new("tidemill.fileStream.unreadableFile", "fail");
    /// Whether SIGINT, SIGTERM and SIGHUP stop a running program in an orderly way.
    SHUTDOWN_SIGNALS: bool = switch("tidemill.shutdown.signals", "true");
    /// How long a stop that a signal began may take; a little less than the 30 s after which supervisors kill.
    SHUTDOWN_TIMEOUT: Duration = positive_time("tidemill.shutdown.timeout", "25s");
    /// How many events may wait for a slow listener before events are dropped.
    LISTENER_QUEUE: usize = count("tidemill.listener.queue", "10000");
    /// Whether a stream that no output operation uses is reported at start.
    WARN_UNUSED_STREAMS: bool = switch("tidemill.stream.warnUnused", "true");
}
