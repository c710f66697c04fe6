//! A partitioner by ranges of keys, cut so that partitions are of nearly equal size.

use super::{
    node::{Rdd, Site},
    partitioner::{IntoPartitioner, Partitioner, PartitionerRef},
    sample::partition_rng,
    task::run_guarded,
};
use crate::base::{Data, Key, Result};
use rand::RngExt;
use std::{any::Any, fmt, sync::Arc};

/// Places keys by ranges: each partition holds the keys up to a bound, the last one what is above all bounds.
///
/// # Examples
/// ```
/// use tidemill::{Partitioner, RangePartitioner};
/// let grades = RangePartitioner::new(vec![10, 20], true);
/// assert_eq!((grades.partitions(), grades.partition(&10), grades.partition(&11), grades.partition(&99)), (3, 0, 1, 2));
/// ```
#[derive(Clone)]
pub struct RangePartitioner<K> {
    bounds: Arc<Vec<K>>,
    ascending: bool,
    /// At least one more than there are bounds.
    partitions: usize,
}

impl<K: Ord> RangePartitioner<K> {
    /// Partitions that end at the given bounds, and one more; in descending order if not `ascending`.
    pub fn new(mut bounds: Vec<K>, ascending: bool) -> Self {
        bounds.sort();
        bounds.dedup();
        Self { partitions: bounds.len() + 1, bounds: Arc::new(bounds), ascending }
    }
}

impl<K> fmt::Debug for RangePartitioner<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RangePartitioner")
            .field("partitions", &self.partitions)
            .field("ascending", &self.ascending)
            .finish_non_exhaustive()
    }
}

impl<K: Ord + Send + Sync + 'static> Partitioner<K> for RangePartitioner<K> {
    fn partitions(&self) -> usize {
        self.partitions
    }

    #[inline]
    fn partition(&self, key: &K) -> usize {
        let range = self.bounds.partition_point(|bound| bound < key);
        if self.ascending { range } else { self.partitions - 1 - range }
    }

    fn same_as(&self, other: &dyn Any) -> bool {
        other.downcast_ref::<Self>().is_some_and(|other| {
            (self.partitions, self.ascending) == (other.partitions, other.ascending) && self.bounds == other.bounds
        })
    }
}

impl<K: Key + Ord> IntoPartitioner<K> for RangePartitioner<K> {
    fn into_partitioner(self) -> PartitionerRef<K> {
        Arc::new(self)
    }
}

/// Keys that are looked at for each partition that is to be.
const SAMPLES_PER_PARTITION: usize = 20;
/// More are drawn from each partition, because partitions may be of unequal size.
const OVERSAMPLING: usize = 3;

/// Some keys of one partition, and how many keys each stands for.
type Sample<K> = (Vec<K>, f64);

impl<K: Data + Ord> RangePartitioner<K> {
    /// Exactly `partitions` ranges, from a sample of the keys of `pairs` that a job draws now.
    ///
    /// With few distinct keys, the last ranges are empty.
    pub(crate) fn sampled<V: Data>(
        pairs: &Rdd<(K, V)>,
        site: Site,
        ascending: bool,
        partitions: usize,
    ) -> Result<Self> {
        let mut bounds = Vec::new();
        if partitions > 1 && pairs.num_partitions() > 0 {
            let wanted = SAMPLES_PER_PARTITION.saturating_mul(partitions).saturating_mul(OVERSAMPLING);
            let each = wanted.div_ceil(pairs.num_partitions());
            let samples = pairs.run(site, move |rdd, partition, task| {
                sample(rdd.records(partition, task).map(|(key, _)| key), each, partition)
            })?;
            bounds =
                run_guarded(format!("\"{site}\" failed to order a sample of the keys"), || cut(samples, partitions))?;
        }
        Ok(Self { bounds: Arc::new(bounds), ascending, partitions })
    }
}

/// `size` keys of equal chance out of however many there are.
fn sample<K>(mut keys: impl Iterator<Item = K>, size: usize, partition: usize) -> Sample<K> {
    let mut kept: Vec<K> = keys.by_ref().take(size).collect();
    let (mut rng, mut seen) = (partition_rng(1, partition), kept.len());
    for key in keys {
        seen += 1;
        let place = rng.random_range(0..seen);
        if place < size {
            kept[place] = key;
        }
    }
    let weight = seen as f64 / kept.len().max(1) as f64;
    (kept, weight)
}

/// The bounds that cut the weighted samples into parts of nearly equal weight.
fn cut<K: Ord>(samples: Vec<Sample<K>>, partitions: usize) -> Vec<K> {
    let mut keys: Vec<(K, f64)> =
        samples.into_iter().flat_map(|(keys, weight)| keys.into_iter().map(move |key| (key, weight))).collect();
    keys.sort_by(|left, right| left.0.cmp(&right.0));
    let step = keys.iter().map(|(_, weight)| weight).sum::<f64>() / partitions as f64;
    let (mut bounds, mut below, mut target) = (Vec::new(), 0.0, step);
    for (key, weight) in keys {
        below += weight;
        if below >= target && bounds.len() + 1 < partitions && bounds.last().is_none_or(|bound| *bound < key) {
            bounds.push(key);
            target += step;
        }
    }
    bounds
}
