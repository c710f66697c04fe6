//! Moves whole partitions between processes, for operators that read partitions of other indices than their own.
//!
//! The home of partition `p` of every Rdd is process `p % processes`. An operator whose partition `p` reads partition
//! `q` of a parent in the same task is right only if `p` and `q` have the same home; in one process all have.

use super::{
    node::{Rdd, Site},
    session::Session,
    shuffle::{Emit, Shuffle, Shuffled},
    task::{Cursor, TaskContext, guarded},
};
use crate::base::Data;
use std::sync::Arc;

impl Session {
    /// How many processes work on a job.
    pub(crate) fn processes(&self) -> usize {
        self.runner().process().1.max(1)
    }
}

/// Emits a whole partition chunk by chunk.
fn emit_all<T: Data>(parent: &Rdd<T>, partition: usize, task: &TaskContext, target: usize, emit: &mut Emit<'_, T>) {
    parent.chunks(partition, task).for_each(|chunk| emit(target, chunk));
}

impl<T: Data> Rdd<T> {
    /// `partitions` partitions; each holds those partitions of this dataset that `target` sends there, in their order.
    pub(crate) fn gathered(
        &self,
        site: Site,
        partitions: usize,
        target: impl Fn(usize) -> usize + Send + Sync + 'static,
    ) -> Rdd<T> {
        let parent = self.clone();
        let shuffle = Shuffle::new(self, site, partitions, move |partition, task, emit| {
            emit_all(&parent, partition, task, target(partition), emit);
        });
        Rdd::from_node(self.session(), site, Shuffled { shuffle, partitioner: None })
    }

    /// This dataset with every partition at its home, wherever its data is.
    pub(crate) fn at_home(self, site: Site) -> Rdd<T> {
        let is_elsewhere = |partition| self.erased().lineage().pinned(partition).is_some();
        if self.session().processes() == 1 || !(0..self.num_partitions()).any(is_elsewhere) {
            return self;
        }
        self.gathered(site, self.num_partitions(), |partition| partition)
    }

    /// This dataset behind `by` empty partitions, so that its partition `q` is at the home of `q + by`.
    pub(crate) fn shifted(&self, site: Site, by: usize) -> Rdd<T> {
        self.gathered(site, self.num_partitions() + by, move |partition| partition + by)
    }

    /// All of this dataset at every process: reduce partition `i` is at process `i`, and
    /// [`read_from`](Shuffle::read_from) tells the partitions apart.
    pub(crate) fn broadcast_to_processes(&self, site: Site) -> Arc<Shuffle<T>> {
        let (parent, processes) = (self.clone(), self.session().processes());
        Shuffle::new(self, site, processes, move |partition, task, emit| {
            for chunk in parent.chunks(partition, task) {
                for process in 1..processes {
                    emit(process, guarded(&site, task, &Cursor::default(), || chunk.clone()));
                }
                emit(0, chunk);
            }
        })
    }
}
