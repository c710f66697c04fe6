//! Tests of reading whole files.

use super::{read_bytes, read_text};
use crate::{
    base::ErrorKind,
    base::files::{Codec, OutputMode, PartWriter},
};
use std::fs;

#[test]
fn text_is_decompressed_and_bytes_are_not() {
    let folder = tempfile::tempdir().unwrap();
    let directory = folder.path().join("out");
    let writer = PartWriter::create(&directory, OutputMode::MustNotExist, Some(Codec::Zstd)).unwrap();
    writer.save(0, ["a", "b"]).unwrap();
    let path = directory.join("part-00000.zst");
    assert_eq!(read_text(&path).unwrap(), (format!("file:{}", path.display()), "a\nb\n".to_owned()));
    assert_eq!(read_bytes(&path).unwrap().1, fs::read(&path).unwrap());
    fs::write(&path, "no zstd at all").unwrap();
    assert_eq!(read_text(&path).unwrap_err().kind(), ErrorKind::Data);
}

#[test]
fn empty_files_and_missing_ones() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a");
    assert_eq!(read_text(&path).unwrap_err().kind(), ErrorKind::Unavailable);
    fs::write(&path, "").unwrap();
    assert_eq!(read_text(&path).unwrap().1, "");
    fs::write(&path, b"\xEF\xBB\xBFx\r\n\0\xC0\xAF").unwrap();
    assert_eq!(read_text(&path).unwrap().1, "\u{FEFF}x\r\n\0\u{FFFD}\u{FFFD}");
}
