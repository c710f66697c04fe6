//! A dataset of which is known how its records are placed.

use super::{
    chunk::Chunks,
    node::{Lineage, Parent, Rdd, RddNode, Site},
    partitioner::{PartitionerId, PartitionerRef},
    task::TaskContext,
};
use crate::base::Data;

struct Placed<T> {
    parent: Rdd<T>,
    partitioner: PartitionerId,
}

impl<T: Data> Lineage for Placed<T> {
    fn partitions(&self) -> usize {
        self.parent.num_partitions()
    }
    fn parents(&self) -> Vec<Parent> {
        vec![self.parent.as_parent()]
    }
    fn is_one_to_one(&self) -> bool {
        true
    }
    fn partitioner(&self) -> Option<PartitionerId> {
        Some(self.partitioner.clone())
    }
}

impl<T: Data> RddNode<T> for Placed<T> {
    fn compute<'a>(&'a self, partition: usize, task: &'a TaskContext) -> Chunks<'a, T> {
        self.parent.chunks(partition, task)
    }
}

impl<T: Data> Rdd<T> {
    /// The partitioner that placed the records, if it is known and places keys of type `K`.
    ///
    /// # Examples
    /// ```
    /// let pairs = tidemill::Context::local(1).parallelize(vec![(1, 'a'), (2, 'b')], 2);
    /// assert!(pairs.partitioner::<i32>().is_none());
    /// assert_eq!(pairs.partition_by(3).partitioner::<i32>().map(|known| known.partitions()), Some(3));
    /// ```
    pub fn partitioner<K: 'static>(&self) -> Option<PartitionerRef<K>> {
        self.partitioner_id()?.partitioner()
    }

    /// The same records, said to be where `partitioner` places them. That is believed: operations by key do not move
    /// them, and a union with what an equal partitioner placed goes partition by partition.
    ///
    /// # Examples
    /// ```
    /// use std::sync::Arc;
    /// use tidemill::HashPartitioner;
    /// let counts = tidemill::Context::local(1).parallelize(vec![(1, 5), (2, 6)], 1).partition_by(2);
    /// // A map forgets where keys are, for it may change them.
    /// let doubled = counts.map(|(key, count)| (key, 2 * count));
    /// let known = doubled.with_partitioner::<i32>(Arc::new(HashPartitioner::new(2)));
    /// assert_eq!((doubled.union(&doubled).num_partitions(), known.union(&known).num_partitions()), (4, 2));
    /// ```
    #[track_caller]
    pub fn with_partitioner<K: 'static>(&self, partitioner: PartitionerRef<K>) -> Rdd<T> {
        let partitioner = PartitionerId::of(&partitioner);
        if self.partitioner_id().as_ref() == Some(&partitioner) {
            return self.clone();
        }
        let node = Placed { parent: self.clone(), partitioner };
        Rdd::from_node(self.session(), Site::here("with_partitioner"), node)
    }
}
