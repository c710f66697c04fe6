//! Streams into sinks: what is written, when a batch fails, and the contract on the sinks of the house.

use super::{ObjectDirectories, Sink, TextDirectories};
use crate::{
    Config, DStream, Data, Error, ErrorKind, Time,
    base::files::{Codec, objects::ObjectReader, whole},
    keys,
    testing::{MemorySink, Step, TestContext, check_sink},
};
use std::{fs, path::Path};

fn names(directory: &Path) -> Vec<String> {
    let mut names: Vec<_> =
        fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

fn prefix(folder: &tempfile::TempDir) -> String {
    folder.path().join("out").display().to_string()
}

/// The lines of the complete directory of a batch.
fn text_of(directory: &Path) -> Option<Vec<String>> {
    if !directory.join("_SUCCESS").exists() {
        return None;
    }
    let parts = names(directory).into_iter().filter(|name| name.starts_with("part-"));
    Some(
        parts
            .flat_map(|name| {
                whole::read_text(directory.join(name)).unwrap().1.lines().map(String::from).collect::<Vec<_>>()
            })
            .collect(),
    )
}

fn objects_of<T: Data>(directory: &Path) -> Option<Vec<T>> {
    if !directory.join("_SUCCESS").exists() {
        return None;
    }
    let mut records = Vec::new();
    for name in names(directory).into_iter().filter(|name| name.starts_with("part-")) {
        let mut reader = ObjectReader::open(directory.join(name)).unwrap();
        while let Some(payload) = reader.next_payload().unwrap() {
            records.extend(postcard::from_bytes::<Vec<T>>(&payload).unwrap());
        }
    }
    Some(records)
}

#[test]
fn the_sinks_of_the_house_keep_the_contract() {
    let memory = MemorySink::<String>::new();
    let reader = memory.clone();
    check_sink(move || memory.clone(), |time| reader.partitions().get(&time).map(|partitions| partitions.concat()));

    let of = |folder: &tempfile::TempDir, time: Time| folder.path().join(format!("out-{}", time.as_ms()));
    let plain = tempfile::tempdir().unwrap();
    check_sink(|| TextDirectories::new(prefix(&plain), ""), |time| text_of(&of(&plain, time)));
    let zstd = tempfile::tempdir().unwrap();
    check_sink(|| TextDirectories::new(prefix(&zstd), "").compressed(Codec::Zstd), |time| text_of(&of(&zstd, time)));
    let objects = tempfile::tempdir().unwrap();
    check_sink(|| ObjectDirectories::new(prefix(&objects), ""), |time| objects_of(&of(&objects, time)));
}

/// Appends, whatever was there.
#[derive(Clone, Default)]
struct Appending(MemorySink<String>);

impl Sink<String> for Appending {
    type Receipt = Vec<String>;
    fn write(
        &self,
        time: Time,
        partition: usize,
        records: &mut dyn Iterator<Item = String>,
    ) -> crate::Result<Vec<String>> {
        self.0.write(time, partition, records)
    }
    fn commit(&self, time: Time, receipts: Vec<Vec<String>>) -> crate::Result<()> {
        let mut all = self.0.partitions().remove(&time).unwrap_or_default();
        all.extend(receipts);
        self.0.commit(time, all)
    }
}

#[test]
#[should_panic(expected = "a batch run again after a restart")]
fn a_sink_that_appends_is_caught() {
    let sink = Appending::default();
    let reader = sink.0.clone();
    check_sink(move || sink.clone(), move |time| reader.partitions().get(&time).map(|partitions| partitions.concat()));
}

#[test]
fn text_files_of_each_batch() {
    let folder = tempfile::tempdir().unwrap();
    let test = TestContext::new();
    test.stream(vec![vec![Some(1.5), None, Some(2.0)], vec![]]).save_as_text_files(prefix(&folder), "txt");
    test.run(2).unwrap();
    assert_eq!(names(folder.path()), ["out-1000.txt", "out-2000.txt"]);
    let first = folder.path().join("out-1000.txt");
    assert_eq!(names(&first), ["_SUCCESS", "part-00000", "part-00001"]);
    assert_eq!(fs::read_to_string(first.join("part-00000")).unwrap(), "Some(1.5)\n");
    assert_eq!(text_of(&first).unwrap(), ["Some(1.5)", "None", "Some(2.0)"]);
    assert_eq!(text_of(&folder.path().join("out-2000.txt")), Some(vec![]));
}

#[test]
fn a_prefix_may_be_a_uri_and_its_folder_missing() {
    let folder = tempfile::tempdir().unwrap();
    let test = TestContext::new();
    test.stream(vec![vec![1]]).save_as_text_files(format!("file://{}/new/deep/n", folder.path().display()), "");
    test.run(1).unwrap();
    assert_eq!(names(&folder.path().join("new/deep")), ["n-1000"]);
}

#[test]
fn large_batches_go_round_as_text_and_as_objects() {
    let (text, objects) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let test = TestContext::new();
    let lines: Vec<String> = (0..20_000).map(|n| format!("line {n}")).collect();
    let stream = test.stream(vec![lines.clone()]);
    stream.save_as_text_files_compressed(prefix(&text), "", Codec::Gzip);
    stream.save_as_object_files(prefix(&objects), "");
    test.run(1).unwrap();
    assert_eq!(text_of(&text.path().join("out-1000")).unwrap(), lines);
    assert_eq!(objects_of::<String>(&objects.path().join("out-1000")).unwrap(), lines);
}

fn failing_on_two(test: &TestContext) -> DStream<i32> {
    test.stream(vec![vec![1, 1, 2, 1], vec![1]]).map(|n| if n == 2 { panic!("two") } else { n })
}

#[test]
fn a_batch_that_fails_leaves_nothing_and_the_next_is_written() {
    let folder = tempfile::tempdir().unwrap();
    let (test, sink) = (TestContext::new(), MemorySink::new());
    let stream = failing_on_two(&test);
    stream.save_as_text_files(prefix(&folder), "");
    stream.save_to(sink.clone());
    let error = test.run(1).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::User);
    assert!(error.to_string().contains("map at ") && error.to_string().contains("partition 1"), "{error}");
    assert_eq!((names(folder.path()).len(), sink.batches().len(), sink.aborts()), (0, 0, 1));
    test.advance(1).unwrap();
    assert_eq!(names(folder.path()), ["out-2000"]);
    assert_eq!(sink.batches(), [[1]]);
}

