//! The `tidemill` command as a user runs it.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod launch;
mod lost;
