//! The input contract: what a batch reads is picked as a small plain value first, and made into an Rdd from that.

use super::{
    graph::Graph,
    node::{DStream, ErasedStream, StreamOp},
};
use crate::{
    base::{Data, Result, Time, clock::Deadline},
    rdd::{Rdd, Session, Site},
};
use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

pub(crate) use crate::checkpoint::Slice;

/// What a receiver is doing.
#[derive(Clone, Debug, Default)]
pub(crate) struct ReceiverReport {
    pub(crate) stream_id: usize,
    pub(crate) name: String,
    pub(crate) active: bool,
    pub(crate) last_error_message: String,
    pub(crate) last_error: String,
    pub(crate) last_error_time: Option<Time>,
}

/// Something that happened to a receiver.
#[derive(Clone, Debug)]
pub(crate) enum ReceiverEvent {
    Started(ReceiverReport),
    Error(ReceiverReport),
    Stopped(ReceiverReport),
}

/// Where records come from.
pub(crate) trait Input<T>: Send + Sync + 'static {
    /// An error if the program cannot run with this input; called before anything starts.
    fn check(&self) -> Result<()> {
        Ok(())
    }

    /// Called once, when the context starts, in the process that drives.
    fn start(&self) -> Result<()> {
        Ok(())
    }

    /// Ends what `start` began, and does not wait for it beyond `deadline`; whether it ended. What was received is still
    /// picked by a last batch.
    fn stop(&self, deadline: &Deadline) -> bool {
        let _ = deadline;
        true
    }

    /// Picks what the batch at `time` reads. In the process that drives, in the order of the batches.
    fn pick(&self, time: Time) -> Result<Slice>;

    /// The Rdd of a slice.
    fn rdd(&self, session: &Arc<Session>, time: Time, slice: &Slice) -> Result<Rdd<T>>;

    /// The batch that was given `slice` ended and will not be run again.
    fn release(&self, time: Time, slice: Option<&Slice>, succeeded: bool) {
        let _ = (time, slice, succeeded);
    }

    /// Sets how many records a second the input may take in from now on.
    fn set_rate(&self, records_per_second: u64) {
        let _ = records_per_second;
    }

    /// Whether something is left that no batch has picked.
    fn has_unpicked(&self) -> bool {
        false
    }
}

/// What the scheduler sees of an input of any type.
pub(crate) trait ErasedInput: Send + Sync {
    fn id(&self) -> usize;
    fn site(&self) -> Site;
    fn check(&self) -> Result<()>;
    fn start(&self) -> Result<()>;
    fn stop(&self, deadline: &Deadline) -> bool;
    fn pick(&self, time: Time) -> Result<Slice>;
    /// Hands over what the batch at `time` reads.
    fn give(&self, time: Time, slice: Slice);
    fn release(&self, time: Time, succeeded: bool);
    fn set_rate(&self, records_per_second: u64);
    fn has_unpicked(&self) -> bool;
}

struct InputCore<T> {
    id: usize,
    site: Site,
    graph: Arc<Graph>,
    input: Box<dyn Input<T>>,
    slices: Mutex<BTreeMap<Time, Slice>>,
}

impl<T> InputCore<T> {
    fn slices(&self) -> MutexGuard<'_, BTreeMap<Time, Slice>> {
        self.slices.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T: Data> ErasedInput for InputCore<T> {
    fn id(&self) -> usize {
        self.id
    }
    fn site(&self) -> Site {
        self.site
    }
    fn check(&self) -> Result<()> {
        self.input.check()
    }
    fn start(&self) -> Result<()> {
        self.input.start()
    }
    fn stop(&self, deadline: &Deadline) -> bool {
        self.input.stop(deadline)
    }
    fn pick(&self, time: Time) -> Result<Slice> {
        self.input.pick(time)
    }
    fn give(&self, time: Time, slice: Slice) {
        self.slices().insert(time, slice);
    }
    fn release(&self, time: Time, succeeded: bool) {
        let slice = self.slices().remove(&time);
        self.input.release(time, slice.as_ref(), succeeded);
    }
    fn set_rate(&self, records_per_second: u64) {
        self.input.set_rate(records_per_second);
    }
    fn has_unpicked(&self) -> bool {
        self.input.has_unpicked()
    }
}

/// The stream of an input.
struct InputOp<T>(Arc<InputCore<T>>);

impl<T: Data> StreamOp<T> for InputOp<T> {
    fn parents(&self) -> Vec<Arc<dyn ErasedStream>> {
        Vec::new()
    }
    fn slide(&self) -> Duration {
        self.0.graph.batch_duration
    }
    fn compute(&self, time: Time) -> Result<Option<Rdd<T>>> {
        let session = &self.0.graph.session;
        let slice = self.0.slices().get(&time).cloned();
        match slice {
            Some(slice) => self.0.input.rdd(session, time, &slice).map(|rdd| Some(rdd.at_home(self.0.site))),
            None => Ok(Some(Rdd::parallelized(session, self.0.site, Vec::new(), 0))),
        }
    }
}

/// Declares the stream of an input.
#[track_caller]
pub(crate) fn input_stream<T: Data>(graph: &Arc<Graph>, site: Site, input: impl Input<T>) -> DStream<T> {
    let id = graph.next_input_id();
    let core = Arc::new(InputCore { id, site, graph: graph.clone(), input: Box::new(input), slices: Mutex::default() });
    let stream = DStream::from_op(graph, site, InputOp(core.clone()));
    graph.register_input(core);
    stream
}
