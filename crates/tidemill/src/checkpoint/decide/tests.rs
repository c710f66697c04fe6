//! The decision about a restart against a slow and obvious model, over random histories with random damage.
//!
//! The model keeps the list of all that was believed when each manifest was written, and answers every question from such
//! a list anew.

use super::*;
use crate::{
    base::{
        ErrorKind, Time,
        storage::{MemoryStorage, StorageRef},
    },
    checkpoint::{
        Commit, DeltaWriter, OpenOptions, Part, Picked, Program, Recovered, Slice, StateDelta, StateSource,
        background::{Fresh, Shared},
        entry::log_number,
        load_state,
        open::open,
        put_state,
    },
};
use proptest::prelude::*;
use std::{collections::BTreeSet, sync::Arc};

/// What a driver does, or what is done to its files.
#[derive(Clone, Debug)]
enum Op {
    Pick,
    /// Of the unfinished batches the oldest.
    Done {
        keys: u8,
        large: bool,
    },
    Fail,
    Remember {
        large: bool,
    },
    Manifest,
    Base,
    Restart {
        closed: bool,
        damage: Vec<(u16, Harm)>,
        afresh: bool,
    },
    /// A second driver takes over while the first is there.
    TakeOver,
}

#[derive(Clone, Copy, Debug)]
enum Harm {
    Flip,
    Cut,
    Remove,
}

fn op() -> impl Strategy<Value = Op> {
    let harm = prop_oneof![Just(Harm::Flip), Just(Harm::Cut), Just(Harm::Remove)];
    prop_oneof![
        8 => Just(Op::Pick),
        8 => (any::<u8>(), proptest::bool::weighted(0.3)).prop_map(|(keys, large)| Op::Done { keys, large }),
        1 => Just(Op::Fail),
        2 => any::<bool>().prop_map(|large| Op::Remember { large }),
        4 => Just(Op::Manifest),
        2 => Just(Op::Base),
        2 => (any::<bool>(), proptest::collection::vec((any::<u16>(), harm), 0..4), proptest::bool::weighted(0.2))
            .prop_map(|(closed, damage, afresh)| Op::Restart { closed, damage, afresh }),
        1 => Just(Op::TakeOver),
    ]
}

/// What the model knows of an entry.
#[derive(Clone, Debug, PartialEq)]
enum Event {
    Opened,
    Picked(Picked),
    Done(Commit, BTreeMap<u64, u64>),
    Failed(Time),
    /// What the inputs told after all picks before it.
    Remembered(Vec<u8>),
}

/// A manifest: what was believed when it was written, and which files it needs.
#[derive(Clone, Debug)]
struct Stand {
    events: Vec<Event>,
    files: Vec<String>,
}

#[derive(Default)]
struct Model {
    /// What the driver of now believes.
    believed: Vec<Event>,
    /// What each file of the log says, with the files that it names.
    log: BTreeMap<u64, (Vec<Event>, Vec<String>)>,
    stands: BTreeMap<u64, Stand>,
    /// Files that something was done to.
    harmed: BTreeSet<String>,
}

/// What a list of events comes to.
#[derive(Debug, Default, PartialEq)]
struct Outcome {
    last_done: Option<Time>,
    unfinished: Vec<Picked>,
    passed_over: Vec<Time>,
    picked_since: Vec<Time>,
    inputs: Vec<u8>,
    sink: Option<(Time, Vec<u8>)>,
    state: BTreeMap<u64, u64>,
    dead_letters: u64,
}

fn outcome(events: &[Event]) -> Outcome {
    let mut outcome = Outcome::default();
    let done = |time: Time| events.iter().any(|event| matches!(event, Event::Done(commit, _) if commit.time == time));
    let last_opened = events.iter().rposition(|event| *event == Event::Opened).unwrap_or_default();
    for (at, event) in events.iter().enumerate() {
        match event {
            Event::Picked(picked) if !done(picked.time) => {
                let is_later_done =
                    |event: &Event| matches!(event, Event::Done(commit, _) if commit.time > picked.time);
                // The state has gone past it, as a driver found at its start or finds now.
                let passed_by = events.iter().any(is_later_done);
                let told_before = events[..last_opened].iter().any(is_later_done) && at < last_opened;
                match (passed_by, told_before) {
                    (false, _) => outcome.unfinished.push(picked.clone()),
                    (true, false) => outcome.passed_over.push(picked.time),
                    (true, true) => {}
                }
            }
            Event::Done(commit, keys) => {
                outcome.last_done = outcome.last_done.max(Some(commit.time));
                outcome.state.extend(keys);
                outcome.dead_letters += commit.dead_letter_count;
                outcome.sink = Some((commit.time, commit.sinks["out"].clone()));
            }
            _ => {}
        }
    }
    outcome.unfinished.sort_by_key(|picked| picked.time);
    outcome.passed_over.sort();
    let told = events.iter().rposition(|event| matches!(event, Event::Remembered(_)));
    if let Some(Event::Remembered(inputs)) = told.map(|at| &events[at]) {
        outcome.inputs.clone_from(inputs);
    }
    let since = &events[told.map_or(0, |at| at + 1)..];
    outcome.picked_since = since
        .iter()
        .filter_map(|event| match event {
            Event::Picked(picked) => Some(picked.time),
            _ => None,
        })
        .collect();
    outcome
}

