//! A process that ends between any two durable steps of a sink, and another that goes on from its log.

use super::quick_folder;
use crate::{
    Time,
    base::files::{Codec, whole::read_text},
    io::{RollingFiles, RollingOptions, Sink, TextDirectories},
    seconds,
};
use std::{
    collections::BTreeMap,
    env, fs,
    path::Path,
    process::{Command, Stdio},
};

const FOLDER: &str = "TIDEMILL_TEST_CRASH_FOLDER";
const BATCHES: u64 = 7;

fn rows(batch: u64, partition: usize) -> Vec<String> {
    // The third batch is too large for receipts, the fifth has nothing.
    let (count, width) = if batch == 3 { (30, 2_000) } else { (4, 20) };
    let count = if batch == 5 { 0 } else { count };
    (0..count).map(|n| format!("{batch} {partition} {n} {}", "x".repeat(width))).collect()
}

/// Runs a sink from where its log ends; the log is a file for each batch, stored whole.
fn drive<S: Sink<String>>(log: &Path, sink: &S) {
    fs::create_dir_all(log).unwrap();
    let done = |batch: u64| log.join(format!("{batch}"));
    let time = |batch: u64| Time::from_ms(batch * 1_000);
    let last = (1..=BATCHES).rev().find(|batch| done(*batch).exists());
    let receipts = |batch| postcard::from_bytes(&fs::read(done(batch)).unwrap()).unwrap();
    sink.restore(last.map(|batch| (time(batch), receipts(batch)))).unwrap();
    for batch in last.unwrap_or(0) + 1..=BATCHES {
        sink.begin(time(batch)).unwrap();
        let partitions = 1 + batch as usize % 3;
        let written =
            (0..partitions).map(|n| sink.write(time(batch), n, &mut rows(batch, n).into_iter()).unwrap()).collect();
        let prepared = sink.prepare(time(batch), written).unwrap();
        fs::write(log.join("new"), postcard::to_stdvec(&prepared).unwrap()).unwrap();
        fs::rename(log.join("new"), done(batch)).unwrap();
        crate::base::durable::durable_step("test: done");
        sink.commit(time(batch), prepared).unwrap();
    }
    sink.close().unwrap();
}

/// Not a test: the program that the test runs, in processes of its own.
#[test]
fn program() {
    let Some(folder) = env::var_os(FOLDER) else { return };
    let folder = Path::new(&folder);
    let options = RollingOptions::new().max_rows(10).max_age(seconds(3)).compressed(Codec::Gzip);
    let rolling = RollingFiles::new(folder.join("rolling").display().to_string(), options);
    drive(&folder.join("log-rolling"), &rolling);
    let text = TextDirectories::new(folder.join("text/out").display().to_string(), "");
    drive(&folder.join("log-text"), &text);
}

fn run(folder: &Path, crash_at: Option<u64>) -> bool {
    let mut command = Command::new(env::current_exe().unwrap());
    command.args(["--exact", "io::sink::tests::crashes::program"]).env(FOLDER, folder);
    if let Some(step) = crash_at {
        command.env("TIDEMILL_CRASH_AT", step.to_string());
    }
    command.stdout(Stdio::null()).stderr(Stdio::null()).status().unwrap().success()
}

/// All that readers see below a folder; directories of batches as a whole.
fn seen(folder: &Path, found: &mut BTreeMap<String, String>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        if path.is_dir() {
            seen(&path, found);
        } else if !name.starts_with('.') {
            found.insert(path.display().to_string(), read_text(&path).unwrap().1);
        }
    }
}

fn output(folder: &Path) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    seen(&folder.join("rolling"), &mut found);
    seen(&folder.join("text"), &mut found);
    let prefix = folder.display().to_string();
    found.into_iter().map(|(path, text)| (path.trim_start_matches(&prefix).to_owned(), text)).collect()
}

#[test]
fn a_crash_at_any_step_changes_nothing() {
    let calm = quick_folder();
    assert!(run(calm.path(), None));
    let expected = output(calm.path());
    assert!(expected.len() > 20, "{:?}", expected.keys());
    let mut steps = 0;
    loop {
        let folder = quick_folder();
        if run(folder.path(), Some(steps + 1)) {
            break;
        }
        steps += 1;
        assert!(run(folder.path(), None), "the restart after a crash at step {steps} failed");
        assert_eq!(output(folder.path()), expected, "after a crash at step {steps}");
    }
    assert!(steps > 60, "there are only {steps} steps");
}
