//! A source that does as it is told: so many records in this batch, nothing in that one, a failure, an end, a crash.

use crate::{
    base::{Data, Error, Result, Time},
    dstream::input::{Input, Slice},
    rdd::{Rdd, Session, Site},
};
use std::{
    collections::{BTreeMap, VecDeque},
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

/// What a [`ScriptedSource`] does for one batch.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Step<T> {
    /// Gives these records.
    Records(Vec<T>),
    /// Gives these partitions.
    Partitions(Vec<Vec<T>>),
    /// Gives nothing.
    Pause,
    /// Cannot be read: the batch fails.
    Fail(Error),
    /// Asks the context to stop gracefully; this batch is empty.
    End,
    /// Ends the process at once, as a crash would.
    Abort,
}

/// The live end of a scripted stream: steps are taken from the front, one for each batch; without any it pauses.
///
/// # Examples
/// ```
/// use tidemill::testing::{Step, TestContext};
/// let test = TestContext::new();
/// let (numbers, source) = test.scripted_stream();
/// let seen = test.collect(&numbers.map(|n: i32| n + 1));
/// source.push(Step::Records(vec![1, 2]));
/// source.push(Step::Pause);
/// source.push(Step::Records(vec![3]));
/// test.run(3)?;
/// assert_eq!(seen.batches(), vec![vec![2, 3], vec![], vec![4]]);
/// # Ok::<(), tidemill::Error>(())
/// ```
pub struct ScriptedSource<T>(Arc<Mutex<Script<T>>>);

struct Script<T> {
    steps: VecDeque<Step<T>>,
    picked: BTreeMap<Time, Vec<Vec<T>>>,
}

impl<T> ScriptedSource<T> {
    fn script(&self) -> MutexGuard<'_, Script<T>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn new() -> Self {
        Self(Arc::new(Mutex::new(Script { steps: VecDeque::new(), picked: BTreeMap::new() })))
    }

    /// Adds what to do for the next batch that has nothing to do yet.
    pub fn push(&self, step: Step<T>) {
        self.script().steps.push_back(step);
    }
}

impl<T> Clone for ScriptedSource<T> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<T> fmt::Debug for ScriptedSource<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ScriptedSource({} steps left)", self.script().steps.len())
    }
}

/// Reads a [`ScriptedSource`].
pub(super) struct ScriptInput<T> {
    pub(super) source: ScriptedSource<T>,
    pub(super) partitions: usize,
    pub(super) site: Site,
    pub(super) end: Box<dyn Fn() + Send + Sync>,
}

impl<T: Data> Input<T> for ScriptInput<T> {
    fn is_replayable(&self) -> bool {
        true
    }

    fn pick(&self, time: Time) -> Result<Slice> {
        let step = self.source.script().steps.pop_front().unwrap_or(Step::Pause);
        let partitions = match step {
            Step::Records(records) => split(records, self.partitions),
            Step::Partitions(partitions) => partitions,
            Step::Pause => split(Vec::new(), self.partitions),
            Step::Fail(error) => return Err(error),
            Step::End => {
                (self.end)();
                split(Vec::new(), self.partitions)
            }
            Step::Abort => std::process::abort(),
        };
        let records = partitions.iter().map(|partition| partition.len() as u64).sum();
        self.source.script().picked.insert(time, partitions);
        Slice::of(&(), records)
    }

    fn rdd(&self, session: &Arc<Session>, time: Time, _slice: &Slice) -> Result<Rdd<T>> {
        let partitions = self.source.script().picked.get(&time).cloned().unwrap_or_default();
        Ok(Rdd::of_partitions(session, self.site, partitions))
    }

    fn release(&self, time: Time, _slice: Option<&Slice>, _succeeded: bool) {
        self.source.script().picked.remove(&time);
    }

    fn has_unpicked(&self) -> bool {
        self.source.script().steps.iter().any(|step| !matches!(step, Step::Pause | Step::End))
    }
}

fn split<T: Clone>(records: Vec<T>, partitions: usize) -> Vec<Vec<T>> {
    let bounds = |index| crate::rdd::source::slice_bounds(records.len(), index, partitions);
    (0..partitions).map(|index| records[bounds(index)].to_vec()).collect()
}
