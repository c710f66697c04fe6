//! The direct stream of Kafka as an input of the engine: picks on the driver, ranges to read for the workers.

use super::{
    choice::StartingOffsets,
    cluster::{Cluster, Offsets},
    fetch::Fetchers,
    groups::GroupClaim,
    loss::Losses,
    plan::{Limits, plan},
    read::RangeSource,
    topic_ids::{TopicIds, WatchLog},
    watch::{Known, Watch},
};
use crate::{
    client::ClientLog,
    lock::lock,
    offsets::{OffsetRange, TopicPartition, description},
    record::{FromBytes, KafkaRecord},
    settings::KafkaSettings,
};
use serde::{Deserialize, Serialize};
use std::{
    collections::BTreeMap,
    marker::PhantomData,
    sync::{Arc, Mutex},
    thread::JoinHandle,
    time::Duration,
};
use tidemill::{
    Error, Interrupt, Result, Time,
    base::clock::Stopwatch,
    io::{DirectInput, InputMemory, Slice},
};

/// The version of what is stored in a checkpoint.
const VERSION: u8 = 1;

/// How many batches' ranges are known after they are done.
const RANGES_KEPT: usize = 100;

/// How long a start waits for the cluster; then the program begins without.
const START_PATIENCE: Duration = Duration::from_secs(12);

/// How long the end of the thread that asks is waited for.
const END_PATIENCE: Duration = Duration::from_secs(15);

/// The longest that a batch waits to be told how far the partitions go.
const LONGEST_LOOK: Duration = Duration::from_secs(2);

/// What a batch reads, and all that the next ones go on from.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct KafkaSlice {
    version: u8,
    /// Whether it is known where the stream begins.
    begun: bool,
    ranges: Vec<OffsetRange>,
    ids: TopicIds,
}

/// What is kept from start to start.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Remembered {
    version: u8,
    begun: bool,
    positions: Vec<(TopicPartition, i64)>,
    ids: TopicIds,
}

/// What the handle of the stream and the input share.
#[derive(Default)]
pub(super) struct Shared {
    /// The ranges of the newest batches.
    ranges: Mutex<BTreeMap<Time, Arc<[OffsetRange]>>>,
    /// What the user wants to be committed once it is done.
    to_commit: Mutex<Offsets>,
    pub(super) losses: Arc<Losses>,
}

impl Shared {
    pub(super) fn new(losses: Arc<Losses>) -> Arc<Self> {
        Arc::new(Self { losses, ..Self::default() })
    }

    pub(super) fn ranges(&self, time: Time) -> Option<Arc<[OffsetRange]>> {
        lock(&self.ranges).get(&time).cloned()
    }

    fn set_ranges(&self, time: Time, ranges: Arc<[OffsetRange]>) {
        lock(&self.ranges).insert(time, ranges);
    }

    /// Forgets what is too old, but nothing of a batch that is not done.
    fn forget_before(&self, done: Time) {
        let mut ranges = lock(&self.ranges);
        while ranges.len() > RANGES_KEPT && ranges.first_key_value().is_some_and(|(time, _)| *time < done) {
            ranges.pop_first();
        }
    }

    pub(super) fn commit_async(&self, ranges: &[OffsetRange]) {
        let mut to_commit = lock(&self.to_commit);
        for range in ranges {
            let until = to_commit.entry(range.topic_partition()).or_default();
            *until = range.until_offset.max(*until);
        }
    }

    /// Takes out what is to be committed and is read with the ranges of a batch that is done.
    fn take_committable(&self, done: &[OffsetRange]) -> Offsets {
        let mut to_commit = lock(&self.to_commit);
        let is_done = |partition: &TopicPartition, until: i64| {
            done.iter().any(|range| range.topic_partition() == *partition && until <= range.until_offset)
        };
        let (due, later) = std::mem::take(&mut *to_commit).into_iter().partition(|(key, until)| is_done(key, *until));
        *to_commit = later;
        due
    }
}

/// What a stream was told to do, as far as it does not change.
pub(super) struct Options {
    pub(super) settings: KafkaSettings,
    pub(super) group_id: Option<String>,
    pub(super) commits: bool,
    pub(super) max_record_bytes: usize,
    pub(super) limits: Limits,
}

