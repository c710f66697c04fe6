//! The receiver's side of the border: where it stores what it received.

use super::stored::{self, BlockLog};
use crate::{
    base::{Clock, Data, Error, Interrupt, Result},
    dstream::input::{ReceiverEvent, ReceiverReport},
    io::{
        block::{Acknowledge, BlockContent, BlockPool, Permit, StoredBlock, memory_bytes},
        rate_limit::{RateLimit, RateLimiter},
    },
};
use std::{
    collections::VecDeque,
    fmt,
    sync::{
        Arc, Mutex, MutexGuard, OnceLock, PoisonError,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
    time::Duration,
};

/// Seals what a receiver has taken in so far, and puts it into the given queue; called when a batch is cut.
type Seal<T> = Box<dyn FnMut(&SealedBlocks<'_, T>) + Send>;

/// Where sealed blocks go.
pub(crate) struct SealedBlocks<'a, T>(&'a SharedLink<T>);

impl<T: Data> SealedBlocks<'_, T> {
    /// Adds a block of bytes that a worker makes into records. It does not wait.
    pub(in crate::io) fn put(&self, content: impl BlockContent<T> + 'static, records: usize, bytes: usize) {
        let permit = self.0.pool.take(bytes);
        let (acknowledge, encoded, place) = (None, None, None);
        self.0.push(StoredBlock { content: Arc::new(content), records, acknowledge, encoded, place, permit });
    }
}

/// Records that were stored one by one and are not in a block yet.
struct Open<T> {
    records: Vec<T>,
    bytes: usize,
}

/// What the receiver's thread and the scheduler share.
pub(crate) struct SharedLink<T> {
    pub(super) pool: Arc<BlockPool>,
    pub(super) stop: Interrupt,
    pub(super) limit: RateLimit,
    block_bytes: usize,
    open: Mutex<Open<T>>,
    /// Records that were stored so far.
    stored: AtomicU64,
    /// Where sealed blocks are stored before anything else is done with them.
    pub(super) log: OnceLock<Arc<BlockLog>>,
    /// In the order in which they came; those at the front are in the log.
    pub(super) sealed: Mutex<VecDeque<StoredBlock<T>>>,
    /// About how much of that is not in the log.
    pub(super) unsaved_bytes: AtomicUsize,
    seal: Mutex<Option<Seal<T>>>,
    pub(super) report: Mutex<ReceiverReport>,
    pub(super) events: Box<dyn Fn(ReceiverEvent) + Send + Sync>,
}

pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
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
            block_bytes,
            open: Mutex::new(Open { records: Vec::new(), bytes: 0 }),
            stored: AtomicU64::new(0),
            log: OnceLock::new(),
            sealed: Mutex::default(),
            unsaved_bytes: AtomicUsize::new(0),
            seal: Mutex::default(),
            report: Mutex::new(report),
            events,
        }
    }

    /// Records that were stored since the start.
    pub(super) fn stored(&self) -> u64 {
        self.stored.load(Ordering::Relaxed)
    }

    pub(super) fn push(&self, block: StoredBlock<T>) {
        self.stored.fetch_add(block.records as u64, Ordering::Relaxed);
        self.unsaved_bytes.fetch_add(block.permit.bytes(), Ordering::Relaxed);
        lock(&self.sealed).push_back(block);
    }

    pub(super) fn seal_open(&self) {
        self.seal_stored();
        if let Some(seal) = &mut *lock(&self.seal) {
            seal(&SealedBlocks(self));
        }
    }

    /// Makes a block of the records that were stored one by one, so that no block overtakes them.
    fn seal_stored(&self) {
        let mut open = lock(&self.open);
        if !open.records.is_empty() {
            let bytes = std::mem::take(&mut open.bytes);
            let permit = self.pool.take(bytes);
            self.push(records_block(std::mem::take(&mut open.records), permit, None));
        }
    }
}

