//! Fixtures of the stored format: checkpoints that were written once, by the first version and by others, are opened.
//!
//! `TIDEMILL_BLESS=1` writes them anew. A version of the format that was released is never written anew.

use super::{
    entry::{LogEntry, LogFile, Opened, log_name},
    envelope::{Kind, VERSION, seal, sealed},
    memory::{InputsSource, Memory, StateRef},
    *,
};
use crate::base::{ErrorKind, Time, storage::Storage};
use std::{collections::BTreeMap, fs};

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(name)
}

fn part(uid: &str) -> Part {
    Part { uid: uid.into(), uid_is_derived: false, site: format!("{uid} at main.rs:1"), types: "u64".into() }
}

fn program(operator: &str) -> Program {
    let (inputs, operators, outputs) = (vec![part("lines")], vec![part(operator)], vec![part("print")]);
    Program { name: "fixture".into(), batch_ms: 1_000, inputs, operators, outputs }
}

fn at(ms: u64) -> Time {
    Time::from_ms(ms)
}

fn picked(ms: u64) -> Picked {
    let mut slice = Slice::of(&(ms, "a.txt"), 3).unwrap();
    slice.metadata.insert("files".into(), "a.txt".into());
    Picked { time: at(ms), slices: [("lines".to_owned(), slice)].into() }
}

fn change(ms: u64, keys: u64) -> StateDelta {
    let mut writer = DeltaWriter::new();
    (0..keys).for_each(|key| writer.put(at(0), &key, (key != 1).then_some(&ms)).unwrap());
    writer.put(at(ms), &"pane", Some(&ms)).unwrap();
    writer.forget_up_to(at(ms - 1_000));
    StateDelta { operators: [("counts".to_owned(), writer.finish())].into() }
}

fn file(storage: &dyn Storage, name: &str, kind: Kind, body: &impl serde::Serialize) -> u64 {
    let bytes = seal(kind, body).unwrap();
    storage.put_if_absent(name, &bytes).unwrap();
    bytes.len() as u64
}

/// One of every kind of file and of entry.
fn write(storage: &dyn Storage, operator: &str) {
    let owner = "process 1 on a host since 1970-01-01 00:00:00 UTC".to_owned();
    let opened = Opened { owner, program: program(operator), zero: at(1_000), ..Opened::default() };
    let name = "state/1-2000-0-0".to_owned();
    let bytes = file(storage, &name, Kind::State, &change(2_000, 4));
    let in_file = StateSource::File { name, bytes };
    let inline = |ms| StateSource::Inline(change(ms, 2).encode().unwrap());
    let commit = |ms, source| Commit {
        time: at(ms),
        state: vec![source],
        sinks: [("print".to_owned(), vec![1, 2, 3])].into(),
        dead_letters: Some(format!("dlq/{ms}")),
        dead_letter_count: 2,
    };
    let mut log = Writing { storage, memory: Memory::default(), number: 0, after_note: false, kept_from: 0 };
    log.add(vec![LogEntry::Opened(opened)]);
    log.add(vec![LogEntry::Picked(picked(2_000))]);
    log.add(vec![LogEntry::Done(commit(2_000, in_file))]);
    let name = "state/1-base-1-0".to_owned();
    let mut base = change(2_000, 4);
    base.operators.values_mut().for_each(|delta| delta.forgotten = None);
    let bytes = file(storage, &name, Kind::State, &base);
    log.memory.state = vec![StateRef { source: StateSource::File { name, bytes }, base: true }];
    let name = "inputs/1-inputs-2-0".to_owned();
    let bytes = file(storage, &name, Kind::Inputs, &BTreeMap::from([("lines", vec![9_u8])]));
    (log.memory.inputs, log.memory.picked_since) = (InputsSource::File { name, bytes }, vec![]);
    let manifest = LogEntry::Manifest(Box::new(log.memory.clone()));
    log.add(vec![manifest]);
    log.add(vec![LogEntry::Picked(picked(3_000)), LogEntry::Alive]);
    log.add(vec![LogEntry::Picked(picked(4_000))]);
    log.add(vec![LogEntry::Failed { time: at(3_000), error: "it broke".into() }]);
    log.add(vec![LogEntry::Done(commit(4_000, inline(4_000)))]);
    log.add(vec![LogEntry::Picked(picked(5_000))]);
}

struct Writing<'a> {
    storage: &'a dyn Storage,
    memory: Memory,
    number: u64,
    after_note: bool,
    kept_from: u64,
}

