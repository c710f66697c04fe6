//! Other partitions for the same records: by key, or evenly.

use super::{
    node::{Rdd, Site},
    partitioner::IntoPartitioner,
    shuffle::{Buckets, Shuffle, Shuffled},
};
use crate::base::{Data, Error, Key, Result};

/// The number of partitions a user asked for, if there can be so many.
pub(crate) fn at_least_one(site: Site, partitions: usize) -> Result<usize> {
    if partitions == 0 {
        return Err(Error::invalid(format!("\"{site}\" was asked for \"0\" partitions; ask for at least one")));
    }
    Ok(partitions)
}

impl<T: Data> Rdd<T> {
    /// The same records in exactly `partitions` partitions of nearly equal size, dealt out one by one.
    ///
    /// The same data always lands in the same places.
    ///
    /// # Errors
    /// If `partitions` is 0.
    ///
    /// # Examples
    /// ```
    /// let sc = tidemill::Context::local(1);
    /// let spread = sc.range(0, 6, 1, 1).repartition(3)?;
    /// assert_eq!(spread.glom().collect()?, vec![vec![0, 3], vec![1, 4], vec![2, 5]]);
    /// # Ok::<(), tidemill::Error>(())
    /// ```
    #[track_caller]
    pub fn repartition(&self, partitions: usize) -> Result<Rdd<T>> {
        let site = Site::here("repartition");
        Ok(self.repartition_at(site, at_least_one(site, partitions)?))
    }

    /// Partition `i` starts to deal at target `i`, so that the records that many small partitions have left over do not
    /// all go to the same targets.
    pub(crate) fn repartition_at(&self, site: Site, partitions: usize) -> Rdd<T> {
        let parent = self.clone();
        let shuffle = Shuffle::new(self, site, partitions, move |partition, task, emit| {
            let mut buckets = Buckets::new(partitions);
            let mut target = partition % partitions;
            for record in parent.records(partition, task) {
                buckets.push(target, record, emit);
                target = if target + 1 == partitions { 0 } else { target + 1 };
            }
            buckets.finish(emit);
        });
        Rdd::from_node(self.session(), site, Shuffled { shuffle, partitioner: None })
    }
}

impl<K: Key, V: Data> Rdd<(K, V)> {
    /// Moves every pair to the partition that `partitioner` gives its key; nothing moves if they are there already.
    ///
    /// # Examples
    /// ```
    /// use tidemill::HashPartitioner;
    /// let sc = tidemill::Context::local(1);
    /// let placed = sc.parallelize(vec![(1, 'a'), (2, 'b'), (1, 'c')], 3).partition_by(HashPartitioner::new(2));
    /// let sizes = placed.map_partitions(|pairs| [pairs.count()]).collect()?;
    /// assert_eq!((sizes.len(), sizes.iter().sum::<usize>()), (2, 3));
    /// # Ok::<(), tidemill::Error>(())
    /// ```
    #[track_caller]
    pub fn partition_by(&self, partitioner: impl IntoPartitioner<K>) -> Rdd<(K, V)> {
        self.placed_at(Site::here("partition_by"), partitioner.into_partitioner())
    }
}
