//! One value for each batch, and one for each distinct record of it.

use super::{combine::Shared, node::DStream, shared::two};
use crate::{
    base::{Data, Key},
    rdd::{IntoPartitioner, PartitionerRef, Rdd, Site, combiner::Reduce},
};
use std::sync::Arc;

impl<T: Data> DStream<T> {
    /// How many records each batch has: always one record, 0 for an empty batch.
    ///
    /// # Examples
    /// ```
    /// use tidemill::testing::check_batches;
    /// check_batches(vec![vec!['a', 'b', 'c'], vec![]], |letters| letters.count(), vec![vec![3], vec![0]]);
    /// ```
    #[track_caller]
    pub fn count(&self) -> DStream<u64> {
        let site = Site::here("count");
        self.each_rdd(site, move |rdd, _| {
            let counts = rdd.map_partition_chunks(site, false, |_, chunks, _| {
                let count = chunks.map(|chunk| chunk.len() as u64).sum::<u64>();
                Box::new(std::iter::once(vec![count]))
            });
            // The one partition behind the shuffle gives its sum even where nothing is in front of it.
            Ok(gathered(site, &counts, |counts| Some(counts.sum())))
        })
    }

    /// All records of each batch combined by `f`, which must be associative and commutative; nothing for an empty batch.
    ///
    /// # Examples
    /// ```
    /// use tidemill::testing::check_batches;
    /// check_batches(vec![vec![1, 2, 3], vec![]], |numbers| numbers.reduce(|a, b| a + b), vec![vec![6], vec![]]);
    /// ```
    #[track_caller]
    pub fn reduce(&self, f: impl Fn(T, T) -> T + Send + Sync + 'static) -> DStream<T> {
        let (site, f) = (Site::here("reduce"), Arc::new(f));
        self.each_rdd(site, move |rdd, _| {
            let within = two(&f);
            let partials = rdd.map_partitions_at(site, false, move |_, records| records.reduce(&within));
            let across = two(&f);
            Ok(gathered(site, &partials, move |partials| partials.reduce(&across)))
        })
    }
}

/// One partition, with what `f` makes of all records.
fn gathered<T: Data>(
    site: Site,
    rdd: &Rdd<T>,
    f: impl Fn(&mut dyn Iterator<Item = T>) -> Option<T> + Send + Sync + 'static,
) -> Rdd<T> {
    rdd.repartition_at(site, 1).map_partitions_at(site, false, move |_, records| f(records))
}

impl<T: Key> DStream<T> {
    /// How often each distinct record occurs in a batch.
    ///
    /// # Examples
    /// ```
    /// use tidemill::testing::check_batches;
    /// check_batches(vec![vec!['a', 'b', 'a'], vec![]], |letters| letters.count_by_value(), vec![vec![('a', 2), ('b', 1)], vec![]]);
    /// ```
    #[track_caller]
    pub fn count_by_value(&self) -> DStream<(T, u64)> {
        self.count_by_value_at(Site::here("count_by_value"), self.hash_partitioner())
    }

    /// As [`count_by_value`](Self::count_by_value), into the partitions of `partitioner`.
    ///
    /// # Examples
    /// ```
    /// use tidemill::testing::check_batches;
    /// check_batches(vec![vec!['a', 'b', 'a']], |letters| letters.count_by_value_into(3), vec![vec![('a', 2), ('b', 1)]]);
    /// ```
    #[track_caller]
    pub fn count_by_value_into(&self, partitioner: impl IntoPartitioner<T>) -> DStream<(T, u64)> {
        self.count_by_value_at(Site::here("count_by_value_into"), partitioner.into_partitioner())
    }

    #[track_caller]
    fn count_by_value_at(&self, site: Site, partitioner: PartitionerRef<T>) -> DStream<(T, u64)> {
        let sum = Shared::new(Reduce(|a: u64, b: u64| a + b));
        self.each_rdd(site, move |rdd, _| {
            let ones = rdd.map_at(site, |record| (record, 1));
            Ok(ones.combine_at(site, partitioner.clone(), sum.clone()))
        })
    }
}
