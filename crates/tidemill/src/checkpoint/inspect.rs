//! What is in a checkpoint, for people and tools: read without running, locking or changing anything.

use super::{
    Commit, Difference, Part, Program, StateSource,
    compare::compare,
    decide::{Decision, decide, manifest},
    entry::{LogEntry, LogFile, log_name},
    facts::{Facts, Found, Observed},
    inspect_files, load_state,
    memory::Memory,
};
use crate::base::{Result, Time, storage::StorageRef};
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};

pub use super::inspect_files::{FileInfo, FileStanding, Finding, Severity};

/// A start of the program: a driver took the checkpoint.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct EpochInfo {
    /// Counted from 1.
    pub epoch: u64,
    /// The number of the file of the log that it began with.
    pub number: u64,
    /// Process, host and time of the start.
    pub owner: String,
    /// When it began, by the clock of its host.
    pub at: Time,
    /// How the program differed from that of the start before, where that is known.
    pub difference: Option<Difference>,
}

/// A point of the log at which all that is remembered was written down.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct ManifestInfo {
    /// The number of its file in the log.
    pub number: u64,
    /// The start of the program that wrote it.
    pub epoch: u64,
    /// The last batch that was done then.
    pub last_done: Option<Time>,
    /// The files that it names.
    pub files: Vec<String>,
    /// Whether a restart goes on from it.
    pub is_used: bool,
}

/// A batch that is done, as far as the log still tells of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct CommitInfo {
    /// The number of its file in the log.
    pub number: u64,
    /// The start of the program that wrote it.
    pub epoch: u64,
    /// The batch.
    pub time: Time,
    /// How many keys of state it changed; `None` if that was merged away or cannot be read.
    pub state_keys: Option<u64>,
    /// How many bytes of state it changed.
    pub state_bytes: u64,
    /// The ids of the outputs that wrote something in it.
    pub sinks: Vec<String>,
    /// The file of the records that were put aside in it.
    pub dead_letters: Option<String>,
    /// How many records were put aside.
    pub dead_letter_count: u64,
}

/// A batch that was given what it reads, and is not done: it runs again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct UnfinishedInfo {
    /// The batch.
    pub time: Time,
    /// What it reads of each input, by the id of the input.
    pub inputs: BTreeMap<String, SliceInfo>,
}

/// What a batch reads of one input.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct SliceInfo {
    /// How many records, where that is known before they are read.
    pub records: u64,
    /// What there is to say of it: names of files, ranges of offsets.
    pub metadata: BTreeMap<String, String>,
}

/// The state of one operator after the last batch that is done.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct OperatorInfo {
    /// Its stable id.
    pub uid: String,
    /// How many keys it holds; one that a window holds for several batches counts for each.
    pub keys: u64,
    /// What keys and values take up, encoded.
    pub bytes: u64,
}

/// A part of a program that remembers something.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct PartInfo {
    /// Its stable id.
    pub uid: String,
    /// Whether the id was made of the operations that lead to it, and not given by the program.
    pub uid_is_derived: bool,
    /// The operation and where it stands in the program.
    pub site: String,
    /// The types of what it keeps.
    pub types: String,
}

/// The shape of the program that wrote a checkpoint.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct ProgramInfo {
    /// Its name.
    pub name: String,
    /// Its batch duration in milliseconds.
    pub batch_ms: u64,
    /// Input streams.
    pub inputs: Vec<PartInfo>,
    /// Operations that keep state.
    pub operators: Vec<PartInfo>,
    /// Output operations.
    pub outputs: Vec<PartInfo>,
}

/// All there is to know of a checkpoint.
///
/// # Examples
/// ```
/// use std::sync::Arc;
/// use tidemill::{base::storage::{MemoryStorage, StorageRef}, checkpoint::Inspection};
/// let storage: StorageRef = Arc::new(MemoryStorage::new());
/// let inspection = Inspection::of(&storage)?;
/// assert!(inspection.program.is_none() && inspection.commits.is_empty() && inspection.findings.is_empty());
/// # Ok::<(), tidemill::Error>(())
/// ```
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct Inspection {
    /// Where it is.
    pub url: String,
    /// The program that a restart is compared with; `None` if there is nothing to go on from.
    pub program: Option<ProgramInfo>,
    /// The instant before the first batch ever.
    pub zero: Option<Time>,
    /// The last batch that is done.
    pub last_done: Option<Time>,
    /// Whether the last driver ended well.
    pub closed: bool,
    /// Starts of the program, the oldest first; after a thousand the first ones are forgotten.
    pub epochs: Vec<EpochInfo>,
    /// Manifests, the oldest first.
    pub manifests: Vec<ManifestInfo>,
    /// Batches that are done and that the log still tells of, the oldest first.
    pub commits: Vec<CommitInfo>,
    /// Batches that a restart runs again.
    pub unfinished: Vec<UnfinishedInfo>,
    /// The state of each operator.
    pub operators: Vec<OperatorInfo>,
    /// How many records were put aside in all.
    pub dead_letter_count: u64,
    /// The files that they are in.
    pub dead_letters: Vec<String>,
    /// Every file, and whether it is needed.
    pub files: Vec<FileInfo>,
    /// What is wrong, or worth knowing; empty if all is well.
    pub findings: Vec<Finding>,
    #[serde(skip)]
    shape: Option<Program>,
}