fn found(storage: &StorageRef, recovered: &Recovered) -> Outcome {
    let mut state = BTreeMap::new();
    for source in &recovered.state {
        for delta in load_state(storage, source).unwrap().operators.values() {
            for entry in delta.groups.iter().flat_map(|group| group.entries()) {
                let entry = entry.unwrap();
                let value = postcard::from_bytes(entry.value.unwrap()).unwrap();
                state.insert(postcard::from_bytes::<u64>(entry.key).unwrap(), value);
            }
        }
    }
    let mut passed_over = recovered.passed_over.clone();
    passed_over.sort();
    Outcome {
        last_done: recovered.last_done,
        unfinished: recovered.unfinished.clone(),
        passed_over,
        picked_since: recovered.picked_since.iter().map(|picked| picked.time).collect(),
        inputs: recovered.inputs.get("in").cloned().unwrap_or_default(),
        sink: recovered.sinks.get("out").cloned(),
        state,
        dead_letters: recovered.dead_letter_count,
    }
}

impl Model {
    fn write(&mut self, number: u64, events: Vec<Event>, files: Vec<String>) {
        self.log.split_off(&number);
        self.stands.split_off(&number);
        self.log.insert(number, (events, files));
        self.harmed.remove(&log_name(number));
    }

    fn is_usable(&self, storage: &StorageRef, name: &str) -> bool {
        !self.harmed.contains(name) && storage.get(name).unwrap().is_some()
    }

    /// What a restart must believe; `None` if it must refuse. Whether it may refuse all the same.
    fn expected(&self, storage: &StorageRef) -> (Option<Vec<Event>>, bool) {
        let is_whole = |number: u64| self.is_usable(storage, &log_name(number));
        let all_usable = |files: &[String]| files.iter().all(|name| self.is_usable(storage, name));
        let start = self.stands.iter().rev().find(|(number, stand)| is_whole(**number) && all_usable(&stand.files));
        // Without a manifest that can be used everything must be there, but it may be too little to be sure of that.
        let (mut believed, mut number, may_refuse) = match start {
            Some((number, stand)) => (stand.events.clone(), number + 1, false),
            None => (Vec::new(), 1, true),
        };
        let present: Vec<u64> = storage.list("log").unwrap().iter().filter_map(|file| log_number(&file.name)).collect();
        let highest = *present.last().unwrap_or(&0);
        if present.is_empty() {
            let is_empty = storage.list("state").unwrap().is_empty() && storage.list("inputs").unwrap().is_empty();
            return (is_empty.then(Vec::new), false);
        }
        let is_first_whole = is_whole(1);
        if start.is_none() && !is_first_whole {
            return (None, false);
        }
        let is_note = |number: u64| self.log.get(&number).is_some_and(|(events, _)| events.is_empty());
        while number <= highest {
            let (events, files) = self.log.get(&number).cloned().unwrap_or_default();
            let opens_anew = self.stands.contains_key(&number) && events.contains(&Event::Opened);
            if is_whole(number) && all_usable(&files) && !opens_anew {
                believed.extend(events);
            } else if is_whole(number) || !(is_note(number) && is_whole(number + 1)) {
                break;
            }
            number += 1;
        }
        if number > highest {
            return (Some(believed), may_refuse);
        }
        // Picks after the hole.
        let last_done = outcome(&believed).last_done;
        let mut late = BTreeMap::new();
        for (_, (events, _)) in self.log.range(number..).filter(|(number, _)| is_whole(**number)) {
            for event in events {
                if let Event::Picked(picked) = event {
                    late.insert(picked.time, picked.clone());
                }
            }
        }
        let known = |time: Time| {
            believed.iter().any(|event| matches!(event, Event::Picked(picked) if picked.time == time))
                || Some(time) <= last_done
        };
        let late: Vec<_> = late.into_values().filter(|picked| !known(picked.time)).map(Event::Picked).collect();
        believed.extend(late);
        (Some(believed), may_refuse)
    }
}

