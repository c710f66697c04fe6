//! State by key that only the keys of a batch touch: `map_with_state`.

mod partition;
mod state;

pub use state::State;

use super::{node::DStream, stateful::Stateful};
use crate::{
    base::{Data, Key, Time},
    rdd::{IntoPartitioner, PartitionerId, PartitionerRef, Rdd, Site},
};
use partition::Sessions;
use std::{fmt, ops::Deref, sync::Arc, time::Duration};

/// What a record or a timed-out key is made into.
type Update<K, V, S, M> = dyn Fn(Time, &K, Option<V>, &mut State<S>) -> Option<M> + Send + Sync;

/// What [`map_with_state`](DStream::map_with_state) does: a function, and where its state is, how it begins and when it
/// times out.
///
/// # Examples
/// ```
/// use tidemill::{State, StateSpec, seconds};
/// let spec = StateSpec::function(|word: &String, one: Option<u64>, count: &mut State<u64>| {
///     let sum = count.get_option().unwrap_or(&0) + one.unwrap_or(0);
///     if !count.is_timing_out() {
///         count.update(sum);
///     }
///     (word.clone(), sum)
/// });
/// let spec = spec.num_partitions(4).timeout(seconds(60));
/// # drop(spec);
/// ```
pub struct StateSpec<K, V, S, M> {
    f: Arc<Update<K, V, S, M>>,
    partitioner: Option<PartitionerRef<K>>,
    initial: Option<Rdd<(K, S)>>,
    timeout: Option<Duration>,
}

impl<K, V, S, M> fmt::Debug for StateSpec<K, V, S, M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { partitioner, initial, timeout, .. } = self;
        let mut debug = f.debug_struct("StateSpec");
        debug.field("partitioner", partitioner).field("initial", initial).field("timeout", timeout).finish()
    }
}

impl<K: Key, V, S, M> StateSpec<K, V, S, M> {
    /// A function of the key, the value and the state; what it returns is emitted at every call.
    ///
    /// # Examples
    /// ```
    /// use tidemill::{State, StateSpec, testing::TestContext};
    /// let test = TestContext::new();
    /// let rises = StateSpec::function(|key: &char, n: Option<i32>, last: &mut State<i32>| {
    ///     let now = n.unwrap_or(0);
    ///     let before = last.get_option().copied().unwrap_or(now);
    ///     last.update(now);
    ///     (*key, now - before)
    /// });
    /// let seen = test.collect(&test.stream(vec![vec![('a', 5)], vec![('a', 8)]]).map_with_state(rises));
    /// test.run(2)?;
    /// assert_eq!(seen.batches(), [[('a', 0)], [('a', 3)]]);
    /// # Ok::<(), tidemill::Error>(())
    /// ```
    pub fn function(f: impl Fn(&K, Option<V>, &mut State<S>) -> M + Send + Sync + 'static) -> Self {
        Self::function_with_time(move |_, key, value, state| Some(f(key, value, state)))
    }

    /// A function of the batch time too, which emits something or nothing.
    ///
    /// # Examples
    /// ```
    /// use tidemill::{State, StateSpec, Time, testing::TestContext};
    /// let test = TestContext::new();
    /// let new_keys = StateSpec::function_with_time(|time: Time, key: &char, _: Option<()>, known: &mut State<bool>| {
    ///     let is_new = !known.exists();
    ///     known.update(true);
    ///     is_new.then_some((time.as_ms(), *key))
    /// });
    /// let input = vec![vec![('a', ())], vec![('a', ()), ('b', ())]];
    /// let seen = test.collect(&test.stream(input).map_with_state(new_keys));
    /// test.run(2)?;
    /// assert_eq!(seen.batches(), [[(1_000, 'a')], [(2_000, 'b')]]);
    /// # Ok::<(), tidemill::Error>(())
    /// ```
    pub fn function_with_time(
        f: impl Fn(Time, &K, Option<V>, &mut State<S>) -> Option<M> + Send + Sync + 'static,
    ) -> Self {
        Self { f: Arc::new(f), partitioner: None, initial: None, timeout: None }
    }

