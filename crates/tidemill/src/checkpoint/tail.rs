//! The end of the log, where entries are added: whoever stores the next number goes on being the driver.

use super::{
    entry::{LogEntry, LogFile, log_name},
    envelope::Unreadable,
    memory::{InputsSource, Memory, StateRef},
    plan,
};
use crate::base::{Error, Result, clock::Stopwatch};
use std::{collections::BTreeSet, ops::Range};

/// After so many files of the log a manifest is written, or after so many bytes, or a sixteenth of the state if that is
/// more.
const MANIFEST_FILES: u64 = 64;
const MANIFEST_BYTES: u64 = 128 * 1024;

/// Which driver writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Driver {
    pub(super) epoch: u64,
    pub(super) nonce: u64,
}

/// A file that is not part of what is remembered any more, but that an older manifest may name.
#[derive(Clone, Debug)]
pub(super) struct Retired {
    pub(super) name: String,
    pub(super) bytes: u64,
    /// The first manifest that does without it.
    pub(super) gone_at: Option<u64>,
}

/// The end of the log and what the whole of it comes to.
#[derive(Debug)]
pub(super) struct Tail {
    pub(super) next: u64,
    pub(super) memory: Memory,
    /// The numbers of the manifests that a restart can go on from, the newest last; two at the most.
    pub(super) manifests: Vec<u64>,
    pub(super) retired: Vec<Retired>,
    /// The files of the log that are there.
    pub(super) numbers: BTreeSet<u64>,
    /// How many batches were picked in all, counted from those that were not remembered at the start.
    pub(super) picks: u64,
    /// Whether the last file holds nothing that is not elsewhere.
    pub(super) after_note: bool,
    /// What may have been stored as the next number though the storage said that it failed.
    in_doubt: Vec<(Vec<u8>, Vec<LogEntry>)>,
    /// What was found to be stored after all, but not told to who added it.
    unclaimed: Vec<Vec<LogEntry>>,
    /// Why nothing more is added.
    pub(super) stopped: Option<Error>,
    pub(super) files_since: u64,
    pub(super) bytes_since: u64,
    pub(super) quiet: Stopwatch,
}

impl Tail {
    pub(super) fn new(next: u64, memory: Memory, manifests: Vec<u64>, numbers: BTreeSet<u64>) -> Self {
        let files_since = next.saturating_sub(manifests.last().copied().unwrap_or_default());
        Self {
            next,
            picks: memory.picked_since.len() as u64,
            memory,
            manifests,
            retired: Vec::new(),
            numbers,
            after_note: false,
            in_doubt: Vec::new(),
            unclaimed: Vec::new(),
            stopped: None,
            files_since,
            bytes_since: 0,
            quiet: Stopwatch::start(),
        }
    }

    /// Number and bytes of the next file, with these entries.
    pub(super) fn file_of(&self, driver: Driver, entries: &[LogEntry]) -> Result<(u64, Vec<u8>)> {
        let (epoch, nonce) = (driver.epoch, driver.nonce);
        let (after_note, kept_from) = (self.after_note, self.kept_from(entries));
        let file = LogFile { epoch, nonce, after_note, kept_from, entries: entries.to_vec() };
        Ok((self.next, file.encode()?))
    }

    /// The storage said that the next file could not be stored: it may be there all the same.
    pub(super) fn doubt(&mut self, bytes: Vec<u8>, entries: Vec<LogEntry>) {
        if self.in_doubt.iter().all(|(in_doubt, _)| *in_doubt != bytes) {
            self.in_doubt.push((bytes, entries));
        }
    }

    /// The next number is taken already, by what was found: if that is one of the files in doubt, it is taken in now.
    ///
    /// # Errors
    /// Closed, now and ever after, if it is another driver's.
    pub(super) fn settle_doubt(&mut self, url: &str, found: Option<&[u8]>) -> Result<()> {
        let stored = self.in_doubt.iter().position(|(in_doubt, _)| Some(in_doubt.as_slice()) == found);
        let Some(stored) = stored else {
            let error = self.fenced(url, found);
            self.stopped = Some(error.clone());
            return Err(error);
        };
        let (bytes, entries) = self.in_doubt.swap_remove(stored);
        self.took(&entries, bytes.len())?;
        if !entries.iter().any(LogEntry::is_note) {
            self.unclaimed.push(entries);
        }
        Ok(())
    }

    /// Whether these entries are in the log already, from a try that seemed to fail.
    ///
    /// # Errors
    /// Why nothing more is added: Closed, now and ever after, if a batch is said to have failed that the log says is done.
    pub(super) fn claim(&mut self, url: &str, entries: &[LogEntry]) -> Result<bool> {
        if let [LogEntry::Failed { time, .. }] = entries
            && self.unclaimed.iter().flatten().any(|entry| matches!(entry, LogEntry::Done(done) if done.time == *time))
        {
            self.stopped.get_or_insert(Error::closed(format!(
                "the batch of {time} was logged as done though the storage \"{url}\" said that it failed; start the \
                 program again, it goes on after that batch"
            )));
        }
        if let Some(error) = &self.stopped {
            return Err(error.clone());
        }
        let claimed = self.unclaimed.iter().position(|unclaimed| unclaimed == entries);
        claimed.map(|at| self.unclaimed.swap_remove(at));
        Ok(claimed.is_some())
    }

