//! The scheduler's side of the border: the receiver's thread, and the batches cut from what it stored.

use super::{Ending, Receiver, ReceiverLink, SharedLink};
use crate::{
    base::{
        Clock, Data, Error, Result, Time,
        clock::Deadline,
        keys,
        thread::{join_before, start_awaited},
        time::ms,
    },
    dstream::{
        graph::Graph,
        input::{Input, ReceiverEvent, ReceiverReport, Slice},
    },
    io::{
        block::{Acknowledge, BlockContent, BlockPool, Permit, SharedBlock, StoredBlock},
        rate_limit::{RateLimit, RateLimiter},
    },
    rdd::{Lineage, Parent, Rdd, RddNode, Session, Site, TaskContext, chunk::Chunks, task::panic_message},
};
use std::{
    collections::BTreeMap,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    thread::JoinHandle,
    time::Duration,
};

/// The blocks of one partition.
type Part<T> = Vec<Arc<dyn BlockContent<T>>>;

/// What a batch holds until it ends.
struct CutBatch<T> {
    parts: Vec<Part<T>>,
    acknowledge: Vec<Acknowledge>,
    permits: Vec<Permit>,
}

/// An input that is fed by a receiver.
pub(crate) struct ReceiverInput<R: Receiver> {
    receiver: Mutex<Option<R>>,
    link: Arc<SharedLink<R::Item>>,
    clock: Arc<dyn Clock>,
    site: Site,
    restart_delay: Duration,
    first_batch_blocks: usize,
    first_batch_done: AtomicBool,
    /// How many partitions a batch has at the most.
    partitions: usize,
    cut: Mutex<BTreeMap<Time, CutBatch<R::Item>>>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl<R: Receiver> ReceiverInput<R> {
    pub(crate) fn new(graph: &Arc<Graph>, pool: &Arc<BlockPool>, site: Site, name: &str, receiver: R) -> Result<Self> {
        let config = &graph.config;
        let blocks = ms(graph.batch_duration).div_ceil(ms(config.get(&keys::BLOCK_INTERVAL)?).max(1));
        let limit = RateLimit::from_config(config)?;
        let stream_id = graph.upcoming_input_id();
        let report = ReceiverReport { stream_id, name: format!("{name}-{stream_id}"), ..ReceiverReport::default() };
        let block_bytes = config.get(&keys::RECEIVER_BLOCK_BYTES)? as usize;
        let events = graph.clone();
        let events = Box::new(move |event| events.post_receiver_event(event));
        Ok(Self {
            receiver: Mutex::new(Some(receiver)),
            link: Arc::new(SharedLink::new(pool.clone(), limit, block_bytes, report, events)),
            clock: graph.clock.clone(),
            site,
            restart_delay: config.get(&keys::RECEIVER_RESTART_DELAY)?,
            first_batch_blocks: config.get(&keys::RECEIVER_FIRST_BATCH_BLOCKS)?,
            first_batch_done: AtomicBool::new(false),
            partitions: (blocks as usize).max(graph.session.default_parallelism()),
            cut: Mutex::default(),
            thread: Mutex::default(),
        })
    }
}

/// Deals the blocks out to partitions of about the same number of bytes, keeping their order.
fn into_parts<T>(blocks: Vec<StoredBlock<T>>, most: usize) -> CutBatch<T> {
    let total_bytes: usize = blocks.iter().map(|block| block.permit.bytes().max(1)).sum();
    let part_bytes = total_bytes.div_ceil(most.max(1)).max(1);
    let mut batch = CutBatch { parts: Vec::new(), acknowledge: Vec::new(), permits: Vec::new() };
    let mut filled_bytes = part_bytes;
    for block in blocks {
        if filled_bytes >= part_bytes && batch.parts.len() < most {
            batch.parts.push(Part::new());
            filled_bytes = 0;
        }
        filled_bytes += block.permit.bytes().max(1);
        if let Some(part) = batch.parts.last_mut() {
            part.push(block.content);
        }
        batch.acknowledge.extend(block.acknowledge);
        batch.permits.push(block.permit);
    }
    batch
}

impl<R: Receiver> Input<R::Item> for ReceiverInput<R> {
    fn is_replayable(&self) -> bool {
        false
    }

