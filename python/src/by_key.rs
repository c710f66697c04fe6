//! Loops over pairs that run without bytecode.

use crate::{
    hash::{partition_of, portable_hash},
    sums::{Sums, with_plain_pair},
};
use pyo3::{
    exceptions::{PyTypeError, PyValueError},
    prelude::*,
    types::{PyDict, PyList, PyString, PyTuple},
};

/// How two values of a key become one.
enum Merge<'py> {
    /// With the user's function of that name, which is called where adding fails: the error is to be its own.
    Add(Option<Bound<'py, PyAny>>),
    Min,
    Max,
    Call(Bound<'py, PyAny>),
}

impl<'py> Merge<'py> {
    fn of(merge: &Bound<'py, PyAny>) -> PyResult<Self> {
        match merge.cast::<PyString>() {
            Err(_) => Ok(Self::Call(merge.clone())),
            Ok(name) => match name.to_str()? {
                "add" => Ok(Self::Add(merge.getattr_opt("function")?)),
                "min" => Ok(Self::Min),
                "max" => Ok(Self::Max),
                other => Err(PyValueError::new_err(format!(
                    "a merge is \"add\", \"min\", \"max\" or a function, not \"{other}\""
                ))),
            },
        }
    }

    fn call(&self, combined: Bound<'py, PyAny>, value: Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
        match self {
            Self::Add(function) => match (combined.add(&value), function) {
                (Err(_), Some(function)) => function.call1((combined, value)),
                (sum, _) => sum,
            },
            Self::Min => Ok(if value.lt(&combined)? { value } else { combined }),
            Self::Max => Ok(if value.gt(&combined)? { value } else { combined }),
            Self::Call(f) => f.call1((combined, value)),
        }
    }
}

/// The two parts of a pair, as `key, value = pair` has them.
fn parts<'py>(pair: &Bound<'py, PyAny>) -> PyResult<(Bound<'py, PyAny>, Bound<'py, PyAny>)> {
    if let Ok(tuple) = pair.cast_exact::<PyTuple>()
        && tuple.len() == 2
    {
        return Ok((tuple.get_item(0)?, tuple.get_item(1)?));
    }
    let unpacked = pair.try_iter().map_err(|_| {
        let kind = pair.get_type().name().map(|name| name.to_string()).unwrap_or_default();
        PyTypeError::new_err(format!("cannot unpack non-iterable {kind} object"))
    });
    let mut parts = unpacked?;
    let too_few = |got| PyValueError::new_err(format!("not enough values to unpack (expected 2, got {got})"));
    let key = parts.next().ok_or_else(|| too_few(0))??;
    let value = parts.next().ok_or_else(|| too_few(1))??;
    match parts.next() {
        None => Ok((key, value)),
        Some(_) => Err(PyValueError::new_err("too many values to unpack (expected 2)")),
    }
}

/// Combines the values of pairs by key, on top of what is in `combined`.
#[pyfunction]
#[pyo3(signature = (blocks, create, merge, combined=None))]
pub(crate) fn combine_pairs<'py>(
    py: Python<'py>,
    blocks: &Bound<'py, PyAny>,
    create: Option<Bound<'py, PyAny>>,
    merge: Bound<'py, PyAny>,
    combined: Option<Bound<'py, PyDict>>,
) -> PyResult<Bound<'py, PyDict>> {
    let merge = Merge::of(&merge)?;
    // As long as whole numbers are added by words.
    let mut sums = (combined.is_none() && create.is_none() && matches!(merge, Merge::Add(_))).then(Sums::default);
    let mut combined = combined.unwrap_or_else(|| PyDict::new(py));
    for block in blocks.try_iter()? {
        for pair in block?.cast_into::<PyList>()?.iter() {
            if let Some(plain) = &mut sums
                && with_plain_pair(&pair, |word, number| plain.add(word, number)).is_some()
            {
                continue;
            }
            if let Some(plain) = sums.take() {
                combined = plain.into_dict(py)?;
            }
            let (key, value) = parts(&pair)?;
            let value = match (combined.get_item(&key)?, &create) {
                (Some(before), _) => merge.call(before, value)?,
                (None, Some(create)) => create.call1((value,))?,
                (None, None) => value,
            };
            combined.set_item(key, value)?;
        }
    }
    sums.map_or(Ok(combined), |sums| sums.into_dict(py))
}

/// A record as a pair: itself if it is one, else what its two parts make, or its first two if it may have more.
fn as_pair<'py>(record: Bound<'py, PyAny>, may_have_more: bool) -> PyResult<Bound<'py, PyTuple>> {
    match record.cast_into_exact::<PyTuple>() {
        Ok(pair) if pair.len() == 2 => Ok(pair),
        Ok(tuple) => made_pair(tuple.as_any(), may_have_more),
        Err(error) => made_pair(&error.into_inner(), may_have_more),
    }
}

fn made_pair<'py>(record: &Bound<'py, PyAny>, may_have_more: bool) -> PyResult<Bound<'py, PyTuple>> {
    let (key, value) = if may_have_more { (record.get_item(0)?, record.get_item(1)?) } else { parts(record)? };
    PyTuple::new(record.py(), [key, value])
}

/// Pairs sorted out by the partition of their keys; made of the first two parts of each record if it may have more.
#[pyfunction]
#[pyo3(signature = (pairs, partitions, may_have_more=false))]
pub(crate) fn by_partition<'py>(
    py: Python<'py>,
    pairs: &Bound<'py, PyAny>,
    partitions: usize,
    may_have_more: bool,
) -> PyResult<Vec<(usize, Bound<'py, PyList>)>> {
    let mut lists: Vec<Option<Bound<'py, PyList>>> = vec![None; partitions.max(1)];
    for record in pairs.try_iter()? {
        let pair = as_pair(record?, may_have_more)?;
        let partition = match partitions {
            0 | 1 => 0,
            _ => partition_of(portable_hash(&pair.get_item(0)?)?, partitions),
        };
        lists[partition].get_or_insert_with(|| PyList::empty(py)).append(pair)?;
    }
    Ok(lists.into_iter().enumerate().filter_map(|(partition, list)| Some((partition, list?))).collect())
}
