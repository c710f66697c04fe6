//! Output as a directory of part files, complete once it holds `_SUCCESS`.
//!
//! Each part is written under a hidden name of its own, made durable, and renamed into place: a reader sees a part entirely
//! or not at all, and to write a part twice leaves what writing it once leaves. A failed write or fsync loses its temporary
//! file; the next attempt starts a new one and never trusts the old.

use super::{
    Codec,
    codec::Compressor,
    paths::{children, is_missing},
    refused, unique,
};
use crate::base::{Error, Result, Time, durable::durable_step};
use std::{
    fmt,
    fs::{self, File, OpenOptions},
    io::{ErrorKind, Write},
    path::{Path, PathBuf},
};

/// The name of the empty file that says that an output directory is complete.
pub const SUCCESS: &str = "_SUCCESS";

/// What to do about an output directory that exists.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OutputMode {
    /// Refuse: what batch programs get.
    MustNotExist,
    /// Write over the parts in it: what streaming jobs get, where an existing directory is that of an earlier attempt at the
    /// same batch.
    Replace,
}

/// Writes the part files of one output directory.
///
/// The one that drives calls [`create`](Self::create), then each task saves its part through a writer from
/// [`at`](Self::at), then the one that drives calls [`finish`](Self::finish).
///
/// # Examples
/// ```
/// use tidemill::base::files::{Codec, OutputMode, PartWriter, whole};
/// let folder = tempfile::tempdir()?;
/// let directory = folder.path().join("counts-1000");
/// let writer = PartWriter::create(&directory, OutputMode::MustNotExist, Some(Codec::Gzip))?;
/// writer.save(0, ["a 1", "b 2"])?;
/// writer.finish(1)?;
/// assert_eq!(whole::read_text(directory.join("part-00000.gz"))?.1, "a 1\nb 2\n");
/// assert!(directory.join("_SUCCESS").exists());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct PartWriter {
    pub(super) directory: PathBuf,
    codec: Option<Codec>,
}

impl PartWriter {
    /// Makes the output directory, with the directories above it, or opens it to be replaced.
    ///
    /// Replacing removes `_SUCCESS` first; parts stay until they are written over or [`finish`](Self::finish) removes them.
    ///
    /// # Errors
    /// Invalid if it exists and must not, Unavailable if the system refuses.
    pub fn create(directory: impl Into<PathBuf>, mode: OutputMode, codec: Option<Codec>) -> Result<Self> {
        let writer = Self::at(directory, codec);
        let directory = writer.directory.as_path();
        let parent = match directory.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => parent,
            _ => Path::new("."),
        };
        fs::create_dir_all(parent).map_err(|error| refused("make the directory", parent, error))?;
        match fs::create_dir(directory) {
            Ok(()) => sync_directory(parent)?,
            Err(_) if mode == OutputMode::Replace && directory.is_dir() => {
                remove(&directory.join(SUCCESS))?;
                sync_directory(directory)?;
            }
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {
                return Err(Error::invalid(format!(
                    "output directory \"{}\" exists already; remove it or choose another",
                    directory.display()
                )));
            }
            Err(error) => return Err(refused("make the directory", directory, error)),
        }
        Ok(writer)
    }

    /// A writer into a directory that [`create`](Self::create) made, perhaps in another process.
    pub fn at(directory: impl Into<PathBuf>, codec: Option<Codec>) -> Self {
        Self { directory: directory.into(), codec }
    }

    /// Begins a part, which becomes visible when it is [committed](PartFile::commit).
    ///
    /// # Errors
    /// Unavailable if the file cannot be made.
    pub fn part(&self, partition: usize) -> Result<PartFile> {
        let name = self.part_name(partition);
        let temporary = self.directory.join(format!(".{name}.{}.tmp", unique()));
        let file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .open(&temporary)
            .map_err(|error| refused("make", &temporary, error))?;
        let sink = Compressor::new(file, self.codec).map_err(|error| refused("write", &temporary, error))?;
        Ok(PartFile { target: self.directory.join(name), temporary, sink: Some(sink) })
    }

    /// Writes a part of lines, each followed by `\n`, and makes it visible; returns how many lines there were.
    ///
    /// # Errors
    /// Unavailable, with the path, if the system refuses (a full disk, say); nothing is left behind then.
    pub fn save<L: AsRef<[u8]>>(&self, partition: usize, lines: impl IntoIterator<Item = L>) -> Result<u64> {
        let mut part = self.part(partition)?;
        let mut count = 0;
        for line in lines {
            part.write_line(line.as_ref())?;
            count += 1;
        }
        part.commit()?;
        Ok(count)
    }

    /// Declares the directory complete: parts that are not among the `partitions` of this output, and what crashed attempts
    /// left, are removed; then `_SUCCESS` is written.
    ///
    /// # Errors
    /// Internal if a part is missing, Unavailable if the system refuses; there is no `_SUCCESS` then.
    pub fn finish(&self, partitions: usize) -> Result<()> {
        self.sweep(partitions)?;
        for partition in 0..partitions {
            let part = self.directory.join(self.part_name(partition));
            if !part.exists() {
                return Err(Error::internal(format!("output part \"{}\" was never written", part.display())));
            }
        }
        // The parts' names must be durable before the file that vouches for them.
        sync_directory(&self.directory)?;
        self.mark_complete()
    }

    /// Writes `_SUCCESS`. If that cannot be made durable it goes again: the next try makes it anew, for another sync of what
    /// could not be synced proves nothing.
    pub(super) fn mark_complete(&self) -> Result<()> {
        let success = self.directory.join(SUCCESS);
        let made = File::create(&success).and_then(|file| file.sync_all());
        let marked = made.map_err(|error| refused("write", &success, error)).and_then(|()| {
            durable_step("directory: marker written");
            sync_directory(&self.directory)
        });
        if marked.is_err() {
            let _ = fs::remove_file(&success);
        }
        marked
    }

    /// Removes what was written, and the directory if nothing else is in it.
    ///
    /// # Errors
    /// Unavailable if the system refuses.
    pub fn discard(&self) -> Result<()> {
        if !self.directory.is_dir() {
            return Ok(());
        }
        remove(&self.directory.join(SUCCESS))?;
        self.sweep(0)?;
        match fs::remove_dir(&self.directory) {
            Err(error) if error.kind() != ErrorKind::DirectoryNotEmpty && !is_missing(&error) => {
                Err(refused("remove", &self.directory, error))
            }
            _ => Ok(()),
        }
    }

    pub(super) fn sweep(&self, partitions: usize) -> Result<()> {
        for path in children(&self.directory)? {
            let Some(name) = path.file_name().and_then(|name| name.to_str()) else { continue };
            let leftover = name.starts_with(".part-") && name.ends_with(".tmp");
            let stale = partition_of(name).is_some_and(|part| part >= partitions || name != self.part_name(part));
            if leftover || stale {
                remove(&path)?;
            }
        }
        Ok(())
    }

    pub(super) fn part_name(&self, partition: usize) -> String {
        match self.codec {
            Some(codec) => format!("part-{partition:05}.{}", codec.extension()),
            None => format!("part-{partition:05}"),
        }
    }
}

