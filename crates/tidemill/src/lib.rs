//! tidemill: Spark Streaming in Rust, and better.

pub mod base;
pub mod io;

pub use base::{
    Clock, Data, Error, ErrorKind, Interrupt, Interval, Key, ManualClock, Misuse, Result, Show, Shown, SystemClock,
    Text, Time, milliseconds, minutes, seconds,
};

mod context;
mod engine;
pub mod rdd;

pub use context::Context;
pub use rdd::{
    Accumulator, BoxError, Broadcast, HashPartitioner, IntoPartitioner, LocalIter, Number, Partitioner, PartitionerRef,
    Rdd, StatCounter, StorageLevel,
};
