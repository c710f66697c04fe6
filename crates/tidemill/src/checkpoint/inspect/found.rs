//! The parts of what is found in a checkpoint: plain values.

use super::super::{Part, Program};
use crate::base::Time;
use serde::Serialize;

/// The program that wrote a checkpoint.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct ProgramFound {
    /// The name of the application.
    pub name: String,
    /// The batch duration.
    pub batch_ms: u64,
    /// Input streams.
    pub inputs: Vec<PartFound>,
    /// Operations that keep state.
    pub operators: Vec<PartFound>,
    /// Output operations.
    pub outputs: Vec<PartFound>,
}

/// A part of a program that has something to remember.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct PartFound {
    /// Its stable id.
    pub uid: String,
    /// Whether the id was made of the operation and its place, and not given.
    pub uid_is_derived: bool,
    /// The operation and where in the program it stands.
    pub site: String,
    /// What it keeps.
    pub types: String,
}

/// A start of the program.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct StartFound {
    /// Which start it was, from 1.
    pub epoch: u64,
    /// The file of the log that it began with.
    pub log_number: u64,
    /// The process.
    pub owner: String,
    /// When it started.
    pub at: Time,
}

/// A batch that is done.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct CommitFound {
    /// The file of the log that it stands in.
    pub log_number: u64,
    /// The start of the program that wrote it.
    pub epoch: u64,
    /// The batch.
    pub time: Time,
    /// How much state it changed.
    pub state_bytes: u64,
    /// The outputs that prepared something in it.
    pub sinks: Vec<String>,
    /// How many records were put aside in it.
    pub dead_letters: u64,
}

/// What an operator remembers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct OperatorState {
    /// Its stable id.
    pub uid: String,
    /// The operation and where it stands; empty if the program has it no more.
    pub site: String,
    /// How many keys it has; those of a window once for each batch. `None` if its state cannot be read.
    pub keys: Option<u64>,
    /// How much keys and values take up.
    pub bytes: u64,
}

/// A file of dead letters.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct LettersFound {
    /// Its name in the checkpoint.
    pub name: String,
    /// The batch that put them aside; `None` if the file cannot be read or has none.
    pub time: Option<Time>,
    /// How many they are; `None` if it cannot be read.
    pub letters: Option<u64>,
}

/// Whether a file is needed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum FileStatus {
    /// A restart may need it.
    Live,
    /// A driver that did not end wrote it, and has not told of it yet.
    Pending,
    /// Nothing needs it, and it will be removed.
    Garbage,
    /// It cannot be read, or is missing.
    Damaged,
    /// It belongs to other parts of tidemill: blocks of receivers, datasets.
    Other,
}

/// A file of a checkpoint.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct FileFound {
    /// Its name.
    pub name: String,
    /// Its length; 0 if it is missing.
    pub bytes: u64,
    /// Whether it is needed.
    pub status: FileStatus,
    /// What is wrong with it; empty if nothing is.
    pub what: String,
}

/// How bad a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Severity {
    /// Something is lost, or the program cannot be started with it.
    Error,
    /// Something is not as it should be, and nothing is lost.
    Warning,
    /// Good to know.
    Info,
}

/// Something worth to be told of a checkpoint.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Finding {
    /// How bad it is.
    pub severity: Severity,
    /// The file that it is about; empty if it is about none.
    pub file: String,
    /// What was found.
    pub what: String,
    /// What to do; empty if nothing.
    pub to_do: String,
}

impl ProgramFound {
    pub(super) fn of(program: &Program) -> Self {
        let parts = |parts: &[Part]| parts.iter().map(PartFound::of).collect();
        Self {
            name: program.name.clone(),
            batch_ms: program.batch_ms,
            inputs: parts(&program.inputs),
            operators: parts(&program.operators),
            outputs: parts(&program.outputs),
        }
    }
}

impl PartFound {
    fn of(part: &Part) -> Self {
        let Part { uid, uid_is_derived, site, types } = part.clone();
        Self { uid, uid_is_derived, site, types }
    }
}
