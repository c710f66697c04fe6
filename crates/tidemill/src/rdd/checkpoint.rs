//! Checkpoints of Rdds: partitions in durable files, and a lineage that ends at them.

use super::{
    files::objects,
    node::{Rdd, Site},
    session::Session,
};
use crate::{
    base::files::{OutputMode, PartWriter},
    base::{Data, Error, Result},
};
use std::{
    io::ErrorKind,
    path::{Path, PathBuf},
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};

#[cfg(test)]
mod tests;

/// The checkpoint of one Rdd, in a directory of its own.
pub(crate) struct Checkpoint {
    directory: PathBuf,
    parts: PartWriter,
    /// Which partitions this process has written or seen.
    written: Vec<AtomicBool>,
    complete: AtomicBool,
}

impl Checkpoint {
    pub(crate) fn has(&self, partition: usize) -> bool {
        self.is_complete() || self.written[partition].load(Ordering::Acquire)
    }

    pub(crate) fn is_complete(&self) -> bool {
        self.complete.load(Ordering::Acquire)
    }

    /// Writes a partition; it is visible once it is whole.
    pub(crate) fn write<T: Data>(&self, partition: usize, chunks: impl Iterator<Item = Vec<T>>) -> Result<()> {
        objects::write(&self.parts, partition, chunks)?;
        self.written[partition].store(true, Ordering::Release);
        Ok(())
    }

    pub(crate) fn read<T: Data>(&self, partition: usize) -> Result<impl Iterator<Item = Result<Vec<T>>> + use<T>> {
        objects::read(self.directory.join(format!("part-{partition:05}")))
    }
}

/// Where a context puts checkpoints.
#[derive(Default)]
pub(crate) struct RddDirectory(Mutex<Option<PathBuf>>);

impl RddDirectory {
    pub(crate) fn get(&self) -> Option<PathBuf> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Makes a directory of this context's own in `directory`.
    pub(crate) fn set(&self, directory: &Path, session: &Session) -> Result<()> {
        let refused = |path: &Path, error: std::io::Error| {
            let path = path.display();
            Error::unavailable(format!("cannot make the checkpoint directory \"{path}\": {error}")).with_source(error)
        };
        std::fs::create_dir_all(directory).map_err(|error| refused(directory, error))?;
        let own = if session.is_shared() {
            // All processes share it, and each writes its own partitions anew.
            let shared = directory.join("rdds");
            std::fs::create_dir_all(&shared).map_err(|error| refused(&shared, error))?;
            shared
        } else {
            let mut number = 0;
            loop {
                let own = directory.join(format!("rdds-{number:04}"));
                match std::fs::create_dir(&own) {
                    Ok(()) => break own,
                    Err(error) if error.kind() == ErrorKind::AlreadyExists => number += 1,
                    Err(error) => return Err(refused(&own, error)),
                }
            }
        };
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(own);
        Ok(())
    }
}

impl Session {
    /// The directory for checkpoints of Rdds; in that of the streams, where none is set.
    fn rdd_checkpoint_dir(&self) -> Result<Option<PathBuf>> {
        let (own, streams) = (&self.extensions.rdd_checkpoints, &self.extensions.checkpoint_dir);
        if let (None, Some(directory)) = (own.get(), streams.get()) {
            own.set(directory, self)?;
        }
        Ok(own.get())
    }
}

impl<T: Data> Rdd<T> {
    /// Has this dataset written to the checkpoint directory by the next job that computes it; from then on it is read
    /// there and not computed again, and what it was computed from is not needed any more.
    ///
    /// The files are written while that job runs; partitions that it did not compute follow in a job of their own right
    /// after it. [`Context::object_file`](crate::Context::object_file) reads them in another program.
    ///
    /// # Errors
    /// If there is no [checkpoint directory](crate::Context::set_checkpoint_dir) or it cannot be written to.
    ///
    /// # Examples
    /// ```
    /// let folder = tempfile::tempdir()?;
    /// let sc = tidemill::Context::local(2);
    /// sc.set_checkpoint_dir(folder.path())?;
    /// let squares = sc.range(0, 4, 1, 2).map(|n| n * n);
    /// squares.checkpoint()?;
    /// assert!(!squares.is_checkpointed());
    /// squares.count()?;
    /// assert!(squares.is_checkpointed());
    ///
    /// let files = squares.checkpoint_file().expect("it is checkpointed");
    /// let again = sc.object_file::<i64>(files.display().to_string())?;
    /// assert_eq!(again.collect()?, vec![0, 1, 4, 9]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[track_caller]
    pub fn checkpoint(&self) -> Result<()> {
        if self.storage().checkpoint().is_some() {
            return Ok(());
        }
        let site = Site::here("checkpoint");
        let Some(directory) = self.session().rdd_checkpoint_dir()? else {
            return Err(Error::invalid(format!(
                "\"{site}\" needs a checkpoint directory; call Context::set_checkpoint_dir first"
            )));
        };
        let directory = directory.join(format!("rdd-{}", self.id()));
        let shared = self.session().is_shared();
        let mode = if shared { OutputMode::Replace } else { OutputMode::MustNotExist };
        let made =
            if self.session().is_driver() { PartWriter::create(&directory, mode, None).map(drop) } else { Ok(()) };
        self.session().agree(made)?;
        let parts = PartWriter::at(&directory, None);
        let written = (0..self.num_partitions()).map(|_| AtomicBool::new(false)).collect();
        self.storage().set_checkpoint(Checkpoint { directory, parts, written, complete: AtomicBool::new(false) });
        Ok(())
    }

    /// Whether the checkpoint of this dataset is written.
    ///
    /// # Examples
    /// ```
    /// let sc = tidemill::Context::local(2);
    /// assert!(!sc.range(0, 4, 1, 2).is_checkpointed());
    /// ```
    pub fn is_checkpointed(&self) -> bool {
        self.storage().checkpoint().is_some_and(Checkpoint::is_complete)
    }

    /// The directory of the checkpoint of this dataset, once it is written.
    ///
    /// # Examples
    /// ```
    /// let sc = tidemill::Context::local(2);
    /// assert_eq!(sc.range(0, 4, 1, 2).checkpoint_file(), None);
    /// ```
    pub fn checkpoint_file(&self) -> Option<PathBuf> {
        let checkpoint = self.storage().checkpoint().filter(|checkpoint| checkpoint.is_complete())?;
        Some(checkpoint.directory.clone())
    }

    /// Writes the partitions that are missing and declares the checkpoint complete.
    pub(crate) fn finish_checkpoint(&self) -> Result<()> {
        let Some(checkpoint) = self.storage().checkpoint().filter(|checkpoint| !checkpoint.is_complete()) else {
            return Ok(());
        };
        let partitions = 0..self.num_partitions();
        // One process cannot see what the others wrote, so it asks all of them.
        let shared = self.session().is_shared();
        let missing: Vec<_> = partitions.filter(|&partition| shared || !checkpoint.has(partition)).collect();
        let site = self.site().step("checkpoint");
        self.run_planned(site, missing, |rdd, partition, task| rdd.chunks(partition, task).for_each(drop))?;
        let finished = if self.session().is_driver() { checkpoint.parts.finish(self.num_partitions()) } else { Ok(()) };
        self.session().agree(finished)?;
        checkpoint.complete.store(true, Ordering::Release);
        Ok(())
    }
}
