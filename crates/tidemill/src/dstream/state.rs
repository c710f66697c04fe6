//! State that stays in the workers from batch to batch, partition by partition.
//!
//! A batch changes it in place but keeps what is needed to undo: if any output of the batch fails, the state is rolled
//! back, and a batch that failed leaves no trace.

use crate::{
    base::{Data, Error, Result, Time},
    rdd::{
        Lineage, Parent, Rdd, RddNode, Site, TaskContext,
        chunk::Chunks,
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
    /// Records that the operator emits.
    type Out: Data;

    /// Takes in the state given at the start, before the first batch.
    fn load(&mut self, time: Time, initial: &mut dyn Iterator<Item = Self::Initial>);

    /// Applies the batch at `time`; what it changes can be undone until `commit`.
    fn apply(&mut self, time: Time, inputs: Inputs<'_, Self::In>, cursor: &Cursor);

    /// What the operator emits for the batch that was applied last.
    fn emit(&self) -> Vec<Self::Out>;

    /// Makes the last batch final.
    fn commit(&mut self);

    /// Undoes the last batch.
    fn roll_back(&mut self);
}

/// The records of a batch for one state partition; one iterator for each pane that enters.
pub(crate) type Inputs<'a, T> = Vec<(Time, Box<dyn Iterator<Item = T> + 'a>)>;

/// What the scheduler sees of the state of an operator.
pub(crate) trait ResidentState: Send + Sync {
    /// Whether every partition has applied the batch at `time`.
    fn is_at(&self, time: Time) -> bool;
    fn commit(&self, time: Time);
    fn roll_back(&self, time: Time);
}

struct Versioned<P> {
    partition: P,
    loaded: bool,
    committed: Option<Time>,
    pending: Option<Time>,
}

/// The state of one operator.
pub(crate) struct State<P> {
    partitions: Vec<Mutex<Versioned<P>>>,
    /// Which of them this process computes.
    here: Vec<usize>,
}

impl<P: StatePartition> State<P> {
    pub(crate) fn new(partitions: usize, process: (usize, usize), mut make: impl FnMut() -> P) -> Arc<Self> {
        let versioned = |partition| Versioned { partition, loaded: false, committed: None, pending: None };
        Arc::new(Self {
            partitions: (0..partitions).map(|_| Mutex::new(versioned(make()))).collect(),
            here: (0..partitions).filter(|partition| partition % process.1 == process.0).collect(),
        })
    }

    pub(crate) fn partitions(&self) -> usize {
        self.partitions.len()
    }

    fn lock(&self, partition: usize) -> MutexGuard<'_, Versioned<P>> {
        self.partitions[partition].lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether no batch was ever applied.
    fn is_new(&self) -> bool {
        (0..self.partitions.len()).all(|partition| !self.lock(partition).loaded)
    }
}

impl<P: StatePartition> ResidentState for State<P> {
    fn is_at(&self, time: Time) -> bool {
        self.here.iter().all(|&partition| {
            let versioned = self.lock(partition);
            versioned.pending == Some(time) || versioned.committed >= Some(time)
        })
    }

    fn commit(&self, time: Time) {
        for &partition in &self.here {
            let mut versioned = self.lock(partition);
            if versioned.pending == Some(time) {
                versioned.partition.commit();
                versioned.pending = None;
                versioned.committed = Some(time);
            }
        }
    }

    fn roll_back(&self, time: Time) {
        for &partition in &self.here {
            let mut versioned = self.lock(partition);
            if versioned.pending == Some(time) {
                versioned.partition.roll_back();
                versioned.pending = None;
            }
        }
    }
}

/// The Rdd that a stateful operator emits for one batch; computing it applies the batch.
pub(crate) struct StateRdd<P: StatePartition> {
    pub(crate) state: Arc<State<P>>,
    pub(crate) site: Site,
    pub(crate) time: Time,
    /// What enters the state, oldest first; each with as many partitions as the state.
    pub(crate) inputs: Vec<(Time, Rdd<P::In>)>,
    pub(crate) initial: Option<Rdd<P::Initial>>,
    pub(crate) partitioner: Option<crate::rdd::PartitionerId>,
}

impl<P: StatePartition> StateRdd<P> {
    /// The initial state is only a parent of the first batch.
    pub(crate) fn with_initial(mut self, initial: Option<&Rdd<P::Initial>>) -> Self {
        self.initial = initial.filter(|_| self.state.is_new()).cloned();
        self
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
                let inputs: Inputs<'_, P::In> = self
                    .inputs
                    .iter()
                    .map(|(time, rdd)| {
                        (*time, Box::new(rdd.records(partition, task)) as Box<dyn Iterator<Item = P::In>>)
                    })
                    .collect();
                versioned.partition.apply(self.time, inputs, &cursor);
            });
        }));
        if let Err(panic) = outcome {
            versioned.partition.roll_back();
            resume_unwind(panic);
        }
        versioned.pending = Some(self.time);
    }

    fn bring_to_time(&self, versioned: &mut Versioned<P>, partition: usize, task: &TaskContext) -> Result<()> {
        match (versioned.pending, versioned.committed) {
            (Some(pending), _) if pending == self.time => Ok(()),
            (None, Some(committed)) if committed == self.time => Ok(()),
            (None, committed) if committed.is_none_or(|committed| committed < self.time) => {
                self.apply(versioned, partition, task);
                Ok(())
            }
            (pending, committed) => Err(Error::invalid(format!(
                "\"{}\" was asked for the batch of {}, but its state has gone on to {}; persist the stream to read \
                 older batches of it",
                self.site,
                self.time,
                pending.or(committed).unwrap_or_default()
            ))),
        }
    }
}

impl<P: StatePartition> Lineage for StateRdd<P> {
    fn partitions(&self) -> usize {
        self.state.partitions()
    }
    fn parents(&self) -> Vec<Parent> {
        let inputs = self.inputs.iter().map(|(_, rdd)| rdd.as_parent());
        inputs.chain(self.initial.iter().map(Rdd::as_parent)).collect()
    }
    fn partitioner(&self) -> Option<crate::rdd::PartitionerId> {
        self.partitioner.clone()
    }
}

impl<P: StatePartition> RddNode<P::Out> for StateRdd<P> {
    fn compute<'a>(&'a self, partition: usize, task: &'a TaskContext) -> Chunks<'a, P::Out> {
        let mut versioned = self.state.lock(partition);
        task.expect(self.bring_to_time(&mut versioned, partition, task));
        let out = guarded(&self.site, task, &Cursor::default(), || versioned.partition.emit());
        drop(versioned);
        Box::new(crate::rdd::chunk::Chunked(out.into_iter()))
    }
}
