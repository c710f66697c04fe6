//! A stream of files that is told what a checkpoint has of it: every file once, whatever happened while the program was down.

use super::super::{FileInput, FileSlice, FileStreamOptions, TextLines};
use crate::{
    Config, ErrorKind, ManualClock, Result, Text, Time,
    base::config::{FileStreamRule, MissingFile},
    base::text::LineLimits,
    dstream::input::{Input, InputMemory, Slice},
    keys,
    rdd::Site,
    seconds,
    testing::TestContext,
};
use std::{
    collections::BTreeSet,
    fs::{self, File},
    io::Write,
    path::PathBuf,
    sync::Arc,
    time::{Duration, UNIX_EPOCH},
};

/// A folder, the input that watches it, and what a log would have of that.
struct Restarted {
    folder: tempfile::TempDir,
    test: TestContext,
    clock: ManualClock,
    config: Config,
    options: FileStreamOptions,
    input: FileInput<TextLines>,
    remembered: Option<Vec<u8>>,
    picked: Vec<(Time, Slice)>,
    done: Time,
}

fn declare(
    folder: &tempfile::TempDir,
    test: &TestContext,
    clock: &ManualClock,
    config: &Config,
    options: &FileStreamOptions,
) -> FileInput<TextLines> {
    let directory = folder.path().display().to_string();
    let settings = options.clone().settings(directory, config, seconds(1)).unwrap();
    let limits = LineLimits { block_bytes: 64 << 10, max_line_bytes: 1 << 20 };
    let read = TextLines { limits, session: test.ssc().context().session().clone() };
    FileInput::new(Site::unknown("a test"), settings, Arc::new(clock.clone()), read)
}

impl Restarted {
    fn new(options: FileStreamOptions) -> Self {
        Self::over(tempfile::tempdir().unwrap(), options)
    }

    fn over(folder: tempfile::TempDir, options: FileStreamOptions) -> Self {
        let (test, clock, config) = (TestContext::new(), ManualClock::new(Time::from_ms(0)), Config::new());
        let input = declare(&folder, &test, &clock, &config, &options);
        let done = Time::default();
        Self { folder, test, clock, config, options, input, remembered: None, picked: Vec::new(), done }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn write(&self, name: &str) {
        fs::write(self.path(name), format!("{name}\n")).unwrap();
    }

    fn touch(&self, name: &str, second: u64) {
        let time = UNIX_EPOCH + Duration::from_secs(second);
        File::options().append(true).open(self.path(name)).unwrap().set_modified(time).unwrap();
    }

    /// The names that the batch at `second` picks, which is logged.
    fn pick(&mut self, second: u64) -> Vec<String> {
        self.pick_late(second, second)
    }

    /// As [`pick`](Self::pick), when the clock is at `now` already.
    fn pick_late(&mut self, second: u64, now: u64) -> Vec<String> {
        self.clock.set(Time::from_ms(now * 1_000));
        let time = Time::from_ms(second * 1_000);
        let slice = self.input.pick(time).unwrap();
        let names = slice.metadata["files"].lines().map(|path| path.rsplit('/').next().unwrap().to_owned()).collect();
        self.picked.push((time, slice));
        names
    }

    /// What the log's manifest would hold; what was picked before it is forgotten, but for the last so many batches.
    fn remember(&mut self, but: usize) {
        self.remembered = Some(self.input.remember().unwrap());
        let forget = self.picked.len().saturating_sub(but);
        self.picked.drain(..forget);
    }

    /// The program ends without a word and is started again, `second` by the clock.
    fn restart(&mut self, second: u64) {
        self.clock.set(Time::from_ms(second * 1_000));
        self.input = declare(&self.folder, &self.test, &self.clock, &self.config, &self.options);
        let again: BTreeSet<Time> =
            self.picked.iter().map(|(time, _)| *time).filter(|time| *time > self.done).collect();
        let memory = InputMemory {
            uid: "files",
            remembered: self.remembered.as_deref(),
            picked: &self.picked,
            again: &again,
            first_epoch: 1,
        };
        self.input.restore(&memory).unwrap();
    }

    /// What a batch that was logged reads when it is run.
    fn run(&self, batch: usize) -> Result<Vec<Text>> {
        let session = self.test.ssc().context().session();
        let (time, slice) = &self.picked[batch];
        self.input.rdd(session, *time, slice)?.collect()
    }
}

fn none() -> Vec<String> {
    Vec::new()
}

#[test]
fn what_was_there_at_the_first_start_is_passed_over_and_what_came_since_is_read_once() {
    for remember_after in [None, Some(0), Some(1), Some(2)] {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("old"), "old\n").unwrap();
        let mut watched = Restarted::over(folder, FileStreamOptions::new());
        watched.write("one");
        assert_eq!(watched.pick(1), ["one"]);
        watched.write("two");
        assert_eq!(watched.pick(2), ["two"]);
        if let Some(kept) = remember_after {
            watched.remember(kept);
        }
        watched.write("while down");
        watched.restart(10);
        assert_eq!(watched.pick(11), ["while down"], "{remember_after:?}");
        watched.restart(12);
        watched.write("three");
        assert_eq!(watched.pick(13), ["three"], "{remember_after:?}");
        assert_eq!(watched.pick(14), none());
    }
}

