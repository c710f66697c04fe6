//! Runs a program batch by batch, ends it anywhere, and goes on in a new context from what was remembered.
//!
//! The scheduler and the log are left out: what a batch changed is taken from the graph and given to the next graph.

use crate::{
    Config, DStream, Error, Time,
    base::{Result, keys},
    checkpoint::{Delta, GROUPS, Group, StateDelta, push_entry},
    dstream::graph::Graph,
    rdd::{JobScope, Session, task::run_guarded},
    testing::{Collected, ScriptedSource, Step, TestContext},
};
use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

pub(super) type Pairs = Vec<(u8, i64)>;

/// A program over pairs, whose state is in so many partitions.
pub(super) type Program = fn(&TestContext, &DStream<(u8, i64)>, usize) -> DStream<String>;

/// A value at which the functions of a program panic.
pub(super) const POISON: i64 = 1_000;

/// The value, if it is none to panic at.
pub(super) fn sound(value: i64) -> i64 {
    assert!(value != POISON, "poison");
    value
}

/// What becomes of a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    Good,
    Unread,
    /// A function panics in the midst of it.
    Poisoned,
    /// The last output fails, after all state was brought to it.
    OutputFails,
}

pub(super) type Input = Vec<(Pairs, Fate)>;

/// In which form what was remembered comes back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// Every batch's changes, from bytes.
    Deltas,
    /// Merged into one, what is gone included.
    Merged,
    /// A snapshot of the older half, and changes of the newer.
    SnapshotAndDeltas,
}

/// Where a program ends, and what it goes on with.
#[derive(Clone, Copy, Debug)]
pub(super) struct Restart {
    /// So many batches have ended.
    pub(super) after: usize,
    /// One more was applied, and is lost.
    pub(super) is_torn: bool,
    pub(super) form: Form,
    pub(super) partitions: usize,
    pub(super) workers: usize,
}

pub(super) fn time_of(index: usize) -> Time {
    Time::from_ms(1_000 * (index as u64 + 1))
}

/// One start of a program.
pub(super) struct Life {
    _test: TestContext,
    pub(super) graph: Arc<Graph>,
    source: ScriptedSource<(u8, i64)>,
    seen: Collected<String>,
    fails: Arc<AtomicBool>,
}

impl Life {
    pub(super) fn begin(program: Program, partitions: usize, workers: usize) -> Self {
        let master = format!("local[{workers}]");
        let test = TestContext::with_config(Config::new().set(keys::MASTER, master));
        let (pairs, source) = test.scripted_stream();
        let shown = program(&test, &pairs, partitions);
        let (seen, fails) = (test.collect(&shown), Arc::new(AtomicBool::new(false)));
        let failing = fails.clone();
        shown.foreach_rdd(move |rdd, _| {
            rdd.count()?;
            if failing.load(Ordering::Relaxed) { Err(Error::user("the output fails")) } else { Ok(()) }
        });
        let graph = pairs.graph().clone();
        graph.set_zero_time(Time::from_ms(0));
        for stream in graph.used_streams() {
            stream.remember(Duration::ZERO);
            stream.validate().unwrap();
        }
        Self { _test: test, graph, source, seen, fails }
    }

    pub(super) fn restore(&self, deltas: &[StateDelta], last_done: Time) -> Result<()> {
        self.graph.restore_state(deltas.iter().cloned().map(Ok), last_done)
    }

    /// Brings everything to a batch.
    fn apply(&self, time: Time, pairs: &Pairs, fate: Fate) -> Result<StateDelta> {
        let mut pairs = pairs.clone();
        if fate == Fate::Poisoned {
            pairs.insert(pairs.len() / 2, (3, POISON));
        }
        self.source.push(Step::Records(pairs));
        for input in self.graph.inputs() {
            input.give(time, input.pick(time)?);
        }
        if fate == Fate::Unread {
            return Err(Error::user("unread"));
        }
        self.graph.set_newest(time);
        self.fails.store(fate == Fate::OutputFails, Ordering::Relaxed);
        Session::scoped(JobScope { batch_time: Some(time) }, || {
            for output in self.graph.outputs().iter().filter(|output| output.stream.is_valid(time)) {
                run_guarded("an output failed", || output.job(time)?.map_or(Ok(()), |job| job()))??;
            }
            self.graph.used_streams().iter().try_for_each(|stream| stream.advance(time))?;
            // Where no output is due, none fails.
            if fate == Fate::OutputFails { Err(Error::user("an output fails")) } else { self.graph.state_changes(time) }
        })
    }

