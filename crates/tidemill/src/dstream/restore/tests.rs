//! The state of one operator alone, in any number of processes.

use super::{CheckpointedState, Resident};
use crate::{
    ErrorKind, HashPartitioner, IntoPartitioner, Partitioner, PartitionerRef, Result, Time,
    checkpoint::{Delta, DeltaWriter},
    dstream::state::{ResidentState, StatePartition},
    rdd::{chunk::Chunks, task::Cursor},
};
use std::sync::Arc;

/// Keeps what it is given.
#[derive(Default)]
struct Keeps(Vec<(Time, u64, u64)>);

impl StatePartition for Keeps {
    type In = ();
    type Initial = ();
    type Key = u64;
    type Value = u64;

    fn types() -> String {
        String::new()
    }
    fn load(&mut self, _time: Time, _initial: &mut dyn Iterator<Item = ()>) {}
    fn apply(&mut self, _time: Time, _batch: Chunks<'_, ()>, _cursor: &Cursor) {}
    fn commit(&mut self) {}
    fn roll_back(&mut self) {}
    fn write_changes(&mut self, _time: Time, _delta: &mut DeltaWriter) -> Result<()> {
        Ok(())
    }
    fn restore(&mut self, _last_done: Time, entries: Vec<(Time, u64, u64)>) -> Result<()> {
        self.0 = entries;
        Ok(())
    }
}

const DONE: Time = Time::from_ms(9_000);

fn delta(write: impl FnOnce(&mut DeltaWriter)) -> Delta {
    let mut writer = DeltaWriter::new();
    write(&mut writer);
    writer.finish()
}

fn put(writer: &mut DeltaWriter, time_ms: u64, key: u64, value: Option<u64>) {
    writer.put(Time::from_ms(time_ms), &key, value.as_ref()).unwrap();
}

fn restored(
    partitioner: PartitionerRef<u64>,
    process: (usize, usize),
    deltas: &[Delta],
) -> Result<Arc<Resident<Keeps>>> {
    let state = Resident::new(partitioner, process, Keeps::default);
    state.restore(DONE, deltas)?;
    Ok(state)
}

/// What a state of one partition takes in.
fn entries(deltas: &[Delta]) -> Vec<(u64, u64, u64)> {
    let state = restored(1.into_partitioner(), (0, 1), deltas).unwrap();
    let mut entries: Vec<_> = state.lock(0).partition.0.iter().map(|(time, k, v)| (time.as_ms(), *k, *v)).collect();
    assert!(entries.is_sorted_by_key(|(time, ..)| *time), "{entries:?}");
    entries.sort();
    entries
}

#[test]
fn every_key_is_in_one_process_in_the_partition_that_it_has_now() {
    let all = delta(|writer| (0..1_000).for_each(|key| put(writer, 0, key, Some(key * 2))));
    for (partitions, processes) in [(1, 1), (3, 1), (2, 3), (7, 3), (6, 2), (1, 2)] {
        let partitioner = HashPartitioner::new(partitions);
        let mut found = Vec::new();
        for process in 0..processes {
            let state =
                restored(partitioner.into_partitioner(), (process, processes), std::slice::from_ref(&all)).unwrap();
            assert!(state.is_at(DONE));
            for partition in 0..partitions {
                let held = &state.lock(partition).partition.0;
                assert!(held.is_empty() || partition % processes == process);
                assert!(held.iter().all(|(_, key, _)| partitioner.partition(key) == partition));
                found.extend(held.iter().map(|(_, key, value)| (*key, *value)));
            }
        }
        found.sort();
        assert_eq!(found, (0..1_000).map(|key| (key, key * 2)).collect::<Vec<_>>(), "{partitions} on {processes}");
    }
}

#[test]
fn the_newest_value_counts_and_what_is_gone_is_gone() {
    let first = delta(|writer| (1..=4).for_each(|key| put(writer, 0, key, Some(key))));
    let second = delta(|writer| {
        put(writer, 0, 2, Some(20));
        put(writer, 0, 3, None);
        put(writer, 0, 4, None);
        put(writer, 0, 4, Some(40));
    });
    assert_eq!(entries(&[first, second]), [(0, 1, 1), (0, 2, 20), (0, 4, 40)]);
}

#[test]
fn a_change_forgets_what_was_there_before_it() {
    let panes = |writer: &mut DeltaWriter| (1..=3).for_each(|ms| put(writer, ms, 7, Some(ms)));
    let forgets = delta(|writer| {
        writer.forget_up_to(Time::from_ms(2));
        put(writer, 2, 8, Some(2));
        put(writer, 0, 9, Some(9));
    });
    assert_eq!(entries(&[delta(panes), forgets.clone()]), [(0, 9, 9), (2, 8, 2), (3, 7, 3)]);
    let anew = delta(|writer| {
        writer.forget_all();
        put(writer, 0, 1, Some(1));
    });
    assert_eq!(entries(&[delta(panes), forgets, anew]), [(0, 1, 1)]);
}

/// A mark and no key: it began, and all its keys are gone. Nothing at all: it is new.
#[test]
fn an_operator_is_new_if_there_is_no_trace_of_it() {
    let begun = delta(DeltaWriter::mark_begun);
    let is_loaded = |deltas: &[Delta]| restored(2.into_partitioner(), (0, 1), deltas).unwrap().is_loaded();
    assert!(is_loaded(std::slice::from_ref(&begun)));
    assert_eq!(entries(std::slice::from_ref(&begun)), []);
    assert!(!is_loaded(&[]));
    assert!(!is_loaded(&[begun, delta(DeltaWriter::forget_all)]));
}

#[derive(Debug)]
struct Astray;

impl Partitioner<u64> for Astray {
    fn partitions(&self) -> usize {
        2
    }
    fn partition(&self, key: &u64) -> usize {
        assert!(*key != 13, "thirteen");
        *key as usize
    }
}

#[test]
fn a_partitioner_that_breaks_its_word_is_told_of() {
    for (key, why) in [(2, "\"2\" of \"2\""), (13, "thirteen")] {
        let deltas = [delta(|writer| put(writer, 0, key, Some(1)))];
        let error = restored(Arc::new(Astray), (0, 1), &deltas).err().unwrap();
        assert!(error.kind() == ErrorKind::User && error.to_string().contains(why), "{error:?}");
    }
}

#[test]
fn long_keys_and_values_are_read_as_they_were_written() {
    let mut writer = DeltaWriter::new();
    for round in 0..2 {
        writer.clear();
        for length in [0_usize, 1, 126, 127, 128, 129, 20_000] {
            writer.put(Time::from_ms(length as u64), &"k".repeat(length), Some(&"v".repeat(length + round))).unwrap();
        }
        let delta = DeltaWriter::gathered([&writer, &DeltaWriter::new()].into_iter());
        assert_eq!(delta.groups.iter().flat_map(|group| group.entries()).count(), 7);
        for entry in delta.groups.iter().flat_map(|group| group.entries()) {
            let entry = entry.unwrap();
            let key: String = crate::checkpoint::decode_record(entry.key).unwrap();
            let value: String = crate::checkpoint::decode_record(entry.value.unwrap()).unwrap();
            assert_eq!((entry.time.as_ms(), value.len()), (key.len() as u64, key.len() + round));
        }
    }
}