struct Run {
    storage: StorageRef,
    shared: Shared,
    hold: Option<Box<dyn std::any::Any + Send + Sync>>,
    model: Model,
    /// The last batch that was picked, and how often anything was told.
    clock: u64,
    /// What the inputs told that no manifest has yet, and where in the list it stands.
    told: Option<(usize, Vec<u8>)>,
}

fn program() -> Program {
    let part = |uid: &str| Part { uid: uid.into(), uid_is_derived: false, site: uid.into(), types: String::new() };
    let (inputs, operators, outputs) = (vec![part("in")], vec![part("counts")], vec![part("out")]);
    Program { name: "test".into(), batch_ms: 1, inputs, operators, outputs }
}

type Opened = (Shared, Option<Box<dyn std::any::Any + Send + Sync>>, Recovered);

fn opened(storage: &StorageRef, take_over: bool, afresh: bool) -> Result<Opened> {
    let leave_behind = if afresh { u64::MAX } else { 0 };
    let options = OpenOptions { take_over, leave_behind, ..OpenOptions::default() };
    let opening = open(storage, program(), &options, crossbeam_channel::bounded(1).0)?;
    Ok((opening.shared, opening.hold, opening.recovered))
}

impl Run {
    fn new() -> Self {
        let storage: StorageRef = Arc::new(MemoryStorage::new());
        let (shared, hold, _) = opened(&storage, false, false).unwrap();
        let mut model = Model::default();
        model.believed.push(Event::Opened);
        model.log.insert(1, (vec![Event::Opened], Vec::new()));
        Self { storage, shared, hold, model, clock: 0, told: None }
    }

    fn append(&mut self, entry: LogEntry, event: Event) {
        let number = self.shared.tail().next;
        self.shared.append(entry).unwrap();
        let files = match &event {
            Event::Done(commit, _) => {
                commit.state.iter().filter_map(StateSource::file).map(|f| f.0.to_owned()).collect()
            }
            _ => Vec::new(),
        };
        self.model.believed.push(event.clone());
        self.model.write(number, vec![event], files);
    }

    fn done(&mut self, keys: u8, large: bool) {
        let unfinished = self.shared.tail().memory.unfinished.iter().find(|(_, of)| !of.failed).map(|(time, _)| *time);
        let Some(time) = unfinished else { return };
        let ms = time.as_ms();
        let keys: BTreeMap<u64, u64> = (0..3).map(|key| ((u64::from(keys) + key) % 9, ms)).collect();
        let mut writer = DeltaWriter::new();
        keys.iter().for_each(|(key, value)| writer.put(Time::from_ms(0), key, Some(value)).unwrap());
        let delta = StateDelta { operators: [("counts".to_owned(), writer.finish())].into() };
        let epoch = self.shared.driver.epoch;
        let state = if large {
            // As a file, whatever its size.
            let bytes = crate::checkpoint::envelope::seal(crate::checkpoint::envelope::Kind::State, &delta).unwrap();
            let name =
                crate::checkpoint::state_file::put_new(&*self.storage, &bytes, |n| format!("state/{epoch}-{ms}-0-{n}"));
            StateSource::File { name: name.unwrap(), bytes: bytes.len() as u64 }
        } else {
            put_state(&self.storage, epoch, 0, time, &delta).unwrap().unwrap()
        };
        let sinks = [("out".to_owned(), vec![ms as u8])].into();
        let commit = Commit { time, state: vec![state], sinks, dead_letters: Vec::new(), dead_letter_count: ms % 2 };
        self.append(LogEntry::Done(commit.clone()), Event::Done(commit, keys));
    }

    fn manifest(&mut self, then: &[LogEntry]) {
        if let Some((at, told)) = self.told.take() {
            self.model.believed.insert(at, Event::Remembered(told));
        }
        // A manifest may be written twice where a base has to go first.
        let number = self.shared.tail().next;
        self.shared.write_manifest(then).unwrap();
        let memory = self.shared.tail().memory.clone();
        let files = memory.files().map(|(name, _)| name.to_owned()).collect();
        self.model.write(number, Vec::new(), Vec::new());
        self.model.stands.insert(number, Stand { events: self.model.believed.clone(), files });
    }

