//! What a start finds, case by case: what it goes on from, what it says, and what it refuses.

use super::*;
use crate::{
    base::{
        Time,
        storage::{LocalStorage, MemoryStorage},
    },
    checkpoint::{Commit, Picked, StateSource, entry::log_name, state_file::put_new},
};
use std::sync::Arc;

fn at(ms: u64) -> Time {
    Time::from_ms(ms)
}

fn opened(storage: &StorageRef) -> Result<Opening> {
    super::open(storage, Program::default(), &OpenOptions::default(), crossbeam_channel::bounded(1).0)
}

/// Batches from `from` to `to`, each with a file of state; a manifest after each of `manifests`.
fn run(storage: &StorageRef, from: u64, to: u64, manifests: &[u64]) {
    let opening = opened(storage).unwrap();
    for batch in from..=to {
        let picked = Picked { time: at(batch), slices: BTreeMap::new() };
        opening.shared.append(LogEntry::Picked(picked)).unwrap();
        let change = crate::checkpoint::StateDelta::default();
        let bytes = envelope::seal(Kind::State, &change).unwrap();
        let name = put_new(&**storage, &bytes, |n| format!("state/1-{batch}-0-{n}")).unwrap();
        let state = vec![StateSource::File { name, bytes: bytes.len() as u64 }];
        opening.shared.append(LogEntry::Done(Commit { time: at(batch), state, ..Commit::default() })).unwrap();
        if manifests.contains(&batch) {
            opening.shared.write_manifest(&[]).unwrap();
        }
    }
}

fn damage(storage: &StorageRef, name: &str) {
    storage.delete(name).unwrap();
    storage.put_if_absent(name, b"tidemill, but not whole").unwrap();
}

struct Case {
    name: &'static str,
    damaged: &'static [u64],
    removed: &'static [u64],
    removed_state: &'static [&'static str],
    /// The last batch that is believed to be done, and how often something is said; or a part of the refusal.
    expected: Result<(u64, usize), &'static str>,
}

/// Files: 1 opened; 2, 3 batch 1; 4, 5 batch 2; 6 manifest; 7, 8 batch 3; 9 manifest; 10, 11 batch 4.
const CASES: &[Case] = &[
    Case { name: "all is well", damaged: &[], removed: &[], removed_state: &[], expected: Ok((4, 0)) },
    Case { name: "a torn end", damaged: &[11], removed: &[], removed_state: &[], expected: Ok((3, 1)) },
    Case { name: "a hole after the manifest", damaged: &[], removed: &[10], removed_state: &[], expected: Ok((3, 1)) },
    Case {
        name: "the newest manifest is damaged",
        damaged: &[9],
        removed: &[],
        removed_state: &[],
        expected: Ok((4, 1)),
    },
    Case {
        name: "the newest manifest is missing",
        damaged: &[],
        removed: &[9],
        removed_state: &[],
        expected: Ok((4, 1)),
    },
    Case {
        name: "state that only the newest names",
        damaged: &[],
        removed: &[],
        removed_state: &["state/1-3-0-0"],
        expected: Ok((2, 3)),
    },
    Case {
        name: "state of the last batch",
        damaged: &[],
        removed: &[],
        removed_state: &["state/1-4-0-0"],
        expected: Ok((3, 2)),
    },
    Case { name: "what no manifest needs", damaged: &[1], removed: &[], removed_state: &[], expected: Ok((4, 0)) },
    Case {
        name: "both manifests",
        damaged: &[6, 9],
        removed: &[],
        removed_state: &[],
        expected: Err("\"log/00000000000000000002\" is gone"),
    },
    Case {
        name: "state that both name",
        damaged: &[],
        removed: &[],
        removed_state: &["state/1-1-0-0"],
        expected: Err("it names \"state/1-1-0-0\", of which it is missing"),
    },
    Case {
        name: "everything",
        damaged: &[1, 6, 7, 8, 9, 10, 11],
        removed: &[],
        removed_state: &[],
        expected: Err("\"log/00000000000000000001\" cannot be read"),
    },
];

