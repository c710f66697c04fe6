//! What is remembered of a streaming program, and how a restart is decided.
//!
//! A log of immutable files says what every batch was given, what it changed and that it is done; [`model`] has what
//! stands in it, [`delta`] how state is written.

#![allow(dead_code, unused_imports, reason = "the rooms above are being fitted to it")]

mod background;
mod compare;
mod decide;
mod delta;
mod entry;
mod envelope;
mod facts;
mod inspect;
mod inspect_files;
mod log;
mod memory;
mod merge;
mod model;
mod open;
mod owner;
mod plan;
mod state_file;
mod tail;

pub use compare::{Change, Difference, PartChange, PartKind};
pub use inspect::{
    CommitInfo, EpochInfo, FileInfo, FileStanding, Finding, Inspection, ManifestInfo, OperatorInfo, PartInfo,
    ProgramInfo, Severity, SliceInfo, UnfinishedInfo,
};

pub(crate) use delta::{Delta, DeltaWriter, Entry, GROUPS, Group, StateDelta, group_of, push_entry};
pub(crate) use log::{CheckpointLog, OpenOptions};
pub(crate) use model::{Commit, Part, Picked, Program, Recovered, Slice, Slices, StateSource};
pub(crate) use state_file::{load_state, put_state};

use crate::base::{
    Result,
    storage::{LocalStorage, StorageRef},
};
use std::{path::Path, path::PathBuf, sync::Arc};

/// A place that exists and can be written to.
#[derive(Clone, Debug)]
pub(crate) struct CheckpointDirectory {
    storage: StorageRef,
    /// Where it is, if that is a folder of this machine.
    path: Option<PathBuf>,
}

impl CheckpointDirectory {
    /// Makes the directory, where it does not exist, and tries whether it can be written to.
    ///
    /// # Errors
    /// Unavailable, naming the directory, if it cannot be made or written to.
    pub(crate) fn create(path: &Path) -> Result<Self> {
        let storage = LocalStorage::create(path).map_err(|error| error.context("the checkpoint"))?;
        let path = storage.root().to_path_buf();
        Ok(Self { storage: Arc::new(storage), path: Some(path) })
    }

    /// A storage of the user's own.
    pub(crate) fn of(storage: StorageRef) -> Self {
        Self { storage, path: None }
    }

    pub(crate) fn path(&self) -> Option<&Path> {
        self.path.as_deref()
    }

    pub(crate) fn storage(&self) -> &StorageRef {
        &self.storage
    }
}

#[cfg(test)]
mod tests;
