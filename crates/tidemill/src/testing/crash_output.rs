//! What a run of a program left: the lines of its files, and its state.

use crate::{base::storage::open_existing, checkpoint::state_entries};
use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

/// Lines and entries with how often each is there.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Output {
    lines: BTreeMap<Vec<u8>, usize>,
    state: BTreeMap<String, Vec<u8>>,
}

/// How many differences are told of.
const SHOWN: usize = 10;

impl Output {
    pub(super) fn of(checkpoint: &Path, folder: &Path) -> Self {
        let mut lines = BTreeMap::new();
        for file in data_files(folder) {
            let bytes = fs::read(&file).expect("the files of a test can be read");
            for line in bytes.split_inclusive(|byte| *byte == b'\n') {
                *lines.entry(line.to_vec()).or_default() += 1;
            }
        }
        Self { lines, state: state_of(checkpoint) }
    }

    #[track_caller]
    pub(super) fn compare(&self, found: &Output, place: &str) {
        let mut different = Vec::new();
        for line in self.lines.keys().chain(found.lines.keys().filter(|line| !self.lines.contains_key(*line))) {
            let count = |output: &Output| output.lines.get(line).copied().unwrap_or(0);
            if count(self) != count(found) {
                let text = String::from_utf8_lossy(line);
                different.push(format!("{} times instead of {}: {text:?}", count(found), count(self)));
            }
        }
        let shown = &different[..different.len().min(SHOWN)];
        assert!(different.is_empty(), "{place}: {} lines of the output differ: {shown:#?}", different.len());
        let keys = self.state.keys().chain(found.state.keys());
        let changed: Vec<_> = keys.filter(|key| self.state.get(*key) != found.state.get(*key)).take(SHOWN).collect();
        assert!(changed.is_empty(), "{place}: the state differs, at {changed:#?}");
    }
}

/// All files below a folder that are data: neither they nor a folder above them begin with `.` or `_`.
fn data_files(folder: &Path) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(folder) else { return Vec::new() };
    let mut found = Vec::new();
    for entry in entries.filter_map(Result::ok) {
        let name = entry.file_name();
        if name.as_encoded_bytes().first().is_some_and(|first| b"._".contains(first)) {
            continue;
        }
        let path = entry.path();
        if path.is_dir() { found.extend(data_files(&path)) } else { found.push(path) }
    }
    found.sort();
    found
}

/// The entries of every operator at the end.
fn state_of(checkpoint: &Path) -> BTreeMap<String, Vec<u8>> {
    let place = checkpoint.to_str().expect("the folder of a test has a name that is text");
    let storage = open_existing(place).expect("a run leaves a checkpoint");
    state_entries(&storage).expect("the state of a test can be read")
}
