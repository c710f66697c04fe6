//! tidemill: Spark Streaming in Rust, and better.

pub mod base;
pub mod engine;

pub use base::{
    Clock, Data, Error, ErrorKind, Interrupt, Interval, Key, ManualClock, Misuse, Result, SystemClock, Time,
    milliseconds, minutes, seconds,
};
