//! What a running task knows, and the one road on which its failures travel.

use super::{
    accumulator::{self, Updates},
    aside::{self, JobLetters},
    at_work::{AtWork, TaskAtWork},
    node::Site,
};
use crate::base::{Error, Interrupt, Time};
use std::{
    any::Any,
    cell::Cell,
    error::Error as StdError,
    fmt,
    panic::{AssertUnwindSafe, catch_unwind, resume_unwind},
    sync::Arc,
};

/// What the jobs of one action have in common.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct JobScope {
    /// The batch the job belongs to; `None` for a batch program.
    pub(crate) batch_time: Option<Time>,
}

/// What a task knows while it computes one partition.
#[derive(Debug)]
pub(crate) struct TaskContext {
    pub(crate) partition: usize,
    pub(crate) scope: JobScope,
    /// Where records go that are put aside, if they may be.
    letters: Option<Arc<JobLetters>>,
    /// What says which operator is at work, if that is watched.
    at_work: Option<Arc<TaskAtWork>>,
    /// What ends its job early, if something can.
    pub(super) interrupt: Option<Interrupt>,
}

/// What a job has to do with its tasks beside their results, as the context asks for it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tracking {
    pub(crate) letters: Option<Arc<JobLetters>>,
    pub(crate) at_work: Option<Arc<AtWork>>,
    pub(crate) interrupt: Option<Interrupt>,
}

impl TaskContext {
    #[cfg(test)]
    pub(crate) fn new(partition: usize, scope: JobScope) -> Self {
        Self { partition, scope, letters: None, at_work: None, interrupt: None }
    }

    /// The task of an operator, tracked as its job asks for it.
    pub(crate) fn tracked(partition: usize, scope: JobScope, site: Site, tracking: &Tracking) -> Self {
        let at_work = tracking.at_work.as_ref().map(|at_work| at_work.begin(scope, partition, site));
        let (letters, interrupt) = (tracking.letters.clone(), tracking.interrupt.clone());
        Self { partition, scope, letters, at_work, interrupt }
    }

    /// Whether a record that cannot be processed is put aside rather than failing the task.
    pub(crate) fn puts_aside(&self) -> bool {
        self.letters.is_some()
    }

    /// This operator is at work until what is returned is dropped.
    #[inline]
    pub(super) fn enter(&self, site: &Site) -> Option<Entered<'_>> {
        self.at_work.as_deref().map(|task| Entered { task, before: task.enter(*site) })
    }

    /// Ends the task with `error`: it unwinds to the engine's border, past every operator in between.
    pub(crate) fn fail(&self, error: Error) -> ! {
        resume_unwind(Box::new(TaskFailure(error)))
    }

    /// The value, or the end of the task with the error.
    pub(crate) fn expect<T>(&self, result: Result<T, Error>) -> T {
        result.unwrap_or_else(|error| self.fail(error))
    }
}

/// An operator at work within another.
pub(super) struct Entered<'a> {
    task: &'a TaskAtWork,
    before: Site,
}

impl Drop for Entered<'_> {
    fn drop(&mut self) {
        self.task.enter(self.before);
    }
}

/// The payload of an unwinding task that already knows what went wrong.
struct TaskFailure(Error);

/// An error of a user's own function: whatever `?` and `into` make of a text or an error type.
pub type BoxError = Box<dyn StdError + Send + Sync>;

/// The payload of an unwinding user function that returned an error.
struct UserFailure(BoxError);

/// Ends the function of the user's that is running with an error, which is a source of the [`Error`] that the action or
/// the batch fails with; where it ran is added on the way. For functions that have no `Result` to return.
///
/// # Examples
/// ```
/// let sc = tidemill::Context::local(1);
/// let numbers = sc.parallelize(vec!["1", "x"].into_iter().map(String::from).collect(), 1);
/// let parsed = numbers.map(|text| text.parse::<i32>().unwrap_or_else(|error| tidemill::throw(error)));
/// let error = parsed.collect().unwrap_err();
/// assert!(std::error::Error::source(&error).is_some_and(|source| source.is::<std::num::ParseIntError>()));
/// ```
pub fn throw(error: impl Into<BoxError>) -> ! {
    resume_unwind(Box::new(UserFailure(error.into())))
}

/// The error behind what unwound; `place` leads the text of what does not know where it happened.
fn caught(panic: Box<dyn Any + Send>, place: &dyn fmt::Display) -> Error {
    let panic = match panic.downcast::<TaskFailure>() {
        Ok(failure) => return failure.0,
        Err(panic) => panic,
    };
    match panic.downcast::<UserFailure>() {
        Ok(failure) => Error::user(format!("{place}: {}", failure.0)).with_boxed_source(failure.0),
        Err(panic) => Error::user(format!("{place}: {}", panic_message(&*panic))),
    }
}

/// What a function of the user's that was called for one record failed with; what the task itself failed with unwinds on.
pub(super) fn of_record(panic: Box<dyn Any + Send>) -> BoxError {
    let panic = match panic.downcast::<TaskFailure>() {
        Ok(failure) => resume_unwind(failure),
        Err(panic) => panic,
    };
    match panic.downcast::<UserFailure>() {
        Ok(failure) => failure.0,
        Err(panic) => format!("the function panicked: {}", panic_message(&*panic)).into(),
    }
}

