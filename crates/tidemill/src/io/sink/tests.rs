//! Streams into sinks: what is written, when a batch fails, and the contract on the sinks of the house.

mod crashes;
mod full_disk;
mod marked;

use super::{ObjectDirectories, RollingFiles, RollingOptions, Sink, TextDirectories};
use crate::{
    Config, DStream, Data, Error, ErrorKind, Time,
    base::files::{Codec, objects::ObjectReader, whole},
    keys,
    testing::{MemorySink, Step, TestContext, check_sink},
};
use std::{
    fs,
    path::Path,
    sync::atomic::{AtomicUsize, Ordering},
};

fn names(directory: &Path) -> Vec<String> {
    let mut names: Vec<_> =
        fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

fn prefix(folder: &tempfile::TempDir) -> String {
    folder.path().join("out").display().to_string()
}

/// A folder in memory, where there is one: for tests that write much and lose no power.
pub(super) fn quick_folder() -> tempfile::TempDir {
    tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).unwrap()
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
    let plain = quick_folder();
    check_sink(|| TextDirectories::new(prefix(&plain), ""), |time| text_of(&of(&plain, time)));
    let zstd = quick_folder();
    check_sink(|| TextDirectories::new(prefix(&zstd), "").compressed(Codec::Zstd), |time| text_of(&of(&zstd, time)));
    let objects = quick_folder();
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
#[should_panic(expected = "what a reader finds")]
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

/// A program that waits for what is down, and stops if it stays so.
fn patient(test: &Config) -> TestContext {
    let config = test.clone().set(keys::BATCH_RETRY_TIMEOUT, "20s").set(keys::BATCH_ON_FAILURE, "stop");
    TestContext::with_config(config)
}

#[test]
fn an_output_that_is_tried_again_is_written_once() {
    let folder = tempfile::tempdir().unwrap();
    let (test, sink) = (TestContext::with_config(Config::new().set(keys::MASTER, "local[2,3]")), MemorySink::new());
    let (stream, source) = test.scripted_stream();
    stream.save_to(sink.clone());
    stream.save_as_text_files(prefix(&folder), "");
    source.push(Step::Records(vec![1, 2, 3]));
    sink.fail_writes(2);
    test.run(1).unwrap();
    assert_eq!((sink.batches(), sink.aborts()), (vec![vec![1, 2, 3]], 0));
    assert_eq!(text_of(&folder.path().join("out-1000")).unwrap(), ["1", "2", "3"]);
}

#[test]
fn a_sink_that_is_down_is_waited_for() {
    let (test, sink) = (patient(&Config::new()), MemorySink::new());
    test.stream(vec![vec![1, 2], vec![3]]).save_to(sink.clone());
    sink.fail_writes(3);
    sink.fail_commits(2);
    test.run(2).unwrap();
    assert_eq!((sink.batches(), sink.aborts()), (vec![vec![1, 2], vec![3]], 0));
}

#[test]
fn a_commit_that_failed_but_happened_is_not_doubled() {
    let folder = tempfile::tempdir().unwrap();
    let (test, sink) = (patient(&Config::new()), MemorySink::new());
    let numbers = test.stream(vec![vec![1, 2], vec![3]]);
    numbers.save_to(sink.clone());
    let rolling = RollingFiles::new(folder.path().display().to_string(), RollingOptions::new().max_rows(1));
    numbers.save_to(Doubtful { inner: rolling, doubts: AtomicUsize::new(2) });
    sink.doubt_commits(2);
    test.run(2).unwrap();
    assert_eq!((sink.batches(), sink.aborts()), (vec![vec![1, 2], vec![3]], 0));
    let texts: Vec<_> =
        names(folder.path()).into_iter().map(|name| fs::read_to_string(folder.path().join(name)).unwrap()).collect();
    assert_eq!(texts, ["1\n", "2\n", "3\n"]);
}

/// Commits, and says that it did not.
struct Doubtful<S> {
    inner: S,
    doubts: AtomicUsize,
}

impl<S: Sink<i32>> Sink<i32> for Doubtful<S> {
    type Receipt = S::Receipt;
    fn begin(&self, time: Time) -> crate::Result<()> {
        self.inner.begin(time)
    }
    fn write(&self, time: Time, partition: usize, records: &mut dyn Iterator<Item = i32>) -> crate::Result<S::Receipt> {
        self.inner.write(time, partition, records)
    }
    fn prepare(&self, time: Time, receipts: Vec<S::Receipt>) -> crate::Result<Vec<S::Receipt>> {
        self.inner.prepare(time, receipts)
    }
    fn commit(&self, time: Time, receipts: Vec<S::Receipt>) -> crate::Result<()> {
        self.inner.commit(time, receipts)?;
        let doubts = self.doubts.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |n| n.checked_sub(1));
        doubts.map_or(Ok(()), |_| Err(Error::unavailable("the answer was lost")))
    }
}

