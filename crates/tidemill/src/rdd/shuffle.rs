//! A shuffle: records of every map partition, bucketed for every reduce partition.
//!
//! What it moved stays with it, so a second action on the same Rdd does not run the map side again.

use super::{
    chunk::{CHUNK_RECORDS, Chunks},
    job::{Payload, PayloadCodec},
    node::{ErasedRdd, Lineage, Parent, Rdd, RddNode, Site},
    partitioner::PartitionerId,
    task::{Cursor, TaskContext, guarded},
};
use crate::base::{Data, Error, Result};
use std::sync::{
    Arc, Mutex, MutexGuard, PoisonError,
    atomic::{AtomicBool, Ordering},
};

/// What the engine sees of a shuffle of any type.
pub(crate) trait ErasedShuffle: Send + Sync {
    fn id(&self) -> u64;
    fn site(&self) -> Site;
    /// The Rdd whose partitions are the map side.
    fn map_side(&self) -> Arc<dyn ErasedRdd>;
    fn reduce_partitions(&self) -> usize;
    /// Computes one map partition and emits what goes to each reduce partition.
    fn write(&self, partition: usize, task: &TaskContext, emit: &mut dyn FnMut(usize, Payload));
    /// Takes in what map partition `source` has for reduce partition `target`.
    fn accept(&self, source: usize, target: usize, payload: Payload) -> Result<()>;
    fn codec(&self) -> PayloadCodec;
    fn is_complete(&self) -> bool;
    fn complete(&self);
    /// Forgets what was taken in.
    fn reset(&self);
    /// Held by the one job that runs this shuffle.
    fn lock(&self) -> MutexGuard<'_, ()>;
}

/// Hands a bucket of records to a reduce partition.
pub(crate) type Emit<'a, T> = dyn FnMut(usize, Vec<T>) + 'a;

