//! The scheduler's side of the border: the receiver's thread, and the batches cut from what it stored.

use super::{
    Receiver, ReceiverLink, SharedLink,
    blocks::{BlocksRdd, Part, Piece, UnreadBlocksRdd},
    link::lock,
    place::{PickedUpTo, Place, Run},
    stored::{BlockLog, StoredFile},
    supervisor::Supervisor,
};
use crate::{
    base::{Clock, Error, Result, Time, clock::Deadline, keys, thread::join_before, thread::start_awaited, time::ms},
    dstream::{
        graph::Graph,
        input::{Input, InputMemory, ReceiverReport, Slice},
    },
    io::{
        block::{Acknowledge, BlockPool, Permit, StoredBlock},
        rate_limit::{RateLimit, RateLimiter},
    },
    rdd::{Rdd, Session, Site, task::panic_message},
};
use serde::{Deserialize, Serialize};
use std::{
    collections::BTreeMap,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Arc, Mutex, OnceLock,
        atomic::{AtomicBool, Ordering},
    },
    thread::JoinHandle,
    time::Duration,
};

/// What a batch reads.
#[derive(Serialize, Deserialize)]
struct ReceivedSlice {
    partitions: usize,
    /// By partition: where the blocks are stored, if they are.
    stored: Vec<Vec<Run>>,
}

/// What a batch holds until it ends.
struct CutBatch<T> {
    parts: Vec<Part<T>>,
    stored: Vec<Vec<Place>>,
    acknowledge: Vec<Acknowledge>,
    permits: Vec<Permit>,
}

/// What a receiver is called, and what it receives from.
pub(crate) struct ReceiverName<'a> {
    pub(crate) site: Site,
    pub(crate) name: &'a str,
    pub(crate) source: String,
}

/// An input that is fed by a receiver.
pub(crate) struct ReceiverInput<R: Receiver> {
    receiver: Mutex<Option<R>>,
    link: Arc<SharedLink<R::Item>>,
    graph: Arc<Graph>,
    clock: Arc<dyn Clock>,
    site: Site,
    source: String,
    /// Whether what is received is stored before anything else is done with it.
    is_logged: bool,
    /// Where what was received is stored, or was by an earlier run.
    log: OnceLock<Arc<BlockLog>>,
    picked: Mutex<PickedUpTo>,
    block_interval: Duration,
    restart_delay: Duration,
    first_batch_blocks: usize,
    first_batch_done: AtomicBool,
    /// How many partitions a batch has at the most.
    partitions: usize,
    cut: Mutex<BTreeMap<Time, CutBatch<R::Item>>>,
    threads: Mutex<Vec<JoinHandle<()>>>,
}

impl<R: Receiver> ReceiverInput<R> {
    pub(crate) fn new(graph: &Arc<Graph>, pool: &Arc<BlockPool>, name: ReceiverName<'_>, receiver: R) -> Result<Self> {
        let ReceiverName { site, name, source } = name;
        let config = &graph.config;
        let block_interval = config.get(&keys::BLOCK_INTERVAL)?;
        let blocks = ms(graph.batch_duration).div_ceil(ms(block_interval).max(1));
        let limit = RateLimit::from_config(config)?;
        let stream_id = graph.upcoming_input_id();
        let report = ReceiverReport { stream_id, name: format!("{name}-{stream_id}"), ..ReceiverReport::default() };
        let block_bytes = config.get(&keys::RECEIVER_BLOCK_BYTES)? as usize;
        let events = graph.clone();
        let events = Box::new(move |event| events.post_receiver_event(event));
        Ok(Self {
            receiver: Mutex::new(Some(receiver)),
            link: Arc::new(SharedLink::new(pool.clone(), limit, block_bytes, report, events)),
            graph: graph.clone(),
            clock: graph.clock.clone(),
            site,
            source,
            is_logged: config.get(&keys::RECEIVER_LOG_ENABLED)?,
            log: OnceLock::new(),
            picked: Mutex::default(),
            block_interval,
            restart_delay: config.get(&keys::RECEIVER_RESTART_DELAY)?,
            first_batch_blocks: config.get(&keys::RECEIVER_FIRST_BATCH_BLOCKS)?,
            first_batch_done: AtomicBool::new(false),
            partitions: (blocks as usize).max(graph.session.default_parallelism()),
            cut: Mutex::default(),
            threads: Mutex::default(),
        })
    }

