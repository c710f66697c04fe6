//! Pairs combined by key: reduce, fold, aggregate, and what they are made of.
//!
//! All combine the values of a key within each partition before anything is moved. Keys of a partition come out in the
//! order in which they were first seen. Data already placed by an equal partitioner is not moved at all.

use super::{
    node::{Rdd, Site},
    partitioner::IntoPartitioner,
    wide::{Combine, Reduce},
};
use crate::base::{Data, Key};

impl<K: Key, V: Data> Rdd<(K, V)> {
    /// Combines the values of each key with `f`, which must be associative and commutative.
    ///
    /// The result has the largest partitioner that the data already has if that is big enough, else as many hash
    /// partitions as `spark.default.parallelism` says; [`reduce_by_key_into`](Self::reduce_by_key_into) chooses. This
    /// holds for every operation that has a twin named `_into`.
    ///
    /// # Examples
    /// ```
    /// let sc = tidemill::Context::local(1);
    /// let pairs = sc.parallelize(vec![("a".to_string(), 1), ("b".to_string(), 5), ("a".to_string(), 2)], 2);
    /// let mut sums = pairs.reduce_by_key(|a, b| a + b).collect()?;
    /// sums.sort();
    /// assert_eq!(sums, vec![("a".to_string(), 3), ("b".to_string(), 5)]);
    /// # Ok::<(), tidemill::Error>(())
    /// ```
    #[track_caller]
    pub fn reduce_by_key(&self, f: impl Fn(V, V) -> V + Send + Sync + 'static) -> Rdd<(K, V)> {
        self.combine_at(Site::here("reduce_by_key"), self.default_partitioner(), Reduce(f))
    }

    /// As [`reduce_by_key`](Self::reduce_by_key), into the partitions of `partitioner`.
    ///
    /// # Examples
    /// ```
    /// let sc = tidemill::Context::local(1);
    /// let pairs = sc.parallelize(vec![(1, 1), (1, 2)], 2);
    /// let sums = pairs.reduce_by_key_into(3, |a, b| a + b);
    /// assert_eq!((sums.num_partitions(), sums.collect()?), (3, vec![(1, 3)]));
    /// # Ok::<(), tidemill::Error>(())
    /// ```
    #[track_caller]
    pub fn reduce_by_key_into(
        &self,
        partitioner: impl IntoPartitioner<K>,
        f: impl Fn(V, V) -> V + Send + Sync + 'static,
    ) -> Rdd<(K, V)> {
        self.combine_at(Site::here("reduce_by_key_into"), partitioner.into_partitioner(), Reduce(f))
    }

    /// Combines the values of each key: `create` makes a combined value of the first one that a partition sees,
    /// `merge_value` adds another one of that partition, `merge` joins what two partitions made.
    ///
    /// # Examples
    /// ```
    /// let sc = tidemill::Context::local(1);
    /// let pairs = sc.parallelize(vec![('a', 1), ('a', 4), ('a', 7)], 2);
    /// let averages = pairs
    ///     .combine_by_key(|v| (v, 1), |(sum, n), v| (sum + v, n + 1), |a, b| (a.0 + b.0, a.1 + b.1))
    ///     .map_values(|(sum, n)| sum / n);
    /// assert_eq!(averages.collect()?, vec![('a', 4)]);
    /// # Ok::<(), tidemill::Error>(())
    /// ```
    #[track_caller]
    pub fn combine_by_key<C: Data>(
        &self,
        create: impl Fn(V) -> C + Send + Sync + 'static,
        merge_value: impl Fn(C, V) -> C + Send + Sync + 'static,
        merge: impl Fn(C, C) -> C + Send + Sync + 'static,
    ) -> Rdd<(K, C)> {
        let combiner = Combine { create, merge_value, merge };
        self.combine_at(Site::here("combine_by_key"), self.default_partitioner(), combiner)
    }

    /// As [`combine_by_key`](Self::combine_by_key), into the partitions of `partitioner`.
    ///
    /// # Examples
    /// ```
    /// let sc = tidemill::Context::local(1);
    /// let pairs = sc.parallelize(vec![('a', 1), ('a', 4)], 2);
    /// let most = pairs.combine_by_key_into(2, |v| v, i32::max, i32::max);
    /// assert_eq!(most.collect()?, vec![('a', 4)]);
    /// # Ok::<(), tidemill::Error>(())
    /// ```
    #[track_caller]
    pub fn combine_by_key_into<C: Data>(
        &self,
        partitioner: impl IntoPartitioner<K>,
        create: impl Fn(V) -> C + Send + Sync + 'static,
        merge_value: impl Fn(C, V) -> C + Send + Sync + 'static,
        merge: impl Fn(C, C) -> C + Send + Sync + 'static,
    ) -> Rdd<(K, C)> {
        let combiner = Combine { create, merge_value, merge };
        self.combine_at(Site::here("combine_by_key_into"), partitioner.into_partitioner(), combiner)
    }

