//! Staged parts, published once, again, and beside other attempts.

use super::{make_directory, withdraw};
use crate::base::{ErrorKind, files::PartWriter};
use std::{fs, path::Path};

fn names(directory: &Path) -> Vec<String> {
    let mut names: Vec<_> =
        fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

fn stage(writer: &PartWriter, partition: usize, line: &str) -> String {
    writer.ready().unwrap();
    let mut part = writer.part(partition).unwrap();
    part.write_line(line.as_bytes()).unwrap();
    part.stage().unwrap().file_name().unwrap().to_str().unwrap().to_owned()
}

#[test]
fn parts_show_only_when_published_and_publishing_repeats() {
    let folder = tempfile::tempdir().unwrap();
    let directory = folder.path().join("a/b/out");
    let writer = PartWriter::at(&directory, None);
    let staged = [stage(&writer, 0, "a"), stage(&writer, 1, "b")];
    let late = stage(&writer, 2, "of another attempt");
    writer.settle().unwrap();
    assert!(names(&directory).iter().all(|name| name.starts_with('.')));
    for _ in 0..2 {
        writer.publish(&staged).unwrap();
        assert_eq!(names(&directory), ["_SUCCESS", "part-00000", "part-00001"]);
    }
    assert!(!directory.join(late).exists());
    // As after a crash before the marker.
    fs::remove_file(directory.join("_SUCCESS")).unwrap();
    writer.publish(&staged).unwrap();
    assert_eq!(names(&directory), ["_SUCCESS", "part-00000", "part-00001"]);
}

#[test]
fn an_output_is_replaced_whole() {
    let folder = tempfile::tempdir().unwrap();
    let writer = PartWriter::at(folder.path().join("out"), None);
    writer.publish(&[stage(&writer, 0, "old"), stage(&writer, 1, "old")]).unwrap();
    writer.publish(&[stage(&writer, 0, "new")]).unwrap();
    assert_eq!(names(&folder.path().join("out")), ["_SUCCESS", "part-00000"]);
    assert_eq!(fs::read_to_string(folder.path().join("out/part-00000")).unwrap(), "new\n");
    writer.publish(&[]).unwrap();
    assert_eq!(names(&folder.path().join("out")), ["_SUCCESS"]);
}

#[test]
fn a_part_that_is_gone_is_told_and_the_marker_stays_away() {
    let folder = tempfile::tempdir().unwrap();
    let writer = PartWriter::at(folder.path().join("out"), None);
    let staged = [stage(&writer, 0, "a"), ".part-00001.x.tmp".to_owned()];
    let error = writer.publish(&staged).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Data);
    assert!(error.to_string().contains(".part-00001.x.tmp"), "{error}");
    assert_eq!(names(&folder.path().join("out")), ["part-00000"]);
}

#[test]
fn what_is_withdrawn_is_kept_out_of_sight() {
    let folder = tempfile::tempdir().unwrap();
    for text in ["one", "two"] {
        fs::write(folder.path().join("part"), text).unwrap();
        withdraw(&folder.path().join("part")).unwrap();
    }
    assert_eq!(names(folder.path()), ["_withdrawn-1-part", "_withdrawn-2-part"]);
    assert_eq!(fs::read_to_string(folder.path().join("_withdrawn-2-part")).unwrap(), "two");
}

#[test]
fn a_file_in_the_way_of_a_directory_is_named() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("file"), "").unwrap();
    let error = make_directory(&folder.path().join("file/below")).unwrap_err();
    assert!(error.to_string().contains("file"), "{error}");
}
