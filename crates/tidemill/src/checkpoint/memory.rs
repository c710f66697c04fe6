//! What the entries of the log come to: everything that is remembered of a program at one point of its log.

use super::{
    Commit, Delta, Picked, Program, Recovered, Slices, StateDelta, StateSource,
    entry::{LogEntry, Opened},
};
use crate::base::{Result, Time};
use serde::{Deserialize, Serialize};
use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

/// How many batches that were passed over are told of after a restart.
const PASSED_OVER: usize = 1_000;

/// Changes of state, and whether everything before them is in them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct StateRef {
    pub(crate) source: StateSource,
    /// A part of the whole state, which stands before all changes.
    pub(crate) base: bool,
}

impl StateRef {
    pub(crate) fn change(source: StateSource) -> Self {
        Self { source, base: false }
    }
}

/// What the inputs remember, by uid.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum InputsSource {
    Inline(BTreeMap<String, Vec<u8>>),
    File { name: String, bytes: u64 },
}

impl Default for InputsSource {
    fn default() -> Self {
        InputsSource::Inline(BTreeMap::new())
    }
}

/// A batch that was picked and is not done.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Unfinished {
    pub(crate) slices: Slices,
    /// Whether it failed since the last start.
    pub(crate) failed: bool,
}

/// All that is remembered; what a manifest holds.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Memory {
    /// The start that the run began with; 0 if none has. The zero time is that start's.
    pub(crate) first_epoch: u64,
    pub(crate) zero: Time,
    pub(crate) program: Program,
    pub(crate) last_done: Option<Time>,
    pub(crate) unfinished: BTreeMap<Time, Unfinished>,
    /// Batches that failed since the last start while later ones were done.
    pub(crate) passed_over: Vec<Time>,
    pub(crate) inputs: InputsSource,
    /// What was picked since the inputs told what they remember.
    pub(crate) picked_since: Vec<Picked>,
    pub(crate) sinks: BTreeMap<String, (Time, Vec<u8>)>,
    pub(crate) state: Vec<StateRef>,
    pub(crate) dead_letters: Vec<String>,
    pub(crate) dead_letter_count: u64,
}

impl Memory {
    /// Takes in the next entry.
    pub(crate) fn apply(&mut self, entry: &LogEntry) -> Result<()> {
        match entry {
            LogEntry::Opened(opened) => self.opened(opened)?,
            LogEntry::Picked(picked) => self.picked(picked),
            LogEntry::Done(commit) => self.done(commit),
            LogEntry::Failed { time, .. } => {
                if let Some(unfinished) = self.unfinished.get_mut(time) {
                    unfinished.failed = true;
                }
                self.pass_over(|_, unfinished| unfinished.failed);
            }
            // What it says is what the entries before it came to.
            LogEntry::Manifest(_) | LogEntry::Alive | LogEntry::Closed => {}
        }
        Ok(())
    }

    fn opened(&mut self, opened: &Opened) -> Result<()> {
        self.settle();
        self.passed_over.clear();
        self.unfinished.values_mut().for_each(|unfinished| unfinished.failed = false);
        if self.first_epoch == 0 {
            // A run that began later has its first start in a manifest.
            (self.first_epoch, self.zero) = (1, opened.zero);
        }
        self.program = opened.program.clone();
        let outputs: BTreeSet<_> = opened.program.outputs.iter().map(|output| output.uid.as_str()).collect();
        self.sinks.retain(|uid, _| outputs.contains(uid.as_str()));
        for uid in &opened.forgets_inputs {
            self.unfinished.values_mut().for_each(|unfinished| drop(unfinished.slices.remove(uid)));
            self.picked_since.iter_mut().for_each(|picked| drop(picked.slices.remove(uid)));
        }
        if !opened.forgets_state.is_empty() {
            let nothing = Delta { from_nothing: true, ..Delta::default() };
            let operators = opened.forgets_state.iter().map(|uid| (uid.clone(), nothing.clone())).collect();
            let source = StateSource::Inline(StateDelta { operators }.encode()?);
            self.state.push(StateRef::change(source));
        }
        Ok(())
    }

