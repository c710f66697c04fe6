//! The receiver's side of the border: where it stores what it received.

use crate::{
    base::{Data, Error, Interrupt, Result},
    dstream::input::{ReceiverEvent, ReceiverReport},
    io::{
        block::{Acknowledge, BlockContent, BlockPool, StoredBlock},
        rate_limit::{RateLimit, RateLimiter},
    },
};
use std::{
    collections::VecDeque,
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

/// Seals what a receiver has taken in so far, and puts it into the given queue; called when a batch is cut.
type Seal<T> = Box<dyn FnMut(&SealedBlocks<'_, T>) + Send>;

/// Where sealed blocks go.
pub(crate) struct SealedBlocks<'a, T>(&'a SharedLink<T>);

impl<T: Data> SealedBlocks<'_, T> {
    /// Adds a block of bytes that a worker makes into records. It does not wait.
    pub(crate) fn put(&self, content: impl BlockContent<T> + 'static, records: usize, bytes: usize) {
        let permit = self.0.pool.take(bytes);
        let block = StoredBlock { content: Arc::new(content), records, bytes, acknowledge: None, permit };
        lock(&self.0.sealed).push_back(block);
    }
}

/// What the receiver's thread and the scheduler share.
pub(crate) struct SharedLink<T> {
    pub(super) pool: Arc<BlockPool>,
    pub(super) stop: Interrupt,
    pub(super) limit: RateLimit,
    block_records: usize,
    open: Mutex<Vec<T>>,
    sealed: Mutex<VecDeque<StoredBlock<T>>>,
    seal: Mutex<Option<Seal<T>>>,
    pub(super) report: Mutex<ReceiverReport>,
    pub(super) events: Box<dyn Fn(ReceiverEvent) + Send + Sync>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl<T: Data> SharedLink<T> {
    pub(super) fn new(
        pool: Arc<BlockPool>,
        limit: RateLimit,
        block_bytes: usize,
        report: ReceiverReport,
        events: Box<dyn Fn(ReceiverEvent) + Send + Sync>,
    ) -> Self {
        Self {
            pool,
            stop: Interrupt::new(),
            limit,
            block_records: (block_bytes / size_of::<T>().max(1)).max(1),
            open: Mutex::default(),
            sealed: Mutex::default(),
            seal: Mutex::default(),
            report: Mutex::new(report),
            events,
        }
    }

    /// Everything that was stored since the last call, in order; at most `most` blocks.
    pub(super) fn cut(&self, most: usize) -> Vec<StoredBlock<T>> {
        self.seal_open();
        let mut sealed = lock(&self.sealed);
        let count = sealed.len().min(most);
        sealed.drain(..count).collect()
    }

    pub(super) fn has_blocks(&self) -> bool {
        self.seal_open();
        !lock(&self.sealed).is_empty()
    }

    fn seal_open(&self) {
        let mut open = lock(&self.open);
        if !open.is_empty() {
            let records = std::mem::take(&mut *open);
            lock(&self.sealed).push_back(records_block(records, &self.pool, None));
        }
        drop(open);
        if let Some(seal) = &mut *lock(&self.seal) {
            seal(&SealedBlocks(self));
        }
    }
}

fn records_block<T: Data>(records: Vec<T>, pool: &Arc<BlockPool>, ack: Option<Acknowledge>) -> StoredBlock<T> {
    let (count, bytes) = (records.len(), size_of::<T>() * records.len());
    let permit = pool.take(bytes);
    StoredBlock { content: Arc::new(records), records: count, bytes, acknowledge: ack, permit }
}

/// What a [`Receiver`](super::Receiver) stores its records through.
///
/// Storing waits while the pool of blocks is full, and while the receiver is above its rate limit.
pub struct ReceiverLink<T> {
    pub(super) shared: Arc<SharedLink<T>>,
    pub(super) limiter: Mutex<RateLimiter>,
}

impl<T: Data> ReceiverLink<T> {
    /// Stores one record. It may be lost if the process dies before its batch is done.
    ///
    /// # Errors
    /// Closed, if the receiver was stopped while it waited.
    pub fn store(&self, record: T) -> Result<()> {
        self.pace(1)?;
        let mut open = lock(&self.shared.open);
        open.push(record);
        if open.len() < self.shared.block_records {
            return Ok(());
        }
        let records = std::mem::take(&mut *open);
        drop(open);
        self.put(records, None)
    }

