//! Datasets as sets: distinct records, what two have in common, and what only one has.

use super::{
    chunk::Chunks,
    node::{Rdd, Site},
    partitioner::{IntoPartitioner, PartitionerRef},
    placing::default_partitioner,
    slots::SlotMap,
    task::{Cursor, TaskContext, guarded},
    wide::Reduce,
};
use crate::base::{Data, Key};

/// The keys of one partition.
fn key_set<K: Key>(site: &Site, task: &TaskContext, chunks: Chunks<'_, (K, ())>) -> SlotMap<K> {
    let (mut keys, cursor) = (SlotMap::default(), Cursor::default());
    for chunk in chunks {
        guarded(site, task, &cursor, || {
            chunk.into_iter().for_each(|(key, ())| {
                cursor.step();
                keys.slot(key);
            });
        });
    }
    keys
}

impl<K: Key, V: Data> Rdd<(K, V)> {
    /// Each key once, at the partitions of `partitioner`; what a partition has twice is sent once.
    fn key_set_at(&self, site: Site, partitioner: PartitionerRef<K>) -> Rdd<(K, ())> {
        self.map_values_at(site, |_| ()).combine_at(site, partitioner, Reduce(|(), ()| ()))
    }

    /// The pairs whose key is (`wanted`) or is not among the keys of `other`.
    fn filtered_by_key_at<W: Data>(
        &self,
        site: Site,
        other: &Rdd<(K, W)>,
        partitioner: &PartitionerRef<K>,
        wanted: bool,
    ) -> Rdd<(K, V)> {
        let keys = other.key_set_at(site, partitioner.clone());
        self.placed_at(site, partitioner.clone()).zip_chunks(site, &keys, true, move |mut pairs, keys, task| {
            let (keys, cursor) = (key_set(&site, task, keys), Cursor::default());
            Box::new(std::iter::from_fn(move || {
                let mut chunk = pairs.next()?;
                guarded(&site, task, &cursor, || {
                    chunk.retain(|(key, _)| {
                        cursor.step();
                        keys.get(key).is_some() == wanted
                    });
                });
                Some(chunk)
            }))
        })
    }

    /// The pairs whose key `other` does not have; duplicates stay.
    ///
    /// # Examples
    /// ```
    /// let sc = tidemill::Context::local(1);
    /// let (left, right) = (sc.parallelize(vec![(1, 'a'), (2, 'b')], 1), sc.parallelize(vec![(2, "any".to_string())], 1));
    /// assert_eq!(left.subtract_by_key(&right).collect()?, vec![(1, 'a')]);
    /// # Ok::<(), tidemill::Error>(())
    /// ```
    #[track_caller]
    pub fn subtract_by_key<W: Data>(&self, other: &Rdd<(K, W)>) -> Rdd<(K, V)> {
        self.filtered_by_key_at(Site::here("subtract_by_key"), other, &self.partitioner_with(other), false)
    }

    /// As [`subtract_by_key`](Self::subtract_by_key), into the partitions of `partitioner`.
    ///
    /// # Examples
    /// ```
    /// let sc = tidemill::Context::local(1);
    /// let (left, right) = (sc.parallelize(vec![(1, 'a'), (2, 'b')], 1), sc.parallelize(vec![(2, 'c')], 1));
    /// assert_eq!(left.subtract_by_key_into(3, &right).collect()?, vec![(1, 'a')]);
    /// # Ok::<(), tidemill::Error>(())
    /// ```
    #[track_caller]
    pub fn subtract_by_key_into<W: Data>(
        &self,
        partitioner: impl IntoPartitioner<K>,
        other: &Rdd<(K, W)>,
    ) -> Rdd<(K, V)> {
        self.filtered_by_key_at(Site::here("subtract_by_key_into"), other, &partitioner.into_partitioner(), false)
    }
}

impl<T: Key> Rdd<T> {
    fn unit_pairs(&self, site: Site) -> Rdd<(T, ())> {
        self.map_at(site, |record| (record, ()))
    }

    fn default_set_partitioner(&self) -> PartitionerRef<T> {
        default_partitioner(self.session(), &[])
    }

    fn distinct_at(&self, site: Site, partitioner: PartitionerRef<T>) -> Rdd<T> {
        self.unit_pairs(site).key_set_at(site, partitioner).map_at(site, |(record, ())| record)
    }

