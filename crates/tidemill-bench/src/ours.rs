//! The same jobs on tidemill, written as a user would write them, and the figures that each has to reach.

pub mod batches;
pub mod kafka;
pub mod keyed;
pub mod latency;
pub mod process;
pub mod recovery;
pub mod socket;
pub mod text;
