//! What the attempts of this process at each batch have left under hidden names.

use crate::base::Time;
use std::{
    collections::BTreeMap,
    fs,
    path::PathBuf,
    sync::{Mutex, MutexGuard, PoisonError},
};

/// Of how many batches it is remembered; those that drive forget each batch as it ends.
const BATCHES: usize = 16;

/// The files that this process wrote for batches that are not decided yet. Those of other processes, and of other
/// drivers, are never touched: they may be the ones that are decided on.
#[derive(Debug, Default)]
pub(super) struct Attempts(Mutex<BTreeMap<Time, Vec<PathBuf>>>);

impl Attempts {
    fn files(&self) -> MutexGuard<'_, BTreeMap<Time, Vec<PathBuf>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn add(&self, time: Time, file: PathBuf) {
        let mut files = self.files();
        files.entry(time).or_default().push(file);
        if files.len() > BATCHES {
            files.pop_first();
        }
    }

    /// The batch is decided.
    pub(super) fn forget(&self, time: Time) {
        self.files().remove(&time);
    }

    /// Removes what was written for a batch.
    pub(super) fn remove(&self, time: Time) {
        let written = self.files().remove(&time).unwrap_or_default();
        for file in written {
            // A hidden file that stays does no harm.
            let _ = fs::remove_file(file);
        }
    }
}
