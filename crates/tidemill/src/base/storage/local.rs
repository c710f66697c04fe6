//! A folder of the local disk as storage.

use super::{Hold, Put, Storage, StoredFile};
use crate::base::{
    Error, Result,
    durable::durable_step,
    files::{staging::parent, unique},
};
use std::{
    collections::BTreeSet,
    fs::{self, DirBuilder, File, OpenOptions, TryLockError},
    io::{ErrorKind, Read, Write},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::{Path, PathBuf},
    sync::{Mutex, MutexGuard, PoisonError},
};

const FOLDER_MODE: u32 = 0o700;
const FILE_MODE: u32 = 0o600;

/// Files below one folder: written under a hidden name, made durable, and linked to their own name.
///
/// Files have mode 0600 and folders 0700.
///
/// # Examples
/// ```
/// use tidemill::base::storage::{LocalStorage, Put, Storage};
/// let folder = tempfile::tempdir()?;
/// let storage = LocalStorage::create(folder.path().join("kept"))?;
/// assert_eq!(storage.put_if_absent("log/1", b"one")?, Put::Stored);
/// assert_eq!(storage.put_if_absent("log/1", b"two")?, Put::Exists);
/// assert_eq!(storage.get("log/1")?.as_deref(), Some(&b"one"[..]));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct LocalStorage {
    root: PathBuf,
    url: String,
    noted: Mutex<Noted>,
}

/// What is to be known of earlier calls.
#[derive(Debug, Default)]
struct Noted {
    /// Folders that are there. One that is gone was taken away, with what was in it, and is not made again.
    folders: BTreeSet<PathBuf>,
    /// Files with a name that may not be durable: their folder could not be synced.
    in_doubt: BTreeSet<PathBuf>,
}

impl LocalStorage {
    /// Opens a folder, which is made if need be, and tries that it can be written to.
    ///
    /// # Errors
    /// Unavailable, naming the folder.
    pub fn create(root: impl AsRef<Path>) -> Result<Self> {
        let root = root.as_ref();
        let refused = |error: std::io::Error| {
            Error::from(error).context(format!("the directory \"{}\" cannot be used", root.display()))
        };
        make_folder(root).map_err(refused)?;
        let root = fs::canonicalize(root).map_err(refused)?;
        let storage = Self::at(root);
        let probe = storage.temporary(&storage.root);
        let made = OpenOptions::new().write(true).create_new(true).mode(FILE_MODE).open(&probe);
        made.and_then(|_| fs::remove_file(&probe)).map_err(refused)?;
        Ok(storage)
    }

    /// Opens a folder that is there, and writes nothing.
    pub(super) fn existing(root: impl AsRef<Path>) -> Result<Self> {
        let root = root.as_ref();
        let refused =
            |error| Error::from(error).context(format!("the directory \"{}\" cannot be read", root.display()));
        let root = fs::canonicalize(root).and_then(|root| fs::read_dir(&root).map(|_| root)).map_err(refused)?;
        Ok(Self::at(root))
    }

    fn at(root: PathBuf) -> Self {
        Self { url: root.display().to_string(), root, noted: Mutex::default() }
    }

    fn noted(&self) -> MutexGuard<'_, Noted> {
        self.noted.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The folder.
    pub fn root(&self) -> &Path {
        &self.root
    }

    fn temporary(&self, folder: &Path) -> PathBuf {
        folder.join(format!(".tmp-{}", unique()))
    }

    fn store(&self, path: &Path, bytes: &[u8]) -> std::io::Result<Put> {
        let folder = path.parent().unwrap_or(&self.root);
        let temporary = self.temporary(folder);
        let made = open_new(&temporary).or_else(|error| {
            // The folder is made with the first file in it.
            if error.kind() != ErrorKind::NotFound || self.noted().folders.contains(folder) || !self.root.is_dir() {
                return Err(error);
            }
            make_folder(folder)?;
            open_new(&temporary)
        });
        let put = made.and_then(|file| publish(file, bytes, &temporary, path)).and_then(|put| match put {
            Put::Exists => self.put_again(path, bytes, &temporary),
            Put::Stored => Ok(put),
        });
        let removed = fs::remove_file(&temporary);
        let put = put?;
        removed.or_else(|error| if error.kind() == ErrorKind::NotFound { Ok(()) } else { Err(error) })?;
        self.settle(path, folder)?;
        durable_step("storage: folder synced");
        Ok(put)
    }

    /// The file is there. If the folder could not be synced when it came, another sync that succeeds proves nothing: what was
    /// not written may be forgotten by then. So the new file, with the same in it, takes its place.
    fn put_again(&self, path: &Path, bytes: &[u8], temporary: &Path) -> std::io::Result<Put> {
        if self.noted().in_doubt.contains(path) && fs::read(path)? == bytes {
            fs::rename(temporary, path)?;
            self.noted().in_doubt.remove(path);
        }
        Ok(Put::Exists)
    }