    /// Folds the values of each key, starting from `zero` once for each key of each partition of this dataset.
    ///
    /// # Examples
    /// ```
    /// let sc = tidemill::Context::local(1);
    /// let pairs = sc.parallelize(vec![('a', 1), ('a', 2)], 2);
    /// assert_eq!(pairs.fold_by_key(10, |a, b| a + b).collect()?, vec![('a', 23)]);
    /// # Ok::<(), tidemill::Error>(())
    /// ```
    #[track_caller]
    pub fn fold_by_key(&self, zero: V, f: impl Fn(V, V) -> V + Clone + Send + Sync + 'static) -> Rdd<(K, V)> {
        self.combine_at(Site::here("fold_by_key"), self.default_partitioner(), aggregate(zero, f.clone(), f))
    }

    /// As [`fold_by_key`](Self::fold_by_key), into the partitions of `partitioner`.
    ///
    /// # Examples
    /// ```
    /// let sc = tidemill::Context::local(1);
    /// let pairs = sc.parallelize(vec![('a', 1), ('a', 2)], 1);
    /// assert_eq!(pairs.fold_by_key_into(2, 10, |a, b| a + b).collect()?, vec![('a', 13)]);
    /// # Ok::<(), tidemill::Error>(())
    /// ```
    #[track_caller]
    pub fn fold_by_key_into(
        &self,
        partitioner: impl IntoPartitioner<K>,
        zero: V,
        f: impl Fn(V, V) -> V + Clone + Send + Sync + 'static,
    ) -> Rdd<(K, V)> {
        self.combine_at(Site::here("fold_by_key_into"), partitioner.into_partitioner(), aggregate(zero, f.clone(), f))
    }

    /// Aggregates the values of each key: `add` adds a value to what began as `zero`, once for each key of each
    /// partition of this dataset; `merge` joins what two partitions made.
    ///
    /// # Examples
    /// ```
    /// let sc = tidemill::Context::local(1);
    /// let pairs = sc.parallelize(vec![('a', "x".to_string()), ('a', "yz".to_string())], 2);
    /// let lengths = pairs.aggregate_by_key(0, |n, text| n + text.len(), |a, b| a + b);
    /// assert_eq!(lengths.collect()?, vec![('a', 3)]);
    /// # Ok::<(), tidemill::Error>(())
    /// ```
    #[track_caller]
    pub fn aggregate_by_key<C: Data>(
        &self,
        zero: C,
        add: impl Fn(C, V) -> C + Clone + Send + Sync + 'static,
        merge: impl Fn(C, C) -> C + Send + Sync + 'static,
    ) -> Rdd<(K, C)> {
        self.combine_at(Site::here("aggregate_by_key"), self.default_partitioner(), aggregate(zero, add, merge))
    }

    /// As [`aggregate_by_key`](Self::aggregate_by_key), into the partitions of `partitioner`.
    ///
    /// # Examples
    /// ```
    /// let sc = tidemill::Context::local(1);
    /// let pairs = sc.parallelize(vec![('a', 2), ('a', 3)], 2);
    /// let counts = pairs.aggregate_by_key_into(1, 0_u64, |n, _| n + 1, |a, b| a + b);
    /// assert_eq!(counts.collect()?, vec![('a', 2)]);
    /// # Ok::<(), tidemill::Error>(())
    /// ```
    #[track_caller]
    pub fn aggregate_by_key_into<C: Data>(
        &self,
        partitioner: impl IntoPartitioner<K>,
        zero: C,
        add: impl Fn(C, V) -> C + Clone + Send + Sync + 'static,
        merge: impl Fn(C, C) -> C + Send + Sync + 'static,
    ) -> Rdd<(K, C)> {
        let site = Site::here("aggregate_by_key_into");
        self.combine_at(site, partitioner.into_partitioner(), aggregate(zero, add, merge))
    }
}

/// A combiner whose combined values begin as clones of `zero`.
fn aggregate<V: Data, C: Data>(
    zero: C,
    add: impl Fn(C, V) -> C + Clone + Send + Sync + 'static,
    merge: impl Fn(C, C) -> C + Send + Sync + 'static,
) -> impl super::wide::Combiner<V, C> {
    let first = add.clone();
    Combine { create: move |value| first(zero.clone(), value), merge_value: add, merge }
}
