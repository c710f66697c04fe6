//! Whether a storage keeps what a commit log needs, found out by trying.

use super::{Put, Storage, StoredFile};
use crate::base::{Error, Result};
use std::{
    collections::hash_map::RandomState,
    hash::{BuildHasher, Hasher},
    thread,
};

const FOLDER: &str = "probe";
const CLAIMANTS: usize = 4;

/// Tries whether a storage really stores a name once, whether what it stored can be read and is listed at once, and whether
/// what was deleted is gone; what it stores for that it deletes.
///
/// A store that takes the condition of a put and ignores it would let two drivers own one checkpoint.
///
/// # Errors
/// Invalid, saying what the storage did, if a commit log is not safe in it; Unavailable if it could not be tried.
///
/// # Examples
/// ```
/// use tidemill::base::storage::{MemoryStorage, Storage, probe};
/// let storage = MemoryStorage::new();
/// probe(&storage)?;
/// assert_eq!(storage.list("")?, []);
/// # Ok::<(), tidemill::Error>(())
/// ```
pub fn probe(storage: &dyn Storage) -> Result<()> {
    let names = [(); 2].map(|()| fresh_name());
    let [one_by_one, at_once] = &names;
    let tried = put_twice(storage, one_by_one).and_then(|()| put_at_once(storage, at_once));
    let deleted = names.iter().try_for_each(|name| storage.delete(name));
    tried.and(deleted).and_then(|()| gone(storage, one_by_one)).map_err(|error| match error.kind() {
        crate::base::ErrorKind::Invalid => error,
        _ => error.context(format!("the storage \"{}\" could not be tried", storage.url())),
    })
}

/// A name that nobody used before; the operating system's random numbers seed the hash.
fn fresh_name() -> String {
    let [high, low] = [(); 2].map(|()| RandomState::new().build_hasher().finish());
    format!("{FOLDER}/{high:016x}{low:016x}")
}

fn refuse(storage: &dyn Storage, what_it_did: impl std::fmt::Display) -> Error {
    Error::invalid(format!(
        "the storage \"{}\" is not safe for a checkpoint: {what_it_did}; use a storage that stores a name only once",
        storage.url()
    ))
}

fn put_twice(storage: &dyn Storage, name: &str) -> Result<()> {
    let (first, second) = (b"first".as_slice(), b"the second".as_slice());
    let put = storage.put_if_absent(name, first)?;
    let found = storage.get(name)?;
    if found.as_deref() != Some(first) {
        let found = found.map_or("was not found".to_owned(), |bytes| format!("had {} other bytes", bytes.len()));
        return Err(refuse(storage, format!("what it answered {put:?} for {found} when it was read at once")));
    }
    if storage.put_if_absent(name, second)? == Put::Stored {
        return Err(refuse(
            storage,
            "it stored the same name twice, although it was to store it only where it is absent",
        ));
    }
    if storage.get(name)?.as_deref() != Some(first) {
        return Err(refuse(storage, "it answered that a name exists, and overwrote it"));
    }
    let expected = StoredFile { name: name.to_owned(), bytes: first.len() as u64 };
    if !storage.list(FOLDER)?.contains(&expected) {
        return Err(refuse(storage, "it does not list at once, or not with its length, what it stored"));
    }
    Ok(())
}

/// Several at once want one name: a store that looks first and writes later tells more than one that it has it.
fn put_at_once(storage: &dyn Storage, name: &str) -> Result<()> {
    let put = |claimant: usize| storage.put_if_absent(name, &[u8::try_from(claimant).unwrap_or(u8::MAX)]);
    let puts: Result<Vec<Put>> = thread::scope(|scope| {
        let start = |claimant: usize| {
            let thread = thread::Builder::new().name(format!("tidemill-probe-{claimant}"));
            thread.spawn_scoped(scope, move || put(claimant)).map_err(Error::from)
        };
        let threads = (0..CLAIMANTS).map(start).collect::<Result<Vec<_>>>()?;
        let joined = threads.into_iter().map(|thread| thread.join());
        joined.map(|put| put.unwrap_or_else(|_| Err(Error::unavailable("the storage panicked")))).collect()
    });
    let puts = puts?;
    match puts.iter().filter(|put| **put == Put::Stored).count() {
        0 | 1 => whose(storage, name, &puts),
        many => Err(refuse(storage, format!("it told {many} writers at once that it stored the name for them"))),
    }
}

fn whose(storage: &dyn Storage, name: &str, puts: &[Put]) -> Result<()> {
    let owner = storage.get(name)?.and_then(|bytes| bytes.first().copied()).map(usize::from);
    let told = puts.iter().position(|put| *put == Put::Stored);
    // Whoever had to ask twice may not have been told.
    if owner.is_some_and(|owner| owner < CLAIMANTS) && told.is_none_or(|told| Some(told) == owner) {
        return Ok(());
    }
    Err(refuse(storage, "it told one writer that it stored the name for them, and kept the bytes of another"))
}

fn gone(storage: &dyn Storage, name: &str) -> Result<()> {
    match storage.get(name)? {
        None => Ok(()),
        Some(_) => Err(refuse(storage, "it still has what it deleted")),
    }
}

#[cfg(test)]
mod tests;
