//! Which program a process runs, so that two different ones never exchange typed bytes.

use crate::base::{Error, Result};
use serde::{Deserialize, Serialize};
use std::{fmt, fs};

/// A hash of the program that a process runs. It tells builds apart by accident, not by attack.
///
/// # Examples
/// ```
/// use tidemill::engine::cluster::BuildId;
/// assert_eq!(BuildId::of_executable()?, BuildId::of_executable()?);
/// assert_ne!(BuildId::of_bytes(b"one build"), BuildId::of_bytes(b"another build"));
/// # Ok::<(), tidemill::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BuildId(u64);

impl BuildId {
    /// The build of the running executable.
    ///
    /// # Errors
    /// `Unavailable` if the executable cannot be read.
    pub fn of_executable() -> Result<Self> {
        let unreadable = |error| Error::unavailable("cannot read this program's own executable").with_source(error);
        // On Linux this link leads to the running file even if another build has since taken its name.
        let bytes = match fs::read("/proc/self/exe") {
            Ok(bytes) => bytes,
            Err(_) => std::env::current_exe().and_then(fs::read).map_err(unreadable)?,
        };
        Ok(Self::of_bytes(&bytes))
    }

    /// The build that `bytes` stand for, such as a script with the version of its interpreter.
    pub fn of_bytes(bytes: &[u8]) -> Self {
        Self(rapidhash::v3::rapidhash_v3(bytes))
    }
}

impl fmt::Display for BuildId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}
