//! One batch's partitioned dataset: lineage, partitioners, transformations, actions.
//!
//! An [`Rdd`] is a recipe. Nothing runs until an action makes a [`job`](job) of it, which the engine executes.
//! This room knows neither streams nor how a job is run.

mod accumulator;
mod broadcast;
mod cache;
mod checkpoint;
pub(crate) mod chunk;
pub(crate) mod files;
mod hyper_log_log;
mod job;
mod node;
mod partitioner;
mod session;
pub(crate) mod shuffle;
mod slots;
mod spill;
pub(crate) mod task;

mod action;
mod narrow;
pub(crate) mod source;
mod wide;

pub use accumulator::Accumulator;
pub(crate) use accumulator::Updates;
pub use action::{LocalIter, Number, StatCounter};
pub use broadcast::Broadcast;
pub use cache::StorageLevel;
pub(crate) use job::{Job, JobOutput, JobRunner, Payload, PayloadCodec};
pub(crate) use node::{ErasedRdd, Lineage, Parent, RddNode, Site};
pub use partitioner::{HashPartitioner, IntoPartitioner, Partitioner, PartitionerRef};
pub(crate) use session::Session;
pub(crate) use shuffle::ErasedShuffle;
pub(crate) use slots::SlotMap;
pub use task::BoxError;
pub(crate) use task::{JobScope, TaskContext};

pub use node::Rdd;
