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
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError},
    time::Duration,
};

pub use crate::checkpoint::Slice;

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

/// What a checkpoint has of an input.
///
/// # Examples
/// See [`DirectInput`](crate::io::DirectInput).
#[derive(Clone, Copy, Debug)]
pub struct InputMemory<'a> {
    /// The stable id of the input; empty if no output reads it.
    pub(crate) uid: &'a str,
    /// What it remembered last; `None` if that was never asked, or it is new in the program.
    pub(crate) remembered: Option<&'a [u8]>,
    /// What it picked since then, in the order of the batches. Some of it may be in what it remembered already.
    pub(crate) picked: &'a [(Time, Slice)],
    /// Of these batches, those that are not done and run again.
    pub(crate) again: &'a BTreeSet<Time>,
    /// The start that the run began with: what an earlier one stored is another run's.
    pub(crate) first_epoch: u64,
}

impl<'a> InputMemory<'a> {
    /// What the input remembered last; `None` if it was never asked, or is new in the program.
    pub fn remembered(&self) -> Option<&'a [u8]> {
        self.remembered
    }

    /// What it picked since then, in the order of the batches. Some of it may be in what it remembered already.
    pub fn picked(&self) -> &'a [(Time, Slice)] {
        self.picked
    }

    /// Whether the batch at `time`, which was picked, is not done and runs again.
    pub fn runs_again(&self, time: Time) -> bool {
        self.again.contains(&time)
    }
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

    /// What tells it from other inputs of its kind, in words: a directory, a topic. Part of its derived uid.
    fn identity(&self) -> Option<String> {
        None
    }

    /// Whether listeners hear what it gives to a batch.
    fn is_reported(&self) -> bool {
        true
    }

    /// Whether a slice that is logged can be read again after a crash.
    fn is_replayable(&self) -> bool;

    /// What it has to be told after a restart: everything that `pick` has changed so far. Empty if there is nothing.
    fn remember(&self) -> Result<Vec<u8>> {
        Ok(Vec::new())
    }

    /// Before `start`, in the process that drives a program with a checkpoint, the first start included.
    fn restore(&self, memory: &InputMemory<'_>) -> Result<()> {
        let _ = memory;
        Ok(())
    }

    /// The program ended, in every process: nothing is picked, read or released any more.
    fn close(&self) {}
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
    fn identity(&self) -> Option<String>;
    fn is_reported(&self) -> bool;
    fn is_replayable(&self) -> bool;
    fn remember(&self) -> Result<Vec<u8>>;
    fn restore(&self, memory: &InputMemory<'_>) -> Result<()>;
    fn close(&self);
    /// The stable id, known once the program is complete.
    fn uid(&self) -> &str;
    fn set_uid(&self, uid: String);
    /// What its records are, for the comparison with a checkpoint.
    fn types(&self) -> &'static str;
}

struct InputCore<T> {
    id: usize,
    site: Site,
    graph: Arc<Graph>,
    input: Box<dyn Input<T>>,
    slices: Mutex<BTreeMap<Time, Slice>>,
    uid: OnceLock<String>,
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
    fn identity(&self) -> Option<String> {
        self.input.identity()
    }
    fn is_reported(&self) -> bool {
        self.input.is_reported()
    }
    fn is_replayable(&self) -> bool {
        self.input.is_replayable()
    }
    fn remember(&self) -> Result<Vec<u8>> {
        self.input.remember()
    }
    fn restore(&self, memory: &InputMemory<'_>) -> Result<()> {
        self.input.restore(memory)
    }
    fn close(&self) {
        self.input.close();
    }
    fn uid(&self) -> &str {
        self.uid.get().map_or("", String::as_str)
    }
    fn set_uid(&self, uid: String) {
        let _ = self.uid.set(uid);
    }
    fn types(&self) -> &'static str {
        std::any::type_name::<T>()
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
    fn input(&self) -> Option<usize> {
        Some(self.0.id)
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
    let (graph_of, slices, uid) = (graph.clone(), Mutex::default(), OnceLock::new());
    let core = Arc::new(InputCore { id, site, graph: graph_of, input: Box::new(input), slices, uid });
    let stream = DStream::from_op(graph, site, InputOp(core.clone()));
    graph.register_input(core);
    stream
}