pub(super) struct KafkaInput<K, V> {
    options: Options,
    watch: Arc<Watch>,
    shared: Arc<Shared>,
    fetchers: Arc<Fetchers>,
    rate: Mutex<Rate>,
    running: Mutex<Option<Running>>,
    types: PhantomData<fn() -> (K, V)>,
}

/// How much may be picked now.
struct Rate {
    records_per_second: Option<u64>,
    first_batch: Option<u64>,
}

/// What a start began.
struct Running {
    thread: JoinHandle<()>,
    _claim: Option<GroupClaim>,
}

impl<K, V> KafkaInput<K, V> {
    pub(super) fn new(options: Options, watch: Arc<Watch>, shared: Arc<Shared>) -> Self {
        let purpose = format!("records of {}", watch.topics);
        let log = ClientLog::new(&options.settings, purpose);
        let readers = format!("tidemill-executor-{}", options.group_id.as_deref().unwrap_or("direct-stream"));
        let fetchers = Arc::new(Fetchers::new(options.settings.clone(), readers, log));
        let Limits { rate, first_batch, .. } = options.limits;
        let rate = Mutex::new(Rate { records_per_second: rate, first_batch });
        Self { options, watch, shared, fetchers, rate, running: Mutex::default(), types: PhantomData }
    }

    fn limits(&self) -> Limits {
        let rate = lock(&self.rate);
        Limits { rate: rate.records_per_second, first_batch: rate.first_batch, ..self.options.limits }
    }

    /// The slice of these ranges, and what there is to tell of it.
    fn slice(&self, known: &Known, ranges: Vec<OffsetRange>) -> Result<Slice> {
        let records = ranges.iter().map(OffsetRange::count).sum();
        let behind = |(partition, end): (&TopicPartition, &i64)| {
            known.positions.get(partition).map_or(0, |position| u64::try_from(end - position).unwrap_or(0))
        };
        let lag: u64 = known.ends.iter().map(behind).sum();
        let text = description(&ranges);
        let value = KafkaSlice { version: VERSION, begun: known.begun, ranges, ids: known.ids.clone() };
        let mut slice =
            Slice::of(&value, records)?.with_metadata("Description", text).with_metadata("lag", lag.to_string());
        if let Some(trouble) = &known.trouble {
            slice = slice.with_metadata("unavailable since", trouble.since.to_string());
        }
        let held_up = known.held_up.told();
        if !held_up.is_empty() {
            slice = slice.with_metadata("held up", held_up);
        }
        let lost = self.shared.losses.lost();
        Ok(if lost > 0 { slice.with_metadata("lost", lost.to_string()) } else { slice })
    }

    fn end(&self) {
        if let Some(running) = lock(&self.running).take() {
            self.watch.end();
            join(running.thread);
        }
        self.fetchers.close();
    }
}

/// Waits for a thread that was told to end; one that waits for the cluster ends by itself when that answers.
fn join(thread: JoinHandle<()>) {
    let (since, pause) = (Stopwatch::start(), Interrupt::new());
    while !thread.is_finished() {
        if since.elapsed() > END_PATIENCE {
            tracing::warn!("Kafka does not answer, and the thread that asks it is left to end by itself");
            return;
        }
        pause.wait_timeout(Duration::from_millis(2));
    }
    let _ = thread.join();
}

fn of_version(version: u8) -> Result<()> {
    match version {
        VERSION => Ok(()),
        other => {
            Err(Error::data(format!("what the Kafka stream remembers has version {other}, and {VERSION} is known")))
        }
    }
}

impl<K: FromBytes, V: FromBytes> DirectInput<KafkaRecord<K, V>> for KafkaInput<K, V> {
    type Source = RangeSource<K, V>;

