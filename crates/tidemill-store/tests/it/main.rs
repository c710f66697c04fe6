//! The storages of this crate against servers that run for the tests alone.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod faults;
mod hadoop;
mod hdfs;
mod objects;
mod s3_server;
mod secrets;
