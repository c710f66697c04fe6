//! What happens beside the batches: changes of state are merged, manifests written, and garbage is collected.

use super::{
    StateDelta,
    append::Turns,
    entry::{INPUTS, LogEntry, STATE, epoch_of, log_name, time_of},
    envelope::{self, Kind},
    facts::{Found, read_log},
    memory::{InputsSource, StateRef},
    merge::{self, Into, Merge},
    plan,
    state_file::{load_state, put_new},
    tail::{Driver, Tail},
    {GROUPS, StateSource},
};
use crate::base::{Error, ErrorKind, Interrupt, Result, durable::durable_step, storage::StorageRef};
use crossbeam_channel::{Receiver, Sender};
use rapidhash::v3::rapidhash_v3;
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

/// A base is cut into files of about this size, so that no more than one of them is in memory at a time.
const BASE_FILE_BYTES: usize = 16 * 1024 * 1024;
/// How long the background waits after something failed.
const PAUSE: Duration = Duration::from_secs(2);
/// Inputs are asked what they remember every so many batches; where that is large, every so many.
pub(super) const INPUTS_EVERY: u64 = 24;
const LARGE_INPUTS_EVERY: u64 = 240;
const LARGE_INPUTS_BYTES: usize = 256 * 1024;
/// A memory of the inputs that is larger has a file of its own.
const INLINE_INPUTS_BYTES: usize = 4 * 1024;
/// Of past starts of the program, how many keep the first file of the log that they wrote.
const EPOCHS_KEPT: usize = 1_000;
/// Every so many manifests it is looked for files that nobody knows of.
const SWEEP_EVERY: u64 = 16;

/// What the inputs remember after so many picks.
pub(super) struct Fresh {
    pub(super) inputs: BTreeMap<String, Vec<u8>>,
    pub(super) picks: u64,
}

/// What the threads of a log share.
pub(super) struct Shared {
    pub(super) storage: StorageRef,
    pub(super) driver: Driver,
    pub(super) tail: Mutex<Tail>,
    /// Whose turn it is to add to the log.
    pub(super) turns: Turns,
    pub(super) fresh: Mutex<Option<Fresh>>,
    /// How often inputs are asked what they remember, in batches.
    pub(super) inputs_every: AtomicU64,
    pub(super) wake: Sender<()>,
    pub(super) stop: Interrupt,
    /// After so long without an entry one is written that says that the driver is there.
    pub(super) heartbeat: Option<Duration>,
    pub(super) kept: Mutex<Kept>,
    /// Held while state is merged and manifests are written.
    pub(super) tending: Mutex<()>,
}

/// What only the background needs.
#[derive(Debug, Default)]
pub(super) struct Kept {
    /// Numbers the files that are written.
    files: u64,
    manifests: u64,
    /// The first files of past epochs.
    firsts: BTreeSet<u64>,
    last_inputs: Option<(u64, InputsSource)>,
}

impl Shared {
    pub(super) fn tail(&self) -> MutexGuard<'_, Tail> {
        self.tail.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The loop of the background's thread, until it is to stop or another driver has taken over.
    pub(super) fn run(&self, woken: &Receiver<()>) {
        let beat = self.heartbeat.unwrap_or(Duration::from_secs(3_600));
        while !self.stop.is_raised() {
            let _ = woken.recv_timeout(beat);
            if self.stop.is_raised() {
                return;
            }
            match self.tend().and_then(|()| self.beat()) {
                Err(error) if error.kind() == ErrorKind::Closed => return,
                Err(error) => {
                    tracing::warn!(checkpoint = self.storage.url(), %error, "the checkpoint could not be compacted; it grows until that works again");
                    self.stop.wait_timeout(PAUSE);
                }
                Ok(()) => {}
            }
        }
    }

    /// Logs what the inputs remember before any batch is picked.
    pub(super) fn write_first_inputs(&self, inputs: BTreeMap<String, Vec<u8>>, picks: u64) -> Result<()> {
        let _tending = self.tending.lock().unwrap_or_else(PoisonError::into_inner);
        *self.fresh.lock().unwrap_or_else(PoisonError::into_inner) = Some(Fresh { inputs, picks });
        self.write_manifest(&[])
    }

    /// Does what is due.
    fn tend(&self) -> Result<()> {
        let _tending = self.tending.lock().unwrap_or_else(PoisonError::into_inner);
        let (is_due, base_is_due) = {
            let tail = self.tail();
            (tail.is_due(), plan::base_is_due(&tail.memory.state))
        };
        if base_is_due {
            // What only the older manifest needs goes before there is more.
            for _ in 0..2 {
                if !self.tail().is_light() {
                    self.write_manifest(&[])?;
                }
            }
            self.write_base()?;
            return self.write_manifest(&[]);
        }
        if is_due { self.write_manifest(&[]) } else { Ok(()) }
    }

