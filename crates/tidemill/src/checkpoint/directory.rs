//! Where a checkpoint is: a folder of this machine, or a storage that an URL names.

use crate::base::{
    Result,
    storage::{self, LocalStorage, StorageRef},
};
use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

/// A place that exists and can be written to.
#[derive(Clone, Debug)]
pub(crate) struct CheckpointDirectory {
    storage: StorageRef,
    /// Where it is, if that is a folder of this machine.
    path: Option<PathBuf>,
}

impl CheckpointDirectory {
    /// Makes the directory, where it does not exist, and tries whether it can be written to. `place` is a path, or the URL of
    /// another storage, which is tried for what the log needs of it.
    ///
    /// # Errors
    /// Unavailable, naming the directory, if it cannot be made or written to; Invalid if it is a storage that the log is not safe
    /// in, or one that nobody registered.
    pub(crate) fn create(place: &Path) -> Result<Self> {
        Self::open(place).map_err(|error| error.context("the checkpoint"))
    }

    fn open(place: &Path) -> Result<Self> {
        // What is no text is no URL.
        let url = place.to_str().unwrap_or_default();
        let path = if url.is_empty() { Some(place.to_path_buf()) } else { storage::local_path(url)? };
        if let Some(path) = path {
            let storage = LocalStorage::create(path)?;
            let path = storage.root().to_path_buf();
            return Ok(Self { storage: Arc::new(storage), path: Some(path) });
        }
        let storage = storage::open(url)?;
        storage::probe(storage.as_ref())?;
        Ok(Self { storage, path: None })
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
