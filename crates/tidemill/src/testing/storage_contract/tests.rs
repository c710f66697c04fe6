//! The core's own storages are put to the contract, as they are and where every third call fails.

use super::*;
use crate::{
    base::storage::{LocalStorage, MemoryStorage},
    testing::{FlakyStorage, RetryingStorage},
};
use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
};

/// Opens `open`'s storage with faults of its own each time, behind a caller that tries again.
fn flaky(open: impl Fn() -> StorageRef, seed: u64) -> (impl Fn() -> StorageRef, impl Fn() -> u64) {
    let opened = Arc::new(Mutex::new(Vec::<Arc<FlakyStorage>>::new()));
    let (all, seeds) = (opened.clone(), AtomicU64::new(seed));
    let open = move || -> StorageRef {
        let flaky = Arc::new(FlakyStorage::seeded(open(), seeds.fetch_add(1, Ordering::Relaxed)));
        opened.lock().unwrap().push(flaky.clone());
        Arc::new(RetryingStorage::new(flaky, 30))
    };
    (open, move || all.lock().unwrap().iter().map(|flaky| flaky.faults()).sum())
}

#[test]
fn memory_keeps_the_contract() {
    let memory = MemoryStorage::new();
    check_storage(|| Arc::new(memory.clone()));
}

#[test]
fn a_folder_keeps_the_contract() {
    let folder = tempfile::tempdir().unwrap();
    check_storage(|| Arc::new(LocalStorage::create(folder.path()).unwrap()));
}

#[test]
fn a_patient_caller_keeps_the_contract_where_every_third_call_fails() {
    for seed in 0..20 {
        let memory = MemoryStorage::new();
        let (open, faults) = flaky(move || Arc::new(memory.clone()), seed * 1_000);
        check_storage(open);
        assert!(faults() > 10, "only {} faults with seed {seed}", faults());
    }
    let folder = tempfile::tempdir().unwrap();
    let (open, faults) = flaky(move || Arc::new(LocalStorage::create(folder.path()).unwrap()), 7);
    check_storage(open);
    assert!(faults() > 10);
}

/// A storage that breaks one promise.
#[derive(Debug)]
struct Broken {
    inner: MemoryStorage,
    promise: &'static str,
}

impl Storage for Broken {
    fn url(&self) -> &str {
        "broken"
    }

    fn put_if_absent(&self, name: &str, bytes: &[u8]) -> Result<Put> {
        match self.promise {
            "once" => self.inner.delete(name)?,
            "whole" if bytes.len() > 4_000_000 => return self.inner.put_if_absent(name, &bytes[..4_000_000]),
            _ => {}
        }
        self.inner.put_if_absent(name, bytes)
    }

    fn get(&self, name: &str) -> Result<Option<Vec<u8>>> {
        let found = self.inner.get(name)?;
        Ok(if self.promise == "absent" { Some(found.unwrap_or_default()) } else { found })
    }

    fn list(&self, prefix: &str) -> Result<Vec<StoredFile>> {
        let mut found = self.inner.list(if self.promise == "neighbours" { "" } else { prefix })?;
        match self.promise {
            "neighbours" => found.retain(|file| file.name.starts_with(prefix)),
            "order" => found.reverse(),
            _ => {}
        }
        Ok(found)
    }

    fn delete(&self, name: &str) -> Result<()> {
        if self.promise == "deleted" { Ok(()) } else { self.inner.delete(name) }
    }

    fn hold(&self, name: &str, owner: &str) -> Result<Hold> {
        if self.promise == "held" { Ok(Hold::Held(Box::new(()))) } else { self.inner.hold(name, owner) }
    }
}

#[test]
fn a_broken_promise_is_found() {
    for (promise, trial) in [
        ("once", "a name put twice"),
        ("absent", "a file that is not there"),
        ("whole", "a file of 5242880 bytes"),
        ("neighbours", "the files of a folder"),
        ("order", "the files of a folder"),
        ("deleted", "a deleted file"),
        ("held", "a held name"),
    ] {
        let inner = MemoryStorage::new();
        let open = || -> StorageRef { Arc::new(Broken { inner: inner.clone(), promise }) };
        let payload = catch_unwind(AssertUnwindSafe(|| check_storage(open))).expect_err(promise);
        let said = payload.downcast_ref::<String>().cloned().unwrap_or_default();
        assert!(said.contains(trial), "{promise}: {said}");
    }
}
