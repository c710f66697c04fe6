//! Transformations that move no record: each partition of a batch is made from the same partition of the parent's.

use super::{node::DStream, shared::one};
use crate::{base::Data, rdd::Site};
use std::sync::Arc;

impl<T: Data> DStream<T> {
    /// Applies `f` to every record.
    ///
    /// # Examples
    /// ```
    /// use tidemill::testing::check_batches;
    /// check_batches(vec![vec![1, 2], vec![]], |numbers| numbers.map(|n| n * 10), vec![vec![10, 20], vec![]]);
    /// ```
    #[track_caller]
    pub fn map<U: Data>(&self, f: impl Fn(T) -> U + Send + Sync + 'static) -> DStream<U> {
        let (site, f) = (Site::here("map"), Arc::new(f));
        self.each_rdd(site, move |rdd, _| Ok(rdd.map_at(site, one(&f))))
    }

    /// Keeps the records for which `f` holds.
    ///
    /// # Examples
    /// ```
    /// use tidemill::testing::check_batches;
    /// check_batches(vec![vec![1, 2, 3]], |numbers| numbers.filter(|n| n % 2 == 1), vec![vec![1, 3]]);
    /// ```
    #[track_caller]
    pub fn filter(&self, f: impl Fn(&T) -> bool + Send + Sync + 'static) -> DStream<T> {
        let (site, f) = (Site::here("filter"), Arc::new(f));
        self.each_rdd(site, move |rdd, _| {
            let f = f.clone();
            Ok(rdd.filter_at(site, move |record| f(record)))
        })
    }

    /// Replaces every record by all that `f` makes of it.
    ///
    /// # Examples
    /// ```
    /// use tidemill::{Text, testing::check_batches};
    /// check_batches(
    ///     vec![vec![Text::from("to be"), Text::from("or")]],
    ///     |lines| lines.flat_map(|line| line.split(' ')),
    ///     vec![vec!["to".into(), "be".into(), "or".into()]],
    /// );
    /// ```
    #[track_caller]
    pub fn flat_map<I>(&self, f: impl Fn(T) -> I + Send + Sync + 'static) -> DStream<I::Item>
    where
        I: IntoIterator + 'static,
        I::Item: Data,
    {
        let (site, f) = (Site::here("flat_map"), Arc::new(f));
        self.each_rdd(site, move |rdd, _| Ok(rdd.flat_map_at(site, one(&f))))
    }

    /// Applies `f` to the records of each partition as a whole; empty partitions too.
    ///
    /// # Examples
    /// ```
    /// use tidemill::testing::check_batches;
    /// // A batch of the test has two partitions.
    /// check_batches(
    ///     vec![vec![1, 2, 3, 4], vec![]],
    ///     |numbers| numbers.map_partitions(|records| [records.sum::<i32>()]),
    ///     vec![vec![3, 7], vec![0, 0]],
    /// );
    /// ```
    #[track_caller]
    pub fn map_partitions<I>(
        &self,
        f: impl Fn(&mut dyn Iterator<Item = T>) -> I + Send + Sync + 'static,
    ) -> DStream<I::Item>
    where
        I: IntoIterator + 'static,
        I::Item: Data,
    {
        self.map_partitions_of_batch(Site::here("map_partitions"), move |_, records| f(records))
    }

    /// As [`map_partitions`](Self::map_partitions), with the index of the partition.
    ///
    /// # Examples
    /// ```
    /// use tidemill::testing::check_batches;
    /// check_batches(
    ///     vec![vec!['a', 'b', 'c']],
    ///     |letters| letters.map_partitions_with_index(|partition, records| [(partition, records.count())]),
    ///     vec![vec![(0, 1), (1, 2)]],
    /// );
    /// ```
    #[track_caller]
    pub fn map_partitions_with_index<I>(
        &self,
        f: impl Fn(usize, &mut dyn Iterator<Item = T>) -> I + Send + Sync + 'static,
    ) -> DStream<I::Item>
    where
        I: IntoIterator + 'static,
        I::Item: Data,
    {
        self.map_partitions_of_batch(Site::here("map_partitions_with_index"), f)
    }

    #[track_caller]
    fn map_partitions_of_batch<I>(
        &self,
        site: Site,
        f: impl Fn(usize, &mut dyn Iterator<Item = T>) -> I + Send + Sync + 'static,
    ) -> DStream<I::Item>
    where
        I: IntoIterator + 'static,
        I::Item: Data,
    {
        let f = Arc::new(f);
        self.each_rdd(site, move |rdd, _| {
            let f = f.clone();
            Ok(rdd.map_partitions_at(site, false, move |partition, records| f(partition, records)))
        })
    }

    /// One list of all records for each partition of a batch; an empty list for an empty one.
    ///
    /// # Examples
    /// ```
    /// use tidemill::testing::check_batches;
    /// check_batches(vec![vec![1, 2, 3], vec![]], |numbers| numbers.glom(), vec![vec![vec![1], vec![2, 3]], vec![vec![], vec![]]]);
    /// ```
    #[track_caller]
    pub fn glom(&self) -> DStream<Vec<T>> {
        self.map_partitions_of_batch(Site::here("glom"), |_, records| [records.collect::<Vec<_>>()])
    }
}
