//! tidemill: Spark Streaming in Rust, and better.

pub mod base;

pub use base::{
    Clock, Data, Error, ErrorKind, Interrupt, Interval, Key, ManualClock, Misuse, Result, Show, Shown, SystemClock,
    Text, Time, milliseconds, minutes, seconds,
};
