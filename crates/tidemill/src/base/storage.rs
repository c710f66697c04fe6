//! Where durable things are kept: immutable named files, each stored once, whole or not at all.

mod local;
mod memory;
mod open;
mod probe;

pub use local::LocalStorage;
pub use memory::MemoryStorage;
pub(crate) use open::local_path;
pub use open::{open, open_existing, redacted, register};
pub use probe::probe;

use super::Result;
use std::{any::Any, fmt, sync::Arc};

/// What became of a [`Storage::put_if_absent`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Put {
    /// The file is there now, whole and durable.
    Stored,
    /// A file of this name was there already; nothing was changed.
    Exists,
}

/// A file that [`Storage::list`] found.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct StoredFile {
    /// Relative to the root, parts separated by `/`.
    pub name: String,
    /// Its length.
    pub bytes: u64,
}

/// Whether this process may use a name alone.
pub enum Hold {
    /// It does, until the guard is dropped or the process ends.
    Held(Box<dyn Any + Send + Sync>),
    /// Another process does; who, if it said so.
    Taken(String),
    /// The storage cannot tell: the files themselves must.
    Unsupported,
}

impl fmt::Debug for Hold {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Hold::Held(_) => f.write_str("Held"),
            Hold::Taken(owner) => write!(f, "Taken({owner:?})"),
            Hold::Unsupported => f.write_str("Unsupported"),
        }
    }
}

/// A folder of immutable files, on a disk or in an object store.
///
/// Names are relative paths of letters, digits, `.`, `-`, `_`, their parts separated by `/`. No file is ever changed: what is written is
/// new, what is no longer wanted is deleted. Every call ends within a bounded time, with an error if need be.
pub trait Storage: Send + Sync + fmt::Debug + 'static {
    /// What to call the root in messages: its path or URL, without secrets.
    fn url(&self) -> &str;

    /// Stores a file, unless there is one of that name. Once it returns `Stored` the file outlives a loss of power; if the
    /// process dies before, the file is there whole or not at all.
    ///
    /// # Errors
    /// Unavailable, naming the file, if it is not known to be stored. It may have been: a caller that tries again and is told `Exists`
    /// has to read it.
    fn put_if_absent(&self, name: &str, bytes: &[u8]) -> Result<Put>;

    /// The whole file, `None` if there is none of that name.
    ///
    /// # Errors
    /// Unavailable, naming the file.
    fn get(&self, name: &str) -> Result<Option<Vec<u8>>>;

    /// All files below the folder `prefix` (`""`: all there are), in the order of their names.
    ///
    /// # Errors
    /// Unavailable, naming the folder.
    fn list(&self, prefix: &str) -> Result<Vec<StoredFile>>;

    /// Deletes a file; that there is none is no error.
    ///
    /// # Errors
    /// Unavailable, naming the file.
    fn delete(&self, name: &str) -> Result<()>;

    /// Takes `name` for this process alone, telling others `owner`.
    ///
    /// # Errors
    /// Unavailable, naming the file.
    fn hold(&self, name: &str, owner: &str) -> Result<Hold> {
        let _ = (name, owner);
        Ok(Hold::Unsupported)
    }
}

/// A shared [`Storage`].
pub type StorageRef = Arc<dyn Storage>;