fn records_block<T: Data>(records: Vec<T>, permit: Permit, acknowledge: Option<Acknowledge>) -> StoredBlock<T> {
    let (encoded, place) = (None, None);
    StoredBlock { records: records.len(), content: Arc::new(records), acknowledge, encoded, place, permit }
}

/// What a [`Receiver`](super::Receiver) stores its records through.
///
/// Storing waits while the pool of blocks is full, and while the receiver is above its rate limit.
///
/// # Examples
/// ```
/// use std::sync::mpsc::{Sender, channel};
/// use tidemill::{Error, Result, io::{Ending, Receiver, ReceiverLink}, minutes, testing::TestContext};
/// struct Numbers(Sender<&'static str>);
/// impl Receiver for Numbers {
///     type Item = u64;
///     fn run(&mut self, link: &ReceiverLink<u64>) -> Result<Ending> {
///         link.store(1)?;
///         let at_once = link.rate_limit().unwrap_or(3);
///         link.store_many(2..=at_once)?;
///         let sender = self.0.clone();
///         link.store_acknowledged([4, 5], move || drop(sender.send("4 and 5 are done")))?;
///         link.report_error("what followed was no number", &Error::data("\"six\" is not a number"));
///         while !link.is_stopped() {
///             link.wait(minutes(1)); // until a stop ends it
///         }
///         Ok(Ending::Stop("it was told to".into()))
///     }
/// }
/// let (test, (sender, acknowledged)) = (TestContext::new(), channel());
/// let seen = test.collect(&test.ssc().receiver_stream(Numbers(sender)));
/// while seen.batches().concat().len() < 5 {
///     test.advance(1)?;
/// }
/// assert_eq!(seen.batches().concat(), [1, 2, 3, 4, 5]);
/// test.ssc().stop_gracefully()?;
/// assert_eq!(acknowledged.recv().ok(), Some("4 and 5 are done"));
/// # Ok::<(), tidemill::Error>(())
/// ```
#[derive(Clone)]
pub struct ReceiverLink<T> {
    pub(super) shared: Arc<SharedLink<T>>,
    pub(super) limiter: Arc<Mutex<RateLimiter>>,
    pub(super) clock: Arc<dyn Clock>,
}

impl<T: Data> ReceiverLink<T> {
    /// Stores one record. It may be lost if the process dies before its batch is done; with a log of received data
    /// (`spark.streaming.receiver.writeAheadLog.enable`), before its block is closed.
    ///
    /// # Errors
    /// Closed, if the receiver was stopped; the record is not stored then.
    ///
    /// # Examples
    /// See [`ReceiverLink`].
    pub fn store(&self, record: T) -> Result<()> {
        self.pace(1)?;
        let bytes = memory_bytes(std::slice::from_ref(&record));
        let full_bytes = {
            let mut open = lock(&self.shared.open);
            open.records.push(record);
            open.bytes += bytes;
            open.bytes
        };
        if full_bytes >= self.shared.block_bytes {
            self.wait_for_room(full_bytes);
            self.shared.seal_stored();
            self.shared.save_if_much();
        }
        Ok(())
    }

    /// Stores all `records` as one block. With a log of received data they are in it when this returns.
    ///
    /// # Errors
    /// Closed, if the receiver was stopped; the records are not stored then. Data, if they cannot be serialised for the log;
    /// Unavailable, if they could not be written there: then they may be processed all the same, and again if they are sent again.
    ///
    /// # Examples
    /// See [`ReceiverLink`].
    pub fn store_many(&self, records: impl IntoIterator<Item = T>) -> Result<()> {
        if self.is_stopped() {
            return Err(stopped());
        }
        let records: Vec<T> = records.into_iter().collect();
        let bytes = memory_bytes(&records);
        self.put(records, bytes, None)
    }

