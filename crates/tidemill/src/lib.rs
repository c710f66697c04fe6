//! tidemill: Spark Streaming in Rust, and better.

pub mod base;
mod context;
mod dstream;
pub mod engine;
pub mod io;
pub mod rdd;
pub mod scheduler;
pub mod testing;

pub use base::{
    Clock, Config, ConfigKey, Data, Error, ErrorKind, Interrupt, Interval, Key, ManualClock, Misuse, Result, Show,
    Shown, SystemClock, Text, Time, keys, milliseconds, minutes, seconds,
};
pub use context::{Context, StreamingContext};
pub use dstream::{ContextState, DStream, MapWithStateDStream, State, StateOptions, StateSpec};
pub use rdd::{
    Accumulator, BoxError, Broadcast, HashPartitioner, IntoPartitioner, LocalIter, Number, Partitioner, PartitionerRef,
    RangePartitioner, Rdd, StatCounter, StorageLevel,
};
pub use scheduler::{
    BatchCompleted, BatchInfo, BatchStarted, BatchSubmitted, OutputOperationCompleted, OutputOperationInfo,
    OutputOperationStarted, PidRateEstimator, Progress, RateEstimator, ReceiverError, ReceiverInfo, ReceiverStarted,
    ReceiverStopped, StatsReportListener, StreamInputInfo, StreamingListener, StreamingStarted,
};