/// A part file that is being written; dropped without [`commit`](Self::commit) it leaves nothing.
pub struct PartFile {
    target: PathBuf,
    temporary: PathBuf,
    sink: Option<Compressor>,
}

impl PartFile {
    /// Writes a line and `\n`.
    ///
    /// # Errors
    /// Unavailable if the system refuses.
    pub fn write_line(&mut self, line: &[u8]) -> Result<()> {
        self.write(line)?;
        self.write(b"\n")
    }

    /// Writes bytes as they are.
    ///
    /// # Errors
    /// Unavailable if the system refuses.
    pub fn write(&mut self, bytes: &[u8]) -> Result<()> {
        match &mut self.sink {
            Some(sink) => sink.write_all(bytes).map_err(|error| refused("write", &self.target, error)),
            None => Ok(()), // only between commit and drop, which nobody can call this in
        }
    }

    /// Makes the part durable and visible under its name, over an earlier one if there is one.
    ///
    /// # Errors
    /// Unavailable if the system refuses; the part is not visible then.
    pub fn commit(mut self) -> Result<()> {
        self.end(|part| fs::rename(&part.temporary, &part.target))
    }

    /// Makes the part durable under its hidden name, which is returned.
    ///
    /// # Errors
    /// Unavailable if the system refuses; nothing is left then.
    pub(crate) fn stage(mut self) -> Result<PathBuf> {
        self.end(|_| Ok(()))?;
        Ok(std::mem::take(&mut self.temporary))
    }

    fn end(&mut self, then: impl FnOnce(&Self) -> std::io::Result<()>) -> Result<()> {
        let Some(sink) = self.sink.take() else { return Ok(()) };
        let outcome = sink
            .finish()
            .and_then(|file| file.sync_all())
            .and_then(|()| then(self))
            .map_err(|error| refused("write", &self.target, error));
        if outcome.is_err() {
            let _ = fs::remove_file(&self.temporary);
        }
        outcome
    }
}

impl Drop for PartFile {
    fn drop(&mut self) {
        if self.sink.take().is_some() {
            // Best effort: a leftover has a hidden name, and finish removes it.
            let _ = fs::remove_file(&self.temporary);
        }
    }
}

impl fmt::Debug for PartFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PartFile({:?})", self.target)
    }
}

/// The directory that a stream's output of the batch `time` goes to, by the rules of Spark's Scala API.
///
/// # Examples
/// ```
/// use tidemill::{Time, base::files::batch_name};
/// let time = Time::from_ms(1_000);
/// assert_eq!(batch_name("out/counts", time, "txt"), "out/counts-1000.txt");
/// assert_eq!(batch_name("out/counts", time, ""), "out/counts-1000");
/// assert_eq!(batch_name("", time, ""), "1000");
/// ```
pub fn batch_name(prefix: &str, time: Time, suffix: &str) -> String {
    let dash = if prefix.is_empty() { "" } else { "-" };
    let dot = if suffix.is_empty() { "" } else { "." };
    format!("{prefix}{dash}{}{dot}{suffix}", time.as_ms())
}

/// The partition number in the name of a part file, whatever its extension.
fn partition_of(name: &str) -> Option<usize> {
    let number = name.strip_prefix("part-")?.split('.').next()?;
    let is_number = number.len() >= 5 && number.bytes().all(|byte| byte.is_ascii_digit());
    is_number.then(|| number.parse().ok()).flatten()
}

pub(super) fn remove(path: &Path) -> Result<()> {
    match fs::remove_file(path) {
        Err(error) if !is_missing(&error) => Err(refused("remove", path, error)),
        _ => Ok(()),
    }
}

pub(crate) fn sync_directory(directory: &Path) -> Result<()> {
    File::open(directory).and_then(|file| file.sync_all()).map_err(|error| refused("make durable", directory, error))
}

#[cfg(test)]
mod tests;
