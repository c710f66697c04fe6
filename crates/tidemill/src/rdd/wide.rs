//! How values of a key are combined: before the shuffle, and after it. The operations on top are in `by_key`.

use super::{
    chunk::{Chunked, Chunks},
    node::{Lineage, Parent, Rdd, RddNode, Site},
    partitioner::{PartitionerId, PartitionerRef},
    placing::Placing,
    shuffle::{Buckets, Shuffle},
    slots::SlotMap,
    task::{Cursor, TaskContext, guarded},
};
use crate::base::{Data, Key};
use std::sync::Arc;

/// How values of one key become one combined value.
pub(crate) trait Combiner<V, C>: Send + Sync + 'static {
    /// The combined value of a first value.
    fn create(&self, value: V) -> C;
    /// The combined value with one more value.
    fn merge_value(&self, combined: C, value: V) -> C;
    /// One combined value of two.
    fn merge(&self, left: C, right: C) -> C;
}

/// A combiner of three functions.
pub(crate) struct Combine<A, B, D> {
    pub(crate) create: A,
    pub(crate) merge_value: B,
    pub(crate) merge: D,
}

impl<V, C, A, B, D> Combiner<V, C> for Combine<A, B, D>
where
    A: Fn(V) -> C + Send + Sync + 'static,
    B: Fn(C, V) -> C + Send + Sync + 'static,
    D: Fn(C, C) -> C + Send + Sync + 'static,
{
    #[inline]
    fn create(&self, value: V) -> C {
        (self.create)(value)
    }
    #[inline]
    fn merge_value(&self, combined: C, value: V) -> C {
        (self.merge_value)(combined, value)
    }
    #[inline]
    fn merge(&self, left: C, right: C) -> C {
        (self.merge)(left, right)
    }
}

/// A combiner of one function over values of the same type.
pub(crate) struct Reduce<F>(pub(crate) F);

impl<V, F: Fn(V, V) -> V + Send + Sync + 'static> Combiner<V, V> for Reduce<F> {
    #[inline]
    fn create(&self, value: V) -> V {
        value
    }
    #[inline]
    fn merge_value(&self, combined: V, value: V) -> V {
        (self.0)(combined, value)
    }
    #[inline]
    fn merge(&self, left: V, right: V) -> V {
        (self.0)(left, right)
    }
}

/// Combined values by key, keys in order of first sight.
pub(crate) struct Combined<K, C> {
    slots: SlotMap<K>,
    values: Vec<Option<C>>,
}

impl<K: Key, C> Combined<K, C> {
    pub(crate) fn new() -> Self {
        Self { slots: SlotMap::default(), values: Vec::new() }
    }

    #[inline]
    pub(crate) fn add<X>(&mut self, key: K, x: X, create: impl FnOnce(X) -> C, merge: impl FnOnce(C, X) -> C) {
        let (slot, new) = self.slots.slot(key);
        if new {
            self.values.push(Some(create(x)));
        } else if let Some(combined) = self.values[slot].take() {
            self.values[slot] = Some(merge(combined, x));
        }
    }

    pub(crate) fn into_pairs(self) -> impl Iterator<Item = (K, C)> {
        self.slots.into_keys().into_iter().zip(self.values).filter_map(|(key, value)| Some((key, value?)))
    }
}

/// Combines the values of every key among the records of one partition.
pub(crate) fn combine_values<K: Key, V: Data, C>(
    site: &Site,
    task: &TaskContext,
    chunks: Chunks<'_, (K, V)>,
    combiner: &impl Combiner<V, C>,
) -> Combined<K, C> {
    let (mut combined, cursor) = (Combined::new(), Cursor::default());
    for chunk in chunks {
        guarded(site, task, &cursor, || {
            for (key, value) in chunk {
                cursor.step();
                combined.add(key, value, |v| combiner.create(v), |c, v| combiner.merge_value(c, v));
            }
        });
    }
    combined
}

/// The reduce side of a combining shuffle.
struct CombinedRdd<K, V, C, B> {
    shuffle: Arc<Shuffle<(K, C)>>,
    partitioner: PartitionerId,
    site: Site,
    combiner: Arc<B>,
    value: std::marker::PhantomData<fn() -> V>,
}

impl<K: Key, V: Data, C: Data, B: Combiner<V, C>> Lineage for CombinedRdd<K, V, C, B> {
    fn partitions(&self) -> usize {
        super::shuffle::ErasedShuffle::reduce_partitions(&*self.shuffle)
    }
    fn parents(&self) -> Vec<Parent> {
        vec![Parent::Shuffle(self.shuffle.clone())]
    }
    fn partitioner(&self) -> Option<PartitionerId> {
        Some(self.partitioner.clone())
    }
}

impl<K: Key, V: Data, C: Data, B: Combiner<V, C>> RddNode<(K, C)> for CombinedRdd<K, V, C, B> {
    fn compute<'a>(&'a self, partition: usize, task: &'a TaskContext) -> Chunks<'a, (K, C)> {
        let mut combined = Combined::new();
        for bucket in self.shuffle.read(partition) {
            guarded(&self.site, task, &Cursor::default(), || {
                for (key, value) in bucket.iter() {
                    combined.add(key.clone(), value.clone(), |c| c, |a, b| self.combiner.merge(a, b));
                }
            });
        }
        Box::new(Chunked(combined.into_pairs()))
    }
}

impl<K: Key, V: Data> Rdd<(K, V)> {
    /// Combines the values of each key into `partitioner`'s partitions, before the shuffle and after it.
    pub(crate) fn combine_at<C: Data>(
        &self,
        site: Site,
        partitioner: PartitionerRef<K>,
        combiner: impl Combiner<V, C>,
    ) -> Rdd<(K, C)> {
        let id = PartitionerId::of(&partitioner);
        let combiner = Arc::new(combiner);
        if self.partitioner_id().as_ref() == Some(&id) {
            return self.map_partition_chunks(site, true, move |_, chunks, task| {
                Box::new(Chunked(combine_values(&site, task, chunks, &*combiner).into_pairs()))
            });
        }
        let (parent, map_side, placing) = (self.clone(), combiner.clone(), Placing::new(site, partitioner));
        let shuffle = Shuffle::new(self, site, placing.partitions(), move |partition, task, emit| {
            let combined = combine_values(&site, task, parent.chunks(partition, task), &*map_side);
            let mut buckets = Buckets::new(placing.partitions());
            guarded(&site, task, &Cursor::default(), || {
                combined.into_pairs().for_each(|pair| buckets.push(placing.place(&pair.0, task), pair, emit));
            });
            buckets.finish(emit);
        });
        let node =
            CombinedRdd { shuffle, partitioner: id, site, combiner, value: std::marker::PhantomData::<fn() -> V> };
        Rdd::from_node(self.session(), site, node)
    }
}
