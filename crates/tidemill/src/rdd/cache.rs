//! Partitions that are kept once they were computed: in memory, on disk, or in a checkpoint.

use super::{
    aside::{self, Letters},
    checkpoint::Checkpoint,
    chunk::{Chunks, cloned},
    node::Rdd,
    session::Session,
    spill::SpillFile,
    task::TaskContext,
};
use crate::base::{Data, Error, Result};
use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex, MutexGuard, OnceLock, PoisonError,
        atomic::{AtomicBool, AtomicU8, Ordering},
    },
};

#[cfg(test)]
mod tests;

/// Where the computed partitions of an Rdd are kept.
///
/// Spark's other names say how often and in which form it keeps them. There is one copy here, in memory as the records
/// themselves and on disk serialised, so `MEMORY_ONLY_SER` and `MEMORY_ONLY_2` are `MemoryOnly`, `MEMORY_AND_DISK_SER`
/// and `MEMORY_AND_DISK_2` are `MemoryAndDisk`, `DISK_ONLY_2` and `DISK_ONLY_3` are `DiskOnly`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum StorageLevel {
    /// Nowhere: every action computes them again.
    #[default]
    None,
    /// In memory, as they are.
    MemoryOnly,
    /// In memory, and on disk what memory has no room for. Memory has no limit yet, so this is `MemoryOnly` today.
    MemoryAndDisk,
    /// In a file of the context, which goes when the context stops.
    DiskOnly,
}

/// One kept partition.
enum Kept<T> {
    Memory(Arc<Vec<T>>),
    Disk(Arc<SpillFile>),
}

impl<T> Clone for Kept<T> {
    fn clone(&self) -> Self {
        match self {
            Kept::Memory(records) => Kept::Memory(records.clone()),
            Kept::Disk(file) => Kept::Disk(file.clone()),
        }
    }
}

impl<T: Data> Kept<T> {
    fn chunks(self, task: &TaskContext) -> Chunks<'_, T> {
        match self {
            Kept::Memory(records) => {
                let mut next = 0;
                Box::new(std::iter::from_fn(move || {
                    let chunk = cloned(&records[next..]).next()?;
                    next += chunk.len();
                    Some(chunk)
                }))
            }
            Kept::Disk(file) => Box::new(task.expect(file.read()).map(|chunk| task.expect(chunk))),
        }
    }
}

/// Jobs that left out the lineage above kept partitions, and so need them to stay.
#[derive(Default)]
struct Pins {
    jobs: usize,
    clear_after: bool,
}

