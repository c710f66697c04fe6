//! What is found in checkpoints of real programs, whole and damaged.

use super::*;
use crate::{
    base::{
        Config, seconds,
        storage::{MemoryStorage, Put},
    },
    testing::TestContext,
};
use std::sync::Arc;

/// Two batches that count letters.
fn counted() -> StorageRef {
    let checkpoint = MemoryStorage::new();
    let test = TestContext::remembered_in(checkpoint.clone(), Config::new(), seconds(1));
    let letters = test.stream(vec![vec![('a', 1), ('b', 1)], vec![('a', 1), ('c', 1)]]);
    let counts = letters.update_state_by_key(|new: &[i32], n: Option<usize>| Some(n.unwrap_or(0) + new.len()));
    test.collect(&counts.uid("counts"));
    test.run(2).unwrap();
    drop(test);
    Arc::new(checkpoint)
}

#[test]
fn everything_is_told_of_a_checkpoint_that_is_whole() {
    let storage = counted();
    let found = Inspection::of(&storage).unwrap();
    assert_eq!(found.program.as_ref().unwrap().batch_ms, 1_000);
    assert_eq!(found.commits.iter().map(|commit| commit.time.as_ms()).collect::<Vec<_>>(), [1_000, 2_000]);
    assert_eq!((found.operators[0].uid.as_str(), found.operators[0].keys), ("counts", Some(3)));
    assert_eq!(found.starts.len(), 1);
    assert!(!found.is_damaged(), "{:#?}", found.findings);
    assert!(found.files.iter().all(|file| file.status != FileStatus::Damaged));
    assert_eq!(state_entries(&storage).unwrap().len(), 3);
}

#[test]
fn looking_changes_nothing() {
    let storage = counted();
    let before = storage.list("").unwrap();
    Inspection::of(&storage).unwrap();
    assert_eq!(storage.list("").unwrap(), before);
}

#[test]
fn a_damaged_file_is_named() {
    let storage = counted();
    let commit = Inspection::of(&storage).unwrap().commits[1].log_number;
    let name = super::super::entry::log_name(commit);
    let mut bytes = storage.get(&name).unwrap().unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    storage.delete(&name).unwrap();
    assert_eq!(storage.put_if_absent(&name, &bytes).unwrap(), Put::Stored);
    let found = Inspection::of(&storage).unwrap();
    let damaged: Vec<_> = found.files.iter().filter(|file| file.status == FileStatus::Damaged).collect();
    assert_eq!(damaged.iter().map(|file| file.name.as_str()).collect::<Vec<_>>(), [name.as_str()]);
    assert!(damaged[0].what.contains("checksum"), "{}", damaged[0].what);
    assert!(found.findings.iter().any(|finding| finding.file == name));
}

#[test]
fn a_log_that_is_gone_is_an_error() {
    let storage = counted();
    storage.put_if_absent("state/1-1000-0-0", b"left").unwrap();
    for file in storage.list("log").unwrap() {
        storage.delete(&file.name).unwrap();
    }
    let found = Inspection::of(&storage).unwrap();
    assert!(found.is_damaged());
    assert!(found.program.is_none() && !found.is_empty());
}

#[test]
fn what_nothing_names_is_garbage_once_the_program_has_ended() {
    let storage = counted();
    storage.put_if_absent("state/1-1000-0-7", b"left").unwrap();
    let found = Inspection::of(&storage).unwrap();
    let left = found.files.iter().find(|file| file.name == "state/1-1000-0-7").unwrap();
    assert_eq!((left.status, found.is_damaged()), (FileStatus::Garbage, false));
    assert!(found.findings.iter().any(|finding| finding.what.contains("not needed")));
}