impl Writing<'_> {
    fn add(&mut self, entries: Vec<LogEntry>) {
        entries.iter().for_each(|entry| self.memory.apply(entry).unwrap());
        self.number += 1;
        let (after_note, kept_from) = (self.after_note, self.kept_from);
        self.after_note = entries.iter().all(LogEntry::is_note);
        let file = LogFile { epoch: 1, nonce: 0x0123_4567_89ab_cdef, after_note, kept_from, entries };
        self.storage.put_if_absent(&log_name(self.number), &file.encode().unwrap()).unwrap();
    }
}

/// A copy of a fixture that may be written to.
fn copy(name: &str) -> (tempfile::TempDir, StorageRef) {
    let (folder, from) = (tempfile::tempdir().unwrap(), LocalStorage::create(fixture(name)).unwrap());
    let to = LocalStorage::create(folder.path()).unwrap();
    for file in from.list("").unwrap() {
        to.put_if_absent(&file.name, &from.get(&file.name).unwrap().unwrap()).unwrap();
    }
    (folder, Arc::new(to))
}

fn contents(storage: &dyn Storage) -> BTreeMap<String, Vec<u8>> {
    let files = storage.list("").unwrap().into_iter();
    files.map(|file| (file.name.clone(), storage.get(&file.name).unwrap().unwrap())).collect()
}

#[test]
fn the_fixtures_are_what_is_written_today() {
    type Writer = fn(&dyn Storage);
    let writers: [(&str, Writer); 3] = [
        ("checkpoint-v1", |storage| write(storage, "counts")),
        ("checkpoint-v1-other", |storage| write(storage, "sums")),
        ("checkpoint-newer", |storage| {
            let bytes = sealed(VERSION + 1, Kind::Log, &"of a shape to come").unwrap();
            storage.put_if_absent(&log_name(1), &bytes).unwrap();
        }),
    ];
    for (name, write) in writers {
        if std::env::var_os("TIDEMILL_BLESS").is_some() {
            let _ = fs::remove_dir_all(fixture(name));
            write(&LocalStorage::create(fixture(name)).unwrap());
        }
        let today = crate::base::storage::MemoryStorage::new();
        write(&today);
        let stored = LocalStorage::create(fixture(name)).unwrap();
        assert!(contents(&stored) == contents(&today), "{name}: the stored format has changed; it needs a new version");
    }
}

#[test]
fn the_first_format_is_read() {
    let (_folder, storage) = copy("checkpoint-v1");
    let (log, recovered) = CheckpointLog::open(&storage, program("counts"), OpenOptions::default()).unwrap();
    assert_eq!(log.epoch(), 2);
    let expected = Recovered {
        program: Some(program("counts")),
        zero: at(1_000),
        last_done: Some(at(4_000)),
        unfinished: vec![picked(5_000)],
        passed_over: vec![at(3_000)],
        inputs: [("lines".to_owned(), vec![9])].into(),
        picked_since: [3_000, 4_000, 5_000].map(picked).to_vec(),
        sinks: [("print".to_owned(), (at(4_000), vec![1, 2, 3]))].into(),
        state: recovered.state.clone(),
        dead_letter_count: 4,
        warnings: vec![],
    };
    assert_eq!(recovered, expected);
    let deltas: Vec<_> = recovered.state.iter().map(|source| load_state(&storage, source).unwrap()).collect();
    let entries: Vec<usize> = deltas
        .iter()
        .map(|delta| delta.operators["counts"].groups.iter().flat_map(|group| group.entries()).count())
        .collect();
    assert_eq!((entries, &deltas[1]), (vec![5, 3], &change(4_000, 2)));
}

#[test]
fn a_newer_format_is_refused_and_so_is_the_checkpoint_of_another_program() {
    let cases = [
        ("checkpoint-newer", "a newer tidemill wrote it"),
        ("checkpoint-v1-other", "dropped: operator \"sums\" (was sums at main.rs:1): its state would be lost"),
    ];
    for (name, reason) in cases {
        let (_folder, storage) = copy(name);
        let before = contents(&*storage);
        let error = CheckpointLog::open(&storage, program("counts"), OpenOptions::default()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Invalid);
        assert!(error.to_string().contains(reason), "{error}");
        let mut after = contents(&*storage);
        after.remove("lock");
        assert_eq!(after, before);
    }
}

#[test]
fn a_checkpoint_of_which_nothing_can_be_read_is_refused_with_its_path() {
    let (_folder, storage) = copy("checkpoint-v1");
    for name in contents(&*storage).into_keys().filter(|name| name.starts_with("log/")) {
        storage.delete(&name).unwrap();
        storage.put_if_absent(&name, b"tidemill, but no more").unwrap();
    }
    let error = CheckpointLog::open(&storage, program("counts"), OpenOptions::default()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Data);
    let text = error.to_string();
    assert!(text.contains("\"log/00000000000000000001\" cannot be read") && text.contains("begin anew"), "{text}");
}
