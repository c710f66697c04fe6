//! Errors on their way between the engine and Python: a user's exception comes back as the object that was raised.

use crate::interrupt;
use pyo3::{
    exceptions::{PyOSError, PyRuntimeError, PyValueError},
    prelude::*,
};
use std::{
    error::Error as StdError,
    panic::{AssertUnwindSafe, catch_unwind},
};
use tidemill::{Error, ErrorKind};

/// The exception for an error of the engine: the user's own, with a note on where it was raised, if there is one.
pub(crate) fn raised(py: Python<'_>, error: &Error) -> PyErr {
    let mut source: Option<&(dyn StdError + 'static)> = error.source();
    while let Some(cause) = source {
        if let Some(exception) = cause.downcast_ref::<PyErr>() {
            let exception = exception.clone_ref(py);
            // A note is a help, not a need: Python 3.10 has none.
            let _ = exception.value(py).call_method1("add_note", (place_of(py, error, &exception),));
            return exception;
        }
        source = cause.source();
    }
    let message = error.to_string();
    match error.kind() {
        ErrorKind::Invalid => PyValueError::new_err(message),
        ErrorKind::Unavailable => PyOSError::new_err(message),
        _ => PyRuntimeError::new_err(message),
    }
}

/// Names the operation of Python's that an exception came from, for [`raised`].
pub(crate) fn in_operation(py: Python<'_>, exception: PyErr, operation: &str) -> PyErr {
    let value = exception.value(py);
    if !value.hasattr(OPERATION).unwrap_or(true) {
        // An exception without attributes keeps the engine's name of the operation.
        let _ = value.setattr(OPERATION, operation);
    }
    exception
}

const OPERATION: &str = "__tidemill_operation__";

/// Where it failed: the engine's words, with the operation as Python names it, and without the exception's own text.
fn place_of(py: Python<'_>, error: &Error, exception: &PyErr) -> String {
    let text = error.to_string();
    let place = text.strip_suffix(&format!(": {exception}")).unwrap_or(&text);
    let operation = exception.value(py).getattr(OPERATION).and_then(|name| name.extract::<String>());
    match (operation, place.split('"').nth(1)) {
        (Ok(operation), Some(engines)) => place.replacen(engines, &operation, 1),
        _ => place.to_owned(),
    }
}

/// What Python makes with the interpreter; an error if that ends, for then threads of the engine must not enter it.
pub(crate) fn attached<R>(f: impl for<'py> FnOnce(Python<'py>) -> R) -> tidemill::Result<R> {
    Python::try_attach(f).ok_or_else(|| Error::closed("the interpreter ends"))
}

/// What Python makes with the interpreter, or the end of the task with its exception.
pub(crate) fn in_task<R>(f: impl for<'py> FnOnce(Python<'py>) -> PyResult<R>) -> R {
    match attached(f) {
        Ok(made) => made.unwrap_or_else(|exception| tidemill::throw(exception)),
        Err(error) => tidemill::throw(error),
    }
}

/// What Python makes with the interpreter outside of a task, or what it raised.
pub(crate) fn interpreted<R>(f: impl for<'py> FnOnce(Python<'py>) -> PyResult<R>) -> tidemill::Result<R> {
    attached(f)?.map_err(of_python)
}

/// What the engine gives, or its error as an exception; the interpreter is free meanwhile.
pub(crate) fn detached<R: Send>(py: Python<'_>, f: impl FnOnce() -> tidemill::Result<R> + Send) -> PyResult<R> {
    py.detach(|| interrupt::of_this_thread(f)).map_err(|error| raised(py, &error))
}

/// What a declaration gives; the engine panics where one is wrong, which becomes a `ValueError`.
pub(crate) fn declared<R: Send>(py: Python<'_>, f: impl FnOnce() -> R + Send) -> PyResult<R> {
    py.detach(|| catch_unwind(AssertUnwindSafe(f))).map_err(|panic| {
        let text = panic.downcast_ref::<String>().map(String::as_str);
        let text = text.or_else(|| panic.downcast_ref::<&str>().copied());
        PyValueError::new_err(text.unwrap_or("the declaration is wrong").to_owned())
    })
}

/// The error of a batch in which Python's function raised.
fn of_python(exception: PyErr) -> Error {
    Error::user(exception.to_string()).with_source(exception)
}
