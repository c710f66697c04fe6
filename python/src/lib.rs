//! The engine of tidemill as a module of Python: the Rust API at one item type, a block of Python's records.
//!
//! `tidemill/_native.pyi` beside it says what each part does, in Python's words. Python's functions are called once for
//! a partition, never for a record, and the interpreter is released while the engine works.

mod block;
mod blocks;
mod by_key;
mod context;
mod error;
mod hash;
mod interrupt;
mod kafka;
mod listener;
mod log;
mod rdd;
mod receiver;
mod state;
mod stream;
mod streaming;
mod sums;
mod value;

use pyo3::{exceptions::PyImportError, ffi, prelude::*};

/// Runs `tidemill` with these arguments; the exit code.
#[pyfunction]
fn cli(py: Python<'_>, arguments: Vec<String>) -> u8 {
    let arguments = std::iter::once("tidemill".to_owned()).chain(arguments);
    py.detach(|| tidemill_cli::run(arguments.map(Into::into)))
}

/// Whether this is the interpreter that the process began with.
fn is_main_interpreter(_py: Python<'_>) -> bool {
    // SAFETY: this thread is attached to an interpreter, so there is a current one, which is only looked at.
    unsafe { ffi::PyInterpreterState_GetID(ffi::PyInterpreterState_Get()) == 0 }
}

/// Runs once in each interpreter that imports the module.
#[pymodule]
fn _native(module: &Bound<'_, PyModule>) -> PyResult<()> {
    if !is_main_interpreter(module.py()) {
        return Err(PyImportError::new_err(
            "tidemill runs in the main interpreter of a process only, and this is a subinterpreter; start another process",
        ));
    }
    log::begin();
    module.add_class::<context::Context>()?;
    module.add_class::<rdd::Rdd>()?;
    module.add_class::<streaming::ManualClock>()?;
    module.add_class::<streaming::RddQueue>()?;
    module.add_class::<streaming::StreamingContext>()?;
    module.add_class::<streaming::Listener>()?;
    module.add_class::<kafka::KafkaStream>()?;
    module.add_class::<receiver::Store>()?;
    module.add_class::<stream::DStream>()?;
    module.add_class::<stream::MapWithStateDStream>()?;
    module.add_class::<state::State>()?;
    module.add_function(wrap_pyfunction!(hash::portable_hash, module)?)?;
    module.add_function(wrap_pyfunction!(by_key::combine_pairs, module)?)?;
    module.add_function(wrap_pyfunction!(by_key::by_partition, module)?)?;
    module.add_function(wrap_pyfunction!(sums::sum_words, module)?)?;
    module.add_function(wrap_pyfunction!(sums::counted_seconds, module)?)?;
    module.add_class::<interrupt::Interrupt>()?;
    module.add_function(wrap_pyfunction!(interrupt::interrupt_jobs, module)?)?;
    module.add_function(wrap_pyfunction!(interrupt::task_interrupt, module)?)?;
    module.add_function(wrap_pyfunction!(log::set_log_level, module)?)?;
    module.add_function(wrap_pyfunction!(cli, module)?)
}