#[test]
fn before_the_first_batch_there_is_nothing_to_go_on_from() {
    let mut watched = Restarted::new(FileStreamOptions::new());
    watched.write("before the second start");
    watched.restart(1);
    watched.write("after it");
    assert_eq!(watched.pick(2), ["after it"]);
    // The memory of an input that was taken before its first batch is enough.
    let mut watched = Restarted::new(FileStreamOptions::new());
    watched.remember(0);
    watched.write("before the second start");
    watched.restart(1);
    assert_eq!(watched.pick(2), ["before the second start"]);
}

#[test]
fn files_that_were_there_and_wanted_are_read_once() {
    let folder = tempfile::tempdir().unwrap();
    for name in ["a", "b", "c"] {
        fs::write(folder.path().join(name), name).unwrap();
    }
    let mut watched = Restarted::over(folder, FileStreamOptions::new().new_files_only(false).max_files_per_batch(1));
    let mut seen = vec![watched.pick(1).concat()];
    watched.remember(0);
    watched.restart(5);
    seen.extend([6, 7, 8].map(|second| watched.pick(second).concat()));
    seen.sort();
    assert_eq!(seen, ["", "a", "b", "c"]);
}

#[test]
fn a_file_that_waits_for_its_age_waits_on_after_a_restart() {
    let mut watched = Restarted::new(FileStreamOptions::new().min_age(seconds(5)));
    watched.write("half");
    watched.touch("half", 1);
    assert_eq!(watched.pick(2), none());
    watched.remember(0);
    watched.restart(3);
    File::options().append(true).open(watched.path("half")).unwrap().write_all(b"and half\n").unwrap();
    watched.touch("half", 4);
    assert_eq!(watched.pick(7), none());
    assert_eq!(watched.pick(9), ["half"]);
}

/// A batch whose time is long past must not take a file that is written at this moment for one of the future that rests.
#[test]
fn a_batch_that_is_late_goes_by_the_clock_for_the_age_of_files() {
    let mut watched = Restarted::new(FileStreamOptions::new().min_age(seconds(5)));
    watched.pick(1);
    watched.restart(100);
    watched.write("being written");
    watched.touch("being written", 99);
    assert_eq!((watched.pick_late(2, 100), watched.pick_late(3, 100)), (none(), none()));
    assert_eq!(watched.pick_late(4, 104), ["being written"]);
}

#[test]
fn an_outage_of_the_directory_while_missed_batches_are_caught_up_with_is_no_reason_to_read_all_again() {
    let mut watched = Restarted::new(FileStreamOptions::new());
    watched.write("a");
    watched.pick(1);
    watched.restart(10_000);
    let away = watched.folder.path().with_extension("away");
    fs::rename(watched.folder.path(), &away).unwrap();
    (2..5_000).step_by(100).for_each(|second| assert_eq!(watched.pick_late(second, 10_000), none()));
    fs::rename(&away, watched.folder.path()).unwrap();
    assert_eq!(watched.pick_late(5_001, 10_001), none());
}

#[test]
fn a_picked_file_that_changes_goes_or_is_renamed_while_the_program_is_down_is_not_read_again() {
    let mut watched = Restarted::new(FileStreamOptions::new());
    ["grows", "goes", "renamed", "replaced"].iter().for_each(|name| watched.write(name));
    assert_eq!(watched.pick(1).len(), 4);
    File::options().append(true).open(watched.path("grows")).unwrap().write_all(b"more\n").unwrap();
    fs::remove_file(watched.path("goes")).unwrap();
    fs::rename(watched.path("renamed"), watched.path("rotated")).unwrap();
    watched.write(".new");
    fs::rename(watched.path(".new"), watched.path("replaced")).unwrap();
    watched.touch("replaced", 77);
    watched.restart(10);
    assert_eq!(watched.pick(11), ["replaced"], "another file of that name is another file");
}