#[test]
fn a_batch_that_is_done_and_cannot_be_shown_ends_the_program() {
    let (test, sink) = (TestContext::new(), MemorySink::new());
    test.stream(vec![vec![1], vec![2]]).save_to(sink.clone());
    sink.fail_commits(1);
    let error = test.run(1).unwrap_err();
    assert!(error.to_string().contains("save_to at ") && error.to_string().contains("told to fail"), "{error}");
    test.advance(1).unwrap();
    assert_eq!((sink.batches(), sink.aborts()), (vec![], 0));
}

/// Panics wherever it is told to.
struct Panicking(&'static str, MemorySink<i32>);

impl Panicking {
    fn at(&self, step: &str) {
        assert!(self.0 != step, "a panic in {step}");
    }
}

impl Sink<i32> for Panicking {
    type Receipt = Vec<i32>;
    fn begin(&self, _time: Time) -> crate::Result<()> {
        self.at("begin");
        Ok(())
    }
    fn write(&self, time: Time, partition: usize, records: &mut dyn Iterator<Item = i32>) -> crate::Result<Vec<i32>> {
        self.at("write");
        self.1.write(time, partition, records)
    }
    fn prepare(&self, _time: Time, receipts: Vec<Vec<i32>>) -> crate::Result<Vec<Vec<i32>>> {
        self.at("prepare");
        Ok(receipts)
    }
    fn commit(&self, time: Time, receipts: Vec<Vec<i32>>) -> crate::Result<()> {
        self.at("commit");
        self.1.commit(time, receipts)
    }
    fn restore(&self, _last: Option<(Time, Vec<Vec<i32>>)>) -> crate::Result<()> {
        self.at("restore");
        Ok(())
    }
    fn close(&self) -> crate::Result<()> {
        self.at("close");
        Ok(())
    }
}

#[test]
fn a_sink_that_panics_fails_the_batch_or_the_start_or_the_stop() {
    for step in ["begin", "write", "prepare", "commit", "restore", "close"] {
        let (test, kept) = (TestContext::new(), MemorySink::new());
        test.stream(vec![vec![1]]).save_to(Panicking(step, kept.clone()));
        let outcome = test.run(1).and_then(|()| test.ssc().stop_gracefully().map(drop));
        let error = outcome.unwrap_err().to_string();
        assert!(error.contains("save_to at ") && error.contains(&format!("a panic in {step}")), "{error}");
        assert_eq!(kept.batches().is_empty(), step != "close", "{step}");
    }
}

#[test]
fn a_directory_of_a_batch_that_the_log_forgot_is_put_aside() {
    let folder = tempfile::tempdir().unwrap();
    let sink = || TextDirectories::new(prefix(&folder), "txt");
    let mut last = None;
    for ms in [1_000, 2_000, 3_000] {
        let (sink, time) = (sink(), Time::from_ms(ms));
        Sink::<i32>::begin(&sink, time).unwrap();
        let receipts = vec![sink.write(time, 0, &mut [1].into_iter()).unwrap()];
        let receipts = Sink::<i32>::prepare(&sink, time, receipts).unwrap();
        Sink::<i32>::commit(&sink, time, receipts.clone()).unwrap();
        last = last.or(Some((time, receipts)));
    }
    fs::create_dir(folder.path().join("out-4000.txt")).unwrap();
    fs::create_dir(folder.path().join("out-x.txt")).unwrap();
    Sink::<i32>::restore(&sink(), None).unwrap();
    assert_eq!(names(folder.path()).len(), 5);
    Sink::<i32>::restore(&sink(), last).unwrap();
    let expected =
        ["_withdrawn-1-out-2000.txt", "_withdrawn-1-out-3000.txt", "out-1000.txt", "out-4000.txt", "out-x.txt"];
    assert_eq!(names(folder.path()), expected);
    assert_eq!(text_of(&folder.path().join("out-1000.txt")).unwrap(), ["1"]);
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
