//! Keys and states: plain values of Python are kept as plain values here, so that they are compared, hashed, added and
//! stored without the interpreter; whatever else there is stays an object, and is pickled where it is stored.

use crate::{
    block::{pickled, unpickled},
    error::{in_task, interpreted},
    hash,
};
use pyo3::{
    prelude::*,
    sync::PyOnceLock,
    types::{PyBool, PyBytes, PyFloat, PyInt, PyString, PyTuple},
};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de, ser};
use std::{
    hash::{Hash, Hasher},
    sync::Arc,
};

#[derive(Clone)]
pub(crate) enum Value {
    None,
    Bool(bool),
    Int(i64),
    Float(f64),
    Str(Arc<str>),
    Bytes(Arc<[u8]>),
    Tuple(Arc<[Value]>),
    Object(Arc<Py<PyAny>>),
}

const TWO_TO_63: f64 = 9_223_372_036_854_775_808.0;

/// How deep tuples may be nested to be kept as plain values.
const DEPTH: usize = 32;

impl Value {
    pub(crate) fn of(value: &Bound<'_, PyAny>) -> PyResult<Self> {
        Self::at_depth(value, 0)
    }

    fn at_depth(value: &Bound<'_, PyAny>, depth: usize) -> PyResult<Self> {
        let object = || Ok(Self::Object(Arc::new(value.clone().unbind())));
        if value.is_none() {
            Ok(Self::None)
        } else if value.is_exact_instance_of::<PyInt>() {
            value.extract::<i64>().map(Self::Int).or_else(|_| object())
        } else if let Ok(text) = value.cast_exact::<PyString>() {
            text.to_str().map(|text| Self::Str(text.into())).or_else(|_| object())
        } else if let Ok(number) = value.cast_exact::<PyFloat>() {
            Ok(Self::Float(number.value()))
        } else if let Ok(truth) = value.cast_exact::<PyBool>() {
            Ok(Self::Bool(truth.is_true()))
        } else if let Ok(bytes) = value.cast_exact::<PyBytes>() {
            Ok(Self::Bytes(bytes.as_bytes().into()))
        } else if let Ok(tuple) = value.cast_exact::<PyTuple>()
            && depth < DEPTH
        {
            tuple.iter().map(|part| Self::at_depth(&part, depth + 1)).collect::<PyResult<_>>().map(Self::Tuple)
        } else {
            object()
        }
    }

    pub(crate) fn to_python<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        Ok(match self {
            Self::None => py.None().into_bound(py),
            Self::Bool(truth) => PyBool::new(py, *truth).to_owned().into_any(),
            Self::Int(number) => number.into_pyobject(py)?.into_any(),
            Self::Float(number) => PyFloat::new(py, *number).into_any(),
            Self::Str(text) => PyString::new(py, text).into_any(),
            Self::Bytes(bytes) => PyBytes::new(py, bytes).into_any(),
            Self::Tuple(parts) => {
                let parts: Vec<_> = parts.iter().map(|part| part.to_python(py)).collect::<PyResult<_>>()?;
                PyTuple::new(py, parts)?.into_any()
            }
            Self::Object(object) => object.bind(py).clone(),
        })
    }

    /// For a function that may change what it is given: an object is copied with all it holds, so that a batch that fails
    /// leaves no trace in it.
    pub(crate) fn to_python_to_change<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        static DEEPCOPY: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
        match self {
            Self::Object(object) => {
                let copy =
                    DEEPCOPY.get_or_try_init(py, || py.import("copy")?.getattr("deepcopy").map(Bound::unbind))?;
                copy.bind(py).call1((object.bind(py),))
            }
            plain => plain.to_python(py),
        }
    }

    /// The number that Python compares it by, if it is whole.
    fn whole(&self) -> Option<i64> {
        match self {
            Self::Bool(truth) => Some(i64::from(*truth)),
            Self::Int(number) => Some(*number),
            // Those that an i64 holds, all of them exactly.
            Self::Float(number) if number.trunc() == *number && (-TWO_TO_63..TWO_TO_63).contains(number) => {
                Some(*number as i64)
            }
            _ => None,
        }
    }

    /// The sum, where it is one of numbers and fits.
    pub(crate) fn plus(&self, other: &Self) -> Option<Self> {
        match (self, other) {
            (Self::Int(a), Self::Int(b)) => a.checked_add(*b).map(Self::Int),
            (Self::Float(a), Self::Float(b)) => Some(Self::Float(a + b)),
            _ => None,
        }
    }

    pub(crate) fn minus(&self, other: &Self) -> Option<Self> {
        match (self, other) {
            (Self::Int(a), Self::Int(b)) => a.checked_sub(*b).map(Self::Int),
            (Self::Float(a), Self::Float(b)) => Some(Self::Float(a - b)),
            _ => None,
        }
    }

    /// As `portable_hash` of what it is in Python: equal values have equal ones, whatever their types.
    pub(crate) fn portable_hash(&self) -> isize {
        match self {
            Self::None => 0,
            Self::Str(text) => hash::of_str(text),
            Self::Bytes(bytes) => hash::of_bytes(bytes),
            Self::Tuple(parts) => hash::of_parts(parts.iter().map(Self::portable_hash)),
            other => other.whole().map_or_else(|| other.hash_in_python(), hash::of_whole),
        }
    }

    fn hash_in_python(&self) -> isize {
        in_task(|py| hash::portable_hash(&self.to_python(py)?))
    }

    fn is_equal_in_python(&self, other: &Self) -> bool {
        in_task(|py| self.to_python(py)?.eq(other.to_python(py)?))
    }
}