#[test]
fn damage_is_gone_around_or_refused() {
    for case in CASES {
        let storage: StorageRef = Arc::new(MemoryStorage::new());
        run(&storage, 1, 4, &[2, 3]);
        assert_eq!(numbers(&*storage).unwrap(), [1, 6, 7, 8, 9, 10, 11]);
        case.damaged.iter().for_each(|number| damage(&storage, &log_name(*number)));
        case.removed.iter().for_each(|number| storage.delete(&log_name(*number)).unwrap());
        case.removed_state.iter().for_each(|name| storage.delete(name).unwrap());
        // The hold goes at once.
        match (opened(&storage).map(|opening| opening.recovered), case.expected) {
            (Ok(recovered), Ok((last_done, warnings))) => {
                assert_eq!(recovered.last_done, Some(at(last_done)), "{}", case.name);
                assert_eq!(recovered.warnings.len(), warnings, "{}: {:#?}", case.name, recovered.warnings);
                let unfinished: Vec<_> = recovered.unfinished.iter().map(|picked| picked.time.as_ms()).collect();
                let hole = case.removed == [10];
                assert_eq!(
                    unfinished,
                    if hole { vec![] } else { (last_done + 1..=4).collect::<Vec<_>>() },
                    "{}",
                    case.name
                );
                // What was not believed is not believed later either.
                let again = opened(&storage).unwrap().recovered;
                assert_eq!(
                    (again.last_done, again.unfinished),
                    (recovered.last_done, recovered.unfinished),
                    "{}",
                    case.name
                );
            }
            (Err(error), Err(part)) => {
                assert_eq!(error.kind(), ErrorKind::Data, "{}", case.name);
                assert!(error.to_string().contains(part), "{}: {error}", case.name);
            }
            (Ok(_), Err(_)) => panic!("{}: it was not refused", case.name),
            (Err(error), Ok(_)) => panic!("{}: {error}", case.name),
        }
    }
}

#[test]
fn state_without_a_log_is_not_begun_from_anew() {
    let storage: StorageRef = Arc::new(MemoryStorage::new());
    run(&storage, 1, 1, &[]);
    numbers(&*storage).unwrap().iter().for_each(|number| storage.delete(&log_name(*number)).unwrap());
    let error = opened(&storage).err().unwrap();
    assert!(error.kind() == ErrorKind::Data && error.to_string().contains("state/1-1-0-0"), "{error}");
}

#[test]
fn garbage_of_earlier_starts_goes_and_that_of_later_ones_stays() {
    let storage: StorageRef = Arc::new(MemoryStorage::new());
    run(&storage, 1, 4, &[2, 3]);
    for name in ["state/1-77-0-0", "inputs/1-inputs-9-0", "state/9-1-0-0", "dlq/of-another-room"] {
        storage.put_if_absent(name, b"anything").unwrap();
    }
    let opening = opened(&storage).unwrap();
    assert_eq!(opening.shared.driver.epoch, 10);
    storage.put_if_absent("state/10-3-0-0", b"of a batch that ended without it").unwrap();
    storage.put_if_absent("state/10-5-0-0", b"of a batch that runs").unwrap();
    storage.put_if_absent("state/11-1-0-0", b"of a driver that took over").unwrap();
    opening.shared.write_manifest(&[]).unwrap();
    let files: Vec<_> =
        storage.list("").unwrap().into_iter().map(|file| file.name).filter(|name| !name.starts_with("log")).collect();
    let batches = [1, 2, 3, 4].map(|batch| format!("state/1-{batch}-0-0"));
    let mut expected = vec!["dlq/of-another-room".to_owned()];
    expected.extend(batches);
    expected.splice(1..1, ["state/10-5-0-0".to_owned(), "state/11-1-0-0".to_owned()]);
    expected.sort();
    assert_eq!(files, expected);
    // The first file of each epoch stays for ever.
    opening.shared.write_manifest(&[]).unwrap();
    assert_eq!(numbers(&*storage).unwrap(), [1, 12, 13, 14]);
}

#[test]
fn a_lock_on_a_disk_names_its_owner_and_nothing_else() {
    let folder = tempfile::tempdir().unwrap();
    let storage: StorageRef = Arc::new(LocalStorage::create(folder.path()).unwrap());
    let _first = opened(&storage).unwrap();
    let error = opened(&storage).err().unwrap().to_string();
    let expected = format!("the checkpoint \"{}\" is in use by process {} on ", storage.url(), std::process::id());
    assert!(error.starts_with(&expected), "{error}");
}
