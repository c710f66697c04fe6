//! One function of the user's, called by the Rdds of many batches: each gets a handle of its own.

use super::node::DStream;
use crate::{
    base::{Data, Key},
    rdd::{IntoPartitioner, PartitionerRef},
};
use std::sync::Arc;

/// Another handle on a function of one argument.
pub(super) fn one<A, R, F>(f: &Arc<F>) -> impl Fn(A) -> R + Send + Sync + use<A, R, F>
where
    F: Fn(A) -> R + Send + Sync,
{
    let f = f.clone();
    move |a| f(a)
}

/// Another handle on a function of two arguments.
pub(super) fn two<A, B, R, F>(f: &Arc<F>) -> impl Fn(A, B) -> R + Send + Sync + use<A, B, R, F>
where
    F: Fn(A, B) -> R + Send + Sync,
{
    let f = f.clone();
    move |a, b| f(a, b)
}

impl<T: Data> DStream<T> {
    /// Where the keys of a stream go unless the program says: always into as many hash partitions as
    /// `spark.default.parallelism` says, whatever the batch looks like.
    pub(crate) fn hash_partitioner<K: Key>(&self) -> PartitionerRef<K> {
        self.graph().session.default_parallelism().into_partitioner()
    }
}
