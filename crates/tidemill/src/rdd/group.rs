//! All values of a key together.

use super::{
    chunk::Chunked,
    node::{Rdd, Site},
    partitioner::{IntoPartitioner, PartitionerRef},
    placing::default_partitioner,
    wide::{Combine, combine_values},
};
use crate::base::{Data, Key};

impl<K: Key, V: Data> Rdd<(K, V)> {
    /// All values of each key, in the order of the partitions they come from.
    ///
    /// Every record is moved, and the values of one key are in memory at once: to combine them, prefer
    /// [`reduce_by_key`](Self::reduce_by_key) or [`aggregate_by_key`](Self::aggregate_by_key).
    ///
    /// # Examples
    /// ```
    /// let sc = tidemill::Context::local(1);
    /// let pairs = sc.parallelize(vec![('a', 1), ('a', 4), ('a', 2)], 2);
    /// assert_eq!(pairs.group_by_key().collect()?, vec![('a', vec![1, 4, 2])]);
    /// # Ok::<(), tidemill::Error>(())
    /// ```
    #[track_caller]
    pub fn group_by_key(&self) -> Rdd<(K, Vec<V>)> {
        self.group_by_key_at(Site::here("group_by_key"), self.default_partitioner())
    }

    /// As [`group_by_key`](Self::group_by_key), into the partitions of `partitioner`.
    ///
    /// # Examples
    /// ```
    /// let sc = tidemill::Context::local(1);
    /// let pairs = sc.parallelize(vec![('a', 1), ('a', 4)], 2);
    /// assert_eq!(pairs.group_by_key_into(1).collect()?, vec![('a', vec![1, 4])]);
    /// # Ok::<(), tidemill::Error>(())
    /// ```
    #[track_caller]
    pub fn group_by_key_into(&self, partitioner: impl IntoPartitioner<K>) -> Rdd<(K, Vec<V>)> {
        self.group_by_key_at(Site::here("group_by_key_into"), partitioner.into_partitioner())
    }

    /// Grouping reduces nothing, so it moves the pairs as they are and groups them where they arrive.
    pub(crate) fn group_by_key_at(&self, site: Site, partitioner: PartitionerRef<K>) -> Rdd<(K, Vec<V>)> {
        let push = |mut values: Vec<V>, value| {
            values.push(value);
            values
        };
        let combiner = Combine { create: |value| vec![value], merge_value: push, merge: |left: Vec<V>, _| left };
        self.placed_at(site, partitioner).map_partition_chunks(site, true, move |_, chunks, task| {
            Box::new(Chunked(combine_values(&site, task, chunks, &combiner).into_pairs()))
        })
    }
}

impl<T: Data> Rdd<T> {
    /// All records for which `f` gives the same key.
    ///
    /// # Examples
    /// ```
    /// let sc = tidemill::Context::local(1);
    /// let mut groups = sc.range(0, 5, 1, 2).group_by(|n| n % 2).collect()?;
    /// groups.sort();
    /// assert_eq!(groups, vec![(0, vec![0, 2, 4]), (1, vec![1, 3])]);
    /// # Ok::<(), tidemill::Error>(())
    /// ```
    #[track_caller]
    pub fn group_by<K: Key>(&self, f: impl Fn(&T) -> K + Send + Sync + 'static) -> Rdd<(K, Vec<T>)> {
        let site = Site::here("group_by");
        self.key_by_at(site, f).group_by_key_at(site, default_partitioner(self.session(), &[]))
    }

    /// As [`group_by`](Self::group_by), into the partitions of `partitioner`.
    ///
    /// # Examples
    /// ```
    /// let sc = tidemill::Context::local(1);
    /// let groups = sc.range(0, 5, 1, 2).group_by_into(1, |n| n % 2);
    /// assert_eq!(groups.collect()?, vec![(0, vec![0, 2, 4]), (1, vec![1, 3])]);
    /// # Ok::<(), tidemill::Error>(())
    /// ```
    #[track_caller]
    pub fn group_by_into<K: Key>(
        &self,
        partitioner: impl IntoPartitioner<K>,
        f: impl Fn(&T) -> K + Send + Sync + 'static,
    ) -> Rdd<(K, Vec<T>)> {
        let site = Site::here("group_by_into");
        self.key_by_at(site, f).group_by_key_at(site, partitioner.into_partitioner())
    }
}
