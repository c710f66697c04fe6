//! Plain files: which ones a path means, how they are cut and read, how results are written,
//! and which files of a watched directory make up a batch.
//!
//! Nothing here knows of datasets or streams: everything works on paths, bytes and times.

pub mod codec;
pub mod lines;
pub mod objects;
pub mod paths;
pub mod records;
pub mod split;
pub(crate) mod staging;
pub mod watch;
pub mod whole;
pub mod write;

pub use codec::Codec;
pub use lines::{ByteSource, LineSource};
pub use paths::InputFile;
pub use split::FileSplit;
pub use watch::{DirectoryLister, DirectoryWatcher, SeenFile, WatcherState};
pub use write::{OutputMode, PartWriter, batch_name};

use crate::base::{Error, Result};
use std::{
    fs::File,
    hash::{BuildHasher, Hasher, RandomState},
    io,
    path::Path,
    sync::{
        LazyLock,
        atomic::{AtomicU64, Ordering},
    },
};

/// A word for names that no other attempt makes: in this process, in an earlier one of the same id, on another machine.
pub(crate) fn unique() -> String {
    static PROCESS: LazyLock<u64> = LazyLock::new(|| RandomState::new().build_hasher().finish());
    static COUNT: AtomicU64 = AtomicU64::new(0);
    format!("{:016x}-{}", *PROCESS, COUNT.fetch_add(1, Ordering::Relaxed))
}

/// An operation on a file that the system refused, with the path in the message.
pub(crate) fn refused(what: &str, path: &Path, error: io::Error) -> Error {
    Error::from(error).context(format_args!("cannot {what} \"{}\"", path.display()))
}

/// A failed read: bytes that do not decode are the data's fault, the rest is the system's.
pub(crate) fn unreadable(path: &Path, error: io::Error) -> Error {
    if error.raw_os_error().is_some() {
        return refused("read", path, error);
    }
    Error::data(format!("the contents of \"{}\" are damaged: {error}; restore or remove the file", path.display()))
        .with_source(error)
}

/// Opens a file for reading.
pub(crate) fn open(path: &Path) -> Result<File> {
    File::open(path).map_err(|error| refused("open", path, error))
}

/// Whether listings pass over a name, as Hadoop's input formats do.
pub(crate) fn is_hidden(path: &Path) -> bool {
    path.file_name().is_some_and(|name| matches!(name.as_encoded_bytes().first(), Some(b'.' | b'_')))
}
