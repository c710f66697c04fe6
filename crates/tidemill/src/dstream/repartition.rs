//! Other partitions for the records of each batch: evenly, or by key.

use super::node::{DStream, declared};
use crate::{
    base::{Data, Error, Key},
    rdd::{IntoPartitioner, Site},
};

impl<T: Data> DStream<T> {
    /// The same records in exactly `partitions` partitions, evenly spread.
    ///
    /// # Panics
    /// If `partitions` is 0, or the context was started or stopped.
    ///
    /// # Examples
    /// ```
    /// use tidemill::testing::check_batches;
    /// check_batches(
    ///     vec![vec![1, 2, 3, 4, 5, 6, 7, 8]],
    ///     |numbers| numbers.repartition(4).map_partitions(|records| [records.count()]),
    ///     vec![vec![2, 2, 2, 2]],
    /// );
    /// ```
    #[track_caller]
    pub fn repartition(&self, partitions: usize) -> DStream<T> {
        let site = Site::here("repartition");
        if partitions == 0 {
            let asked = format!("\"{site}\" was asked for \"0\" partitions; ask for at least one");
            declared::<()>(Err(Error::invalid(asked)));
        }
        self.each_rdd(site, move |rdd, _| Ok(rdd.repartition_at(site, partitions)))
    }
}

impl<K: Key, V: Data> DStream<(K, V)> {
    /// The same records, each in the partition that `partitioner` gives its key: a number of hash partitions, or a
    /// [`Partitioner`](crate::Partitioner) of your own.
    ///
    /// # Examples
    /// ```
    /// use tidemill::testing::check_batches;
    /// check_batches(
    ///     vec![vec![(7, 'a'), (7, 'b'), (7, 'c')]],
    ///     |pairs| pairs.partition_by(2).map_partitions(|records| [records.count()]),
    ///     vec![vec![0, 3]],
    /// );
    /// ```
    #[track_caller]
    pub fn partition_by(&self, partitioner: impl IntoPartitioner<K>) -> DStream<(K, V)> {
        let (site, partitioner) = (Site::here("partition_by"), partitioner.into_partitioner());
        self.each_rdd(site, move |rdd, _| Ok(rdd.placed_at(site, partitioner.clone())))
    }
}