    fn start(&self) -> Result<()> {
        let Some(receiver) = lock(&self.receiver).take() else { return Ok(()) };
        let supervisor = Supervisor {
            link: ReceiverLink {
                shared: self.link.clone(),
                limiter: Mutex::new(RateLimiter::new(self.link.limit.clone(), self.clock.clone())),
                clock: self.clock.clone(),
            },
            restart_delay: self.restart_delay,
        };
        let name = format!("tidemill-{}", lock(&self.link.report).name);
        *lock(&self.thread) = Some(start_awaited(name, move || supervisor.run(receiver))?);
        Ok(())
    }

    fn stop(&self, deadline: &Deadline) -> bool {
        self.link.stop.raise();
        let Some(thread) = lock(&self.thread).take() else { return true };
        let ended = join_before(thread, deadline).is_ok();
        if !ended {
            tracing::warn!(
                receiver = lock(&self.link.report).name,
                "a receiver did not end in time and is left behind"
            );
        }
        ended
    }

    fn pick(&self, time: Time) -> Result<Slice> {
        let first = !self.first_batch_done.load(Ordering::Relaxed);
        let most = if first && !self.link.stop.is_raised() { self.first_batch_blocks } else { usize::MAX };
        let blocks = self.link.cut(most);
        if !blocks.is_empty() {
            self.first_batch_done.store(true, Ordering::Relaxed);
        }
        let records = blocks.iter().map(|block| block.records as u64).sum();
        let batch = into_parts(blocks, self.partitions);
        let slice = Slice::of(&batch.parts.len(), records);
        lock(&self.cut).insert(time, batch);
        slice
    }

    fn rdd(&self, session: &Arc<Session>, time: Time, slice: &Slice) -> Result<Rdd<R::Item>> {
        let partitions = slice.decode()?;
        let parts = lock(&self.cut).get(&time).map(|batch| batch.parts.clone()).unwrap_or_default();
        if session.processes() == 1 {
            return Ok(Rdd::from_node(session, self.site, BlocksRdd { parts, partitions }));
        }
        // The blocks go to their homes as they were received, so that all processes share in making them into records.
        let site = self.site;
        let blocks = Rdd::from_node(session, site, UnreadBlocksRdd { parts, partitions }).at_home(site);
        Ok(blocks.map_partition_chunks(site, false, |_, blocks, _| {
            Box::new(blocks.flatten().flat_map(|block| block.0.chunks().collect::<Vec<_>>()))
        }))
    }

    fn release(&self, time: Time, _slice: Option<&Slice>, succeeded: bool) {
        let Some(batch) = lock(&self.cut).remove(&time) else { return };
        drop(batch.permits);
        if succeeded {
            batch.acknowledge.into_iter().for_each(|acknowledge| {
                if let Err(panic) = catch_unwind(AssertUnwindSafe(acknowledge)) {
                    tracing::error!(message = panic_message(&*panic), "an acknowledgement panicked");
                }
            });
        }
    }

    fn set_rate(&self, records_per_second: u64) {
        self.link.limit.publish(records_per_second);
    }

