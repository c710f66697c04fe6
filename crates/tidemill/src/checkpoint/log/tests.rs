//! A log is written, left in every way, and opened again.

use super::*;
use crate::{
    base::{
        ErrorKind,
        storage::{Hold, MemoryStorage, Put, Storage, StoredFile},
    },
    checkpoint::{DeltaWriter, Part, Slice, StateDelta, StateSource, load_state, put_state},
};
use std::collections::VecDeque;

fn at(ms: u64) -> Time {
    Time::from_ms(ms)
}

fn part(uid: &str, types: &str) -> Part {
    Part { uid: uid.into(), uid_is_derived: false, site: format!("{uid} at main.rs:1"), types: types.into() }
}

pub(crate) fn program() -> Program {
    Program {
        name: "test".into(),
        batch_ms: 100,
        inputs: vec![part("in", "u64")],
        operators: vec![part("counts", "u64 -> u64")],
        outputs: vec![part("out", "")],
    }
}

fn picked(ms: u64) -> Picked {
    Picked { time: at(ms), slices: [("in".into(), Slice::of(&ms, 1).unwrap())].into() }
}

/// Sets `key` to the batch time, for some keys.
fn change(ms: u64, keys: impl IntoIterator<Item = u64>) -> StateDelta {
    let mut writer = DeltaWriter::new();
    keys.into_iter().for_each(|key| writer.put(at(0), &key, Some(&ms)).unwrap());
    StateDelta { operators: [("counts".into(), writer.finish())].into() }
}

fn commit(storage: &StorageRef, epoch: u64, ms: u64, delta: &StateDelta) -> Commit {
    let state = put_state(storage, epoch, 0, at(ms), delta).unwrap().into_iter().collect();
    Commit { time: at(ms), state, sinks: [("out".into(), ms.to_le_bytes().to_vec())].into(), ..Commit::default() }
}

fn open(storage: &StorageRef) -> Result<(Arc<CheckpointLog>, Recovered)> {
    CheckpointLog::open(storage, program(), OpenOptions { zero: at(7), ..OpenOptions::default() })
}

fn memory() -> StorageRef {
    Arc::new(MemoryStorage::new())
}

/// What the sources come to.
fn state(storage: &StorageRef, sources: &[StateSource]) -> BTreeMap<u64, u64> {
    let mut state = BTreeMap::new();
    for source in sources {
        let Some(delta) = load_state(storage, source).unwrap().operators.remove("counts") else { continue };
        if delta.from_nothing {
            state.clear();
        }
        for entry in delta.groups.iter().flat_map(|group| group.entries()) {
            let entry = entry.unwrap();
            let key = postcard::from_bytes(entry.key).unwrap();
            match entry.value {
                Some(value) => state.insert(key, postcard::from_bytes(value).unwrap()),
                None => state.remove(&key),
            };
        }
    }
    state
}

#[test]
fn a_new_log_remembers_nothing_but_its_zero() {
    let storage = memory();
    let (log, recovered) = open(&storage).unwrap();
    assert_eq!(recovered, Recovered { first_epoch: 1, zero: at(7), ..Recovered::default() });
    assert_eq!(log.epoch(), 1);
    drop(log);
    let (log, recovered) = CheckpointLog::open(&storage, program(), OpenOptions::default()).unwrap();
    assert_eq!((log.epoch(), recovered.zero, recovered.program), (2, at(7), Some(program())));
}

#[test]
fn batches_go_on_where_they_were_left() {
    for closed in [false, true] {
        let storage = memory();
        let (log, _) = open(&storage).unwrap();
        for ms in [100, 200, 300] {
            log.picked(&picked(ms)).unwrap();
        }
        log.done(&commit(&storage, 1, 100, &change(100, 0..3))).unwrap();
        log.remember_inputs([("in".into(), vec![1, 2])].into());
        log.picked(&picked(400)).unwrap();
        log.done(&commit(&storage, 1, 200, &change(200, 2..4))).unwrap();
        log.failed(at(300), "it broke").unwrap();
        if closed {
            log.close();
        }
        drop(log);
        let (_, recovered) = open(&storage).unwrap();
        assert_eq!(recovered.last_done, Some(at(200)));
        assert_eq!(recovered.unfinished, [picked(300), picked(400)]);
        assert_eq!(recovered.sinks["out"], (at(200), 200_u64.to_le_bytes().to_vec()));
        assert_eq!(state(&storage, &recovered.state), [(0, 100), (1, 100), (2, 200), (3, 200)].into());
        if closed {
            assert_eq!(recovered.inputs, [("in".to_owned(), vec![1, 2])].into());
            assert_eq!(recovered.picked_since, [picked(400)]);
        } else {
            assert_eq!(recovered.picked_since, [100, 200, 300, 400].map(picked));
        }
        assert_eq!((recovered.warnings, recovered.passed_over), (vec![], vec![]));
    }
}