    fn beat(&self) -> Result<()> {
        let Some(beat) = self.heartbeat else { return Ok(()) };
        let is_quiet = self.tail().quiet.elapsed() >= beat;
        if is_quiet { self.append(LogEntry::Alive).map(drop) } else { Ok(()) }
    }

    /// Writes a manifest, followed by these entries; then what only older ones named is deleted.
    pub(super) fn write_manifest(&self, then: &[LogEntry]) -> Result<()> {
        self.merge_changes()?;
        self.write_inputs()?;
        durable_step("log: before a manifest");
        self.append_all(|memory| {
            let manifest = LogEntry::Manifest(Box::new(memory.clone()));
            std::iter::once(manifest).chain(then.iter().cloned()).collect()
        })?;
        durable_step("log: a manifest is written");
        self.kept().manifests += 1;
        self.collect();
        Ok(())
    }

    fn next_file(&self) -> u64 {
        let mut kept = self.kept();
        kept.files += 1;
        kept.files
    }

    fn put(&self, folder: &str, what: &str, bytes: &[u8]) -> Result<String> {
        let (epoch, file) = (self.driver.epoch, self.next_file());
        put_new(&*self.storage, bytes, |attempt| format!("{folder}/{epoch}-{what}-{file}-{attempt}"))
    }

    /// Merges small changes into larger ones.
    fn merge_changes(&self) -> Result<()> {
        let (range, changes) = {
            let tail = self.tail();
            let Some(range) = plan::to_merge(&tail.memory.state) else { return Ok(()) };
            (range.clone(), tail.memory.state[range].to_vec())
        };
        let loaded =
            changes.iter().map(|state| load_state(&self.storage, &state.source)).collect::<Result<Vec<_>>>()?;
        let merged = merge::merge(&loaded, Into::Change)?;
        let source = self.put_merged("merged", &merged)?;
        durable_step("state: changes are merged");
        self.tail().replace_state(range, vec![StateRef::change(source)]);
        Ok(())
    }

    /// Stores what was merged, and reads it again.
    fn put_merged(&self, what: &str, merged: &StateDelta) -> Result<StateSource> {
        if merged.content_bytes() as u64 <= plan::INLINE_BYTES / 2 {
            let bytes = merged.encode()?;
            if bytes.len() as u64 <= plan::INLINE_BYTES {
                return Ok(StateSource::Inline(bytes));
            }
        }
        let bytes = envelope::seal(Kind::State, merged)?;
        let name = self.put(STATE, what, &bytes)?;
        if self.storage.get(&name)?.as_deref() != Some(&bytes) {
            return Err(Error::data(format!("\"{name}\" of \"{}\" is not as it was written", self.storage.url())));
        }
        Ok(StateSource::File { name, bytes: bytes.len() as u64 })
    }

    /// Merges everything into a new base.
    pub(super) fn write_base(&self) -> Result<()> {
        let state = self.tail().memory.state.clone();
        let first_change = state.iter().take_while(|state| state.base).count();
        let (old_base, changes) = state.split_at(first_change);
        let load = |state: &StateRef| load_state(&self.storage, &state.source);
        let changes = changes.iter().map(load).collect::<Result<Vec<_>>>()?;
        let merge = Merge::of(&changes, Into::Base);
        let mut base = Base { shared: self, written: Vec::new(), open: StateDelta::default(), bytes: 0, next: 0 };
        for part in old_base {
            let part = load(part)?;
            let groups = part.operators.values().flat_map(|delta| &delta.groups);
            let last = groups.map(|group| group.index).max().unwrap_or_default();
            base.merge_up_to(last, &merge, &part)?;
        }
        base.merge_up_to(GROUPS as u16 - 1, &merge, &StateDelta::default())?;
        base.close_file()?;
        durable_step("state: a base is written");
        self.tail().replace_state(0..state.len(), base.written);
        Ok(())
    }

    /// Takes over what the inputs told last.
    fn write_inputs(&self) -> Result<()> {
        let Some(fresh) = self.fresh.lock().unwrap_or_else(PoisonError::into_inner).take() else { return Ok(()) };
        let written = self.put_inputs(&fresh.inputs);
        match written {
            Ok(source) => self.tail().replace_inputs(source, fresh.picks),
            Err(error) => {
                self.fresh.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(fresh);
                return Err(error);
            }
        }
        Ok(())
    }

