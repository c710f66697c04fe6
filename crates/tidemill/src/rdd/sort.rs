//! Records in order, across partitions and within them.

use super::{
    chunk::Chunked,
    node::{Rdd, Site},
    partitioner::{IntoPartitioner, PartitionerRef},
    range_partitioner::RangePartitioner,
    repartition::at_least_one,
    task::{Cursor, guarded},
};
use crate::base::{Data, Key, Result};
use std::{cmp::Ordering, sync::Arc};

impl<K: Data + Ord, V: Data> Rdd<(K, V)> {
    /// The pairs in the order of their keys, in `partitions` partitions that follow one another; equal keys keep their
    /// order.
    ///
    /// Where there is more than one partition, a job samples the keys when this is called. A partition is sorted in
    /// memory.
    ///
    /// # Errors
    /// If `partitions` is 0; and whatever made a task of that job fail.
    ///
    /// # Examples
    /// ```
    /// let sc = tidemill::Context::local(1);
    /// let pairs = sc.parallelize(vec![(3, 'c'), (1, 'a'), (2, 'b')], 2);
    /// assert_eq!(pairs.sort_by_key(true, 2)?.collect()?, vec![(1, 'a'), (2, 'b'), (3, 'c')]);
    /// assert_eq!(pairs.sort_by_key(false, 2)?.collect()?, vec![(3, 'c'), (2, 'b'), (1, 'a')]);
    /// # Ok::<(), tidemill::Error>(())
    /// ```
    #[track_caller]
    pub fn sort_by_key(&self, ascending: bool, partitions: usize) -> Result<Rdd<(K, V)>> {
        self.sort_by_key_at(Site::here("sort_by_key"), ascending, partitions)
    }

    pub(crate) fn sort_by_key_at(&self, site: Site, ascending: bool, partitions: usize) -> Result<Rdd<(K, V)>> {
        let partitions = at_least_one(site, partitions)?;
        let partitioner = RangePartitioner::sampled(self, site, ascending, partitions)?;
        Ok(self.placed_at(site, Arc::new(partitioner)).sorted_within_at(site, ascending))
    }

    /// Sorts each partition by itself, in memory.
    fn sorted_within_at(&self, site: Site, ascending: bool) -> Rdd<(K, V)> {
        let order = if ascending { K::cmp } else { |left: &K, right: &K| -> Ordering { right.cmp(left) } };
        self.map_partition_chunks(site, true, move |_, chunks, task| {
            let mut records: Vec<(K, V)> = chunks.flatten().collect();
            guarded(&site, task, &Cursor::default(), || records.sort_by(|left, right| order(&left.0, &right.0)));
            Box::new(Chunked(records.into_iter()))
        })
    }
}

impl<K: Key + Ord, V: Data> Rdd<(K, V)> {
    /// The pairs at the partitions of `partitioner`, each partition in the order of its keys.
    ///
    /// # Examples
    /// ```
    /// let sc = tidemill::Context::local(1);
    /// let pairs = sc.parallelize(vec![(3, 'c'), (1, 'a'), (2, 'b')], 2);
    /// let sorted = pairs.repartition_and_sort_within_partitions(1);
    /// assert_eq!(sorted.collect()?, vec![(1, 'a'), (2, 'b'), (3, 'c')]);
    /// # Ok::<(), tidemill::Error>(())
    /// ```
    #[track_caller]
    pub fn repartition_and_sort_within_partitions(&self, partitioner: impl IntoPartitioner<K>) -> Rdd<(K, V)> {
        let partitioner: PartitionerRef<K> = partitioner.into_partitioner();
        let site = Site::here("repartition_and_sort_within_partitions");
        self.placed_at(site, partitioner).sorted_within_at(site, true)
    }
}

impl<T: Data> Rdd<T> {
    /// The records in the order of what `f` makes of them, in `partitions` partitions that follow one another; records
    /// that `f` makes equal keep their order.
    ///
    /// Where there is more than one partition, a job samples the keys when this is called. A partition is sorted in
    /// memory.
    ///
    /// # Errors
    /// If `partitions` is 0; and whatever made a task of that job fail.
    ///
    /// # Examples
    /// ```
    /// let sc = tidemill::Context::local(1);
    /// let words = sc.parallelize(vec!["ccc".to_string(), "a".to_string(), "bb".to_string()], 2);
    /// assert_eq!(words.sort_by(|w| w.len(), true, 2)?.collect()?, vec!["a", "bb", "ccc"]);
    /// # Ok::<(), tidemill::Error>(())
    /// ```
    #[track_caller]
    pub fn sort_by<K: Data + Ord>(
        &self,
        f: impl Fn(&T) -> K + Send + Sync + 'static,
        ascending: bool,
        partitions: usize,
    ) -> Result<Rdd<T>> {
        let site = Site::here("sort_by");
        let sorted = self.key_by_at(site, f).sort_by_key_at(site, ascending, partitions)?;
        Ok(sorted.map_at(site, |(_, record)| record))
    }
}
