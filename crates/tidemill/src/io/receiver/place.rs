//! Where received blocks are stored, and how far batches have picked them: plain values, without I/O.

use serde::{Deserialize, Serialize};
use std::{collections::BTreeMap, fmt, ops::Range};

/// A file of blocks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(super) struct FileId {
    pub(super) epoch: u64,
    pub(super) number: u64,
}

impl fmt::Display for FileId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:010}-{:012}", self.epoch, self.number)
    }
}

impl FileId {
    pub(super) fn parse(name: &str) -> Option<Self> {
        let (epoch, number) = name.split_once('-')?;
        Some(Self { epoch: epoch.parse().ok()?, number: number.parse().ok()? })
    }
}

/// Where a block is stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::io) struct Place {
    pub(super) file: FileId,
    pub(super) index: u32,
    pub(super) is_last: bool,
}

/// Blocks that follow one another in a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Run {
    pub(super) file: FileId,
    pub(super) first: u32,
    pub(super) count: u32,
    /// Whether the file has none behind them.
    pub(super) to_end: bool,
}

impl Run {
    /// The same places in as few runs as there can be.
    pub(super) fn of(places: impl IntoIterator<Item = Place>) -> Vec<Self> {
        let mut runs: Vec<Self> = Vec::new();
        for Place { file, index, is_last } in places {
            match runs.last_mut() {
                Some(run) if run.file == file && run.first + run.count == index => {
                    run.count += 1;
                    run.to_end = is_last;
                }
                _ => runs.push(Self { file, first: index, count: 1, to_end: is_last }),
            }
        }
        runs
    }

    pub(super) fn range(&self) -> Range<usize> {
        self.first as usize..(self.first + self.count) as usize
    }
}

/// How far the blocks of each epoch are picked: those before this place.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct PickedUpTo(pub(super) BTreeMap<u64, (u64, u32)>);

impl PickedUpTo {
    pub(super) fn add(&mut self, run: &Run) {
        let up_to = self.0.entry(run.file.epoch).or_default();
        let next = if run.to_end { (run.file.number + 1, 0) } else { (run.file.number, run.first + run.count) };
        *up_to = (*up_to).max(next);
    }

    /// The first block of a file that is not picked; `None` if all are.
    pub(super) fn first_unpicked(&self, file: FileId) -> Option<u32> {
        match self.0.get(&file.epoch) {
            Some((number, _)) if file.number < *number => None,
            Some((number, index)) if file.number == *number => Some(*index),
            _ => Some(0),
        }
    }
}
