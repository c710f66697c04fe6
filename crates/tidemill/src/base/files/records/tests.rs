//! Tests of fixed-length records.

use super::RecordSource;
use crate::{
    base::files::FileSplit,
    base::{ErrorKind, Result},
};
use std::{fs, path::Path};

fn read(path: &Path, start: u64, end: u64, record_bytes: usize) -> Result<Vec<Vec<u8>>> {
    let split = FileSplit { path: path.to_owned(), start, end, whole: false };
    let mut source = RecordSource::open(&split, record_bytes)?;
    let mut records = Vec::new();
    while source.next_chunk(&mut records)? {}
    Ok(records)
}

#[test]
fn records_of_a_split() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a");
    let bytes: Vec<u8> = (0..300_000_u32).flat_map(u32::to_le_bytes).collect();
    fs::write(&path, &bytes).unwrap();
    let records = read(&path, 8, 1_000_000, 4).unwrap();
    assert_eq!(records.len(), 249_998);
    assert_eq!(records[249_997], 249_999_u32.to_le_bytes());
    assert_eq!(read(&path, 0, 1_200_000, 400_000).unwrap().len(), 3);
    assert_eq!(read(&path, 0, 0, 4).unwrap().len(), 0);
    assert_eq!(read(&path, 0, 8, 0).unwrap_err().kind(), ErrorKind::Invalid);
}

#[test]
fn a_partial_record_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a");
    fs::write(&path, b"aaaabbbbcc").unwrap();
    let error = read(&path, 0, 10, 4).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Data);
    let expected = format!(
        "\"{}\" ends with a partial record of 2 bytes at offset 8; its records must be 4 bytes long",
        path.display()
    );
    assert_eq!(error.to_string(), expected);
    // A length that no file has takes no memory; a file that shrank gives what it still has.
    assert!(read(&path, 0, 10, usize::MAX).is_err());
    fs::write(&path, b"aaaa").unwrap();
    assert_eq!(read(&path, 0, 10, 4).unwrap(), [b"aaaa"]);
    assert_eq!(read(&path, 8, 10, 4).unwrap().len(), 0);
}
