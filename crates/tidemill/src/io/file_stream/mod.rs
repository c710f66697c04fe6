//! Streams of the files that appear in a watched directory.
//!
//! Process 0 lists the directory and picks the files of each batch; what it picked is the input slice, and every
//! process reads from it. Which files are picked is decided in [`watch`](crate::base::files::watch).

mod options;
mod read;

pub use options::FileStreamOptions;
pub(crate) use read::{BinaryRecords, EachFile, ReadFiles, TextLines};

use crate::{
    base::files::{
        DirectoryLister, DirectoryWatcher, SeenFile,
        watch::{WatcherSettings, WatcherState},
    },
    base::{
        Clock, Data, Result, Time,
        clock::Stopwatch,
        config::{MissingFile, Unreadable},
    },
    dstream::input::{Input, InputMemory, Slice},
    rdd::{Rdd, Session, Site},
};
use options::Filter;
use read::{FileLosses, FilePolicy, FilesRdd};
use serde::{Deserialize, Serialize};
use std::{
    path::Path,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

/// A watched directory as an input.
pub(crate) struct FileInput<R> {
    directory: String,
    site: Site,
    filter: Option<Filter>,
    policy: FilePolicy,
    batch_duration: Duration,
    clock: Arc<dyn Clock>,
    settings: WatcherSettings,
    read: Arc<R>,
    losses: Arc<FileLosses>,
    watch: Mutex<Watch>,
}

/// The part of an input that changes from batch to batch.
struct Watch {
    lister: DirectoryLister,
    watcher: DirectoryWatcher,
    /// Whether the checkpoint knows what was there at the start.
    start_is_known: bool,
}

/// What a batch reads.
#[derive(Serialize, Deserialize)]
struct FileSlice {
    files: Vec<SeenFile>,
    /// In the first batch ever: what the watcher knew before it, which is what was there at the start.
    #[serde(with = "serde_bytes")]
    start: Vec<u8>,
}

/// What of the options an input needs, put together from the program and the configuration.
pub(crate) struct FileInputSettings {
    pub(crate) directory: String,
    pub(crate) watcher: WatcherSettings,
    pub(crate) recursive: bool,
    pub(crate) missing: MissingFile,
    pub(crate) unreadable: Unreadable,
    pub(crate) filter: Option<Filter>,
    pub(crate) batch_duration: Duration,
}

impl<R> FileInput<R> {
    /// Looks at the directory: what is there now is what was there when the stream started, unless a checkpoint knows better.
    pub(crate) fn new(site: Site, settings: FileInputSettings, clock: Arc<dyn Clock>, read: R) -> Self {
        let FileInputSettings { directory, watcher, recursive, missing, unreadable, filter, batch_duration } = settings;
        let mut lister = DirectoryLister::new(directory.clone());
        if recursive {
            lister = lister.recursive();
        }
        let input = Self {
            directory,
            site,
            filter,
            policy: FilePolicy { missing, unreadable },
            batch_duration,
            watch: Mutex::new(Watch {
                lister,
                watcher: DirectoryWatcher::new(watcher.clone(), clock.now()),
                start_is_known: false,
            }),
            clock,
            settings: watcher,
            read: Arc::new(read),
            losses: Arc::default(),
        };
        let mut watch = input.watch();
        let listing = input.list(&mut watch.lister);
        watch.watcher.begin(&listing);
        drop(watch);
        input
    }

    fn watch(&self) -> MutexGuard<'_, Watch> {
        self.watch.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What is there, and passes the filter; nothing, and a warning, if the directory cannot be listed.
    fn list(&self, lister: &mut DirectoryLister) -> Vec<SeenFile> {
        let watch = Stopwatch::start();
        let mut listing = lister.list().unwrap_or_else(|error| {
            tracing::warn!(directory = self.directory, %error, "the watched directory could not be listed; the batch is empty");
            Vec::new()
        });
        let (listed, elapsed) = (listing.len(), watch.elapsed());
        if elapsed > self.batch_duration {
            tracing::warn!(
                directory = self.directory,
                files = listed,
                ?elapsed,
                batch_duration = ?self.batch_duration,
                "to list the watched directory takes longer than a batch; move files away that were read, or raise the \
                 batch duration"
            );
        }
        if let Some(filter) = &self.filter {
            listing.retain(|file| file.is_dir || filter(Path::new(&file.path)));
        }
        listing
    }
}

impl<T: Data, R: ReadFiles<T>> Input<T> for FileInput<R> {
    fn is_replayable(&self) -> bool {
        true
    }

    fn identity(&self) -> Option<String> {
        let directory = self.directory.strip_prefix("file:").unwrap_or(&self.directory);
        let directory = directory.strip_prefix("//").unwrap_or(directory);
        Some(if directory.len() > 1 { directory.trim_end_matches('/') } else { directory }.to_owned())
    }

    fn remember(&self) -> Result<Vec<u8>> {
        self.watch().watcher.state().to_bytes()
    }

    fn restore(&self, memory: &InputMemory<'_>) -> Result<()> {
        let recovered = |state: &[u8]| {
            WatcherState::from_bytes(state).map(|state| DirectoryWatcher::recover(self.settings.clone(), state))
        };
        let mut watch = self.watch();
        if let Some(state) = memory.remembered {
            watch.watcher = recovered(state)?;
            watch.start_is_known = true;
        }
        for (time, slice) in memory.picked {
            let FileSlice { files, start } = slice.decode()?;
            if !start.is_empty() && memory.remembered.is_none() {
                watch.watcher = recovered(&start)?;
            }
            watch.watcher.mark_picked(*time, &files);
            watch.start_is_known = true;
        }
        Ok(())
    }

    fn pick(&self, time: Time) -> Result<Slice> {
        let mut watch = self.watch();
        let known = std::mem::replace(&mut watch.start_is_known, true);
        let start = if known { Vec::new() } else { watch.watcher.state().to_bytes()? };
        let listing = self.list(&mut watch.lister);
        let picked = watch.watcher.pick_listed_at(time, self.clock.now(), &listing);
        drop(watch);
        picked.log();
        if picked.waiting > 0 {
            tracing::debug!(directory = self.directory, waiting = picked.waiting, "files wait for a later batch");
        }
        let paths: Vec<_> = picked.files.iter().map(|file| file.path.as_str()).collect();
        let paths = paths.join("\n");
        let mut slice = Slice::of(&FileSlice { files: picked.files, start }, 0)?;
        slice.metadata.insert("files".into(), paths.clone());
        slice.metadata.insert("Description".into(), paths);
        Ok(slice)
    }

    fn rdd(&self, session: &Arc<Session>, _time: Time, slice: &Slice) -> Result<Rdd<T>> {
        let FileSlice { files, .. } = slice.decode()?;
        let node = FilesRdd::new(&files, &self.read, self.policy, &self.losses)?;
        Ok(Rdd::from_node(session, self.site, node))
    }

    fn release(&self, time: Time, _slice: Option<&Slice>, _succeeded: bool) {
        let (missing_files, lines) = self.losses.take();
        if missing_files > 0 {
            tracing::warn!(
                directory = self.directory,
                batch_time = time.as_ms(),
                missing_files,
                "files were gone or could not be read, and are left out; see tidemill.fileStream.missingFile and unreadableFile"
            );
        }
        if !lines.is_clean() {
            tracing::warn!(
                directory = self.directory,
                batch_time = time.as_ms(),
                oversize_lines = lines.oversize_lines,
                oversize_bytes = lines.oversize_bytes,
                invalid_sequences = lines.invalid_sequences,
                "lines above the limit were dropped, and bytes that are not UTF-8 replaced; see tidemill.lines.maxBytes"
            );
        }
    }
}

#[cfg(test)]
mod tests;
