//! Watched directories under a clock that stands still.

mod restart;

use super::FileStreamOptions;
use crate::{
    Config, DStream, ErrorKind, Text,
    base::config::{FileStreamRule, MissingFile},
    keys, seconds,
    testing::{Collected, TestContext},
};
use std::{
    fs::{self, File},
    io::Write,
    path::PathBuf,
    sync::{Arc, Mutex},
    time::{Duration, UNIX_EPOCH},
};

/// A test context, and a directory for it to watch.
struct Watched {
    test: TestContext,
    folder: tempfile::TempDir,
}

impl Watched {
    fn new() -> Self {
        Self::with_config(Config::new())
    }

    fn with_config(config: Config) -> Self {
        Self { test: TestContext::with_config(config), folder: tempfile::tempdir().unwrap() }
    }

    fn directory(&self) -> String {
        self.folder.path().display().to_string()
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn write(&self, name: &str, text: impl AsRef<[u8]>) {
        fs::write(self.path(name), text).unwrap();
    }

    fn lines(&self) -> Collected<Text> {
        self.lines_with(FileStreamOptions::new())
    }

    fn lines_with(&self, options: FileStreamOptions) -> Collected<Text> {
        self.test.collect(&self.stream(options))
    }

    fn stream(&self, options: FileStreamOptions) -> DStream<Text> {
        self.test.ssc().text_file_stream_with(self.directory(), options)
    }

    fn run(&self) {
        self.test.run(1).unwrap();
    }

    fn set_mtime(&self, name: &str, ms: u64) {
        let time = UNIX_EPOCH + Duration::from_millis(ms);
        File::options().append(true).open(self.path(name)).unwrap().set_modified(time).unwrap();
    }
}

fn none() -> Vec<Text> {
    Vec::new()
}

#[test]
fn what_appears_is_read_once_and_what_was_there_is_not() {
    let watched = Watched::new();
    watched.write("old.txt", "old\n");
    let seen = watched.lines();
    watched.write("declared.txt", "after the stream was declared\n");
    watched.run();
    watched.write("b.txt", "b1\r\nb2");
    watched.write("a.txt", "a\n");
    watched.write("empty.txt", "");
    watched.run();
    watched.run();
    assert_eq!(
        seen.sorted(),
        [vec![Text::from("after the stream was declared")], vec!["a".into(), "b1".into(), "b2".into()], vec![]]
    );
}

#[test]
fn a_file_renamed_into_place_is_read_whatever_its_mtime() {
    let watched = Watched::new();
    let seen = watched.lines();
    watched.run();
    watched.write(".a", "from 1970\n");
    watched.set_mtime(".a", 0);
    watched.run();
    fs::rename(watched.path(".a"), watched.path("a")).unwrap();
    watched.run();
    assert_eq!(seen.batches(), [none(), none(), vec!["from 1970".into()]]);
}

#[test]
fn hidden_names_and_folders_are_passed_over() {
    let watched = Watched::new();
    let seen = watched.lines();
    watched.write(".hidden", "no\n");
    watched.write("_SUCCESS", "no\n");
    fs::create_dir(watched.path("folder")).unwrap();
    watched.write("folder/a", "no\n");
    watched.write("a", "yes\n");
    watched.run();
    assert_eq!(seen.batches(), [["yes"]]);
}

#[test]
fn folders_below_are_read_if_asked() {
    let watched = Watched::with_config(Config::new().set(keys::FILE_STREAM_RECURSIVE, true));
    let (deep, flat) = (watched.lines(), watched.lines_with(FileStreamOptions::new().recursive(false)));
    fs::create_dir_all(watched.path("one/two")).unwrap();
    watched.write("one/two/a", "deep\n");
    watched.run();
    assert_eq!((deep.batches(), flat.batches()), (vec![vec![Text::from("deep")]], vec![none()]));
}

#[test]
fn a_half_written_file_waits_for_its_age() {
    let watched = Watched::new();
    let seen = watched.lines_with(FileStreamOptions::new().min_age(seconds(2)));
    watched.write("a", "half");
    watched.set_mtime("a", 500);
    watched.run();
    File::options().append(true).open(watched.path("a")).unwrap().write_all(b" and half\n").unwrap();
    watched.set_mtime("a", 1_500);
    watched.run();
    watched.run();
    watched.run();
    assert_eq!(seen.batches(), [none(), none(), none(), vec!["half and half".into()]]);
}

#[test]
fn what_is_appended_after_the_file_was_read_is_not_read() {
    let watched = Watched::new();
    let seen = watched.lines();
    watched.write("a", "one\n");
    watched.run();
    File::options().append(true).open(watched.path("a")).unwrap().write_all(b"two\n").unwrap();
    watched.run();
    assert_eq!(seen.batches(), [vec!["one".into()], none()]);
}

#[test]
fn another_file_of_the_same_name_is_read() {
    let watched = Watched::new();
    let seen = watched.lines();
    watched.write("a", "one\n");
    watched.run();
    watched.write(".new", "another\n");
    fs::rename(watched.path(".new"), watched.path("a")).unwrap();
    watched.run();
    assert_eq!(seen.batches(), [["one"], ["another"]]);
}

#[test]
fn a_directory_may_appear_late_and_go_away() {
    let watched = Watched::new();
    let later = watched.path("later");
    let seen = watched.test.collect(&watched.test.ssc().text_file_stream(later.display().to_string()));
    watched.run();
    fs::create_dir(&later).unwrap();
    fs::write(later.join("a"), "here\n").unwrap();
    watched.run();
    fs::remove_dir_all(&later).unwrap();
    watched.run();
    assert_eq!(seen.batches(), [none(), vec!["here".into()], none()]);
}

#[test]
fn a_glob_watches_several_directories() {
    let watched = Watched::new();
    for name in ["in-1", "in-2", "out"] {
        fs::create_dir(watched.path(name)).unwrap();
    }
    let seen = watched.test.collect(&watched.test.ssc().text_file_stream(format!("file:{}/in-*", watched.directory())));
    for name in ["in-1", "in-2", "out"] {
        watched.write(&format!("{name}/a"), format!("{name}\n"));
    }
    watched.run();
    assert_eq!(seen.sorted(), [["in-1", "in-2"]]);
}

#[test]
fn ten_thousand_files() {
    let watched = Watched::new();
    let stream = watched.stream(FileStreamOptions::new());
    let (seen, partitions) = (watched.test.collect(&stream.count()), watched.test.collect(&stream.glom().count()));
    for n in 0..10_000 {
        watched.write(&format!("{n}"), "x\n");
    }
    watched.run();
    watched.run();
    assert_eq!((seen.batches(), partitions.batches()), (vec![vec![10_000], vec![0]], vec![vec![10_000], vec![0]]));
}

#[test]
fn a_batch_takes_so_many_files_at_most() {
    let watched = Watched::with_config(Config::new().set(keys::FILE_STREAM_MAX_FILES, 2_usize));
    let seen = watched.lines();
    for (name, mtime_ms) in [("c", 1), ("b", 2), ("a", 3)] {
        watched.write(name, format!("{name}\n"));
        watched.set_mtime(name, mtime_ms);
    }
    watched.run();
    watched.run();
    assert_eq!(seen.batches(), [vec![Text::from("c"), "b".into()], vec!["a".into()]]);
}

#[test]
fn spark_s_rule_goes_by_mtime() {
    let watched = Watched::with_config(Config::new().set(keys::FILE_STREAM_RULE, "spark"));
    let (by_config, seen_set) =
        (watched.lines(), watched.lines_with(FileStreamOptions::new().rule(FileStreamRule::SeenSet)));
    for (name, mtime_ms) in [("now", 900), ("future", 1_800)] {
        watched.write(name, format!("{name}\n"));
        watched.set_mtime(name, mtime_ms);
    }
    watched.run();
    watched.run();
    assert_eq!(by_config.batches(), [["now"], ["future"]]);
    assert_eq!(seen_set.sorted(), [vec![Text::from("future"), "now".into()], none()]);
}

#[test]
fn a_filter_sees_paths() {
    let watched = Watched::new();
    let options = FileStreamOptions::new().filter(|path| path.extension().is_some_and(|e| e == "csv"));
    let seen = watched.lines_with(options);
    watched.write("a.csv", "yes\n");
    watched.write("a.tmp", "no\n");
    watched.run();
    assert_eq!(seen.batches(), [["yes"]]);
}

#[test]
fn listeners_are_told_the_files() {
    let watched = Watched::new();
    let _seen = watched.lines();
    let told = Arc::new(Mutex::new(Vec::new()));
    let into = told.clone();
    watched.test.ssc().add_streaming_listener(Files(into));
    watched.write("b", "x\n");
    watched.write("a", "x\n");
    watched.run();
    let paths = |told: &str| {
        let mut names: Vec<_> = told.lines().map(|path| path.rsplit('/').next().unwrap().to_owned()).collect();
        names.sort();
        names
    };
    let told = told.lock().unwrap();
    assert_eq!(
        (told.len(), paths(&told[0].0), paths(&told[0].1)),
        (1, vec!["a".into(), "b".into()], vec!["a".into(), "b".into()])
    );
}

struct Files(Arc<Mutex<Vec<(String, String)>>>);

impl crate::StreamingListener for Files {
    fn on_batch_completed(&self, event: &crate::BatchCompleted) {
        for input in event.batch_info.stream_id_to_input_info.values() {
            let value = |key: &str| input.metadata.get(key).cloned().unwrap_or_default();
            self.0.lock().unwrap().push((value("files"), value("Description")));
        }
    }
}

/// A stream whose first file is removed after it was picked and before it is read.
fn losing_a_file(options: FileStreamOptions) -> (Watched, Collected<Text>) {
    let watched = Watched::new();
    let gone = watched.path("a");
    let stream = watched.stream(options).transform(move |rdd, _| {
        let _ = fs::remove_file(&gone);
        Ok(rdd)
    });
    let seen = watched.test.collect(&stream);
    watched.write("a", "a\n");
    watched.write("b", "b\n");
    (watched, seen)
}

#[test]
fn a_file_that_is_gone_before_it_is_read_is_left_out() {
    let (watched, seen) = losing_a_file(FileStreamOptions::new());
    watched.run();
    assert_eq!(seen.batches(), [["b"]]);
}

#[test]
fn a_file_that_is_gone_before_it_is_read_fails_the_batch_if_asked() {
    let (watched, seen) = losing_a_file(FileStreamOptions::new().missing_file(MissingFile::Fail));
    let error = watched.test.run(1).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    assert!(error.to_string().contains("/a\""), "{error}");
    watched.write("c", "c\n");
    watched.test.advance(1).unwrap();
    assert_eq!(seen.batches(), [["c"]]);
}

#[test]
fn lines_that_are_too_long_or_no_text_are_counted() {
    let watched = Watched::with_config(Config::new().set(keys::LINES_MAX_BYTES, 10_u64));
    let seen = watched.lines();
    watched.write("a", b"short\nfar too long for this\nb\xFFd\n");
    watched.run();
    assert_eq!(seen.batches(), [["short", "b\u{FFFD}d"]]);
    let lines = watched.test.ssc().progress().lines;
    assert_eq!((lines.oversize_lines, lines.oversize_bytes, lines.invalid_sequences), (1, 21, 1));
}

#[test]
fn compressed_files_and_large_ones() {
    let watched = Watched::new();
    let stream = watched.stream(FileStreamOptions::new());
    let (count, partitions) = (watched.test.collect(&stream.count()), watched.test.collect(&stream.glom().count()));
    let text = "0123456789\n".repeat(4 << 20);
    watched.write("large", &text);
    let mut gzip = flate2::write::GzEncoder::new(File::create(watched.path(".gz")).unwrap(), Default::default());
    gzip.write_all(&text.as_bytes()[..11_000]).unwrap();
    gzip.finish().unwrap();
    fs::rename(watched.path(".gz"), watched.path("small.gz")).unwrap();
    watched.run();
    assert_eq!(count.batches(), [[(4 << 20) + 1000]]);
    assert_eq!(partitions.batches(), [[3]]);
}

#[test]
fn records_of_a_fixed_length() {
    let watched = Watched::new();
    let seen = watched.test.collect(&watched.test.ssc().binary_records_stream(watched.directory(), 3));
    watched.write("a", b"aaabbb");
    watched.run();
    watched.write("torn", b"aaab");
    let error = watched.test.run(1).unwrap_err();
    assert_eq!((error.kind(), error.to_string().contains("partial record")), (ErrorKind::Data, true));
    assert_eq!(seen.batches(), [[b"aaa", b"bbb"]]);
}

#[test]
fn a_reader_of_the_user_s_that_panics_fails_the_batch() {
    let watched = Watched::new();
    let read = |path: &std::path::Path| {
        assert!(!path.ends_with("bad"), "a bad file");
        fs::read_to_string(path).map(|text| text.chars().collect::<Vec<_>>())
    };
    let seen =
        watched.test.collect(&watched.test.ssc().file_stream(watched.directory(), FileStreamOptions::new(), read));
    watched.write("bad", "");
    let error = watched.test.run(1).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::User);
    assert!(error.to_string().contains("file_stream at ") && error.to_string().contains("a bad file"), "{error}");
    watched.write("good", "ab");
    watched.test.advance(1).unwrap();
    assert_eq!(seen.batches(), [['a', 'b']]);
}
