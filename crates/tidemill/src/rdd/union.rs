//! The partitions of several datasets, one after another; partition by partition where keys are placed alike.

use super::{
    chunk::Chunks,
    node::{Lineage, Parent, Rdd, RddNode, Site},
    partitioner::PartitionerId,
    session::Session,
    task::TaskContext,
};
use crate::base::{Data, Error, Result};
use std::sync::Arc;

/// A parent of a union.
struct Member<T> {
    rdd: Rdd<T>,
    /// Leading partitions of `rdd` that are no part of the union; see [`Rdd::shifted`].
    skipped: usize,
    partitions: usize,
}

struct Union<T> {
    members: Vec<Member<T>>,
}

impl<T: Data> Union<T> {
    /// In several processes, a parent whose partitions would be at another process than the union's own is moved.
    fn of(session: &Arc<Session>, site: Site, rdds: Vec<Rdd<T>>) -> Self {
        let processes = session.processes();
        let mut offset = 0;
        let members = rdds.into_iter().map(|rdd| {
            let (partitions, skipped) = (rdd.num_partitions(), offset % processes);
            offset += partitions;
            let rdd = if skipped == 0 { rdd } else { rdd.shifted(site, skipped) };
            Member { rdd, skipped, partitions }
        });
        Self { members: members.collect() }
    }

    /// The member that holds a partition, and which partition of its Rdd it is.
    fn locate(&self, mut partition: usize) -> (usize, usize) {
        for (index, member) in self.members.iter().enumerate() {
            if partition < member.partitions {
                return (index, member.skipped + partition);
            }
            partition -= member.partitions;
        }
        unreachable!("nobody asks a union for more partitions than it says it has")
    }
}

impl<T: Data> Lineage for Union<T> {
    fn partitions(&self) -> usize {
        self.members.iter().map(|member| member.partitions).sum()
    }
    fn parents(&self) -> Vec<Parent> {
        self.members.iter().map(|member| member.rdd.as_parent()).collect()
    }
    fn parent_partitions(&self, parent: usize, partition: usize) -> Vec<usize> {
        let (holder, index) = self.locate(partition);
        if holder == parent { vec![index] } else { Vec::new() }
    }
    fn is_one_to_one(&self) -> bool {
        true
    }
}

impl<T: Data> RddNode<T> for Union<T> {
    fn compute<'a>(&'a self, partition: usize, task: &'a TaskContext) -> Chunks<'a, T> {
        let (holder, index) = self.locate(partition);
        self.members[holder].rdd.chunks(index, task)
    }
}

/// Datasets that an equal partitioner placed: each partition has the records of that partition of all.
struct Merged<T> {
    members: Vec<Rdd<T>>,
    partitioner: PartitionerId,
}

impl<T: Data> Merged<T> {
    fn of(members: &[Rdd<T>]) -> Option<Self> {
        let partitioner = members.first()?.partitioner_id()?;
        let alike = members.iter().all(|member| member.partitioner_id().as_ref() == Some(&partitioner));
        alike.then(|| Self { members: members.to_vec(), partitioner })
    }
}

impl<T: Data> Lineage for Merged<T> {
    fn partitions(&self) -> usize {
        self.members[0].num_partitions()
    }
    fn parents(&self) -> Vec<Parent> {
        self.members.iter().map(Rdd::as_parent).collect()
    }
    fn is_one_to_one(&self) -> bool {
        true
    }
    fn partitioner(&self) -> Option<PartitionerId> {
        Some(self.partitioner.clone())
    }
}

impl<T: Data> RddNode<T> for Merged<T> {
    fn compute<'a>(&'a self, partition: usize, task: &'a TaskContext) -> Chunks<'a, T> {
        Box::new(self.members.iter().flat_map(move |member| member.chunks(partition, task)))
    }
}

impl<T: Data> Rdd<T> {
    /// The union by Scala's rule, in which members without partitions do not count.
    pub(crate) fn union_of(session: &Arc<Session>, site: Site, mut rdds: Vec<Rdd<T>>) -> Rdd<T> {
        rdds.retain(|rdd| rdd.num_partitions() > 0);
        match Merged::of(&rdds) {
            Some(merged) => Rdd::from_node(session, site, merged),
            None => Rdd::chained(session, site, rdds),
        }
    }

    /// The partitions of all, one dataset after another.
    pub(crate) fn chained(session: &Arc<Session>, site: Site, rdds: Vec<Rdd<T>>) -> Rdd<T> {
        Rdd::from_node(session, site, Union::of(session, site, rdds))
    }

    /// The partitions of this dataset and then those of `other`; duplicates stay. Two datasets that an equal partitioner
    /// placed give one with that partitioner, partition by partition.
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

    /// The partitions of all of `rdds`, one dataset after another; as with [`union`](Self::union) where an equal
    /// partitioner placed them all.
    ///
    /// # Errors
    /// If `rdds` is empty.
    ///
    /// # Examples
    /// ```
    /// use tidemill::Rdd;
    /// let sc = tidemill::Context::local(1);
    /// let days = [sc.range(0, 2, 1, 1), sc.range(5, 6, 1, 2), sc.range(8, 9, 1, 1)];
    /// let all = Rdd::union_all(&days)?;
    /// assert_eq!((all.num_partitions(), all.collect()?), (4, vec![0, 1, 5, 8]));
    /// # Ok::<(), tidemill::Error>(())
    /// ```
    #[track_caller]
    pub fn union_all(rdds: &[Rdd<T>]) -> Result<Rdd<T>> {
        let site = Site::here("union_all");
        match rdds {
            [] => Err(Error::invalid(format!("\"{site}\" was given no datasets; give it at least one"))),
            [first, ..] => Ok(Rdd::union_of(first.session(), site, rdds.to_vec())),
        }
    }
}
