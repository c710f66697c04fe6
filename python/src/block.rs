//! A list of records: what the engine moves.

use crate::error::{in_task, interpreted};
use pyo3::{
    prelude::*,
    sync::PyOnceLock,
    types::{PyBytes, PyList, PyString},
};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de, ser};
use std::sync::Arc;
use tidemill::Text;

/// How many lines of text go into a block.
const LINES: usize = 4096;

#[derive(Clone)]
pub(crate) enum Block {
    /// Shared behind an `Arc`, so that it is cloned without the interpreter.
    List(Arc<Py<PyList>>),
    /// Lines as they were read; they become a list where Python wants them.
    Lines(Arc<Vec<Text>>),
}

impl Block {
    pub(crate) fn of(list: Bound<'_, PyList>) -> Self {
        Self::List(Arc::new(list.unbind()))
    }

    pub(crate) fn list<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyList>> {
        match self {
            Self::List(list) => Ok(list.bind(py).clone()),
            Self::Lines(lines) => PyList::new(py, lines.iter().map(|line| PyString::new(py, line.as_str()))),
        }
    }

    /// How many records it has.
    pub(crate) fn records(&self) -> usize {
        match self {
            Self::List(list) => in_task(|py| Ok(list.bind(py).len())),
            Self::Lines(lines) => lines.len(),
        }
    }
}

/// The blocks of a partition, of `size` records at the most.
pub(crate) fn in_blocks<R>(
    records: &mut dyn Iterator<Item = R>,
    size: usize,
    make: impl Fn(Vec<R>) -> Block,
) -> Vec<Block> {
    let mut blocks = Vec::new();
    loop {
        let some: Vec<R> = std::iter::from_fn(|| records.next()).take(size).collect();
        if some.is_empty() {
            return blocks;
        }
        blocks.push(make(some));
    }
}

/// Blocks of the lines of a partition.
pub(crate) fn of_lines(lines: &mut dyn Iterator<Item = Text>) -> Vec<Block> {
    in_blocks(lines, LINES, |lines| Block::Lines(Arc::new(lines)))
}

/// The one block of a partition of bytes.
pub(crate) fn of_bytes(records: &mut dyn Iterator<Item = Vec<u8>>) -> Option<Block> {
    let records: Vec<Vec<u8>> = records.collect();
    (!records.is_empty())
        .then(|| in_task(|py| PyList::new(py, records.iter().map(|bytes| PyBytes::new(py, bytes))).map(Block::of)))
}

/// `pickle`'s functions, in the flavour that takes functions and classes too.
pub(crate) fn pickled(py: Python<'_>, value: &Bound<'_, PyAny>) -> PyResult<Vec<u8>> {
    static DUMPS: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
    let dumps = DUMPS.get_or_try_init(py, || py.import("pickle")?.getattr("dumps").map(Bound::unbind))?;
    let bytes = match dumps.bind(py).call1((value, 5)) {
        Ok(bytes) => bytes,
        Err(_) => py.import("cloudpickle")?.call_method1("dumps", (value,))?,
    };
    Ok(bytes.cast::<PyBytes>()?.as_bytes().to_vec())
}

pub(crate) fn unpickled<'py>(py: Python<'py>, bytes: &[u8]) -> PyResult<Bound<'py, PyAny>> {
    static LOADS: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
    let loads = LOADS.get_or_try_init(py, || py.import("pickle")?.getattr("loads").map(Bound::unbind))?;
    loads.bind(py).call1((PyBytes::new(py, bytes),))
}

#[derive(Serialize, Deserialize)]
enum Stored {
    Pickled(serde_bytes::ByteBuf),
    Lines(Vec<Text>),
}

impl Serialize for Block {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let stored = match self {
            Self::List(list) => {
                let bytes = interpreted(|py| pickled(py, list.bind(py))).map_err(ser::Error::custom)?;
                Stored::Pickled(serde_bytes::ByteBuf::from(bytes))
            }
            Self::Lines(lines) => Stored::Lines(lines.to_vec()),
        };
        stored.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Block {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match Stored::deserialize(deserializer)? {
            Stored::Lines(lines) => Ok(Self::Lines(Arc::new(lines))),
            Stored::Pickled(bytes) => {
                interpreted(|py| Ok(Self::of(unpickled(py, &bytes)?.cast_into::<PyList>()?))).map_err(de::Error::custom)
            }
        }
    }
}
