//! Received records wait in blocks; a bounded pool of them is what back-pressure is made of.

use crate::{
    base::{Data, Interrupt, text::LineBlock},
    rdd::chunk::{Chunked, Chunks},
};
use std::{
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

/// What a block holds: records as they are, or bytes that a worker makes into records.
pub(super) trait BlockContent<T>: Send + Sync {
    fn chunks(&self) -> Chunks<'_, T>;
}

impl<T: Data> BlockContent<T> for Vec<T> {
    fn chunks(&self) -> Chunks<'_, T> {
        Box::new(crate::rdd::chunk::cloned(self))
    }
}

impl BlockContent<crate::base::Text> for LineBlock {
    fn chunks(&self) -> Chunks<'_, crate::base::Text> {
        Box::new(Chunked(self.lines()))
    }
}

/// Called once the batch that holds a block is committed.
pub(super) type Acknowledge = Box<dyn FnOnce() + Send>;

/// A block of received records that waits for its batch.
pub(super) struct StoredBlock<T> {
    pub(super) content: Arc<dyn BlockContent<T>>,
    pub(super) records: usize,
    pub(super) bytes: usize,
    pub(super) acknowledge: Option<Acknowledge>,
    /// Gives its bytes back to the pool when it is dropped.
    pub(super) permit: Permit,
}

/// How many bytes of received blocks may wait for a batch, or be in one that runs.
pub(super) struct BlockPool {
    limit_bytes: usize,
    used_bytes: Mutex<usize>,
    freed: Condvar,
}

/// How often a wait for room looks at its interrupt.
const POLL: Duration = Duration::from_millis(20);

impl BlockPool {
    pub(super) fn new(limit_bytes: usize) -> Arc<Self> {
        Arc::new(Self { limit_bytes, used_bytes: Mutex::new(0), freed: Condvar::new() })
    }

    fn used(&self) -> MutexGuard<'_, usize> {
        self.used_bytes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until `bytes` more fit, or the pool is empty, however many they are; `None` once `interrupt` is raised.
    pub(super) fn acquire(self: &Arc<Self>, bytes: usize, interrupt: &Interrupt) -> Option<Permit> {
        let mut used = self.used();
        while *used > 0 && *used + bytes > self.limit_bytes {
            if interrupt.is_raised() {
                return None;
            }
            (used, _) = self.freed.wait_timeout(used, POLL).unwrap_or_else(PoisonError::into_inner);
        }
        *used += bytes;
        Some(Permit { pool: self.clone(), bytes })
    }

    /// Takes the room without waiting: for what is sealed when a batch is cut, and is bounded by its buffer.
    pub(super) fn take(self: &Arc<Self>, bytes: usize) -> Permit {
        *self.used() += bytes;
        Permit { pool: self.clone(), bytes }
    }
}

/// Room in a [`BlockPool`], given back when it is dropped.
pub(super) struct Permit {
    pool: Arc<BlockPool>,
    bytes: usize,
}

impl Drop for Permit {
    fn drop(&mut self) {
        *self.pool.used() -= self.bytes;
        self.pool.freed.notify_all();
    }
}
