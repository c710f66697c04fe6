//! Combining and grouping by key within a batch.
//!
//! Every operation has a twin named `_into`, which takes a number of hash partitions or a partitioner of your own.

use super::node::DStream;
use crate::{
    base::{Data, Key},
    rdd::{
        IntoPartitioner, PartitionerRef, Site,
        combiner::{Combine, Combiner, Reduce},
    },
};
use std::sync::Arc;

/// One combiner that the Rdds of all batches use.
pub(super) struct Shared<B>(Arc<B>);

impl<B> Shared<B> {
    pub(super) fn new(combiner: B) -> Self {
        Self(Arc::new(combiner))
    }
}

impl<B> Clone for Shared<B> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<V, C, B: Combiner<V, C>> Combiner<V, C> for Shared<B> {
    #[inline]
    fn create(&self, value: V) -> C {
        self.0.create(value)
    }
    #[inline]
    fn merge_value(&self, combined: C, value: V) -> C {
        self.0.merge_value(combined, value)
    }
    #[inline]
    fn merge(&self, left: C, right: C) -> C {
        self.0.merge(left, right)
    }
}

impl<K: Key, V: Data> DStream<(K, V)> {
    #[track_caller]
    fn combine_each<C: Data>(
        &self,
        site: Site,
        partitioner: PartitionerRef<K>,
        combiner: impl Combiner<V, C>,
    ) -> DStream<(K, C)> {
        let combiner = Shared::new(combiner);
        self.each_rdd(site, move |rdd, _| Ok(rdd.combine_at(site, partitioner.clone(), combiner.clone())))
    }

    /// Combines the values of each key of a batch with `f`, which must be associative and commutative.
    ///
    /// The result has as many hash partitions as `spark.default.parallelism` says, whatever the batch looks like; this
    /// holds for every operation of a stream that has a twin named `_into`.
    ///
    /// # Examples
    /// ```
    /// use tidemill::testing::check_batches;
    /// check_batches(
    ///     vec![vec![('a', 1), ('b', 5), ('a', 2)], vec![]],
    ///     |pairs| pairs.reduce_by_key(|a, b| a + b),
    ///     vec![vec![('a', 3), ('b', 5)], vec![]],
    /// );
    /// ```
    #[track_caller]
    pub fn reduce_by_key(&self, f: impl Fn(V, V) -> V + Send + Sync + 'static) -> DStream<(K, V)> {
        self.combine_each(Site::here("reduce_by_key"), self.hash_partitioner(), Reduce(f))
    }

    /// As [`reduce_by_key`](Self::reduce_by_key), into the partitions of `partitioner`.
    ///
    /// # Examples
    /// ```
    /// use tidemill::testing::check_batches;
    /// check_batches(
    ///     vec![vec![('a', 1), ('a', 2)]],
    ///     |pairs| pairs.reduce_by_key_into(5, |a, b| a + b).glom().map(|partition| partition.len()),
    ///     vec![vec![0, 0, 0, 0, 1]],
    /// );
    /// ```
    #[track_caller]
    pub fn reduce_by_key_into(
        &self,
        partitioner: impl IntoPartitioner<K>,
        f: impl Fn(V, V) -> V + Send + Sync + 'static,
    ) -> DStream<(K, V)> {
        self.combine_each(Site::here("reduce_by_key_into"), partitioner.into_partitioner(), Reduce(f))
    }

    /// Combines the values of each key of a batch: `create` makes a combined value of the first one that a partition
    /// sees, `merge_value` adds another one of that partition, `merge` joins what two partitions made.
    ///
    /// # Examples
    /// ```
    /// use tidemill::testing::check_batches;
    /// check_batches(
    ///     vec![vec![('a', 1), ('a', 4), ('a', 7)]],
    ///     |pairs| {
    ///         pairs
    ///             .combine_by_key(|v| (v, 1), |(sum, n), v| (sum + v, n + 1), |a, b| (a.0 + b.0, a.1 + b.1))
    ///             .map_values(|(sum, n)| sum / n)
    ///     },
    ///     vec![vec![('a', 4)]],
    /// );
    /// ```
    #[track_caller]
    pub fn combine_by_key<C: Data>(
        &self,
        create: impl Fn(V) -> C + Send + Sync + 'static,
        merge_value: impl Fn(C, V) -> C + Send + Sync + 'static,
        merge: impl Fn(C, C) -> C + Send + Sync + 'static,
    ) -> DStream<(K, C)> {
        let combiner = Combine { create, merge_value, merge };
        self.combine_each(Site::here("combine_by_key"), self.hash_partitioner(), combiner)
    }

    /// As [`combine_by_key`](Self::combine_by_key), into the partitions of `partitioner`.
    ///
    /// # Examples
    /// ```
    /// use tidemill::testing::check_batches;
    /// check_batches(
    ///     vec![vec![('a', 1), ('a', 4)]],
    ///     |pairs| pairs.combine_by_key_into(3, |v| v, i32::max, i32::max),
    ///     vec![vec![('a', 4)]],
    /// );
    /// ```
    #[track_caller]
    pub fn combine_by_key_into<C: Data>(
        &self,
        partitioner: impl IntoPartitioner<K>,
        create: impl Fn(V) -> C + Send + Sync + 'static,
        merge_value: impl Fn(C, V) -> C + Send + Sync + 'static,
        merge: impl Fn(C, C) -> C + Send + Sync + 'static,
    ) -> DStream<(K, C)> {
        let combiner = Combine { create, merge_value, merge };
        self.combine_each(Site::here("combine_by_key_into"), partitioner.into_partitioner(), combiner)
    }

    /// All values of each key of a batch, in no promised order. To combine them,
    /// [`reduce_by_key`](Self::reduce_by_key) moves far less.
    ///
    /// # Examples
    /// ```
    /// use tidemill::testing::check_batches;
    /// check_batches(
    ///     vec![vec![('a', 1), ('b', 5), ('a', 2)], vec![]],
    ///     |pairs| pairs.group_by_key(),
    ///     vec![vec![('a', vec![1, 2]), ('b', vec![5])], vec![]],
    /// );
    /// ```
    #[track_caller]
    pub fn group_by_key(&self) -> DStream<(K, Vec<V>)> {
        self.group_each(Site::here("group_by_key"), self.hash_partitioner())
    }

    /// As [`group_by_key`](Self::group_by_key), into the partitions of `partitioner`.
    ///
    /// # Examples
    /// ```
    /// use tidemill::testing::check_batches;
    /// check_batches(vec![vec![('a', 1), ('a', 2)]], |pairs| pairs.group_by_key_into(3), vec![vec![('a', vec![1, 2])]]);
    /// ```
    #[track_caller]
    pub fn group_by_key_into(&self, partitioner: impl IntoPartitioner<K>) -> DStream<(K, Vec<V>)> {
        self.group_each(Site::here("group_by_key_into"), partitioner.into_partitioner())
    }

    #[track_caller]
    fn group_each(&self, site: Site, partitioner: PartitionerRef<K>) -> DStream<(K, Vec<V>)> {
        self.each_rdd(site, move |rdd, _| Ok(rdd.group_by_key_at(site, partitioner.clone())))
    }
}
