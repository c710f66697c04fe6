//! Changes of state in files of their own, or in the log if they are small.

use super::{
    StateDelta, StateSource,
    entry::STATE,
    envelope::{self, Kind},
};
use crate::base::{
    Error, Result, Time,
    durable::durable_step,
    storage::{Put, Storage, StorageRef},
};

/// Up to this size changes stand in the log itself, which saves a file. With a disk whose fsync takes 1 ms a file costs
/// about as much as writing 200 KB.
const INLINE_BYTES: usize = 64 * 1024;

/// A name is found within so many tries, or something is very wrong.
const ATTEMPTS: u32 = 10_000;

impl StateSource {
    /// Name and length, if it is a file.
    pub(crate) fn file(&self) -> Option<(&str, u64)> {
        match self {
            StateSource::File { name, bytes } => Some((name, *bytes)),
            StateSource::Inline(_) => None,
        }
    }

    pub(crate) fn bytes(&self) -> u64 {
        match self {
            StateSource::File { bytes, .. } => *bytes,
            StateSource::Inline(bytes) => bytes.len() as u64,
        }
    }
}

/// Stores what one process changed in a batch: a file, or, if it is small, as it is. `None` if nothing changed.
///
/// # Errors
/// Unavailable, and then it may be called again.
pub(crate) fn put_state(
    storage: &StorageRef,
    epoch: u64,
    process: usize,
    time: Time,
    delta: &StateDelta,
) -> Result<Option<StateSource>> {
    if delta.is_empty() {
        return Ok(None);
    }
    if delta.content_bytes() <= INLINE_BYTES {
        let bytes = delta.encode()?;
        if bytes.len() <= INLINE_BYTES {
            return Ok(Some(StateSource::Inline(bytes)));
        }
    }
    let (batch_ms, bytes) = (time.as_ms(), envelope::seal(Kind::State, delta)?);
    let name = put_new(&**storage, &bytes, |attempt| format!("{STATE}/{epoch}-{batch_ms}-{process}-{attempt}"))?;
    durable_step("state: a process has stored its changes");
    Ok(Some(StateSource::File { name, bytes: bytes.len() as u64 }))
}

/// Stores bytes under the first of the names that is free, or that has these bytes already.
pub(super) fn put_new(storage: &dyn Storage, bytes: &[u8], name: impl Fn(u32) -> String) -> Result<String> {
    for attempt in 0..ATTEMPTS {
        let name = name(attempt);
        // What is there is of another try of the same batch, or of this one and its answer was lost.
        if storage.put_if_absent(&name, bytes)? == Put::Stored || storage.get(&name)?.as_deref() == Some(bytes) {
            return Ok(name);
        }
    }
    Err(Error::internal(format!("no free name like \"{}\" was found in \"{}\"", name(0), storage.url())))
}

/// Reads changes of state again.
///
/// # Errors
/// Data, naming the file, if they are damaged or gone.
pub(crate) fn load_state(storage: &StorageRef, source: &StateSource) -> Result<StateDelta> {
    let name = match source {
        StateSource::Inline(bytes) => return StateDelta::decode(bytes),
        StateSource::File { name, .. } => name,
    };
    let unusable = |why: &dyn std::fmt::Display| {
        Error::data(format!(
            "the state in \"{name}\" of \"{}\" cannot be read: {why}; start the program again, so that the checkpoint \
             is examined and an older state of it is used",
            storage.url()
        ))
    };
    let Some(bytes) = storage.get(name)? else { return Err(unusable(&"the file is gone")) };
    envelope::unseal(Kind::State, &bytes).map_err(|why| unusable(&why))
}
