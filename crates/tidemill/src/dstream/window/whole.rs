//! The operations on windows as a whole: reduce to one record, and count.

use super::Window;
use crate::{
    base::{Data, Key},
    dstream::node::DStream,
    rdd::{HashPartitioner, IntoPartitioner, PartitionerRef, Site},
};
use std::{sync::Arc, time::Duration};

/// Everything in one place.
fn one_partition() -> PartitionerRef<()> {
    Arc::new(HashPartitioner::new(1))
}

impl<T: Data> DStream<T> {
    /// Every record under one key.
    #[track_caller]
    fn as_values(&self, site: Site) -> DStream<((), T)> {
        self.each_rdd(site, move |rdd, _| Ok(rdd.map_at(site, |record| ((), record))))
    }

    /// One record for the last `window`: all of it combined with `f`, at every `slide`; without one (`None`), at every
    /// batch. No record while the window is empty.
    ///
    /// `f` must be associative and commutative. Each batch is reduced once, when it comes, and one value of it is
    /// remembered.
    ///
    /// # Panics
    /// Unless both durations are positive multiples of this stream's slide duration.
    ///
    /// # Examples
    /// ```
    /// use tidemill::{seconds, testing::check_batches};
    /// check_batches(
    ///     vec![vec![], vec![5, 3], vec![4]],
    ///     |numbers| numbers.reduce_by_window(i32::max, seconds(2), None),
    ///     vec![vec![], vec![5], vec![5], vec![4], vec![]],
    /// );
    /// ```
    #[track_caller]
    pub fn reduce_by_window(
        &self,
        f: impl Fn(T, T) -> T + Send + Sync + 'static,
        window: Duration,
        slide: impl Into<Option<Duration>>,
    ) -> DStream<T> {
        let (site, window) = (Site::here("reduce_by_window"), Window::over(self, window, slide));
        let reduced = self.as_values(site).reduced_window(site, window, one_partition(), f);
        reduced.each_rdd(site, move |rdd, _| Ok(rdd.map_at(site, |(_, record)| record)))
    }

    /// As [`reduce_by_window`](Self::reduce_by_window), with the inverse of `f`: `inverse(f(a, b), b)` must be `a`.
    ///
    /// A slide costs as much as the batches that enter and leave, however long the window is. Needs a checkpoint
    /// directory.
    ///
    /// # Panics
    /// Unless both durations are positive multiples of this stream's slide duration.
    ///
    /// # Examples
    /// ```
    /// use tidemill::{seconds, testing::check_batches};
    /// check_batches(
    ///     vec![vec![], vec![5, 3], vec![4]],
    ///     |numbers| numbers.reduce_by_window_inverse(|a, b| a + b, |a, b| a - b, seconds(2), None),
    ///     vec![vec![], vec![8], vec![12], vec![4], vec![]],
    /// );
    /// ```
    #[track_caller]
    pub fn reduce_by_window_inverse(
        &self,
        f: impl Fn(T, T) -> T + Send + Sync + 'static,
        inverse: impl Fn(T, T) -> T + Send + Sync + 'static,
        window: Duration,
        slide: impl Into<Option<Duration>>,
    ) -> DStream<T> {
        let (site, window) = (Site::here("reduce_by_window_inverse"), Window::over(self, window, slide));
        let reduced = self.as_values(site).inverse_window(site, window, one_partition(), f, inverse);
        reduced.each_rdd(site, move |rdd, _| Ok(rdd.map_at(site, |(_, record)| record)))
    }

    /// How many records came in the last `window`, at every `slide`; without one (`None`), at every batch.
    ///
    /// Always one number, 0 for an empty window. (Spark gives none until the first record has come.) One number for each
    /// batch is remembered. Needs a checkpoint directory.
    ///
    /// # Panics
    /// Unless both durations are positive multiples of this stream's slide duration.
    ///
    /// # Examples
    /// ```
    /// use tidemill::{seconds, testing::check_batches};
    /// check_batches(
    ///     vec![vec![], vec!['a', 'b'], vec!['c']],
    ///     |records| records.count_by_window(seconds(2), None),
    ///     vec![vec![0], vec![2], vec![3], vec![1], vec![0]],
    /// );
    /// ```
    #[track_caller]
    pub fn count_by_window(&self, window: Duration, slide: impl Into<Option<Duration>>) -> DStream<u64> {
        let (site, window) = (Site::here("count_by_window"), Window::over(self, window, slide));
        let counts = self.each_rdd(site, move |rdd, _| {
            Ok(rdd.map_partitions_at(site, false, |_, records| [((), records.count() as u64)]))
        });
        let counted = counts.inverse_window(site, window, one_partition(), |a, b| a + b, |a, b| a - b);
        counted.each_rdd(site, move |rdd, _| {
            Ok(rdd.map_partitions_at(site, false, |_, counts| [counts.map(|(_, count)| count).sum::<u64>()]))
        })
    }
}

impl<T: Key> DStream<T> {
    /// How often each value came in the last `window`, at every `slide`; without one (`None`), at every batch.
    ///
    /// Values that are not in the window are not in the result. Needs a checkpoint directory.
    ///
    /// # Panics
    /// Unless both durations are positive multiples of this stream's slide duration.
    ///
    /// # Examples
    /// ```
    /// use tidemill::{seconds, testing::check_batches};
    /// check_batches(
    ///     vec![vec!['a', 'a'], vec!['b', 'a'], vec![]],
    ///     |letters| letters.count_by_value_and_window(seconds(2), None),
    ///     vec![vec![('a', 2)], vec![('a', 3), ('b', 1)], vec![('a', 1), ('b', 1)], vec![]],
    /// );
    /// ```
    #[track_caller]
    pub fn count_by_value_and_window(&self, window: Duration, slide: impl Into<Option<Duration>>) -> DStream<(T, u64)> {
        let (site, window) = (Site::here("count_by_value_and_window"), Window::over(self, window, slide));
        let ones = self.ones(site);
        let partitioner = ones.hash_partitioner();
        ones.inverse_window(site, window, partitioner, |a, b| a + b, |a, b| a - b)
    }

    /// As [`count_by_value_and_window`](Self::count_by_value_and_window), into the partitions of `partitioner`.
    ///
    /// # Panics
    /// Unless both durations are positive multiples of this stream's slide duration.
    ///
    /// # Examples
    /// ```
    /// use tidemill::{seconds, testing::check_batches};
    /// check_batches(
    ///     vec![vec!['a', 'a'], vec!['b']],
    ///     |letters| letters.count_by_value_and_window_into(1, seconds(2), None),
    ///     vec![vec![('a', 2)], vec![('a', 2), ('b', 1)], vec![('b', 1)], vec![]],
    /// );
    /// ```
    #[track_caller]
    pub fn count_by_value_and_window_into(
        &self,
        partitioner: impl IntoPartitioner<T>,
        window: Duration,
        slide: impl Into<Option<Duration>>,
    ) -> DStream<(T, u64)> {
        let (site, window) = (Site::here("count_by_value_and_window_into"), Window::over(self, window, slide));
        self.ones(site).inverse_window(site, window, partitioner.into_partitioner(), |a, b| a + b, |a, b| a - b)
    }

    #[track_caller]
    fn ones(&self, site: Site) -> DStream<(T, u64)> {
        self.each_rdd(site, move |rdd, _| Ok(rdd.map_at(site, |value| (value, 1))))
    }
}
