//! State that stays in the workers from batch to batch, partition by partition.
//!
//! A batch changes it in place but keeps what is needed to undo: if any output of the batch fails, the state is rolled
//! back, and a batch that failed leaves no trace. What the state emits is read from it chunk by chunk, never copied as a
//! whole.
//!
//! Where the program has a checkpoint, the task that applies a batch to a partition also writes down what that changed,
//! while it is in the processor's cache.

mod chains;

pub(crate) use chains::{Chains, Listed, Marks};

use crate::{
    base::{Data, Error, Key, Result, Time},
    checkpoint::{Delta, DeltaWriter},
    rdd::{
        Lineage, Parent, PartitionerId, PartitionerRef, Rdd, RddNode, Site, TaskContext,
        chunk::{CHUNK_RECORDS, Chunks},
        task::{Cursor, guarded},
    },
};
use std::{
    panic::{AssertUnwindSafe, catch_unwind, resume_unwind},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

/// One partition of an operator's state, and how a batch changes it.
pub(crate) trait StatePartition: Send + 'static {
    /// Records of a batch, already placed by key.
    type In: Data;
    /// Records of the state given at the start.
    type Initial: Data;
    /// What a checkpoint knows of it by: keys, and what each is worth, or was worth to one batch.
    type Key: Key;
    type Value: Data;

    /// The kind of operator, and what keys and values are: another text means that these cannot be taken in. What may
    /// differ from one start to the next, such as the length of a window, is not in it.
    fn types() -> String;

    /// Takes in the state given at the start, before the first batch; what an earlier try left is dropped.
    fn load(&mut self, time: Time, initial: &mut dyn Iterator<Item = Self::Initial>);

    /// Applies the batch at `time`; what it changes can be undone until `commit`, also if it panics half-way.
    fn apply(&mut self, time: Time, batch: Chunks<'_, Self::In>, cursor: &Cursor);

    /// Makes the last batch final.
    fn commit(&mut self);

    /// Undoes the last batch, as far as it was applied.
    fn roll_back(&mut self);

    /// Writes what the batch at `time` changed, after it was applied and before it is committed or rolled back; at most
    /// once.
    ///
    /// # Errors
    /// Data, if a key or a value cannot be serialised.
    fn write_changes(&mut self, time: Time, delta: &mut DeltaWriter) -> Result<()>;

    /// Replaces all it has by what was remembered after the batch at `last_done`, in the order of the times.
    ///
    /// # Errors
    /// Data, if a key or a value cannot be serialised.
    fn restore(&mut self, last_done: Time, entries: Vec<(Time, Self::Key, Self::Value)>) -> Result<()>;
}

/// Emits a chunk of what a partition has from a position on; the position after it, `None` at the end.
pub(crate) type Emit<P, T> = fn(&P, usize, &mut Vec<T>) -> Option<usize>;

/// Emits what `pair` makes of the slots from `from` on, as an [`Emit`] does.
#[inline]
pub(crate) fn emit_slots<T>(
    slots: usize,
    from: usize,
    chunk: &mut Vec<T>,
    mut record: impl FnMut(usize) -> Option<T>,
) -> Option<usize> {
    for slot in from..slots {
        if chunk.len() == CHUNK_RECORDS {
            return Some(slot);
        }
        chunk.extend(record(slot));
    }
    None
}

/// What the scheduler sees of the state of an operator.
pub(crate) trait ResidentState: Send + Sync {
    /// Whether every partition has applied the batch at `time`.
    fn is_at(&self, time: Time) -> bool;
    fn commit(&self, time: Time);
    fn roll_back(&self, time: Time);
    fn checkpointed(&self) -> &dyn CheckpointedState;
}

/// State as a checkpoint sees it: bytes of keys and values.
pub(crate) trait CheckpointedState: Send + Sync {
    /// What keys and values are, and what else the meaning of the bytes depends on: another text means that what was
    /// remembered cannot be taken in.
    fn types(&self) -> String;

    /// What the batch at `time` changed in the partitions of this process, before it is committed; `None` if nothing.
    ///
    /// # Errors
    /// Data, if a key or a state cannot be serialised.
    fn changes(&self, time: Time) -> Result<Option<Delta>>;

    /// Takes in what was remembered after the batch at `last_done`, the oldest changes first: the keys of the partitions
    /// of this process.
    ///
    /// # Errors
    /// Data, if it cannot be read as what the operator keeps.
    fn restore(&self, last_done: Time, deltas: &[Delta]) -> Result<()>;
}

pub(super) struct Versioned<P> {
    pub(super) partition: P,
    pub(super) loaded: bool,
    /// The last batch that is final, and the one that may still be undone.
    pub(super) committed: Option<Time>,
    pub(super) pending: Option<Time>,
    /// The last batch that ended, well or badly: no batch up to it is applied any more.
    pub(super) ended: Option<Time>,
    /// What the pending batch changed, if the program has a checkpoint.
    pub(super) changes: DeltaWriter,
}

impl<P> Versioned<P> {
    fn is_at(&self, time: Time) -> bool {
        self.pending.or(self.committed) == Some(time)
    }
}

/// The state of one operator.
pub(crate) struct Resident<P: StatePartition> {
    pub(super) partitions: Vec<Mutex<Versioned<P>>>,
    pub(super) partitioner: PartitionerRef<P::Key>,
    /// The index of this process, and how many there are.
    pub(super) process: (usize, usize),
    /// Which partitions this process computes.
    pub(super) here: Vec<usize>,
}

impl<P: StatePartition> Resident<P> {
    pub(crate) fn new(
        partitioner: PartitionerRef<P::Key>,
        process: (usize, usize),
        mut make: impl FnMut() -> P,
    ) -> Arc<Self> {
        let partitions = partitioner.partitions();
        let versioned = |partition| Versioned {
            partition,
            loaded: false,
            committed: None,
            pending: None,
            ended: None,
            changes: DeltaWriter::new(),
        };
        Arc::new(Self {
            partitioner,
            partitions: (0..partitions).map(|_| Mutex::new(versioned(make()))).collect(),
            here: (0..partitions).filter(|partition| partition % process.1 == process.0).collect(),
            process,
        })
    }

    pub(crate) fn partitions(&self) -> usize {
        self.partitions.len()
    }

    pub(super) fn lock(&self, partition: usize) -> MutexGuard<'_, Versioned<P>> {
        self.partitions[partition].lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether every partition has taken in the state given at the start. Never on several processes: each sees only
    /// its own partitions, and all must plan alike.
    pub(crate) fn is_loaded(&self) -> bool {
        self.process.1 == 1 && self.here.iter().all(|&partition| self.lock(partition).loaded)
    }
}

impl<P: StatePartition> ResidentState for Resident<P> {
    fn is_at(&self, time: Time) -> bool {
        self.here.iter().all(|&partition| self.lock(partition).is_at(time))
    }

    fn commit(&self, time: Time) {
        for &partition in &self.here {
            let mut versioned = self.lock(partition);
            if versioned.pending == Some(time) {
                versioned.partition.commit();
                versioned.pending = None;
                versioned.committed = Some(time);
            }
            versioned.ended = versioned.ended.max(Some(time));
        }
    }

    fn checkpointed(&self) -> &dyn CheckpointedState {
        self
    }

    fn roll_back(&self, time: Time) {
        for &partition in &self.here {
            let mut versioned = self.lock(partition);
            if versioned.pending == Some(time) {
                versioned.partition.roll_back();
                versioned.pending = None;
            }
            versioned.ended = versioned.ended.max(Some(time));
        }
    }
}

/// What one batch does to the state of an operator: applied once, whichever of the operator's streams is read first.
pub(crate) struct StateBatch<P: StatePartition> {
    pub(crate) state: Arc<Resident<P>>,
    pub(crate) site: Site,
    pub(crate) time: Time,
    /// What enters the state, with as many partitions as the state; `None` where the parent has no batch.
    pub(crate) input: Option<Rdd<P::In>>,
    /// Only a parent of the first batch.
    pub(crate) initial: Option<Rdd<P::Initial>>,
    /// Whether a state was given at the start, now or at an earlier batch.
    pub(crate) has_initial: bool,
    /// Whether a checkpoint is to hold what the batch changes.
    pub(crate) is_remembered: bool,
}

impl<P: StatePartition> StateBatch<P> {
    fn parents(&self) -> Vec<Parent> {
        self.input.iter().map(Rdd::as_parent).chain(self.initial.iter().map(Rdd::as_parent)).collect()
    }

    fn apply(&self, versioned: &mut Versioned<P>, partition: usize, task: &TaskContext) {
        let cursor = Cursor::default();
        let outcome = catch_unwind(AssertUnwindSafe(|| {
            guarded(&self.site, task, &cursor, || {
                if !versioned.loaded {
                    let mut initial = self.initial.iter().flat_map(|rdd| rdd.records(partition, task));
                    versioned.partition.load(self.time, &mut initial);
                    versioned.loaded = true;
                }
                let batch: Chunks<'_, P::In> = match &self.input {
                    Some(rdd) => rdd.chunks(partition, task),
                    None => Box::new(std::iter::empty()),
                };
                versioned.partition.apply(self.time, batch, &cursor);
            });
            if self.is_remembered {
                guarded(&self.site, task, &Cursor::default(), || task.expect(self.write(versioned, partition)));
            }
        }));
        if let Err(panic) = outcome {
            versioned.partition.roll_back();
            resume_unwind(panic);
        }
        versioned.pending = Some(self.time);
    }

    /// Writes down what the batch has changed in a partition.
    fn write(&self, versioned: &mut Versioned<P>, partition: usize) -> Result<()> {
        let changes = &mut versioned.changes;
        changes.clear();
        if self.has_initial && partition == 0 && versioned.committed.is_none() {
            changes.mark_begun();
        }
        let written = versioned.partition.write_changes(self.time, changes);
        written
            .and_then(|()| changes.read_again::<P::Key, P::Value>())
            .map_err(|error| error.context(format_args!("\"{}\" cannot be remembered", self.site)))
    }

    /// Applies the batch if that is still to be done.
    fn bring_to_time(&self, versioned: &mut Versioned<P>, partition: usize, task: &TaskContext) -> Result<()> {
        if versioned.is_at(self.time) {
            return Ok(());
        }
        if versioned.pending.is_none() && versioned.ended.is_none_or(|ended| ended < self.time) {
            self.apply(versioned, partition, task);
            return Ok(());
        }
        Err(Error::invalid(format!(
            "\"{}\" was asked for the batch of {}, but its state is that of {}; persist the stream to read older \
             batches of it",
            self.site,
            self.time,
            versioned.pending.or(versioned.committed).unwrap_or_default()
        )))
    }
}