    fn has_unpicked(&self) -> bool {
        self.link.has_blocks()
    }
}

/// The records of received blocks, some blocks to a partition.
struct BlocksRdd<T> {
    parts: Vec<Part<T>>,
    partitions: usize,
}

impl<T: Data> Lineage for BlocksRdd<T> {
    fn partitions(&self) -> usize {
        self.partitions
    }
    fn parents(&self) -> Vec<Parent> {
        Vec::new()
    }
}

impl<T: Data> RddNode<T> for BlocksRdd<T> {
    fn compute<'a>(&'a self, partition: usize, _task: &'a TaskContext) -> Chunks<'a, T> {
        Box::new(self.parts[partition].iter().flat_map(|block| block.chunks()))
    }
}

/// Received blocks as they are. They are in the memory of the process that drives.
struct UnreadBlocksRdd<T> {
    parts: Vec<Part<T>>,
    partitions: usize,
}

impl<T: Data> Lineage for UnreadBlocksRdd<T> {
    fn partitions(&self) -> usize {
        self.partitions
    }
    fn parents(&self) -> Vec<Parent> {
        Vec::new()
    }
    fn pinned(&self, _partition: usize) -> Option<usize> {
        Some(0)
    }
}

impl<T: Data> RddNode<SharedBlock<T>> for UnreadBlocksRdd<T> {
    fn compute<'a>(&'a self, partition: usize, _task: &'a TaskContext) -> Chunks<'a, SharedBlock<T>> {
        // One by one, so that a message between processes is no longer than a block.
        Box::new(self.parts[partition].iter().map(|block| vec![SharedBlock(block.clone())]))
    }
}

/// Runs a receiver again and again, until it is stopped or ends for good.
struct Supervisor<T> {
    link: ReceiverLink<T>,
    restart_delay: Duration,
}

/// The longest wait before a receiver that keeps failing is run again, in restart delays.
const MAX_BACK_OFF: u32 = 16;

/// Before another run there is a wait even where the restart delay is zero, so that no processor is burnt.
const SHORTEST_BACK_OFF: Duration = Duration::from_millis(10);

/// A receiver that failed so many times in a row is reported as an error, and again after as many more.
const FAILURES_TO_ESCALATE: u32 = 10;

impl<T: Data> Supervisor<T> {
    fn run(self, mut receiver: impl Receiver<Item = T>) {
        let mut failures: u32 = 0;
        while !self.link.is_stopped() {
            let stored = self.link.shared.stored();
            self.post(true, ReceiverEvent::Started);
            let ending = catch_unwind(AssertUnwindSafe(|| receiver.run(&self.link)))
                .unwrap_or_else(|panic| Err(Error::user(format!("the receiver panicked: {}", panic_message(&*panic)))));
            self.link.on_cut(None);
            if self.link.is_stopped() {
                break;
            }
            match ending {
                Ok(Ending::Stop(reason)) => {
                    tracing::info!(receiver = self.name(), reason, "a receiver ended");
                    break;
                }
                Ok(Ending::Restart(reason)) => {
                    failures = 0;
                    tracing::warn!(receiver = self.name(), reason, delay = ?self.restart_delay, "a receiver is restarted");
                }
                Err(error) => {
                    // One that took records in before it failed is not one that never works.
                    failures = if self.link.shared.stored() > stored { 1 } else { failures + 1 };
                    self.tell_of_failure(failures, &error);
                }
            }
            self.post(false, ReceiverEvent::Stopped);
            if self.link.wait(self.back_off(failures)) {
                return;
            }
        }
        self.post(false, ReceiverEvent::Stopped);
    }

    /// Someone has to look at a receiver that fails again and again; the log says so louder now and then.
    fn tell_of_failure(&self, failures: u32, error: &Error) {
        self.link.report_error(format!("the receiver failed {failures} times in a row"), error);
        if failures.is_multiple_of(FAILURES_TO_ESCALATE) {
            tracing::error!(
                receiver = self.name(),
                failures,
                %error,
                "a receiver fails again and again and takes nothing in; look at its server, and stop the program if it is gone for good"
            );
        }
    }

    /// How long to wait before the next run: longer after each failure in a row.
    fn back_off(&self, failures: u32) -> Duration {
        if failures == 0 {
            return self.restart_delay.max(SHORTEST_BACK_OFF);
        }
        let factor = 1u32.checked_shl(failures - 1).map_or(MAX_BACK_OFF, |factor| factor.clamp(1, MAX_BACK_OFF));
        self.restart_delay.max(SHORTEST_BACK_OFF) * factor
    }

    fn name(&self) -> String {
        lock(&self.link.shared.report).name.clone()
    }

    fn post(&self, active: bool, event: fn(ReceiverReport) -> ReceiverEvent) {
        let report = {
            let mut report = lock(&self.link.shared.report);
            report.active = active;
            report.clone()
        };
        (self.link.shared.events)(event(report));
    }
}
