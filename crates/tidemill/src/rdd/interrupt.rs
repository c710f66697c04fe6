//! Ending a job that runs: its tasks look between chunks, and before they begin, whether they are to go on.

use super::task::TaskContext;
use crate::base::{Error, Interrupt};
use std::cell::RefCell;

thread_local! {
    /// Of the jobs that this thread starts.
    static OF_JOBS: RefCell<Option<Interrupt>> = const { RefCell::new(None) };
    /// Of the task that this thread runs.
    static OF_TASK: RefCell<Option<Interrupt>> = const { RefCell::new(None) };
}

/// What was there before comes back when this is dropped.
struct Restore(&'static std::thread::LocalKey<RefCell<Option<Interrupt>>>, Option<Interrupt>);

impl Drop for Restore {
    fn drop(&mut self) {
        self.0.set(self.1.take());
    }
}

/// Runs `f` so that jobs which it starts on this thread end with an error once `interrupt` is raised.
///
/// A task ends between two chunks of records; a function of yours that takes long for one record can look at
/// [`task_interrupt`] itself.
///
/// # Examples
/// ```
/// use tidemill::{Interrupt, interruptible};
/// let (sc, cancelled) = (tidemill::Context::local(1), Interrupt::new());
/// let numbers = sc.range(0, 3, 1, 1);
/// assert_eq!(interruptible(&cancelled, || numbers.count())?, 3);
/// cancelled.raise();
/// let error = interruptible(&cancelled, || numbers.count()).unwrap_err();
/// assert!(error.to_string().contains("cancelled"));
/// # Ok::<(), tidemill::Error>(())
/// ```
pub fn interruptible<R>(interrupt: &Interrupt, f: impl FnOnce() -> R) -> R {
    let _restore = Restore(&OF_JOBS, OF_JOBS.replace(Some(interrupt.clone())));
    f()
}

/// What ends the task that this thread runs, if something can; see [`interruptible`].
///
/// # Examples
/// ```
/// assert!(tidemill::task_interrupt().is_none(), "this thread runs no task");
/// ```
pub fn task_interrupt() -> Option<Interrupt> {
    OF_TASK.with_borrow(Clone::clone)
}

/// What ends the jobs that this thread starts.
pub(super) fn of_jobs() -> Option<Interrupt> {
    OF_JOBS.with_borrow(Clone::clone)
}

impl TaskContext {
    /// Runs the task `f`, of which user functions on this thread can learn what ends it.
    pub(super) fn with_interrupt<R>(&self, f: impl FnOnce() -> R) -> R {
        let _restore = Restore(&OF_TASK, OF_TASK.replace(self.interrupt.clone()));
        self.look_for_interrupt();
        f()
    }

    /// Ends the task if its job was cancelled.
    pub(super) fn look_for_interrupt(&self) {
        if self.interrupt.as_ref().is_some_and(Interrupt::is_raised) {
            self.fail(Error::closed("the job was cancelled"));
        }
    }
}