    /// Takes up what an earlier run stored: what no batch picked is at the front of what is received, what batches that run again
    /// were given is kept for them, and the rest is deleted.
    fn take_up(&self, log: &Arc<BlockLog>, memory: &InputMemory<'_>) -> Result<()> {
        let mut picked = match memory.remembered {
            Some(bytes) if !bytes.is_empty() => postcard::from_bytes(bytes)
                .map_err(|error| Error::data("what it remembers cannot be read").with_source(error))?,
            _ => PickedUpTo::default(),
        };
        for (time, slice) in memory.picked {
            for run in slice.decode::<ReceivedSlice>()?.stored.concat() {
                picked.add(&run);
                if memory.again.contains(time) {
                    log.keep(run.file, run.count);
                }
            }
        }
        for file in log.files()? {
            let unpicked = picked.first_unpicked(file).filter(|_| file.epoch >= memory.first_epoch);
            let taken = match unpicked {
                Some(from) => self.link.take_in(log, file, from)?,
                None => 0,
            };
            if taken > 0 {
                log.keep(file, taken);
            } else if !log.is_kept(file) {
                log.delete(file);
            }
        }
        *lock(&self.picked) = picked;
        Ok(())
    }

    /// The blocks of a slice that was cut by an earlier run, to be read in the process that drives.
    fn stored_parts(&self, stored: &[Vec<Run>]) -> Vec<Part<R::Item>> {
        let Some(log) = self.log.get() else { return Vec::new() };
        let mut files = BTreeMap::new();
        let mut piece = |run: &Run| {
            let file = files.entry(run.file).or_insert_with(|| StoredFile::new(log.clone(), run.file));
            Piece::Stored(file.clone(), *run)
        };
        stored.iter().map(|runs| runs.iter().map(&mut piece).collect()).collect()
    }

    fn start_thread(&self, suffix: &str, body: impl FnOnce() + Send + 'static) -> Result<()> {
        let name = format!("tidemill-{}{suffix}", lock(&self.link.report).name);
        lock(&self.threads).push(start_awaited(name, body)?);
        Ok(())
    }
}

/// Deals the blocks out to partitions of about the same number of bytes, keeping their order.
fn into_parts<T>(blocks: Vec<StoredBlock<T>>, most: usize) -> CutBatch<T> {
    let total_bytes: usize = blocks.iter().map(|block| block.permit.bytes().max(1)).sum();
    let part_bytes = total_bytes.div_ceil(most.max(1)).max(1);
    let mut batch = CutBatch { parts: Vec::new(), stored: Vec::new(), acknowledge: Vec::new(), permits: Vec::new() };
    let mut filled_bytes = part_bytes;
    for block in blocks {
        if filled_bytes >= part_bytes && batch.parts.len() < most {
            batch.parts.push(Part::new());
            batch.stored.push(Vec::new());
            filled_bytes = 0;
        }
        filled_bytes += block.permit.bytes().max(1);
        if let (Some(part), Some(stored)) = (batch.parts.last_mut(), batch.stored.last_mut()) {
            part.push(Piece::Received(block.content));
            stored.extend(block.place);
        }
        batch.acknowledge.extend(block.acknowledge);
        batch.permits.push(block.permit);
    }
    batch
}

impl<R: Receiver> Input<R::Item> for ReceiverInput<R> {
    fn check(&self) -> Result<()> {
        if self.is_logged && !self.graph.has_checkpoint() {
            return Err(Error::invalid(format!(
                "\"{}\" is set, and \"{}\" has no checkpoint to keep what it receives in; call checkpoint, set \"{}\", or leave \
                 the log out",
                keys::RECEIVER_LOG_ENABLED.name(),
                self.site,
                keys::CHECKPOINT_DIRECTORY.name()
            )));
        }
        Ok(())
    }

