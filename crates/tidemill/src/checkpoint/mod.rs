//! Where a streaming program is remembered. So far that is only a directory of its own; what recovery writes into it,
//! the log of batches and the state, gets its room here.

use crate::base::{Error, Result};
use std::{fs, os::unix::fs::DirBuilderExt, path::Path, path::PathBuf};

/// Only the user that runs the program may look into it.
const MODE: u32 = 0o700;

/// A directory that exists and can be written to.
#[derive(Clone, Debug)]
pub(crate) struct CheckpointDirectory(PathBuf);

impl CheckpointDirectory {
    /// Makes the directory, where it does not exist, and tries whether it can be written to.
    ///
    /// # Errors
    /// Unavailable, naming the directory, if it cannot be made or written to.
    pub(crate) fn create(path: &Path) -> Result<Self> {
        let what = |error: std::io::Error| {
            Error::from(error).context(format!("the checkpoint directory \"{}\" cannot be used", path.display()))
        };
        fs::DirBuilder::new().recursive(true).mode(MODE).create(path).map_err(what)?;
        let path = fs::canonicalize(path).map_err(what)?;
        let probe = path.join(format!(".probe-{}", std::process::id()));
        fs::write(&probe, []).and_then(|()| fs::remove_file(&probe)).map_err(what)?;
        Ok(Self(path))
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }
}
