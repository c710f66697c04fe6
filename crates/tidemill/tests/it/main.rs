//! The integration tests of the core, in one binary: linking many is what makes a test run slow.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod compatibility;
mod counted;
mod crashing;
mod dead_letters;
mod disks;
mod ending;
mod failures;
mod input_faults;
mod input_restarts;
mod killing;
mod limits;
mod misuse;
mod patience;
mod processes;
mod readings;
mod receivers;
mod recovery;
mod scheduling;
mod sockets;
mod standstill;
mod stopping;
mod tidy;
mod trial;
