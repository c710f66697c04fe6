//! The program that wrote a checkpoint and the one that wants to go on from it, side by side.

use super::{Part, Picked, Program};
use crate::base::{Error, Result};
use serde::Serialize;
use std::{collections::BTreeSet, fmt};

/// The discard that is about the batch duration.
const BATCH_DURATION: &str = "batch-duration";
/// How the uid of a stream ends whose batches are kept for windows.
const KEPT_BATCHES: &str = "/datasets";

/// What became of a part of a program.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Change {
    /// It is in both, with the same types.
    Kept,
    /// Only the program of now has it.
    New,
    /// Only the program of the checkpoint has it.
    Dropped,
    /// It is in both, with other types.
    ChangedType,
}

/// What a part of a program is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum PartKind {
    /// An input stream.
    Input,
    /// An operation that keeps state.
    Operator,
    /// An output operation.
    Output,
}

/// One part of either program.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct PartChange {
    /// What it is.
    pub kind: PartKind,
    /// What became of it.
    pub change: Change,
    /// Its stable id.
    pub uid: String,
    /// The operation and where it stands; of the program of now, if it is there.
    pub site: String,
    /// What it kept in the checkpoint; empty if it is new.
    pub old_types: String,
    /// What it keeps now; empty if it was dropped.
    pub new_types: String,
}

/// How a program differs from the one that wrote the checkpoint. `Display` has a line for each part.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Difference {
    /// Batch durations in milliseconds, of the checkpoint and of now.
    pub batch_ms: (u64, u64),
    /// Inputs, then operators, then outputs.
    pub parts: Vec<PartChange>,
}

/// Compares the program of a checkpoint with the one that is to go on from it.
pub(crate) fn compare(old: &Program, new: &Program) -> Difference {
    let mut parts = compare_parts(PartKind::Input, &old.inputs, &new.inputs);
    parts.extend(compare_parts(PartKind::Operator, &old.operators, &new.operators));
    parts.extend(compare_parts(PartKind::Output, &old.outputs, &new.outputs));
    Difference { batch_ms: (old.batch_ms, new.batch_ms), parts }
}

fn compare_parts(kind: PartKind, old: &[Part], new: &[Part]) -> Vec<PartChange> {
    let of = |parts: &[Part], uid: &str| parts.iter().find(|part| part.uid == uid).cloned();
    let now = new.iter().map(|part| {
        let before = of(old, &part.uid);
        let change = match &before {
            None => Change::New,
            Some(before) if before.types == part.types => Change::Kept,
            Some(_) => Change::ChangedType,
        };
        let old_types = before.map(|before| before.types).unwrap_or_default();
        let (uid, site, new_types) = (part.uid.clone(), part.site.clone(), part.types.clone());
        PartChange { kind, change, uid, site, old_types, new_types }
    });
    let gone = old.iter().filter(|part| of(new, &part.uid).is_none()).map(|part| PartChange {
        kind,
        change: Change::Dropped,
        uid: part.uid.clone(),
        site: part.site.clone(),
        old_types: part.types.clone(),
        new_types: String::new(),
    });
    now.chain(gone).collect()
}

impl fmt::Display for PartChange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = match self.kind {
            PartKind::Input => "input",
            PartKind::Operator => "operator",
            PartKind::Output => "output",
        };
        let Self { uid, site, old_types, new_types, .. } = self;
        match self.change {
            Change::Kept => write!(f, "kept: {kind} \"{uid}\" ({site})"),
            Change::New if self.kind == PartKind::Operator => {
                write!(f, "new: {kind} \"{uid}\" ({site}), which starts from nothing")
            }
            Change::New => write!(f, "new: {kind} \"{uid}\" ({site})"),
            Change::Dropped => write!(f, "dropped: {kind} \"{uid}\" (was {site})"),
            Change::ChangedType => {
                write!(f, "changed type: {kind} \"{uid}\" ({site}), from \"{old_types}\" to \"{new_types}\"")
            }
        }
    }
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut lines = Vec::new();
        if self.batch_ms.0 != self.batch_ms.1 {
            lines.push(format!("changed: batch duration, from {} ms to {} ms", self.batch_ms.0, self.batch_ms.1));
        }
        lines.extend(self.parts.iter().map(ToString::to_string));
        f.write_str(&lines.join("\n"))
    }
}