#[test]
fn a_failed_batch_is_passed_over_once_a_later_one_is_done() {
    let storage = memory();
    let (log, _) = open(&storage).unwrap();
    for ms in [100, 200] {
        log.picked(&picked(ms)).unwrap();
    }
    log.failed(at(100), "it broke").unwrap();
    log.done(&commit(&storage, 1, 200, &StateDelta::default())).unwrap();
    drop(log);
    let (log, recovered) = open(&storage).unwrap();
    assert_eq!((recovered.passed_over, recovered.unfinished), (vec![at(100)], vec![]));
    drop(log);
    let (_, recovered) = open(&storage).unwrap();
    assert_eq!(recovered.passed_over, []);
}

#[test]
fn a_long_log_stays_small_and_loses_nothing() {
    let storage = memory();
    let (mut log, _) = open(&storage).unwrap();
    let mut expected = BTreeMap::new();
    for batch in 1..=1_000_u64 {
        let ms = batch * 100;
        log.picked(&picked(ms)).unwrap();
        if log.wants_inputs() {
            log.remember_inputs([("in".into(), vec![1; 5_000])].into());
        }
        let keys = (batch * 37 % 5_000)..(batch * 37 % 5_000 + 50);
        log.done(&commit(&storage, log.epoch(), ms, &change(ms, keys.clone()))).unwrap();
        expected.extend(keys.map(|key| (key, ms)));
        // A program has time between its batches.
        for _ in 0..5_000 {
            let is_due = log.shared.tail().is_due();
            if !is_due || log.shared.stop.wait_timeout(Duration::from_millis(1)) {
                break;
            }
        }
        if batch % 150 == 0 {
            drop(log);
            let (again, recovered) = open(&storage).unwrap();
            assert_eq!(recovered.warnings, [""; 0]);
            assert_eq!(recovered.last_done, Some(at(ms)));
            assert!(recovered.picked_since.len() < 200, "{}", recovered.picked_since.len());
            assert_eq!(state(&storage, &recovered.state), expected);
            log = again;
        }
    }
    log.close();
    let (_, recovered) = open(&storage).unwrap();
    assert_eq!(state(&storage, &recovered.state), expected);
    let files = storage.list("").unwrap();
    assert!(files.len() < 300, "{files:#?}");
    let bytes: u64 = files.iter().map(|file| file.bytes).sum();
    assert!(bytes < 1_500_000, "{bytes}: {files:#?}");
}

#[test]
fn a_second_driver_is_refused_and_one_that_takes_over_fences_the_first() {
    let storage = memory();
    let (stale, _) = open(&storage).unwrap();
    let refused = open(&storage).unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Closed);
    let text = refused.to_string();
    assert!(text.contains("in use by process ") && text.contains("tidemill.checkpoint.takeOver=true"), "{text}");
    stale.picked(&picked(100)).unwrap();
    let take_over = OpenOptions { take_over: true, ..OpenOptions::default() };
    let (new, recovered) = CheckpointLog::open(&storage, program(), take_over).unwrap();
    assert_eq!((recovered.unfinished, new.epoch()), (vec![picked(100)], 2));
    for error in [stale.done(&Commit::default()), stale.picked(&picked(200)), stale.failed(at(100), "")] {
        let error = error.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Closed);
        assert!(
            error.to_string().contains("another driver has taken over") && error.to_string().contains("epoch 2"),
            "{error}"
        );
    }
    stale.close();
    new.picked(&picked(200)).unwrap();
}

/// A storage that cannot be held, and whose puts fail as they are told: stored all the same (true) or not.
#[derive(Debug, Default)]
struct Flaky {
    inner: MemoryStorage,
    failures: Mutex<VecDeque<bool>>,
}

impl Storage for Flaky {
    fn url(&self) -> &str {
        "flaky"
    }
    fn put_if_absent(&self, name: &str, bytes: &[u8]) -> Result<Put> {
        match self.failures.lock().unwrap().pop_front() {
            Some(true) => self.inner.put_if_absent(name, bytes).and_then(|_| Err(Error::unavailable("no answer"))),
            Some(false) => Err(Error::unavailable("no answer")),
            None => self.inner.put_if_absent(name, bytes),
        }
    }
    fn get(&self, name: &str) -> Result<Option<Vec<u8>>> {
        self.inner.get(name)
    }
    fn list(&self, prefix: &str) -> Result<Vec<StoredFile>> {
        self.inner.list(prefix)
    }
    fn delete(&self, name: &str) -> Result<()> {
        self.inner.delete(name)
    }
    fn hold(&self, _: &str, _: &str) -> Result<Hold> {
        Ok(Hold::Unsupported)
    }
}

