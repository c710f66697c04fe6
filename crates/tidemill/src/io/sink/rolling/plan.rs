//! Which records of a batch go to which file: decided before the batch is done, as a value that is logged. Nothing here
//! touches a disk.

use super::options::RollingOptions;
use crate::base::{Error, Result, Time};
use serde::{Deserialize, Serialize};

/// What rolling files leave in the log: where a partition's records are, or what is to be done with those of a batch.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RollingReceipt(Kept);

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
enum Kept {
    Written(Written),
    Plan(Vec<Planned>),
}

/// What a partition wrote.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Written {
    pub(super) place: Place,
    /// One after another from its begin.
    pub(super) pieces: Vec<Piece>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Place {
    Inline(#[serde(with = "serde_bytes")] Vec<u8>),
    /// The hidden name of a file.
    Staged(String),
}

impl Default for Place {
    fn default() -> Self {
        Self::Inline(Vec::new())
    }
}

/// Rows that stay together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Piece {
    pub(super) bytes: u64,
    pub(super) rows: u64,
}

/// A file that is being added to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct OpenFile {
    /// Its name while it is open, which no other attempt makes, and the one it will have.
    pub(super) hidden: String,
    pub(super) name: String,
    /// The time of its first batch.
    pub(super) first: Time,
    pub(super) bytes: u64,
    pub(super) rows: u64,
}

/// What a batch does to a file; nothing at all, perhaps, but say that it is open.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Planned {
    /// As it is then.
    pub(super) file: OpenFile,
    /// How long it was.
    pub(super) before: u64,
    pub(super) additions: Vec<Addition>,
    /// Whether it is finished then.
    pub(super) ends: bool,
}

/// Bytes that are added to a file, after those that are there.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Addition {
    pub(super) place: Place,
    /// From where in a staged file.
    pub(super) from: u64,
    pub(super) bytes: u64,
}

impl Written {
    pub(super) fn staged(&self) -> Option<&str> {
        match &self.place {
            Place::Inline(_) => None,
            Place::Staged(name) => Some(name),
        }
    }
}

impl RollingReceipt {
    pub(super) fn written(written: Written) -> Self {
        Self(Kept::Written(written))
    }

    pub(super) fn plan(plan: Vec<Planned>) -> Self {
        Self(Kept::Plan(plan))
    }

    pub(super) fn into_written(self) -> Result<Written> {
        match self.0 {
            Kept::Written(written) => Ok(written),
            Kept::Plan(_) => Err(Error::internal("a batch of rolling files was prepared twice with the same receipts")),
        }
    }

    pub(super) fn into_plan(receipts: Vec<Self>) -> Result<Vec<Planned>> {
        match receipts.into_iter().next_back().map(|receipt| receipt.0) {
            Some(Kept::Plan(plan)) => Ok(plan),
            _ => Err(Error::internal("a batch of rolling files was committed with receipts that were not prepared")),
        }
    }
}

impl Planned {
    fn of(file: OpenFile) -> Self {
        Self { before: file.bytes, file, additions: Vec::new(), ends: false }
    }

    fn add(&mut self, piece: Piece, place: &Place, from: u64) {
        self.file.bytes += piece.bytes;
        self.file.rows += piece.rows;
        match self.additions.last_mut() {
            // Pieces of one staged file follow each other.
            Some(last) if matches!(place, Place::Staged(_)) && last.place == *place => last.bytes += piece.bytes,
            _ => self.additions.push(Addition { place: place.clone(), from, bytes: piece.bytes }),
        }
    }
}

/// Puts what the partitions wrote, in their order, into the open file and as many more as it takes. `names` gives the
/// hidden and the final name of the batch's `n`th new file.
pub(super) fn plan(
    options: &RollingOptions,
    time: Time,
    open: Option<OpenFile>,
    written: Vec<Written>,
    names: impl Fn(usize) -> (String, String),
) -> Vec<Planned> {
    let (mut plan, mut current, mut begun) = (Vec::new(), open.map(Planned::of), 0);
    for Written { place, pieces } in written {
        let mut from = 0;
        for piece in pieces {
            let file = current.get_or_insert_with(|| {
                let (hidden, name) = names(begun);
                begun += 1;
                Planned::of(OpenFile { hidden, name, first: time, bytes: 0, rows: 0 })
            });
            file.add(piece, &place, from);
            from += piece.bytes;
            file.ends = file.file.bytes >= options.max_bytes || file.file.rows >= options.max_rows;
            if file.ends {
                plan.extend(current.take());
            }
        }
    }
    if let Some(mut file) = current {
        file.ends = time.since(file.file.first) >= options.max_age;
        plan.push(file);
    }
    plan
}

#[cfg(test)]
mod tests;
