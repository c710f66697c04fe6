//! The blocks of a partition as an iterator of Python's, for as long as the function runs that was given them.

use crate::block::Block;
use pyo3::{
    create_exception,
    exceptions::{PyBaseException, PyRuntimeError},
    prelude::*,
    types::PyList,
};
use std::{
    any::Any,
    mem::transmute,
    panic::{AssertUnwindSafe, catch_unwind, resume_unwind},
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};
use tidemill::Interrupt;

create_exception!(tidemill._native, TaskFailed, PyBaseException, "What comes before this function in its task failed.");

type Iter = dyn Iterator<Item = Block>;

/// A borrowed iterator without its lifetime.
struct Borrowed(*mut Iter);

// SAFETY: `scoped` lets nobody else use the iterator before it has taken the pointer back, and only one thread at a time
// holds it: whoever takes it out of the `Mutex`.
unsafe impl Send for Borrowed {}

impl Borrowed {
    fn next(&mut self) -> Option<Block> {
        // SAFETY: as long as this value exists outside `scoped`, `scoped` waits, so the iterator is still borrowed.
        unsafe { (*self.0).next() }
    }
}

#[derive(Default)]
struct Inner {
    /// Whether the function that was given the iterator still runs.
    is_open: bool,
    /// `None` while somebody is in `next`.
    iterator: Option<Borrowed>,
    /// What unwound out of `next`: it goes on behind the function.
    panic: Option<Box<dyn Any + Send>>,
}

/// An iterator of lists of records.
#[pyclass(frozen, module = "tidemill._native")]
pub(crate) struct Blocks(Mutex<Inner>);

impl Blocks {
    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[pymethods]
impl Blocks {
    fn __iter__(this: Py<Self>) -> Py<Self> {
        this
    }

    fn __next__<'py>(&self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyList>>> {
        let taken = {
            let mut inner = self.inner();
            if !inner.is_open {
                return Err(PyRuntimeError::new_err(
                    "a partition can be read only while the function runs that was given it",
                ));
            }
            inner.iterator.take()
        };
        let Some(mut iterator) = taken else {
            return Err(PyRuntimeError::new_err("a partition is read by two threads at once"));
        };
        // Whatever computes the block may need the interpreter on another thread.
        let next = py.detach(|| {
            let next = catch_unwind(AssertUnwindSafe(|| iterator.next()));
            let mut inner = self.inner();
            inner.iterator = Some(iterator);
            next.map_err(|panic| inner.panic = Some(panic))
        });
        match next {
            Ok(block) => block.map(|block| block.list(py)).transpose(),
            Err(()) => Err(TaskFailed::new_err("what comes before this function in its task failed")),
        }
    }
}

/// Gives Python's function the blocks of an iterator.
pub(crate) fn scoped<'py, R>(
    py: Python<'py>,
    iterator: &mut (dyn Iterator<Item = Block> + '_),
    f: impl FnOnce(Bound<'py, Blocks>) -> PyResult<R>,
) -> PyResult<R> {
    // SAFETY: only the lifetime changes, and below nobody has the pointer any more when this function returns or unwinds.
    let iterator: *mut Iter = unsafe { transmute::<*mut (dyn Iterator<Item = Block> + '_), *mut Iter>(iterator) };
    let inner = Inner { is_open: true, iterator: Some(Borrowed(iterator)), panic: None };
    let blocks = Bound::new(py, Blocks(Mutex::new(inner)))?;
    let outcome = catch_unwind(AssertUnwindSafe(|| f(blocks.clone())));
    let this = blocks.get();
    this.inner().is_open = false;
    while this.inner().iterator.take().is_none() {
        // Another thread of the user's is still in `next`.
        py.detach(|| Interrupt::new().wait_timeout(Duration::from_millis(1)));
    }
    if let Some(panic) = this.inner().panic.take() {
        resume_unwind(panic);
    }
    outcome.unwrap_or_else(|panic| resume_unwind(panic))
}