#[test]
fn an_entry_whose_answer_was_lost_is_neither_lost_nor_doubled() {
    for failures in [vec![true], vec![false], vec![false, true], vec![true, true], vec![true, false]] {
        let flaky = Arc::new(Flaky::default());
        let storage: StorageRef = flaky.clone();
        let (log, _) = open(&storage).unwrap();
        let tries = failures.len();
        flaky.failures.lock().unwrap().extend(failures);
        for _ in 0..tries {
            assert_eq!(log.picked(&picked(100)).unwrap_err().kind(), ErrorKind::Unavailable);
        }
        log.picked(&picked(100)).unwrap();
        log.done(&commit(&storage, 1, 100, &StateDelta::default())).unwrap();
        assert_eq!(storage.list("log").unwrap().len(), 3);
        drop(log);
        let (_, recovered) = open(&storage).unwrap();
        assert_eq!((recovered.last_done, recovered.picked_since), (Some(at(100)), vec![picked(100)]));
    }
}

#[test]
fn what_others_add_in_between_does_no_harm() {
    for stored in [true, false] {
        let flaky = Arc::new(Flaky::default());
        let storage: StorageRef = flaky.clone();
        let (log, _) = open(&storage).unwrap();
        log.picked(&picked(100)).unwrap();
        flaky.failures.lock().unwrap().push_back(stored);
        let done = commit(&storage, 1, 100, &change(100, 0..3));
        log.done(&done).unwrap_err();
        log.picked(&picked(200)).unwrap();
        log.done(&done).unwrap();
        flaky.failures.lock().unwrap().push_back(stored);
        log.picked(&picked(300)).unwrap_err();
        // A manifest holds what was stored after all.
        log.shared.write_manifest(&[]).unwrap();
        log.picked(&picked(300)).unwrap();
        assert_eq!(storage.list("log").unwrap().len(), 6);
        drop(log);
        let (_, recovered) = open(&storage).unwrap();
        assert_eq!((recovered.last_done, recovered.unfinished), (Some(at(100)), [200, 300].map(picked).to_vec()));
        assert_eq!(recovered.picked_since, [100, 200, 300].map(picked));
        assert_eq!(state(&storage, &recovered.state).len(), 3);
    }
}

#[test]
fn a_batch_that_was_done_after_all_does_not_fail_silently() {
    let flaky = Arc::new(Flaky::default());
    let storage: StorageRef = flaky.clone();
    let (log, _) = open(&storage).unwrap();
    log.picked(&picked(100)).unwrap();
    flaky.failures.lock().unwrap().push_back(true);
    let done = commit(&storage, 1, 100, &StateDelta::default());
    assert_eq!(log.done(&done).unwrap_err().kind(), ErrorKind::Unavailable);
    let error = log.failed(at(100), "no answer").unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Closed);
    assert!(error.to_string().contains("was logged as done"), "{error}");
    assert_eq!(log.picked(&picked(200)).unwrap_err().kind(), ErrorKind::Closed);
    drop(log);
    let (_, recovered) = open(&storage).unwrap();
    assert_eq!((recovered.last_done, recovered.unfinished), (Some(at(100)), vec![]));
}

#[test]
fn without_locks_a_log_that_grows_is_not_taken() {
    let storage: StorageRef = Arc::new(Flaky::default());
    let lease = Duration::from_millis(90);
    let options = || OpenOptions { lease, ..OpenOptions::default() };
    // Alive through its heartbeat alone.
    let (log, _) = CheckpointLog::open(&storage, program(), options()).unwrap();
    let refused = CheckpointLog::open(&storage, program(), options()).unwrap_err();
    assert!(refused.kind() == ErrorKind::Closed && refused.to_string().contains("epoch 1"), "{refused}");
    drop(log);
    let (log, _) = CheckpointLog::open(&storage, program(), options()).unwrap();
    assert_eq!(log.epoch(), 2);
    log.close();
    // Closed, so that nobody waits for the lease.
    let (log, _) =
        CheckpointLog::open(&storage, program(), OpenOptions { lease: Duration::from_secs(3_600), ..options() })
            .unwrap();
    assert_eq!(log.epoch(), 3);
}

