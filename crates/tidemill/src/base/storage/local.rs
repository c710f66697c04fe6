//! A folder of the local disk as storage.

use super::{Hold, Put, Storage, StoredFile};
use crate::base::{Error, Result, durable::durable_step, files::unique};
use std::{
    fs::{self, DirBuilder, File, OpenOptions, TryLockError},
    io::{ErrorKind, Read, Write},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::{Path, PathBuf},
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
        let storage = Self { url: root.display().to_string(), root };
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
        Ok(Self { url: root.display().to_string(), root })
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
            if error.kind() != ErrorKind::NotFound {
                return Err(error);
            }
            make_folder(folder)?;
            sync(folder.parent().unwrap_or(&self.root))?;
            open_new(&temporary)
        });
        let put = made.and_then(|file| publish(file, bytes, &temporary, path));
        let removed = fs::remove_file(&temporary);
        let put = put?;
        removed?;
        sync(folder)?;
        durable_step("storage: folder synced");
        Ok(put)
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

fn make_folder(folder: &Path) -> std::io::Result<()> {
    DirBuilder::new().recursive(true).mode(FOLDER_MODE).create(folder)
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
