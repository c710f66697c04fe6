//! A source that does as it is told: so many records in this batch, nothing in that one, a failure, an end, a crash.

use crate::{
    base::{Data, Error, Result, Time},
    dstream::input::{Input, InputMemory, Slice},
    rdd::{Rdd, Session, Site},
};
use std::{
    collections::{BTreeMap, BTreeSet},
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
/// A program that starts again over its checkpoint is given the same script from the beginning, and goes on with the first step
/// that no batch took.
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

/// The steps that no batch is through with, by their number among all that were pushed.
struct Script<T> {
    steps: BTreeMap<usize, Arc<Step<T>>>,
    pushed: usize,
    /// The first step that no batch has taken.
    next: usize,
    /// Steps before it that batches of the last run took and did not end.
    again: BTreeSet<usize>,
}

impl<T> Script<T> {
    fn is_wanted(&self, number: usize) -> bool {
        number >= self.next || self.again.contains(&number)
    }
}

impl<T> ScriptedSource<T> {
    fn script(&self) -> MutexGuard<'_, Script<T>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn new() -> Self {
        let (steps, again) = (BTreeMap::new(), BTreeSet::new());
        Self(Arc::new(Mutex::new(Script { steps, pushed: 0, next: 0, again })))
    }

    /// Adds what to do for the next batch that has nothing to do yet.
    pub fn push(&self, step: Step<T>) {
        let mut script = self.script();
        let number = script.pushed;
        script.pushed += 1;
        if script.is_wanted(number) {
            script.steps.insert(number, Arc::new(step));
        }
    }
}

impl<T> Clone for ScriptedSource<T> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<T> fmt::Debug for ScriptedSource<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let script = self.script();
        write!(f, "ScriptedSource({} steps left)", script.pushed.saturating_sub(script.next))
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

    fn pick(&self, _time: Time) -> Result<Slice> {
        let mut script = self.source.script();
        let number = script.next;
        let Some(step) = script.steps.get(&number) else { return Slice::of(&None::<usize>, 0) };
        let (records, end) = match &**step {
            Step::Records(records) => (records.len(), false),
            Step::Partitions(partitions) => (partitions.iter().map(Vec::len).sum(), false),
            Step::Pause => (0, false),
            Step::End => (0, true),
            Step::Abort => std::process::abort(),
            Step::Fail(error) => {
                let error = error.clone();
                script.next += 1;
                script.steps.remove(&number);
                return Err(error);
            }
        };
        script.next += 1;
        drop(script);
        if end {
            (self.end)();
        }
        Slice::of(&Some(number), records as u64)
    }

    fn rdd(&self, session: &Arc<Session>, _time: Time, slice: &Slice) -> Result<Rdd<T>> {
        let number: Option<usize> = slice.decode()?;
        let step = number.and_then(|number| self.source.script().steps.get(&number).cloned());
        let partitions = match step.as_deref() {
            Some(Step::Records(records)) => split(records, self.partitions),
            Some(Step::Partitions(partitions)) => partitions.clone(),
            _ => split(&[], self.partitions),
        };
        Ok(Rdd::of_partitions(session, self.site, partitions))
    }

    fn release(&self, _time: Time, slice: Option<&Slice>, _succeeded: bool) {
        if let Some(Ok(Some(number))) = slice.map(Slice::decode::<Option<usize>>) {
            let step = self.source.script().steps.remove(&number);
            drop(step);
        }
    }

    fn has_unpicked(&self) -> bool {
        let script = self.source.script();
        script.steps.range(script.next..).any(|(_, step)| !matches!(**step, Step::Pause | Step::End))
    }

    fn remember(&self) -> Result<Vec<u8>> {
        Slice::of(&self.source.script().next, 0).map(|slice| slice.bytes)
    }

    fn restore(&self, memory: &InputMemory<'_>) -> Result<()> {
        let remembered = memory.remembered.map(<[u8]>::to_vec);
        let mut next = remembered.map_or(Ok(0), |bytes| Slice { bytes, ..Slice::default() }.decode())?;
        let mut again = BTreeSet::new();
        for (time, slice) in memory.picked {
            if let Some(number) = slice.decode::<Option<usize>>()? {
                next = next.max(number + 1);
                again.extend(memory.again.contains(time).then_some(number));
            }
        }
        let mut script = self.source.script();
        (script.next, script.again) = (next, again);
        let taken: Vec<_> = script.steps.keys().copied().filter(|number| !script.is_wanted(*number)).collect();
        let taken: Vec<_> = taken.iter().filter_map(|number| script.steps.remove(number)).collect();
        drop(script);
        drop(taken);
        Ok(())
    }
}

fn split<T: Clone>(records: &[T], partitions: usize) -> Vec<Vec<T>> {
    let bounds = |index| crate::rdd::source::slice_bounds(records.len(), index, partitions);
    (0..partitions).map(|index| records[bounds(index)].to_vec()).collect()
}
