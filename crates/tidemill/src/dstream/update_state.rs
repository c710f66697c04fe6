//! State by key, brought up to date for every key at every batch: `update_state_by_key`.

mod each_key;
mod whole;

use super::{node::DStream, stateful::Stateful};
use crate::{
    base::{Data, Key, Time},
    rdd::{IntoPartitioner, PartitionerId, PartitionerRef, Rdd, Site},
};
use each_key::EachKey;
use std::{fmt, sync::Arc};
use whole::WholePartition;

/// Where the state of an [`update_state_by_key_with`](DStream::update_state_by_key_with) is, and how it begins.
///
/// # Examples
/// ```
/// use tidemill::{Context, StateOptions};
/// let initial = Context::local(1).parallelize(vec![("a".to_string(), 7)], 1);
/// let options = StateOptions::new().partitioner(4).initial_state(&initial);
/// # drop(options);
/// ```
pub struct StateOptions<K, S> {
    partitioner: Option<PartitionerRef<K>>,
    initial: Option<Rdd<(K, S)>>,
}

impl<K, S> fmt::Debug for StateOptions<K, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { partitioner, initial } = self;
        f.debug_struct("StateOptions").field("partitioner", partitioner).field("initial", initial).finish()
    }
}

impl<K, S> Default for StateOptions<K, S> {
    fn default() -> Self {
        Self { partitioner: None, initial: None }
    }
}

impl<K, S> StateOptions<K, S> {
    /// As many hash partitions as the context's default parallelism, and no state at the start.
    ///
    /// # Examples
    /// ```
    /// use tidemill::{StateOptions, testing::TestContext};
    /// let test = TestContext::new();
    /// let latest = test.stream(vec![vec![('a', 1)], vec![('a', 9)]]).update_state_by_key_with(
    ///     StateOptions::new(),
    ///     |_time, _key, values: &[i32], last| values.last().copied().or(last),
    /// );
    /// let seen = test.collect(&latest);
    /// test.run(3)?;
    /// assert_eq!(seen.batches(), [[('a', 1)], [('a', 9)], [('a', 9)]]);
    /// # Ok::<(), tidemill::Error>(())
    /// ```
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets where keys are kept: a number of partitions, or a partitioner.
    ///
    /// # Examples
    /// ```
    /// use tidemill::{StateOptions, testing::TestContext};
    /// let test = TestContext::new();
    /// let counts = test.stream(vec![vec![('a', 1)]]).update_state_by_key_with(
    ///     StateOptions::new().partitioner(3),
    ///     |_time, _key, values: &[i32], count| Some(count.unwrap_or(0) + values.len()),
    /// );
    /// let seen = test.collect(&counts);
    /// test.run(1)?;
    /// assert_eq!(seen.partitions()[0].1.len(), 3);
    /// # Ok::<(), tidemill::Error>(())
    /// ```
    #[must_use]
    pub fn partitioner(mut self, partitioner: impl IntoPartitioner<K>) -> Self {
        self.partitioner = Some(partitioner.into_partitioner());
        self
    }

    /// Sets the state before the first batch.
    ///
    /// # Examples
    /// ```
    /// use tidemill::{StateOptions, testing::TestContext};
    /// let test = TestContext::new();
    /// let initial = test.ssc().context().parallelize(vec![('z', 7)], 1);
    /// let counts = test.stream(vec![vec![('a', 1)]]).update_state_by_key_with(
    ///     StateOptions::new().initial_state(&initial),
    ///     |_time, _key, values: &[i32], count| Some(count.unwrap_or(0) + values.len()),
    /// );
    /// let seen = test.collect(&counts);
    /// test.run(1)?;
    /// assert_eq!(seen.sorted(), [[('a', 1), ('z', 7)]]);
    /// # Ok::<(), tidemill::Error>(())
    /// ```
    #[must_use]
    pub fn initial_state(mut self, initial: &Rdd<(K, S)>) -> Self {
        self.initial = Some(initial.clone());
        self
    }
}

impl<K: Key, V: Data> DStream<(K, V)> {
    /// A state for each key, brought up to date at every batch: `f` gets the key's values of the batch and its state,
    /// and returns the new state.
    ///
    /// `f` is called for every key that has a state or new values, so also for keys with no new values, and at every
    /// batch, so also at empty ones. `None` as the state means that the key is new; returned, that it is forgotten. The
    /// values stand in the order of the partitions they come from. The stream gives the state of every key at every
    /// batch, in another order after a restart from a checkpoint, which is given those states that have changed. A batch
    /// costs a call for every key there is; [`map_with_state`](Self::map_with_state) costs one for each record.
    /// Needs a checkpoint directory.
    ///
    /// # Examples
    /// ```
    /// use tidemill::testing::check_batches;
    /// check_batches(
    ///     vec![vec![('a', 1)], vec![('a', 2), ('b', 5)], vec![]],
    ///     |pairs| pairs.update_state_by_key(|values, sum| Some(sum.unwrap_or(0) + values.iter().sum::<i32>())),
    ///     vec![vec![('a', 1)], vec![('a', 3), ('b', 5)], vec![('a', 3), ('b', 5)]],
    /// );
    /// ```
    #[track_caller]
    pub fn update_state_by_key<S: Data>(
        &self,
        f: impl Fn(&[V], Option<S>) -> Option<S> + Send + Sync + 'static,
    ) -> DStream<(K, S)> {
        let site = Site::here("update_state_by_key");
        self.each_key(site, StateOptions::new(), move |_, _, values, state| f(values, state))
    }

