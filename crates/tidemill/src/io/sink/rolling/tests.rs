//! Rolling files through crashes, forgetful logs and changing numbers of partitions, against a run without any.

use super::{super::tests::quick_folder, RollingFiles, RollingOptions, RollingReceipt};
use crate::{
    Config, Error, ErrorKind, Time,
    base::files::{Codec, whole::read_text},
    io::Sink,
    keys, milliseconds, seconds,
    testing::{Step, TestContext, check_sink},
};
use proptest::prelude::*;
use std::{collections::BTreeMap, fs, path::Path};

/// What readers see, by name.
fn seen(folder: &Path) -> BTreeMap<String, String> {
    let names = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let shown = names.filter(|name| !name.starts_with(['.', '_']));
    shown.map(|name| (name.clone(), read_text(folder.join(name)).unwrap().1)).collect()
}

fn hidden(folder: &Path) -> Vec<String> {
    let names = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut hidden: Vec<_> = names.filter(|name| name.starts_with(['.', '_'])).collect();
    hidden.sort();
    hidden
}

fn sink(folder: &Path, options: &RollingOptions) -> RollingFiles {
    RollingFiles::new(folder.display().to_string(), options.clone())
}

#[test]
fn the_contract_is_kept() {
    for codec in [None, Some(Codec::Gzip), Some(Codec::Zstd), Some(Codec::Bzip2)] {
        let folder = quick_folder();
        let options = RollingOptions::new().max_age(seconds(0)).max_bytes(64);
        let options = codec.into_iter().fold(options, RollingOptions::compressed);
        check_sink(
            || sink(folder.path(), &options),
            |time| {
                let files = seen(folder.path());
                let of_batch: String = files
                    .iter()
                    .filter(|(name, _)| name.starts_with(&format!("part-{}-", time.as_ms())))
                    .map(|(_, text)| &**text)
                    .collect();
                (!of_batch.is_empty()).then(|| of_batch.lines().map(String::from).collect())
            },
        );
    }
}

/// A driver of the sink, with a log that may forget.
struct Driver<'a> {
    folder: &'a Path,
    options: &'a RollingOptions,
    sink: RollingFiles,
    log: Vec<(Time, Vec<u8>)>,
}

impl<'a> Driver<'a> {
    fn new(folder: &'a Path, options: &'a RollingOptions) -> Self {
        Self { folder, options, sink: sink(folder, options), log: Vec::new() }
    }

    fn restart(&mut self) {
        self.sink = sink(self.folder, self.options);
        let last = self.log.last().map(|(time, bytes)| (*time, postcard::from_bytes(bytes).unwrap()));
        Sink::<String>::restore(&self.sink, last).unwrap();
    }

    fn prepare(&self, time: Time, partitions: &[Vec<String>]) -> Vec<RollingReceipt> {
        Sink::<String>::begin(&self.sink, time).unwrap();
        let written = partitions.iter().enumerate();
        let written = written.map(|(n, rows)| self.sink.write(time, n, &mut rows.iter().cloned()).unwrap()).collect();
        Sink::<String>::prepare(&self.sink, time, written).unwrap()
    }

    fn done(&mut self, time: Time, receipts: &[RollingReceipt]) {
        self.log.push((time, postcard::to_stdvec(receipts).unwrap()));
    }

    fn commit(&self, time: Time, receipts: Vec<RollingReceipt>) {
        Sink::<String>::commit(&self.sink, time, receipts).unwrap();
    }

    fn batch(&mut self, time: Time, partitions: &[Vec<String>]) {
        let receipts = self.prepare(time, partitions);
        self.done(time, &receipts);
        self.commit(time, receipts);
    }

    fn close(&self) {
        Sink::<String>::close(&self.sink).unwrap();
    }
}

fn rows(texts: &[&str]) -> Vec<String> {
    texts.iter().map(|text| (*text).to_owned()).collect()
}

fn at(seconds: u64) -> Time {
    Time::from_ms(seconds * 1_000)
}