    fn harm(&mut self, which: u16, harm: Harm) {
        let files: Vec<_> = self.storage.list("").unwrap().into_iter().filter(|file| file.name != "lock").collect();
        let Some(file) = files.get(usize::from(which) % files.len().max(1)) else { return };
        // The newest files are what is damaged most.
        let mut bytes = self.storage.get(&file.name).unwrap().unwrap();
        self.storage.delete(&file.name).unwrap();
        self.model.harmed.insert(file.name.clone());
        match harm {
            Harm::Flip => {
                let at = usize::from(which) % bytes.len().max(1);
                if let Some(byte) = bytes.get_mut(at) {
                    *byte ^= 1 << (which % 8);
                }
            }
            Harm::Cut => bytes.truncate(usize::from(which) % bytes.len().max(1)),
            Harm::Remove => return,
        }
        self.storage.put_if_absent(&file.name, &bytes).unwrap();
    }

    /// Opens again and compares; false if it was refused, as it must be.
    fn reopen(&mut self, take_over: bool, afresh: bool) -> bool {
        let (expected, may_refuse) = self.model.expected(&self.storage);
        let next = self.storage.list("log").unwrap().iter().filter_map(|file| log_number(&file.name)).max();
        let opening = opened(&self.storage, take_over, afresh);
        let (shared, hold, recovered) = match opening {
            Ok(opening) => opening,
            Err(error) => {
                assert_eq!(error.kind(), ErrorKind::Data, "{error}");
                assert!(may_refuse || expected.is_none(), "{error}");
                assert!(error.to_string().contains('"'), "{error}");
                return false;
            }
        };
        let mut believed = expected.expect("it must be refused");
        if afresh {
            believed.clear();
        }
        assert_eq!(found(&self.storage, &recovered), outcome(&believed), "{:?}", recovered.warnings);
        let (number, mut events) = (next.unwrap_or_default() + 1, believed);
        assert_eq!(shared.tail().next, number + 1);
        events.push(Event::Opened);
        self.model.write(number, vec![Event::Opened], Vec::new());
        if shared.tail().manifests.last() == Some(&number) {
            let files = shared.tail().memory.files().map(|(name, _)| name.to_owned()).collect();
            self.model.stands.insert(number, Stand { events: events.clone(), files });
        }
        // Files of the log after a hole are not believed, and what is below the new start counts no more.
        (self.model.believed, self.told) = (events, None);
        let stale = std::mem::replace(&mut self.shared, shared);
        drop(std::mem::replace(&mut self.hold, hold));
        // Unless somebody has removed its last file.
        if stale.tail().next == number {
            assert_eq!(stale.append(LogEntry::Alive).unwrap_err().kind(), ErrorKind::Closed);
        }
        true
    }

    fn step(&mut self, op: &Op) -> bool {
        match op {
            Op::Pick => {
                self.clock += 1;
                let time = Time::from_ms(self.clock);
                let picked = Picked { time, slices: [("in".to_owned(), Slice::of(&self.clock, 1).unwrap())].into() };
                self.append(LogEntry::Picked(picked.clone()), Event::Picked(picked));
            }
            Op::Done { keys, large } => self.done(*keys, *large),
            Op::Fail => {
                let first = self.shared.tail().memory.unfinished.keys().next().copied();
                if let Some(time) = first {
                    self.append(LogEntry::Failed { time, error: "it broke".into() }, Event::Failed(time));
                }
            }
            Op::Remember { large } => {
                let told = vec![self.clock as u8; if *large { 5_000 } else { 3 }];
                let picks = self.shared.tail().picks;
                *self.shared.fresh.lock().unwrap() =
                    Some(Fresh { inputs: [("in".to_owned(), told.clone())].into(), picks });
                self.told = Some((self.model.believed.len(), told));
            }
            Op::Manifest => self.manifest(&[]),
            Op::Base => {
                self.shared.write_base().unwrap();
                self.manifest(&[]);
            }
            Op::Restart { closed, damage, afresh } => {
                if *closed {
                    self.manifest(&[LogEntry::Closed]);
                }
                self.hold = None;
                damage.iter().for_each(|(which, harm)| self.harm(*which, *harm));
                return self.reopen(false, *afresh);
            }
            Op::TakeOver => return self.reopen(true, false),
        }
        true
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn a_restart_goes_on_from_what_the_model_says(ops in proptest::collection::vec(op(), 1..60)) {
        let mut run = Run::new();
        let mut last = ops.iter();
        let went_on = last.all(|op| run.step(op));
        if went_on {
            run.step(&Op::Restart { closed: false, damage: vec![], afresh: false });
        }
    }
}
