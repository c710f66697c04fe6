//! Operators that keep state by key: pairs of Python's on their way into the state and out of it.

use crate::{
    block::{Block, in_blocks},
    error::in_task,
    rdd::{Function, Placement},
    value::{Key, Value},
};
use pyo3::{
    exceptions::{PyKeyError, PyValueError},
    prelude::*,
    sync::PyOnceLock,
    types::{PyList, PyTuple},
};
use std::{
    any::Any,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};
use tidemill::{DStream, Partitioner, Rdd};

/// How many pairs that come out of a state make a block.
const PAIRS: usize = 4096;

/// Places keys as PySpark does.
#[derive(Debug, PartialEq)]
pub(crate) struct ByPortableHash(pub(crate) usize);

impl Partitioner<Key> for ByPortableHash {
    fn partitions(&self) -> usize {
        self.0
    }
    fn partition(&self, key: &Key) -> usize {
        crate::hash::partition_of(key.0.portable_hash(), self.0)
    }
    fn same_as(&self, other: &dyn Any) -> bool {
        other.downcast_ref::<Self>() == Some(self)
    }
}

/// A pair of Python's, which is any sequence of two.
fn pair_of(record: &Bound<'_, PyAny>) -> PyResult<(Key, Value)> {
    let (key, value) = (record.get_item(0)?, record.get_item(1)?);
    // As in Python: what cannot be hashed cannot be a key, and says so.
    let key = Value::of(&key)?;
    Ok((Key(key), Value::of(&value)?))
}

fn pairs_of(blocks: &mut dyn Iterator<Item = Block>) -> Vec<(Key, Value)> {
    let blocks: Vec<Block> = blocks.collect();
    in_task(|py| {
        let mut pairs = Vec::new();
        for block in &blocks {
            for record in block.list(py)?.iter() {
                pairs.push(pair_of(&record)?);
            }
        }
        Ok(pairs)
    })
}

fn blocks_of(pairs: &mut dyn Iterator<Item = (Key, Value)>) -> Vec<Block> {
    in_blocks(pairs, PAIRS, |some| {
        in_task(|py| {
            let pair = |(key, value): &(Key, Value)| PyTuple::new(py, [key.0.to_python(py)?, value.to_python(py)?]);
            let pairs: Vec<_> = some.iter().map(pair).collect::<PyResult<_>>()?;
            Ok(Block::of(PyList::new(py, pairs)?))
        })
    })
}

pub(crate) fn pairs(stream: &DStream<Block>) -> DStream<(Key, Value)> {
    stream.map_partitions(|blocks| pairs_of(blocks))
}

pub(crate) fn pairs_of_rdd(rdd: &Rdd<Block>) -> Rdd<(Key, Value)> {
    rdd.map_partitions(|blocks| pairs_of(blocks))
}

/// The number of `portable_hash` among the functions that place keys.
const PORTABLE_HASH: u64 = 0;

/// Blocks of pairs that lie where [`ByPortableHash`] places them.
pub(crate) fn blocks(pairs: &DStream<(Key, Value)>) -> DStream<Block> {
    pairs.transform(|rdd, _| {
        let blocks = rdd.map_partitions(|pairs| blocks_of(pairs));
        let placement = Placement(blocks.num_partitions(), PORTABLE_HASH);
        Ok::<_, tidemill::Error>(blocks.with_partitioner::<Block>(Arc::new(placement)))
    })
}

pub(crate) fn blocks_of_values(values: &DStream<Value>) -> DStream<Block> {
    values.map_partitions(|values| {
        let values: Vec<Value> = values.collect();
        (!values.is_empty()).then(|| {
            in_task(|py| {
                let values: Vec<_> = values.iter().map(|value| value.to_python(py)).collect::<PyResult<_>>()?;
                Ok(Block::of(PyList::new(py, values)?))
            })
        })
    })
}

/// A function of two values, and what it is if the engine can do it itself.
pub(crate) struct Merge {
    f: Function,
    plain: Option<fn(&Value, &Value) -> Option<Value>>,
}

