//! Tests of output directories.

use super::{OutputMode, PartWriter, batch_name};
use crate::{
    base::files::{Codec, whole::read_text},
    base::{ErrorKind, Time},
};
use std::{fs, path::Path};

fn names(directory: &Path) -> Vec<String> {
    let mut names: Vec<_> =
        fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn parts_and_the_marker() {
    let folder = tempfile::tempdir().unwrap();
    for (codec, extension) in
        [(None, ""), (Some(Codec::Gzip), ".gz"), (Some(Codec::Zstd), ".zst"), (Some(Codec::Bzip2), ".bz2")]
    {
        let directory = folder.path().join(format!("deep/er/out{extension}"));
        let writer = PartWriter::create(&directory, OutputMode::MustNotExist, codec).unwrap();
        assert_eq!(writer.save(1, ["b", "", "c"]).unwrap(), 3);
        assert_eq!(PartWriter::at(&directory, codec).save(0, [""; 0]).unwrap(), 0);
        writer.finish(2).unwrap();
        let parts = [0, 1].map(|part| format!("part-0000{part}{extension}"));
        assert_eq!(names(&directory), ["_SUCCESS", &parts[0], &parts[1]]);
        assert_eq!(read_text(directory.join(&parts[0])).unwrap().1, "");
        assert_eq!(read_text(directory.join(&parts[1])).unwrap().1, "b\n\nc\n");
    }
}

#[test]
fn no_partitions_give_only_the_marker() {
    let folder = tempfile::tempdir().unwrap();
    let directory = folder.path().join("out");
    PartWriter::create(&directory, OutputMode::MustNotExist, None).unwrap().finish(0).unwrap();
    assert_eq!(names(&directory), ["_SUCCESS"]);
}

#[test]
fn an_existing_directory_is_refused_or_replaced() {
    let folder = tempfile::tempdir().unwrap();
    let directory = folder.path().join("out");
    let writer = PartWriter::create(&directory, OutputMode::Replace, Some(Codec::Gzip)).unwrap();
    for partition in 0..3 {
        writer.save(partition, ["old"]).unwrap();
    }
    writer.finish(3).unwrap();
    fs::write(directory.join("notes"), "mine").unwrap();
    fs::write(directory.join(".part-00000.1-1.tmp"), "crashed").unwrap();

    let error = PartWriter::create(&directory, OutputMode::MustNotExist, None).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Invalid);
    assert!(error.to_string().starts_with(&format!("output directory \"{}\" exists already", directory.display())));
    assert!(directory.join("_SUCCESS").exists());

    let writer = PartWriter::create(&directory, OutputMode::Replace, None).unwrap();
    assert!(!directory.join("_SUCCESS").exists(), "the directory is not complete while it is written over");
    writer.save(0, ["new"]).unwrap();
    writer.save(0, ["newer"]).unwrap();
    writer.finish(1).unwrap();
    assert_eq!(names(&directory), ["_SUCCESS", "notes", "part-00000"]);
    assert_eq!(fs::read_to_string(directory.join("part-00000")).unwrap(), "newer\n");
}

#[test]
fn a_file_in_the_way_is_refused_in_both_modes() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("out");
    fs::write(&path, "a file").unwrap();
    for mode in [OutputMode::MustNotExist, OutputMode::Replace] {
        let error = PartWriter::create(&path, mode, None).unwrap_err();
        assert!(error.to_string().contains("exists already"), "{error}");
    }
    let error = PartWriter::create(path.join("below"), OutputMode::Replace, None).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    assert!(error.to_string().contains(path.to_str().unwrap()));
}

#[test]
fn an_abandoned_part_leaves_nothing_and_hides_until_committed() {
    let folder = tempfile::tempdir().unwrap();
    let directory = folder.path().join("out");
    let writer = PartWriter::create(&directory, OutputMode::MustNotExist, None).unwrap();
    let (mut one, two) = (writer.part(0).unwrap(), writer.part(0).unwrap());
    one.write_line(b"x").unwrap();
    assert!(names(&directory).iter().all(|name| name.starts_with(".part-00000.")));
    drop(two);
    one.commit().unwrap();
    assert_eq!(names(&directory), ["part-00000"]);
}

#[test]
fn a_missing_part_keeps_the_marker_away() {
    let folder = tempfile::tempdir().unwrap();
    let directory = folder.path().join("out");
    let writer = PartWriter::create(&directory, OutputMode::MustNotExist, None).unwrap();
    writer.save(0, ["x"]).unwrap();
    let error = writer.finish(2).unwrap_err();
    assert!(error.to_string().contains("part-00001"), "{error}");
    assert!(!directory.join("_SUCCESS").exists());
}

#[test]
fn a_full_disk_is_named_and_leaves_nothing() {
    // /dev/full stands for it: every write to it says that there is no space.
    let folder = tempfile::tempdir().unwrap();
    let directory = folder.path().join("out");
    let writer = PartWriter::create(&directory, OutputMode::MustNotExist, None).unwrap();
    let mut part = writer.part(0).unwrap();
    let full = fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
    part.sink = Some(crate::base::files::codec::Compressor::new(full, None).unwrap());
    part.write_line(b"x").unwrap();
    let error = part.commit().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    assert!(error.to_string().contains("part-00000") && error.to_string().contains("space"), "{error}");
    assert!(names(&directory).is_empty());
}

#[test]
fn batch_names_are_spark_s() {
    let time = Time::from_ms(1_754_000_000_000);
    assert_eq!(batch_name("a/b", time, "txt"), "a/b-1754000000000.txt");
    assert_eq!(batch_name("", time, "txt"), "1754000000000.txt");
}