/// What an operator emits of its state for one batch; computing it applies the batch.
pub(crate) struct StateRdd<P: StatePartition, T> {
    pub(crate) batch: Arc<StateBatch<P>>,
    pub(crate) emit: Emit<P, T>,
    pub(crate) partitioner: Option<PartitionerId>,
}

impl<P: StatePartition, T: Data> Lineage for StateRdd<P, T> {
    fn partitions(&self) -> usize {
        self.batch.state.partitions()
    }
    fn parents(&self) -> Vec<Parent> {
        self.batch.parents()
    }
    fn partitioner(&self) -> Option<PartitionerId> {
        self.partitioner.clone()
    }
}

impl<P: StatePartition, T: Data> RddNode<T> for StateRdd<P, T> {
    fn compute<'a>(&'a self, partition: usize, task: &'a TaskContext) -> Chunks<'a, T> {
        let mut position = Some(0);
        Box::new(std::iter::from_fn(move || {
            while let Some(from) = position {
                let mut chunk = Vec::with_capacity(CHUNK_RECORDS);
                position = self.chunk(from, &mut chunk, partition, task);
                if !chunk.is_empty() {
                    return Some(chunk);
                }
            }
            None
        }))
    }
}

impl<P: StatePartition, T: Data> StateRdd<P, T> {
    /// The lock is held for one chunk only, so that a reader may read two partitions at once, or one twice.
    fn chunk(&self, from: usize, chunk: &mut Vec<T>, partition: usize, task: &TaskContext) -> Option<usize> {
        let batch = &self.batch;
        let mut versioned = batch.state.lock(partition);
        task.expect(batch.bring_to_time(&mut versioned, partition, task));
        guarded(&batch.site, task, &Cursor::default(), || (self.emit)(&versioned.partition, from, chunk))
    }
}