/// Computes one map partition.
type MapSide<T> = Box<dyn Fn(usize, &TaskContext, &mut Emit<'_, T>) + Send + Sync>;

/// What arrived for one reduce partition, with the map partition it came from.
type Bucket<T> = Mutex<Vec<(usize, Arc<Vec<T>>)>>;

/// A shuffle of records of type `T`.
pub(crate) struct Shuffle<T> {
    id: u64,
    site: Site,
    parent: Arc<dyn ErasedRdd>,
    map_side: MapSide<T>,
    buckets: Vec<Bucket<T>>,
    complete: AtomicBool,
    running: Mutex<()>,
}

impl<T: Data> Shuffle<T> {
    /// A shuffle of what `map_side` emits for each partition of `parent`.
    pub(crate) fn new<P: Data>(
        parent: &Rdd<P>,
        site: Site,
        reduce_partitions: usize,
        map_side: impl Fn(usize, &TaskContext, &mut Emit<'_, T>) + Send + Sync + 'static,
    ) -> Arc<Self> {
        Arc::new(Self {
            id: parent.session().next_id(),
            site,
            parent: parent.erased(),
            map_side: Box::new(map_side),
            buckets: (0..reduce_partitions).map(|_| Mutex::default()).collect(),
            complete: AtomicBool::new(false),
            running: Mutex::new(()),
        })
    }

    fn bucket(&self, partition: usize) -> MutexGuard<'_, Vec<(usize, Arc<Vec<T>>)>> {
        self.buckets[partition].lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What one map partition sent to a reduce partition.
    pub(crate) fn read_from(&self, source: usize, partition: usize) -> Vec<Arc<Vec<T>>> {
        let bucket = self.bucket(partition);
        bucket.iter().filter(|(from, _)| *from == source).map(|(_, records)| records.clone()).collect()
    }

    /// Whether what was moved to a reduce partition came from one map partition, or from none.
    pub(crate) fn has_one_source(&self, partition: usize) -> bool {
        let bucket = self.bucket(partition);
        bucket.iter().all(|(source, _)| *source == bucket[0].0)
    }

    /// What was moved to a reduce partition, in the order of the map partitions.
    pub(crate) fn read(&self, partition: usize) -> Vec<Arc<Vec<T>>> {
        let mut bucket = self.bucket(partition);
        bucket.sort_by_key(|(source, _)| *source);
        bucket.iter().map(|(_, records)| records.clone()).collect()
    }
}

impl<T: Data> ErasedShuffle for Shuffle<T> {
    fn id(&self) -> u64 {
        self.id
    }
    fn site(&self) -> Site {
        self.site
    }
    fn map_side(&self) -> Arc<dyn ErasedRdd> {
        self.parent.clone()
    }
    fn reduce_partitions(&self) -> usize {
        self.buckets.len()
    }
    fn write(&self, partition: usize, task: &TaskContext, emit: &mut dyn FnMut(usize, Payload)) {
        (self.map_side)(partition, task, &mut |target, records| {
            if !records.is_empty() {
                emit(target, Arc::new(records));
            }
        });
    }
    fn accept(&self, source: usize, target: usize, payload: Payload) -> Result<()> {
        let records = payload.downcast::<Vec<T>>().map_err(|_| Error::internal("a shuffle got another's records"))?;
        self.bucket(target).push((source, records));
        Ok(())
    }
    fn codec(&self) -> PayloadCodec {
        PayloadCodec::of::<Vec<T>>()
    }
    fn is_complete(&self) -> bool {
        self.complete.load(Ordering::Acquire)
    }
    fn complete(&self) {
        self.complete.store(true, Ordering::Release);
    }
    fn reset(&self) {
        for partition in 0..self.buckets.len() {
            self.bucket(partition).clear();
        }
    }
    fn lock(&self) -> MutexGuard<'_, ()> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Buckets of one map task, handed on when full.
pub(crate) struct Buckets<T> {
    buckets: Vec<Vec<T>>,
}

/// Records of a bucket that is handed on before the map task ends.
const BUCKET_RECORDS: usize = 16 * 1024;

impl<T> Buckets<T> {
    pub(crate) fn new(partitions: usize) -> Self {
        Self { buckets: (0..partitions).map(|_| Vec::new()).collect() }
    }

    #[inline]
    pub(crate) fn push(&mut self, target: usize, record: T, emit: &mut Emit<'_, T>) {
        let bucket = &mut self.buckets[target];
        bucket.push(record);
        if bucket.len() >= BUCKET_RECORDS {
            emit(target, std::mem::take(bucket));
        }
    }

    pub(crate) fn finish(self, emit: &mut Emit<'_, T>) {
        for (target, bucket) in self.buckets.into_iter().enumerate() {
            if !bucket.is_empty() {
                emit(target, bucket);
            }
        }
    }
}

/// An Rdd whose partitions are the buckets of a shuffle, as they came.
pub(crate) struct Shuffled<T> {
    pub(crate) shuffle: Arc<Shuffle<T>>,
    pub(crate) partitioner: Option<PartitionerId>,
}

impl<T: Data> Lineage for Shuffled<T> {
    fn partitions(&self) -> usize {
        self.shuffle.reduce_partitions()
    }
    fn parents(&self) -> Vec<Parent> {
        vec![Parent::Shuffle(self.shuffle.clone())]
    }
    fn partitioner(&self) -> Option<PartitionerId> {
        self.partitioner.clone()
    }
}

impl<T: Data> RddNode<T> for Shuffled<T> {
    fn compute<'a>(&'a self, partition: usize, task: &'a TaskContext) -> Chunks<'a, T> {
        let buckets = self.shuffle.read(partition);
        Box::new(buckets.into_iter().flat_map(move |bucket| shared_chunks(&self.shuffle.site, task, bucket)))
    }
}

/// Clones the records of a shared bucket out in chunks.
pub(crate) fn shared_chunks<'a, T: Data>(
    site: &'a Site,
    task: &'a TaskContext,
    bucket: Arc<Vec<T>>,
) -> impl Iterator<Item = Vec<T>> + 'a {
    let starts = (0..bucket.len()).step_by(CHUNK_RECORDS);
    starts.map(move |start| {
        let chunk = &bucket[start..bucket.len().min(start + CHUNK_RECORDS)];
        guarded(site, task, &Cursor::default(), || chunk.to_vec())
    })
}
