//! The `tidemill` command as a user runs it.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod cluster;
mod launch;
mod lost;
mod programs;
