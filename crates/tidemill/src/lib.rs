//! tidemill: Spark Streaming in Rust, and better.

pub mod base;

pub use base::{
    Clock, Config, ConfigKey, Data, Error, ErrorKind, Interrupt, Interval, Key, ManualClock, Misuse, Result,
    SystemClock, Time, keys, milliseconds, minutes, seconds,
};
