//! The stream of an operator that keeps state: each batch of its parent is applied to the state once.

use super::{
    node::{DStream, ErasedStream, StreamOp},
    state::{Emit, Resident, ResidentState, StateBatch, StatePartition, StateRdd},
};
use crate::{
    base::{Data, Result, Time},
    rdd::{PartitionerId, PartitionerRef, Rdd, Site},
};
use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

/// What of the parent's batch enters the state, placed as the state is.
type InputOf<P> = Box<dyn Fn(Time) -> Result<Option<Rdd<<P as StatePartition>::In>>> + Send + Sync>;

/// An operator that keeps state; several streams may show it.
pub(crate) struct Stateful<P: StatePartition> {
    pub(crate) site: Site,
    pub(crate) parent: Arc<dyn ErasedStream>,
    pub(crate) input: InputOf<P>,
    pub(crate) initial: Option<Rdd<P::Initial>>,
    pub(crate) state: Arc<Resident<P>>,
    /// How its keys are placed.
    pub(crate) partitioner: Option<PartitionerId>,
    pub(crate) must_checkpoint: bool,
    last: Mutex<Option<Arc<StateBatch<P>>>>,
}

impl<P: StatePartition> Stateful<P> {
    pub(crate) fn new<T: Data>(
        site: Site,
        parent: &DStream<T>,
        partitioner: &PartitionerRef<P::Key>,
        make: impl FnMut() -> P,
        input: impl Fn(Time) -> Result<Option<Rdd<P::In>>> + Send + Sync + 'static,
    ) -> Self {
        let process = parent.graph().session.runner().process();
        Self {
            site,
            parent: parent.erased(),
            input: Box::new(input),
            initial: None,
            state: Resident::new(partitioner.clone(), process, make),
            partitioner: None,
            must_checkpoint: false,
            last: Mutex::default(),
        }
    }

    /// What the batch at `time` does to the state: the same for all streams that show it.
    fn batch(&self, time: Time) -> Result<Arc<StateBatch<P>>> {
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(batch) = last.as_ref().filter(|batch| batch.time == time) {
            return Ok(batch.clone());
        }
        let initial = self.initial.clone().filter(|_| !self.state.is_loaded());
        let (has_initial, is_remembered) = (self.initial.is_some(), self.parent.is_remembered());
        let (state, site, input) = (self.state.clone(), self.site, (self.input)(time)?);
        let batch = StateBatch { state, site, time, input, initial, has_initial, is_remembered };
        Ok(last.insert(Arc::new(batch)).clone())
    }

    /// A stream of what `emit` shows of the state.
    #[track_caller]
    pub(crate) fn stream<T: Data, U: Data>(
        self: &Arc<Self>,
        of: &DStream<U>,
        site: Site,
        emit: Emit<P, T>,
    ) -> DStream<T> {
        DStream::from_op(of.graph(), site, StatefulStream { operator: self.clone(), emit, partitioner: None })
    }

    /// As [`stream`](Self::stream), of pairs by the operator's own keys.
    #[track_caller]
    pub(crate) fn placed_stream<T: Data, U: Data>(
        self: &Arc<Self>,
        of: &DStream<U>,
        site: Site,
        emit: Emit<P, T>,
    ) -> DStream<T> {
        let partitioner = self.partitioner.clone();
        DStream::from_op(of.graph(), site, StatefulStream { operator: self.clone(), emit, partitioner })
    }
}

struct StatefulStream<P: StatePartition, T> {
    operator: Arc<Stateful<P>>,
    emit: Emit<P, T>,
    /// How the keys that it emits are placed, if they are.
    partitioner: Option<PartitionerId>,
}

impl<P: StatePartition, T: Data> StreamOp<T> for StatefulStream<P, T> {
    fn parents(&self) -> Vec<Arc<dyn ErasedStream>> {
        vec![self.operator.parent.clone()]
    }
    fn slide(&self) -> Duration {
        self.operator.parent.slide()
    }
    fn compute(&self, time: Time) -> Result<Option<Rdd<T>>> {
        let operator = &self.operator;
        let batch = operator.batch(time)?;
        let (session, site) = (operator.parent.session(), operator.site);
        let node = StateRdd { batch, emit: self.emit, partitioner: self.partitioner.clone() };
        Ok(Some(Rdd::from_node(&session, site, node)))
    }
    fn state(&self) -> Option<&dyn ResidentState> {
        Some(&*self.operator.state)
    }
    fn operator(&self) -> Option<Site> {
        Some(self.operator.site)
    }
    fn must_checkpoint(&self) -> bool {
        self.operator.must_checkpoint
    }
}
