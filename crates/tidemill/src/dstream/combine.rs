//! Combining by key within a batch.

use super::node::DStream;
use crate::{
    base::{Data, Key},
    rdd::{Site, combiner::Reduce},
};
use std::sync::Arc;

impl<K: Key, V: Data> DStream<(K, V)> {
    /// Combines the values of each key of a batch with `f`, which must be associative and commutative.
    #[track_caller]
    pub fn reduce_by_key(&self, f: impl Fn(V, V) -> V + Send + Sync + 'static) -> DStream<(K, V)> {
        let (site, f) = (Site::here("reduce_by_key"), Arc::new(f));
        self.each_rdd(site, move |rdd, _| {
            let f = f.clone();
            Ok(rdd.combine_at(site, rdd.default_partitioner(), Reduce(move |a, b| f(a, b))))
        })
    }
}
