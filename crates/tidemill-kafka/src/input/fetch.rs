//! The consumers of a process that read for its workers, and live from batch to batch.
//!
//! One consumer has all partitions that this process reads and fetches ahead for each of them; each partition has a queue of
//! its own, so that workers read different ones at once. Where one batch follows upon the other a read finds its records
//! there already. A partition that is read twice at the same time, as by a join of a stream with itself, gets a second
//! consumer.

use crate::{
    client::{self, ClientLog},
    lock::lock,
    offsets::TopicPartition,
    settings::KafkaSettings,
};
use rdkafka::{
    Offset, TopicPartitionList,
    consumer::{BaseConsumer, Consumer, base_consumer::PartitionQueue},
    error::KafkaError,
    message::OwnedMessage,
};
use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};
use tidemill::{Error, Interrupt, Result, base::clock::Stopwatch};

/// What is set unless the user sets it: large fetches, and looking again soon where a queue was full.
///
/// A fetch has all partitions in it that have room, and waits at the broker if they have nothing new. One whose queue was full
/// must not wait for them longer than it takes to read what is in its queue, so the wait is short: 500 ms, the library's
/// default, made reading 12 partitions three times as slow as 20 ms.
#[rustfmt::skip]
const DEFAULTS: &[(&str, &str)] = &[
    ("fetch.wait.max.ms", "20"),
    ("fetch.queue.backoff.ms", "10"),
    ("fetch.message.max.bytes", "4194304"),
];

/// How much one consumer fetches ahead, in KiB: of all partitions together, as far as there is the least for each.
const AHEAD_KBYTES: usize = 256 * 1024;
const LEAST_AHEAD_KBYTES: usize = 1024;
const MOST_AHEAD_KBYTES: usize = 16 * 1024;
const AHEAD: &str = "queued.max.messages.kbytes";

/// A record that is fetched ahead takes so much more than what is in it, which is not counted among the bytes: so small ones are
/// counted.
const RECORD_BYTES: usize = 400;
const AHEAD_RECORDS: &str = "queued.min.messages";

/// The consumers of one stream in this process.
pub(super) struct Fetchers {
    settings: KafkaSettings,
    group_id: String,
    log: ClientLog,
    /// How many partitions there are to share what is fetched ahead.
    partitions: AtomicUsize,
    all: Mutex<Vec<Arc<Fetcher>>>,
}

/// A consumer and the partitions that it reads.
pub(super) struct Fetcher {
    settings: KafkaSettings,
    consumer: Arc<BaseConsumer<ClientLog>>,
    /// `None` while somebody reads it.
    readers: Mutex<HashMap<TopicPartition, Option<Reader>>>,
}

/// A partition in the hands of whoever reads it.
pub(super) struct Reader {
    pub(super) queue: PartitionQueue<ClientLog>,
    /// What the queue brings next has this offset or a later one; `None` if it has to be told where to begin.
    pub(super) next: Option<i64>,
    /// A record that was read ahead and is not yet due.
    pub(super) ahead: Option<OwnedMessage>,
    /// Whether nothing was read of the queue since its fetch began.
    pub(super) fresh: bool,
}

impl Fetchers {
    pub(super) fn new(settings: KafkaSettings, group_id: String, log: ClientLog) -> Self {
        Self { settings, group_id, log, partitions: AtomicUsize::new(1), all: Mutex::default() }
    }

    pub(super) fn settings(&self) -> &KafkaSettings {
        &self.settings
    }

    /// There will be so many partitions.
    pub(super) fn expect(&self, partitions: usize) {
        self.partitions.store(partitions.max(1), Ordering::Relaxed);
    }

    pub(super) fn complaint(&self) -> String {
        self.log.complaint()
    }

    /// Takes a partition to read it from `from`: of the consumer that is there already, if one is.
    ///
    /// # Errors
    /// If there has to be a new consumer and it cannot be made.
    pub(super) fn take(&self, partition: &TopicPartition, from: i64) -> Result<(Arc<Fetcher>, Reader)> {
        let mut all = lock(&self.all);
        let idle = |fetcher: &&Arc<Fetcher>| !matches!(lock(&fetcher.readers).get(partition), Some(None));
        let there = |fetcher: &&Arc<Fetcher>| matches!(lock(&fetcher.readers).get(partition), Some(Some(reader)) if reader.next == Some(from));
        let fetcher = match all.iter().find(there).or_else(|| all.iter().find(idle)) {
            Some(fetcher) => fetcher.clone(),
            None => {
                all.push(Arc::new(self.fetcher()?));
                all[all.len() - 1].clone()
            }
        };
        let reader = fetcher.take(partition, from)?;
        Ok((fetcher, reader))
    }