#[test]
fn a_record_is_seen_when_its_file_is_finished() {
    let folder = tempfile::tempdir().unwrap();
    let options = RollingOptions::new().max_age(seconds(2));
    let mut driver = Driver::new(folder.path(), &options);
    driver.batch(at(1), &[rows(&["a"]), rows(&["b"])]);
    driver.batch(at(2), &[rows(&[])]);
    assert!(seen(folder.path()).is_empty());
    driver.batch(at(3), &[rows(&["c"])]);
    assert_eq!(seen(folder.path()), BTreeMap::from([("part-1000-00000.txt".into(), "a\nb\nc\n".into())]));
    driver.batch(at(4), &[rows(&["d"])]);
    driver.close();
    assert_eq!(seen(folder.path())["part-4000-00000.txt"], "d\n");
    assert!(hidden(folder.path()).is_empty());
    driver.restart();
    driver.batch(at(5), &[rows(&["e"])]);
    driver.close();
    assert_eq!(seen(folder.path())["part-5000-00000.txt"], "e\n");
    assert_eq!(seen(folder.path())["part-4000-00000.txt"], "d\n");
}

#[test]
fn a_file_that_a_reader_took_away_is_not_missed() {
    let folder = tempfile::tempdir().unwrap();
    let options = RollingOptions::new();
    let mut driver = Driver::new(folder.path(), &options);
    driver.batch(at(1), &[rows(&["a"])]);
    driver.close();
    fs::remove_file(folder.path().join("part-1000-00000.txt")).unwrap();
    driver.restart();
    driver.batch(at(2), &[rows(&["b"])]);
    driver.close();
    assert_eq!(seen(folder.path()).into_values().collect::<Vec<_>>(), ["b\n"]);
}

#[test]
fn what_the_log_forgot_is_put_aside_and_built_again() {
    let folder = tempfile::tempdir().unwrap();
    let options = RollingOptions::new().max_rows(3);
    let mut driver = Driver::new(folder.path(), &options);
    for (n, row) in ["a", "b", "c", "d", "e", "f", "g"].into_iter().enumerate() {
        driver.batch(at(n as u64 + 1), &[rows(&[row])]);
    }
    assert_eq!(seen(folder.path()).into_values().collect::<Vec<_>>(), ["a\nb\nc\n", "d\ne\nf\n"]);
    driver.log.truncate(2);
    driver.restart();
    assert!(seen(folder.path()).is_empty());
    assert_eq!(hidden(folder.path()).iter().filter(|name| name.starts_with("_withdrawn-1-part-")).count(), 3);
    // A second start finds it as the first left it.
    driver.restart();
    for (n, row) in ["C", "D", "E", "F", "G"].into_iter().enumerate() {
        driver.batch(at(n as u64 + 3), &[rows(&[row])]);
    }
    driver.close();
    assert_eq!(seen(folder.path()).into_values().collect::<Vec<_>>(), ["a\nb\nC\n", "D\nE\nF\n", "G\n"]);
}

#[test]
fn files_of_a_checkpoint_that_is_gone_are_left() {
    let folder = tempfile::tempdir().unwrap();
    let options = RollingOptions::new().max_rows(1);
    let mut driver = Driver::new(folder.path(), &options);
    driver.batch(at(1), &[rows(&["finished"])]);
    let open = RollingOptions::new();
    Driver::new(folder.path(), &open).batch(at(2), &[rows(&["open"])]);
    driver.log.clear();
    driver.restart();
    assert_eq!(seen(folder.path()).into_values().collect::<Vec<_>>(), ["finished\n"]);
    let aside = hidden(folder.path());
    assert_eq!(aside.len(), 1);
    assert!(aside[0].starts_with("_withdrawn-1-part-2000-"), "{aside:?}");
    assert_eq!(fs::read_to_string(folder.path().join(&aside[0])).unwrap(), "open\n");
    // A batch time that comes again does not write over what is there.
    let receipts = driver.prepare(at(1), &[rows(&["again"])]);
    let error = Sink::<String>::commit(&driver.sink, at(1), receipts).unwrap_err();
    assert!(error.to_string().contains("exists already"), "{error}");
    assert_eq!(seen(folder.path()).into_values().collect::<Vec<_>>(), ["finished\n"]);
}

