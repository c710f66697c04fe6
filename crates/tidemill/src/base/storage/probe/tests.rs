//! Storages that lie, each in its own way.

use super::*;
use crate::{ErrorKind, base::storage::MemoryStorage};
use std::sync::{Arc, Barrier};

#[derive(Clone, Copy, Debug, PartialEq)]
enum Lie {
    None,
    /// Takes the condition and ignores it.
    IgnoresCondition,
    /// Says that the name exists, and overwrites all the same.
    OverwritesSilently,
    /// Looks, waits, writes.
    LooksThenWrites,
    /// Has what it stored only later.
    ReadsLate,
    ListsLate,
    KeepsDeleted,
    Down,
}

#[derive(Debug)]
struct Liar {
    inner: MemoryStorage,
    lie: Lie,
    looked: Arc<Barrier>,
}

fn liar(lie: Lie) -> Liar {
    Liar { inner: MemoryStorage::new(), lie, looked: Arc::new(Barrier::new(CLAIMANTS)) }
}

impl Storage for Liar {
    fn url(&self) -> &str {
        "liar://here"
    }

    fn put_if_absent(&self, name: &str, bytes: &[u8]) -> Result<Put> {
        let absent = self.inner.get(name)?.is_none();
        let at_once = bytes.len() == 1;
        match self.lie {
            Lie::Down => return Err(Error::unavailable("no answer")),
            Lie::LooksThenWrites if at_once => drop(self.looked.wait()),
            Lie::IgnoresCondition | Lie::OverwritesSilently => {}
            _ => return self.inner.put_if_absent(name, bytes),
        }
        self.inner.delete(name)?;
        self.inner.put_if_absent(name, bytes)?;
        Ok(if absent || self.lie == Lie::IgnoresCondition { Put::Stored } else { Put::Exists })
    }

    fn get(&self, name: &str) -> Result<Option<Vec<u8>>> {
        if self.lie == Lie::ReadsLate { Ok(None) } else { self.inner.get(name) }
    }

    fn list(&self, prefix: &str) -> Result<Vec<StoredFile>> {
        if self.lie == Lie::ListsLate { Ok(Vec::new()) } else { self.inner.list(prefix) }
    }

    fn delete(&self, name: &str) -> Result<()> {
        if self.lie == Lie::KeepsDeleted { Ok(()) } else { self.inner.delete(name) }
    }
}

#[test]
fn an_honest_storage_passes_and_keeps_nothing_of_it() {
    let honest = liar(Lie::None);
    probe(&honest).unwrap();
    assert_eq!(honest.inner.list("").unwrap(), []);
}

#[test]
fn a_storage_that_lies_is_refused_with_what_it_did() {
    for (lie, says) in [
        (Lie::IgnoresCondition, "stored the same name twice"),
        (Lie::OverwritesSilently, "answered that a name exists, and overwrote it"),
        (Lie::LooksThenWrites, "writers at once"),
        (Lie::ReadsLate, "was not found when it was read at once"),
        (Lie::ListsLate, "does not list at once"),
        (Lie::KeepsDeleted, "still has what it deleted"),
    ] {
        let liar = liar(lie);
        let error = probe(&liar).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Invalid, "{lie:?}: {error}");
        assert!(error.to_string().contains(says) && error.to_string().contains("liar://here"), "{lie:?}: {error}");
        assert_eq!(liar.inner.list("").unwrap().is_empty(), lie != Lie::KeepsDeleted, "{lie:?}: what is left");
    }
}

#[test]
fn a_storage_that_does_not_answer_may_be_tried_again() {
    let error = probe(&liar(Lie::Down)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    assert!(error.to_string().contains("could not be tried"), "{error}");
}