    fn fetcher(&self) -> Result<Fetcher> {
        let ahead = AHEAD_KBYTES / self.partitions.load(Ordering::Relaxed);
        let ahead = ahead.clamp(LEAST_AHEAD_KBYTES, MOST_AHEAD_KBYTES);
        let (kbytes, records) = (ahead.to_string(), (ahead * 1024 / RECORD_BYTES).to_string());
        let defaults = DEFAULTS.iter().copied().chain([(AHEAD, kbytes.as_str()), (AHEAD_RECORDS, records.as_str())]);
        let unset = defaults.filter(|(key, _)| self.settings.get(key).is_none());
        let engine: Vec<_> = unset.chain([("enable.partition.eof", "true")]).collect();
        let consumer = Arc::new(self.settings.consumer(&self.group_id, &engine, self.log.clone())?);
        Ok(Fetcher { settings: self.settings.clone(), consumer, readers: Mutex::default() })
    }

    /// Ends all consumers.
    pub(super) fn close(&self) {
        let all = std::mem::take(&mut *lock(&self.all));
        if !all.is_empty() {
            client::close(all);
        }
    }
}

impl Drop for Fetchers {
    fn drop(&mut self) {
        self.close();
    }
}

impl Fetcher {
    fn take(&self, partition: &TopicPartition, from: i64) -> Result<Reader> {
        let mut readers = lock(&self.readers);
        if let Some(reader) = readers.get_mut(partition).and_then(Option::take) {
            return Ok(reader);
        }
        // Before it is assigned, so that no record of it goes to the queue of the consumer.
        let queue = self.consumer.split_partition_queue(&partition.topic, partition.partition);
        let queue =
            queue.ok_or_else(|| Error::invalid(format!("there is no partition \"{partition}\" to read from")))?;
        self.assign(partition, from)?;
        readers.insert(partition.clone(), None);
        Ok(Reader { queue, next: Some(from), ahead: None, fresh: true })
    }

    /// Gives a partition back.
    pub(super) fn give_back(&self, partition: &TopicPartition, reader: Reader) {
        lock(&self.readers).insert(partition.clone(), Some(reader));
    }

    fn assign(&self, partition: &TopicPartition, from: i64) -> Result<()> {
        let assigned =
            self.list(partition, Offset::Offset(from)).and_then(|list| self.consumer.incremental_assign(&list));
        assigned.map_err(|error| self.error(format_args!("\"{partition}\" could not be read from {from} on"), &error))
    }

    fn list(&self, partition: &TopicPartition, offset: Offset) -> Result<TopicPartitionList, KafkaError> {
        let mut list = TopicPartitionList::new();
        list.add_partition_offset(&partition.topic, partition.partition, offset)?;
        Ok(list)
    }

    /// Makes the queue of a partition go on at `offset`; what is in it is gone.
    pub(super) fn seek(&self, partition: &TopicPartition, offset: i64, since: Stopwatch) -> Result<()> {
        let TopicPartition { topic, partition: number } = partition;
        loop {
            let left = self.settings.timeout().saturating_sub(since.elapsed());
            let Err(error) = self.consumer.seek(topic, *number, Offset::Offset(offset), left) else { return Ok(()) };
            if left.is_zero() {
                return Err(self.error(format_args!("\"{partition}\" could not be read from {offset} on"), &error));
            }
            // A partition that has not begun to fetch, or that gave up, cannot seek; it can begin anew.
            let unassigned =
                self.list(partition, Offset::Invalid).and_then(|list| self.consumer.incremental_unassign(&list));
            if unassigned.is_ok() {
                return self.assign(partition, offset);
            }
            Interrupt::new().wait_timeout(Duration::from_millis(10));
        }
    }

    /// Up to where the queue of a partition was read, with what is not shown, such as the ends of transactions.
    pub(super) fn position(&self, partition: &TopicPartition) -> Option<i64> {
        let positions = self.consumer.position().ok()?;
        match positions.find_partition(&partition.topic, partition.partition)?.offset() {
            Offset::Offset(position) => Some(position),
            _ => None,
        }
    }

    /// The offsets that a partition has now.
    pub(super) fn extent(&self, partition: &TopicPartition) -> Result<super::loss::Extent> {
        let at = |at: Offset| -> Result<i64, KafkaError> {
            let told = self.consumer.offsets_for_times(self.list(partition, at)?, self.settings.timeout())?;
            let element = told.find_partition(&partition.topic, partition.partition);
            let element = element.ok_or(KafkaError::NoMessageReceived)?;
            element.error()?;
            element.offset().to_raw().filter(|offset| *offset >= 0).ok_or(KafkaError::NoMessageReceived)
        };
        let both = at(Offset::Beginning).and_then(|begin| Ok((begin, at(Offset::End)?)));
        let (begin, end) = both.map_err(|error| {
            self.error(format_args!("the offsets of \"{partition}\" could not be looked up"), &error)
        })?;
        Ok(super::loss::Extent { begin, end })
    }

    /// Handles what the consumer has to say.
    pub(super) fn serve(&self) {
        // Records come by the queues of their partitions.
        client::hear(&self.consumer, Duration::ZERO);
    }

    pub(super) fn error(&self, attempted: impl std::fmt::Display, error: &KafkaError) -> Error {
        self.settings.error(attempted, error)
    }
}
