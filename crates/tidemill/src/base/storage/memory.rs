//! Storage in memory, for tests: as quick as it is short-lived.

use super::{Hold, Put, Storage, StoredFile};
use crate::base::Result;
use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
};

/// Files that live as long as the storage does. A clone is the same storage.
///
/// # Examples
/// ```
/// use tidemill::base::storage::{MemoryStorage, Put, Storage};
/// let storage = MemoryStorage::new();
/// assert_eq!(storage.put_if_absent("a", b"1")?, Put::Stored);
/// assert_eq!(storage.clone().put_if_absent("a", b"2")?, Put::Exists);
/// # Ok::<(), tidemill::Error>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct MemoryStorage {
    files: Arc<Mutex<BTreeMap<String, Vec<u8>>>>,
    holds: Arc<Mutex<BTreeMap<String, Holder>>>,
}

/// Who holds a name, for as long as the guard lives.
type Holder = (String, Weak<()>);

impl MemoryStorage {
    /// Storage with nothing in it.
    pub fn new() -> Self {
        Self::default()
    }

    fn files(&self) -> MutexGuard<'_, BTreeMap<String, Vec<u8>>> {
        self.files.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Storage for MemoryStorage {
    fn url(&self) -> &str {
        "memory"
    }

    fn put_if_absent(&self, name: &str, bytes: &[u8]) -> Result<Put> {
        let mut files = self.files();
        if files.contains_key(name) {
            return Ok(Put::Exists);
        }
        files.insert(name.to_owned(), bytes.to_vec());
        Ok(Put::Stored)
    }

    fn get(&self, name: &str) -> Result<Option<Vec<u8>>> {
        Ok(self.files().get(name).cloned())
    }

    fn list(&self, prefix: &str) -> Result<Vec<StoredFile>> {
        let below =
            |name: &str| prefix.is_empty() || name.strip_prefix(prefix).is_some_and(|rest| rest.starts_with('/'));
        let files = self.files();
        let found = files.iter().filter(|(name, _)| below(name));
        Ok(found.map(|(name, bytes)| StoredFile { name: name.clone(), bytes: bytes.len() as u64 }).collect())
    }

    fn delete(&self, name: &str) -> Result<()> {
        self.files().remove(name);
        Ok(())
    }

    fn hold(&self, name: &str, owner: &str) -> Result<Hold> {
        let mut holds = self.holds.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((owner, _)) = holds.get(name).filter(|(_, guard)| guard.strong_count() > 0) {
            return Ok(Hold::Taken(owner.clone()));
        }
        let guard = Arc::new(());
        holds.insert(name.to_owned(), (owner.to_owned(), Arc::downgrade(&guard)));
        Ok(Hold::Held(Box::new(guard)))
    }
}