#[test]
fn damage_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let options = RollingOptions::new();
    let mut driver = Driver::new(folder.path(), &options);
    driver.batch(at(1), &[rows(&["abc"])]);
    let open = hidden(folder.path()).remove(0);
    fs::write(folder.path().join(&open), "ab").unwrap();
    let receipts = driver.prepare(at(2), &[rows(&["d"])]);
    let error = Sink::<String>::commit(&driver.sink, at(2), receipts).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Data);
    assert!(error.to_string().contains(&open) && error.to_string().contains("2 bytes where 4"), "{error}");
}

#[test]
fn batches_at_once_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let options = RollingOptions::new();
    let driver = Driver::new(folder.path(), &options);
    let _prepared = driver.prepare(at(1), &[rows(&["a"])]);
    let error = Sink::<String>::prepare(&driver.sink, at(2), vec![]).unwrap_err();
    assert!(error.to_string().contains("concurrentJobs"), "{error}");
}

#[test]
fn options_that_cannot_be_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let bad = [
        RollingOptions::new().prefix("_x"),
        RollingOptions::new().prefix("a/b"),
        RollingOptions::new().suffix("a/b"),
        RollingOptions::new().compressed(Codec::Deflate),
    ];
    for options in bad {
        let test = TestContext::new();
        test.stream(vec![vec![1]]).save_as_rolling_files(folder.path().display().to_string(), options);
        assert_eq!(test.run(1).unwrap_err().kind(), ErrorKind::Invalid);
    }
}

#[test]
fn names_are_told_apart_from_others() {
    let folder = tempfile::tempdir().unwrap();
    let options = |prefix: &str| RollingOptions::new().prefix(prefix).suffix("").max_rows(1);
    for name in ["notes", "a-5000-00000.txt", "a-b-5000-00000", "a-x-00000", ".a-b-5000-00000.x.open"] {
        fs::write(folder.path().join(name), "mine").unwrap();
    }
    let options = options("a");
    let mut driver = Driver::new(folder.path(), &options);
    driver.batch(at(1), &[rows(&["a"])]);
    driver.restart();
    assert_eq!(seen(folder.path()).len(), 5);
    assert_eq!(hidden(folder.path()), [".a-b-5000-00000.x.open"]);
}

#[test]
fn large_batches_are_cut_into_files() {
    let folder = tempfile::tempdir().unwrap();
    let test = TestContext::with_config(Config::new().set(keys::MASTER, "local[2]"));
    let (stream, source) = test.scripted_stream();
    let options = RollingOptions::new().max_bytes(100_000).compressed(Codec::Zstd);
    stream.save_as_rolling_files(folder.path().display().to_string(), options);
    let all: Vec<String> = (0..60_000_u64).map(|n| (n + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15).to_string()).collect();
    source.push(Step::Records(all[..50_000].to_vec()));
    source.push(Step::Records(all[50_000..].to_vec()));
    test.run(2).unwrap();
    test.ssc().stop_gracefully().unwrap();
    let files = seen(folder.path());
    let found: Vec<String> = files.values().flat_map(|text| text.lines().map(String::from)).collect();
    assert_eq!(found, all);
    assert!(files.len() > 1, "{:?}", files.keys());
}

/// How a batch goes.
#[derive(Clone, Copy, Debug)]
enum Fate {
    Well,
    CrashWritten,
    CrashPrepared,
    CrashDone,
    Aborted,
    CommittedTwice,
    /// So many of the last batches are forgotten after it.
    Forgotten(usize),
}

fn fates() -> impl Strategy<Value = Fate> {
    prop_oneof![
        4 => Just(Fate::Well),
        1 => Just(Fate::CrashWritten),
        1 => Just(Fate::CrashPrepared),
        1 => Just(Fate::CrashDone),
        1 => Just(Fate::Aborted),
        1 => Just(Fate::CommittedTwice),
        1 => (1..5_usize).prop_map(Fate::Forgotten),
    ]
}

