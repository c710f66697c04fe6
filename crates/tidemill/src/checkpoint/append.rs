//! Adding to the log: one after another, in the order of asking, and without a lock held while the storage works.

use super::{
    background::Shared,
    entry::{LogEntry, log_name},
    memory::Memory,
    plan,
};
use crate::base::{Result, storage::Put};
use crossbeam_channel::TrySendError;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

/// Gives turns in the order in which they were asked for: who adds all the time does not keep others from it.
#[derive(Debug, Default)]
pub(super) struct Turns {
    /// The next turn to give, and the one that is being taken.
    given: Mutex<(u64, u64)>,
    ended: Condvar,
}

struct Turn<'a>(&'a Turns);

impl Turns {
    fn given(&self) -> MutexGuard<'_, (u64, u64)> {
        self.given.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for a turn, which ends with what is returned.
    fn take(&self) -> Turn<'_> {
        let mut given = self.given();
        let mine = given.0;
        given.0 += 1;
        let is_not_mine = |given: &mut (u64, u64)| given.1 != mine;
        drop(self.ended.wait_while(given, is_not_mine).unwrap_or_else(PoisonError::into_inner));
        Turn(self)
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        self.0.given().1 += 1;
        self.0.ended.notify_all();
    }
}

impl Shared {
    /// Adds an entry; how many batches were picked up to it.
    pub(super) fn append(&self, entry: LogEntry) -> Result<u64> {
        let picks = self.append_all(|_| vec![entry.clone()])?;
        let tail = self.tail();
        if (tail.is_due() || plan::base_is_due(&tail.memory.state))
            && let Err(TrySendError::Disconnected(())) = self.wake.try_send(())
        {
            tracing::debug!("the background of the checkpoint has ended");
        }
        Ok(picks)
    }

    /// Adds a file with the entries that `make` makes of what is remembered.
    ///
    /// # Errors
    /// Closed, now and ever after, if another driver has the number; Unavailable, and then the file may be there or not:
    /// with the next call that is found out.
    pub(super) fn append_all(&self, make: impl Fn(&Memory) -> Vec<LogEntry>) -> Result<u64> {
        let _turn = self.turns.take();
        loop {
            let (number, entries, bytes) = {
                let mut tail = self.tail();
                // Nobody adds to what is remembered but who has the turn; what the background replaces means the same.
                let entries = make(&tail.memory);
                if tail.claim(self.storage.url(), &entries)? {
                    return Ok(tail.picks);
                }
                let (number, bytes) = tail.file_of(self.driver, &entries)?;
                (number, entries, bytes)
            };
            match self.storage.put_if_absent(&log_name(number), &bytes) {
                Ok(Put::Stored) => {}
                Ok(Put::Exists) => {
                    let found = self.storage.get(&log_name(number))?;
                    if found.as_ref() != Some(&bytes) {
                        self.tail().settle_doubt(self.storage.url(), found.as_deref())?;
                        continue;
                    }
                }
                Err(error) => {
                    self.tail().doubt(bytes, entries);
                    return Err(error);
                }
            }
            let mut tail = self.tail();
            tail.took(&entries, bytes.len())?;
            return Ok(tail.picks);
        }
    }
}
