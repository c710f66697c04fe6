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

/// How many partitions keyed data is to have, or who places its keys; what every operation whose name ends in `_into`
/// takes first.
///
/// A number means a [`HashPartitioner`] over as many partitions. A partitioner of the user's goes in an [`Arc`].
///
/// # Examples
/// ```
/// use tidemill::{HashPartitioner, IntoPartitioner, PartitionerRef};
/// let of_number: PartitionerRef<String> = 4.into_partitioner();
/// let same: PartitionerRef<String> = HashPartitioner::new(4).into_partitioner();
/// let again = same.clone().into_partitioner();
/// assert_eq!((of_number.partitions(), again.partitions()), (4, 4));
/// ```
pub trait IntoPartitioner<K> {
    /// The partitioner.
    fn into_partitioner(self) -> PartitionerRef<K>;
}

impl<K: Key> IntoPartitioner<K> for usize {
    fn into_partitioner(self) -> PartitionerRef<K> {
        Arc::new(HashPartitioner::new(self))
    }
}

impl<K: Key> IntoPartitioner<K> for HashPartitioner {
    fn into_partitioner(self) -> PartitionerRef<K> {
        Arc::new(self)
    }
}

impl<K> IntoPartitioner<K> for PartitionerRef<K> {
    fn into_partitioner(self) -> PartitionerRef<K> {
        self
    }
}

impl<K, P: Partitioner<K>> IntoPartitioner<K> for Arc<P> {
    fn into_partitioner(self) -> PartitionerRef<K> {
        self
    }
}

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
    /// The `Erased<K>` itself.
    fn any(&self) -> &dyn Any;
    fn same_as(&self, other: &dyn Any) -> bool;
    fn with_any(&self, f: &mut dyn FnMut(&dyn Any) -> bool) -> bool;
}

struct Erased<K>(PartitionerRef<K>);

impl<K: 'static> ErasedPartitioner for Erased<K> {
    fn address(&self) -> usize {
        Arc::as_ptr(&self.0).cast::<()>() as usize
    }
    fn any(&self) -> &dyn Any {
        self
    }
    fn same_as(&self, other: &dyn Any) -> bool {
        self.0.same_as(other)
    }
    fn with_any(&self, f: &mut dyn FnMut(&dyn Any) -> bool) -> bool {
        f(&*self.0 as &dyn Any)
    }
}

impl PartitionerId {
    pub(crate) fn of<K: 'static>(partitioner: &PartitionerRef<K>) -> Self {
        Self { key: TypeId::of::<K>(), erased: Arc::new(Erased(partitioner.clone())) }
    }

    /// The partitioner, if it places keys of type `K`.
    pub(crate) fn partitioner<K: 'static>(&self) -> Option<PartitionerRef<K>> {
        self.erased.any().downcast_ref::<Erased<K>>().map(|erased| erased.0.clone())
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
