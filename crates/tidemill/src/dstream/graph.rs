//! What all streams of one context share: batch duration, phase, inputs, outputs and the registry of nodes.

use super::{
    identity::Remembering,
    input::{ErasedInput, ReceiverEvent},
    node::ErasedStream,
    output::Output,
};
use crate::{
    base::{Clock, Config, Misuse, Result, Time, storage::StorageRef, time::ms},
    checkpoint::{BeforeStart, CheckpointDirectory},
    rdd::{Session, Site},
};
use std::{
    collections::HashSet,
    sync::{
        Arc, Mutex, MutexGuard, OnceLock, PoisonError, Weak,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
    time::Duration,
};

/// Where a context is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ContextState {
    /// Streams are being declared.
    Initialized,
    /// Batches run.
    Active,
    /// Ended for good.
    Stopped,
}

/// Shared by all streams of one context.
pub(crate) struct Graph {
    pub(crate) session: Arc<Session>,
    pub(crate) batch_duration: Duration,
    pub(crate) config: Config,
    pub(crate) clock: Arc<dyn Clock>,
    receiver_events: OnceLock<ReceiverEvents>,
    zero_time: OnceLock<Time>,
    epoch: OnceLock<u64>,
    phase: Mutex<ContextState>,
    next_input: AtomicUsize,
    program: Mutex<Program>,
    pub(crate) remember: OnceLock<Duration>,
    /// No batch after it is cut.
    pub(crate) last_batch: OnceLock<Time>,
    checkpoint: Mutex<Option<CheckpointDirectory>>,
    /// The last start with which a run may have begun that is not gone on with.
    left_behind: AtomicU64,
    before_start: Mutex<Option<BeforeStart>>,
    /// The newest batch that was given its slices, in milliseconds.
    newest_ms: AtomicU64,
}

type ReceiverEvents = Box<dyn Fn(ReceiverEvent) + Send + Sync>;

/// What the user declared.
#[derive(Default)]
struct Program {
    streams: Vec<Declared>,
    inputs: Vec<Arc<dyn ErasedInput>>,
    outputs: Vec<Arc<Output>>,
    /// Everything that remembers, once the program is complete.
    remembering: Option<Arc<Vec<Remembering>>>,
}

/// A stream that was declared; its handles may be gone.
struct Declared {
    stream: Weak<dyn ErasedStream>,
    site: Site,
    parents: Vec<Weak<dyn ErasedStream>>,
}

/// What tells one stream from another. The weak handles keep the address from being given again.
fn address(stream: &Weak<dyn ErasedStream>) -> *const () {
    stream.as_ptr().cast()
}

impl Graph {
    pub(crate) fn new(
        session: Arc<Session>,
        batch_duration: Duration,
        config: Config,
        clock: Arc<dyn Clock>,
    ) -> Result<Arc<Self>> {
        if ms(batch_duration) == 0 {
            return Err(Misuse::ZeroBatchDuration.into());
        }
        Ok(Arc::new(Self {
            session,
            // Times are whole milliseconds.
            batch_duration: Duration::from_millis(ms(batch_duration)),
            config,
            clock,
            receiver_events: OnceLock::new(),
            zero_time: OnceLock::new(),
            epoch: OnceLock::new(),
            phase: Mutex::new(ContextState::Initialized),
            next_input: AtomicUsize::new(0),
            program: Mutex::default(),
            remember: OnceLock::new(),
            last_batch: OnceLock::new(),
            checkpoint: Mutex::default(),
            left_behind: AtomicU64::new(0),
            before_start: Mutex::default(),
            newest_ms: AtomicU64::new(0),
        }))
    }

