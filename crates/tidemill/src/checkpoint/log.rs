//! The commit log: numbered immutable files, each holding entries; whoever stores the next number is the driver.

use super::{
    Commit, Picked, Program, Recovered,
    background::{Fresh, Shared},
    entry::LogEntry,
    open,
};
use crate::base::{Error, Result, Time, storage::StorageRef, thread};
use std::{
    any::Any,
    collections::BTreeMap,
    fmt,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    thread::JoinHandle,
    time::Duration,
};

/// Is told the last start that the log has, 0 if none; an error keeps the program from starting.
pub(crate) type BeforeStart = Arc<dyn Fn(u64) -> Result<()> + Send + Sync>;

/// How a log is to be opened.
#[derive(Clone, Default)]
pub(crate) struct OpenOptions {
    /// The zero time of a program that begins here.
    pub(crate) zero: Time,
    /// Whether to take the checkpoint from a driver that seems to be alive.
    pub(crate) take_over: bool,
    /// For how long a checkpoint is watched before it counts as nobody's, where the storage knows no locks.
    pub(crate) lease: Duration,
    /// What may be thrown away: see `tidemill.checkpoint.discard`.
    pub(crate) discard: String,
    /// A run that began with this start or an earlier one is not gone on with: see `tidemill.checkpoint.afresh`.
    pub(crate) leave_behind: u64,
    /// Called before the start is logged, while nobody else can start.
    pub(crate) before_start: Option<BeforeStart>,
}

/// The commit log of the program that runs.
pub(crate) struct CheckpointLog {
    shared: Arc<Shared>,
    background: Mutex<Option<JoinHandle<()>>>,
    hold: Mutex<Option<Box<dyn Any + Send + Sync>>>,
    /// How many batches were picked, and after how many the inputs told what they remember.
    picks: AtomicU64,
    remembered: AtomicU64,
}

impl CheckpointLog {
    /// Takes the checkpoint for this process, finds what is remembered, compares it with `program`, and logs the start.
    ///
    /// # Errors
    /// Closed, if another driver has it; Invalid, if the checkpoint does not fit the program, with the difference and the
    /// option that decides it; Data, if what is there cannot be used; Unavailable, if it cannot be read or written.
    pub(crate) fn open(storage: &StorageRef, program: Program, options: OpenOptions) -> Result<(Arc<Self>, Recovered)> {
        let (wake, woken) = crossbeam_channel::bounded(1);
        let open::Opening { shared, hold, recovered } = open::open(storage, program, &options, wake)?;
        let shared = Arc::new(shared);
        let of_background = shared.clone();
        let background = thread::start("tidemill-checkpoint".to_owned(), move || of_background.run(&woken))?;
        let picks = shared.tail().picks;
        let log = Self {
            shared,
            background: Mutex::new(Some(background)),
            hold: Mutex::new(hold),
            picks: AtomicU64::new(picks),
            remembered: AtomicU64::new(0),
        };
        Ok((Arc::new(log), recovered))
    }

    /// Which start of the program this is, from 1.
    pub(crate) fn epoch(&self) -> u64 {
        self.shared.driver.epoch
    }

    /// What the inputs remember when the program starts and before it picks a batch: a start that dies before its first
    /// batch must not forget what was there when it began.
    ///
    /// # Errors
    /// As [`picked`](Self::picked).
    pub(crate) fn begin(&self, inputs: BTreeMap<String, Vec<u8>>) -> Result<()> {
        let picks = self.picks.load(Ordering::Relaxed);
        self.remembered.store(picks, Ordering::Relaxed);
        self.shared.write_first_inputs(inputs, picks)
    }

    /// A batch was given what it reads.
    ///
    /// # Errors
    /// Closed, if another driver has taken over, here and below; Unavailable, and then it may be called again with the same.
    pub(crate) fn picked(&self, picked: &Picked) -> Result<()> {
        let picks = self.shared.append(LogEntry::Picked(picked.clone()))?;
        self.picks.store(picks, Ordering::Relaxed);
        Ok(())
    }

    /// Whether the next manifest waits for what the inputs remember.
    pub(crate) fn wants_inputs(&self) -> bool {
        let since = self.picks.load(Ordering::Relaxed).saturating_sub(self.remembered.load(Ordering::Relaxed));
        since >= self.shared.inputs_every.load(Ordering::Relaxed)
    }

    /// What the inputs remember, after everything that was told to [`picked`](Self::picked).
    pub(crate) fn remember_inputs(&self, inputs: BTreeMap<String, Vec<u8>>) {
        let picks = self.picks.load(Ordering::Relaxed);
        self.remembered.store(picks, Ordering::Relaxed);
        *self.shared.fresh.lock().unwrap_or_else(PoisonError::into_inner) = Some(Fresh { inputs, picks });
    }

    /// All of a batch is done.
    ///
    /// # Errors
    /// As above; but if it is not called again after an error it is not known whether the batch is done: only a restart
    /// finds that out, so nothing of the batch may be undone that a restart could not make up for.
    pub(crate) fn done(&self, commit: &Commit) -> Result<()> {
        self.shared.append(LogEntry::Done(commit.clone())).map(drop)
    }

    /// A batch failed for good.
    pub(crate) fn failed(&self, time: Time, error: &str) -> Result<()> {
        self.shared.append(LogEntry::Failed { time, error: error.to_owned() }).map(drop)
    }

    /// The program ends; background work is waited for.
    pub(crate) fn close(&self) {
        self.end_background();
        if self.shared.tail().stopped.is_none() {
            if let Err(error) = self.shared.write_manifest(&[LogEntry::Closed]) {
                tracing::warn!(checkpoint = self.shared.storage.url(), %error, "the checkpoint could not be closed; the next start reads more of it");
            }
            let closed = Error::closed("the checkpoint was closed with the program");
            self.shared.tail().stopped.get_or_insert(closed);
        }
        drop(self.hold.lock().unwrap_or_else(PoisonError::into_inner).take());
    }

    fn end_background(&self) {
        self.shared.stop.raise();
        let _ = self.shared.wake.try_send(());
        let background = self.background.lock().unwrap_or_else(PoisonError::into_inner).take();
        if background.is_some_and(|background| background.join().is_err()) {
            tracing::error!("the background of the checkpoint ended with a panic");
        }
    }
}

impl Drop for CheckpointLog {
    fn drop(&mut self) {
        self.end_background();
    }
}

impl fmt::Debug for CheckpointLog {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "CheckpointLog({}, epoch {})", self.shared.storage.url(), self.epoch())
    }
}

#[cfg(test)]
mod tests;