    fn operation(&self) -> &'static str {
        "kafka_stream"
    }

    fn identity(&self) -> Option<String> {
        Some(self.watch.topics.to_string())
    }

    fn check(&self) -> Result<()> {
        self.watch.topics.check()?;
        if self.options.group_id.is_none()
            && (self.options.commits || matches!(self.watch.starting, StartingOffsets::Stored(_)))
        {
            return Err(Error::invalid(format!(
                "the Kafka stream of \"{}\" is to commit offsets, or to begin at committed ones, without a group; call group_id",
                self.watch.topics
            )));
        }
        self.options.settings.check()
    }

    fn start(&self) -> Result<()> {
        let group_id = self.options.group_id.as_deref();
        let claim = group_id.map(|group_id| GroupClaim::new(self.options.settings.brokers(), group_id)).transpose()?;
        let settings = &self.options.settings;
        let log = ClientLog::new(settings, format!("offsets of {}", self.watch.topics));
        let cluster =
            Cluster::new(settings, group_id.unwrap_or("tidemill-direct-stream"), WatchLog::new(settings, log))?;
        let thread = self.watch.start(cluster, START_PATIENCE)?;
        *lock(&self.running) = Some(Running { thread, _claim: claim });
        Ok(())
    }

    fn pick(&self, time: Time) -> Result<Slice> {
        let mut known = self.watch.look(self.options.limits.batch_duration.min(LONGEST_LOOK));
        if let Some(error) = &known.failure {
            return Err(error.clone());
        }
        let ranges = plan(&known.positions, &known.ends, &self.limits());
        for range in &ranges {
            known.positions.insert(range.topic_partition(), range.until_offset);
        }
        if ranges.iter().any(|range| range.count() > 0) {
            lock(&self.rate).first_batch = None;
        }
        tracing::debug!(topics = %self.watch.topics, batch_time = time.as_ms(), ranges = description(&ranges), "picked");
        self.slice(&known, ranges)
    }

    fn source(&self, time: Time, slice: &Slice) -> Result<RangeSource<K, V>> {
        let KafkaSlice { version, ranges, .. } = slice.decode()?;
        of_version(version)?;
        let ranges: Arc<[OffsetRange]> = ranges.into();
        self.shared.set_ranges(time, ranges.clone());
        self.fetchers.expect(ranges.len());
        Ok(RangeSource {
            fetchers: self.fetchers.clone(),
            losses: self.shared.losses.clone(),
            ranges,
            max_record_bytes: self.options.max_record_bytes,
            types: PhantomData,
        })
    }

    fn release(&self, time: Time, slice: Option<&Slice>, succeeded: bool) {
        self.shared.forget_before(time);
        let Some(Ok(KafkaSlice { ranges, .. })) = slice.filter(|_| succeeded).map(Slice::decode) else { return };
        if self.options.commits {
            self.shared.commit_async(&ranges);
        }
        let committable = self.shared.take_committable(&ranges);
        if !committable.is_empty() && self.options.group_id.is_some() {
            self.watch.commit(committable);
        }
    }

    fn set_rate(&self, records_per_second: u64) {
        lock(&self.rate).records_per_second = Some(records_per_second);
    }

    fn remember(&self) -> Result<Vec<u8>> {
        let known = self.watch.known();
        let positions = known.positions.iter().map(|(partition, offset)| (partition.clone(), *offset)).collect();
        let remembered = Remembered { version: VERSION, begun: known.begun, positions, ids: known.ids.clone() };
        serde_json::to_vec(&remembered)
            .map_err(|error| Error::internal("what the Kafka stream remembers cannot be encoded").with_source(error))
    }

    fn restore(&self, memory: &InputMemory<'_>) -> Result<()> {
        let mut known = self.watch.known();
        if let Some(bytes) = memory.remembered().filter(|bytes| !bytes.is_empty()) {
            let unreadable = |error| Error::data("what the Kafka stream remembers cannot be read").with_source(error);
            let remembered: Remembered = serde_json::from_slice(bytes).map_err(unreadable)?;
            of_version(remembered.version)?;
            (known.begun, known.ids) = (remembered.begun, remembered.ids);
            known.positions = remembered.positions.into_iter().collect();
        }
        for (_, slice) in memory.picked() {
            let KafkaSlice { version, begun, ranges, ids } = slice.decode()?;
            of_version(version)?;
            known.begun |= begun;
            known.ids.extend(ids);
            for range in ranges {
                known.positions.insert(range.topic_partition(), range.until_offset);
            }
        }
        Ok(())
    }

    fn close(&self) {
        self.end();
    }
}

impl<K, V> Drop for KafkaInput<K, V> {
    fn drop(&mut self) {
        self.end();
    }
}

#[cfg(test)]
mod tests;
