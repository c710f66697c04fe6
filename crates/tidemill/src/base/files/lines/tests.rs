//! Tests of reading the lines of splits.

use super::{ByteSource, LineSource};
use crate::{
    base::ErrorKind,
    base::files::{Codec, FileSplit, InputFile, codec::Compressor, split::plan_lines},
};
use proptest::prelude::*;
use std::{
    fs::{self, File},
    io::Write,
    path::Path,
};

/// The lines of a text that is read at once: what all splits together must give.
fn lines_of(bytes: &[u8]) -> Vec<Vec<u8>> {
    let (mut lines, mut line, mut at) = (Vec::new(), Vec::new(), 0);
    while at < bytes.len() {
        match bytes[at] {
            b'\n' => lines.push(std::mem::take(&mut line)),
            b'\r' => {
                lines.push(std::mem::take(&mut line));
                at += usize::from(bytes.get(at + 1) == Some(&b'\n'));
            }
            byte => line.push(byte),
        }
        at += 1;
    }
    if !line.is_empty() {
        lines.push(line);
    }
    lines
}

fn read(split: &FileSplit, piece_bytes: usize) -> Vec<u8> {
    let mut source = LineSource::with_piece_bytes(split, piece_bytes).unwrap();
    let mut bytes = b"before".to_vec(); // pieces are appended to what is there
    while source.next_piece(&mut bytes).unwrap() {}
    assert!(!source.next_piece(&mut bytes).unwrap());
    bytes.split_off(6)
}

fn splits_of(path: &Path, min_partitions: usize) -> Vec<FileSplit> {
    let size_bytes = fs::metadata(path).unwrap().len();
    plan_lines(&[InputFile { path: path.to_owned(), size_bytes }], min_partitions).unwrap()
}

fn compress(path: &Path, codec: Option<Codec>, bytes: &[u8]) {
    let mut out = Compressor::new(File::create(path).unwrap(), codec).unwrap();
    out.write_all(bytes).unwrap();
    out.finish().unwrap();
}

#[test]
fn each_line_belongs_to_the_split_it_starts_in() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a");
    let cases: &[(&str, u64, u64, &str)] = &[
        ("ab\ncd\n", 0, 1, "ab\n"),
        ("ab\ncd\n", 1, 3, ""),
        ("ab\ncd\n", 3, 4, "cd\n"),
        ("ab\ncd\n", 2, 4, "cd\n"),
        ("ab\ncd", 3, 5, "cd"),
        ("ab\r\ncd", 3, 4, ""), // between \r and \n no line starts
        ("ab\r\ncd", 0, 3, "ab\r\n"),
        ("ab\r\ncd", 4, 6, "cd"),
        ("ab\rcd\re", 3, 5, "cd\r"),
        ("\n\n\n", 1, 2, "\n"),
        ("\r\r\n\n", 1, 2, "\r\n"),
        ("abc", 1, 3, ""),
        ("abc\n", 3, 4, ""),
    ];
    for (text, start, end, expected) in cases {
        fs::write(&path, text).unwrap();
        let split = FileSplit { path: path.clone(), start: *start, end: *end, whole: false };
        for piece_bytes in [4, 5, 1000] {
            let bytes = read(&split, piece_bytes);
            assert_eq!(String::from_utf8(bytes).unwrap(), *expected, "{text:?} [{start}, {end})");
        }
    }
}

#[test]
fn compressed_files_are_read_whole_and_to_their_last_member() {
    let folder = tempfile::tempdir().unwrap();
    let text: String = (0..5000).map(|number| format!("line {number}\n")).collect();
    for codec in [Codec::Gzip, Codec::Zstd, Codec::Bzip2, Codec::Deflate] {
        let path = folder.path().join(format!("a.{}", codec.extension()));
        compress(&path, Some(codec), text.as_bytes());
        let splits = splits_of(&path, 10);
        assert_eq!(splits.len(), 1);
        assert_eq!(read(&splits[0], 1000), text.as_bytes(), "{codec:?}");
        let member = fs::read(&path).unwrap();
        if codec != Codec::Deflate {
            fs::write(&path, [&member[..], &member[..]].concat()).unwrap();
            assert_eq!(read(&splits[0], 1000).len(), 2 * text.len(), "{codec:?}");
        }
        fs::write(&path, &member[..member.len() / 2]).unwrap();
        let mut source = LineSource::open(&splits[0]).unwrap();
        let error = loop {
            match source.next_piece(&mut Vec::new()) {
                Ok(true) => {}
                Ok(false) => panic!("{codec:?}: a torn file was taken for a whole one"),
                Err(error) => break error,
            }
        };
        assert_eq!(error.kind(), ErrorKind::Data, "{codec:?}: {error}");
        assert!(error.to_string().contains(path.to_str().unwrap()));
    }
}

#[test]
fn the_byte_order_mark_is_left_out_at_the_beginning_only() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a");
    fs::write(&path, "\u{FEFF}ab\n\u{FEFF}c\n").unwrap();
    for min_partitions in [1, 3, 11] {
        let bytes: Vec<u8> = splits_of(&path, min_partitions).iter().flat_map(|split| read(split, 4)).collect();
        assert_eq!(String::from_utf8(bytes).unwrap(), "ab\n\u{FEFF}c\n");
    }
}

#[test]
fn a_line_as_long_as_the_file_is_read_by_its_first_split_only() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a");
    fs::write(&path, vec![b'x'; 100_000]).unwrap();
    let lengths: Vec<_> = splits_of(&path, 4).iter().map(|split| read(split, 1000).len()).collect();
    assert_eq!(lengths, [100_000, 0, 0, 0]);
    // The others look no further than their own end, so the work stays proportional to the file.
    let split = &splits_of(&path, 4)[1];
    let mut source = LineSource::with_piece_bytes(split, 1000).unwrap();
    assert!(!source.next_piece(&mut Vec::new()).unwrap());
    assert!(source.position < split.end + 1000);
}

#[test]
fn what_grew_after_planning_is_read_to_the_end_of_its_line() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a");
    fs::write(&path, "one\ntw").unwrap();
    let splits = splits_of(&path, 1);
    fs::write(&path, "one\ntwo\nthree\n").unwrap();
    assert_eq!(read(&splits[0], 100), b"one\ntwo\n");
    fs::write(&path, "on").unwrap();
    assert_eq!(read(&splits[0], 100), b"on");
    fs::remove_file(&path).unwrap();
    let error = LineSource::open(&splits[0]).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    assert!(error.to_string().starts_with("cannot open \""), "{error}");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn the_splits_have_the_lines_of_the_file(
        pieces in proptest::collection::vec(prop_oneof![
            Just("\n"), Just("\r"), Just("\r\n"), Just("a"), Just("word"), Just("é"), Just(""), Just("\u{FEFF}"), Just("a longer line"),
        ], 0..60),
        min_partitions in 1_usize..40,
        piece_bytes in 4_usize..40,
    ) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a");
        let text = pieces.concat();
        fs::write(&path, &text).unwrap();
        let lines: Vec<_> =
            splits_of(&path, min_partitions).iter().flat_map(|split| lines_of(&read(split, piece_bytes))).collect();
        prop_assert_eq!(lines, lines_of(text.strip_prefix('\u{FEFF}').unwrap_or(&text).as_bytes()));
    }
}
