//! What ends jobs and tasks early, in Python's hands.

use pyo3::prelude::*;
use std::cell::RefCell;

thread_local! {
    /// Of the jobs that this thread of Python's starts.
    static OF_JOBS: RefCell<Option<tidemill::Interrupt>> = const { RefCell::new(None) };
}

/// Ends jobs once it is raised.
#[pyclass(frozen, module = "tidemill._native")]
#[derive(Clone)]
pub(crate) struct Interrupt(tidemill::Interrupt);

#[pymethods]
impl Interrupt {
    #[new]
    fn new() -> Self {
        Self(tidemill::Interrupt::new())
    }

    /// Ends the jobs.
    fn set(&self) {
        self.0.raise();
    }

    fn is_set(&self) -> bool {
        self.0.is_raised()
    }
}

/// From now on the jobs of this thread end when this is raised; None: they do not.
#[pyfunction]
#[pyo3(signature = (interrupt))]
pub(crate) fn interrupt_jobs(interrupt: Option<&Interrupt>) {
    OF_JOBS.set(interrupt.map(|interrupt| interrupt.0.clone()));
}

/// What ends the task that this thread runs, if something can.
#[pyfunction]
pub(crate) fn task_interrupt() -> Option<Interrupt> {
    tidemill::task_interrupt().map(Interrupt)
}

/// Runs jobs as this thread of Python's wants them to end.
pub(crate) fn of_this_thread<R>(f: impl FnOnce() -> R) -> R {
    match OF_JOBS.with_borrow(Clone::clone) {
        None => f(),
        Some(interrupt) => tidemill::interruptible(&interrupt, f),
    }
}
