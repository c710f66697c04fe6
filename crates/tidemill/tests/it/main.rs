//! The integration tests of the core, in one binary: linking many is what makes a test run slow.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod tidy;
