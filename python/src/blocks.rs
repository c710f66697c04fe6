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
    thread::{ThreadId, current},
};

create_exception!(tidemill._native, TaskFailed, PyBaseException, "What comes before this function in its task failed.");

type Iter = dyn Iterator<Item = Block>;

/// A borrowed iterator without its lifetime.
struct Borrowed(*mut Iter);

// SAFETY: the pointer moves between threads only inside of `Blocks`, which uses it on the thread that `scoped` runs on and
// on no other.
unsafe impl Send for Borrowed {}

impl Borrowed {
    fn next(&mut self) -> Option<Block> {
        // SAFETY: `Blocks` calls it on the thread of `scoped` and before that takes the pointer away, so the iterator is
        // still borrowed.
        unsafe { (*self.0).next() }
    }
}

struct Inner {
    /// The one that the iterator may be used on.
    thread: ThreadId,
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

    /// The next block, as the engine has it.
    pub(crate) fn take(&self, py: Python<'_>) -> PyResult<Option<Block>> {
        let taken = {
            let mut inner = self.inner();
            if !inner.is_open {
                return Err(PyRuntimeError::new_err(
                    "a partition can be read only while the function runs that was given it",
                ));
            }
            if inner.thread != current().id() {
                return Err(PyRuntimeError::new_err(
                    "a partition can be read only on the thread of its task; make a list of it for another thread",
                ));
            }
            inner.iterator.take()
        };
        let Some(mut iterator) = taken else {
            return Err(PyRuntimeError::new_err("a partition is read while its next block is being made"));
        };
        // Whatever computes the block may need the interpreter on another thread.
        let next = py.detach(|| {
            let next = catch_unwind(AssertUnwindSafe(|| iterator.next()));
            let mut inner = self.inner();
            inner.iterator = Some(iterator);
            next.map_err(|panic| inner.panic = Some(panic))
        });
        next.map_err(|()| TaskFailed::new_err("what comes before this function in its task failed"))
    }
}

#[pymethods]
impl Blocks {
    fn __iter__(this: Py<Self>) -> Py<Self> {
        this
    }

    fn __next__<'py>(&self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyList>>> {
        self.take(py)?.map(|block| block.list(py)).transpose()
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
    let inner = Inner { thread: current().id(), is_open: true, iterator: Some(Borrowed(iterator)), panic: None };
    let blocks = Bound::new(py, Blocks(Mutex::new(inner)))?;
    let outcome = catch_unwind(AssertUnwindSafe(|| f(blocks.clone())));
    let this = blocks.get();
    {
        let mut inner = this.inner();
        (inner.is_open, inner.iterator) = (false, None);
    }
    let panic = this.inner().panic.take();
    if let Some(panic) = panic {
        resume_unwind(panic);
    }
    outcome.unwrap_or_else(|panic| resume_unwind(panic))
}
