//! Runs jobs on Timely workers. The only room that knows the dataflow library.

pub mod cluster;
