//! The typed handle [`Rdd`], and the erased lineage behind it.

use super::{
    aside::{self, Origin},
    cache::BlockStore,
    chunk::Chunks,
    partitioner::PartitionerId,
    session::Session,
    shuffle::ErasedShuffle,
    task::TaskContext,
};
use crate::base::{Data, Result};
use std::{fmt, panic::Location, sync::Arc};

/// The call that made an operator: its name, and where the user wrote it.
#[derive(Clone, Copy)]
pub(crate) struct Site {
    pub(crate) operation: &'static str,
    location: Option<&'static Location<'static>>,
}

impl Site {
    #[track_caller]
    pub(crate) fn here(operation: &'static str) -> Self {
        Self { operation, location: Some(Location::caller()) }
    }

    pub(crate) const fn unknown(operation: &'static str) -> Self {
        Self { operation, location: None }
    }

    /// The same place, under the name of the step that an operation is made of.
    pub(crate) fn step(self, operation: &'static str) -> Self {
        Self { operation, ..self }
    }
}

impl fmt::Display for Site {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.location {
            Some(place) => write!(f, "{} at {}:{}", self.operation, place.file(), place.line()),
            None => f.write_str(self.operation),
        }
    }
}

impl fmt::Debug for Site {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// What an Rdd is computed from.
#[derive(Clone)]
pub(crate) enum Parent {
    /// Partitions of another Rdd, read in the same task.
    Narrow(Arc<dyn ErasedRdd>),
    /// Partitions of a shuffle, which must be complete before the task starts.
    Shuffle(Arc<dyn ErasedShuffle>),
}

/// The untyped part of a node: how it hangs together with others.
pub(crate) trait Lineage: Send + Sync {
    /// How many partitions it has.
    fn partitions(&self) -> usize;

    /// What it is computed from.
    fn parents(&self) -> Vec<Parent>;

    /// Which partitions of its parent number `parent` its `partition` reads; the same one, unless it says otherwise.
    fn parent_partitions(&self, parent: usize, partition: usize) -> Vec<usize> {
        let _ = parent;
        vec![partition]
    }

    /// Process that has the data of a partition, where only one can.
    fn pinned(&self, partition: usize) -> Option<usize> {
        let _ = partition;
        None
    }

    /// Whether each record is made of one record of its parent, in the same order.
    fn is_one_to_one(&self) -> bool {
        false
    }

    /// What a partition is read from, where that is a place of its own, and whether from its beginning.
    fn source(&self, partition: usize) -> Option<(String, bool)> {
        let _ = partition;
        None
    }

    /// By which partitioner its keys are placed, if they are.
    fn partitioner(&self) -> Option<PartitionerId> {
        None
    }
}

/// How one kind of Rdd computes its partitions: a node of the lineage.
pub(crate) trait RddNode<T>: Lineage {
    /// Computes one partition, chunk by chunk.
    fn compute<'a>(&'a self, partition: usize, task: &'a TaskContext) -> Chunks<'a, T>;

    /// As [`compute`](Self::compute), in a task that puts aside what an operator, this one, cannot process.
    fn compute_aside<'a>(
        &'a self,
        partition: usize,
        task: &'a TaskContext,
        operator: &'a dyn ErasedRdd,
    ) -> Chunks<'a, T> {
        let _ = operator;
        self.compute(partition, task)
    }
}

/// What the engine and other nodes see of an Rdd of any type.
pub(crate) trait ErasedRdd: Send + Sync {
    fn id(&self) -> u64;
    fn site(&self) -> Site;
    fn lineage(&self) -> &dyn Lineage;

    /// What it is computed from; nothing, once it is checkpointed.
    fn parents(&self) -> Vec<Parent>;

    /// Whether all its partitions are kept; if so they stay until [`unpin`](Self::unpin).
    fn pin(&self) -> bool;

    fn unpin(&self);

    /// Whether the next job that computes it is to checkpoint it.
    fn wants_checkpoint(&self) -> bool;

    fn finish_checkpoint(self: Arc<Self>) -> Result<()>;

    /// From where the records of a partition come; `None` if they come from several places.
    fn origin(&self, partition: usize) -> Option<Origin>;

    /// From where the records of the one partition come that a partition is made of.
    fn origin_of_input(&self, partition: usize) -> Option<Origin>;
}

pub(crate) struct RddCore<T> {
    id: u64,
    site: Site,
    session: Arc<Session>,
    node: Box<dyn RddNode<T>>,
    storage: BlockStore<T>,
}

