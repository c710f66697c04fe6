//! Rdds that start a lineage: values of the driver, ranges, nothing, and unions.

use super::{
    chunk::{Chunked, Chunks, cloned},
    node::{Lineage, Parent, Rdd, RddNode, Site},
    session::Session,
    task::TaskContext,
};
use crate::base::Data;
use std::sync::Arc;

/// Values of the driver, cut into partitions as Spark cuts them: slice `i` of `p` is `[i*n/p, (i+1)*n/p)`.
struct Parallelized<T> {
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
    fn compute<'a>(&'a self, partition: usize, _task: &'a TaskContext) -> Chunks<'a, T> {
        Box::new(cloned(&self.values[slice_bounds(self.values.len(), partition, self.partitions)]))
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
        Box::new(Chunked(bounds.map(move |i| self.start + i as i64 * self.step)))
    }
}

/// The partitions of several Rdds, one after another.
struct Union<T> {
    parents: Vec<Rdd<T>>,
}

impl<T: Data> Union<T> {
    /// The parent that holds a partition, and which of its partitions it is.
    fn locate(&self, mut partition: usize) -> (usize, usize) {
        for (parent, rdd) in self.parents.iter().enumerate() {
            if partition < rdd.num_partitions() {
                return (parent, partition);
            }
            partition -= rdd.num_partitions();
        }
        panic!("a union has fewer partitions than it was asked for")
    }
}

impl<T: Data> Lineage for Union<T> {
    fn partitions(&self) -> usize {
        self.parents.iter().map(Rdd::num_partitions).sum()
    }
    fn parents(&self) -> Vec<Parent> {
        self.parents.iter().map(Rdd::as_parent).collect()
    }
    fn parent_partitions(&self, parent: usize, partition: usize) -> Vec<usize> {
        let (holder, index) = self.locate(partition);
        if holder == parent { vec![index] } else { Vec::new() }
    }
}

impl<T: Data> RddNode<T> for Union<T> {
    fn compute<'a>(&'a self, partition: usize, task: &'a TaskContext) -> Chunks<'a, T> {
        let (parent, index) = self.locate(partition);
        self.parents[parent].chunks(index, task)
    }
}

impl<T: Data> Rdd<T> {
    pub(crate) fn parallelized(session: &Arc<Session>, site: Site, values: Vec<T>, partitions: usize) -> Rdd<T> {
        Rdd::from_node(session, site, Parallelized { values, partitions })
    }

    pub(crate) fn union_of(session: &Arc<Session>, site: Site, rdds: Vec<Rdd<T>>) -> Rdd<T> {
        Rdd::from_node(session, site, Union { parents: rdds })
    }

    /// The partitions of this dataset and then those of `other`; duplicates stay.
    ///
    /// # Examples
    /// ```
    /// let sc = tidemill::Context::local(1);
    /// let both = sc.range(0, 2, 1, 1).union(&sc.range(0, 1, 1, 1));
    /// assert_eq!(both.collect()?, vec![0, 1, 0]);
    /// # Ok::<(), tidemill::Error>(())
    /// ```
    #[track_caller]
    pub fn union(&self, other: &Rdd<T>) -> Rdd<T> {
        Rdd::union_of(self.session(), Site::here("union"), vec![self.clone(), other.clone()])
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