    /// Sets the state before the first batch. It counts as touched by the first batch that succeeds and is not emitted.
    ///
    /// # Examples
    /// ```
    /// use tidemill::{State, StateSpec, testing::TestContext};
    /// let test = TestContext::new();
    /// let sums = StateSpec::function(|_: &char, n: Option<i32>, sum: &mut State<i32>| {
    ///     sum.update(sum.get_option().unwrap_or(&0) + n.unwrap_or(0));
    ///     *sum.get()
    /// });
    /// let initial = test.ssc().context().parallelize(vec![('a', 100)], 1);
    /// let seen = test.collect(&test.stream(vec![vec![('a', 1)]]).map_with_state(sums.initial_state(&initial)));
    /// test.run(1)?;
    /// assert_eq!(seen.batches(), [[101]]);
    /// # Ok::<(), tidemill::Error>(())
    /// ```
    #[must_use]
    pub fn initial_state(mut self, initial: &Rdd<(K, S)>) -> Self {
        self.initial = Some(initial.clone());
        self
    }

    /// Sets how many hash partitions keep the state; the context's default parallelism, unless set.
    ///
    /// # Examples
    /// ```
    /// use tidemill::{State, StateSpec, testing::TestContext};
    /// let test = TestContext::new();
    /// let echo = StateSpec::function(|key: &char, _: Option<i32>, _: &mut State<i32>| *key).num_partitions(3);
    /// let seen = test.collect(&test.stream(vec![vec![('a', 1)]]).map_with_state(echo));
    /// test.run(1)?;
    /// assert_eq!(seen.partitions()[0].1.len(), 3);
    /// # Ok::<(), tidemill::Error>(())
    /// ```
    #[must_use]
    pub fn num_partitions(self, partitions: usize) -> Self {
        self.partitioner(partitions)
    }

    /// Sets where keys are kept.
    ///
    /// # Examples
    /// ```
    /// use tidemill::{HashPartitioner, State, StateSpec, testing::TestContext};
    /// let test = TestContext::new();
    /// let echo = StateSpec::function(|key: &char, _: Option<i32>, _: &mut State<i32>| *key);
    /// let echo = echo.partitioner(HashPartitioner::new(5));
    /// let seen = test.collect(&test.stream(vec![vec![('a', 1)]]).map_with_state(echo));
    /// test.run(1)?;
    /// assert_eq!(seen.partitions()[0].1.len(), 5);
    /// # Ok::<(), tidemill::Error>(())
    /// ```
    #[must_use]
    pub fn partitioner(mut self, partitioner: impl IntoPartitioner<K>) -> Self {
        self.partitioner = Some(partitioner.into_partitioner());
        self
    }

    /// Forgets a key for which nothing came in more than `idle`: at the first batch later than that, the function is
    /// called with no value and a state that [is timing out](State::is_timing_out), what it returns is emitted, and the
    /// key is gone.
    ///
    /// (Spark finds such keys only at batches that it checkpoints, one in ten unless set.)
    ///
    /// # Examples
    /// ```
    /// use tidemill::{State, StateSpec, seconds, testing::TestContext};
    /// let test = TestContext::new();
    /// let sessions = StateSpec::function(|user: &char, page: Option<i32>, last: &mut State<i32>| match page {
    ///     Some(page) => { last.update(page); format!("{user} reads {page}") }
    ///     None => format!("{user} left after {}", last.get()),
    /// });
    /// let clicks = test.stream(vec![vec![('a', 1)], vec![('a', 7)]]);
    /// let seen = test.collect(&clicks.map_with_state(sessions.timeout(seconds(1))));
    /// test.run(4)?;
    /// assert_eq!(seen.batches().concat(), ["a reads 1", "a reads 7", "a left after 7"]);
    /// # Ok::<(), tidemill::Error>(())
    /// ```
    #[must_use]
    pub fn timeout(mut self, idle: Duration) -> Self {
        self.timeout = Some(idle);
        self
    }
}

