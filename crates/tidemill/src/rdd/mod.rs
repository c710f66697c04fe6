//! One batch's partitioned dataset: lineage, partitioners, transformations, actions.
//!
//! An [`Rdd`] is a recipe. Nothing runs until an action makes a job of it, which the engine executes.
//! This room knows neither streams nor how a job is run.
//!
//! **Partitions of a result.** An operation that places keys takes the largest partitioner that its parents already
//! have, if that is big enough, else hash partitions as many as `spark.default.parallelism` says (Scala's rule). Each has
//! a twin named `_into`, whose first argument says it: a number, or a [`Partitioner`]. Data that an equal partitioner has
//! placed is not moved again.
//!
//! **Order.** Operations without a shuffle keep it. A shuffle hands over records in the order of the partitions they
//! come from, and keys come out in the order in which their partition first saw them, so the same data always gives the
//! same result, however many workers there are.

mod accumulator;
pub(crate) mod aside;
mod at_work;
mod broadcast;
mod cache;
mod checkpoint;
pub(crate) mod chunk;
pub(crate) mod files;
mod interrupt;
mod job;
mod node;
mod one_by_one;
mod partitioner;
mod session;
pub(crate) mod shuffle;
mod slots;
mod spill;
pub(crate) mod task;
mod turn;

mod action;
mod by_key;
mod cartesian;
mod coalesce;
mod cogroup;
mod every_process;
pub(crate) mod fallible;
mod group;
mod index;
mod join;
mod narrow;
mod pairs;
mod pipe;
mod placed;
mod placing;
mod range_partitioner;
pub(crate) mod read;
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
mod tests;

/// How values are combined by key.
pub(crate) mod combiner {
    pub(crate) use super::wide::{Combine, Combiner, Reduce};
}

pub use accumulator::Accumulator;
pub(crate) use accumulator::Updates;
pub use action::{LocalIter, Number, StatCounter};
pub use aside::{put_aside, put_aside_from};
pub use broadcast::Broadcast;
pub use cache::StorageLevel;
pub(crate) use every_process::in_every_process;
pub use interrupt::{interruptible, task_interrupt};
pub(crate) use job::{Job, JobOutput, JobRunner, Payload, PayloadCodec};
pub(crate) use node::{ErasedRdd, Lineage, Parent, RddNode, Site};
pub(crate) use partitioner::PartitionerId;
pub use partitioner::{HashPartitioner, IntoPartitioner, Partitioner, PartitionerRef};
pub use range_partitioner::RangePartitioner;
pub(crate) use session::Session;
pub use slots::SlotMap;
pub use task::{BoxError, throw};
pub(crate) use task::{JobScope, TaskContext};
pub(crate) use turn::{Lane, Turn};

pub use node::Rdd;