    /// Stores all `records` as one block, and calls `acknowledge` once the batch that holds them is done for good.
    ///
    /// If that batch fails, `acknowledge` is dropped without being called. With a checkpoint, a batch is done once its commit is
    /// in the log.
    ///
    /// # Errors
    /// Closed, if the receiver was stopped; the records are not stored then, and `acknowledge` is not called. Otherwise as
    /// [`store_many`](Self::store_many).
    ///
    /// # Examples
    /// See [`ReceiverLink`].
    pub fn store_acknowledged(
        &self,
        records: impl IntoIterator<Item = T>,
        acknowledge: impl FnOnce() + Send + 'static,
    ) -> Result<()> {
        if self.is_stopped() {
            return Err(stopped());
        }
        let records: Vec<T> = records.into_iter().collect();
        let bytes = memory_bytes(&records);
        self.put(records, bytes, Some(Box::new(acknowledge)))
    }

    /// Stores a block of which it is known how much memory it takes.
    pub(crate) fn put(&self, records: Vec<T>, bytes: usize, acknowledge: Option<Acknowledge>) -> Result<()> {
        if records.is_empty() && acknowledge.is_none() {
            return Ok(());
        }
        let count = records.len();
        let logged = self.shared.log.get().is_some();
        let encoded = logged.then(|| stored::encode(&records)).transpose()?;
        let permit = self.shared.pool.acquire(bytes, &self.shared.stop);
        self.shared.seal_stored();
        self.shared.push(StoredBlock { encoded, ..records_block(records, permit, acknowledge) });
        let saved = self.shared.save_surely();
        // Afterwards, so that nothing that was taken in is lost to a stop; the next call waits for it.
        let _ = self.pace(count);
        saved
    }

    /// Stores what is sealed, if it is worth a file; without a log of received data there is nothing to do.
    pub(crate) fn save_if_much(&self) {
        self.shared.save_if_much();
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

    /// Waits until `bytes` more may be taken in, or the receiver is to end: for what is taken in by one thread, block by
    /// block, so that no more than its one buffer can be too much.
    pub(crate) fn wait_for_room(&self, bytes: usize) {
        drop(self.shared.pool.acquire(bytes, &self.shared.stop));
    }

    /// Waits until `records` more are within the rate limit.
    pub(crate) fn pace(&self, records: usize) -> Result<()> {
        let granted = !self.is_stopped() && lock(&self.limiter).acquire(records as u64, &self.shared.stop);
        if granted { Ok(()) } else { Err(stopped()) }
    }

    /// Tells listeners and log of an error; the receiver goes on.
    ///
    /// # Examples
    /// See [`ReceiverLink`].
    pub fn report_error(&self, message: impl Into<String>, error: &Error) {
        let message = message.into();
        let now = self.clock.now();
        tracing::warn!(receiver = lock(&self.shared.report).name, message, %error, "a receiver reported an error");
        let report = {
            let mut report = lock(&self.shared.report);
            report.last_error_time = Some(now);
            report.last_error_message = message;
            report.last_error = format!("{error:?}");
            report.clone()
        };
        (self.shared.events)(ReceiverEvent::Error(report));
    }

    /// Whether the receiver is to end.
    ///
    /// # Examples
    /// See [`ReceiverLink`].
    pub fn is_stopped(&self) -> bool {
        self.shared.stop.is_raised()
    }

    /// Waits for `duration` (false) or until the receiver is to end (true).
    ///
    /// # Examples
    /// See [`ReceiverLink`].
    pub fn wait(&self, duration: Duration) -> bool {
        self.shared.stop.wait_timeout(duration)
    }

    /// The greatest rate at this moment, in records per second, if there is one.
    ///
    /// # Examples
    /// See [`ReceiverLink`].
    pub fn rate_limit(&self) -> Option<u64> {
        self.shared.limit.get()
    }

    /// The id of the stream that it receives for.
    pub fn stream_id(&self) -> usize {
        lock(&self.shared.report).stream_id
    }
}

fn stopped() -> Error {
    Error::closed("the receiver was stopped and stores no more records")
}

impl<T> fmt::Debug for ReceiverLink<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ReceiverLink({})", lock(&self.shared.report).name)
    }
}
