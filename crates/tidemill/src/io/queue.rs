//! A queue of datasets as an input: for tests and for programs that make their own batches.

use crate::{
    base::{Data, Misuse, Result, Time, clock::Stopwatch, keys},
    dstream::{
        graph::Graph,
        input::{Input, Slice},
    },
    rdd::{Rdd, Session, Site},
};
use std::{
    collections::VecDeque,
    fmt,
    ops::Range,
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

/// How long a process waits for its program to push what process 0 has picked.
const PUSH_PATIENCE: Duration = Duration::from_secs(30);

/// The live end of a queue stream: what is pushed becomes a batch, before start and after it.
///
/// On several processes the program pushes the same datasets in the same order in every process.
///
/// # Examples
/// See [`StreamingContext::queue_stream`](crate::StreamingContext::queue_stream).
pub struct RddQueue<T>(Arc<(Mutex<Items<T>>, Condvar)>);

/// The datasets that no batch is through with, by their number among all that were pushed.
struct Items<T> {
    /// The number of the first one.
    first: usize,
    waiting: VecDeque<Option<Rdd<T>>>,
    /// The number of the first one that no batch has picked.
    unpicked: usize,
}

impl<T> Items<T> {
    fn end(&self) -> usize {
        self.first + self.waiting.len()
    }

    /// Lets go of those that a batch has read.
    fn release(&mut self, read: Range<usize>) {
        for number in read {
            if let Some(item) = number.checked_sub(self.first).and_then(|index| self.waiting.get_mut(index)) {
                *item = None;
            }
        }
        while matches!(self.waiting.front(), Some(None)) {
            self.waiting.pop_front();
            self.first += 1;
        }
    }
}

impl<T> Clone for RddQueue<T> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<T> fmt::Debug for RddQueue<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let items = self.items();
        write!(f, "RddQueue({} waiting)", items.end() - items.unpicked)
    }
}

impl<T> RddQueue<T> {
    /// An empty queue.
    pub fn new() -> Self {
        let items = Items { first: 0, waiting: VecDeque::new(), unpicked: 0 };
        Self(Arc::new((Mutex::new(items), Condvar::new())))
    }

    fn items(&self) -> MutexGuard<'_, Items<T>> {
        self.0.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds a dataset behind those that wait.
    pub fn push(&self, rdd: Rdd<T>) {
        self.extend_with([rdd]);
    }

    fn extend_with(&self, rdds: impl IntoIterator<Item = Rdd<T>>) {
        self.items().waiting.extend(rdds.into_iter().map(Some));
        self.0.1.notify_all();
    }

    /// Waits until the first `count` datasets were pushed (true), for at most the patience there is.
    fn wait_for(&self, count: usize) -> bool {
        let (mut items, watch) = (self.items(), Stopwatch::start());
        while items.end() < count {
            let left = PUSH_PATIENCE.saturating_sub(watch.elapsed());
            if left.is_zero() {
                return false;
            }
            (items, _) = self.0.1.wait_timeout(items, left).unwrap_or_else(PoisonError::into_inner);
        }
        true
    }
}

impl<T> Default for RddQueue<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T> Extend<Rdd<T>> for RddQueue<T> {
    fn extend<I: IntoIterator<Item = Rdd<T>>>(&mut self, rdds: I) {
        self.extend_with(rdds);
    }
}

/// Reads a queue: one dataset for each batch, or all that wait.
pub(crate) struct QueueInput<T> {
    pub(crate) queue: RddQueue<T>,
    pub(crate) one_at_a_time: bool,
    pub(crate) default: Option<Rdd<T>>,
    pub(crate) site: Site,
    pub(crate) graph: Arc<Graph>,
}

impl<T: Data> QueueInput<T> {
    fn nothing(&self, session: &Arc<Session>) -> Rdd<T> {
        self.default.clone().unwrap_or_else(|| Rdd::parallelized(session, self.site, Vec::new(), 1))
    }
}

impl<T: Data> Input<T> for QueueInput<T> {
    /// As in Spark.
    fn is_reported(&self) -> bool {
        false
    }

    fn is_replayable(&self) -> bool {
        false
    }

    fn check(&self) -> Result<()> {
        let checkpointed = self.graph.has_checkpoint();
        if checkpointed && !self.graph.config.get(&keys::QUEUE_STREAM_ALLOW_CHECKPOINT)? {
            return Err(Misuse::QueueWithCheckpoint.into());
        }
        Ok(())
    }

    fn pick(&self, _time: Time) -> Result<Slice> {
        let mut items = self.queue.items();
        let from = items.unpicked;
        items.unpicked = if self.one_at_a_time { items.end().min(from + 1) } else { items.end() };
        Slice::of(&(self.graph.epoch(), from..items.unpicked), 0)
    }

    fn rdd(&self, session: &Arc<Session>, time: Time, slice: &Slice) -> Result<Rdd<T>> {
        let (epoch, numbers): (u64, Range<usize>) = slice.decode()?;
        if epoch != self.graph.epoch() {
            tracing::warn!(batch_time = time.as_ms(), queue = %self.site, lost = numbers.len(), "what was in the queue was lost in the restart");
            return Ok(self.nothing(session));
        }
        if !self.queue.wait_for(numbers.end) {
            // Only on several processes; a failure here alone would leave the others waiting.
            return Err(session.runner().part(&format!(
                "the batch of {time} reads {} datasets of the queue \"{}\", and this process has not pushed so many \
                 within {} s; push the same datasets in every process",
                numbers.end,
                self.site,
                PUSH_PATIENCE.as_secs()
            )));
        }
        let items = self.queue.items();
        let of_number = |number: usize| items.waiting.get(number.checked_sub(items.first)?)?.clone();
        let mut picked: Vec<Rdd<T>> = numbers.filter_map(of_number).collect();
        drop(items);
        Ok(match picked.len() {
            0 => self.nothing(session),
            1 => picked.remove(0),
            // One after another, however their keys are placed, as in Spark.
            _ => Rdd::chained(session, self.site, picked),
        })
    }

    fn release(&self, _time: Time, slice: Option<&Slice>, _succeeded: bool) {
        if let Some(Ok((epoch, read))) = slice.map(Slice::decode::<(u64, Range<usize>)>)
            && epoch == self.graph.epoch()
        {
            self.queue.items().release(read);
        }
    }

    fn has_unpicked(&self) -> bool {
        let items = self.queue.items();
        items.unpicked < items.end()
    }
}

/// The same dataset for every batch.
pub(crate) struct ConstantInput<T>(pub(crate) Rdd<T>);

impl<T: Data> Input<T> for ConstantInput<T> {
    /// As in Spark.
    fn is_reported(&self) -> bool {
        false
    }

    fn is_replayable(&self) -> bool {
        true
    }

    fn pick(&self, _time: Time) -> Result<Slice> {
        Ok(Slice::default())
    }

    fn rdd(&self, _session: &Arc<Session>, _time: Time, _slice: &Slice) -> Result<Rdd<T>> {
        Ok(self.0.clone())
    }
}