    fn put_inputs(&self, inputs: &BTreeMap<String, Vec<u8>>) -> Result<InputsSource> {
        let size: usize = inputs.iter().map(|(uid, bytes)| uid.len() + bytes.len()).sum();
        let every = if size > LARGE_INPUTS_BYTES { LARGE_INPUTS_EVERY } else { INPUTS_EVERY };
        self.inputs_every.store(every, Ordering::Relaxed);
        if size <= INLINE_INPUTS_BYTES {
            return Ok(InputsSource::Inline(inputs.clone()));
        }
        let bytes = envelope::seal(Kind::Inputs, inputs)?;
        let hash = rapidhash_v3(&bytes);
        if let Some((last, source)) = &self.kept().last_inputs
            && *last == hash
            && matches!(source, InputsSource::File { bytes: length, .. } if *length == bytes.len() as u64)
        {
            return Ok(source.clone());
        }
        let name = self.put(INPUTS, "inputs", &bytes)?;
        durable_step("inputs: what they remember is written");
        let source = InputsSource::File { name, bytes: bytes.len() as u64 };
        self.kept().last_inputs = Some((hash, source.clone()));
        Ok(source)
    }

    /// Deletes what no manifest needs any more. What cannot be deleted now is found again later.
    fn collect(&self) {
        let garbage = self.tail().take_garbage();
        let swept = self.kept().manifests % SWEEP_EVERY == 1;
        let outcome = garbage
            .iter()
            .try_for_each(|name| self.delete(name))
            .and_then(|()| self.collect_log())
            .and_then(|()| if swept { self.sweep() } else { Ok(()) });
        if let Err(error) = outcome {
            tracing::debug!(%error, "garbage of the checkpoint could not be deleted; it is tried again later");
        }
    }

    fn delete(&self, name: &str) -> Result<()> {
        self.storage.delete(name)?;
        durable_step("garbage: a file is deleted");
        Ok(())
    }

    /// Deletes files of the log before the older manifest, but for the first of each epoch: a driver that was stopped
    /// long ago must find the number that it would write next taken.
    fn collect_log(&self) -> Result<()> {
        let (old, older): (Vec<u64>, u64) = {
            let tail = self.tail();
            let Some(older) = tail.older() else { return Ok(()) };
            (tail.numbers.range(..older).copied().collect(), older)
        };
        for number in old {
            if self.kept().firsts.contains(&number) {
                continue;
            }
            let is_first = match read_log(&*self.storage, number)? {
                Found::Whole(file) => file.opened().is_some(),
                Found::Unreadable(_) => true,
                Found::Missing => false,
            };
            if is_first {
                self.kept().firsts.insert(number);
            } else {
                self.delete(&log_name(number))?;
                self.tail().numbers.remove(&number);
            }
        }
        self.collect_firsts(older)
    }

    fn collect_firsts(&self, older: u64) -> Result<()> {
        loop {
            let first = {
                let mut kept = self.kept();
                if kept.firsts.len() <= EPOCHS_KEPT { None } else { kept.firsts.pop_first() }
            };
            let Some(first) = first.filter(|first| *first < older) else { return Ok(()) };
            self.delete(&log_name(first))?;
            self.tail().numbers.remove(&first);
        }
    }

    /// Deletes files of state and inputs that nothing names: those of earlier starts of the program, and those of
    /// batches of this one that ended without them. What a later start wrote is not touched.
    fn sweep(&self) -> Result<()> {
        let mut found = self.storage.list(STATE)?;
        found.extend(self.storage.list(INPUTS)?);
        let (needed, last_done) = {
            let tail = self.tail();
            (tail.needed(), tail.memory.last_done)
        };
        for file in found.iter().filter(|file| !needed.contains(&file.name)) {
            let epoch = epoch_of(&file.name);
            let is_of_ended_batch = || time_of(&file.name).is_some_and(|time| Some(time) < last_done);
            let is_garbage = epoch
                .is_some_and(|epoch| epoch < self.driver.epoch || (epoch == self.driver.epoch && is_of_ended_batch()));
            if is_garbage {
                self.delete(&file.name)?;
            }
        }
        Ok(())
    }
}

/// A base that is being written, file by file, in the order of the key groups.
struct Base<'a> {
    shared: &'a Shared,
    written: Vec<StateRef>,
    open: StateDelta,
    bytes: usize,
    next: u16,
}

impl Base<'_> {
    fn merge_up_to(&mut self, last: u16, merge: &Merge<'_>, old: &StateDelta) -> Result<()> {
        while self.next <= last {
            if self.shared.stop.is_raised() {
                return Err(Error::closed("the program ends"));
            }
            self.bytes += merge.group(self.next, old, &mut self.open)?;
            self.next += 1;
            if self.bytes >= BASE_FILE_BYTES {
                self.close_file()?;
            }
        }
        Ok(())
    }

    fn close_file(&mut self) -> Result<()> {
        if self.bytes > 0 {
            let source = self.shared.put_merged("base", &std::mem::take(&mut self.open))?;
            self.written.push(StateRef { source, base: true });
            self.bytes = 0;
        }
        Ok(())
    }
}
