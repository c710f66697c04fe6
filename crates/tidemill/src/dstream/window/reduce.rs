//! The operations on windows that reduce, count and group.

use super::{Window, grouped::GroupedWindow, inverse::InverseWindow, two_stacks::TwoStacks};
use crate::{
    base::{Data, Key, Result, Time},
    dstream::{node::DStream, stateful::Stateful},
    rdd::{
        IntoPartitioner, PartitionerId, PartitionerRef, Rdd, Site, chunk::Chunked, combiner::Reduce,
        wide::combine_values,
    },
};
use std::{sync::Arc, time::Duration};

/// The pairs of one batch, reduced where they are and then moved to their keys' partitions. What is reduced again there
/// is reduced into the window.
fn reduced_and_placed<K: Key, V: Data>(
    rdd: &Rdd<(K, V)>,
    site: Site,
    partitioner: &PartitionerRef<K>,
    f: &Arc<impl Fn(V, V) -> V + Send + Sync + 'static>,
) -> Rdd<(K, V)> {
    let f = f.clone();
    let reduced = rdd.map_partition_chunks(site, true, move |_, chunks, task| {
        let f = f.clone();
        Box::new(Chunked(combine_values(&site, task, chunks, &Reduce(move |a, b| f(a, b))).into_pairs()))
    });
    reduced.placed_at(site, partitioner.clone())
}

impl<K: Key, V: Data> DStream<(K, V)> {
    /// This stream's Rdd of a batch, if any window has a use for it.
    fn covered(&self, window: Window, time: Time) -> Result<Option<Rdd<(K, V)>>> {
        let zero = self.graph().zero_time().unwrap_or_default();
        if window.covers(time, zero) { self.at(time) } else { Ok(None) }
    }

    #[track_caller]
    pub(super) fn reduced_window(
        &self,
        site: Site,
        window: Window,
        partitioner: PartitionerRef<K>,
        f: impl Fn(V, V) -> V + Send + Sync + 'static,
    ) -> DStream<(K, V)> {
        let (f, parent, id) = (Arc::new(f), self.clone(), PartitionerId::of(&partitioner));
        let (placing, reduce) = (partitioner.clone(), f.clone());
        let input = move |time| {
            let rdd = parent.covered(window, time)?;
            Ok(rdd.map(|rdd| reduced_and_placed(&rdd, site, &partitioner, &reduce)))
        };
        let mut operator = Stateful::new(site, self, &placing, move || TwoStacks::new(window, f.clone()), input);
        operator.partitioner = Some(id);
        Arc::new(operator).placed_stream(self, site, TwoStacks::emit).every(site, window)
    }

    #[track_caller]
    pub(super) fn inverse_window(
        &self,
        site: Site,
        window: Window,
        partitioner: PartitionerRef<K>,
        f: impl Fn(V, V) -> V + Send + Sync + 'static,
        inverse: impl Fn(V, V) -> V + Send + Sync + 'static,
    ) -> DStream<(K, V)> {
        let (f, inverse) = (Arc::new(f), Arc::new(inverse));
        let (parent, id, reduce) = (self.clone(), PartitionerId::of(&partitioner), f.clone());
        let placing = partitioner.clone();
        let input = move |time| {
            let rdd = parent.covered(window, time)?;
            Ok(rdd.map(|rdd| reduced_and_placed(&rdd, site, &partitioner, &reduce)))
        };
        let make = move || InverseWindow::new(window, f.clone(), inverse.clone());
        let mut operator = Stateful::new(site, self, &placing, make, input);
        operator.partitioner = Some(id);
        operator.must_checkpoint = true;
        Arc::new(operator).placed_stream(self, site, InverseWindow::emit).every(site, window)
    }

