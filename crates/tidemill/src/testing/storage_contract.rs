//! The contract of storages as a list of trials that any storage can be put to.

use crate::base::{
    Result,
    storage::{Hold, Put, Storage, StorageRef, StoredFile},
};
use std::{sync::Barrier, thread};

const CLAIMANTS: u8 = 8;
const LARGE_BYTES: usize = 5 * 1024 * 1024;

/// Puts a storage to the contract of [`Storage`]: every call of `open` opens the same place once more, as another process would.
///
/// The place may hold other things, but nothing below `contract/`, where all that the trials store is. It is deleted in the end.
///
/// # Panics
/// With the name of the trial, at the first one that the storage fails.
///
/// # Examples
/// ```
/// use std::sync::Arc;
/// use tidemill::{base::storage::MemoryStorage, testing::check_storage};
/// let memory = MemoryStorage::new();
/// check_storage(|| Arc::new(memory.clone()));
/// ```
#[track_caller]
pub fn check_storage(open: impl Fn() -> StorageRef) {
    let trials = Trials { open };
    trials.once();
    trials.at_once();
    trials.absent();
    trials.whole();
    trials.listed();
    trials.deleted();
    trials.held();
    trials.cleaned();
}

struct Trials<F> {
    open: F,
}

#[track_caller]
fn succeeded<R>(trial: &str, result: Result<R>) -> R {
    match result {
        Ok(value) => value,
        Err(error) => panic!("{trial}: the storage returned {error:?}"),
    }
}

#[track_caller]
fn put(trial: &str, storage: &dyn Storage, name: &str, bytes: &[u8], expected: Put) {
    assert_eq!(succeeded(trial, storage.put_if_absent(name, bytes)), expected, "{trial}: putting \"{name}\"");
}

/// That the file has these bytes; they themselves are too many for a message.
#[track_caller]
fn finds(trial: &str, storage: &dyn Storage, name: &str, expected: Option<&[u8]>) {
    let found = succeeded(trial, storage.get(name));
    let lengths = (found.as_ref().map(Vec::len), expected.map(<[u8]>::len));
    assert!(found.as_deref() == expected, "{trial}: reading \"{name}\" (lengths found and expected: {lengths:?})");
}

impl<F: Fn() -> StorageRef> Trials<F> {
    fn once(&self) {
        let (trial, name) = ("a name put twice", "contract/once/1");
        let (storage, other) = ((self.open)(), (self.open)());
        put(trial, storage.as_ref(), name, b"first", Put::Stored);
        finds("a file read at once by another", other.as_ref(), name, Some(b"first"));
        put(trial, storage.as_ref(), name, b"second, and longer", Put::Exists);
        put("a name put by another", other.as_ref(), name, b"", Put::Exists);
        finds(trial, storage.as_ref(), name, Some(b"first"));
        assert!(!storage.url().is_empty(), "the storage has no url");
    }

    fn at_once(&self) {
        for round in 0..3 {
            let name = format!("contract/at-once/{round}");
            let (storage, other) = ((self.open)(), (self.open)());
            let winners = race(&name, &[storage.as_ref(), other.as_ref()]);
            let [winner] = winners[..] else {
                panic!("one name wanted by many at once: {} were told that they have it", winners.len());
            };
            finds("one name wanted by many at once", storage.as_ref(), &name, Some(&[winner; 1_000]));
        }
    }

    fn absent(&self) {
        let (trial, storage) = ("a file that is not there", (self.open)());
        finds(trial, storage.as_ref(), "contract/absent", None);
        finds(trial, storage.as_ref(), "contract/absent/in/no/folder", None);
        let found = succeeded("a folder that is not there", storage.list("contract/absent"));
        assert_eq!(found, [], "a folder that is not there: what is listed");
    }

    fn whole(&self) {
        let storage = (self.open)();
        let large: Vec<u8> = (0..LARGE_BYTES).map(|at| (at / 3 % 251) as u8).collect();
        for (name, bytes) in [("nothing", &[][..]), ("all", &(0..=255).collect::<Vec<u8>>()), ("large", &large)] {
            let (trial, name) = (format!("a file of {} bytes", bytes.len()), format!("contract/whole/{name}"));
            put(&trial, storage.as_ref(), &name, bytes, Put::Stored);
            finds(&trial, (self.open)().as_ref(), &name, Some(bytes));
        }
        let names = ["a/b/c/d/e/f", "a.b-c_D.0", "00000000000000000001", "UPPER/lower"];
        for name in names.map(|name| format!("contract/names/{name}")) {
            put("a name", storage.as_ref(), &name, name.as_bytes(), Put::Stored);
            finds("a name", storage.as_ref(), &name, Some(name.as_bytes()));
        }
    }

