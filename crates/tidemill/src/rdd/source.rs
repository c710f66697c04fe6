//! Rdds that start a lineage: values of the driver, ranges, and nothing.

use super::{
    chunk::{Chunked, Chunks, cloned},
    node::{Lineage, Parent, Rdd, RddNode, Site},
    session::Session,
    task::{Cursor, TaskContext, guarded},
};
use crate::base::Data;
use std::{iter, sync::Arc};

/// Values of the driver, cut into partitions as Spark cuts them: slice `i` of `p` is `[i*n/p, (i+1)*n/p)`.
struct Parallelized<T> {
    site: Site,
    values: Vec<T>,
    partitions: usize,
}

/// Bounds of slice `index` of `count` slices of `len` values.
pub(crate) fn slice_bounds(len: usize, index: usize, count: usize) -> std::ops::Range<usize> {
    let at = |i: usize| (i as u128 * len as u128 / count.max(1) as u128) as usize;
    at(index)..at(index + 1)
}

impl<T: Data> Lineage for Parallelized<T> {
    fn partitions(&self) -> usize {
        self.partitions
    }
    fn parents(&self) -> Vec<Parent> {
        Vec::new()
    }
}

impl<T: Data> RddNode<T> for Parallelized<T> {
    fn compute<'a>(&'a self, partition: usize, task: &'a TaskContext) -> Chunks<'a, T> {
        let mut chunks = cloned(&self.values[slice_bounds(self.values.len(), partition, self.partitions)]);
        Box::new(iter::from_fn(move || guarded(&self.site, task, &Cursor::default(), || chunks.next())))
    }
}

/// Numbers that are made where they are needed.
struct Range {
    start: i64,
    step: i64,
    len: usize,
    partitions: usize,
}

impl Lineage for Range {
    fn partitions(&self) -> usize {
        self.partitions
    }
    fn parents(&self) -> Vec<Parent> {
        Vec::new()
    }
}

impl RddNode<i64> for Range {
    fn compute<'a>(&'a self, partition: usize, _task: &'a TaskContext) -> Chunks<'a, i64> {
        let bounds = slice_bounds(self.len, partition, self.partitions);
        // The number fits, even where the product alone does not: what wraps around twice is exact.
        Box::new(Chunked(bounds.map(move |i| self.start.wrapping_add((i as i64).wrapping_mul(self.step)))))
    }
}

impl<T: Data> Rdd<T> {
    pub(crate) fn parallelized(session: &Arc<Session>, site: Site, values: Vec<T>, partitions: usize) -> Rdd<T> {
        Rdd::from_node(session, site, Parallelized { site, values, partitions })
    }
}

/// The numbers from `start` until `end` by `step`.
pub(crate) fn range(
    session: &Arc<Session>,
    site: Site,
    start: i64,
    end: i64,
    step: i64,
    partitions: usize,
) -> Rdd<i64> {
    let len = if step > 0 && end > start {
        (end.abs_diff(start)).div_ceil(step as u64)
    } else if step < 0 && end < start {
        (start.abs_diff(end)).div_ceil(step.unsigned_abs())
    } else {
        0
    };
    Rdd::from_node(session, site, Range { start, step, len: len as usize, partitions })
}

/// Partitions that are kept, with nothing above them.
struct Kept<T> {
    partitions: Vec<Arc<Vec<T>>>,
    partitioner: Option<super::partitioner::PartitionerId>,
}

impl<T: Data> Lineage for Kept<T> {
    fn partitions(&self) -> usize {
        self.partitions.len()
    }
    fn parents(&self) -> Vec<Parent> {
        Vec::new()
    }
    fn partitioner(&self) -> Option<super::partitioner::PartitionerId> {
        self.partitioner.clone()
    }
}

impl<T: Data> RddNode<T> for Kept<T> {
    fn compute<'a>(&'a self, partition: usize, _task: &'a TaskContext) -> Chunks<'a, T> {
        Box::new(cloned(&self.partitions[partition]))
    }
}

impl<T: Data> Rdd<T> {
    /// The same dataset without what it was made from, if every partition of it is kept.
    ///
    /// Never on several processes: each keeps only its own partitions, and all must decide alike.
    pub(crate) fn without_lineage(&self) -> Option<Rdd<T>> {
        if self.session().processes() > 1 {
            return None;
        }
        let partitions = self.storage().all()?;
        let node = Kept { partitions, partitioner: self.partitioner_id() };
        Some(Rdd::from_node(self.session(), self.site(), node))
    }
}

impl<T: Data> Rdd<T> {
    /// A dataset of these partitions.
    pub(crate) fn of_partitions(session: &Arc<Session>, site: Site, partitions: Vec<Vec<T>>) -> Rdd<T> {
        let partitions = partitions.into_iter().map(Arc::new).collect();
        Rdd::from_node(session, site, Kept { partitions, partitioner: None })
    }
}
