//! Which files of a checkpoint are needed, and what is wrong with them.

use super::{
    Inspection,
    decide::Decision,
    entry::{INPUTS, LOCK, LOG, STATE, log_name, log_number},
    envelope::Unreadable,
    facts::{Found, fault_of},
    inspect::quoted,
};
use crate::base::{
    Error, Result,
    storage::{StorageRef, StoredFile},
};
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};

/// Whether a file of a checkpoint is needed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum FileStanding {
    /// A restart reads it.
    Live,
    /// It is read if something newer turns out to be damaged, or keeps a driver of the past from writing.
    Kept,
    /// Nothing names it; it is collected while the program runs.
    Garbage,
    /// It cannot be read.
    Damaged,
    /// It is none of the commit log's: what is put aside there, the lock, or a stranger's.
    Other,
}

/// A file of a checkpoint.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct FileInfo {
    /// Its name below the root of the checkpoint.
    pub name: String,
    /// Its length.
    pub bytes: u64,
    /// Whether it is needed.
    pub standing: FileStanding,
}

/// How bad a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Severity {
    /// Worth knowing.
    Note,
    /// Something is damaged, and a restart makes up for it.
    Warning,
    /// A restart is refused.
    Error,
}

/// Something that was found out about a checkpoint.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[non_exhaustive]
pub struct Finding {
    /// How bad it is.
    pub severity: Severity,
    /// The file that it is about, if it is about one.
    pub file: Option<String>,
    /// What was found, for people.
    pub what: String,
}

impl Finding {
    fn new(severity: Severity, file: Option<&str>, what: &str) -> Self {
        Self { severity, file: file.map(str::to_owned), what: what.to_owned() }
    }

    pub(super) fn error(file: Option<&str>, what: &str) -> Self {
        Self::new(Severity::Error, file, what)
    }
}

/// Looks at every file, and says what is wrong.
pub(super) fn inspect(
    storage: &StorageRef,
    logs: &BTreeMap<u64, Found>,
    decision: Option<&Decision>,
    refusal: Option<Error>,
    inspection: &mut Inspection,
) -> Result<()> {
    if let Some(refusal) = refusal {
        inspection.findings.push(Finding::error(None, &refusal.to_string()));
    }
    for warning in decision.iter().flat_map(|decision| &decision.warnings) {
        inspection.findings.push(Finding::new(Severity::Warning, named_in(warning), warning));
    }
    let standing = Standing::of(logs, decision);
    let (mut garbage, mut garbage_bytes) = (0, 0);
    for file in storage.list("")? {
        let (standing, fault) = standing.of_file(storage, &file)?;
        if let Some(fault) = fault {
            let severity = if decision.is_some() { Severity::Warning } else { Severity::Error };
            let what = format!("\"{}\" cannot be read: {fault}", file.name);
            inspection.findings.push(Finding::new(severity, Some(&file.name), &what));
        }
        if standing == FileStanding::Garbage {
            (garbage, garbage_bytes) = (garbage + 1, garbage_bytes + file.bytes);
        }
        inspection.files.push(FileInfo { name: file.name, bytes: file.bytes, standing });
    }
    if garbage > 0 {
        let what =
            format!("{garbage} files of {garbage_bytes} bytes are garbage, which the program collects as it runs");
        inspection.findings.push(Finding::new(Severity::Note, None, &what));
    }
    holes(logs, standing.older, inspection);
    let leftovers = inspection.files.iter().find(|file| logs.is_empty() && is_ours(&file.name)).cloned();
    if let Some(file) = leftovers {
        let what = format!("there is \"{}\", but no file of the log: the program does not begin anew there", file.name);
        inspection.findings.push(Finding::error(Some(&file.name), &what));
    }
    Ok(())
}

/// Numbers that are missing where none has been collected.
fn holes(logs: &BTreeMap<u64, Found>, older: u64, inspection: &mut Inspection) {
    let Some((last, _)) = logs.last_key_value() else { return };
    for number in (older..*last).filter(|number| *number > 0 && !logs.contains_key(number)).take(10) {
        let what = format!("{} is missing", quoted(number));
        inspection.findings.push(Finding::new(Severity::Warning, Some(&log_name(number)), &what));
    }
}

/// The name that a warning begins with.
fn named_in(warning: &str) -> Option<&str> {
    warning.strip_prefix('"')?.split('"').next()
}

fn is_ours(name: &str) -> bool {
    [LOG, STATE, INPUTS].iter().any(|folder| name.strip_prefix(folder).is_some_and(|rest| rest.starts_with('/')))
}

/// What is needed for what.
struct Standing<'a> {
    logs: &'a BTreeMap<u64, Found>,
    live: BTreeMap<String, u64>,
    kept: BTreeSet<String>,
    newest: u64,
    older: u64,
}

impl<'a> Standing<'a> {
    fn of(logs: &'a BTreeMap<u64, Found>, decision: Option<&Decision>) -> Self {
        let mut standing = Self { logs, live: BTreeMap::new(), kept: BTreeSet::new(), newest: 0, older: 0 };
        if let Some(decision) = decision {
            standing.live = decision.memory.files().map(|(name, bytes)| (name.to_owned(), bytes)).collect();
            standing.kept = decision.needed.clone();
            standing.newest = decision.manifests.last().copied().unwrap_or_default();
            standing.older =
                decision.manifests.first().copied().filter(|_| decision.manifests.len() > 1).unwrap_or_default();
        }
        standing
    }

    fn of_file(&self, storage: &StorageRef, file: &StoredFile) -> Result<(FileStanding, Option<String>)> {
        let name = &file.name;
        if name == LOCK || !is_ours(name) {
            return Ok((FileStanding::Other, None));
        }
        if let Some(number) = log_number(name) {
            return Ok(self.of_log(number));
        }
        // What a program is just writing is not named yet, so it is not said to be wrong.
        let length = self.live.get(name).copied().unwrap_or(file.bytes);
        if let Some(fault) = fault_of(&**storage, name, length)? {
            return Ok((FileStanding::Damaged, Some(fault)));
        }
        let standing = match (self.live.contains_key(name), self.kept.contains(name)) {
            (true, _) => FileStanding::Live,
            (_, true) => FileStanding::Kept,
            _ => FileStanding::Garbage,
        };
        Ok((standing, None))
    }

    fn of_log(&self, number: u64) -> (FileStanding, Option<String>) {
        match self.logs.get(&number) {
            Some(Found::Unreadable(why @ Unreadable::Damaged(_) | why @ Unreadable::Foreign)) => {
                (FileStanding::Damaged, Some(why.to_string()))
            }
            Some(Found::Unreadable(why)) => (FileStanding::Other, Some(why.to_string())),
            Some(Found::Whole(_)) if number >= self.newest => (FileStanding::Live, None),
            Some(Found::Whole(file)) if number >= self.older || file.opened().is_some() => (FileStanding::Kept, None),
            _ => (FileStanding::Garbage, None),
        }
    }
}
