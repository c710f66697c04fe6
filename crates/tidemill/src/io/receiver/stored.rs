//! The log of received data: blocks in immutable files, from before a batch is given them until the batch is done.
//!
//! A file is called `received/<input>/<epoch>-<number>`, where the epoch is the start of the program that wrote it: no name is
//! used twice, and what a driver that was taken over from still writes is told apart. The blocks of a file stand in the order
//! in which they were received, and so do the files of an epoch.

use super::place::{FileId, Run};
use crate::{
    base::{
        Data, Error, Result,
        config::Unreadable,
        durable::durable_step,
        envelope::Envelope,
        keys,
        storage::{Put, StorageRef},
    },
    io::block::{BlockContent, SharedBlock},
    rdd::task::run_guarded,
};
use rapidhash::v3::rapidhash_v3;
use serde::{Deserialize, Serialize};
use std::{
    collections::BTreeMap,
    sync::{
        Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

const FORM: Envelope = Envelope { magic: *b"TMRB", version: 1 };

/// A block as it stands in a file.
#[derive(Serialize, Deserialize)]
struct Written<'a> {
    records: u64,
    /// How much memory it takes.
    memory_bytes: u64,
    #[serde(borrow, with = "serde_bytes")]
    content: &'a [u8],
}

/// A block that is to be stored.
pub(super) struct Encoded {
    pub(super) records: usize,
    pub(super) memory_bytes: usize,
    pub(super) content: Vec<u8>,
}

impl Encoded {
    fn as_written(&self) -> Written<'_> {
        let (records, memory_bytes) = (self.records as u64, self.memory_bytes as u64);
        Written { records, memory_bytes, content: &self.content }
    }
}

/// The content as bytes.
///
/// # Errors
/// Data or User, if the records cannot be serialised.
pub(super) fn encode<T: Data>(content: &dyn BlockContent<T>) -> Result<Vec<u8>> {
    run_guarded("received records could not be stored", || {
        postcard::to_stdvec(&content.packed())
            .map_err(|error| Error::data("received records could not be serialised").with_source(error))
    })?
}

/// A block that was read again.
pub(super) struct ReadBlock<T> {
    pub(super) records: usize,
    pub(super) memory_bytes: usize,
    pub(super) content: Arc<dyn BlockContent<T>>,
}

/// A file that is on its way; it is written as it is until it is known to be there.
struct Pending {
    file: FileId,
    bytes: Vec<u8>,
    blocks: usize,
}

#[derive(Default)]
struct Writing {
    busy: bool,
    pending: Option<Pending>,
    next: u64,
}

/// The log of one receiver.
pub(in crate::io) struct BlockLog {
    storage: StorageRef,
    folder: String,
    epoch: u64,
    damaged: Unreadable,
    writing: Mutex<Writing>,
    written: Condvar,
    /// How often in a row nothing could be written.
    failures: AtomicU64,
    /// Of each file, how many blocks no batch is done with.
    left: Mutex<BTreeMap<FileId, u32>>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A name of a folder for the input: its id as far as that can be seen, and a hash of the whole.
fn folder_of(uid: &str) -> String {
    let plain = |c: char| if c.is_ascii_alphanumeric() || "-_".contains(c) { c } else { '_' };
    let start: String = uid.chars().take(60).map(plain).collect();
    format!("received/{start}-{:016x}", rapidhash_v3(uid.as_bytes()))
}

impl BlockLog {
    pub(super) fn new(storage: StorageRef, uid: &str, epoch: u64, damaged: Unreadable) -> Self {
        Self {
            storage,
            folder: folder_of(uid),
            epoch,
            damaged,
            writing: Mutex::default(),
            written: Condvar::new(),
            failures: AtomicU64::new(0),
            left: Mutex::default(),
        }
    }

    fn name(&self, file: FileId) -> String {
        format!("{}/{file}", self.folder)
    }

    /// Waits until no other thread writes.
    pub(super) fn turn(&self) -> Turn<'_> {
        let free = self.written.wait_while(lock(&self.writing), |writing| writing.busy);
        free.unwrap_or_else(PoisonError::into_inner).busy = true;
        Turn(self)
    }

    /// All files that there are, in the order in which they were written.
    pub(super) fn files(&self) -> Result<Vec<FileId>> {
        let listed = self.storage.list(&self.folder)?;
        let mut files: Vec<_> = listed.iter().filter_map(|file| FileId::parse(file.name.rsplit('/').next()?)).collect();
        files.sort_unstable();
        Ok(files)
    }

    /// The blocks of a file; none, and a warning, if it is damaged and that is to be passed over.
    ///
    /// # Errors
    /// Data, naming the file, if it is damaged or gone; Unavailable, if it cannot be read now.
    pub(super) fn read<T: Data>(&self, file: FileId) -> Result<Vec<ReadBlock<T>>> {
        let name = self.name(file);
        let bytes = self.storage.get(&name)?;
        let blocks = match &bytes {
            None => Err(Error::data("it is not there")),
            Some(bytes) => run_guarded("received records could not be read again", || decode(bytes)).flatten(),
        };
        let path = format!("{}/{name}", self.storage.url());
        match blocks {
            Err(error) if self.damaged == Unreadable::Skip => {
                tracing::error!(file = path, %error, "stored received data is damaged, and is passed over");
                Ok(Vec::new())
            }
            Err(error) => Err(Error::new(
                error.kind(),
                format!(
                    "the received data in \"{path}\" cannot be read again: {error}; bring the file back, or set {} to \"skip\" \
                     to lose what was in it",
                    keys::RECEIVER_DAMAGED_BLOCKS.name()
                ),
            )
            .with_source(error)),
            Ok(blocks) => Ok(blocks),
        }
    }

