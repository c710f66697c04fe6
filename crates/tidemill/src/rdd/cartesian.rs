//! Every record of one dataset with every record of another.

use super::{
    chunk::{Chunked, Chunks},
    node::{Lineage, Parent, Rdd, RddNode, Site},
    shuffle::{Shuffle, shared_chunks},
    task::{Cursor, TaskContext, guarded},
};
use crate::base::Data;
use std::{iter, sync::Arc};

/// A parent any of whose partitions can be read in any task.
enum Everywhere<T> {
    /// There is but one process.
    Here(Rdd<T>),
    /// A copy is at each process.
    Broadcast(Rdd<T>, Arc<Shuffle<T>>),
}

impl<T: Data> Everywhere<T> {
    fn of(site: Site, rdd: &Rdd<T>) -> Self {
        if rdd.session().processes() == 1 {
            return Everywhere::Here(rdd.clone());
        }
        Everywhere::Broadcast(rdd.clone(), rdd.broadcast_to_processes(site))
    }

    fn rdd(&self) -> &Rdd<T> {
        match self {
            Everywhere::Here(rdd) | Everywhere::Broadcast(rdd, _) => rdd,
        }
    }

    fn as_parent(&self) -> Parent {
        match self {
            Everywhere::Here(rdd) => rdd.as_parent(),
            Everywhere::Broadcast(_, shuffle) => Parent::Shuffle(shuffle.clone()),
        }
    }

    /// The partition of the parent that is read for `wanted` by a task whose own partition is `reader`.
    fn read_partition(&self, wanted: usize, reader: usize) -> usize {
        match self {
            Everywhere::Here(_) => wanted,
            Everywhere::Broadcast(rdd, _) => reader % rdd.session().processes(),
        }
    }

    fn chunks<'a>(&'a self, site: &'a Site, wanted: usize, reader: usize, task: &'a TaskContext) -> Chunks<'a, T> {
        match self {
            Everywhere::Here(rdd) => rdd.chunks(wanted, task),
            Everywhere::Broadcast(_, shuffle) => {
                let buckets = shuffle.read_from(wanted, self.read_partition(wanted, reader));
                Box::new(buckets.into_iter().flat_map(move |bucket| shared_chunks(site, task, bucket)))
            }
        }
    }
}

/// Partition `i * right + j` is left partition `i` with right partition `j`.
struct Cartesian<A, B> {
    left: Everywhere<A>,
    right: Everywhere<B>,
    site: Site,
}

impl<A: Data, B: Data> Cartesian<A, B> {
    fn locate(&self, partition: usize) -> (usize, usize) {
        let rights = self.right.rdd().num_partitions();
        (partition / rights, partition % rights)
    }
}

impl<A: Data, B: Data> Lineage for Cartesian<A, B> {
    fn partitions(&self) -> usize {
        self.left.rdd().num_partitions() * self.right.rdd().num_partitions()
    }
    fn parents(&self) -> Vec<Parent> {
        vec![self.left.as_parent(), self.right.as_parent()]
    }
    fn parent_partitions(&self, parent: usize, partition: usize) -> Vec<usize> {
        let (left, right) = self.locate(partition);
        vec![match parent {
            0 => self.left.read_partition(left, partition),
            _ => self.right.read_partition(right, partition),
        }]
    }
}

impl<A: Data, B: Data> RddNode<(A, B)> for Cartesian<A, B> {
    /// The right partition is read once and kept while the left one streams past it.
    fn compute<'a>(&'a self, partition: usize, task: &'a TaskContext) -> Chunks<'a, (A, B)> {
        let (left, right) = self.locate(partition);
        let rights: Arc<Vec<B>> = Arc::new(self.right.chunks(&self.site, right, partition, task).flatten().collect());
        let lefts = self.left.chunks(&self.site, left, partition, task).flatten();
        let mut pairs = Chunked(lefts.flat_map(move |left| {
            let rights = rights.clone();
            (0..rights.len()).map(move |i| (left.clone(), rights[i].clone()))
        }));
        let cursor = Cursor::default();
        Box::new(iter::from_fn(move || guarded(&self.site, task, &cursor, || pairs.next())))
    }
}

impl<T: Data> Rdd<T> {
    /// Every record with every record of `other`, in `left * right` partitions.
    ///
    /// Partition by partition of the left one, and within it record by record.
    ///
    /// # Examples
    /// ```
    /// let sc = tidemill::Context::local(1);
    /// let grid = sc.range(0, 2, 1, 1).cartesian(&sc.parallelize(vec!['a', 'b'], 2));
    /// assert_eq!(grid.collect()?, vec![(0, 'a'), (1, 'a'), (0, 'b'), (1, 'b')]);
    /// # Ok::<(), tidemill::Error>(())
    /// ```
    #[track_caller]
    pub fn cartesian<U: Data>(&self, other: &Rdd<U>) -> Rdd<(T, U)> {
        let site = Site::here("cartesian");
        let node = Cartesian { left: Everywhere::of(site, self), right: Everywhere::of(site, other), site };
        Rdd::from_node(self.session(), site, node)
    }
}