    fn end(&self, time: Time, succeeded: bool) {
        for stream in self.graph.streams() {
            if succeeded { stream.commit(time) } else { stream.roll_back(time) }
        }
        self.graph.streams().iter().for_each(|stream| stream.forget(time));
        self.graph.inputs().iter().for_each(|input| input.release(time, succeeded));
    }

    /// Runs a batch to its end: what it changed, if it succeeded.
    pub(super) fn run(&self, index: usize, (pairs, fate): &(Pairs, Fate)) -> Result<StateDelta> {
        let changes = self.apply(time_of(index), pairs, *fate);
        self.end(time_of(index), changes.is_ok());
        changes
    }

    /// What was shown at the batch with this number.
    pub(super) fn shown(&self, index: usize) -> Option<Vec<String>> {
        let partitions = self.seen.partitions().into_iter().rfind(|(time, _)| *time == time_of(index))?.1;
        let mut records = partitions.concat();
        records.sort();
        Some(records)
    }
}

/// What every batch shows that succeeds, and what all of them have changed.
pub(super) struct Outcome {
    pub(super) shown: Vec<(usize, Option<Vec<String>>)>,
    pub(super) deltas: Vec<StateDelta>,
}

/// Runs a program over all of the input, with these restarts in between.
pub(super) fn run(program: Program, input: &Input, restarts: &[Restart]) -> Outcome {
    let mut outcome = Outcome { shown: Vec::new(), deltas: Vec::new() };
    let (mut life, mut next) = (Life::begin(program, 2, 2), 0);
    for restart in restarts {
        go_on(&life, input, next, restart.after, &mut outcome);
        if restart.is_torn && restart.after < input.len() {
            let (pairs, fate) = &input[restart.after];
            let _ = life.apply(time_of(restart.after), pairs, *fate);
        }
        drop(life);
        life = Life::begin(program, restart.partitions, restart.workers);
        next = outcome.shown.last().map_or(0, |(last_done, _)| last_done + 1);
        if let Some((last_done, _)) = outcome.shown.last() {
            life.restore(&in_form(&outcome.deltas, restart.form), time_of(*last_done)).unwrap();
        }
    }
    go_on(&life, input, next, input.len(), &mut outcome);
    outcome
}

fn go_on(life: &Life, input: &Input, from: usize, until: usize, outcome: &mut Outcome) {
    for (index, batch) in input.iter().enumerate().take(until).skip(from) {
        if let Ok(changes) = life.run(index, batch) {
            outcome.shown.push((index, life.shown(index)));
            outcome.deltas.push(StateDelta::decode(&changes.encode().unwrap()).unwrap());
        }
    }
}

fn in_form(deltas: &[StateDelta], form: Form) -> Vec<StateDelta> {
    match form {
        Form::Deltas => deltas.to_vec(),
        Form::Merged => vec![merged(deltas, true)],
        Form::SnapshotAndDeltas => {
            let (old, new) = deltas.split_at(deltas.len().div_ceil(2));
            std::iter::once(merged(old, false)).chain(new.iter().cloned()).collect()
        }
    }
}

/// The newest value of everything, by the definition.
pub(super) fn merged(deltas: &[StateDelta], with_what_is_gone: bool) -> StateDelta {
    type Values = BTreeMap<(u16, Time, Vec<u8>), Option<Vec<u8>>>;
    let mut operators: BTreeMap<String, (Values, Option<Time>)> = BTreeMap::new();
    for (uid, delta) in deltas.iter().flat_map(|delta| &delta.operators) {
        let (values, forgotten) = operators.entry(uid.clone()).or_default();
        *forgotten = (*forgotten).max(delta.forgotten);
        values.retain(|(_, time, _), _| {
            !delta.from_nothing && (*time == Time::default() || Some(*time) > delta.forgotten)
        });
        for group in &delta.groups {
            for entry in group.entries() {
                let entry = entry.unwrap();
                let key = (group.index, entry.time, entry.key.to_vec());
                values.insert(key, entry.value.map(<[u8]>::to_vec));
            }
        }
    }
    let merged = operators.into_iter().map(|(uid, (values, forgotten))| {
        let mut groups = vec![Vec::new(); GROUPS];
        for ((group, time, key), value) in values.iter().filter(|(_, value)| value.is_some() || with_what_is_gone) {
            let entry = crate::checkpoint::Entry { time: *time, key, value: value.as_deref() };
            push_entry(&mut groups[usize::from(*group)], &entry);
        }
        let groups = groups.into_iter().enumerate().filter(|(_, bytes)| !bytes.is_empty());
        let groups = groups.map(|(index, bytes)| Group { index: index as u16, bytes }).collect();
        let forgotten = forgotten.filter(|_| with_what_is_gone);
        (uid, Delta { from_nothing: false, forgotten, groups })
    });
    StateDelta { operators: merged.collect() }
}