    /// Combines the values of each key over the last `window` with `f`, at every `slide`; without one (`None`), at every
    /// batch.
    ///
    /// `f` must be associative and commutative. Keys of which no record is in the window are not in the result; without
    /// any record it is empty. Each batch is reduced once, when it comes, and what is remembered of it is one value for
    /// each of its keys. Where `f` has an inverse,
    /// [`reduce_by_key_and_window_inverse`](Self::reduce_by_key_and_window_inverse) does less work.
    ///
    /// # Panics
    /// Unless both durations are positive multiples of this stream's slide duration.
    ///
    /// # Examples
    /// ```
    /// use tidemill::{seconds, testing::check_batches};
    /// check_batches(
    ///     vec![vec![('a', 1)], vec![('a', 4), ('b', 2)], vec![]],
    ///     |pairs| pairs.reduce_by_key_and_window(i32::max, seconds(2), None),
    ///     vec![vec![('a', 1)], vec![('a', 4), ('b', 2)], vec![('a', 4), ('b', 2)], vec![]],
    /// );
    /// ```
    #[track_caller]
    pub fn reduce_by_key_and_window(
        &self,
        f: impl Fn(V, V) -> V + Send + Sync + 'static,
        window: Duration,
        slide: impl Into<Option<Duration>>,
    ) -> DStream<(K, V)> {
        let window = Window::over(self, window, slide);
        self.reduced_window(Site::here("reduce_by_key_and_window"), window, self.hash_partitioner(), f)
    }

    /// As [`reduce_by_key_and_window`](Self::reduce_by_key_and_window), into the partitions of `partitioner`.
    ///
    /// # Panics
    /// Unless both durations are positive multiples of this stream's slide duration.
    ///
    /// # Examples
    /// ```
    /// use tidemill::{seconds, testing::check_batches};
    /// check_batches(
    ///     vec![vec![('a', 1)], vec![('a', 4)]],
    ///     |pairs| pairs.reduce_by_key_and_window_into(1, |a, b| a + b, seconds(2), None),
    ///     vec![vec![('a', 1)], vec![('a', 5)], vec![('a', 4)], vec![]],
    /// );
    /// ```
    #[track_caller]
    pub fn reduce_by_key_and_window_into(
        &self,
        partitioner: impl IntoPartitioner<K>,
        f: impl Fn(V, V) -> V + Send + Sync + 'static,
        window: Duration,
        slide: impl Into<Option<Duration>>,
    ) -> DStream<(K, V)> {
        let window = Window::over(self, window, slide);
        self.reduced_window(Site::here("reduce_by_key_and_window_into"), window, partitioner.into_partitioner(), f)
    }

    /// As [`reduce_by_key_and_window`](Self::reduce_by_key_and_window), with the inverse of `f`:
    /// `inverse(f(a, b), b)` must be `a`.
    ///
    /// Batches that enter are added to a total of each key and those that leave are subtracted, so a slide costs as much
    /// as the two batches have keys, however long the window is. A key leaves the result with its last record in the
    /// window: the result is always what reducing the whole window would give. (Spark keeps such keys with what is left
    /// of their value, 0 for a sum, unless a filter function rejects it; a filter here is
    /// [`filter`](Self::filter) behind this operation.) Needs a checkpoint directory.
    ///
    /// # Panics
    /// Unless both durations are positive multiples of this stream's slide duration.
    ///
    /// # Examples
    /// ```
    /// use tidemill::{seconds, testing::check_batches};
    /// check_batches(
    ///     vec![vec![('a', 1)], vec![('a', 4), ('b', 2)], vec![]],
    ///     |pairs| pairs.reduce_by_key_and_window_inverse(|a, b| a + b, |a, b| a - b, seconds(2), None),
    ///     vec![vec![('a', 1)], vec![('a', 5), ('b', 2)], vec![('a', 4), ('b', 2)], vec![]],
    /// );
    /// ```
    #[track_caller]
    pub fn reduce_by_key_and_window_inverse(
        &self,
        f: impl Fn(V, V) -> V + Send + Sync + 'static,
        inverse: impl Fn(V, V) -> V + Send + Sync + 'static,
        window: Duration,
        slide: impl Into<Option<Duration>>,
    ) -> DStream<(K, V)> {
        let window = Window::over(self, window, slide);
        let site = Site::here("reduce_by_key_and_window_inverse");
        self.inverse_window(site, window, self.hash_partitioner(), f, inverse)
    }

