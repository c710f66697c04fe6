//! Which files of a watched directory make up a batch: decisions over observed listings, without I/O.
//!
//! [`DirectoryLister`] looks, [`DirectoryWatcher::pick`] decides, and [`WatcherState`] is what the decisions depend on, which a
//! checkpoint can hold. Two rules can be chosen:
//!
//! | what happens to a file | [`PickRule::SeenSet`] (the default) | [`PickRule::Spark`] |
//! |---|---|---|
//! | appears under a new name | picked, whatever its mtime (1970, old, future) | picked if `threshold < mtime <= batch time` |
//! | is there when the stream starts | picked unless only new files are wanted; then only once it changes | the same, by its mtime |
//! | is still being written | waits as [`Readiness`] says | picked as it is |
//! | grows or is rewritten in place after it was picked | not read again, warned once | the same |
//! | is replaced by another file of the same name | picked again if size or mtime differ | not read again in the remember window |
//! | is copied over itself (same size and mtime) | not read again | the same |
//! | is renamed after it was picked (log rotation too) | not read again, warned | read again |
//! | is a second hard link to a picked file | picked: it is another name beside the first | picked |
//! | goes away | remembered for [`forget_after`](WatcherSettings::forget_after), so that an outage is no reason to read all again | left out once its mtime is too old |
//! | name starts with `.` | passed over | passed over |
//! | name starts with `_` | passed over | picked |
//! | is a directory | passed over, or listed too if that was asked for | passed over (Spark would read its children as one file) |
//!
//! A watcher that goes on after a restart takes files up as if it had never stopped: what appeared meanwhile is new, and was there
//! at the start only what was there at the very first one. Spark's window then begins before the last batch of the earlier run.
//!
//! "In place" is told from "replaced" by device, inode and creation time: a file system that records no creation time and gives
//! an inode again at once makes `rm x; echo new > x` look like a rewrite in place. A rewrite to the same size within the same
//! millisecond cannot be seen at all. Rename files into the directory: then neither matters.

mod list;
mod memory;
mod seen_set;
mod settings;
mod spark;

pub use list::DirectoryLister;
pub use settings::{PickRule, Readiness, WatcherSettings};

use crate::base::{Time, milliseconds};
use serde::{Deserialize, Serialize};
use std::{collections::BTreeMap, path::Path, time::Duration};

/// What tells one file from another that had or has its name.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct FileId {
    /// The file system it is on.
    pub device: u64,
    /// Its number there.
    pub inode: u64,
    /// When it was made, as inode numbers are given again; the epoch where that is not recorded.
    pub created: Time,
}

/// A file or directory as a listing showed it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SeenFile {
    /// Absolute path.
    pub path: String,
    /// Size in bytes.
    pub size_bytes: u64,
    /// When its content last changed; the epoch if the file system says an earlier time.
    pub mtime: Time,
    /// Whether it is a directory.
    pub is_dir: bool,
    /// Which file it is, whatever its name.
    pub id: FileId,
}

/// Why a listed path is not in the batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[non_exhaustive]
pub enum SkipReason {
    /// Its name marks it as hidden or unfinished.
    Hidden,
    /// It is a directory.
    Directory,
    /// It was there when the stream started.
    ThereAtStart,
    /// Spark's rule: it was last changed before the remember window.
    TooOld,
    /// It changed after it was read; what it has now is not read.
    ChangedAfterRead,
    /// It is a file that was read before, under another name.
    RenamedAfterRead,
}

impl SkipReason {
    /// What a person should know.
    pub fn message(self) -> &'static str {
        match self {
            SkipReason::Hidden => "passed over: a name that starts with \".\" or \"_\" marks a file as hidden",
            SkipReason::Directory => "passed over: it is a directory; name it by itself or ask for recursion",
            SkipReason::ThereAtStart => "passed over: it was there before the stream started",
            SkipReason::TooOld => "not read: it was last changed too long ago; write files anew or touch them",
            SkipReason::ChangedAfterRead => {
                "changed after it was read, and the change is not read; write files elsewhere and rename them into place"
            }
            SkipReason::RenamedAfterRead => "not read: it is a file that was read before, under another name",
        }
    }

    fn is_odd(self) -> bool {
        matches!(self, SkipReason::TooOld | SkipReason::ChangedAfterRead | SkipReason::RenamedAfterRead)
    }
}