    fn listed(&self) {
        let (trial, storage) = ("the files of a folder", (self.open)());
        // "a" is above none of the last four.
        for name in ["a/2", "a/b/c", "a/10", "a/1", "ab/1", "a.x", "a-b/1", "b"] {
            put(trial, storage.as_ref(), &format!("contract/list/{name}"), name.as_bytes(), Put::Stored);
        }
        let file = |name: &&str| StoredFile { name: format!("contract/list/{name}"), bytes: name.len() as u64 };
        for (folder, expected) in [
            ("contract/list/a", &["a/1", "a/10", "a/2", "a/b/c"][..]),
            ("contract/list/a/b", &["a/b/c"]),
            ("contract/list", &["a-b/1", "a.x", "a/1", "a/10", "a/2", "a/b/c", "ab/1", "b"]),
        ] {
            let expected: Vec<_> = expected.iter().map(file).collect();
            assert_eq!(succeeded(trial, (self.open)().list(folder)), expected, "{trial}: \"{folder}\"");
        }
        let all = succeeded(trial, storage.list(""));
        assert!(all.is_sorted(), "all files: not in the order of their names: {all:?}");
        assert_eq!(all.iter().filter(|file| file.name.starts_with("contract/list/")).count(), 8, "all files: {all:?}");
    }

    fn deleted(&self) {
        let (trial, name) = ("a deleted file", "contract/deleted/1");
        let (storage, other) = ((self.open)(), (self.open)());
        put(trial, storage.as_ref(), name, b"1", Put::Stored);
        put(trial, storage.as_ref(), "contract/deleted/2", b"2", Put::Stored);
        succeeded(trial, other.delete(name));
        finds(trial, storage.as_ref(), name, None);
        let left = succeeded(trial, storage.list("contract/deleted"));
        assert_eq!(left.len(), 1, "{trial}: what is left beside it");
        succeeded("a file deleted twice", storage.delete(name));
        succeeded("a deleted file that never was", storage.delete("contract/never/was"));
        put("a name put again", storage.as_ref(), name, b"again", Put::Stored);
        finds("a name put again", other.as_ref(), name, Some(b"again"));
    }

    fn held(&self) {
        let (trial, name) = ("a held name", "contract-held");
        let (storage, other) = ((self.open)(), (self.open)());
        let held = succeeded(trial, storage.hold(name, "the first"));
        if matches!(held, Hold::Unsupported) {
            return;
        }
        assert!(matches!(held, Hold::Held(_)), "{trial}: {held:?}");
        let taken = succeeded(trial, other.hold(name, "the second"));
        assert!(
            matches!(&taken, Hold::Taken(owner) if owner == "the first"),
            "{trial}, asked for by another: {taken:?}"
        );
        drop(held);
        let held = succeeded(trial, other.hold(name, "2"));
        assert!(matches!(held, Hold::Held(_)), "{trial}, after it was let go: {held:?}");
        let taken = succeeded(trial, storage.hold(name, "the third"));
        assert!(matches!(&taken, Hold::Taken(owner) if owner == "2"), "{trial}, held by the other: {taken:?}");
        succeeded(trial, storage.delete(name));
    }

    fn cleaned(&self) {
        let (trial, storage) = ("everything deleted", (self.open)());
        for file in succeeded(trial, storage.list("contract")) {
            succeeded(trial, storage.delete(&file.name));
        }
        assert_eq!(succeeded(trial, (self.open)().list("contract")), [], "{trial}: what is left");
    }
}

/// Who of many was told that it stored the name; each puts bytes of its own.
fn race(name: &str, storages: &[&dyn Storage]) -> Vec<u8> {
    let line = &Barrier::new(usize::from(CLAIMANTS));
    thread::scope(|scope| {
        let start = |claimant: u8| {
            let storage = storages[usize::from(claimant) % storages.len()];
            let thread = thread::Builder::new().name(format!("tidemill-trial-{claimant}"));
            let spawned = thread.spawn_scoped(scope, move || {
                line.wait();
                storage.put_if_absent(name, &[claimant; 1_000])
            });
            (claimant, spawned.expect("the operating system starts the threads of a trial"))
        };
        let threads: Vec<_> = (0..CLAIMANTS).map(start).collect();
        let joined = threads.into_iter().map(|(claimant, thread)| {
            let put = thread.join().expect("a thread of the trial does not panic");
            (claimant, succeeded("one name wanted by many at once", put))
        });
        let puts: Vec<_> = joined.collect();
        puts.into_iter().filter(|(_, put)| *put == Put::Stored).map(|(claimant, _)| claimant).collect()
    })
}

#[cfg(test)]
mod tests;