    fn identity(&self) -> Option<String> {
        Some(self.source.clone())
    }

    fn is_replayable(&self) -> bool {
        self.is_logged
    }

    fn remember(&self) -> Result<Vec<u8>> {
        Slice::of(&*lock(&self.picked), 0).map(|slice| slice.bytes)
    }

    fn restore(&self, memory: &InputMemory<'_>) -> Result<()> {
        let Some(storage) = self.graph.checkpoint_storage().filter(|_| !memory.uid.is_empty()) else { return Ok(()) };
        let damaged = self.graph.config.get(&keys::RECEIVER_DAMAGED_BLOCKS)?;
        let log = Arc::new(BlockLog::new(storage, memory.uid, self.graph.epoch(), damaged));
        self.take_up(&log, memory)?;
        if self.is_logged {
            let _ = self.link.log.set(log.clone());
        }
        let _ = self.log.set(log);
        Ok(())
    }

    fn start(&self) -> Result<()> {
        let Some(receiver) = lock(&self.receiver).take() else { return Ok(()) };
        let supervisor = Supervisor {
            link: ReceiverLink {
                shared: self.link.clone(),
                limiter: Arc::new(Mutex::new(RateLimiter::new(self.link.limit.clone(), self.clock.clone()))),
                clock: self.clock.clone(),
            },
            restart_delay: self.restart_delay,
        };
        if self.link.log.get().is_some() {
            let (link, interval) = (self.link.clone(), self.block_interval);
            self.start_thread("-log", move || link.save_now_and_then(interval))?;
        }
        self.start_thread("", move || supervisor.run(receiver))
    }

    fn stop(&self, deadline: &Deadline) -> bool {
        self.link.stop.raise();
        let threads = std::mem::take(&mut *lock(&self.threads));
        let ended = threads.into_iter().filter_map(|thread| join_before(thread, deadline).err()).count() == 0;
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
        let mut batch = into_parts(blocks, self.partitions);
        let stored: Vec<_> = std::mem::take(&mut batch.stored).into_iter().map(Run::of).collect();
        let mut picked = lock(&self.picked);
        stored.iter().flatten().for_each(|run| picked.add(run));
        drop(picked);
        let slice = Slice::of(&ReceivedSlice { partitions: batch.parts.len(), stored }, records);
        lock(&self.cut).insert(time, batch);
        slice
    }

    fn rdd(&self, session: &Arc<Session>, time: Time, slice: &Slice) -> Result<Rdd<R::Item>> {
        let ReceivedSlice { partitions, stored } = slice.decode()?;
        let parts = lock(&self.cut).get(&time).map(|batch| batch.parts.clone());
        let parts = parts.unwrap_or_else(|| self.stored_parts(&stored));
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

    fn release(&self, time: Time, slice: Option<&Slice>, succeeded: bool) {
        let batch = lock(&self.cut).remove(&time);
        if !succeeded {
            // What is stored is kept: a restart may run the batch again.
            return;
        }
        if let Some(batch) = batch {
            drop(batch.permits);
            batch.acknowledge.into_iter().for_each(|acknowledge| {
                if let Err(panic) = catch_unwind(AssertUnwindSafe(acknowledge)) {
                    tracing::error!(message = panic_message(&*panic), "an acknowledgement panicked");
                }
            });
        }
        if let (Some(log), Some(Ok(slice))) = (self.log.get(), slice.map(Slice::decode::<ReceivedSlice>)) {
            log.done(&slice.stored.concat());
        }
    }

    fn set_rate(&self, records_per_second: u64) {
        self.link.limit.publish(records_per_second);
    }

    fn has_unpicked(&self) -> bool {
        self.link.has_blocks()
    }
}