    /// Stores all `records` as one block.
    ///
    /// # Errors
    /// Closed, if the receiver was stopped while it waited.
    pub fn store_many(&self, records: impl IntoIterator<Item = T>) -> Result<()> {
        let records: Vec<T> = records.into_iter().collect();
        self.pace(records.len())?;
        self.put(records, None)
    }

    /// Stores all `records` as one block, and calls `acknowledge` once the batch that holds them is done for good.
    ///
    /// If that batch fails, `acknowledge` is dropped without being called.
    ///
    /// # Errors
    /// Closed, if the receiver was stopped while it waited; `acknowledge` is not called then.
    pub fn store_acknowledged(
        &self,
        records: impl IntoIterator<Item = T>,
        acknowledge: impl FnOnce() + Send + 'static,
    ) -> Result<()> {
        let records: Vec<T> = records.into_iter().collect();
        self.pace(records.len())?;
        self.put(records, Some(Box::new(acknowledge)))
    }

    fn put(&self, records: Vec<T>, acknowledge: Option<Acknowledge>) -> Result<()> {
        if records.is_empty() && acknowledge.is_none() {
            return Ok(());
        }
        self.wait_for_room(size_of::<T>() * records.len())?;
        lock(&self.shared.sealed).push_back(records_block(records, &self.shared.pool, acknowledge));
        Ok(())
    }

    /// Where a receiver that keeps a buffer of its own puts the blocks that it seals. It is to
    /// [wait for room](Self::wait_for_room) first, and to hold its buffer's lock while it puts them, so that what is
    /// sealed when a batch is cut cannot overtake them.
    pub(crate) fn sealed(&self) -> SealedBlocks<'_, T> {
        SealedBlocks(&self.shared)
    }

    /// Sets what seals the receiver's own buffer when a batch is cut.
    pub(crate) fn on_cut(&self, seal: Option<Seal<T>>) {
        *lock(&self.shared.seal) = seal;
    }

    /// Waits until `bytes` more may be taken in.
    pub(crate) fn wait_for_room(&self, bytes: usize) -> Result<()> {
        self.shared.pool.acquire(bytes, &self.shared.stop).map(drop).ok_or_else(stopped)
    }

    /// Waits until `records` more are within the rate limit.
    pub(crate) fn pace(&self, records: usize) -> Result<()> {
        let granted = lock(&self.limiter).acquire(records as u64, &self.shared.stop);
        if granted { Ok(()) } else { Err(stopped()) }
    }

    /// Tells listeners and log of an error; the receiver goes on.
    pub fn report_error(&self, message: impl Into<String>, error: &Error) {
        let message = message.into();
        tracing::warn!(receiver = lock(&self.shared.report).name, message, %error, "a receiver reported an error");
        let report = {
            let mut report = lock(&self.shared.report);
            report.last_error_message = message;
            report.last_error = format!("{error:?}");
            report.clone()
        };
        (self.shared.events)(ReceiverEvent::Error(report));
    }

    /// Whether the receiver is to end.
    pub fn is_stopped(&self) -> bool {
        self.shared.stop.is_raised()
    }

    /// Waits for `duration` (false) or until the receiver is to end (true).
    pub fn wait(&self, duration: Duration) -> bool {
        self.shared.stop.wait_timeout(duration)
    }

    /// The greatest rate at this moment, in records per second, if there is one.
    pub fn rate_limit(&self) -> Option<u64> {
        self.shared.limit.get()
    }

    /// The id of the stream that it receives for.
    pub fn stream_id(&self) -> usize {
        lock(&self.shared.report).stream_id
    }
}

fn stopped() -> Error {
    Error::closed("the receiver was stopped while it waited to store records")
}

impl<T> fmt::Debug for ReceiverLink<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ReceiverLink({})", lock(&self.shared.report).name)
    }
}
