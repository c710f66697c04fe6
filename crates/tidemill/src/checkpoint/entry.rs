//! What stands in the log, and how its files and those that it names are called.

use super::{
    Commit, Picked, Program,
    envelope::{self, Kind, Unreadable},
    memory::Memory,
};
use crate::base::{Result, Time};
use serde::{Deserialize, Serialize};

/// The folders of a checkpoint.
pub(crate) const LOG: &str = "log";
pub(crate) const STATE: &str = "state";
pub(crate) const INPUTS: &str = "inputs";
/// The name that a driver holds.
pub(crate) const LOCK: &str = "lock";

/// One file of the log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct LogFile {
    /// Which start of the program wrote it, from 1.
    pub(crate) epoch: u64,
    /// Tells two drivers apart that took the same epoch.
    pub(crate) nonce: u64,
    /// Whether the file before it holds nothing that is not elsewhere, so that it is no loss.
    pub(crate) after_note: bool,
    /// Files of the log with lower numbers may have been collected; 0 if none was.
    pub(crate) kept_from: u64,
    pub(crate) entries: Vec<LogEntry>,
}

/// Something that happened.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum LogEntry {
    Opened(Opened),
    Picked(Picked),
    Done(Commit),
    Failed {
        time: Time,
        error: String,
    },
    /// What all entries before it come to; or, behind the start of a run that begins afresh, what that goes by instead.
    Manifest(Box<Memory>),
    /// Nothing happened, but the driver is there.
    Alive,
    /// The driver ended well.
    Closed,
}

/// A driver took the checkpoint: the first entry of its epoch.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Opened {
    /// Who it is, for people.
    pub(crate) owner: String,
    pub(crate) at: Time,
    pub(crate) program: Program,
    /// The zero time, if this is the first driver.
    pub(crate) zero: Time,
    /// Operators whose state starts anew, and inputs whose slices are given up, because the user said so.
    pub(crate) forgets_state: Vec<String>,
    pub(crate) forgets_inputs: Vec<String>,
}

impl LogEntry {
    /// Whether nothing is lost with it.
    pub(crate) fn is_note(&self) -> bool {
        matches!(self, LogEntry::Manifest(_) | LogEntry::Alive | LogEntry::Closed)
    }
}

impl LogFile {
    pub(crate) fn encode(&self) -> Result<Vec<u8>> {
        envelope::seal(Kind::Log, self)
    }

    pub(crate) fn decode(bytes: &[u8]) -> Result<Self, Unreadable> {
        envelope::unseal(Kind::Log, bytes)
    }

    /// The driver that began with this file.
    pub(crate) fn opened(&self) -> Option<&Opened> {
        match self.entries.first() {
            Some(LogEntry::Opened(opened)) => Some(opened),
            _ => None,
        }
    }

    pub(crate) fn is_note(&self) -> bool {
        self.entries.iter().all(LogEntry::is_note)
    }

    pub(crate) fn is_closed(&self) -> bool {
        matches!(self.entries.last(), Some(LogEntry::Closed))
    }
}

pub(crate) fn log_name(number: u64) -> String {
    format!("{LOG}/{number:020}")
}

/// The number of a file of the log; `None` for what is not one.
pub(crate) fn log_number(name: &str) -> Option<u64> {
    let digits = name.strip_prefix(LOG)?.strip_prefix('/')?;
    let all_digits = digits.len() == 20 && digits.bytes().all(|byte| byte.is_ascii_digit());
    digits.parse().ok().filter(|_| all_digits)
}

/// The start of the program that wrote a file of state or of inputs.
pub(crate) fn epoch_of(name: &str) -> Option<u64> {
    let file = name.strip_prefix(STATE).or_else(|| name.strip_prefix(INPUTS))?.strip_prefix('/')?;
    file.split('-').next()?.parse().ok()
}

/// The batch that a process wrote a file of state in; `None` if it is another file.
pub(crate) fn time_of(name: &str) -> Option<Time> {
    name.strip_prefix(STATE)?.split('-').nth(1)?.parse().ok().map(Time::from_ms)
}