/// What is thrown away of a checkpoint.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Discarded {
    /// Operators whose state starts anew.
    pub(crate) state: Vec<String>,
    /// Inputs whose slices are given up.
    pub(crate) inputs: Vec<String>,
}

impl Difference {
    /// Whether nothing differs.
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
    pub fn is_none(&self) -> bool {
        self.batch_ms.0 == self.batch_ms.1 && self.parts.iter().all(|part| part.change == Change::Kept)
    }

    /// What has to be thrown away to go on, if all of that is in `discard`.
    ///
    /// # Errors
    /// Invalid, naming everything that is not, and the option that allows it.
    pub(crate) fn decide(&self, unfinished: &[Picked], discard: &str) -> Result<Discarded> {
        let allowed: BTreeSet<_> = discard.split(',').map(str::trim).filter(|uid| !uid.is_empty()).collect();
        let is_allowed = |uid: &str| allowed.contains(uid) || allowed.contains("*");
        let read: BTreeSet<_> = unfinished.iter().flat_map(|picked| picked.slices.keys().map(String::as_str)).collect();
        let (mut discarded, mut refused) = (Discarded::default(), Vec::new());
        let lost = |part: &&PartChange| matches!(part.change, Change::Dropped | Change::ChangedType);
        for part in self.parts.iter().filter(lost) {
            let (kept, what) = match part.kind {
                PartKind::Operator => (&mut discarded.state, "its state would be lost"),
                PartKind::Input if read.contains(part.uid.as_str()) => {
                    (&mut discarded.inputs, "batches that are not done have read from it")
                }
                _ => continue,
            };
            if is_allowed(&part.uid) {
                kept.push(part.uid.clone());
            } else {
                refused.push((part.uid.clone(), format!("{part}: {what}")));
            }
        }
        self.decide_duration(unfinished, is_allowed(BATCH_DURATION), &mut discarded, &mut refused);
        if refused.is_empty() { Ok(discarded) } else { Err(refusal(&refused, &allowed)) }
    }

    /// Another batch duration does not fit what windows hold, nor the times of batches that are not done.
    fn decide_duration(
        &self,
        unfinished: &[Picked],
        allowed: bool,
        discarded: &mut Discarded,
        refused: &mut Vec<(String, String)>,
    ) {
        let (old_ms, new_ms) = self.batch_ms;
        if old_ms == new_ms {
            return;
        }
        let windows: Vec<_> = self.parts.iter().filter(|part| part.is_window()).map(|part| part.uid.clone()).collect();
        if windows.is_empty() && unfinished.is_empty() {
            return;
        }
        if allowed {
            discarded.state.extend(windows);
            return;
        }
        let mut why = Vec::new();
        if !unfinished.is_empty() {
            why.push(format!("{} batches of the old duration are not done", unfinished.len()));
        }
        if !windows.is_empty() {
            why.push(format!("windows hold batches of the old duration: \"{}\"", windows.join("\", \"")));
        }
        let what = format!("changed: batch duration, from {old_ms} ms to {new_ms} ms: {}", why.join("; "));
        refused.push((BATCH_DURATION.to_owned(), what));
    }
}

impl PartChange {
    /// Whether what it keeps was cut by the batch duration, and is to be kept.
    fn is_window(&self) -> bool {
        let operation = self.site.split_whitespace().next().unwrap_or_default();
        // A window over whole batches keeps those of the stream below it, whatever operation that is of.
        let is_cut = operation.contains("window") || self.uid.ends_with(KEPT_BATCHES);
        self.kind == PartKind::Operator && self.change == Change::Kept && is_cut
    }
}

fn refusal(refused: &[(String, String)], allowed: &BTreeSet<&str>) -> Error {
    let lines: Vec<_> = refused.iter().map(|(_, what)| format!("\n  {what}")).collect();
    let needed: Vec<_> = allowed.iter().copied().chain(refused.iter().map(|(uid, _)| uid.as_str())).collect();
    Error::invalid(format!(
        "the checkpoint does not fit the program:{}\nto start all the same, and throw that away, set \
         tidemill.checkpoint.discard={} (or \"*\" for all that does not fit)",
        lines.concat(),
        needed.join(",")
    ))
}

#[cfg(test)]
mod tests;
