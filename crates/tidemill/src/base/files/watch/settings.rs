//! What can be set about picking files: plain values that a checkpoint can hold.

use crate::base::{minutes, seconds};
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// How files are picked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum PickRule {
    /// Each file once, by name and content.
    SeenSet,
    /// Spark's own rule, by modification time and name.
    Spark {
        /// The batch duration of the stream.
        batch_duration: Duration,
        /// `spark.streaming.fileStream.minRememberDuration`.
        min_remember_duration: Duration,
    },
}

impl PickRule {
    /// Spark's rule with its default of a minute to remember.
    pub const fn spark(batch_duration: Duration) -> Self {
        PickRule::Spark { batch_duration, min_remember_duration: seconds(60) }
    }
}

/// When a file counts as completely written, under [`PickRule::SeenSet`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum Readiness {
    /// When it is there: right for files that are renamed into the directory.
    #[default]
    AtOnce,
    /// When it was last changed so long ago; one with an mtime in the future, as its age cannot be known, when it did not
    /// change between two listings.
    MinAge(Duration),
    /// When neither size nor mtime changed between two listings.
    Unchanged,
}

/// The settings of a [`DirectoryWatcher`](super::DirectoryWatcher).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct WatcherSettings {
    /// How files are picked.
    pub rule: PickRule,
    /// Whether to pass over the files that are there when the stream starts.
    pub new_files_only: bool,
    /// When a file counts as completely written.
    pub readiness: Readiness,
    /// How many files a batch has at most; the others wait.
    pub max_files_per_batch: usize,
    /// How long a picked file is remembered after it is gone.
    pub forget_after: Duration,
}

impl Default for WatcherSettings {
    fn default() -> Self {
        Self {
            rule: PickRule::SeenSet,
            new_files_only: true,
            readiness: Readiness::AtOnce,
            max_files_per_batch: usize::MAX,
            forget_after: minutes(10),
        }
    }
}