/// The kept partitions of one Rdd.
pub(crate) struct BlockStore<T> {
    level: AtomicU8,
    /// Whether a partition may be kept or is to be; most Rdds never are, and this is all they pay.
    active: AtomicBool,
    blocks: Vec<Mutex<Option<Kept<T>>>>,
    /// What was put aside while a partition was computed: whoever reads it from here has put the same aside.
    letters: Mutex<BTreeMap<usize, Letters>>,
    pins: Mutex<Pins>,
    checkpoint: OnceLock<Checkpoint>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl<T: Data> BlockStore<T> {
    pub(crate) fn new(partitions: usize) -> Self {
        Self {
            level: AtomicU8::new(0),
            active: AtomicBool::new(false),
            blocks: (0..partitions).map(|_| Mutex::default()).collect(),
            letters: Mutex::default(),
            pins: Mutex::default(),
            checkpoint: OnceLock::new(),
        }
    }

    pub(crate) fn is_active(&self) -> bool {
        self.active.load(Ordering::Acquire)
    }

    pub(crate) fn level(&self) -> StorageLevel {
        match self.level.load(Ordering::Acquire) {
            0 => StorageLevel::None,
            1 => StorageLevel::MemoryOnly,
            2 => StorageLevel::MemoryAndDisk,
            _ => StorageLevel::DiskOnly,
        }
    }

    pub(crate) fn set_level(&self, level: StorageLevel) {
        lock(&self.pins).clear_after = false;
        self.level.store(level as u8, Ordering::Release);
        self.active.store(true, Ordering::Release);
    }

    /// Forgets what is kept, at the end of the last job that counts on it.
    fn clear(&self) {
        self.level.store(StorageLevel::None as u8, Ordering::Release);
        let mut pins = lock(&self.pins);
        if pins.jobs > 0 {
            pins.clear_after = true;
        } else {
            self.forget();
        }
    }

    fn forget(&self) {
        self.blocks.iter().for_each(|block| *lock(block) = None);
        lock(&self.letters).clear();
        self.active.store(self.checkpoint.get().is_some(), Ordering::Release);
    }

    /// Every partition, if all are kept in memory.
    pub(crate) fn all(&self) -> Option<Vec<Arc<Vec<T>>>> {
        let in_memory = |block: &Mutex<Option<Kept<T>>>| match &*lock(block) {
            Some(Kept::Memory(records)) => Some(records.clone()),
            _ => None,
        };
        (self.level() != StorageLevel::None).then(|| self.blocks.iter().map(in_memory).collect()).flatten()
    }

    /// Whether all partitions are kept; if so they stay until [`unpin`](Self::unpin).
    pub(crate) fn pin(&self) -> bool {
        if self.level() == StorageLevel::None {
            return false;
        }
        let mut pins = lock(&self.pins);
        let kept = self.blocks.iter().all(|block| lock(block).is_some());
        pins.jobs += usize::from(kept);
        kept
    }

    pub(crate) fn unpin(&self) {
        let mut pins = lock(&self.pins);
        pins.jobs -= 1;
        if pins.jobs == 0 && std::mem::take(&mut pins.clear_after) {
            self.forget();
        }
    }

    pub(crate) fn checkpoint(&self) -> Option<&Checkpoint> {
        self.checkpoint.get()
    }

    pub(crate) fn set_checkpoint(&self, checkpoint: Checkpoint) {
        // A second call finds the first one's checkpoint and changes nothing.
        let _ = self.checkpoint.set(checkpoint);
        self.active.store(true, Ordering::Release);
    }

    /// A partition from where it is kept; or computed, and kept where it is to be.
    pub(crate) fn get_or_compute<'a>(
        &'a self,
        session: &Session,
        partition: usize,
        task: &'a TaskContext,
        compute: impl FnOnce() -> Chunks<'a, T>,
    ) -> Chunks<'a, T> {
        if !task.puts_aside() {
            return self.get_or_keep(session, partition, task, compute);
        }
        if let Some(letters) = lock(&self.letters).get(&partition) {
            task.expect(aside::repeat(letters));
        }
        let (chunks, letters) = aside::noted(|| self.get_or_keep(session, partition, task, compute));
        if !letters.is_empty() {
            lock(&self.letters).insert(partition, letters);
        }
        chunks
    }

    fn get_or_keep<'a>(
        &'a self,
        session: &Session,
        partition: usize,
        task: &'a TaskContext,
        compute: impl FnOnce() -> Chunks<'a, T>,
    ) -> Chunks<'a, T> {
        let kept = lock(&self.blocks[partition]).clone();
        let checkpoint = self.checkpoint.get();
        match (kept, checkpoint) {
            (Some(kept), Some(checkpoint)) if !checkpoint.has(partition) => {
                task.expect(checkpoint.write(partition, kept.clone().chunks(task)));
                kept.chunks(task)
            }
            (Some(kept), _) => kept.chunks(task),
            (None, None) => self.keep(session, partition, task, compute()),
            (None, Some(checkpoint)) => {
                if !checkpoint.has(partition) {
                    task.expect(checkpoint.write(partition, compute()));
                }
                let chunks = task.expect(checkpoint.read(partition));
                self.keep(session, partition, task, Box::new(chunks.map(|chunk| task.expect(chunk))))
            }
        }
    }

    fn keep<'a>(
        &'a self,
        session: &Session,
        partition: usize,
        task: &'a TaskContext,
        chunks: Chunks<'a, T>,
    ) -> Chunks<'a, T> {
        let kept = match self.level() {
            StorageLevel::None => return chunks,
            StorageLevel::MemoryOnly | StorageLevel::MemoryAndDisk => {
                let mut records = Vec::new();
                chunks.for_each(|mut chunk| records.append(&mut chunk));
                records.shrink_to_fit();
                Kept::Memory(Arc::new(records))
            }
            StorageLevel::DiskOnly => {
                let file = session.extensions.spills.write(chunks);
                Kept::Disk(Arc::new(task.expect(file)))
            }
        };
        let mut block = lock(&self.blocks[partition]);
        // Unless it was unpersisted meanwhile.
        if self.level() != StorageLevel::None {
            *block = Some(kept.clone());
        }
        drop(block);
        kept.chunks(task)
    }
}

