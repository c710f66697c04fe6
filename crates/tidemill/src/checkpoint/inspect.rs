//! A look into a checkpoint from outside: nothing is locked, written or run.

mod files;
mod findings;
mod found;
mod look;
mod state;

pub use found::{
    CommitFound, FileFound, FileStatus, Finding, LettersFound, OperatorState, PartFound, ProgramFound, Severity,
    StartFound,
};
pub(crate) use state::state_entries;

use super::Program;
use super::compare::{Difference, compare};
use crate::base::{Result, Time, storage::StorageRef};
use look::Look;
use serde::Serialize;

/// How often a checkpoint is looked at again that changed while it was being read.
const LOOKS: usize = 5;

/// What is in a checkpoint, as far as it can be read.
///
/// # Examples
/// ```
/// use std::sync::Arc;
/// use tidemill::{Config, base::storage::{MemoryStorage, StorageRef}, checkpoint::Inspection, seconds, testing::TestContext};
/// let checkpoint = MemoryStorage::new();
/// let test = TestContext::remembered_in(checkpoint.clone(), Config::new(), seconds(1));
/// let letters = test.stream(vec![vec![('a', 1), ('b', 1)], vec![('a', 1)]]);
/// let counts = letters.update_state_by_key(|new: &[i32], n: Option<usize>| Some(n.unwrap_or(0) + new.len()));
/// test.collect(&counts.uid("counts"));
/// test.run(2)?;
/// drop(test);
/// let storage: StorageRef = Arc::new(checkpoint);
/// let found = Inspection::of(&storage)?;
/// assert_eq!(found.last_done.map(|time| time.as_ms()), Some(2_000));
/// assert_eq!((found.operators[0].uid.as_str(), found.operators[0].keys), ("counts", Some(2)));
/// assert!(!found.is_damaged());
/// # Ok::<(), tidemill::Error>(())
/// ```
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct Inspection {
    /// Where it is.
    pub url: String,
    /// The program that wrote it last; `None` if there is no log that can be gone on from.
    pub program: Option<ProgramFound>,
    /// The instant before the first batch ever.
    pub zero: Time,
    /// The last batch that is done.
    pub last_done: Option<Time>,
    /// Batches that were picked and are not done: they run again.
    pub unfinished: Vec<Time>,
    /// Batches that failed while later ones were done: they do not run again.
    pub passed_over: Vec<Time>,
    /// Whether the last driver ended well.
    pub closed: bool,
    /// The starts of the program that the log still tells of.
    pub starts: Vec<StartFound>,
    /// The commits that the log still tells of, the oldest first.
    pub commits: Vec<CommitFound>,
    /// The numbers of the manifests that can be gone on from, the newest last.
    pub manifests: Vec<u64>,
    /// What operators remember after the last batch that is done.
    pub operators: Vec<OperatorState>,
    /// The files of dead letters of batches that are done.
    pub dead_letters: Vec<LettersFound>,
    /// How many dead letters batches that are done put aside, files that were removed since included.
    pub dead_letter_count: u64,
    /// All files.
    pub files: Vec<FileFound>,
    /// What is worth to be told, the worst first.
    pub findings: Vec<Finding>,
    #[serde(skip)]
    shape: Program,
}

impl Inspection {
    /// Looks into a checkpoint. That it is damaged is no error but a [finding](Self::findings). While a program runs with it
    /// what is found may be a moment old.
    ///
    /// # Errors
    /// Unavailable, if it cannot be read.
    ///
    /// # Examples
    /// ```
    /// use std::sync::Arc;
    /// use tidemill::{base::storage::{MemoryStorage, StorageRef}, checkpoint::Inspection};
    /// let nothing: StorageRef = Arc::new(MemoryStorage::new());
    /// assert!(Inspection::of(&nothing)?.is_empty());
    /// # Ok::<(), tidemill::Error>(())
    /// ```
    pub fn of(storage: &StorageRef) -> Result<Self> {
        let mut looks = 0;
        loop {
            let look = Look::at(storage)?;
            let found = look.inspection()?;
            looks += 1;
            // Files may have been merged and collected meanwhile, which is no damage.
            if !found.is_damaged() || looks == LOOKS || !look.is_over_taken()? {
                return Ok(found);
            }
        }
    }

    /// Whether there is no checkpoint at all.
    ///
    /// # Examples
    /// See [`of`](Self::of).
    pub fn is_empty(&self) -> bool {
        self.files.iter().all(|file| file.status == FileStatus::Other)
    }

    /// Whether a finding is an error: something that was done is lost, or the program cannot be started with it.
    ///
    /// # Examples
    /// See [`Inspection`].
    pub fn is_damaged(&self) -> bool {
        self.findings.iter().any(|finding| finding.severity == Severity::Error)
    }

    /// How the program of `other` differs from this one's.
    ///
    /// # Examples
    /// ```
    /// use std::sync::Arc;
    /// use tidemill::{base::storage::{MemoryStorage, StorageRef}, checkpoint::Inspection};
    /// let nothing: StorageRef = Arc::new(MemoryStorage::new());
    /// let found = Inspection::of(&nothing)?;
    /// assert!(found.difference(&found).is_none());
    /// # Ok::<(), tidemill::Error>(())
    /// ```
    pub fn difference(&self, other: &Self) -> Difference {
        compare(&self.shape, &other.shape)
    }
}

#[cfg(test)]
mod tests;
