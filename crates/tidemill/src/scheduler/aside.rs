//! The dead letters of batches: opened with a batch, stored at its commit, and counted against the budget.

use super::JobScheduler;
use crate::{
    base::{Config, Error, Result, Time, dead_letters, durable::durable_step, keys},
    dstream::output::Output,
    rdd::{
        aside::{self, Limits, over_budget},
        task::run_guarded,
    },
};
use serde::{Deserialize, Serialize};
use std::{
    cell::Cell,
    sync::atomic::{AtomicU64, Ordering},
};

/// A file of dead letters, as the process that stored it tells of it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct LettersStored {
    pub(super) file: String,
    count: u64,
    /// One of them, without the record, to tell of if there are too many.
    last: dead_letters::DeadLetter,
}

/// Whether records are put aside, how many may be, and how many are.
#[derive(Debug)]
pub(super) struct LetterBudget {
    limits: Option<Limits>,
    max_total: usize,
    /// Of all starts.
    total: AtomicU64,
    /// Of this start.
    put_aside: AtomicU64,
}

impl LetterBudget {
    /// # Errors
    /// Invalid, if letters are to be kept and there is no place for them.
    pub(super) fn from_config(config: &Config, has_checkpoint: bool) -> Result<Self> {
        let enabled = config.get(&keys::DEAD_LETTER_ENABLED)?;
        if enabled && !has_checkpoint {
            return Err(Error::invalid(format!(
                "\"{}\" is true, but there is no checkpoint to keep dead letters in; set \"{}\" or call \
                 StreamingContext::checkpoint(dir) before start",
                keys::DEAD_LETTER_ENABLED.name(),
                keys::CHECKPOINT_DIRECTORY.name()
            )));
        }
        let max_record_bytes = config.get(&keys::DEAD_LETTER_MAX_RECORD_BYTES)?;
        let limits = Limits {
            max_record_bytes: usize::try_from(max_record_bytes).unwrap_or(usize::MAX),
            max_per_batch: config.get(&keys::DEAD_LETTER_MAX_PER_BATCH)?,
        };
        Ok(Self {
            limits: enabled.then_some(limits),
            max_total: config.get(&keys::DEAD_LETTER_MAX_TOTAL)?,
            total: AtomicU64::new(0),
            put_aside: AtomicU64::new(0),
        })
    }

    /// So many were put aside before this start.
    pub(super) fn count_recovered(&self, letters: u64) {
        self.total.store(letters, Ordering::Relaxed);
    }

    pub(super) fn count_done(&self, letters: u64) {
        self.total.fetch_add(letters, Ordering::Relaxed);
        self.put_aside.fetch_add(letters, Ordering::Relaxed);
    }

    /// How many records the batches of this start have put aside that are done.
    pub(super) fn put_aside(&self) -> u64 {
        self.put_aside.load(Ordering::Relaxed)
    }

    /// How many letters all processes have for a batch.
    ///
    /// # Errors
    /// If that is more than may be.
    pub(super) fn check_budget(&self, stored: &[LettersStored]) -> Result<u64> {
        let count: u64 = stored.iter().map(|stored| stored.count).sum();
        let (Some(limits), Some(stored)) = (self.limits, stored.last()) else { return Ok(0) };
        if count > limits.max_per_batch as u64 {
            return Err(over_budget(keys::DEAD_LETTER_MAX_PER_BATCH.name(), limits.max_per_batch, &stored.last));
        }
        if self.total.load(Ordering::Relaxed) + count > self.max_total as u64 {
            return Err(over_budget(keys::DEAD_LETTER_MAX_TOTAL.name(), self.max_total, &stored.last));
        }
        Ok(count)
    }
}

impl JobScheduler {
    /// The batch begins; what it puts aside is gathered in this process until [`close_letters`](Self::close_letters).
    pub(super) fn open_letters(&self, time: Time) {
        if let Some(limits) = self.letters.limits {
            self.graph.session.extensions.dead_letters.open(time, limits);
        }
    }

    pub(super) fn close_letters(&self, time: Time) {
        self.graph.session.extensions.dead_letters.close(time);
    }

    /// Tries an output once, in all processes.
    ///
    /// If that fails in any of them, what its own function put aside is forgotten with it. What the streams that it reads
    /// put aside stays: another try finds the same again, or goes on from what they computed.
    pub(super) fn try_output(&self, time: Time, output: &Output) -> Result<()> {
        let session = &self.graph.session;
        let letters = session.extensions.dead_letters.of(Some(time));
        let function = Cell::new(u64::MAX);
        let run = || match (output.job(time)?, &letters) {
            (None, _) => Ok(()),
            (Some(job), None) => job(),
            (Some(job), Some(letters)) => {
                // Every Rdd of those streams has a lower id by now.
                function.set(session.next_id());
                aside::driving(letters, function.get(), output.site, session.is_driver(), job)
            }
        };
        let outcome =
            run_guarded(format!("\"{}\" failed in the batch of {time}", output.site), run).and_then(|outcome| outcome);
        // What one process cannot do, none has done.
        let agreed = self.agree(outcome);
        if let (Err(_), Some(letters)) = (&agreed, &letters) {
            letters.forget_since(function.get());
        }
        agreed
    }

    /// Stores what the batch has put aside in this process.
    pub(super) fn store_letters(&self, process: usize, time: Time) -> Result<Option<LettersStored>> {
        let storage = self.graph.checkpoint_storage();
        let letters = self.graph.session.extensions.dead_letters.of(Some(time)).map(|batch| batch.all());
        let (Some(storage), Some(mut letters)) = (storage, letters.filter(|letters| !letters.is_empty())) else {
            return Ok(None);
        };
        let epoch = self.graph.epoch();
        durable_step("before dead letters are stored");
        let store = || dead_letters::store(&*storage, epoch, process, time, &letters);
        let file = self.persist("the dead letters", store)?;
        durable_step("dead letters are stored");
        let count = letters.len() as u64;
        let mut last = letters.pop().unwrap_or_default();
        (last.bytes, last.text) = (Vec::new(), None);
        Ok(Some(LettersStored { file, count, last }))
    }
}
