//! PySpark's `portable_hash`: it places keys the same way in every process, and as Spark does.

use pyo3::{
    prelude::*,
    types::{PyBytes, PyString, PyTuple},
};
use siphasher::sip::SipHasher13;
use std::hash::Hasher;

/// The hash of a key; that of `None` is 0, that of a tuple is made of its parts', and text and bytes are hashed as CPython
/// 3.11 and later do it under `PYTHONHASHSEED=0`, whatever seed this process has. Of everything else it is Python's own.
#[pyfunction]
pub(crate) fn portable_hash(value: &Bound<'_, PyAny>) -> PyResult<isize> {
    if value.is_none() {
        return Ok(0);
    }
    if let Ok(text) = value.cast::<PyString>() {
        return of_text(text);
    }
    if let Ok(bytes) = value.cast::<PyBytes>() {
        return Ok(of_bytes(bytes.as_bytes()));
    }
    if let Ok(tuple) = value.cast::<PyTuple>() {
        let hashes: Vec<isize> = tuple.iter().map(|part| portable_hash(&part)).collect::<PyResult<_>>()?;
        return Ok(of_parts(hashes.into_iter()));
    }
    value.hash()
}

/// The hash of a tuple whose parts have these.
pub(crate) fn of_parts(parts: impl ExactSizeIterator<Item = isize>) -> isize {
    let length = parts.len() as isize;
    let hash = parts.fold(0x345678, |hash: isize, part| (hash ^ part).wrapping_mul(1_000_003) & isize::MAX) ^ length;
    if hash == -1 { -2 } else { hash }
}

/// Python's hash of a whole number: its remainder by the Mersenne prime of 61 bits, with its sign.
pub(crate) fn of_whole(number: i64) -> isize {
    const PRIME: u64 = (1 << 61) - 1;
    let rest = (number.unsigned_abs() % PRIME) as isize;
    let hash = if number < 0 { -rest } else { rest };
    if hash == -1 { -2 } else { hash }
}

/// The partition of a key among `partitions`, as Python's `%` has it: never negative.
pub(crate) fn partition_of(hash: isize, partitions: usize) -> usize {
    hash.rem_euclid(partitions.max(1) as isize) as usize
}

pub(crate) fn of_bytes(bytes: &[u8]) -> isize {
    if bytes.is_empty() {
        return 0;
    }
    let mut hasher = SipHasher13::new_with_keys(0, 0);
    hasher.write(bytes);
    let hash = hasher.finish() as isize;
    if hash == -1 { -2 } else { hash }
}

/// CPython hashes the code points in the narrowest of one, two or four bytes each that holds all of them.
pub(crate) fn of_str(text: &str) -> isize {
    if text.is_ascii() {
        return of_bytes(text.as_bytes());
    }
    let widest = text.chars().map(u32::from).max().unwrap_or_default();
    let mut bytes = Vec::with_capacity(text.len() * 2);
    for character in text.chars().map(u32::from) {
        match widest {
            0..=0xff => bytes.push(character as u8),
            0x100..=0xffff => bytes.extend_from_slice(&(character as u16).to_ne_bytes()),
            _ => bytes.extend_from_slice(&character.to_ne_bytes()),
        }
    }
    of_bytes(&bytes)
}

fn of_text(text: &Bound<'_, PyString>) -> PyResult<isize> {
    // What is no UTF-8 (lone surrogates) has Python's own hash, which depends on the seed of the process.
    text.to_str().map_or_else(|_| text.hash(), |text| Ok(of_str(text)))
}
