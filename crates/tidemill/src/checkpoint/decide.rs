//! Where a restart goes on from: a decision over what is found, without I/O of its own.
//!
//! It is the newest manifest that is whole, with all files that it names, and every whole entry after it. What comes
//! after an entry that cannot be read is not believed, except for what batches were given to read.

use super::{
    entry::{LogEntry, LogFile, Opened, log_name},
    envelope::Unreadable,
    facts::{Facts, Found, unusable},
    memory::Memory,
};
use crate::base::{Error, Result};
use std::collections::BTreeMap;

/// In how many files before the newest manifest the one before it is looked for.
const LOOK_BACK: usize = 300;

/// What was decided.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Decision {
    pub(crate) memory: Memory,
    /// The number that the next file of the log takes.
    pub(crate) next: u64,
    /// The highest epoch that was seen.
    pub(crate) epoch: u64,
    /// The numbers of the manifests that can be gone on from, the newest last; two at the most.
    pub(crate) manifests: Vec<u64>,
    /// Files that are needed to go on from the older of them, with their lengths.
    pub(crate) needed: BTreeMap<String, u64>,
    /// Where belief ends: the first number that is not believed.
    pub(crate) cut: Option<u64>,
    /// Whether the last driver ended well.
    pub(crate) closed: bool,
    /// Whether the last file of the log holds nothing that is not elsewhere.
    pub(crate) ends_in_note: bool,
    /// The last driver that is known.
    pub(crate) last_driver: Option<(u64, Opened)>,
    pub(crate) warnings: Vec<String>,
}

/// Decides where to go on from. `None` if there is no log at all.
///
/// # Errors
/// Data, if there are files but nothing to go on from; Invalid, if a newer tidemill wrote them; those of the facts.
pub(crate) fn decide(facts: &dyn Facts) -> Result<Option<Decision>> {
    let Some(highest) = facts.numbers().last().copied() else { return Ok(None) };
    let mut deciding = Deciding { facts, highest, decision: Decision::default() };
    deciding.refuse_newer()?;
    deciding.find_start()?;
    deciding.decision.next = highest + 1;
    deciding.look_at_the_end()?;
    Ok(Some(deciding.decision))
}

struct Deciding<'a> {
    facts: &'a dyn Facts,
    highest: u64,
    decision: Decision,
}

/// A place in the log that a manifest stands at.
struct Start {
    number: u64,
    /// How many entries of the file are in the manifest already.
    entries: usize,
    memory: Memory,
}

pub(super) fn manifest(file: &LogFile) -> Option<(usize, &Memory)> {
    file.entries.iter().enumerate().rev().find_map(|(at, entry)| match entry {
        LogEntry::Manifest(memory) => Some((at, &**memory)),
        _ => None,
    })
}

