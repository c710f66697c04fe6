//! The node of two parents with the same number of partitions: zip, cogroup, subtract and their kin.

use super::{
    chunk::Chunks,
    node::{Lineage, Parent, Rdd, RddNode, Site},
    partitioner::PartitionerId,
    task::{Cursor, TaskContext, guarded},
};
use crate::base::Data;

struct ZipPartitions<A, B, F> {
    left: Rdd<A>,
    right: Rdd<B>,
    site: Site,
    partitioner: Option<PartitionerId>,
    f: F,
}

impl<A: Data, B: Data, F: Send + Sync> Lineage for ZipPartitions<A, B, F> {
    fn partitions(&self) -> usize {
        self.left.num_partitions()
    }
    fn parents(&self) -> Vec<Parent> {
        vec![self.left.as_parent(), self.right.as_parent()]
    }
    fn partitioner(&self) -> Option<PartitionerId> {
        self.partitioner.clone()
    }
}

impl<A: Data, B: Data, U: Data, F> RddNode<U> for ZipPartitions<A, B, F>
where
    F: for<'a> Fn(Chunks<'a, A>, Chunks<'a, B>, &'a TaskContext) -> Chunks<'a, U> + Send + Sync,
{
    fn compute<'a>(&'a self, partition: usize, task: &'a TaskContext) -> Chunks<'a, U> {
        let (left, right) = (self.left.chunks(partition, task), self.right.chunks(partition, task));
        let cursor = Cursor::default();
        let mut made = guarded(&self.site, task, &cursor, || (self.f)(left, right, task));
        Box::new(std::iter::from_fn(move || guarded(&self.site, task, &cursor, || made.next())))
    }
}

impl<A: Data> Rdd<A> {
    /// Makes the chunks of each partition of those of the same partition of two parents, which have equally many.
    ///
    /// Both are at the same process by themselves. `keeps_partitioner` says that keys stay where the left one has them.
    pub(crate) fn zip_chunks<B: Data, U: Data>(
        &self,
        site: Site,
        right: &Rdd<B>,
        keeps_partitioner: bool,
        f: impl for<'a> Fn(Chunks<'a, A>, Chunks<'a, B>, &'a TaskContext) -> Chunks<'a, U> + Send + Sync + 'static,
    ) -> Rdd<U> {
        let partitioner = self.partitioner_id().filter(|_| keeps_partitioner);
        let node = ZipPartitions { left: self.clone(), right: right.clone(), site, partitioner, f };
        Rdd::from_node(self.session(), site, node)
    }
}
