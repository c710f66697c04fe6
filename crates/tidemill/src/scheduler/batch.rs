//! A batch between its cut and its end, and the queue of those that wait.

use crate::{
    base::{Error, Time, clock::Stopwatch},
    dstream::input::Slice,
    scheduler::BatchInfo,
};
use std::{
    collections::VecDeque,
    sync::{Condvar, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

/// What a batch is before it runs: its time, and what it reads of each input.
pub(crate) struct Batch {
    pub(crate) time: Time,
    pub(crate) slices: Vec<(usize, Slice)>,
    pub(crate) info: BatchInfo,
    pub(crate) submitted: Stopwatch,
    /// Why it cannot run, if an input could not be picked.
    pub(crate) failure: Option<Error>,
}

/// Batches that wait, in time order. Bounded: who cuts batches waits for a place, and then catches up.
pub(crate) struct BatchQueue {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    waiting: VecDeque<Batch>,
    running: Vec<Time>,
    /// Those who push no longer wait for a place.
    ending: bool,
    closed: bool,
}

/// Batches that may wait. More would only be empty ones: the data of a late batch is all in the next one cut.
const MAX_WAITING: usize = 256;

impl BatchQueue {
    pub(crate) fn new() -> Self {
        Self { state: Mutex::default(), changed: Condvar::new() }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds a batch and returns how many wait; waits for a place unless the queue is ending. `None` if the queue was
    /// closed meanwhile: the batch is dropped.
    pub(crate) fn push(&self, batch: Batch) -> Option<usize> {
        let full = |state: &mut State| state.waiting.len() >= MAX_WAITING && !state.ending;
        let mut state = self.changed.wait_while(self.state(), full).unwrap_or_else(PoisonError::into_inner);
        if state.closed {
            return None;
        }
        state.waiting.push_back(batch);
        let waiting = state.waiting.len();
        drop(state);
        self.changed.notify_all();
        Some(waiting)
    }

    /// The next batch, which then counts as running; `None` once the queue is closed and empty.
    pub(crate) fn pop(&self) -> Option<Batch> {
        let idle = |state: &mut State| state.waiting.is_empty() && !state.closed;
        let mut state = self.changed.wait_while(self.state(), idle).unwrap_or_else(PoisonError::into_inner);
        let batch = state.waiting.pop_front()?;
        state.running.push(batch.time);
        drop(state);
        self.changed.notify_all();
        Some(batch)
    }

    /// A batch that was popped has ended.
    pub(crate) fn done(&self, time: Time) {
        self.state().running.retain(|running| *running != time);
        self.changed.notify_all();
    }

    /// The time of the oldest batch that runs.
    pub(crate) fn oldest_running(&self) -> Option<Time> {
        self.state().running.iter().min().copied()
    }

    /// From now on a push does not wait for a place, for a stop must not wait for the batch that runs.
    pub(crate) fn begin_end(&self) {
        self.state().ending = true;
        self.changed.notify_all();
    }

    /// Lets those who pop end once nothing waits.
    pub(crate) fn close(&self) {
        let mut state = self.state();
        state.ending = true;
        state.closed = true;
        drop(state);
        self.changed.notify_all();
    }

    /// Closes the queue and drops what waits; how many batches that were.
    pub(crate) fn abandon(&self) -> usize {
        let dropped = {
            let mut state = self.state();
            state.ending = true;
            state.closed = true;
            std::mem::take(&mut state.waiting)
        };
        self.changed.notify_all();
        dropped.len()
    }

    /// How many batches wait and how many run.
    pub(crate) fn counts(&self) -> (usize, usize) {
        let state = self.state();
        (state.waiting.len(), state.running.len())
    }

    /// Waits until no batch waits or runs (true), for at most `timeout` of real time.
    pub(crate) fn wait_idle(&self, timeout: Duration) -> bool {
        let busy = |state: &mut State| !state.waiting.is_empty() || !state.running.is_empty();
        let (state, _) =
            self.changed.wait_timeout_while(self.state(), timeout, busy).unwrap_or_else(PoisonError::into_inner);
        state.waiting.is_empty() && state.running.is_empty()
    }
}