impl Deciding<'_> {
    /// A newer tidemill may have written what is not even damage here, so that is looked at first, in the newest file.
    fn refuse_newer(&self) -> Result<()> {
        for number in self.facts.numbers().iter().rev() {
            match self.facts.log(*number)? {
                Found::Unreadable(newer @ Unreadable::Newer(_)) => {
                    return Err(Error::invalid(format!(
                        "\"{}\" cannot be read, for {newer}; run the program with that version, or give it another \
                         checkpoint directory",
                        log_name(*number)
                    )));
                }
                Found::Whole(_) => return Ok(()),
                _ => {}
            }
        }
        Ok(())
    }

    /// Goes back to the newest place that can be gone on from, and forward from there.
    fn find_start(&mut self) -> Result<()> {
        let (mut chosen, mut older) = (None, None);
        let mut looked_back = 0;
        for number in self.facts.numbers().iter().rev().copied() {
            let Found::Whole(file) = self.facts.log(number)? else { continue };
            self.decision.epoch = self.decision.epoch.max(file.epoch);
            looked_back += usize::from(chosen.is_some());
            if looked_back > LOOK_BACK {
                break;
            }
            let Some((at, memory)) = manifest(&file) else { continue };
            if chosen.is_some() {
                older = Some((number, memory.clone()));
                break;
            }
            match self.fault_in(memory)? {
                None => {
                    chosen = Some(Start { number, entries: at + 1, memory: memory.clone() });
                }
                Some(fault) => self.warn(number, &format!("{fault}; the manifest before it is used")),
            }
        }
        let start = match chosen {
            Some(start) => start,
            None => self.beginning()?,
        };
        self.go_on(start, older)
    }

    fn beginning(&self) -> Result<Start> {
        let first = self.facts.numbers().first().copied().unwrap_or_default();
        let begins = matches!(self.facts.log(1)?, Found::Whole(file) if file.opened().is_some());
        if begins {
            return Ok(Start { number: 1, entries: 0, memory: Memory::default() });
        }
        let what = match self.facts.log(first)? {
            Found::Unreadable(why) => {
                format!("\"{}\" cannot be read, for {why}, and no manifest is whole", log_name(first))
            }
            _ if first > 1 => format!("the log begins with \"{}\", but no manifest in it is whole", log_name(first)),
            _ => format!("\"{}\" does not begin a log", log_name(first)),
        };
        Err(unusable(&what))
    }

    /// What is wrong with the files that are named.
    fn fault_in(&self, memory: &Memory) -> Result<Option<String>> {
        for (name, bytes) in memory.files() {
            if let Some(fault) = self.facts.fault(name, bytes)? {
                return Ok(Some(format!("it names \"{name}\", of which {fault}")));
            }
        }
        Ok(None)
    }

    fn warn(&mut self, number: u64, what: &str) {
        self.decision.warnings.push(format!("\"{}\" is not used: {what}", log_name(number)));
    }

    /// Takes in everything from the start to the first thing that cannot be read.
    fn go_on(&mut self, start: Start, older: Option<(u64, Memory)>) -> Result<()> {
        let from = older.as_ref().map_or(start.number, |(number, _)| *number);
        let oldest = older.as_ref().map_or(&start.memory, |(_, memory)| memory);
        self.decision.needed = oldest.files().map(|(name, bytes)| (name.to_owned(), bytes)).collect();
        if start.entries > 0 {
            self.decision.manifests.extend(older.map(|(number, _)| number));
            self.decision.manifests.push(start.number);
        }
        self.need_changes(from, start.number)?;
        let start_is_beginning = start.entries == 0;
        self.decision.memory = start.memory;
        let (mut number, mut skipped) = (start.number, start.entries);
        while number <= self.highest {
            let (read, fault) = match self.facts.log(number)? {
                Found::Whole(file) => (self.take(&file, skipped)?, "files that it names cannot be used".to_owned()),
                Found::Unreadable(why) => (None, why.to_string()),
                Found::Missing => (None, "it is missing".to_owned()),
            };
            if read.is_none() && !self.is_no_loss(number)? {
                self.warn(number, &format!("{fault}; batches from here on that were done run again"));
                self.decision.cut = Some(number);
                if start_is_beginning {
                    self.refuse_a_collected_log(number)?;
                }
                return self.picks_after(number);
            }
            if read.is_none() {
                self.warn(number, &format!("{fault}; nothing is lost with it"));
            }
            (number, skipped) = (number + 1, 0);
        }
        Ok(())
    }

    /// Without a manifest the log must be there from its beginning: a hole that garbage collection made is no damage, and
    /// what was in it is gone.
    fn refuse_a_collected_log(&self, cut: u64) -> Result<()> {
        let next_is_there = match self.facts.log(cut)? {
            Found::Missing => matches!(self.facts.log(cut + 1)?, Found::Whole(_)),
            _ => cut == self.highest || self.facts.numbers().binary_search(&(cut + 1)).is_ok(),
        };
        let mut collected = !next_is_there;
        for number in self.facts.numbers().iter().copied().filter(|number| *number > cut) {
            let Found::Whole(file) = self.facts.log(number)? else { continue };
            collected |= file.kept_from > cut || manifest(&file).is_some();
        }
        if !collected {
            return Ok(());
        }
        let warnings = self.decision.warnings.join("; ");
        Err(unusable(&format!(
            "the log cannot be followed from its beginning, for \"{}\" is gone, and no manifest is whole: {warnings}",
            log_name(cut)
        )))
    }

    /// Takes in a file; `None` if it names what cannot be used, and what came before that in it is taken in.
    fn take(&mut self, file: &LogFile, skipped: usize) -> Result<Option<()>> {
        for entry in &file.entries[skipped..] {
            if let LogEntry::Done(commit) = entry {
                let files = commit.state.iter().filter_map(|source| source.file());
                for (name, bytes) in files {
                    if let Some(fault) = self.facts.fault(name, bytes)? {
                        self.decision.warnings.push(format!("\"{name}\" cannot be used: {fault}"));
                        return Ok(None);
                    }
                }
            }
            self.need(entry);
            self.decision.memory.apply(entry)?;
        }
        Ok(Some(()))
    }

    fn need(&mut self, entry: &LogEntry) {
        let LogEntry::Done(commit) = entry else { return };
        let files = commit.state.iter().filter_map(|source| source.file());
        self.decision.needed.extend(files.map(|(name, bytes)| (name.to_owned(), bytes)));
    }

    /// What the entries between two manifests name is needed as long as the older one is.
    fn need_changes(&mut self, from: u64, to: u64) -> Result<()> {
        for number in from..=to {
            if let Found::Whole(file) = self.facts.log(number)? {
                file.entries.iter().for_each(|entry| self.need(entry));
                if let Some((_, memory)) = manifest(&file) {
                    self.decision.needed.extend(memory.files().map(|(name, bytes)| (name.to_owned(), bytes)));
                }
            }
        }
        Ok(())
    }

    /// Whether the file after this one says that nothing is lost with this one.
    fn is_no_loss(&self, number: u64) -> Result<bool> {
        Ok(!matches!(self.facts.log(number)?, Found::Whole(_))
            && matches!(self.facts.log(number + 1)?, Found::Whole(file) if file.after_note))
    }

    /// What batches were given is believed also after a hole: they read the same again.
    fn picks_after(&mut self, cut: u64) -> Result<()> {
        let mut picks = BTreeMap::new();
        for number in cut..=self.highest {
            let Found::Whole(file) = self.facts.log(number)? else { continue };
            for entry in &file.entries {
                if let LogEntry::Picked(picked) = entry {
                    picks.insert(picked.time, picked.clone());
                }
            }
        }
        let memory = &mut self.decision.memory;
        for picked in picks.into_values() {
            let known = memory.unfinished.contains_key(&picked.time) || Some(picked.time) <= memory.last_done;
            if !known {
                memory.picked(&picked);
            }
        }
        Ok(())
    }

    /// Who wrote last, and whether it ended well.
    fn look_at_the_end(&mut self) -> Result<()> {
        let numbers = self.facts.numbers();
        let mut after_last_whole = 0;
        for number in numbers.iter().rev().copied() {
            let Found::Whole(file) = self.facts.log(number)? else {
                after_last_whole += u64::from(self.decision.last_driver.is_none());
                continue;
            };
            if number == self.highest {
                (self.decision.closed, self.decision.ends_in_note) = (file.is_closed(), file.is_note());
            }
            if let Some(opened) = file.opened() {
                self.decision.last_driver = Some((file.epoch, opened.clone()));
                break;
            }
        }
        // A file that cannot be read may be the first of an epoch.
        self.decision.epoch += after_last_whole;
        Ok(())
    }
}

#[cfg(test)]
mod tests;