/// The stream that [`map_with_state`](DStream::map_with_state) gives: of what the function returned, in the order of the
/// calls in each partition; and [`state_snapshots`](Self::state_snapshots).
///
/// # Examples
/// See [`DStream::map_with_state`].
pub struct MapWithStateDStream<K, S, M> {
    mapped: DStream<M>,
    snapshots: Arc<dyn Fn(Site) -> DStream<(K, S)> + Send + Sync>,
}

impl<K, S, M> Clone for MapWithStateDStream<K, S, M> {
    fn clone(&self) -> Self {
        Self { mapped: self.mapped.clone(), snapshots: self.snapshots.clone() }
    }
}

impl<K, S, M> fmt::Debug for MapWithStateDStream<K, S, M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.mapped.fmt(f)
    }
}

impl<K, S, M> Deref for MapWithStateDStream<K, S, M> {
    type Target = DStream<M>;
    fn deref(&self) -> &DStream<M> {
        &self.mapped
    }
}

impl<K, S, M> MapWithStateDStream<K, S, M> {
    /// The state of every key, at every batch.
    ///
    /// # Examples
    /// See [`DStream::map_with_state`].
    #[track_caller]
    pub fn state_snapshots(&self) -> DStream<(K, S)> {
        (self.snapshots)(Site::here("state_snapshots"))
    }
}

impl<K: Key, V: Data> DStream<(K, V)> {
    /// Calls the function of `spec` for every record with the state of its key, and gives what it returns.
    ///
    /// Only the keys of a batch cost anything, however many there are. Records of one key come in the order of the
    /// partitions they come from. A batch without records gives an empty one, but for keys that time out. After a restart
    /// from a checkpoint keys time out as they would have, and snapshots and keys that time out come in another order.
    /// Needs a checkpoint directory.
    ///
    /// # Examples
    /// ```
    /// use tidemill::{State, StateSpec, testing::TestContext};
    /// let test = TestContext::new();
    /// let letters = test.stream(vec![vec![('a', 1), ('b', 1)], vec![('a', 1)], vec![]]);
    /// let counts = letters.map_with_state(StateSpec::function(|letter, n: Option<i32>, count: &mut State<i32>| {
    ///     let sum = count.get_option().unwrap_or(&0) + n.unwrap_or(0);
    ///     count.update(sum);
    ///     format!("{letter}{sum}")
    /// }));
    /// let seen = test.collect(&counts);
    /// let states = test.collect(&counts.state_snapshots());
    /// test.run(3)?;
    /// assert_eq!(seen.sorted(), vec![vec!["a1", "b1"], vec!["a2"], vec![]]);
    /// assert_eq!(states.sorted()[2], vec![('a', 2), ('b', 1)]);
    /// # Ok::<(), tidemill::Error>(())
    /// ```
    #[track_caller]
    pub fn map_with_state<S: Data, M: Data>(&self, spec: StateSpec<K, V, S, M>) -> MapWithStateDStream<K, S, M> {
        let site = Site::here("map_with_state");
        let partitioner = spec.partitioner.unwrap_or_else(|| self.hash_partitioner());
        let (parent, placing) = (self.clone(), partitioner.clone());
        let input = move |time| Ok(parent.at(time)?.map(|rdd| rdd.placed_at(site, placing.clone())));
        let make = move || Sessions::new(spec.f.clone(), spec.timeout);
        let mut operator = Stateful::new(site, self, &partitioner, make, input);
        operator.partitioner = Some(PartitionerId::of(&partitioner));
        operator.initial = spec.initial.map(|initial| initial.placed_at(site.step("initial state"), partitioner));
        operator.must_checkpoint = true;
        let operator = Arc::new(operator);
        let mapped = operator.stream(self, site, Sessions::emit_mapped);
        let of = mapped.clone();
        let snapshots = move |site| operator.placed_stream(&of, site, Sessions::emit_states);
        MapWithStateDStream { mapped, snapshots: Arc::new(snapshots) }
    }
}

#[cfg(test)]
mod tests;
