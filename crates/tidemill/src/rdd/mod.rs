//! One batch's partitioned dataset: lineage, partitioners, transformations, actions.
//!
//! An [`Rdd`] is a recipe. Nothing runs until an action makes a [`job`](job) of it, which the engine executes.
//! This room knows neither streams nor how a job is run.

mod cache;
pub(crate) mod chunk;
mod job;
mod node;
mod partitioner;
mod session;
pub(crate) mod shuffle;
mod slots;
pub(crate) mod task;

mod action;
mod by_key;
mod cartesian;
mod coalesce;
mod cogroup;
mod group;
mod join;
mod narrow;
mod pairs;
mod pipe;
mod placing;
mod range_partitioner;
mod relocate;
mod repartition;
mod sample;
mod set;
mod sort;
pub(crate) mod source;
mod union;
pub(crate) mod wide;
mod zip;
mod zip_partitions;

#[cfg(test)]
mod model_tests;
#[cfg(test)]
mod transformation_tests;

/// How values are combined by key.
pub(crate) mod combiner {
    pub(crate) use super::wide::{Combine, Combiner, Reduce};
}

pub use cache::StorageLevel;
pub(crate) use job::{Job, JobOutput, JobRunner, Payload, PayloadCodec};
pub(crate) use node::{ErasedRdd, Lineage, Parent, RddNode, Site};
pub(crate) use partitioner::PartitionerId;
pub use partitioner::{HashPartitioner, IntoPartitioner, Partitioner, PartitionerRef};
pub use range_partitioner::RangePartitioner;
pub(crate) use session::Session;
pub(crate) use shuffle::ErasedShuffle;
pub(crate) use slots::SlotMap;
pub(crate) use task::{JobScope, TaskContext};

pub use node::Rdd;
