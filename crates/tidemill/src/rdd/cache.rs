//! Partitions that are kept once they were computed.

use super::{
    chunk::{Chunks, cloned},
    task::TaskContext,
};
use crate::base::Data;
use std::sync::{
    Arc, Mutex, MutexGuard, PoisonError,
    atomic::{AtomicU8, Ordering},
};

/// Where the computed partitions of an Rdd are kept.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum StorageLevel {
    /// Nowhere: every action computes them again.
    #[default]
    None,
    /// In memory, as they are.
    MemoryOnly,
}

type Block<T> = Mutex<Option<Arc<Vec<T>>>>;

/// The kept partitions of one Rdd.
pub(crate) struct BlockStore<T> {
    level: AtomicU8,
    blocks: Vec<Block<T>>,
}

impl<T: Data> BlockStore<T> {
    pub(crate) fn new(partitions: usize) -> Self {
        Self { level: AtomicU8::new(0), blocks: (0..partitions).map(|_| Mutex::default()).collect() }
    }

    pub(crate) fn level(&self) -> StorageLevel {
        match self.level.load(Ordering::Relaxed) {
            0 => StorageLevel::None,
            _ => StorageLevel::MemoryOnly,
        }
    }

    pub(crate) fn set_level(&self, level: StorageLevel) {
        self.level.store(level as u8, Ordering::Relaxed);
    }

    /// Every partition, if all are kept.
    pub(crate) fn all(&self) -> Option<Vec<Arc<Vec<T>>>> {
        (self.level() != StorageLevel::None)
            .then(|| (0..self.blocks.len()).map(|partition| self.block(partition).clone()).collect())
            .flatten()
    }

    pub(crate) fn clear(&self) {
        self.set_level(StorageLevel::None);
        (0..self.blocks.len()).for_each(|partition| *self.block(partition) = None);
    }

    fn block(&self, partition: usize) -> MutexGuard<'_, Option<Arc<Vec<T>>>> {
        self.blocks[partition].lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn get_or_compute<'a>(
        &'a self,
        partition: usize,
        _task: &'a TaskContext,
        compute: impl FnOnce() -> Chunks<'a, T>,
    ) -> Chunks<'a, T> {
        let kept = self.block(partition).clone();
        let records = kept.unwrap_or_else(|| {
            let mut records = Vec::new();
            compute().for_each(|mut chunk| records.append(&mut chunk));
            let records = Arc::new(records);
            *self.block(partition) = Some(records.clone());
            records
        });
        let mut next = 0;
        Box::new(std::iter::from_fn(move || {
            let chunk = cloned(&records[next..]).next()?;
            next += chunk.len();
            Some(chunk)
        }))
    }
}
