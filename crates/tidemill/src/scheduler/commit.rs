//! The commit of a batch: what it changed and what its sinks prepared become durable, then the sinks publish.
//!
//! A batch whose outputs succeeded is handed to a thread of its own, and the next one runs while the disk is waited for.
//! If it cannot be committed the program ends, and a restart goes on from the log; so nothing that the next batch did
//! has to be undone.

use super::{
    JobScheduler,
    aside::LettersStored,
    job_scheduler::lock,
    listener::{BatchCompleted, BatchInfo},
    recovery::of_checkpoint,
};
use crate::{
    base::{Error, ErrorKind, Result, Time, clock::Stopwatch, thread::start_awaited},
    checkpoint::{self, Commit, StateDelta, StateSource},
    dstream::output::Output,
    rdd::{Site, in_every_process, task::run_guarded},
};
use crossbeam_channel::{Receiver, Sender, bounded};
use serde::{Deserialize, Serialize};
use std::{
    collections::BTreeMap,
    sync::{Arc, Condvar, Mutex, PoisonError, Weak},
    thread::JoinHandle,
};

/// A batch whose outputs all succeeded, on its way into the log.
pub(super) struct Finished {
    pub(super) time: Time,
    pub(super) info: BatchInfo,
    pub(super) announced: bool,
    pub(super) changes: Changes,
}

/// What a batch leaves for its commit.
#[derive(Default)]
pub(super) struct Changes {
    /// What it changed in the state of the one process that there is.
    here: StateDelta,
    /// What each of several processes changed, and has stored.
    stored: Vec<StateSource>,
    /// The files of its dead letters, and how many these are.
    letters: Vec<String>,
    letter_count: u64,
}

/// What one process has for the commit of a batch.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Contribution {
    state: Option<StateSource>,
    letters: Option<LettersStored>,
}

/// The batch that is being committed, if one is.
#[derive(Default)]
pub(super) struct Commits {
    sender: Mutex<Option<Sender<Finished>>>,
    thread: Mutex<Option<JoinHandle<()>>>,
    under_way: Mutex<bool>,
    ended: Condvar,
}

impl Commits {
    /// Waits until none is under way.
    fn wait(&self) {
        let under_way = lock(&self.under_way);
        drop(self.ended.wait_while(under_way, |under_way| *under_way).unwrap_or_else(PoisonError::into_inner));
    }

    fn begin(&self) {
        *lock(&self.under_way) = true;
    }

    fn done(&self) {
        *lock(&self.under_way) = false;
        self.ended.notify_all();
    }

    /// Lets the thread end once it has nothing to do.
    pub(super) fn close(&self) -> Option<JoinHandle<()>> {
        drop(lock(&self.sender).take());
        lock(&self.thread).take()
    }
}

impl JobScheduler {
    /// On process 0 of a program with a checkpoint: starts the thread that commits.
    pub(super) fn start_commits(self: &Arc<Self>) -> Result<()> {
        if self.log.get().is_none() {
            return Ok(());
        }
        let (sender, receiver) = bounded(1);
        let scheduler = self.clone();
        let thread = start_awaited("tidemill-commit".into(), move || scheduler.commit_batches(&receiver))?;
        *lock(&self.commits.sender) = Some(sender);
        *lock(&self.commits.thread) = Some(thread);
        Ok(())
    }

    fn commit_batches(&self, finished: &Receiver<Finished>) {
        for finished in finished {
            self.commit(finished);
            self.commits.done();
        }
    }

    /// Sinks see one batch at a time: waits until the one before is published.
    pub(super) fn await_commits(&self) {
        self.commits.wait();
    }

    /// What the batch at `time` changed and put aside, on all processes. Its outputs have succeeded.
    ///
    /// # Errors
    /// If a state cannot be serialised, or too many records were put aside: the batch fails.
    pub(super) fn changes(&self, time: Time) -> Result<Changes> {
        if !self.graph.has_checkpoint() {
            return Ok(Changes::default());
        }
        let (here, contributions) = if self.graph.session.is_shared() {
            let me = Weak::clone(&self.me);
            let contributions = in_every_process(&self.graph.session, Site::unknown("commit"), move |process| {
                me.upgrade().ok_or_else(|| Error::closed("the program has ended"))?.contribute(process, time)
            })?;
            (StateDelta::default(), contributions)
        } else {
            let letters = self.store_letters(0, time)?;
            (self.graph.state_changes(time)?, vec![Contribution { state: None, letters }])
        };
        let (stored, letters): (Vec<_>, Vec<_>) = contributions.into_iter().map(|of| (of.state, of.letters)).unzip();
        let letters: Vec<_> = letters.into_iter().flatten().collect();
        let letter_count = self.agree_on(self.letters.check_budget(&letters))?;
        self.letters.count_done(letter_count);
        let letters = letters.into_iter().map(|stored| stored.file).collect();
        Ok(Changes { here, stored: stored.into_iter().flatten().collect(), letters, letter_count })
    }

