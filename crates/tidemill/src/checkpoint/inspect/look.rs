//! One look at a checkpoint: its files, what the log says, and what a restart would decide.

use super::{
    super::{
        decide::{Decision, decide},
        entry::LogEntry,
        facts::{Facts, Found, Observed, numbers},
    },
    CommitFound, Inspection, LettersFound, ProgramFound, StartFound,
    files::Files,
    findings::findings,
    state::operators_of,
};
use crate::base::{
    Error, ErrorKind, Result, dead_letters,
    storage::{StorageRef, StoredFile},
};
use std::collections::BTreeMap;

pub(super) struct Look<'a> {
    pub(super) storage: &'a StorageRef,
    pub(super) stored: Vec<StoredFile>,
    pub(super) numbers: Vec<u64>,
    pub(super) logs: BTreeMap<u64, Found>,
    pub(super) decision: Decision,
    /// Why nothing could be decided.
    pub(super) undecided: Option<Error>,
}

impl<'a> Look<'a> {
    pub(super) fn at(storage: &'a StorageRef) -> Result<Self> {
        let stored = storage.list("")?;
        let facts = Observed::of(&**storage)?;
        let numbers = facts.numbers().to_vec();
        let logs = numbers.iter().map(|number| Ok((*number, facts.log(*number)?))).collect::<Result<_>>()?;
        let (decision, undecided) = match decide(&facts) {
            Ok(decision) => (decision.unwrap_or_default(), None),
            Err(error) if matches!(error.kind(), ErrorKind::Data | ErrorKind::Invalid) => {
                (Decision::default(), Some(error))
            }
            Err(error) => return Err(error),
        };
        Ok(Self { storage, stored, numbers, logs, decision, undecided })
    }

    /// Whether the log has changed since.
    pub(super) fn is_over_taken(&self) -> Result<bool> {
        Ok(numbers(&**self.storage)? != self.numbers)
    }

    pub(super) fn inspection(&self) -> Result<Inspection> {
        let files = Files::of(self)?;
        let mut memory = self.decision.memory.clone();
        memory.settle();
        let dead_letters = memory.dead_letters.iter().map(|name| self.letters(name)).collect();
        let mut found = Inspection {
            url: self.storage.url().to_owned(),
            program: (memory.first_epoch > 0).then(|| ProgramFound::of(&memory.program)),
            zero: memory.zero,
            last_done: memory.last_done,
            unfinished: memory.unfinished.keys().copied().collect(),
            passed_over: memory.passed_over.clone(),
            closed: self.decision.closed,
            starts: self.starts(),
            commits: self.commits(),
            manifests: self.decision.manifests.clone(),
            operators: operators_of(self.storage, &memory),
            dead_letters,
            dead_letter_count: memory.dead_letter_count,
            files: files.found,
            findings: Vec::new(),
            shape: memory.program,
        };
        found.findings = findings(self, &found);
        Ok(found)
    }

    fn letters(&self, name: &str) -> LettersFound {
        let letters = dead_letters::read(self.storage, name).ok();
        let time = letters.as_ref().and_then(|letters| letters.first()).map(|letter| letter.batch_time);
        LettersFound { name: name.to_owned(), time, letters: letters.map(|letters| letters.len() as u64) }
    }

    fn starts(&self) -> Vec<StartFound> {
        let opened = self.logs.iter().filter_map(|(number, found)| {
            let Found::Whole(file) = found else { return None };
            let opened = file.opened()?;
            Some(StartFound { epoch: file.epoch, log_number: *number, owner: opened.owner.clone(), at: opened.at })
        });
        opened.collect()
    }

    fn commits(&self) -> Vec<CommitFound> {
        let mut commits = Vec::new();
        let believed = self.decision.cut.unwrap_or(u64::MAX);
        for (number, found) in self.logs.range(..believed) {
            let Found::Whole(file) = found else { continue };
            for entry in &file.entries {
                let LogEntry::Done(commit) = entry else { continue };
                commits.push(CommitFound {
                    log_number: *number,
                    epoch: file.epoch,
                    time: commit.time,
                    state_bytes: commit.state.iter().map(|source| source.bytes()).sum(),
                    sinks: commit.sinks.keys().cloned().collect(),
                    dead_letters: commit.dead_letter_count,
                });
            }
        }
        commits
    }
}