impl<T: Data> Rdd<T> {
    /// Keeps each partition at `level` from the first time it is computed; later actions read it there.
    ///
    /// Returns this dataset, which is the same whether it is kept or not.
    ///
    /// # Errors
    /// If it is persisted at another level: a level cannot change, [`unpersist`](Self::unpersist) it first.
    ///
    /// # Examples
    /// ```
    /// use tidemill::StorageLevel;
    /// let sc = tidemill::Context::local(2);
    /// let squares = sc.range(0, 4, 1, 2).map(|n| n * n).persist(StorageLevel::DiskOnly)?;
    /// assert_eq!(squares.collect()?, vec![0, 1, 4, 9]);
    /// assert_eq!(squares.collect()?, vec![0, 1, 4, 9]); // read from disk
    /// assert!(squares.persist(StorageLevel::MemoryOnly).is_err());
    /// # Ok::<(), tidemill::Error>(())
    /// ```
    pub fn persist(&self, level: StorageLevel) -> Result<Rdd<T>> {
        let old = self.storage_level();
        if old == level {
            return Ok(self.clone());
        }
        if old != StorageLevel::None {
            return Err(Error::invalid(format!(
                "{self:?} is persisted as \"{old:?}\" and cannot be as \"{level:?}\"; call unpersist first"
            )));
        }
        self.storage().set_level(level);
        Ok(self.clone())
    }

    /// Keeps each partition in memory from the first time it is computed, unless the dataset is persisted already, at
    /// whatever level.
    ///
    /// # Examples
    /// ```
    /// use tidemill::StorageLevel;
    /// let sc = tidemill::Context::local(2);
    /// let squares = sc.range(0, 4, 1, 2).map(|n| n * n).cache();
    /// assert_eq!(squares.storage_level(), StorageLevel::MemoryOnly);
    /// assert_eq!(squares.collect()?, vec![0, 1, 4, 9]);
    /// # Ok::<(), tidemill::Error>(())
    /// ```
    pub fn cache(&self) -> Rdd<T> {
        if self.storage_level() == StorageLevel::None {
            self.storage().set_level(StorageLevel::MemoryOnly);
        }
        self.clone()
    }

    /// Keeps nothing any more and frees what was kept.
    ///
    /// # Examples
    /// ```
    /// use tidemill::StorageLevel;
    /// let sc = tidemill::Context::local(2);
    /// let squares = sc.range(0, 4, 1, 2).map(|n| n * n).cache();
    /// squares.count()?;
    /// squares.unpersist();
    /// assert_eq!(squares.storage_level(), StorageLevel::None);
    /// # Ok::<(), tidemill::Error>(())
    /// ```
    pub fn unpersist(&self) {
        self.storage().clear();
    }

    /// Where the partitions of this dataset are kept.
    ///
    /// # Examples
    /// ```
    /// let sc = tidemill::Context::local(2);
    /// assert_eq!(sc.range(0, 4, 1, 2).storage_level(), tidemill::StorageLevel::None);
    /// ```
    pub fn storage_level(&self) -> StorageLevel {
        self.storage().level()
    }
}
