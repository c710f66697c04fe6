//! A storage that fails as storages over a network do, and a caller that puts up with it.

use crate::base::{
    Error, ErrorKind, Interrupt, Result,
    storage::{Hold, Put, Storage, StorageRef, StoredFile},
};
use rand::{RngExt, SeedableRng, rngs::StdRng};
use std::{
    fmt,
    sync::{Mutex, PoisonError},
    time::Duration,
};

/// What a [`FlakyStorage`] does instead of answering.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum StorageFault {
    /// Fails without having done anything.
    Before,
    /// Does what it is asked, and fails: the caller cannot know.
    After,
    /// Answers, but only then.
    Slow(Duration),
    /// Lets another process store other bytes under the name first; of anything but a put, nothing.
    LostRace,
}

/// What another process stored that [won a race](StorageFault::LostRace).
const FOREIGN: &[u8] = b"stored by somebody else";

/// A storage whose every call may fail, by a script.
///
/// # Examples
/// ```
/// use std::sync::Arc;
/// use tidemill::base::storage::{MemoryStorage, Put, Storage};
/// use tidemill::testing::{FlakyStorage, StorageFault};
/// let script = [None, Some(StorageFault::After), Some(StorageFault::LostRace)];
/// let storage = FlakyStorage::scripted(Arc::new(MemoryStorage::new()), script);
/// assert_eq!(storage.put_if_absent("a", b"1")?, Put::Stored);
/// assert!(storage.put_if_absent("b", b"1").is_err());
/// assert_eq!(storage.put_if_absent("c", b"1")?, Put::Exists);
/// // The script is over.
/// assert_eq!(storage.get("b")?.as_deref(), Some(&b"1"[..]));
/// # Ok::<(), tidemill::Error>(())
/// ```
pub struct FlakyStorage {
    inner: StorageRef,
    script: Mutex<Script>,
}

struct Script {
    next: Box<dyn Iterator<Item = Option<StorageFault>> + Send>,
    faults: u64,
}

impl FlakyStorage {
    /// One call after the other meets what the script says; after its end nothing fails.
    pub fn scripted<I>(inner: StorageRef, script: I) -> Self
    where
        I: IntoIterator<Item = Option<StorageFault>>,
        I::IntoIter: Send + 'static,
    {
        Self { inner, script: Mutex::new(Script { next: Box::new(script.into_iter()), faults: 0 }) }
    }

    /// A third of all calls fail before, fail after, or are slow, as the seed will have it; nobody else races.
    pub fn seeded(inner: StorageRef, seed: u64) -> Self {
        let mut rng = StdRng::seed_from_u64(seed);
        Self::scripted(
            inner,
            std::iter::from_fn(move || {
                Some(match rng.random_range(0..9) {
                    0 => Some(StorageFault::Before),
                    1 => Some(StorageFault::After),
                    2 => Some(StorageFault::Slow(Duration::from_micros(rng.random_range(0..2_000)))),
                    _ => None,
                })
            }),
        )
    }

    /// How many calls met a fault so far.
    pub fn faults(&self) -> u64 {
        self.script.lock().unwrap_or_else(PoisonError::into_inner).faults
    }

    fn next(&self) -> Option<StorageFault> {
        let mut script = self.script.lock().unwrap_or_else(PoisonError::into_inner);
        let fault = script.next.next().flatten();
        script.faults += u64::from(fault.is_some());
        fault
    }

    fn meet<R>(&self, name: &str, lose: impl FnOnce() -> Result<()>, call: impl FnOnce() -> Result<R>) -> Result<R> {
        let failed = |when: &str| Error::unavailable(format!("a scripted fault {when} the call for \"{name}\""));
        match self.next() {
            Some(StorageFault::Before) => return Err(failed("before")),
            Some(StorageFault::After) => return call().and_then(|_| Err(failed("after"))),
            Some(StorageFault::Slow(delay)) => drop(Interrupt::new().wait_timeout(delay)),
            Some(StorageFault::LostRace) => lose()?,
            None => {}
        }
        call()
    }

    fn answer<R>(&self, name: &str, call: impl FnOnce() -> Result<R>) -> Result<R> {
        self.meet(name, || Ok(()), call)
    }
}

impl fmt::Debug for FlakyStorage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FlakyStorage").field("inner", &self.inner).field("faults", &self.faults()).finish()
    }
}

impl Storage for FlakyStorage {
    fn url(&self) -> &str {
        self.inner.url()
    }

    fn put_if_absent(&self, name: &str, bytes: &[u8]) -> Result<Put> {
        let lose = || self.inner.put_if_absent(name, FOREIGN).map(drop);
        self.meet(name, lose, || self.inner.put_if_absent(name, bytes))
    }

    fn get(&self, name: &str) -> Result<Option<Vec<u8>>> {
        self.answer(name, || self.inner.get(name))
    }

    fn list(&self, prefix: &str) -> Result<Vec<StoredFile>> {
        self.answer(prefix, || self.inner.list(prefix))
    }

    fn delete(&self, name: &str) -> Result<()> {
        self.answer(name, || self.inner.delete(name))
    }

    fn hold(&self, name: &str, owner: &str) -> Result<Hold> {
        self.answer(name, || self.inner.hold(name, owner))
    }
}

/// A storage that tries again what was unavailable, and reads what an uncertain put left: what a careful caller does.
///
/// Two who put the same bytes under one name may both be told that they stored them, where one of them had to try again.
///
/// # Examples
/// ```
/// use std::sync::Arc;
/// use tidemill::base::storage::{MemoryStorage, Put, Storage};
/// use tidemill::testing::{FlakyStorage, RetryingStorage, StorageFault};
/// let flaky = FlakyStorage::scripted(Arc::new(MemoryStorage::new()), [Some(StorageFault::After)]);
/// let storage = RetryingStorage::new(Arc::new(flaky), 5);
/// assert_eq!(storage.put_if_absent("a", b"1")?, Put::Stored);
/// # Ok::<(), tidemill::Error>(())
/// ```
#[derive(Debug)]
pub struct RetryingStorage {
    inner: StorageRef,
    tries: u32,
}

impl RetryingStorage {
    /// Every call is tried so many times in all.
    pub fn new(inner: StorageRef, tries: u32) -> Self {
        Self { inner, tries }
    }

    fn tried<R>(&self, mut call: impl FnMut(u32) -> Result<R>) -> Result<R> {
        let mut tried = 1;
        loop {
            match call(tried) {
                Err(error) if error.kind() == ErrorKind::Unavailable && tried < self.tries => tried += 1,
                result => return result,
            }
        }
    }
}

impl Storage for RetryingStorage {
    fn url(&self) -> &str {
        self.inner.url()
    }

    fn put_if_absent(&self, name: &str, bytes: &[u8]) -> Result<Put> {
        self.tried(|tried| match self.inner.put_if_absent(name, bytes)? {
            Put::Exists if tried > 1 && self.get(name)?.as_deref() == Some(bytes) => Ok(Put::Stored),
            put => Ok(put),
        })
    }

    fn get(&self, name: &str) -> Result<Option<Vec<u8>>> {
        self.tried(|_| self.inner.get(name))
    }

    fn list(&self, prefix: &str) -> Result<Vec<StoredFile>> {
        self.tried(|_| self.inner.list(prefix))
    }

    fn delete(&self, name: &str) -> Result<()> {
        self.tried(|_| self.inner.delete(name))
    }

    fn hold(&self, name: &str, owner: &str) -> Result<Hold> {
        self.tried(|_| self.inner.hold(name, owner))
    }
}