    /// Makes the name of a file durable.
    fn settle(&self, path: &Path, folder: &Path) -> std::io::Result<()> {
        let synced = sync(folder);
        let mut noted = self.noted();
        if synced.is_err() {
            noted.in_doubt.insert(path.to_owned());
        }
        if !noted.folders.contains(folder) {
            noted.folders.insert(folder.to_owned());
        }
        synced
    }

    fn list_into(&self, folder: &Path, prefix: &str, found: &mut Vec<StoredFile>) -> std::io::Result<()> {
        let entries = match fs::read_dir(folder) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
            entries => entries?,
        };
        for entry in entries {
            let entry = entry?;
            let Ok(file_name) = entry.file_name().into_string() else { continue };
            let name = if prefix.is_empty() { file_name.clone() } else { format!("{prefix}/{file_name}") };
            if file_name.starts_with('.') {
                continue;
            }
            // A file may be deleted while the folder is listed.
            let Ok(metadata) = entry.metadata() else { continue };
            if metadata.is_dir() {
                self.list_into(&entry.path(), &name, found)?;
            } else {
                found.push(StoredFile { name, bytes: metadata.len() });
            }
        }
        Ok(())
    }
}

/// Makes a folder and those above it, durably; that it is there is fine.
fn make_folder(folder: &Path) -> std::io::Result<()> {
    if folder.is_dir() {
        return Ok(());
    }
    let above = parent(folder);
    if above != folder {
        make_folder(above)?;
    }
    match DirBuilder::new().mode(FOLDER_MODE).create(folder) {
        Err(error) if error.kind() == ErrorKind::AlreadyExists && folder.is_dir() => Ok(()),
        Err(error) => Err(error),
        // Only one that was made anew is synced again.
        Ok(()) => sync(above).inspect_err(|_| drop(fs::remove_dir(folder))),
    }
}

fn open_new(path: &Path) -> std::io::Result<File> {
    OpenOptions::new().write(true).create_new(true).mode(FILE_MODE).open(path)
}

fn sync(folder: &Path) -> std::io::Result<()> {
    File::open(folder)?.sync_all()
}

/// Fills the temporary file, makes it durable and gives it its name.
fn publish(mut file: File, bytes: &[u8], temporary: &Path, path: &Path) -> std::io::Result<Put> {
    durable_step("storage: file made");
    file.write_all(bytes)?;
    durable_step("storage: file written");
    file.sync_all()?;
    durable_step("storage: file synced");
    match fs::hard_link(temporary, path) {
        Ok(()) => {
            durable_step("storage: file linked");
            Ok(Put::Stored)
        }
        Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(Put::Exists),
        Err(error) => Err(error),
    }
}

fn failed<'a>(what: &'a str, path: &'a Path) -> impl FnOnce(std::io::Error) -> Error + 'a {
    move |error| Error::from(error).context(format!("cannot {what} \"{}\"", path.display()))
}

impl Storage for LocalStorage {
    fn url(&self) -> &str {
        &self.url
    }

    fn put_if_absent(&self, name: &str, bytes: &[u8]) -> Result<Put> {
        let path = self.root.join(name);
        self.store(&path, bytes).map_err(failed("store", &path))
    }

    fn get(&self, name: &str) -> Result<Option<Vec<u8>>> {
        let path = self.root.join(name);
        let mut bytes = Vec::new();
        let read = File::open(&path).and_then(|mut file| file.read_to_end(&mut bytes));
        match read {
            Ok(_) => Ok(Some(bytes)),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(failed("read", &path)(error)),
        }
    }

    fn list(&self, prefix: &str) -> Result<Vec<StoredFile>> {
        let folder = self.root.join(prefix);
        let mut found = Vec::new();
        self.list_into(&folder, prefix, &mut found).map_err(failed("list", &folder))?;
        found.sort();
        Ok(found)
    }

    fn delete(&self, name: &str) -> Result<()> {
        let path = self.root.join(name);
        match fs::remove_file(&path) {
            Err(error) if error.kind() != ErrorKind::NotFound => Err(failed("delete", &path)(error)),
            _ => Ok(()),
        }
    }

    fn hold(&self, name: &str, owner: &str) -> Result<Hold> {
        let path = self.root.join(name);
        let open = OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(FILE_MODE).open(&path);
        let mut file = open.map_err(failed("open", &path))?;
        match file.try_lock() {
            Ok(()) => {
                file.set_len(0).and_then(|()| file.write_all(owner.as_bytes())).map_err(failed("write", &path))?;
                Ok(Hold::Held(Box::new(file)))
            }
            Err(TryLockError::WouldBlock) => {
                let mut owner = String::new();
                let _ = file.read_to_string(&mut owner);
                Ok(Hold::Taken(owner))
            }
            Err(TryLockError::Error(error)) => Err(failed("lock", &path)(error)),
        }
    }
}
