//! Received records wait in blocks; a bounded pool of them is what back-pressure is made of.

use super::receiver::Place;
use crate::{
    base::{Data, Interrupt, Text, text::LineBlock},
    rdd::chunk::{Chunked, Chunks},
};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use std::{
    any::Any,
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

#[cfg(test)]
mod tests;

/// What a block holds: records as they are, or bytes that a worker makes into records.
pub(crate) trait BlockContent<T>: Send + Sync {
    fn chunks(&self) -> Chunks<'_, T>;

    /// The form in which it goes to another process.
    fn packed(&self) -> Packed<'_, T>;
}

/// The contents that there are, for the way to another process.
#[derive(Serialize)]
pub(crate) enum Packed<'a, T> {
    Records(&'a [T]),
    Lines(&'a LineBlock),
}

/// The same, arrived.
#[derive(Deserialize)]
enum Unpacked<T> {
    Records(Vec<T>),
    Lines(LineBlock),
}

/// A block as a record: within a process it is shared, and it goes to another one as it was received.
pub(super) struct SharedBlock<T>(pub(super) Arc<dyn BlockContent<T>>);

impl<T> Clone for SharedBlock<T> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<T: Data> Serialize for SharedBlock<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.packed().serialize(serializer)
    }
}

impl<'de, T: Data> Deserialize<'de> for SharedBlock<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match Unpacked::deserialize(deserializer)? {
            Unpacked::Records(records) => Ok(Self(Arc::new(records))),
            Unpacked::Lines(block) => lines(block).ok_or_else(|| de::Error::custom("lines came for another type")),
        }
    }
}

/// Lines as a block of `T`, which they are if that is `Text`.
fn lines<T: Data>(block: LineBlock) -> Option<SharedBlock<T>> {
    let content: Arc<dyn BlockContent<Text>> = Arc::new(block);
    let content: Box<dyn Any> = Box::new(content);
    content.downcast().ok().map(|content| SharedBlock(*content))
}

impl<T: Data> BlockContent<T> for Vec<T> {
    fn chunks(&self) -> Chunks<'_, T> {
        Box::new(crate::rdd::chunk::cloned(self))
    }
    fn packed(&self) -> Packed<'_, T> {
        Packed::Records(self)
    }
}

impl BlockContent<Text> for LineBlock {
    fn chunks(&self) -> Chunks<'_, Text> {
        Box::new(Chunked(self.lines()))
    }
    fn packed(&self) -> Packed<'_, Text> {
        Packed::Lines(self)
    }
}

/// Called once the batch that holds a block is committed.
pub(super) type Acknowledge = Box<dyn FnOnce() + Send>;

/// A block of received records that waits for its batch.
pub(super) struct StoredBlock<T> {
    pub(super) content: Arc<dyn BlockContent<T>>,
    pub(super) records: usize,
    pub(super) acknowledge: Option<Acknowledge>,
    /// Its content as bytes, if they were made already and it is still to be stored.
    pub(super) encoded: Option<Vec<u8>>,
    /// Where it is stored, if there is a log of received data.
    pub(super) place: Option<Place>,
    /// Gives its bytes back to the pool when it is dropped.
    pub(super) permit: Permit,
}

/// How many bytes of received blocks may wait for a batch, or be in one that runs.
pub(crate) struct BlockPool {
    limit_bytes: usize,
    used_bytes: Mutex<usize>,
    freed: Condvar,
}

/// How often a wait for room looks at its interrupt.
const POLL: Duration = Duration::from_millis(20);

impl BlockPool {
    pub(crate) fn new(limit_bytes: usize) -> Arc<Self> {
        Arc::new(Self { limit_bytes, used_bytes: Mutex::new(0), freed: Condvar::new() })
    }

    fn used(&self) -> MutexGuard<'_, usize> {
        self.used_bytes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until `bytes` more fit, or the pool is empty, however many they are, and takes them in the same step. Once
    /// `interrupt` is raised it does not wait: what a receiver that ends has in its hands is bounded, and not given up.
    pub(super) fn acquire(self: &Arc<Self>, bytes: usize, interrupt: &Interrupt) -> Permit {
        let mut used = self.used();
        while *used > 0 && used.saturating_add(bytes) > self.limit_bytes && !interrupt.is_raised() {
            (used, _) = self.freed.wait_timeout(used, POLL).unwrap_or_else(PoisonError::into_inner);
        }
        *used += bytes;
        Permit { pool: self.clone(), bytes }
    }

    #[cfg(test)]
    pub(super) fn used_now(&self) -> usize {
        *self.used()
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

impl Permit {
    /// How much room it is.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }
}

/// About how much memory the records take. Those that own some elsewhere are measured as their encoding, which is the
/// one thing that is known of every type.
pub(super) fn memory_bytes<T: Data>(records: &[T]) -> usize {
    let inline_bytes = size_of_val(records);
    if !std::mem::needs_drop::<T>() {
        return inline_bytes;
    }
    let encoded = |record| postcard::experimental::serialized_size(record).unwrap_or(0);
    inline_bytes + records.iter().map(encoded).sum::<usize>()
}

impl Drop for Permit {
    fn drop(&mut self) {
        *self.pool.used() -= self.bytes;
        self.pool.freed.notify_all();
    }
}
