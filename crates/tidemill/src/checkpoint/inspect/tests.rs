//! What is seen of checkpoints in good and bad order.

use super::*;
use crate::{
    base::storage::{MemoryStorage, Storage},
    checkpoint::{CheckpointLog, DeltaWriter, OpenOptions, Picked, Slice, StateDelta, put_state},
};
use std::sync::Arc;

fn storage() -> StorageRef {
    Arc::new(MemoryStorage::new())
}

fn program() -> Program {
    let part = |uid: &str| Part {
        uid: uid.into(),
        uid_is_derived: true,
        site: format!("{uid} at a.rs:1"),
        types: "u8".into(),
    };
    Program {
        name: "test".into(),
        batch_ms: 1_000,
        inputs: vec![part("in")],
        operators: vec![part("counts")],
        outputs: vec![part("out")],
    }
}

/// Two batches that are done, one that is not.
fn filled(storage: &StorageRef, close: bool) {
    let (log, _) = CheckpointLog::open(storage, program(), OpenOptions::default()).unwrap();
    for ms in [1_000, 2_000, 3_000] {
        let mut slice = Slice::of(&ms, 5).unwrap();
        slice.metadata.insert("files".into(), "a.txt".into());
        log.picked(&Picked { time: Time::from_ms(ms), slices: [("in".to_owned(), slice)].into() }).unwrap();
    }
    for ms in [1_000_u64, 2_000] {
        let mut writer = DeltaWriter::new();
        (0..10_u64)
            .for_each(|key| writer.put(Time::default(), &key, (key != 3 || ms == 1_000).then_some(&ms)).unwrap());
        let delta = StateDelta { operators: [("counts".to_owned(), writer.finish())].into() };
        let state = put_state(storage, 1, 0, Time::from_ms(ms), &delta).unwrap().into_iter().collect();
        let sinks = [("out".to_owned(), vec![1])].into();
        let dead_letters = (ms == 1_000).then(|| "dlq/1".to_owned());
        log.done(&Commit { time: Time::from_ms(ms), state, sinks, dead_letters, dead_letter_count: 1 }).unwrap();
    }
    if close {
        log.close();
    }
}

#[test]
fn a_checkpoint_is_shown_as_it_is() {
    for closed in [false, true] {
        let storage = storage();
        filled(&storage, closed);
        let seen = Inspection::of(&storage).unwrap();
        assert_eq!(seen.findings, []);
        assert_eq!((seen.closed, seen.last_done, seen.epochs.len()), (closed, Some(Time::from_ms(2_000)), 1));
        let commits: Vec<_> =
            seen.commits.iter().map(|commit| (commit.time.as_ms(), commit.state_keys, commit.sinks.len())).collect();
        assert_eq!(commits, [(1_000, Some(10), 1), (2_000, Some(10), 1)]);
        assert_eq!(seen.unfinished[0].inputs["in"].metadata["files"], "a.txt");
        let operators: Vec<_> = seen.operators.iter().map(|operator| (operator.uid.as_str(), operator.keys)).collect();
        assert_eq!(operators, [("counts", 9)]);
        assert_eq!((seen.dead_letters.as_slice(), seen.dead_letter_count), (&["dlq/1".to_owned()][..], 2));
        assert_eq!(seen.manifests.len(), usize::from(closed));
        assert_eq!(seen.program.as_ref().unwrap().operators[0].uid, "counts");
        assert!(seen.difference(&seen).unwrap().is_none());
        assert!(seen.files.iter().all(|file| file.standing <= FileStanding::Kept), "{:?}", seen.files);
    }
}

#[test]
fn damage_and_garbage_are_found() {
    let storage = storage();
    filled(&storage, false);
    storage.put_if_absent("state/0-1-0-0", &[]).unwrap();
    let name = log_name(5);
    let mut bytes = storage.get(&name).unwrap().unwrap();
    bytes[30] ^= 1;
    storage.delete(&name).unwrap();
    storage.put_if_absent(&name, &bytes).unwrap();
    let seen = Inspection::of(&storage).unwrap();
    assert_eq!(seen.worst(), Some(Severity::Warning));
    let about = |name: &str| seen.findings.iter().filter(|finding| finding.file.as_deref() == Some(name)).count();
    assert!(about(&name) > 0 && about("state/0-1-0-0") > 0, "{:#?}", seen.findings);
    assert_eq!(seen.last_done, None);
    storage.delete(&log_name(1)).unwrap();
    let seen = Inspection::of(&storage).unwrap();
    assert_eq!((seen.worst(), seen.program), (Some(Severity::Error), None));
}

#[test]
fn state_without_a_log_is_an_error() {
    let storage = storage();
    storage.put_if_absent("inputs/1-inputs-1-0", b"x").unwrap();
    assert_eq!(Inspection::of(&storage).unwrap().worst(), Some(Severity::Error));
}
