//! Which files of a checkpoint are needed, and which of them cannot be read.

use super::{
    super::{
        entry::{INPUTS, LOCK, LogEntry, STATE, epoch_of, log_name, log_number},
        facts::{Found, fault_of},
        job::JOB,
    },
    FileFound, FileStatus,
    look::Look,
};
use crate::base::{Result, dead_letters};
use std::collections::BTreeMap;

const DEAD_LETTERS: &str = "dead-letters/";

pub(super) struct Files {
    pub(super) found: Vec<FileFound>,
}

/// Names that the log gives, with their lengths: those that must be there, and those that may be.
struct Named {
    must: BTreeMap<String, u64>,
    /// The first file of the log that a restart reads.
    from: u64,
    /// The first that is kept.
    oldest: u64,
}

impl Named {
    fn of(look: &Look<'_>) -> Self {
        let manifests = &look.decision.manifests;
        let last_told = |look: &Look<'_>| {
            let with_manifest = |found: &Found| {
                let Found::Whole(file) = found else { return false };
                file.entries.iter().any(|entry| matches!(entry, LogEntry::Manifest(_)))
            };
            look.logs.iter().rev().find(|(_, found)| with_manifest(found)).map(|(number, _)| *number)
        };
        let undecided = look.undecided.is_some();
        let from = if undecided { last_told(look) } else { manifests.last().copied() }.unwrap_or(1);
        let mut must = BTreeMap::new();
        for (_, found) in look.logs.range(from..) {
            let Found::Whole(file) = found else { continue };
            for entry in &file.entries {
                match entry {
                    LogEntry::Manifest(memory) => {
                        must.extend(memory.files().map(|(name, bytes)| (name.to_owned(), bytes)));
                    }
                    LogEntry::Done(commit) => {
                        let files = commit.state.iter().filter_map(|source| source.file());
                        must.extend(files.map(|(name, bytes)| (name.to_owned(), bytes)));
                    }
                    _ => {}
                }
            }
        }
        Self { must, from, oldest: manifests.first().copied().unwrap_or(from) }
    }
}

impl Files {
    pub(super) fn of(look: &Look<'_>) -> Result<Self> {
        let named = Named::of(look);
        let mut found = Vec::new();
        for file in &look.stored {
            let (status, what) = look.status(&file.name, file.bytes, &named)?;
            found.push(FileFound { name: file.name.clone(), bytes: file.bytes, status, what });
        }
        found.extend(look.missing(&named));
        found.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(Self { found })
    }
}

impl Look<'_> {
    fn status(&self, name: &str, bytes: u64, named: &Named) -> Result<(FileStatus, String)> {
        if let Some(number) = log_number(name) {
            return Ok(self.log_status(number, named));
        }
        if name.starts_with(DEAD_LETTERS) {
            return Ok(self.letters_status(name));
        }
        if name == JOB {
            return Ok((FileStatus::Live, String::new()));
        }
        let Some(epoch) = epoch_of(name) else { return Ok((FileStatus::Other, String::new())) };
        let must = named.must.get(name).copied();
        if let Some(told) = must.or_else(|| self.decision.needed.contains_key(name).then_some(bytes)) {
            let fault = fault_of(&**self.storage, name, told)?;
            return Ok(fault.map_or((FileStatus::Live, String::new()), |fault| (FileStatus::Damaged, fault)));
        }
        Ok((self.unnamed(epoch), String::new()))
    }

    fn log_status(&self, number: u64, named: &Named) -> (FileStatus, String) {
        let begins_epoch = match self.logs.get(&number) {
            Some(Found::Whole(file)) => file.opened().is_some(),
            Some(Found::Unreadable(why)) => return (FileStatus::Damaged, why.to_string()),
            _ => false,
        };
        let is_live = number >= named.oldest || begins_epoch || self.undecided.is_some();
        (if is_live { FileStatus::Live } else { FileStatus::Garbage }, String::new())
    }

    fn letters_status(&self, name: &str) -> (FileStatus, String) {
        if !self.decision.memory.dead_letters.iter().any(|told| told == name) {
            let epoch = name[DEAD_LETTERS.len()..].split('-').next().and_then(|epoch| epoch.parse().ok());
            return (epoch.map_or(FileStatus::Other, |epoch| self.unnamed(epoch)), String::new());
        }
        match dead_letters::read(self.storage, name) {
            Ok(_) => (FileStatus::Live, String::new()),
            Err(error) => (FileStatus::Damaged, error.to_string()),
        }
    }

    /// What no entry names: the driver of now may be about to.
    fn unnamed(&self, epoch: u64) -> FileStatus {
        let is_of_driver = !self.decision.closed && epoch >= self.decision.epoch;
        if is_of_driver || self.undecided.is_some() { FileStatus::Pending } else { FileStatus::Garbage }
    }

    fn missing(&self, named: &Named) -> Vec<FileFound> {
        let is_there = |name: &str| self.stored.binary_search_by(|file| file.name.as_str().cmp(name)).is_ok();
        let highest = self.numbers.last().copied().unwrap_or_default();
        let of_log = (named.from..=highest).filter(|number| !self.logs.contains_key(number)).map(log_name);
        let names = named.must.keys().filter(|name| !is_there(name)).cloned().chain(of_log);
        let missing = |name| FileFound { name, bytes: 0, status: FileStatus::Damaged, what: "it is missing".into() };
        names.map(missing).collect()
    }

    /// Whether there is state or what inputs remember.
    pub(super) fn has_leftovers(&self) -> bool {
        let is_left = |name: &str| [STATE, INPUTS].iter().any(|folder| name.starts_with(&format!("{folder}/")));
        self.numbers.is_empty() && self.stored.iter().any(|file| file.name != LOCK && is_left(&file.name))
    }
}
