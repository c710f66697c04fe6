//! The `tidemill` command as a user runs it.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod checkpoint;
mod cluster;
#[path = "../../../tidemill/tests/it/counted.rs"]
mod counted;
mod dlq;
mod generate;
mod launch;
mod lost;
mod programs;
mod rescaled;
#[path = "../../../tidemill-store/tests/it/s3_server.rs"]
mod s3_server;