    /// As [`reduce_by_key_and_window_inverse`](Self::reduce_by_key_and_window_inverse), into the partitions of
    /// `partitioner`.
    ///
    /// # Panics
    /// Unless both durations are positive multiples of this stream's slide duration.
    ///
    /// # Examples
    /// ```
    /// use tidemill::{seconds, testing::check_batches};
    /// check_batches(
    ///     vec![vec![('a', 1)], vec![('a', 4)], vec![]],
    ///     |pairs| pairs.reduce_by_key_and_window_inverse_into(1, |a, b| a + b, |a, b| a - b, seconds(2), None),
    ///     vec![vec![('a', 1)], vec![('a', 5)], vec![('a', 4)], vec![]],
    /// );
    /// ```
    #[track_caller]
    pub fn reduce_by_key_and_window_inverse_into(
        &self,
        partitioner: impl IntoPartitioner<K>,
        f: impl Fn(V, V) -> V + Send + Sync + 'static,
        inverse: impl Fn(V, V) -> V + Send + Sync + 'static,
        window: Duration,
        slide: impl Into<Option<Duration>>,
    ) -> DStream<(K, V)> {
        let window = Window::over(self, window, slide);
        let site = Site::here("reduce_by_key_and_window_inverse_into");
        self.inverse_window(site, window, partitioner.into_partitioner(), f, inverse)
    }

    /// All values of each key in the last `window`, at every `slide`; without one (`None`), at every batch.
    ///
    /// The values of a key stand in the order of their batches, and within a batch in that of its partitions. Keys of
    /// which no record is in the window are not in the result. Every record of the window is remembered once.
    ///
    /// # Panics
    /// Unless both durations are positive multiples of this stream's slide duration.
    ///
    /// # Examples
    /// ```
    /// use tidemill::{seconds, testing::check_batches};
    /// check_batches(
    ///     vec![vec![('a', 1)], vec![('a', 4), ('b', 2)], vec![]],
    ///     |pairs| pairs.group_by_key_and_window(seconds(2), None),
    ///     vec![vec![('a', vec![1])], vec![('a', vec![1, 4]), ('b', vec![2])], vec![('a', vec![4]), ('b', vec![2])]],
    /// );
    /// ```
    #[track_caller]
    pub fn group_by_key_and_window(
        &self,
        window: Duration,
        slide: impl Into<Option<Duration>>,
    ) -> DStream<(K, Vec<V>)> {
        let window = Window::over(self, window, slide);
        self.grouped_window(Site::here("group_by_key_and_window"), window, self.hash_partitioner())
    }

    /// As [`group_by_key_and_window`](Self::group_by_key_and_window), into the partitions of `partitioner`.
    ///
    /// # Panics
    /// Unless both durations are positive multiples of this stream's slide duration.
    ///
    /// # Examples
    /// ```
    /// use tidemill::{seconds, testing::check_batches};
    /// check_batches(
    ///     vec![vec![('a', 1)], vec![('a', 4)]],
    ///     |pairs| pairs.group_by_key_and_window_into(1, seconds(2), None),
    ///     vec![vec![('a', vec![1])], vec![('a', vec![1, 4])], vec![('a', vec![4])]],
    /// );
    /// ```
    #[track_caller]
    pub fn group_by_key_and_window_into(
        &self,
        partitioner: impl IntoPartitioner<K>,
        window: Duration,
        slide: impl Into<Option<Duration>>,
    ) -> DStream<(K, Vec<V>)> {
        let window = Window::over(self, window, slide);
        self.grouped_window(Site::here("group_by_key_and_window_into"), window, partitioner.into_partitioner())
    }

    #[track_caller]
    fn grouped_window(&self, site: Site, window: Window, partitioner: PartitionerRef<K>) -> DStream<(K, Vec<V>)> {
        let (parent, id, placing) = (self.clone(), PartitionerId::of(&partitioner), partitioner.clone());
        let input = move |time| {
            let rdd = parent.covered(window, time)?;
            Ok(rdd.map(|rdd| rdd.placed_at(site, partitioner.clone())))
        };
        let mut operator = Stateful::new(site, self, &placing, move || GroupedWindow::new(window), input);
        operator.partitioner = Some(id);
        Arc::new(operator).placed_stream(self, site, GroupedWindow::emit).every(site, window)
    }
}