    fn fenced(&self, url: &str, found: Option<&[u8]>) -> Error {
        let name = log_name(self.next);
        let who = match found.map(LogFile::decode) {
            Some(Ok(file)) => {
                let owner = file.opened().map(|opened| format!("{}, ", opened.owner)).unwrap_or_default();
                format!("{owner}epoch {}", file.epoch)
            }
            Some(Err(why @ Unreadable::Newer(_))) => why.to_string(),
            Some(Err(why)) => format!("unknown, for \"{name}\" cannot be read: {why}"),
            None => format!("unknown, for \"{name}\" is gone"),
        };
        Error::closed(format!(
            "another driver has taken over the checkpoint \"{url}\" ({who}); this one commits nothing more"
        ))
    }

    /// The number from which the log is kept, once these entries are stored.
    fn kept_from(&self, entries: &[LogEntry]) -> u64 {
        let is_manifest = entries.iter().any(|entry| matches!(entry, LogEntry::Manifest(_)));
        let last = self.manifests.last().copied().filter(|_| is_manifest);
        last.or_else(|| self.older()).unwrap_or_default()
    }

    /// The older of two manifests: nothing before it is needed.
    pub(super) fn older(&self) -> Option<u64> {
        self.manifests.first().copied().filter(|_| self.manifests.len() > 1)
    }

    /// The next file is stored.
    pub(super) fn took(&mut self, entries: &[LogEntry], bytes: usize) -> Result<()> {
        let number = self.next;
        self.in_doubt.clear();
        self.next += 1;
        self.numbers.insert(number);
        self.quiet = Stopwatch::start();
        self.after_note = entries.iter().all(LogEntry::is_note);
        self.files_since += 1;
        self.bytes_since += bytes as u64;
        for entry in entries {
            self.memory.apply(entry)?;
            match entry {
                LogEntry::Picked(_) => self.picks += 1,
                LogEntry::Manifest(_) => {
                    (self.files_since, self.bytes_since) = (0, 0);
                    self.manifests.push(number);
                    let surplus = self.manifests.len().saturating_sub(2);
                    self.manifests.drain(..surplus);
                    for retired in &mut self.retired {
                        retired.gone_at.get_or_insert(number);
                    }
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// Whether a manifest should be written.
    pub(super) fn is_due(&self) -> bool {
        let (base, changes) = plan::bytes_of_base_and_changes(&self.memory.state);
        let limit = MANIFEST_BYTES.max(base / 16);
        // With the next manifest much of what is kept can go.
        let much_goes = !self.is_light() && changes >= limit;
        self.files_since >= MANIFEST_FILES || self.bytes_since >= limit || much_goes
    }

    /// Whether little is kept for the older manifest alone, so that there is room for a new base.
    pub(super) fn is_light(&self) -> bool {
        let (base, changes) = plan::bytes_of_base_and_changes(&self.memory.state);
        self.retired.iter().map(|retired| retired.bytes).sum::<u64>() <= (base + changes) / 3
    }

    pub(super) fn retire(&mut self, name: &str, bytes: u64) {
        self.retired.push(Retired { name: name.to_owned(), bytes, gone_at: None });
    }

    /// Puts what was merged in the place of what it was made of.
    pub(super) fn replace_state(&mut self, range: Range<usize>, merged: Vec<StateRef>) {
        let replaced: Vec<_> = self.memory.state.splice(range, merged).collect();
        for old in replaced {
            if let Some((name, bytes)) = old.source.file() {
                self.retire(name, bytes);
            }
        }
    }

    /// What the inputs remember once `picks` batches were picked.
    pub(super) fn replace_inputs(&mut self, inputs: InputsSource, picks: u64) {
        if let InputsSource::File { name, bytes } = std::mem::replace(&mut self.memory.inputs, inputs) {
            let is_same = matches!(&self.memory.inputs, InputsSource::File { name: new, .. } if *new == name);
            if !is_same {
                self.retire(&name, bytes);
            }
        }
        let since = &mut self.memory.picked_since;
        let remembered = picks.saturating_sub(self.picks - since.len() as u64);
        since.drain(..(remembered as usize).min(since.len()));
    }

    /// The files that neither of the manifests needs; they are not known of any more.
    pub(super) fn take_garbage(&mut self) -> Vec<String> {
        let Some(older) = self.older() else { return Vec::new() };
        let is_garbage = |retired: &Retired| retired.gone_at.is_some_and(|gone_at| gone_at <= older);
        let (garbage, kept) = std::mem::take(&mut self.retired).into_iter().partition(is_garbage);
        self.retired = kept;
        Vec::into_iter(garbage).map(|retired| retired.name).collect()
    }

    /// Every file of state or inputs that a manifest or the log names, as far as it is needed.
    pub(super) fn needed(&self) -> BTreeSet<String> {
        let live = self.memory.files().map(|(name, _)| name.to_owned());
        live.chain(self.retired.iter().map(|retired| retired.name.clone())).collect()
    }
}
