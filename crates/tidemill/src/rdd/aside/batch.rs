//! The letters of a batch in this process, and on their way there.

use crate::base::{Error, Result, Time, dead_letters::DeadLetter, error::Mark, keys};
use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

/// What tells one letter of a batch from another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Place {
    /// The id of the Rdd that failed, or one of the output's function.
    pub(crate) operator: u64,
    pub(crate) partition: usize,
    pub(crate) record: u64,
    /// Which one of several of one record.
    pub(crate) nth: u32,
}

/// Letters in the order of their places.
pub(crate) type Letters = BTreeMap<Place, DeadLetter>;

/// How much may be put aside.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    pub(crate) max_record_bytes: usize,
    pub(crate) max_per_batch: usize,
}

/// What one batch has put aside in this process.
#[derive(Debug)]
pub(crate) struct BatchLetters {
    time: Time,
    limits: Limits,
    kept: Mutex<Letters>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl BatchLetters {
    pub(crate) fn new(time: Time, limits: Limits) -> Arc<Self> {
        Arc::new(Self { time, limits, kept: Mutex::default() })
    }

    pub(crate) fn time(&self) -> Time {
        self.time
    }

    pub(crate) fn limits(&self) -> Limits {
        self.limits
    }

    /// An error if there is no room for one more letter, beside what a task has `found`.
    pub(super) fn check_room(&self, found: &Letters, place: &Place, letter: &DeadLetter) -> Result<()> {
        let kept = lock(&self.kept);
        let max = self.limits.max_per_batch;
        if kept.len() + found.len() < max || kept.contains_key(place) {
            return Ok(());
        }
        // What is computed again is counted once.
        let fresh = found.keys().filter(|place| !kept.contains_key(place)).count();
        if kept.len() + fresh < max {
            Ok(())
        } else {
            Err(over_budget(keys::DEAD_LETTER_MAX_PER_BATCH.name(), max, letter))
        }
    }

    pub(crate) fn keep(&self, letters: Letters) {
        let mut kept = lock(&self.kept);
        for (place, letter) in letters {
            kept.entry(place).or_insert(letter);
        }
    }

    /// Forgets what operators with an id from `operator` on have put aside: they will be made anew.
    pub(crate) fn forget_since(&self, operator: u64) {
        lock(&self.kept).retain(|place, _| place.operator < operator);
    }

    /// All there is, in the order of operators and records.
    pub(crate) fn all(&self) -> Vec<DeadLetter> {
        lock(&self.kept).values().cloned().collect()
    }
}

/// The error of a batch that has put aside too much; `letter` is the last straw.
pub(crate) fn over_budget(key: &str, max: usize, letter: &DeadLetter) -> Error {
    let DeadLetter { operator, error, batch_time, .. } = letter;
    Error::data(format!(
        "more records were put aside than \"{key}\" allows, which is {max}: the last by \"{operator}\" in the batch of \
         {batch_time}, because of \"{error}\"; correct the program or its input, or raise the limit"
    ))
    .marked(Mark::Final)
}

/// What the tasks of one job have put aside.
#[derive(Debug)]
pub(crate) struct JobLetters {
    pub(super) batch: Arc<BatchLetters>,
    staged: Mutex<Letters>,
}

impl JobLetters {
    pub(crate) fn batch(&self) -> &Arc<BatchLetters> {
        &self.batch
    }

    /// A task has succeeded.
    pub(crate) fn stage(&self, letters: Letters) {
        lock(&self.staged).extend(letters);
    }

    /// The job has.
    pub(crate) fn keep(&self) {
        self.batch.keep(std::mem::take(&mut *lock(&self.staged)));
    }
}

/// The batches of one context that run and may put records aside.
#[derive(Debug, Default)]
pub(crate) struct Batches(Mutex<BTreeMap<Time, Arc<BatchLetters>>>);

impl Batches {
    pub(crate) fn open(&self, time: Time, limits: Limits) {
        lock(&self.0).insert(time, BatchLetters::new(time, limits));
    }

    pub(crate) fn of(&self, time: Option<Time>) -> Option<Arc<BatchLetters>> {
        lock(&self.0).get(&time?).cloned()
    }

    /// What a new job of a batch is to put its letters into.
    pub(crate) fn for_job(&self, time: Option<Time>) -> Option<Arc<JobLetters>> {
        Some(Arc::new(JobLetters { batch: self.of(time)?, staged: Mutex::default() }))
    }

    pub(crate) fn close(&self, time: Time) {
        lock(&self.0).remove(&time);
    }
}
