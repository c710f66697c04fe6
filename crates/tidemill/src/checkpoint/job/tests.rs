//! The id is drawn once, and its file is of a format that stays.

use super::*;
use crate::base::storage::{LocalStorage, MemoryStorage};
use std::path::Path;

#[test]
fn it_is_drawn_once() {
    let (one, other) = (MemoryStorage::new(), MemoryStorage::new());
    let id = job(&one).unwrap();
    assert_eq!((job(&one).unwrap(), id.len()), (id.clone(), 16));
    assert_ne!(job(&other).unwrap(), id);
    let damaged = MemoryStorage::new();
    damaged.put_if_absent(JOB, b"tidemill?").unwrap();
    assert!(job(&damaged).unwrap_err().to_string().contains("\"job\" cannot be read"));
}

#[test]
fn that_of_the_first_version_is_read() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/v1");
    let kept = std::fs::read(folder.join(JOB)).unwrap();
    let copy = tempfile::tempdir().unwrap();
    std::fs::write(copy.path().join(JOB), &kept).unwrap();
    let id = job(&LocalStorage::create(copy.path()).unwrap()).unwrap();
    assert_eq!(id, "00c0ffee00c0ffee");
    assert_eq!(envelope::seal(Kind::Job, &id).unwrap(), kept, "what is written today is another format");
}
