//! Looks at watched directories: the I/O at the edge of the watcher.

use super::{FileId, SeenFile};
use crate::{
    base::files::{
        is_hidden,
        paths::{children, is_missing, roots},
        refused,
    },
    base::{Result, Time},
};
use std::{
    collections::HashSet,
    fs::{self, Metadata},
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
    time::UNIX_EPOCH,
};

/// `ELOOP`, which std names only on nightly.
const TOO_MANY_LINKS: i32 = if cfg!(target_os = "linux") { 40 } else { 62 };

/// Lists the files of watched directories.
///
/// A glob selects directories, never files. Files are found through symlinks too; dangling ones are passed over, and however
/// links loop, no directory is listed twice. Directories whose names start with `.` or `_` are not entered.
///
/// # Examples
/// ```
/// use tidemill::base::files::DirectoryLister;
/// let folder = tempfile::tempdir()?;
/// std::fs::write(folder.path().join("a.txt"), "12345")?;
/// let listing = DirectoryLister::new(folder.path().display().to_string()).list()?;
/// assert_eq!(listing[0].size_bytes, 5);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct DirectoryLister {
    pattern: String,
    recursive: bool,
    missing: bool,
    not_utf8: HashSet<PathBuf>,
}

impl DirectoryLister {
    /// A lister of one directory, or of all that match a glob; `file:` may come before it.
    pub fn new(pattern: impl Into<String>) -> Self {
        Self { pattern: pattern.into(), recursive: false, missing: false, not_utf8: HashSet::new() }
    }

    /// The same lister, which also lists the directories within.
    #[must_use]
    pub fn recursive(mut self) -> Self {
        self.recursive = true;
        self
    }

    /// What is there now: directory by directory, each sorted by name. If there is no directory, there are no files, and the
    /// log says so once.
    ///
    /// # Errors
    /// Unavailable if a directory exists but cannot be listed, Invalid for a malformed pattern.
    pub fn list(&mut self) -> Result<Vec<SeenFile>> {
        let mut directories = roots(&self.pattern)?;
        directories.retain(|path| path.is_dir());
        self.say_if_missing(directories.is_empty());
        directories.reverse();
        let mut listing = Vec::new();
        let mut listed = HashSet::new();
        while let Some(directory) = directories.pop() {
            let Some(metadata) = look_at(&directory)? else { continue };
            if listed.insert((metadata.dev(), metadata.ino())) {
                let within = self.list_one(&directory, &mut listing)?;
                directories.extend(within.into_iter().rev());
            }
        }
        Ok(listing)
    }

    /// Adds what is in one directory; returns the directories in it that are to be listed too.
    fn list_one(&mut self, directory: &Path, listing: &mut Vec<SeenFile>) -> Result<Vec<PathBuf>> {
        let mut within = Vec::new();
        let found = match children(directory) {
            Err(_) if !directory.exists() => return Ok(within), // removed since its parent was listed
            found => found?,
        };
        for path in found {
            let Some(metadata) = look_at(&path)? else { continue };
            if self.recursive && metadata.is_dir() && !is_hidden(&path) {
                within.push(path);
            } else if metadata.is_dir() || metadata.is_file() {
                listing.extend(self.seen_file(path, &metadata));
            }
        }
        Ok(within)
    }

    fn seen_file(&mut self, path: PathBuf, metadata: &Metadata) -> Option<SeenFile> {
        let path = match path.into_os_string().into_string() {
            Ok(path) => path,
            Err(path) => {
                let path = PathBuf::from(path);
                if !self.not_utf8.contains(&path) {
                    tracing::warn!(path = %path.display(), "passed over: its name is not UTF-8; rename it");
                    self.not_utf8.insert(path);
                }
                return None;
            }
        };
        let created = metadata.created().ok().and_then(|time| time.duration_since(UNIX_EPOCH).ok()).unwrap_or_default();
        let modified =
            metadata.modified().ok().and_then(|time| time.duration_since(UNIX_EPOCH).ok()).unwrap_or_default();
        Some(SeenFile {
            path,
            size_bytes: metadata.len(),
            mtime: Time::default() + modified,
            is_dir: metadata.is_dir(),
            id: FileId { device: metadata.dev(), inode: metadata.ino(), created: Time::default() + created },
        })
    }

    fn say_if_missing(&mut self, missing: bool) {
        if missing && !self.missing {
            tracing::warn!(
                directory = self.pattern,
                "the watched directory does not exist; its batches are empty until it does"
            );
        }
        self.missing = missing;
    }
}

/// What a path leads to; `None` for a dangling or looping link, and for what has just gone.
fn look_at(path: &Path) -> Result<Option<Metadata>> {
    match fs::metadata(path) {
        Ok(metadata) => Ok(Some(metadata)),
        Err(error) if is_missing(&error) || error.raw_os_error() == Some(TOO_MANY_LINKS) => Ok(None),
        Err(error) => Err(refused("look at", path, error)),
    }
}