/// The rows of a batch, in as many partitions as it has.
fn partitions(batch: usize, sizes: &[usize]) -> Vec<Vec<String>> {
    let row = |partition: usize, n: usize| format!("{batch} {partition} {n} {}", "x".repeat(n % 7 * 100));
    sizes.iter().enumerate().map(|(partition, size)| (0..*size).map(|n| row(partition, n)).collect()).collect()
}

fn run(folder: &Path, options: &RollingOptions, batches: &[(Vec<usize>, Fate)], troubled: bool) {
    let mut driver = Driver::new(folder, options);
    driver.restart();
    let mut left: Vec<Fate> = batches.iter().map(|(_, fate)| if troubled { *fate } else { Fate::Well }).collect();
    while driver.log.len() < batches.len() {
        let batch = driver.log.len();
        let (time, parts) = (at(batch as u64 + 1), partitions(batch, &batches[batch].0));
        // Trouble comes once; then the batch goes well.
        match std::mem::replace(&mut left[batch], Fate::Well) {
            Fate::Well => driver.batch(time, &parts),
            Fate::CrashWritten => {
                Sink::<String>::begin(&driver.sink, time).unwrap();
                for (n, rows) in parts.iter().enumerate() {
                    driver.sink.write(time, n, &mut rows.iter().cloned()).unwrap();
                }
                driver.restart();
            }
            Fate::CrashPrepared => {
                driver.prepare(time, &parts);
                driver.restart();
            }
            Fate::CrashDone => {
                let receipts = driver.prepare(time, &parts);
                driver.done(time, &receipts);
                driver.restart();
            }
            Fate::Aborted => {
                driver.prepare(time, &parts);
                Sink::<String>::abort(&driver.sink, time).unwrap();
            }
            Fate::CommittedTwice => {
                let receipts = driver.prepare(time, &parts);
                driver.done(time, &receipts);
                driver.commit(time, receipts.clone());
                driver.commit(time, receipts);
            }
            Fate::Forgotten(count) => {
                driver.batch(time, &parts);
                // A log of which nothing is left is another matter: then nothing is known to be ours.
                driver.log.truncate((driver.log.len().saturating_sub(count)).max(1));
                driver.restart();
            }
        }
    }
    driver.close();
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn trouble_changes_nothing(
        batches in prop::collection::vec((prop::collection::vec(0..40_usize, 0..4), fates()), 1..12),
        max_rows in 1..60_u64,
        max_age_ms in 0..5_000_u64,
        compressed: bool,
    ) {
        let options = RollingOptions::new().max_rows(max_rows).max_age(milliseconds(max_age_ms)).max_bytes(8_000);
        let options = if compressed { options.compressed(Codec::Gzip) } else { options };
        let (calm, troubled) = (quick_folder(), quick_folder());
        run(calm.path(), &options, &batches, false);
        run(troubled.path(), &options, &batches, true);
        prop_assert_eq!(seen(calm.path()), seen(troubled.path()));
        prop_assert!(hidden(calm.path()).is_empty());
        prop_assert!(hidden(troubled.path()).iter().all(|name| name.starts_with("_withdrawn-")));
        let all: Vec<String> = batches.iter().enumerate().flat_map(|(n, (sizes, _))| partitions(n, sizes).concat()).collect();
        let mut found: Vec<String> = seen(calm.path()).values().flat_map(|text| text.lines().map(String::from)).collect();
        found.sort();
        let mut expected = all;
        expected.sort();
        prop_assert_eq!(found, expected);
    }
}

#[test]
fn a_record_that_cannot_be_json_fails_the_batch() {
    let folder = tempfile::tempdir().unwrap();
    let test = TestContext::new();
    let pairs = test.stream(vec![vec![BTreeMap::from([((1, 2), 3)])]]);
    pairs.save_as_rolling_json_lines(folder.path().display().to_string(), RollingOptions::new());
    let error: Error = test.run(1).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Data);
    assert!(error.to_string().contains("JSON"), "{error}");
    assert!(hidden(folder.path()).is_empty());
}
