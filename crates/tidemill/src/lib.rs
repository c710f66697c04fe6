//! Spark Streaming in Rust: programs over *discretized streams*, one partitioned dataset per batch interval.
//!
//! A [`StreamingContext`] makes [`DStream`]s from sources and runs a batch every interval; a stream's batch is an
//! [`Rdd`], which batch programs get from a [`Context`]. Streams are transformed, windowed, and joined; state is kept by
//! key ([`update_state_by_key`](DStream::update_state_by_key), [`map_with_state`](DStream::map_with_state)); outputs
//! print, save, or hand over batches. The [`testing`] room runs a program under a clock that stands still:
//!
//! ```
//! use tidemill::{Text, testing::TestContext};
//! let test = TestContext::new();
//! let lines = test.stream(vec![vec![Text::from("to be or not")], vec![Text::from("to be")]]);
//! let counts = lines.flat_map(|line| line.split(' ')).map(|word| (word, 1)).reduce_by_key(|a, b| a + b);
//! let seen = test.collect(&counts);
//! test.run(2)?;
//! assert_eq!(seen.sorted()[1], vec![("be".into(), 1), ("to".into(), 1)]);
//! # Ok::<(), tidemill::Error>(())
//! ```
//!
//! Words are explained in GLOSSARY.md, the rooms in ARCHITECTURE.md, differences to Spark in COMPATIBILITY.md, and
//! configuration keys in docs/configuration.md, all in the repository.

#![warn(clippy::print_stdout)]

pub mod base;
pub mod checkpoint;
mod context;
mod dstream;
pub mod engine;
pub mod io;
pub mod rdd;
pub mod scheduler;
pub mod testing;

pub use base::{
    Clock, Config, ConfigKey, Data, Error, ErrorKind, Interrupt, Interval, Key, ManualClock, Misuse, Result, Show,
    Shown, SystemClock, Text, Time, dead_letters, exit, keys, milliseconds, minutes, seconds,
};
pub use context::{Context, StreamingContext};
pub use dstream::{ContextState, DStream, Guarantee, MapWithStateDStream, State, StateOptions, StateSpec};
pub use rdd::{
    Accumulator, BoxError, Broadcast, HashPartitioner, IntoPartitioner, LocalIter, Number, Partitioner, PartitionerRef,
    RangePartitioner, Rdd, StatCounter, StorageLevel, interruptible, put_aside, put_aside_from, task_interrupt, throw,
};
pub use scheduler::{
    BatchCompleted, BatchInfo, BatchStarted, BatchSubmitted, OutputOperationCompleted, OutputOperationInfo,
    OutputOperationStarted, PidRateEstimator, Progress, RateEstimator, ReceiverError, ReceiverInfo, ReceiverStarted,
    ReceiverStopped, StatsReportListener, StreamInputInfo, StreamingListener, StreamingStarted,
};
