//! Who decides the partition of a key.

use crate::base::Key;
use std::{
    any::{Any, TypeId},
    fmt,
    hash::{Hash, Hasher},
    sync::Arc,
};

/// Decides the partition of a key.
///
/// Two partitioners that are equal must place every key alike: data already placed by an equal partitioner is not
/// shuffled again.
///
/// # Examples
/// ```
/// use tidemill::Partitioner;
/// #[derive(PartialEq, Debug)]
/// struct ByParity;
/// impl Partitioner<u32> for ByParity {
///     fn partitions(&self) -> usize { 2 }
///     fn partition(&self, key: &u32) -> usize { (key % 2) as usize }
/// }
/// assert_eq!(ByParity.partition(&7), 1);
/// ```
pub trait Partitioner<K>: Send + Sync + fmt::Debug + Any {
    /// How many partitions there are.
    fn partitions(&self) -> usize;

    /// The partition of `key`, below [`partitions`](Self::partitions).
    fn partition(&self, key: &K) -> usize;

    /// Whether `other` places every key as this one does; only itself, unless overridden.
    fn same_as(&self, other: &dyn Any) -> bool {
        let _ = other;
        false
    }
}

/// A shared partitioner.
pub type PartitionerRef<K> = Arc<dyn Partitioner<K>>;

/// Places a key by a hash of it that is stable across processes, runs and releases.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HashPartitioner {
    partitions: usize,
}

impl HashPartitioner {
    /// A partitioner over `partitions` partitions; 0 is taken as 1.
    pub fn new(partitions: usize) -> Self {
        Self { partitions: partitions.max(1) }
    }
}

impl<K: Key> Partitioner<K> for HashPartitioner {
    fn partitions(&self) -> usize {
        self.partitions
    }

    #[inline]
    fn partition(&self, key: &K) -> usize {
        if self.partitions == 1 { 0 } else { (stable_hash(key) % self.partitions as u64) as usize }
    }

    fn same_as(&self, other: &dyn Any) -> bool {
        other.downcast_ref::<Self>() == Some(self)
    }
}

/// Identity of the partitioner that placed the records of an Rdd.
#[derive(Clone)]
pub(crate) struct PartitionerId {
    key: TypeId,
    erased: Arc<dyn ErasedPartitioner>,
}

trait ErasedPartitioner: Send + Sync {
    fn address(&self) -> usize;
    fn same_as(&self, other: &dyn Any) -> bool;
    fn with_any(&self, f: &mut dyn FnMut(&dyn Any) -> bool) -> bool;
    fn partition_of(&self, key: &dyn Any) -> Option<usize>;
}

struct Erased<K>(PartitionerRef<K>);

impl<K: Key> ErasedPartitioner for Erased<K> {
    fn address(&self) -> usize {
        Arc::as_ptr(&self.0).cast::<()>() as usize
    }
    fn same_as(&self, other: &dyn Any) -> bool {
        self.0.same_as(other)
    }
    fn with_any(&self, f: &mut dyn FnMut(&dyn Any) -> bool) -> bool {
        f(&*self.0 as &dyn Any)
    }
    fn partition_of(&self, key: &dyn Any) -> Option<usize> {
        key.downcast_ref().map(|key| self.0.partition(key))
    }
}

impl PartitionerId {
    pub(crate) fn of<K: Key>(partitioner: &PartitionerRef<K>) -> Self {
        Self { key: TypeId::of::<K>(), erased: Arc::new(Erased(partitioner.clone())) }
    }

    /// Where a key is placed; `None` if the partitioner is one of keys of another type.
    pub(crate) fn partition_of<K: Key>(&self, key: &K) -> Option<usize> {
        self.erased.partition_of(key)
    }
}

impl PartialEq for PartitionerId {
    fn eq(&self, other: &Self) -> bool {
        self.key == other.key
            && (self.erased.address() == other.erased.address()
                || other.erased.with_any(&mut |any| self.erased.same_as(any)))
    }
}

impl fmt::Debug for PartitionerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PartitionerId({:#x})", self.erased.address())
    }
}

/// A hash that is the same in every process, run and release; decides where a key lives.
pub(crate) fn stable_hash<K: Hash + ?Sized>(key: &K) -> u64 {
    let mut hasher = StableHasher(0);
    key.hash(&mut hasher);
    hasher.finish()
}

/// Chains rapidhash v3, whose output is fixed, over everything that is written.
struct StableHasher(u64);

impl StableHasher {
    #[inline]
    fn word(&mut self, word: u64) {
        let product = u128::from(self.0 ^ word ^ 0x9e37_79b9_7f4a_7c15) * u128::from(0xd6e8_feb8_6659_fd93_u64 ^ word);
        self.0 = (product as u64) ^ ((product >> 64) as u64);
    }
}

impl Hasher for StableHasher {
    #[inline]
    fn write(&mut self, bytes: &[u8]) {
        self.word(rapidhash::v3::rapidhash_v3(bytes));
    }
    #[inline]
    fn write_u8(&mut self, i: u8) {
        self.word(u64::from(i));
    }
    #[inline]
    fn write_u16(&mut self, i: u16) {
        self.word(u64::from(i));
    }
    #[inline]
    fn write_u32(&mut self, i: u32) {
        self.word(u64::from(i));
    }
    #[inline]
    fn write_u64(&mut self, i: u64) {
        self.word(i);
    }
    #[inline]
    fn write_usize(&mut self, i: usize) {
        self.word(i as u64);
    }
    #[inline]
    fn finish(&self) -> u64 {
        let mut state = self.0;
        state ^= state >> 32;
        state = state.wrapping_mul(0xd6e8_feb8_6659_fd93);
        state ^ (state >> 32)
    }
}