#[test]
fn what_is_thrown_away_does_not_come_back() {
    let storage = memory();
    let (log, _) = open(&storage).unwrap();
    log.picked(&picked(100)).unwrap();
    log.done(&commit(&storage, 1, 100, &change(100, 0..3))).unwrap();
    log.picked(&picked(200)).unwrap();
    drop(log);
    let mut other = program();
    other.operators[0].types = "u64 -> String".into();
    let refused = CheckpointLog::open(&storage, other.clone(), OpenOptions::default()).unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Invalid);
    assert!(refused.to_string().contains("tidemill.checkpoint.discard=counts"), "{refused}");
    let discard = OpenOptions { discard: "counts".into(), ..OpenOptions::default() };
    let (log, recovered) = CheckpointLog::open(&storage, other.clone(), discard).unwrap();
    assert_eq!(state(&storage, &recovered.state), BTreeMap::new());
    assert_eq!(recovered.unfinished, [picked(200)]);
    log.done(&commit(&storage, 2, 200, &change(200, 1..2))).unwrap();
    drop(log);
    let (_, recovered) = CheckpointLog::open(&storage, other, OpenOptions::default()).unwrap();
    assert_eq!(state(&storage, &recovered.state), [(1, 200)].into());
}

/// Two batches that are done, one that is not, and what inputs remember.
fn earlier_run(storage: &StorageRef) {
    let (log, _) = open(storage).unwrap();
    log.begin([("in".into(), vec![1, 2])].into()).unwrap();
    for ms in [100, 200, 350] {
        log.picked(&picked(ms)).unwrap();
    }
    log.done(&commit(storage, 1, 100, &change(100, 0..3))).unwrap();
    let mut second = commit(storage, 1, 200, &change(200, 0..30_000));
    (second.dead_letters, second.dead_letter_count) = (vec!["dead-letters/1".into()], 1);
    log.done(&second).unwrap();
    log.failed(at(350), "it broke").unwrap();
}

#[test]
fn a_run_that_is_left_behind_leaves_nothing_but_the_time_of_its_last_batch() {
    let storage = memory();
    earlier_run(&storage);
    let mut other = program();
    other.operators[0].types = "u64 -> String".into();
    let afresh = || OpenOptions { zero: at(300), leave_behind: 1, ..OpenOptions::default() };
    let (log, recovered) = CheckpointLog::open(&storage, other.clone(), afresh()).unwrap();
    assert_eq!(recovered, Recovered { first_epoch: 2, zero: at(400), ..Recovered::default() });
    assert_eq!(log.epoch(), 2);
    log.picked(&picked(500)).unwrap();
    log.done(&commit(&storage, 2, 500, &change(500, 7..8))).unwrap();
    drop(log);
    // Whoever goes on goes on from the new run, and who wanted to leave the old one behind has done so.
    for options in [OpenOptions::default(), afresh()] {
        let (log, recovered) = CheckpointLog::open(&storage, other.clone(), options).unwrap();
        assert_eq!((recovered.first_epoch, recovered.zero, recovered.last_done), (2, at(400), Some(at(500))));
        assert_eq!(state(&storage, &recovered.state), [(7, 500)].into());
        assert_eq!((recovered.unfinished, recovered.inputs), (Vec::new(), BTreeMap::new()));
        assert_eq!(log.shared.tail().memory.dead_letters, ["dead-letters/1"]);
        log.close();
    }
    // Two manifests that do without them are there.
    assert!(storage.list("state").unwrap().iter().all(|file| !file.name.starts_with("state/1-")));
}

#[test]
fn nobody_has_logged_the_start_when_it_is_announced_and_an_error_prevents_it() {
    let storage = memory();
    earlier_run(&storage);
    let files = || storage.list("log").unwrap().len();
    let before = files();
    let refuse: super::BeforeStart = Arc::new(|last| Err(Error::user(format!("after start {last}"))));
    let options = OpenOptions { leave_behind: 1, before_start: Some(refuse), ..OpenOptions::default() };
    let refused = CheckpointLog::open(&storage, program(), options).unwrap_err();
    assert_eq!((refused.to_string().as_str(), files()), ("after start 1", before));
    let (_, recovered) = open(&storage).unwrap();
    assert_eq!((recovered.first_epoch, recovered.last_done), (1, Some(at(200))));
}

#[test]
fn the_parts_of_a_log_go_between_threads() {
    fn is_shared<T: Send + Sync>() {}
    is_shared::<CheckpointLog>();
}