impl Inspection {
    /// Reads all of a checkpoint. Of one that a program is using it may see a file go while it looks.
    ///
    /// # Errors
    /// Unavailable, if it cannot be read. Damage is no error: it is among the [`findings`](Self::findings).
    ///
    /// # Examples
    /// ```
    /// use std::sync::Arc;
    /// use tidemill::{base::storage::{MemoryStorage, Storage, StorageRef}, checkpoint::{Inspection, Severity}};
    /// let storage: StorageRef = Arc::new(MemoryStorage::new());
    /// storage.put_if_absent("log/00000000000000000001", b"not what it was")?;
    /// let inspection = Inspection::of(&storage)?;
    /// assert_eq!(inspection.worst(), Some(Severity::Error));
    /// assert!(inspection.findings[0].what.contains("log/00000000000000000001"));
    /// # Ok::<(), tidemill::Error>(())
    /// ```
    pub fn of(storage: &StorageRef) -> Result<Self> {
        let facts = Observed::of(&**storage)?;
        let mut logs = BTreeMap::new();
        for number in facts.numbers() {
            logs.insert(*number, facts.log(*number)?);
        }
        let decided = decide(&facts);
        let (decision, refusal) = match decided {
            Ok(decision) => (decision, None),
            Err(error) if error.kind() == crate::base::ErrorKind::Unavailable => return Err(error),
            Err(error) => (None, Some(error)),
        };
        let mut inspection = Self::empty(storage);
        inspection.read_log(storage, &logs, decision.as_ref());
        if let Some(decision) = &decision {
            inspection.read_memory(decision);
            inspection.operators = inspection_of_state(storage, &decision.memory, &mut inspection.findings);
        }
        inspect_files::inspect(storage, &logs, decision.as_ref(), refusal, &mut inspection)?;
        inspection.findings.sort();
        inspection.findings.dedup();
        Ok(inspection)
    }

    fn empty(storage: &StorageRef) -> Self {
        Self {
            url: storage.url().to_owned(),
            program: None,
            zero: None,
            last_done: None,
            closed: false,
            epochs: Vec::new(),
            manifests: Vec::new(),
            commits: Vec::new(),
            unfinished: Vec::new(),
            operators: Vec::new(),
            dead_letter_count: 0,
            dead_letters: Vec::new(),
            files: Vec::new(),
            findings: Vec::new(),
            shape: None,
        }
    }

    /// How bad the worst of the findings is.
    ///
    /// # Examples
    /// ```
    /// use std::sync::Arc;
    /// use tidemill::{base::storage::{MemoryStorage, StorageRef}, checkpoint::Inspection};
    /// let storage: StorageRef = Arc::new(MemoryStorage::new());
    /// assert_eq!(Inspection::of(&storage)?.worst(), None);
    /// # Ok::<(), tidemill::Error>(())
    /// ```
    pub fn worst(&self) -> Option<Severity> {
        self.findings.iter().map(|finding| finding.severity).max()
    }

    /// How the program of another checkpoint differs from that of this one; `None` if either has none.
    ///
    /// # Examples
    /// ```
    /// use std::sync::Arc;
    /// use tidemill::{base::storage::{MemoryStorage, StorageRef}, checkpoint::Inspection};
    /// let storage: StorageRef = Arc::new(MemoryStorage::new());
    /// let inspection = Inspection::of(&storage)?;
    /// assert!(inspection.difference(&inspection).is_none());
    /// # Ok::<(), tidemill::Error>(())
    /// ```
    pub fn difference(&self, other: &Inspection) -> Option<Difference> {
        Some(compare(self.shape.as_ref()?, other.shape.as_ref()?))
    }

    fn read_log(&mut self, storage: &StorageRef, logs: &BTreeMap<u64, Found>, decision: Option<&Decision>) {
        let used = decision.and_then(|decision| decision.manifests.last().copied());
        let mut before: Option<Program> = None;
        for (number, found) in logs {
            let Found::Whole(file) = found else { continue };
            if let Some(opened) = file.opened() {
                let difference = before.as_ref().map(|before| compare(before, &opened.program));
                before = Some(opened.program.clone());
                let (owner, at) = (opened.owner.clone(), opened.at);
                self.epochs.push(EpochInfo { epoch: file.epoch, number: *number, owner, at, difference });
            }
            if let Some((_, memory)) = manifest(file) {
                self.manifests.push(manifest_info(*number, file, memory, used == Some(*number)));
            }
            for entry in &file.entries {
                if let LogEntry::Done(commit) = entry {
                    self.commits.push(commit_info(storage, *number, file.epoch, commit));
                }
            }
        }
    }