#[test]
fn an_unfinished_batch_reads_the_same_files_and_skips_or_fails_for_one_that_is_gone() {
    for missing in [MissingFile::Skip, MissingFile::Fail] {
        let mut watched = Restarted::new(FileStreamOptions::new().missing_file(missing));
        watched.write("a");
        watched.write("b");
        watched.pick(1);
        // Before the other goes: made at once after it, it could have the same number and time of making.
        watched.write("c");
        fs::remove_file(watched.path("a")).unwrap();
        watched.restart(5);
        match missing {
            MissingFile::Skip => assert_eq!(watched.run(0).unwrap(), ["b"]),
            MissingFile::Fail => {
                let error = watched.run(0).unwrap_err();
                assert_eq!(error.kind(), ErrorKind::Unavailable);
                assert!(error.to_string().contains("/a\""), "{error}");
            }
        }
        assert_eq!(watched.pick(6), ["c"]);
    }
}

#[test]
fn spark_s_rule_reads_what_came_while_the_program_was_down() {
    let mut watched = Restarted::new(FileStreamOptions::new().rule(FileStreamRule::Spark));
    watched.write("before");
    watched.touch("before", 10);
    assert_eq!(watched.pick(10), ["before"]);
    watched.remember(0);
    for (name, second) in [("soon", 11), ("long ago", 200), ("lately", 999)] {
        watched.write(name);
        watched.touch(name, second);
    }
    watched.restart(1_000);
    let mut names = watched.pick(1_001);
    names.sort();
    assert_eq!(names, ["lately", "long ago", "soon"], "though the window is a minute");
    watched.write("too old");
    watched.touch("too old", 900);
    assert_eq!(watched.pick(1_002), none());
}

#[test]
fn what_is_remembered_of_a_hundred_thousand_files_is_small() {
    use crate::base::files::{
        SeenFile,
        watch::{DirectoryWatcher, FileId, WatcherSettings, WatcherState},
    };
    let files: Vec<_> = (0..100_000_u64)
        .map(|n| SeenFile {
            path: format!("/data/incoming/orders/2026/11/25/part-{n:06}.json"),
            size_bytes: 1_000 + n % 977,
            mtime: Time::from_ms(1_795_600_000_000 + n * 13),
            is_dir: false,
            id: FileId { device: 64_769, inode: 5_000_000 + n, created: Time::from_ms(1_795_600_000_000 + n * 13) },
        })
        .collect();
    let mut watcher = DirectoryWatcher::new(WatcherSettings::default(), Time::from_ms(0));
    watcher.begin(&[]);
    watcher.pick(Time::from_ms(1_795_700_000_000), &files);
    let bytes = watcher.state().to_bytes().unwrap();
    assert!(bytes.len() < 40 * files.len(), "{} bytes", bytes.len());
    assert_eq!(WatcherState::from_bytes(&bytes).unwrap(), *watcher.state());
}

#[test]
fn what_is_remembered_is_read_by_its_version_or_not_at_all() {
    use crate::base::files::watch::WatcherState;
    for damaged in [&b""[..], b"\x01", b"\x01not a state", b"\x02of a later version"] {
        let error = WatcherState::from_bytes(damaged).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Data);
    }
}

#[test]
fn the_directory_is_the_identity_however_it_is_written() {
    let test = TestContext::with_config(Config::new().set(keys::WARN_UNUSED_STREAMS, false));
    let clock = ManualClock::new(Time::from_ms(0));
    let identity = |directory: &str| {
        let settings = FileStreamOptions::new().settings(directory.into(), &Config::new(), seconds(1)).unwrap();
        let limits = LineLimits { block_bytes: 1 << 10, max_line_bytes: 1 << 10 };
        let read = TextLines { limits, session: test.ssc().context().session().clone() };
        FileInput::new(Site::unknown("a test"), settings, Arc::new(clock.clone()), read).identity()
    };
    for same in ["/no/such", "/no/such/", "file:/no/such", "file:///no/such"] {
        assert_eq!(identity(same).as_deref(), Some("/no/such"));
    }
    assert_eq!((identity("/").as_deref(), identity("/other").as_deref()), (Some("/"), Some("/other")));
}

#[test]
fn the_first_slice_alone_has_what_was_there_at_the_start() {
    let mut watched = Restarted::new(FileStreamOptions::new());
    watched.pick(1);
    watched.pick(2);
    let starts = watched.picked.iter().map(|(_, slice)| slice.decode::<FileSlice>().unwrap().start.is_empty());
    assert_eq!(starts.collect::<Vec<_>>(), [false, true]);
}
