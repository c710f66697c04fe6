//! tidemill: Spark Streaming in Rust, and better.

pub mod base;
pub mod scheduler;

pub use base::{
    Clock, Config, ConfigKey, Data, Error, ErrorKind, Interrupt, Interval, Key, ManualClock, Misuse, Result,
    SystemClock, Time, keys, milliseconds, minutes, seconds,
};
pub use scheduler::{
    BatchCompleted, BatchInfo, BatchStarted, BatchSubmitted, OutputOperationCompleted, OutputOperationInfo,
    OutputOperationStarted, PidRateEstimator, RateEstimator, ReceiverError, ReceiverInfo, ReceiverStarted,
    ReceiverStopped, StatsReportListener, StreamInputInfo, StreamingListener, StreamingStarted,
};