impl<T: Data> ErasedRdd for RddCore<T> {
    fn id(&self) -> u64 {
        self.id
    }
    fn site(&self) -> Site {
        self.site
    }
    fn lineage(&self) -> &dyn Lineage {
        &*self.node
    }
    fn parents(&self) -> Vec<Parent> {
        match self.storage.checkpoint() {
            Some(checkpoint) if checkpoint.is_complete() => Vec::new(),
            _ => self.node.parents(),
        }
    }
    fn pin(&self) -> bool {
        // What the other processes keep is not known here, and all must come to the same plan.
        !self.session.is_shared() && self.storage.pin()
    }
    fn unpin(&self) {
        self.storage.unpin();
    }
    fn wants_checkpoint(&self) -> bool {
        self.storage.checkpoint().is_some_and(|checkpoint| !checkpoint.is_complete())
    }
    fn finish_checkpoint(self: Arc<Self>) -> Result<()> {
        Rdd { core: self }.finish_checkpoint()
    }
    fn origin(&self, partition: usize) -> Option<Origin> {
        if self.node.parents().is_empty() {
            let (source, exact) = self.node.source(partition).unwrap_or_else(|| (self.site.to_string(), true));
            return Some(Origin { source, read_by: (self.id, partition), exact, through: Vec::new() });
        }
        let mut origin = self.origin_of_input(partition)?;
        // What is kept may have been computed by another task, which knows what it put aside.
        origin.exact &= self.node.is_one_to_one() && !self.storage.is_active();
        origin.through.push(self.id);
        Some(origin)
    }
    fn origin_of_input(&self, partition: usize) -> Option<Origin> {
        let parents = self.node.parents();
        let mut read = parents.iter().enumerate().flat_map(|(index, parent)| {
            self.node.parent_partitions(index, partition).into_iter().map(move |partition| (parent, partition))
        });
        match (read.next(), read.next()) {
            (Some((Parent::Narrow(parent), partition)), None) => parent.origin(partition),
            _ => None,
        }
    }
}

/// A partitioned dataset that is computed when an action asks for it.
///
/// A cheap handle: a clone is the same dataset.
///
/// # Examples
/// ```
/// use tidemill::Context;
/// let sc = Context::local(2);
/// let even = sc.range(0, 10, 1, 4).filter(|n| n % 2 == 0);
/// assert_eq!(even.collect()?, vec![0, 2, 4, 6, 8]);
/// # Ok::<(), tidemill::Error>(())
/// ```
#[must_use = "an Rdd is lazy: nothing runs until an action is called on it"]
pub struct Rdd<T> {
    core: Arc<RddCore<T>>,
}

impl<T> Clone for Rdd<T> {
    fn clone(&self) -> Self {
        Self { core: self.core.clone() }
    }
}

impl<T> fmt::Debug for Rdd<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Rdd[{}] {} ({} partitions)", self.core.id, self.core.site, self.core.node.partitions())
    }
}

impl<T: Data> RddCore<T> {
    fn compute<'a>(&'a self, partition: usize, task: &'a TaskContext) -> Chunks<'a, T> {
        let chunks = self.compute_all(partition, task);
        if task.interrupt.is_none() {
            return chunks;
        }
        Box::new(chunks.inspect(|_| task.look_for_interrupt()))
    }

    fn compute_all<'a>(&'a self, partition: usize, task: &'a TaskContext) -> Chunks<'a, T> {
        if !task.puts_aside() {
            return self.node.compute(partition, task);
        }
        let chunks = self.node.compute_aside(partition, task, self);
        if !self.node.parents().is_empty() {
            return chunks;
        }
        Box::new(chunks.inspect(move |chunk| aside::read(self.id, partition, chunk.len())))
    }
}

impl<T: Data> Rdd<T> {
    pub(crate) fn from_node(session: &Arc<Session>, site: Site, node: impl RddNode<T> + 'static) -> Self {
        let storage = BlockStore::new(node.partitions());
        let core = RddCore { id: session.next_id(), site, session: session.clone(), node: Box::new(node), storage };
        Self { core: Arc::new(core) }
    }

    /// A number that is this dataset's alone within its context.
    ///
    /// # Examples
    /// ```
    /// let numbers = tidemill::Context::local(1).range(0, 3, 1, 1);
    /// assert_eq!(numbers.id(), numbers.clone().id());
    /// assert_ne!(numbers.id(), numbers.map(|n| n + 1).id());
    /// ```
    pub fn id(&self) -> u64 {
        self.core.id
    }

    /// How many partitions it has.
    ///
    /// # Examples
    /// ```
    /// let numbers = tidemill::Context::local(2).range(0, 100, 1, 4);
    /// assert_eq!(numbers.num_partitions(), 4);
    /// assert_eq!(numbers.filter(|n| n % 2 == 0).num_partitions(), 4);
    /// ```
    pub fn num_partitions(&self) -> usize {
        self.core.node.partitions()
    }

    pub(crate) fn session(&self) -> &Arc<Session> {
        &self.core.session
    }

    pub(crate) fn site(&self) -> Site {
        self.core.site
    }

    pub(crate) fn partitioner_id(&self) -> Option<PartitionerId> {
        self.core.node.partitioner()
    }

    pub(crate) fn storage(&self) -> &BlockStore<T> {
        &self.core.storage
    }

    pub(crate) fn as_parent(&self) -> Parent {
        Parent::Narrow(self.erased())
    }

    pub(crate) fn erased(&self) -> Arc<dyn ErasedRdd> {
        self.core.clone()
    }

    /// The chunks of one partition, from the cache where it is kept there.
    pub(crate) fn chunks<'a>(&'a self, partition: usize, task: &'a TaskContext) -> Chunks<'a, T> {
        let core = &*self.core;
        if core.storage.is_active() {
            core.storage.get_or_compute(&core.session, partition, task, || core.compute(partition, task))
        } else {
            core.compute(partition, task)
        }
    }

    /// The records of one partition, one by one.
    pub(crate) fn records<'a>(&'a self, partition: usize, task: &'a TaskContext) -> impl Iterator<Item = T> + 'a {
        self.chunks(partition, task).flatten()
    }
}