    /// As [`update_state_by_key`](Self::update_state_by_key), in the partitions of `partitioner`.
    ///
    /// # Examples
    /// ```
    /// use tidemill::testing::check_batches;
    /// check_batches(
    ///     vec![vec![('a', 1)], vec![('a', 1)], vec![]],
    ///     |pairs| pairs.update_state_by_key_into(1, |values, _| (!values.is_empty()).then_some(values.len())),
    ///     vec![vec![('a', 1)], vec![('a', 1)], vec![]],
    /// );
    /// ```
    #[track_caller]
    pub fn update_state_by_key_into<S: Data>(
        &self,
        partitioner: impl IntoPartitioner<K>,
        f: impl Fn(&[V], Option<S>) -> Option<S> + Send + Sync + 'static,
    ) -> DStream<(K, S)> {
        let options = StateOptions::new().partitioner(partitioner);
        self.each_key(Site::here("update_state_by_key_into"), options, move |_, _, values, state| f(values, state))
    }

    /// As [`update_state_by_key`](Self::update_state_by_key), with [`StateOptions`], and with the batch time and the key
    /// for `f`.
    ///
    /// `f` is called for the keys of the initial state from the first batch on.
    ///
    /// # Examples
    /// ```
    /// use tidemill::{StateOptions, testing::TestContext};
    /// let test = TestContext::new();
    /// let initial = test.ssc().context().parallelize(vec![('a', 100)], 1);
    /// let options = StateOptions::new().initial_state(&initial);
    /// let sums = test.stream(vec![vec![('a', 1)], vec![('b', 2)]]).update_state_by_key_with(
    ///     options,
    ///     |_time, _key, values: &[i32], sum| Some(sum.unwrap_or(0) + values.iter().sum::<i32>()),
    /// );
    /// let seen = test.collect(&sums);
    /// test.run(2)?;
    /// assert_eq!(seen.sorted(), vec![vec![('a', 101)], vec![('a', 101), ('b', 2)]]);
    /// # Ok::<(), tidemill::Error>(())
    /// ```
    #[track_caller]
    pub fn update_state_by_key_with<S: Data>(
        &self,
        options: StateOptions<K, S>,
        f: impl Fn(Time, &K, &[V], Option<S>) -> Option<S> + Send + Sync + 'static,
    ) -> DStream<(K, S)> {
        self.each_key(Site::here("update_state_by_key_with"), options, f)
    }

    /// As [`update_state_by_key`](Self::update_state_by_key), partition by partition: `f` gets every key of a partition
    /// with its values and its state, and returns the state of the partition, of these keys or others.
    ///
    /// Where the result names a key twice, the later state counts. A key that belongs to another partition fails the
    /// batch; in one partition every key is at home.
    ///
    /// # Examples
    /// ```
    /// use tidemill::{StateOptions, testing::check_batches};
    /// check_batches(
    ///     vec![vec![('a', 1), ('b', 2)], vec![('b', 3)]],
    ///     |pairs| {
    ///         pairs.update_state_by_key_partitions(StateOptions::new().partitioner(1), |keys| {
    ///             let sums = keys.map(|(key, values, sum)| (key, sum.unwrap_or(0) + values.iter().sum::<i32>()));
    ///             sums.max_by_key(|(_, sum)| *sum)
    ///         })
    ///     },
    ///     vec![vec![('b', 2)], vec![('b', 5)]],
    /// );
    /// ```
    #[track_caller]
    pub fn update_state_by_key_partitions<S: Data, I>(
        &self,
        options: StateOptions<K, S>,
        f: impl Fn(&mut dyn Iterator<Item = (K, Vec<V>, Option<S>)>) -> I + Send + Sync + 'static,
    ) -> DStream<(K, S)>
    where
        I: IntoIterator<Item = (K, S)> + 'static,
    {
        let (site, f) = (Site::here("update_state_by_key_partitions"), Arc::new(f));
        let partitioner = options.partitioner.clone().unwrap_or_else(|| self.hash_partitioner());
        let (partitions, placing) = (partitioner.partitions(), partitioner.clone());
        let mut index = 0..partitions;
        let make = move || WholePartition::new(f.clone(), placing.clone(), index.next().unwrap_or_default());
        let operator = self.updated(site, options, partitioner, make);
        operator.placed_stream(self, site, WholePartition::emit)
    }

    #[track_caller]
    fn each_key<S: Data>(
        &self,
        site: Site,
        options: StateOptions<K, S>,
        f: impl Fn(Time, &K, &[V], Option<S>) -> Option<S> + Send + Sync + 'static,
    ) -> DStream<(K, S)> {
        let f = Arc::new(f);
        let partitioner = options.partitioner.clone().unwrap_or_else(|| self.hash_partitioner());
        let operator = self.updated(site, options, partitioner, move || EachKey::new(f.clone()));
        operator.placed_stream(self, site, EachKey::emit)
    }

    fn updated<S: Data, P>(
        &self,
        site: Site,
        options: StateOptions<K, S>,
        partitioner: PartitionerRef<K>,
        make: impl FnMut() -> P,
    ) -> Arc<Stateful<P>>
    where
        P: super::state::StatePartition<In = (K, V), Initial = (K, S), Key = K>,
    {
        let (parent, placing) = (self.clone(), partitioner.clone());
        let input = move |time| Ok(parent.at(time)?.map(|rdd| rdd.placed_at(site, placing.clone())));
        let mut operator = Stateful::new(site, self, &partitioner, make, input);
        operator.partitioner = Some(PartitionerId::of(&partitioner));
        operator.initial = options.initial.map(|initial| initial.placed_at(site.step("initial state"), partitioner));
        operator.must_checkpoint = true;
        Arc::new(operator)
    }
}

#[cfg(test)]
mod tests;