/// A path that was left out, reported once for each reason.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Skip {
    /// The path.
    pub path: String,
    /// Why.
    pub reason: SkipReason,
    /// Whether this is the first path of the stream left out for this reason.
    pub first: bool,
}

/// What a watcher decided about one listing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Picked {
    /// The files of the batch: by mtime and path, or with Spark's rule in the order of the listing.
    pub files: Vec<SeenFile>,
    /// What was left out and was not reported before.
    pub skipped: Vec<Skip>,
    /// How many files wait for a later batch.
    pub waiting: usize,
}

impl Picked {
    /// Logs what was left out: what is odd as a warning, what is usual once.
    pub fn log(&self) {
        for Skip { path, reason, first } in &self.skipped {
            let message = reason.message();
            if reason.is_odd() {
                tracing::warn!(path, "{message}");
            } else if *first {
                tracing::info!(path, "{message}");
            } else {
                tracing::debug!(path, "{message}");
            }
        }
    }
}

/// What is remembered of a file that was picked or passed over.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Entry {
    size_bytes: u64,
    mtime: Time,
    id: FileId,
    /// The batch it was picked for; none if it was passed over because it was there at the start.
    batch: Option<Time>,
    /// Number of the last listing it was in.
    listed: u64,
    /// Time of the first listing it was missing in since.
    gone_since: Option<Time>,
    /// Whether a change after it was read has been reported.
    change_reported: bool,
}

impl Entry {
    fn new(file: &SeenFile, batch: Option<Time>, listed: u64) -> Self {
        let SeenFile { size_bytes, mtime, id, .. } = *file;
        Entry { size_bytes, mtime, id, batch, listed, gone_since: None, change_reported: false }
    }

    fn has_content_of(&self, file: &SeenFile) -> bool {
        self.size_bytes == file.size_bytes && self.mtime == file.mtime
    }
}

/// What a [`DirectoryWatcher`] remembers between batches.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct WatcherState {
    /// When the stream was made.
    started: Time,
    /// How many listings were looked at.
    listings: u64,
    seen: BTreeMap<String, Entry>,
    /// Files that wait, as they were in the last listing: size and mtime.
    waiting: BTreeMap<String, (u64, Time)>,
    /// Paths of the last listing that were left out.
    noted: BTreeMap<String, SkipReason>,
    /// How many paths were left out, by reason.
    counts: BTreeMap<SkipReason, u64>,
    /// The last batch that was picked.
    last: Option<Time>,
}

impl WatcherState {
    /// How many files are remembered.
    pub fn remembered(&self) -> usize {
        self.seen.len()
    }

    /// How many paths were left out for a reason so far; each path counts once while it is there.
    pub fn skipped(&self, reason: SkipReason) -> u64 {
        self.counts.get(&reason).copied().unwrap_or(0)
    }

    fn skip(&mut self, path: &str, reason: SkipReason, picked: &mut Picked) {
        let count = self.counts.entry(reason).or_insert(0);
        *count += 1;
        picked.skipped.push(Skip { path: path.to_owned(), reason, first: *count == 1 });
    }

    /// Leaves out a path for as long as it is there; reports it when the last listing did not have it.
    fn note(&mut self, path: &str, reason: SkipReason, noted: &mut BTreeMap<String, SkipReason>, picked: &mut Picked) {
        if self.noted.get(path) != Some(&reason) {
            self.skip(path, reason, picked);
        }
        noted.insert(path.to_owned(), reason);
    }

    /// Reports a change of a file that was read, once for each file.
    fn change(&mut self, file: &SeenFile, picked: &mut Picked) {
        let Some(entry) = self.seen.get_mut(&file.path) else { return };
        (entry.size_bytes, entry.mtime, entry.id) = (file.size_bytes, file.mtime, file.id);
        if !std::mem::replace(&mut entry.change_reported, true) {
            self.skip(&file.path, SkipReason::ChangedAfterRead, picked);
        }
    }
}

