//! Tests of object files.

use super::{ObjectReader, ObjectWriter};
use crate::{
    base::files::{OutputMode, PartWriter},
    base::{ErrorKind, Result},
};
use proptest::prelude::*;
use std::{fs, path::Path};

fn write(folder: &Path, payloads: &[Vec<u8>]) -> Vec<u8> {
    let parts = PartWriter::create(folder, OutputMode::Replace, None).unwrap();
    let mut writer = ObjectWriter::new(parts.part(0).unwrap()).unwrap();
    for payload in payloads {
        writer.write(payload).unwrap();
    }
    writer.commit().unwrap();
    fs::read(folder.join("part-00000")).unwrap()
}

fn read(path: &Path) -> Result<Vec<Vec<u8>>> {
    let mut reader = ObjectReader::open(path)?;
    let mut payloads = Vec::new();
    while let Some(payload) = reader.next_payload()? {
        payloads.push(payload);
    }
    assert_eq!(reader.next_payload()?, None);
    Ok(payloads)
}

fn sample() -> Vec<Vec<u8>> {
    vec![b"first".to_vec(), vec![], vec![7; 40], b"last".to_vec()]
}

#[test]
fn every_torn_length_is_noticed() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("part-00000");
    let bytes = write(folder.path(), &sample());
    assert_eq!(read(&path).unwrap(), sample());
    for length in 0..bytes.len() {
        fs::write(&path, &bytes[..length]).unwrap();
        let error = read(&path).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Data, "{length}: {error}");
        assert!(error.to_string().contains(path.to_str().unwrap()));
    }
    fs::write(&path, [&bytes[..], b"x"].concat()).unwrap();
    assert!(read(&path).unwrap_err().to_string().contains("something follows"));
}

#[test]
fn every_flipped_bit_is_noticed() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("part-00000");
    let bytes = write(folder.path(), &sample());
    for bit in 0..bytes.len() * 8 {
        let mut flipped = bytes.clone();
        flipped[bit / 8] ^= 1 << (bit % 8);
        fs::write(&path, &flipped).unwrap();
        let error = read(&path).unwrap_err();
        let is_version = bit / 8 == 8;
        assert_eq!(error.kind(), if is_version { ErrorKind::Invalid } else { ErrorKind::Data }, "{bit}: {error}");
    }
}

#[test]
fn damage_is_named_with_its_offset() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("part-00000");
    let mut bytes = write(folder.path(), &sample());
    bytes[9 + 8 + 5 + 8 + 8 + 3] ^= 1; // within the third frame, which begins at 30
    fs::write(&path, &bytes).unwrap();
    assert!(read(&path).unwrap_err().to_string().contains("offset 30: its checksum is wrong"));
    // A frame removed from the middle leaves only sound checksums behind; the end frame knows better.
    let bytes = write(folder.path(), &sample());
    fs::write(&path, [&bytes[..9], &bytes[22..]].concat()).unwrap();
    assert!(read(&path).unwrap_err().to_string().contains("frames before it are missing"));
}

#[test]
fn the_file_of_the_first_release_can_be_read() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/v1/part-00000.objects");
    assert_eq!(read(&path).unwrap(), sample());
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn what_is_written_is_read(payloads in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..200), 0..20)) {
        let folder = tempfile::tempdir().unwrap();
        write(folder.path(), &payloads);
        prop_assert_eq!(read(&folder.path().join("part-00000")).unwrap(), payloads);
    }
}