    fn read_memory(&mut self, decision: &Decision) {
        let mut memory = decision.memory.clone();
        memory.settle();
        let Memory { program, unfinished, dead_letters, .. } = memory;
        self.program = Some(program_info(&program));
        self.shape = Some(program);
        (self.zero, self.last_done) = (Some(memory.zero), memory.last_done);
        self.closed = decision.closed;
        (self.dead_letters, self.dead_letter_count) = (dead_letters, memory.dead_letter_count);
        let slice = |slice: super::Slice| SliceInfo { records: slice.records, metadata: slice.metadata };
        let unfinished = unfinished.into_iter().map(|(time, unfinished)| UnfinishedInfo {
            time,
            inputs: unfinished.slices.into_iter().map(|(uid, of_input)| (uid, slice(of_input))).collect(),
        });
        self.unfinished = unfinished.collect();
    }
}

fn manifest_info(number: u64, file: &LogFile, memory: &Memory, is_used: bool) -> ManifestInfo {
    let files = memory.files().map(|(name, _)| name.to_owned()).collect();
    ManifestInfo { number, epoch: file.epoch, last_done: memory.last_done, files, is_used }
}

fn commit_info(storage: &StorageRef, number: u64, epoch: u64, commit: &Commit) -> CommitInfo {
    let keys = |source: &StateSource| {
        let delta = load_state(storage, source).ok()?;
        let groups = delta.operators.values().flat_map(|delta| &delta.groups);
        Some(groups.map(|group| group.entries().filter(Result::is_ok).count() as u64).sum::<u64>())
    };
    CommitInfo {
        number,
        epoch,
        time: commit.time,
        state_keys: commit.state.iter().map(keys).sum(),
        state_bytes: commit.state.iter().map(StateSource::bytes).sum(),
        sinks: commit.sinks.keys().cloned().collect(),
        dead_letters: commit.dead_letters.clone(),
        dead_letter_count: commit.dead_letter_count,
    }
}

fn program_info(program: &Program) -> ProgramInfo {
    let parts = |parts: &[Part]| {
        let info = |part: &Part| PartInfo {
            uid: part.uid.clone(),
            uid_is_derived: part.uid_is_derived,
            site: part.site.clone(),
            types: part.types.clone(),
        };
        parts.iter().map(info).collect()
    };
    ProgramInfo {
        name: program.name.clone(),
        batch_ms: program.batch_ms,
        inputs: parts(&program.inputs),
        operators: parts(&program.operators),
        outputs: parts(&program.outputs),
    }
}

/// What all changes come to for each operator; what cannot be read is a finding.
fn inspection_of_state(storage: &StorageRef, memory: &Memory, findings: &mut Vec<Finding>) -> Vec<OperatorInfo> {
    let mut live: BTreeMap<String, BTreeMap<(Time, Vec<u8>), u64>> = BTreeMap::new();
    for state in &memory.state {
        let delta = match load_state(storage, &state.source) {
            Ok(delta) => delta,
            Err(error) => {
                findings.push(Finding::error(state.source.file().map(|(name, _)| name), &error.to_string()));
                continue;
            }
        };
        for (uid, delta) in &delta.operators {
            let keys = live.entry(uid.clone()).or_default();
            if delta.from_nothing {
                keys.clear();
            }
            keys.retain(|(time, _), _| *time == Time::default() || Some(*time) > delta.forgotten);
            for entry in delta.groups.iter().flat_map(|group| group.entries()) {
                match entry {
                    Ok(entry) => match entry.value {
                        Some(value) => {
                            let bytes = (entry.key.len() + value.len()) as u64;
                            keys.insert((entry.time, entry.key.to_vec()), bytes);
                        }
                        None => drop(keys.remove(&(entry.time, entry.key.to_vec()))),
                    },
                    Err(error) => {
                        let name = state.source.file().map(|(name, _)| name);
                        findings.push(Finding::error(name, &format!("of \"{uid}\" {error}")));
                    }
                }
            }
        }
    }
    let known: BTreeSet<_> = memory.program.operators.iter().map(|part| part.uid.clone()).collect();
    for uid in &known {
        live.entry(uid.clone()).or_default();
    }
    let info = |(uid, keys): (String, BTreeMap<_, u64>)| OperatorInfo {
        keys: keys.len() as u64,
        bytes: keys.values().sum(),
        uid,
    };
    live.into_iter().filter(|(uid, keys)| known.contains(uid) || !keys.is_empty()).map(info).collect()
}

/// The name of a file of the log, for messages.
pub(super) fn quoted(number: u64) -> String {
    format!("\"{}\"", log_name(number))
}

#[cfg(test)]
mod tests;