/// Decides which files of a watched directory make up each batch; see the [module](self) for the rules.
///
/// # Examples
/// ```
/// use tidemill::{Time, base::files::{SeenFile, watch::{DirectoryWatcher, FileId, WatcherSettings}}};
/// let mut watcher = DirectoryWatcher::new(WatcherSettings::default(), Time::from_ms(0));
/// watcher.begin(&[]);
/// let file = SeenFile {
///     path: "/in/a.txt".into(),
///     size_bytes: 10,
///     mtime: Time::from_ms(500),
///     is_dir: false,
///     id: FileId { device: 1, inode: 7, created: Time::from_ms(500) },
/// };
/// assert_eq!(watcher.pick(Time::from_ms(1_000), &[file.clone()]).files, [file.clone()]);
/// assert!(watcher.pick(Time::from_ms(2_000), &[file]).files.is_empty());
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DirectoryWatcher {
    settings: WatcherSettings,
    state: WatcherState,
}

impl DirectoryWatcher {
    /// A watcher that starts at `now`.
    pub fn new(settings: WatcherSettings, now: Time) -> Self {
        Self { settings, state: WatcherState { started: now, ..WatcherState::default() } }
    }

    /// A watcher that goes on where another stopped.
    pub fn recover(settings: WatcherSettings, state: WatcherState) -> Self {
        Self { settings, state }
    }

    /// What a checkpoint must hold.
    pub fn state(&self) -> &WatcherState {
        &self.state
    }

    /// Shows the watcher what is there when the stream starts; without it, the first [`pick`](Self::pick) does so.
    ///
    /// Call it for a new watcher, not for one that goes on.
    pub fn begin(&mut self, listing: &[SeenFile]) {
        if self.settings.new_files_only && self.settings.rule == PickRule::SeenSet {
            let mut picked = Picked::default();
            seen_set::pass_over(&mut self.state, listing, &mut picked);
        }
        self.state.listings += 1;
    }

    /// Decides which of the listed files belong to the batch `now`, and remembers them.
    pub fn pick(&mut self, now: Time, listing: &[SeenFile]) -> Picked {
        self.pick_listed_at(now, now, listing)
    }

    /// As [`pick`](Self::pick), with a listing of another time than the batch's: a batch that is late, because the program was
    /// down, must not find files older or younger than they are.
    pub(crate) fn pick_listed_at(&mut self, batch: Time, listed_at: Time, listing: &[SeenFile]) -> Picked {
        if self.state.listings == 0 {
            self.begin(listing);
        }
        self.state.listings += 1;
        let picked = match self.settings.rule {
            PickRule::SeenSet => seen_set::pick(&self.settings, &mut self.state, batch, listed_at, listing),
            PickRule::Spark { batch_duration, min_remember_duration } => {
                let window = remember_window(batch_duration, min_remember_duration);
                // As if the batches that were passed over had been run.
                let oldest = self.state.last.map_or(batch, |last| batch.min(last + batch_duration));
                let remember_from = oldest.saturating_sub(window);
                spark::pick(&self.settings, &mut self.state, batch, remember_from, listing)
            }
        };
        self.state.last = Some(batch);
        picked
    }

    /// Remembers files that were picked for the batch `time` before a restart, unless the state that was recovered is of a later
    /// time and has them.
    pub fn mark_picked(&mut self, time: Time, files: &[SeenFile]) {
        if self.state.last.is_some_and(|last| last >= time) {
            return;
        }
        self.state.last = Some(time);
        let listed = self.state.listings;
        for file in files {
            self.state.waiting.remove(&file.path);
            self.state.seen.insert(file.path.clone(), Entry::new(file, Some(time), listed));
        }
    }
}

/// Spark's remember window: the least number of whole batches that lasts `min_remember_duration`.
fn remember_window(batch_duration: Duration, min_remember_duration: Duration) -> Duration {
    let batch_ms = batch_duration.as_millis().max(1);
    let window_ms = min_remember_duration.as_millis().div_ceil(batch_ms) * batch_ms;
    milliseconds(u64::try_from(window_ms).unwrap_or(u64::MAX))
}

fn name_starts_with(path: &str, marks: &[u8]) -> bool {
    let name = Path::new(path).file_name().map_or(&b""[..], |name| name.as_encoded_bytes());
    name.first().is_some_and(|first| marks.contains(first))
}

#[cfg(test)]
mod tests;
