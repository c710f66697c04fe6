//! Where keys go: the partitioner an operation uses unless it is told, and the exchange that brings records there.

use super::{
    node::{Rdd, Site},
    partitioner::{HashPartitioner, PartitionerId, PartitionerRef},
    session::Session,
    shuffle::{Buckets, Shuffle, Shuffled},
    task::{Cursor, TaskContext, guarded},
};
use crate::base::{Data, Error, Key};
use std::{cmp::Reverse, sync::Arc};

/// A partitioner, and the number of partitions it gave when the exchange was planned.
pub(crate) struct Placing<K> {
    partitioner: PartitionerRef<K>,
    partitions: usize,
    site: Site,
}

impl<K: 'static> Placing<K> {
    pub(crate) fn new(site: Site, partitioner: PartitionerRef<K>) -> Self {
        Self { partitions: partitioner.partitions(), partitioner, site }
    }

    pub(crate) fn partitions(&self) -> usize {
        self.partitions
    }

    /// The partition of `key`; the end of the task if the partitioner breaks its word.
    #[inline]
    pub(crate) fn place(&self, key: &K, task: &TaskContext) -> usize {
        let target = self.partitioner.partition(key);
        if target >= self.partitions {
            self.fail(target, task);
        }
        target
    }

    #[cold]
    fn fail(&self, target: usize, task: &TaskContext) -> ! {
        task.fail(Error::user(format!(
            "\"{}\" failed in partition {}: the partitioner \"{:?}\" placed a key in partition \"{target}\" of \"{}\"; \
             return a number below partitions()",
            self.site, task.partition, self.partitioner, self.partitions
        )))
    }
}

/// What the choice of a partitioner looks at: how the keys of a parent are placed, and in how many partitions.
pub(crate) struct Side {
    id: Option<PartitionerId>,
    partitions: usize,
}

impl Side {
    pub(crate) fn of<T: Data>(rdd: &Rdd<T>) -> Self {
        Self { id: rdd.partitioner_id(), partitions: rdd.num_partitions() }
    }
}

/// Scala's rule: the largest partitioner that a side already has, if it is big enough; else a hash partitioner over the
/// default parallelism.
///
/// Big enough is: as many partitions as the default, or within a factor of ten of the largest side.
pub(crate) fn default_partitioner<K: Key>(session: &Session, sides: &[Side]) -> PartitionerRef<K> {
    let placed = sides.iter().filter_map(|side| side.id.as_ref()?.partitioner::<K>());
    let largest = placed.filter(|known| known.partitions() > 0).min_by_key(|known| Reverse(known.partitions()));
    let most = sides.iter().map(|side| side.partitions).max().unwrap_or(0);
    let default = session.default_parallelism();
    match largest {
        Some(known) if known.partitions() >= default || known.partitions().saturating_mul(10) > most => known,
        _ => Arc::new(HashPartitioner::new(default)),
    }
}

impl<K: Data, V: Data> Rdd<(K, V)> {
    /// These pairs at the partitions of `partitioner`; the very same dataset if they are there already.
    ///
    /// A partition holds its records in the order of the partitions they come from.
    pub(crate) fn placed_at(&self, site: Site, partitioner: PartitionerRef<K>) -> Rdd<(K, V)> {
        let id = PartitionerId::of(&partitioner);
        if self.partitioner_id().as_ref() == Some(&id) {
            return self.clone();
        }
        let (parent, placing) = (self.clone(), Placing::new(site, partitioner));
        let shuffle = Shuffle::new(self, site, placing.partitions(), move |partition, task, emit| {
            let (mut buckets, cursor) = (Buckets::new(placing.partitions()), Cursor::default());
            for chunk in parent.chunks(partition, task) {
                guarded(&site, task, &cursor, || {
                    for pair in chunk {
                        cursor.step();
                        buckets.push(placing.place(&pair.0, task), pair, emit);
                    }
                });
            }
            buckets.finish(emit);
        });
        Rdd::from_node(self.session(), site, Shuffled { shuffle, partitioner: Some(id) })
    }
}

impl<K: Key, V: Data> Rdd<(K, V)> {
    /// The partitioner of an operation on this dataset alone.
    pub(crate) fn default_partitioner(&self) -> PartitionerRef<K> {
        default_partitioner(self.session(), &[Side::of(self)])
    }
}