/// Which record of its partition an operator is at, for the error of a user function that panics.
#[derive(Debug, Default)]
pub(crate) struct Cursor(Cell<u64>);

impl Cursor {
    #[inline]
    pub(crate) fn step(&self) {
        self.0.set(self.0.get() + 1);
    }

    /// How many records it has come to.
    pub(crate) fn record(&self) -> u64 {
        self.0.get()
    }

    /// Counts the steps of a loop; the cursor knows of them when the loop ends, also if it ends by a panic.
    pub(crate) fn steps(&self) -> Steps<'_> {
        Steps { cursor: self, taken: 0 }
    }

    /// Goes back over records that will be stepped over again.
    pub(crate) fn back(&self, records: usize) {
        self.0.set(self.0.get() - records as u64);
    }
}

/// Steps of a loop over records, counted in a register: a step of the cursor itself is a memory access that the next
/// one has to wait for.
pub(crate) struct Steps<'a> {
    cursor: &'a Cursor,
    taken: u64,
}

impl Steps<'_> {
    #[inline(always)]
    pub(crate) fn step(&mut self) {
        self.taken += 1;
    }
}

impl Drop for Steps<'_> {
    #[inline]
    fn drop(&mut self) {
        self.cursor.0.set(self.cursor.0.get() + self.taken);
    }
}

/// Runs user code; a panic in it ends the task with an error that names operator, record, partition and batch.
#[inline]
pub(crate) fn guarded<R>(site: &Site, task: &TaskContext, cursor: &Cursor, f: impl FnOnce() -> R) -> R {
    let _entered = task.enter(site);
    match catch_unwind(AssertUnwindSafe(f)) {
        Ok(value) => value,
        Err(panic) => rethrow(site, task, cursor, panic),
    }
}

#[cold]
fn rethrow(site: &Site, task: &TaskContext, cursor: &Cursor, panic: Box<dyn Any + Send>) -> ! {
    let record = cursor.0.get();
    let place = Place { site, task, record: (record > 0).then_some(record) };
    resume_unwind(Box::new(TaskFailure(caught(panic, &place))))
}

/// Where a user function failed.
struct Place<'a> {
    site: &'a Site,
    task: &'a TaskContext,
    record: Option<u64>,
}

impl fmt::Display for Place<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\"{}\" failed", self.site)?;
        match self.record {
            Some(record) => write!(f, " on record {record} of partition {}", self.task.partition)?,
            None => write!(f, " on partition {}", self.task.partition)?,
        }
        if let Some(time) = self.task.scope.batch_time {
            write!(f, " in the batch of {time}")?;
        }
        Ok(())
    }
}

/// The text of a panic.
pub(crate) fn panic_message(panic: &(dyn Any + Send)) -> &str {
    panic
        .downcast_ref::<String>()
        .map(String::as_str)
        .or_else(|| panic.downcast_ref::<&'static str>().copied())
        .unwrap_or("the panic carried no text")
}

thread_local! {
    static IN_TASK: Cell<bool> = const { Cell::new(false) };
}

/// Whether this thread is running a task.
pub(crate) fn in_task() -> bool {
    IN_TASK.get()
}

/// Runs a whole task; what unwinds out of it comes back as an error, and what it added to accumulators beside its value
/// if it succeeded.
pub(crate) fn run_counted_task<R>(
    task: &TaskContext,
    f: impl FnOnce(&TaskContext) -> R,
) -> Result<(R, Updates), Error> {
    IN_TASK.set(true);
    if let Some(letters) = &task.letters {
        aside::begin(letters.batch());
    }
    let outcome = catch_unwind(AssertUnwindSafe(|| task.with_interrupt(|| f(task))));
    IN_TASK.set(false);
    let partials = accumulator::take_partials();
    let put_aside = if task.puts_aside() { aside::end() } else { aside::Letters::new() };
    let unplaced = || Place { site: &UNPLACED, task, record: None };
    let value = match outcome {
        Ok(value) => value,
        Err(panic) => {
            // Values of the user's: to drop them may panic as well, and the first panic is the one to tell of.
            let _ = catch_unwind(AssertUnwindSafe(|| drop(partials)));
            return Err(caught(panic, &unplaced()));
        }
    };
    let updates =
        catch_unwind(AssertUnwindSafe(|| partials.encode())).map_err(|panic| caught(panic, &unplaced()))??;
    if let Some(letters) = &task.letters {
        letters.stage(put_aside);
    }
    Ok((value, updates))
}

/// As [`run_counted_task`], where nothing is counted.
#[cfg(test)]
pub(crate) fn run_task<R>(task: &TaskContext, f: impl FnOnce(&TaskContext) -> R) -> Result<R, Error> {
    run_counted_task(task, f).map(|(value, _)| value)
}

/// Stands for the operator where user code failed outside all of them, such as a `Drop` of a record.
static UNPLACED: Site = Site::unknown("task");

/// Runs a user function on the driver; a panic comes back as an error led by `what`.
pub(crate) fn run_guarded<R>(what: impl fmt::Display, f: impl FnOnce() -> R) -> Result<R, Error> {
    catch_unwind(AssertUnwindSafe(f)).map_err(|panic| caught(panic, &what))
}

#[cfg(test)]
mod tests;
