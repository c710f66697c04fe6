//! Parts that wait under hidden names until it is decided that they are the output.
//!
//! A batch may be tried more than once, and an attempt that was left for dead may still write while another one is decided
//! on. So no attempt touches anything that a reader or another attempt could see: each part has a name that no other
//! attempt makes, and only [`publish`](PartWriter::publish) gives names to them, which can be repeated.

use super::{
    is_hidden,
    paths::{children, is_missing},
    refused,
    write::{PartWriter, SUCCESS, remove, sync_directory},
};
use crate::base::{Error, ErrorKind, Result, durable::durable_step};
use std::{
    fs, io,
    path::{Path, PathBuf},
};

/// The folder that a path lies in.
pub(crate) fn parent(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}

/// Makes a directory and those above it, durably; that it is there is fine.
pub(crate) fn make_directory(directory: &Path) -> Result<()> {
    if directory.is_dir() {
        return Ok(());
    }
    let above = parent(directory);
    if above != directory {
        make_directory(above)?;
    }
    match fs::create_dir(directory) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists && directory.is_dir() => Ok(()),
        Err(error) => Err(refused("make the directory", directory, error)),
        Ok(()) => sync_directory(above),
    }
}

/// Gives a finished file or directory a name that readers pass over, and says which: it is not part of the output, but it
/// is not ours to destroy.
pub(crate) fn withdraw(path: &Path) -> Result<PathBuf> {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let name = name.trim_start_matches('.');
    let names = (1_u64..).map(|n| format!("_withdrawn-{n}-{name}"));
    let folder = parent(path);
    let free = names.map(|name| folder.join(name)).find(|path| fs::symlink_metadata(path).is_err());
    let target = free.ok_or_else(|| Error::internal("there are no numbers left"))?;
    fs::rename(path, &target).map_err(|error| refused("rename", path, error))?;
    durable_step("withdrawn");
    sync_directory(folder)?;
    Ok(target)
}

impl PartWriter {
    /// Makes the directory, if it is not there; nothing in it is touched.
    ///
    /// # Errors
    /// Unavailable if the system refuses.
    pub(crate) fn ready(&self) -> Result<()> {
        make_directory(&self.directory)
    }

    /// Makes the hidden names of parts durable that are there.
    ///
    /// # Errors
    /// Unavailable if the system refuses.
    pub(crate) fn settle(&self) -> Result<()> {
        self.ready()?;
        sync_directory(&self.directory)?;
        sync_directory(parent(&self.directory))
    }

    /// Makes the parts with these hidden names the whole output: they get their names, what else is there of earlier
    /// attempts goes, and `_SUCCESS` says that it is complete. Done again it changes nothing.
    ///
    /// # Errors
    /// Data if a part is gone, Unavailable if the system refuses; there is no `_SUCCESS` then, or all is as it was.
    pub(crate) fn publish(&self, staged: &[String]) -> Result<()> {
        self.ready()?;
        let success = self.directory.join(SUCCESS);
        let waits = staged.iter().any(|name| self.directory.join(name).exists());
        if success.exists() {
            if !waits && self.holds(staged.len())? {
                return sync_directory(&self.directory);
            }
            remove(&success)?;
            sync_directory(&self.directory)?;
            durable_step("directory: marker taken away");
        }
        for (partition, name) in staged.iter().enumerate() {
            self.reveal(name, &self.directory.join(self.part_name(partition)))?;
        }
        self.sweep(staged.len())?;
        // The parts' names must be durable before the file that vouches for them.
        sync_directory(&self.directory)?;
        durable_step("directory: parts named");
        self.mark_complete()
    }

    /// Whether the parts of an output of so many partitions are here, and no others.
    fn holds(&self, partitions: usize) -> Result<bool> {
        let parts = children(&self.directory)?;
        let parts = parts.iter().filter(|path| !is_hidden(path)).filter_map(|path| path.file_name()?.to_str());
        let parts: Vec<_> = parts.filter(|name| name.starts_with("part-")).collect();
        Ok(parts.len() == partitions && (0..partitions).all(|part| parts.contains(&self.part_name(part).as_str())))
    }

    fn reveal(&self, name: &str, part: &Path) -> Result<()> {
        let hidden = self.directory.join(name);
        match fs::rename(&hidden, part) {
            Ok(()) => durable_step("directory: part renamed"),
            // Then this was done before.
            Err(error) if is_missing(&error) && part.exists() => {}
            Err(error) if is_missing(&error) => {
                return Err(Error::new(
                    ErrorKind::Data,
                    format!("output part \"{}\" is gone, and with it what it held; restore it", hidden.display()),
                ));
            }
            Err(error) => return Err(refused("rename", &hidden, error)),
        }
        Ok(())
    }

    /// Removes the directory if nothing is in it.
    pub(crate) fn remove_if_empty(&self) {
        let _ = fs::remove_dir(&self.directory);
    }
}

#[cfg(test)]
mod tests;
