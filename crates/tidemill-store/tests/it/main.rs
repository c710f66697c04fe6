//! The storages of this crate against servers that run for the tests alone.

mod faults;
mod hadoop;
mod hdfs;
mod objects;
mod s3_server;
mod secrets;