    fn intersection_at(&self, site: Site, other: &Rdd<T>, partitioner: &PartitionerRef<T>) -> Rdd<T> {
        let distinct = self.unit_pairs(site).key_set_at(site, partitioner.clone());
        distinct
            .filtered_by_key_at(site, &other.unit_pairs(site), partitioner, true)
            .map_at(site, |(record, ())| record)
    }

    fn subtract_at(&self, site: Site, other: &Rdd<T>, partitioner: &PartitionerRef<T>) -> Rdd<T> {
        self.unit_pairs(site)
            .filtered_by_key_at(site, &other.unit_pairs(site), partitioner, false)
            .map_at(site, |(record, ())| record)
    }

    /// Every record once.
    ///
    /// # Examples
    /// ```
    /// let sc = tidemill::Context::local(1);
    /// assert_eq!(sc.parallelize(vec![1, 1, 2, 1], 2).distinct().collect()?, vec![1, 2]);
    /// # Ok::<(), tidemill::Error>(())
    /// ```
    #[track_caller]
    pub fn distinct(&self) -> Rdd<T> {
        self.distinct_at(Site::here("distinct"), self.default_set_partitioner())
    }

    /// As [`distinct`](Self::distinct), into the partitions of `partitioner`.
    ///
    /// # Examples
    /// ```
    /// let sc = tidemill::Context::local(1);
    /// assert_eq!(sc.parallelize(vec![1, 1], 2).distinct_into(3).num_partitions(), 3);
    /// ```
    #[track_caller]
    pub fn distinct_into(&self, partitioner: impl IntoPartitioner<T>) -> Rdd<T> {
        self.distinct_at(Site::here("distinct_into"), partitioner.into_partitioner())
    }

    /// The records that are in both datasets, each once.
    ///
    /// # Examples
    /// ```
    /// let sc = tidemill::Context::local(1);
    /// let (left, right) = (sc.parallelize(vec![1, 1, 2], 2), sc.parallelize(vec![1, 3, 1], 1));
    /// assert_eq!(left.intersection(&right).collect()?, vec![1]);
    /// # Ok::<(), tidemill::Error>(())
    /// ```
    #[track_caller]
    pub fn intersection(&self, other: &Rdd<T>) -> Rdd<T> {
        self.intersection_at(Site::here("intersection"), other, &self.default_set_partitioner())
    }

    /// As [`intersection`](Self::intersection), into the partitions of `partitioner`.
    ///
    /// # Examples
    /// ```
    /// let sc = tidemill::Context::local(1);
    /// let numbers = sc.parallelize(vec![1, 1, 2], 2);
    /// assert_eq!(numbers.intersection_into(1, &numbers).collect()?, vec![1, 2]);
    /// # Ok::<(), tidemill::Error>(())
    /// ```
    #[track_caller]
    pub fn intersection_into(&self, partitioner: impl IntoPartitioner<T>, other: &Rdd<T>) -> Rdd<T> {
        self.intersection_at(Site::here("intersection_into"), other, &partitioner.into_partitioner())
    }

    /// The records that `other` does not have; duplicates stay.
    ///
    /// # Examples
    /// ```
    /// let sc = tidemill::Context::local(1);
    /// let (left, right) = (sc.parallelize(vec![1, 1, 2], 2), sc.parallelize(vec![2, 3], 1));
    /// assert_eq!(left.subtract(&right).collect()?, vec![1, 1]);
    /// # Ok::<(), tidemill::Error>(())
    /// ```
    #[track_caller]
    pub fn subtract(&self, other: &Rdd<T>) -> Rdd<T> {
        self.subtract_at(Site::here("subtract"), other, &self.default_set_partitioner())
    }

    /// As [`subtract`](Self::subtract), into the partitions of `partitioner`.
    ///
    /// # Examples
    /// ```
    /// let sc = tidemill::Context::local(1);
    /// let (left, right) = (sc.parallelize(vec![1, 1, 2], 2), sc.parallelize(vec![1], 1));
    /// assert_eq!(left.subtract_into(3, &right).collect()?, vec![2]);
    /// # Ok::<(), tidemill::Error>(())
    /// ```
    #[track_caller]
    pub fn subtract_into(&self, partitioner: impl IntoPartitioner<T>, other: &Rdd<T>) -> Rdd<T> {
        self.subtract_at(Site::here("subtract_into"), other, &partitioner.into_partitioner())
    }
}