    pub(crate) fn picked(&mut self, picked: &Picked) {
        let unfinished = Unfinished { slices: picked.slices.clone(), failed: false };
        self.unfinished.insert(picked.time, unfinished);
        self.picked_since.push(picked.clone());
    }

    fn done(&mut self, commit: &Commit) {
        self.unfinished.remove(&commit.time);
        self.last_done = self.last_done.max(Some(commit.time));
        self.pass_over(|_, unfinished| unfinished.failed);
        self.state.extend(commit.state.iter().cloned().map(StateRef::change));
        for (uid, prepared) in &commit.sinks {
            let newer = self.sinks.get(uid).is_none_or(|(time, _)| *time <= commit.time);
            if newer {
                self.sinks.insert(uid.clone(), (commit.time, prepared.clone()));
            }
        }
        self.dead_letters.extend(commit.dead_letters.clone());
        self.dead_letter_count += commit.dead_letter_count;
    }

    /// Of the batches before the last that is done, gives up those that `test` is true of.
    fn pass_over(&mut self, test: impl Fn(&Time, &Unfinished) -> bool) {
        let Some(last_done) = self.last_done else { return };
        let given_up: Vec<_> = self
            .unfinished
            .range(..last_done)
            .filter(|(time, unfinished)| test(time, unfinished))
            .map(|(time, _)| *time)
            .collect();
        given_up.iter().for_each(|time| drop(self.unfinished.remove(time)));
        self.passed_over.extend(given_up);
        let surplus = self.passed_over.len().saturating_sub(PASSED_OVER);
        self.passed_over.drain(..surplus);
    }

    /// What is left of it for a run that begins with the start `epoch`, after all batches that there were: the records that
    /// were put aside, so that they can still be found.
    pub(crate) fn afresh(&self, epoch: u64, zero: Time, batch_duration: Duration) -> Self {
        let last = self.last_time();
        let floor = last.floor(batch_duration);
        let after_last = if floor < last { floor + batch_duration } else { floor };
        let dead_letters = self.dead_letters.clone();
        Self { first_epoch: epoch, zero: zero.max(after_last), dead_letters, ..Self::default() }
    }

    /// The last batch that was given anything.
    fn last_time(&self) -> Time {
        let picked = self.picked_since.iter().map(|picked| picked.time);
        picked.chain(self.unfinished.keys().copied()).chain(self.last_done).max().unwrap_or_default()
    }

    /// What a restart does not run again: a batch that state has gone past cannot be applied to it any more.
    pub(crate) fn settle(&mut self) {
        if !self.program.operators.is_empty() {
            self.pass_over(|_, _| true);
        }
    }

    /// What a restart goes on from; the inputs' memory is given where it was read from its file.
    pub(crate) fn recovered(mut self, inputs: BTreeMap<String, Vec<u8>>, warnings: Vec<String>) -> Recovered {
        self.settle();
        let unfinished = self.unfinished.into_iter();
        Recovered {
            program: Some(self.program),
            first_epoch: self.first_epoch,
            zero: self.zero,
            last_done: self.last_done,
            unfinished: unfinished.map(|(time, unfinished)| Picked { time, slices: unfinished.slices }).collect(),
            passed_over: self.passed_over,
            inputs,
            picked_since: self.picked_since,
            sinks: self.sinks,
            state: self.state.into_iter().map(|state| state.source).collect(),
            dead_letter_count: self.dead_letter_count,
            warnings,
        }
    }

    /// The files that it names, with their lengths.
    pub(crate) fn files(&self) -> impl Iterator<Item = (&str, u64)> {
        let inputs = match &self.inputs {
            InputsSource::File { name, bytes } => Some((name.as_str(), *bytes)),
            InputsSource::Inline(_) => None,
        };
        self.state.iter().filter_map(|state| state.source.file()).chain(inputs)
    }
}
