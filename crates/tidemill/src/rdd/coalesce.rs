//! Fewer partitions without a shuffle: neighbours become one.

use super::{
    chunk::Chunks,
    node::{Lineage, Parent, Rdd, RddNode, Site},
    repartition::at_least_one,
    source::slice_bounds,
    task::TaskContext,
};
use crate::base::{Data, Result};

/// Partition `i` of `p` is the parent's partitions `[i*n/p, (i+1)*n/p)`.
struct Coalesced<T> {
    parent: Rdd<T>,
    partitions: usize,
}

impl<T: Data> Coalesced<T> {
    fn group(&self, partition: usize) -> std::ops::Range<usize> {
        slice_bounds(self.parent.num_partitions(), partition, self.partitions)
    }
}

impl<T: Data> Lineage for Coalesced<T> {
    fn partitions(&self) -> usize {
        self.partitions
    }
    fn parents(&self) -> Vec<Parent> {
        vec![self.parent.as_parent()]
    }
    fn parent_partitions(&self, _parent: usize, partition: usize) -> Vec<usize> {
        self.group(partition).collect()
    }
}

impl<T: Data> RddNode<T> for Coalesced<T> {
    fn compute<'a>(&'a self, partition: usize, task: &'a TaskContext) -> Chunks<'a, T> {
        Box::new(self.group(partition).flat_map(move |member| self.parent.chunks(member, task)))
    }
}

impl<T: Data> Rdd<T> {
    /// The same records in the same order in at most `partitions` partitions: neighbours become one, nothing is moved.
    ///
    /// Asking for more partitions than there are changes nothing; for more, or for even ones, see
    /// [`repartition`](Self::repartition).
    ///
    /// # Errors
    /// If `partitions` is 0.
    ///
    /// # Examples
    /// ```
    /// let sc = tidemill::Context::local(1);
    /// let fewer = sc.range(0, 5, 1, 5).coalesce(2)?;
    /// assert_eq!(fewer.glom().collect()?, vec![vec![0, 1], vec![2, 3, 4]]);
    /// # Ok::<(), tidemill::Error>(())
    /// ```
    #[track_caller]
    pub fn coalesce(&self, partitions: usize) -> Result<Rdd<T>> {
        let site = Site::here("coalesce");
        Ok(self.coalesce_at(site, at_least_one(site, partitions)?))
    }

    pub(crate) fn coalesce_at(&self, site: Site, partitions: usize) -> Rdd<T> {
        let before = self.num_partitions();
        if partitions >= before {
            return self.clone();
        }
        if self.session().processes() > 1 {
            let group = move |member| (0..partitions).rfind(|&i| slice_bounds(before, i, partitions).start <= member);
            return self.gathered(site, partitions, move |member| group(member).unwrap_or(0));
        }
        Rdd::from_node(self.session(), site, Coalesced { parent: self.clone(), partitions })
    }
}