#[test]
fn an_abort_removes_only_what_it_wrote() {
    let folder = tempfile::tempdir().unwrap();
    let test = TestContext::new();
    fs::create_dir(folder.path().join("out-1000")).unwrap();
    fs::write(folder.path().join("out-1000/mine"), "").unwrap();
    failing_on_two(&test).save_as_text_files(prefix(&folder), "");
    assert!(test.run(1).is_err());
    assert_eq!(names(&folder.path().join("out-1000")), ["mine"]);
}

#[test]
fn a_failing_write_names_output_and_partition() {
    let (test, sink) = (TestContext::new(), MemorySink::new());
    test.stream(vec![vec![1, 2]]).save_to(sink.clone());
    sink.fail_writes(2);
    let error = test.run(1).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    let text = error.to_string();
    assert!(text.contains("save_to at ") && text.contains("partition ") && text.contains("told to fail"), "{text}");
    assert!(sink.batches().is_empty());
}

#[test]
fn an_output_that_is_tried_again_is_written_once() {
    let folder = tempfile::tempdir().unwrap();
    let (test, sink) = (TestContext::with_config(Config::new().set(keys::MASTER, "local[2,3]")), MemorySink::new());
    let (stream, source) = test.scripted_stream();
    stream.save_to(sink.clone());
    stream.save_as_text_files(prefix(&folder), "");
    source.push(Step::Records(vec![1, 2, 3]));
    sink.fail_commits(2);
    test.run(1).unwrap();
    assert_eq!((sink.batches(), sink.aborts()), (vec![vec![1, 2, 3]], 2));
    assert_eq!(text_of(&folder.path().join("out-1000")).unwrap(), ["1", "2", "3"]);
}

#[test]
fn a_place_that_cannot_be_written_fails_the_batch_with_its_path() {
    let folder = tempfile::tempdir().unwrap();
    let test = TestContext::new();
    fs::write(folder.path().join("out-1000"), "a file in the way").unwrap();
    test.stream(vec![vec![1]]).save_as_text_files(prefix(&folder), "");
    let error: Error = test.run(1).unwrap_err();
    assert!(error.to_string().contains("out-1000"), "{error}");
}