    pub(crate) fn phase(&self) -> ContextState {
        *self.phase.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn set_phase(&self, phase: ContextState) {
        *self.phase.lock().unwrap_or_else(PoisonError::into_inner) = phase;
    }

    /// An error unless streams may still be declared.
    pub(crate) fn check_declaring(&self, operation: &'static str) -> Result<()> {
        match self.phase() {
            ContextState::Initialized => Ok(()),
            ContextState::Active => Err(Misuse::AddedAfterStart { operation }.into()),
            ContextState::Stopped => Err(Misuse::AddedAfterStop { operation }.into()),
        }
    }

    /// The batch at `time` has its slices.
    pub(crate) fn set_newest(&self, time: Time) {
        self.newest_ms.fetch_max(time.as_ms(), Ordering::Relaxed);
    }

    /// The newest batch that has its slices; what lies after it cannot be computed yet.
    pub(crate) fn newest(&self) -> Time {
        Time::from_ms(self.newest_ms.load(Ordering::Relaxed))
    }

    /// Sets where the program is remembered.
    pub(crate) fn set_checkpoint(&self, directory: CheckpointDirectory) {
        *self.checkpoint.lock().unwrap_or_else(PoisonError::into_inner) = Some(directory);
    }

    /// Where the program is remembered.
    pub(crate) fn checkpoint_storage(&self) -> Option<StorageRef> {
        self.checkpoint.lock().unwrap_or_else(PoisonError::into_inner).as_ref().map(|place| place.storage().clone())
    }

    /// Whether it was said where the program is remembered.
    pub(crate) fn has_checkpoint(&self) -> bool {
        self.checkpoint.lock().unwrap_or_else(PoisonError::into_inner).is_some()
    }

    pub(crate) fn leave_behind(&self, start: u64) {
        self.left_behind.store(start, Ordering::Relaxed);
    }

    /// The last start with which a run may have begun that is not gone on with; 0 for none.
    pub(crate) fn left_behind(&self) -> u64 {
        self.left_behind.load(Ordering::Relaxed)
    }

    pub(crate) fn on_before_start(&self, call: BeforeStart) {
        *self.before_start.lock().unwrap_or_else(PoisonError::into_inner) = Some(call);
    }

    pub(crate) fn before_start(&self) -> Option<BeforeStart> {
        self.before_start.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The instant before the first batch: no batch has a time at or before it.
    pub(crate) fn zero_time(&self) -> Option<Time> {
        self.zero_time.get().copied()
    }

    pub(crate) fn set_zero_time(&self, time: Time) {
        let _ = self.zero_time.set(time);
    }

    /// Which start of the program this is, by its checkpoint; 0 without one.
    pub(crate) fn epoch(&self) -> u64 {
        self.epoch.get().copied().unwrap_or_default()
    }

    pub(crate) fn set_epoch(&self, epoch: u64) {
        let _ = self.epoch.set(epoch);
    }

    pub(crate) fn on_receiver_event(&self, post: impl Fn(ReceiverEvent) + Send + Sync + 'static) {
        let _ = self.receiver_events.set(Box::new(post));
    }

    pub(crate) fn post_receiver_event(&self, event: ReceiverEvent) {
        if let Some(post) = self.receiver_events.get() {
            post(event);
        }
    }

    /// The id that the next input will get.
    pub(crate) fn upcoming_input_id(&self) -> usize {
        self.next_input.load(Ordering::Relaxed)
    }

    pub(crate) fn next_input_id(&self) -> usize {
        self.next_input.fetch_add(1, Ordering::Relaxed)
    }

    fn program(&self) -> MutexGuard<'_, Program> {
        self.program.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn register(&self, stream: &Arc<dyn ErasedStream>) {
        let parents = stream.parents().iter().map(Arc::downgrade).collect();
        self.program().streams.push(Declared { stream: Arc::downgrade(stream), site: stream.site(), parents });
    }

    pub(crate) fn register_input(&self, input: Arc<dyn ErasedInput>) {
        self.program().inputs.push(input);
    }

    pub(crate) fn register_output(&self, output: Output) {
        self.program().outputs.push(Arc::new(output));
    }

    /// Every stream that some handle, output or other stream still holds.
    pub(crate) fn streams(&self) -> Vec<Arc<dyn ErasedStream>> {
        self.program().streams.iter().filter_map(|declared| declared.stream.upgrade()).collect()
    }

    /// Every stream that some output reads, itself or through others; parents before what is made from them.
    pub(crate) fn used_streams(&self) -> Vec<Arc<dyn ErasedStream>> {
        fn visit(stream: Arc<dyn ErasedStream>, seen: &mut HashSet<*const ()>, found: &mut Vec<Arc<dyn ErasedStream>>) {
            if seen.insert(Arc::as_ptr(&stream).cast::<()>()) {
                stream.parents().into_iter().for_each(|parent| visit(parent, seen, found));
                found.push(stream);
            }
        }
        let (mut seen, mut found) = (HashSet::new(), Vec::new());
        self.outputs().iter().for_each(|output| visit(output.stream.clone(), &mut seen, &mut found));
        found
    }

    /// Where streams were declared that no output reads; of a chain of them, its end.
    pub(crate) fn unused_streams(&self) -> Vec<Site> {
        let used: HashSet<_> = self.used_streams().iter().map(|stream| Arc::as_ptr(stream).cast::<()>()).collect();
        let program = self.program();
        let read: HashSet<_> =
            program.streams.iter().flat_map(|declared| declared.parents.iter().map(address)).collect();
        let ends = program.streams.iter().filter(|declared| {
            let address = address(&declared.stream);
            !used.contains(&address) && !read.contains(&address)
        });
        ends.map(|declared| declared.site).collect()
    }

    pub(crate) fn inputs(&self) -> Vec<Arc<dyn ErasedInput>> {
        self.program().inputs.clone()
    }

    /// Everything that remembers, once, however many streams show it. Called when the program is complete.
    pub(super) fn remembering(&self) -> Arc<Vec<Remembering>> {
        if let Some(known) = &self.program().remembering {
            return known.clone();
        }
        let found = Arc::new(self.find_remembering());
        self.program().remembering.insert(found).clone()
    }

    pub(crate) fn outputs(&self) -> Vec<Arc<Output>> {
        self.program().outputs.clone()
    }

    /// Lets go of the user's functions, which may hold the context itself.
    pub(crate) fn clear(&self) {
        let program = std::mem::take(&mut *self.program());
        drop(program);
    }
}
