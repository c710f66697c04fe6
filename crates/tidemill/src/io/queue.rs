//! A queue of datasets as an input: for tests and for programs that make their own batches.

use crate::{
    base::{Data, Misuse, Result, Time, keys},
    dstream::{
        graph::Graph,
        input::{Input, Slice},
    },
    rdd::{Rdd, Session, Site},
};
use std::{
    collections::VecDeque,
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

/// The live end of a queue stream: what is pushed becomes a batch, before start and after it.
///
/// # Examples
/// See [`StreamingContext::queue_stream`](crate::StreamingContext::queue_stream).
pub struct RddQueue<T>(Arc<Mutex<VecDeque<Rdd<T>>>>);

impl<T> Clone for RddQueue<T> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<T> fmt::Debug for RddQueue<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RddQueue({} waiting)", self.items().len())
    }
}

impl<T> RddQueue<T> {
    /// An empty queue.
    pub fn new() -> Self {
        Self(Arc::default())
    }

    fn items(&self) -> MutexGuard<'_, VecDeque<Rdd<T>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds a dataset behind those that wait.
    pub fn push(&self, rdd: Rdd<T>) {
        self.items().push_back(rdd);
    }
}

impl<T> Default for RddQueue<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T> Extend<Rdd<T>> for RddQueue<T> {
    fn extend<I: IntoIterator<Item = Rdd<T>>>(&mut self, rdds: I) {
        self.items().extend(rdds);
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

impl<T: Data> Input<T> for QueueInput<T> {
    fn check(&self) -> Result<()> {
        let checkpointed = self.graph.session.extensions.checkpoint_dir.get().is_some();
        if checkpointed && !self.graph.config.get(&keys::QUEUE_STREAM_ALLOW_CHECKPOINT)? {
            return Err(Misuse::QueueWithCheckpoint.into());
        }
        Ok(())
    }

    fn pick(&self, _time: Time) -> Result<Slice> {
        let waiting = self.queue.items().len();
        Slice::of(&if self.one_at_a_time { waiting.min(1) } else { waiting }, 0)
    }

    fn rdd(&self, session: &Arc<Session>, _time: Time, slice: &Slice) -> Result<Rdd<T>> {
        let count: usize = slice.decode()?;
        let mut items = self.queue.items();
        let count = count.min(items.len());
        let mut picked: Vec<Rdd<T>> = items.drain(..count).collect();
        drop(items);
        Ok(match picked.len() {
            0 => self.default.clone().unwrap_or_else(|| Rdd::parallelized(session, self.site, Vec::new(), 1)),
            1 => picked.remove(0),
            _ => Rdd::union_of(session, self.site, picked),
        })
    }
}

/// The same dataset for every batch.
pub(crate) struct ConstantInput<T>(pub(crate) Rdd<T>);

impl<T: Data> Input<T> for ConstantInput<T> {
    fn pick(&self, _time: Time) -> Result<Slice> {
        Ok(Slice::default())
    }

    fn rdd(&self, _session: &Arc<Session>, _time: Time, _slice: &Slice) -> Result<Rdd<T>> {
        Ok(self.0.clone())
    }
}