    /// So many more blocks of a file are wanted.
    pub(super) fn keep(&self, file: FileId, blocks: u32) {
        *lock(&self.left).entry(file).or_default() += blocks;
    }

    pub(super) fn is_kept(&self, file: FileId) -> bool {
        lock(&self.left).contains_key(&file)
    }

    /// These blocks are done with; files without others are deleted.
    pub(super) fn done(&self, runs: &[Run]) {
        let mut unwanted = Vec::new();
        let mut left = lock(&self.left);
        for run in runs {
            let Some(blocks) = left.get_mut(&run.file) else { continue };
            *blocks = blocks.saturating_sub(run.count);
            if *blocks == 0 {
                left.remove(&run.file);
                unwanted.push(run.file);
            }
        }
        drop(left);
        unwanted.into_iter().for_each(|file| self.delete(file));
    }

    pub(super) fn delete(&self, file: FileId) {
        let name = self.name(file);
        durable_step("received: file to be deleted");
        if let Err(error) = self.storage.delete(&name) {
            tracing::warn!(file = name, %error, "received data that is done with could not be deleted; a restart tries again");
        }
    }

    fn tell(&self, error: &Error) {
        let failures = self.failures.fetch_add(1, Ordering::Relaxed) + 1;
        if failures.is_power_of_two() {
            tracing::warn!(folder = self.folder, failures, %error, "received data could not be stored; the source is held back until it can");
        }
    }
}

fn decode<T: Data>(bytes: &[u8]) -> Result<Vec<ReadBlock<T>>> {
    let unreadable = |error| Error::data("its blocks are not what the receiver stores now").with_source(error);
    let written: Vec<Written<'_>> = postcard::from_bytes(FORM.open(bytes)?).map_err(unreadable)?;
    let read = |block: Written<'_>| {
        let SharedBlock(content) = postcard::from_bytes(block.content).map_err(unreadable)?;
        Ok(ReadBlock { records: block.records as usize, memory_bytes: block.memory_bytes as usize, content })
    };
    written.into_iter().map(read).collect()
}

/// The right to write, of one thread at a time.
pub(super) struct Turn<'a>(&'a BlockLog);

impl Turn<'_> {
    /// Whether there is a file that is not known to be stored.
    pub(super) fn is_pending(&self) -> bool {
        lock(&self.0.writing).pending.is_some()
    }

    /// Makes a file of these blocks.
    pub(super) fn prepare(&self, blocks: &[Encoded]) -> Result<()> {
        let content: Vec<_> = blocks.iter().map(Encoded::as_written).collect();
        let content = postcard::to_stdvec(&content)
            .map_err(|error| Error::internal("received blocks could not be encoded").with_source(error))?;
        let mut writing = lock(&self.0.writing);
        let file = FileId { epoch: self.0.epoch, number: writing.next };
        writing.next += 1;
        writing.pending = Some(Pending { file, bytes: FORM.close(&content), blocks: blocks.len() });
        Ok(())
    }

    /// Stores the file that was prepared; its name, and how many blocks it has.
    pub(super) fn store(&self) -> Result<Option<(FileId, usize)>> {
        let Some(pending) = lock(&self.0.writing).pending.take() else { return Ok(None) };
        let stored = self.put(&pending);
        if let Err(error) = stored {
            self.0.tell(&error);
            lock(&self.0.writing).pending = Some(pending);
            return Err(error);
        }
        durable_step("received: blocks stored");
        self.0.failures.store(0, Ordering::Relaxed);
        self.0.keep(pending.file, pending.blocks as u32);
        Ok(Some((pending.file, pending.blocks)))
    }

    fn put(&self, pending: &Pending) -> Result<()> {
        let name = self.0.name(pending.file);
        let exists = self.0.storage.put_if_absent(&name, &pending.bytes)? == Put::Exists;
        // An earlier try may have stored it after all.
        if exists && self.0.storage.get(&name)?.as_deref() != Some(&pending.bytes[..]) {
            return Err(Error::closed(format!(
                "another program wrote \"{}/{name}\"; let one at a time use this checkpoint",
                self.0.storage.url()
            )));
        }
        Ok(())
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        lock(&self.0.writing).busy = false;
        self.0.written.notify_one();
    }
}

/// A file that a batch of an earlier run was given; read when that batch runs again.
pub(super) struct StoredFile<T> {
    log: Arc<BlockLog>,
    file: FileId,
    blocks: OnceLock<Vec<Arc<dyn BlockContent<T>>>>,
}

impl<T: Data> StoredFile<T> {
    pub(super) fn new(log: Arc<BlockLog>, file: FileId) -> Arc<Self> {
        Arc::new(Self { log, file, blocks: OnceLock::new() })
    }

    pub(super) fn blocks(&self, run: &Run) -> Result<&[Arc<dyn BlockContent<T>>]> {
        if self.blocks.get().is_none() {
            let read = self.log.read(self.file)?;
            let _ = self.blocks.set(read.into_iter().map(|block| block.content).collect());
        }
        // Only a damaged file that is passed over has fewer.
        Ok(self.blocks.get().and_then(|blocks| blocks.get(run.range())).unwrap_or_default())
    }
}