impl Merge {
    pub(crate) fn new(py: Python<'_>, f: Py<PyAny>) -> PyResult<Self> {
        static OPERATORS: PyOnceLock<(Py<PyAny>, Py<PyAny>)> = PyOnceLock::new();
        let operators = OPERATORS.get_or_try_init(py, || {
            let module = py.import("operator")?;
            PyResult::Ok((module.getattr("add")?.unbind(), module.getattr("sub")?.unbind()))
        })?;
        let plain: Option<fn(&Value, &Value) -> Option<Value>> = if f.is(&operators.0) {
            Some(Value::plus)
        } else if f.is(&operators.1) {
            Some(Value::minus)
        } else {
            None
        };
        Ok(Self { f: f.into(), plain })
    }

    pub(crate) fn call(&self, a: &Value, b: &Value) -> Value {
        if let Some(value) = self.plain.and_then(|plain| plain(a, b)) {
            return value;
        }
        in_task(|py| {
            let (a, b) = (a.to_python_to_change(py)?, b.to_python_to_change(py)?);
            Value::of(&self.f.bind(py).call1((a, b))?)
        })
    }
}

/// What `update_state_by_key` does with the keys of a partition.
pub(crate) fn updated(
    f: &Function,
    keys: &mut dyn Iterator<Item = (Key, Vec<Value>, Option<Value>)>,
) -> Vec<(Key, Value)> {
    in_task(|py| {
        let f = f.bind(py);
        let mut states = Vec::with_capacity(keys.size_hint().0);
        for (key, values, state) in keys {
            let list = PyList::empty(py);
            for value in &values {
                list.append(value.to_python(py)?)?;
            }
            let state = state.map(|state| state.to_python_to_change(py)).transpose()?;
            let state = f.call1((list, state))?;
            if !state.is_none() {
                states.push((key, Value::of(&state)?));
            }
        }
        Ok(states)
    })
}

#[derive(Default)]
struct Inner {
    value: Option<Value>,
    is_updated: bool,
    is_removed: bool,
    is_timing_out: bool,
}

/// The state of a key in the hands of a function of `map_with_state`.
#[pyclass(frozen, module = "tidemill._native")]
pub(crate) struct State(Mutex<Inner>);

impl State {
    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether a state may be changed so.
fn check(inner: &Inner, what: &str) -> PyResult<()> {
    let refused = |why: &str| Err(PyValueError::new_err(format!("cannot {what} a state {why}")));
    if inner.is_timing_out {
        refused("that is timing out")
    } else if inner.is_removed {
        refused("that was removed already")
    } else {
        Ok(())
    }
}

#[pymethods]
impl State {
    fn exists(&self) -> bool {
        self.inner().value.is_some()
    }

    fn get<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        match &self.inner().value {
            Some(value) => value.to_python_to_change(py),
            None => Err(PyKeyError::new_err("the key has no state; ask exists() first, or take get_option()")),
        }
    }

    fn get_option<'py>(&self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyAny>>> {
        self.inner().value.as_ref().map(|value| value.to_python_to_change(py)).transpose()
    }

    fn update(&self, value: &Bound<'_, PyAny>) -> PyResult<()> {
        let value = Value::of(value)?;
        let mut inner = self.inner();
        check(&inner, "update")?;
        (inner.value, inner.is_updated) = (Some(value), true);
        Ok(())
    }

    fn remove(&self) -> PyResult<()> {
        let mut inner = self.inner();
        check(&inner, "remove")?;
        (inner.value, inner.is_removed) = (None, true);
        Ok(())
    }

    fn is_timing_out(&self) -> bool {
        self.inner().is_timing_out
    }
}

/// Calls the function of a `map_with_state` for one record, and does to the state what it did.
pub(crate) fn mapped(
    f: &Function,
    time_ms: u64,
    key: &Key,
    value: Option<Value>,
    state: &mut tidemill::State<Value>,
) -> Option<Value> {
    in_task(|py| {
        let inner =
            Inner { value: state.get_option().cloned(), is_timing_out: state.is_timing_out(), ..Inner::default() };
        let handed = Bound::new(py, State(Mutex::new(inner)))?;
        let value = value.map(|value| value.to_python(py)).transpose()?;
        let made = f.bind(py).call1((time_ms, key.0.to_python(py)?, value, &handed))?;
        let mut inner = handed.get().inner();
        if inner.is_removed {
            state.remove();
        } else if inner.is_updated
            && let Some(value) = inner.value.take()
        {
            state.update(value);
        }
        Ok(if made.is_none() { None } else { Some(Value::of(&made)?) })
    })
}
