//! Receivers whose loop is a function of Python's.

use crate::{
    error::{detached, interpreted},
    rdd::Function,
    value::Value,
};
use pyo3::{prelude::*, types::PyList};
use std::time::Duration;
use tidemill::io::{Ending, Receiver, ReceiverLink};

/// What a receiver's function is called with.
#[pyclass(frozen, module = "tidemill._native")]
pub(crate) struct Store(ReceiverLink<Value>);

#[pymethods]
impl Store {
    #[getter]
    fn is_stopped(&self) -> bool {
        self.0.is_stopped()
    }

    fn wait(&self, py: Python<'_>, ms: u64) -> bool {
        py.detach(|| self.0.wait(Duration::from_millis(ms)))
    }

    fn store(&self, py: Python<'_>, record: &Bound<'_, PyAny>) -> PyResult<()> {
        let record = Value::of(record)?;
        detached(py, || self.0.store(record))
    }

    fn store_many(&self, py: Python<'_>, records: &Bound<'_, PyList>) -> PyResult<()> {
        let records: Vec<Value> = records.iter().map(|record| Value::of(&record)).collect::<PyResult<_>>()?;
        detached(py, || self.0.store_many(records))
    }
}

pub(crate) struct OfPython {
    pub(crate) run: Function,
}

impl Receiver for OfPython {
    type Item = Value;

    fn run(&mut self, link: &ReceiverLink<Value>) -> tidemill::Result<Ending> {
        let store = link.clone();
        interpreted(|py| self.run.bind(py).call1((Store(store),)).map(drop))?;
        Ok(Ending::Stop("its function returned".into()))
    }
}
