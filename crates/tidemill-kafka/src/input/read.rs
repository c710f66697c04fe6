//! Reads the ranges of a batch on the workers, record by record as they come.
//!
//! Offsets have gaps: compaction and transactions leave them. So a range is read when something tells that all before its
//! end was delivered: a record at the last offset or behind it; the position of the consumer, which goes past the ends of
//! transactions; or, where the last offsets are a gap, the end of the partition, reached by a fetch that was begun anew.

use super::{
    fetch::{Fetcher, Fetchers, Reader},
    loss::{Loss, Losses},
};
use crate::{
    offsets::{OffsetRange, TopicPartition},
    record::{FromBytes, KafkaRecord, decode},
};
use rdkafka::{
    Message,
    error::{KafkaError, RDKafkaErrorCode},
    message::OwnedMessage,
};
use std::{marker::PhantomData, sync::Arc, time::Duration};
use tidemill::{
    Error, ErrorKind, Result,
    base::clock::Stopwatch,
    io::{Source, SourceChunks},
    put_aside_from,
};

/// How many records a chunk has, and how many bytes after which it is not filled further.
const CHUNK_RECORDS: usize = 512;
const CHUNK_BYTES: usize = 1 << 20;

/// How long an empty queue is waited on before the position is looked at.
const PAUSE: Duration = Duration::from_millis(10);

/// After how long a silent partition is asked anew whether there is anything before the end of the range.
const SILENCE: Duration = Duration::from_millis(100);

/// The ranges of one batch, a partition each.
pub(crate) struct RangeSource<K, V> {
    pub(super) fetchers: Arc<Fetchers>,
    pub(super) losses: Arc<Losses>,
    pub(super) ranges: Arc<[OffsetRange]>,
    pub(super) max_record_bytes: usize,
    pub(super) types: PhantomData<fn() -> (K, V)>,
}

impl<K: FromBytes, V: FromBytes> Source<KafkaRecord<K, V>> for RangeSource<K, V> {
    fn partitions(&self) -> usize {
        self.ranges.len()
    }

    fn place(&self, partition: usize) -> String {
        self.ranges[partition].topic_partition().to_string()
    }

    fn offset(&self, record: &KafkaRecord<K, V>) -> Option<u64> {
        u64::try_from(record.offset).ok()
    }

    fn read<'a>(&'a self, partition: usize) -> Result<SourceChunks<'a, KafkaRecord<K, V>>> {
        let range = &self.ranges[partition];
        if range.count() == 0 {
            return Ok(Box::new(std::iter::empty()));
        }
        let mut reading = Reading::begin(self, range)?;
        Ok(Box::new(std::iter::from_fn(move || reading.next_chunk().transpose())))
    }
}

/// The reading of one range.
struct Reading<'a, K, V> {
    source: &'a RangeSource<K, V>,
    partition: TopicPartition,
    /// The topic once more: a count of references that other workers do not write to.
    topic: Arc<str>,
    fetcher: Arc<Fetcher>,
    /// There until it is given back.
    reader: Option<Reader>,
    /// What was not read yet.
    next: i64,
    until: i64,
    /// Whether the fetch began in this reading, so that an end of the partition that it reports is not one of long ago.
    is_fresh: bool,
    /// Whether it began after the partition told that it goes to the end of the range.
    goes_far_enough: bool,
    /// Whether the queue is in a state in which nobody knows what it brings.
    is_lost: bool,
    /// Since when nothing came.
    silent: Stopwatch,
}

/// What a look into the queue brought.
enum Step<K, V> {
    Record {
        record: KafkaRecord<K, V>,
        bytes: usize,
    },
    /// A record that was put aside.
    Aside,
    /// Nothing as yet.
    Nothing,
    /// The range is read.
    End,
    /// As `End`, with a record that is not in it.
    Ahead(OwnedMessage),
}

impl<'a, K: FromBytes, V: FromBytes> Reading<'a, K, V> {
    fn begin(source: &'a RangeSource<K, V>, range: &OffsetRange) -> Result<Self> {
        let partition = range.topic_partition();
        let (fetcher, reader) = source.fetchers.take(&partition, range.from_offset)?;
        let (topic, is_there) = (Arc::from(&*range.topic), reader.next == Some(range.from_offset));
        let mut reading = Self {
            source,
            partition,
            topic,
            fetcher,
            is_fresh: reader.fresh,
            reader: Some(reader),
            next: range.from_offset,
            until: range.until_offset,
            goes_far_enough: false,
            is_lost: false,
            silent: Stopwatch::start(),
        };
        reading.fetcher.serve();
        if !is_there {
            reading.seek(range.from_offset)?;
        }
        Ok(reading)
    }

    /// Some of the records that are still to be read; `None` if there are no more.
    fn next_chunk(&mut self) -> Result<Option<Vec<KafkaRecord<K, V>>>> {
        let (mut chunk, mut chunk_bytes) = (Vec::new(), 0);
        self.silent = Stopwatch::start();
        while chunk.len() < CHUNK_RECORDS && chunk_bytes < CHUNK_BYTES && self.next < self.until {
            // What there is goes on its way rather than wait for more.
            let wait = if chunk.is_empty() { PAUSE } else { Duration::ZERO };
            match self.step(wait)? {
                Step::Record { record, bytes } => {
                    if chunk.is_empty() {
                        chunk.reserve_exact(CHUNK_RECORDS.min((self.until - self.next + 1) as usize));
                    }
                    chunk_bytes += bytes;
                    chunk.push(record);
                }
                Step::Aside => self.silent = Stopwatch::start(),
                Step::Nothing if !chunk.is_empty() => break,
                Step::Nothing => self.look_for_the_end()?,
                Step::End => self.next = self.until,
                Step::Ahead(message) => {
                    self.next = self.until;
                    if let Some(reader) = &mut self.reader {
                        reader.ahead = Some(message);
                    }
                }
            }
        }
        Ok((!chunk.is_empty()).then_some(chunk))
    }

