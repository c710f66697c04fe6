//! Kafka in and out, against a real one.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod examples;
mod input;
mod killing;
mod secured;
mod sink;