    fn contribute(&self, process: usize, time: Time) -> Result<Contribution> {
        let delta = self.graph.state_changes(time)?;
        Ok(Contribution { state: self.put_state(process, time, &delta)?, letters: self.store_letters(process, time)? })
    }

    /// The value, if all processes have one.
    fn agree_on<T>(&self, outcome: Result<T>) -> Result<T> {
        match outcome {
            Ok(value) => self.agree(Ok(())).map(|()| value),
            Err(error) => {
                self.agree(Err(error.clone()))?;
                Err(error)
            }
        }
    }

    /// Commits the batch, while the next one may run already.
    pub(super) fn hand_over(&self, finished: Finished) {
        self.commits.wait();
        let sender = lock(&self.commits.sender).clone();
        match sender {
            Some(sender) => {
                self.commits.begin();
                if let Err(unsent) = sender.send(finished) {
                    self.commit(unsent.into_inner());
                    self.commits.done();
                }
            }
            None => self.commit(finished),
        }
    }

    /// Makes the batch durable, and then what its sinks wrote visible.
    fn commit(&self, finished: Finished) {
        let Finished { time, mut info, announced, changes } = finished;
        let watch = Stopwatch::start();
        let place = format!("the batch of {time} could not be committed");
        let logged = match self.halted.is_raised() {
            true => Err(Error::closed(format!("{place}: the program runs no more batches"))),
            false => run_guarded(&place, || self.log_done(time, changes)).and_then(|logged| logged),
        };
        let published =
            logged.and_then(|()| run_guarded(&place, || self.publish(time)).and_then(|published| published));
        info.commit_delay = self.log.get().map(|_| watch.elapsed());
        self.release(time, published.is_ok());
        self.count(&info, announced, published.is_ok());
        if announced {
            self.bus.post(BatchCompleted::new(info));
        }
        if let Err(error) = published {
            tracing::error!(batch_time = time.as_ms(), %error, "a batch could not be committed");
            self.halt();
            self.waiter.report(error);
        }
        self.queue.done(time);
    }

    /// Stores what one process changed.
    fn put_state(&self, process: usize, time: Time, delta: &StateDelta) -> Result<Option<StateSource>> {
        let Some(storage) = self.graph.checkpoint_storage() else { return Ok(None) };
        let epoch = self.graph.epoch();
        self.persist("the state", || checkpoint::put_state(&storage, epoch, process, time, delta))
    }

    /// On process 0: the entry that makes the batch done.
    fn log_done(&self, time: Time, changes: Changes) -> Result<()> {
        let Some(log) = self.log.get() else { return Ok(()) };
        let Changes { here, stored: mut state, letters, letter_count } = changes;
        state.extend(self.put_state(0, time, &here)?);
        let (dead_letters, sinks) = (letters, BTreeMap::new());
        let mut commit = Commit { time, state, sinks, dead_letters, dead_letter_count: letter_count };
        for output in self.graph.outputs() {
            let prepared = output.sink().map(|sink| sink.prepared(time)).transpose()?.flatten();
            commit.sinks.extend(prepared.map(|prepared| (output.uid().to_owned(), prepared)));
        }
        self.persist("the end of a batch", || log.done(&commit)).map_err(of_checkpoint)
    }

    /// Makes visible what sinks prepared for a batch that is done.
    fn publish(&self, time: Time) -> Result<()> {
        if !self.graph.session.is_driver() {
            return Ok(());
        }
        let publish = |output: Arc<Output>| match output.sink() {
            Some(sink) => self.persist("an output", || sink.publish(time)),
            None => Ok(()),
        };
        self.graph.outputs().into_iter().try_for_each(publish)
    }

    /// Sinks take back what they prepared for a batch that failed, unless another driver has taken over.
    pub(super) fn take_back(&self, time: Time, error: &Error) {
        if !self.graph.session.is_driver() || error.kind() == ErrorKind::Closed {
            return;
        }
        for output in self.graph.outputs() {
            if let Some(Err(error)) = output.sink().map(|sink| sink.abort(time)) {
                tracing::warn!(output = %output.site, batch_time = time.as_ms(), %error, "what a failed batch wrote could not be removed");
            }
        }
    }

    /// The program ends: the log closes with a manifest.
    pub(super) fn close_log(&self) {
        if let Some(log) = self.log.get() {
            log.close();
        }
    }
}