impl PartialEq for Value {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::None, Self::None) => true,
            (Self::Str(a), Self::Str(b)) => a == b,
            (Self::Bytes(a), Self::Bytes(b)) => a == b,
            (Self::Tuple(a), Self::Tuple(b)) => a == b,
            (Self::Object(a), Self::Object(b)) if Arc::ptr_eq(a, b) => true,
            (Self::Object(_), _) | (_, Self::Object(_)) => self.is_equal_in_python(other),
            (Self::Float(a), Self::Float(b)) => a == b || a.to_bits() == b.to_bits(),
            (a, b) => a.whole().is_some_and(|a| b.whole() == Some(a)),
        }
    }
}

impl Eq for Value {}

impl Hash for Value {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_isize(self.portable_hash());
    }
}

/// The form in which a checkpoint has it; its order is part of the format.
#[derive(Serialize, Deserialize)]
enum Stored {
    None,
    Bool(bool),
    Int(i64),
    Float(f64),
    Str(Arc<str>),
    Bytes(serde_bytes::ByteBuf),
    Tuple(Vec<Value>),
    Pickled(serde_bytes::ByteBuf),
}

impl Value {
    fn stored(&self) -> tidemill::Result<Stored> {
        Ok(match self {
            Self::None => Stored::None,
            Self::Bool(truth) => Stored::Bool(*truth),
            Self::Int(number) => Stored::Int(*number),
            Self::Float(number) => Stored::Float(*number),
            Self::Str(text) => Stored::Str(text.clone()),
            Self::Bytes(bytes) => Stored::Bytes(serde_bytes::ByteBuf::from(bytes.to_vec())),
            Self::Tuple(parts) => Stored::Tuple(parts.to_vec()),
            Self::Object(object) => {
                let bytes = interpreted(|py| pickled(py, object.bind(py)))?;
                Stored::Pickled(serde_bytes::ByteBuf::from(bytes))
            }
        })
    }
}

impl Serialize for Value {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.stored().map_err(ser::Error::custom)?.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Value {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(match Stored::deserialize(deserializer)? {
            Stored::None => Self::None,
            Stored::Bool(truth) => Self::Bool(truth),
            Stored::Int(number) => Self::Int(number),
            Stored::Float(number) => Self::Float(number),
            Stored::Str(text) => Self::Str(text),
            Stored::Bytes(bytes) => Self::Bytes(bytes.into_vec().into()),
            Stored::Tuple(parts) => Self::Tuple(parts.into()),
            Stored::Pickled(bytes) => {
                let object = interpreted(|py| unpickled(py, &bytes).map(Bound::unbind));
                Self::Object(Arc::new(object.map_err(de::Error::custom)?))
            }
        })
    }
}

/// A value as a key. Keys that are equal are stored alike: of `True`, `1` and `1.0` the one that is remembered is `1`.
#[derive(Clone, PartialEq, Eq, Hash, Deserialize)]
pub(crate) struct Key(pub(crate) Value);

impl Serialize for Key {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_newtype_struct("Key", &alike(&self.0))
    }
}

fn alike(value: &Value) -> Value {
    match value {
        Value::Bool(_) | Value::Float(_) => value.whole().map_or_else(|| value.clone(), Value::Int),
        Value::Tuple(parts) => Value::Tuple(parts.iter().map(alike).collect()),
        other => other.clone(),
    }
}