    fn step(&mut self, wait: Duration) -> Result<Step<K, V>> {
        // Out of `self` for as long as a message borrows from it.
        let Some(mut reader) = self.reader.take() else { return Ok(Step::End) };
        let outcome = match reader.ahead.take() {
            Some(message) if message.offset() < self.until => self.taken(&message),
            Some(message) => Ok(Step::Ahead(message)),
            None => match reader.queue.poll(wait) {
                None => Ok(Step::Nothing),
                Some(Ok(message)) if message.offset() < self.until => self.taken(&message),
                Some(Ok(message)) => Ok(Step::Ahead(message.detach())),
                Some(Err(error)) => self.troubled(&error),
            },
        };
        self.reader = Some(reader);
        outcome
    }

    /// A message of the range.
    fn taken(&mut self, message: &impl Message) -> Result<Step<K, V>> {
        let offset = message.offset();
        if offset < self.next {
            return Ok(Step::Aside);
        }
        self.next = offset + 1;
        match decode(message, &self.topic, self.source.max_record_bytes) {
            Ok(record) => Ok(Step::Record { record, bytes: message.payload().map_or(0, <[u8]>::len) }),
            Err(error) => self.put_aside(offset, message.payload().unwrap_or_default(), &*error).map(|()| Step::Aside),
        }
    }

    #[cold]
    fn put_aside(&self, offset: i64, value: &[u8], error: &dyn std::error::Error) -> Result<()> {
        let place = self.partition.to_string();
        let error = Error::data(format!("the record of \"{place}\" at offset {offset}: {error}"));
        let offset = u64::try_from(offset).unwrap_or_default();
        match std::str::from_utf8(value) {
            Ok(text) => put_aside_from(&place, offset, text, error),
            Err(_) => put_aside_from(&place, offset, value, error),
        }
    }

    /// The queue reports an error: of the place where it is to read, or of the cluster.
    #[cold]
    fn troubled(&mut self, error: &KafkaError) -> Result<Step<K, V>> {
        if let KafkaError::PartitionEOF(_) = error {
            // It may be an end of long ago, behind which more has come.
            return if self.is_fresh { self.ended() } else { Ok(Step::Nothing) };
        }
        if let Some(RDKafkaErrorCode::AutoOffsetReset | RDKafkaErrorCode::OffsetOutOfRange) = error.rdkafka_error_code()
        {
            return self.lost("they expired or were deleted");
        }
        let error =
            self.fetcher.error(format_args!("\"{}\" could not be read from {} on", self.partition, self.next), error);
        if error.kind() == ErrorKind::Unavailable {
            tracing::debug!(partition = %self.partition, %error, "a fetch did not succeed and is tried again");
            return Ok(Step::Nothing);
        }
        self.is_lost = true;
        Err(error)
    }

    /// There is nothing between what was read and the end of the partition: as it was known to the broker that was asked. A new
    /// leader may be behind for a moment, so that is only believed of a fetch that began after it told that it is not.
    fn ended(&mut self) -> Result<Step<K, V>> {
        if self.goes_far_enough {
            return Ok(Step::End);
        }
        if self.fetcher.extent(&self.partition)?.end < self.until {
            return self.lost("the partition ends before them");
        }
        self.goes_far_enough = true;
        self.seek(self.next)?;
        Ok(Step::Nothing)
    }

    /// Some of the range is not there any more.
    fn lost(&mut self, why: &'static str) -> Result<Step<K, V>> {
        self.is_lost = true;
        let extent = self.fetcher.extent(&self.partition)?;
        let loss = Loss { partition: &self.partition, from: self.next, until: Some(self.until), why, extent };
        let next = self.source.losses.go_on(&loss)?;
        if next <= self.next || next >= self.until {
            return Ok(Step::End);
        }
        self.next = next;
        self.is_fresh = true;
        self.fetcher.seek(&self.partition, next, Stopwatch::start())?;
        self.is_lost = false;
        Ok(Step::Nothing)
    }

    /// Nothing came for a moment: perhaps nothing is to come.
    fn look_for_the_end(&mut self) -> Result<()> {
        if self.fetcher.position(&self.partition).is_some_and(|position| position >= self.until) {
            self.next = self.until;
            return Ok(());
        }
        let silent = self.silent.elapsed();
        let timeout = self.source.fetchers.settings().timeout();
        self.fetcher.serve();
        if silent >= timeout {
            let (partition, next, until) = (&self.partition, self.next, self.until);
            let (brokers, complaint) = (self.source.fetchers.settings().brokers(), self.source.fetchers.complaint());
            return Err(Error::unavailable(format!(
                "nothing of \"{partition}\" from {next} until {until} came from \"{brokers}\" within {timeout:?}{complaint}"
            )));
        }
        if silent >= SILENCE && !self.is_fresh {
            self.seek(self.next)?;
        }
        Ok(())
    }

    fn seek(&mut self, offset: i64) -> Result<()> {
        if let Some(reader) = &mut self.reader {
            reader.ahead = None;
        }
        self.is_lost = true;
        self.fetcher.seek(&self.partition, offset, Stopwatch::start())?;
        (self.is_lost, self.is_fresh) = (false, true);
        Ok(())
    }
}

impl<K, V> Drop for Reading<'_, K, V> {
    fn drop(&mut self) {
        if let Some(mut reader) = self.reader.take() {
            reader.next = (!self.is_lost).then_some(self.next);
            reader.fresh = false;
            self.fetcher.give_back(&self.partition, reader);
        }
    }
}
