//! Streams into Kafka: each batch one transaction of each process, known again by a mark in it; or quickly, at least once.

mod call;
mod marker;
mod offsets;
mod place;
mod plain;
mod producer;
mod producer_record;
mod topic_writer;
mod transactions;

pub use producer_record::{Payload, ProducerRecord};
pub use topic_writer::TopicWriter;

use crate::{offsets::OffsetRange, settings::KafkaSettings};
use offsets::Offsets;
use place::Place;
use plain::Plain;
use std::{
    fmt,
    sync::{Arc, OnceLock},
    time::Duration,
};
use tidemill::{
    DStream, Data, Error, Result, Time,
    io::{Sink, SinkContract, SinkStart},
    keys, put_aside,
};
use transactions::{Transactions, Turn};

type Convert<T> = Box<dyn for<'a> Fn(&'a T) -> ProducerRecord<'a> + Send + Sync>;
type Partitioner = Box<dyn Fn(&ProducerRecord<'_>, usize) -> usize + Send + Sync>;

/// Writes each batch of a stream to a topic; exactly once unless told otherwise.
///
/// *Exactly once*: what a process writes of a batch is one transaction, which is committed before the checkpoint says
/// that the batch is done, and has the batch's time in it, as an offset of a consumer group of the sink's own. When a batch
/// runs again after a crash, a process that finds its transaction there writes nothing. So the batch must come out the
/// same: not by chance, the clock, or what else is outside. Readers see it with `isolation.level=read_committed`. The
/// brokers should be 4.0 or newer; older ones may, rarely, take a record that was delayed into the next transaction. A
/// batch that fails after Kafka has it, for another output's sake, stays there.
///
/// A record too large for `message.max.bytes` (1000000 unless set) is [put aside](tidemill::put_aside).
///
/// # Examples
/// ```no_run
/// use tidemill::{StreamingContext, Text, seconds};
/// use tidemill_kafka::{KafkaSettings, KafkaSink, ProducerRecord};
/// let ssc = StreamingContext::local(2, seconds(1))?;
/// ssc.checkpoint("checkpoint")?;
/// let counts = ssc.text_file_stream("logs").count_by_value();
/// let sink = KafkaSink::new(&KafkaSettings::new("broker:9092"), "counts", |(word, count): &(Text, u64)| {
///     ProducerRecord::new(count.to_string()).key(word)
/// });
/// counts.save_to(sink);
/// # Ok::<(), tidemill::Error>(())
/// ```
pub struct KafkaSink<T> {
    convert: Convert<T>,
    partitioner: Option<Partitioner>,
    settings: KafkaSettings,
    topic: String,
    transaction_timeout: Option<Duration>,
    accept_lost_marks: bool,
    offsets: Option<Arc<Offsets>>,
    is_transactional: bool,
    max_record_bytes: usize,
    writer: OnceLock<Writer>,
}

enum Writer {
    Transactions(Arc<Transactions>),
    Plain(Box<Plain>),
}

impl<T> KafkaSink<T> {
    /// Writes what `convert` makes of each record to `topic`, unless it names another.
    pub fn new(
        settings: &KafkaSettings,
        topic: impl Into<String>,
        convert: impl for<'a> Fn(&'a T) -> ProducerRecord<'a> + Send + Sync + 'static,
    ) -> Self {
        let max_record_bytes = settings.get("message.max.bytes").and_then(|bytes| bytes.parse().ok());
        Self {
            convert: Box::new(convert),
            partitioner: None,
            settings: settings.clone(),
            topic: topic.into(),
            transaction_timeout: None,
            accept_lost_marks: false,
            offsets: None,
            is_transactional: true,
            max_record_bytes: max_record_bytes.unwrap_or(1_000_000),
            writer: OnceLock::new(),
        }
    }

    /// Without transactions: quicker to be seen, and what a batch that runs again has written comes again.
    #[must_use]
    pub fn at_least_once(mut self) -> Self {
        self.is_transactional = false;
        self
    }

    /// Chooses the partition by a function of the record and of how many partitions the topic has. Otherwise it is
    /// librdkafka's `partitioner`: a hash of the key; set it to `murmur2_random` for the hash that Java clients use.
    ///
    /// # Examples
    /// ```
    /// use tidemill_kafka::{KafkaSettings, KafkaSink, ProducerRecord};
    /// let sink = KafkaSink::new(&KafkaSettings::new("broker:9092"), "words", |word: &String| ProducerRecord::new(word));
    /// let sink = sink.partitioner(|record, partitions| record.value_bytes().map_or(0, <[u8]>::len) % partitions);
    /// # let _ = sink;
    /// ```
    #[must_use]
    pub fn partitioner(
        mut self,
        partitioner: impl Fn(&ProducerRecord<'_>, usize) -> usize + Send + Sync + 'static,
    ) -> Self {
        self.partitioner = Some(Box::new(partitioner));
        self
    }

    /// How long a transaction may take before the brokers end it, and with it how long readers may have to wait for one
    /// that a crash left, until the program starts again; unless set, `tidemill.kafka.transactionTimeout` (5 minutes). The
    /// brokers' `transaction.max.timeout.ms` (15 minutes) is the most: above it the program does not start.
    #[must_use]
    pub fn transaction_timeout(mut self, timeout: Duration) -> Self {
        self.transaction_timeout = Some(timeout);
        self
    }

    /// Commits the ends of offset ranges to a consumer group, in the same transaction: those that `ranges` says each batch
    /// has read, usually the stream's own. For those who watch the lag of the group, or go on from it.
    ///
    /// # Examples
    /// ```no_run
    /// use tidemill::{StreamingContext, seconds};
    /// use tidemill_kafka::{KafkaSettings, KafkaSink, KafkaSource, ProducerRecord};
    /// let ssc = StreamingContext::local(2, seconds(1))?;
    /// let settings = KafkaSettings::new("broker:9092");
    /// let lines = KafkaSource::new(settings.clone()).topics(["lines"]).stream::<(), String>(&ssc)?;
    /// let sink = KafkaSink::new(&settings, "copies", |line: &String| ProducerRecord::new(line));
    /// let read = lines.clone();
    /// lines.values().save_to(sink.commit_offsets("copiers", move |time| read.offset_ranges(time)));
    /// # Ok::<(), tidemill::Error>(())
    /// ```
    #[must_use]
    pub fn commit_offsets(
        mut self,
        group: impl Into<String>,
        ranges: impl Fn(Time) -> Vec<OffsetRange> + Send + Sync + 'static,
    ) -> Self {
        self.offsets = Some(Arc::new(Offsets::new(group.into(), ranges)));
        self
    }

    /// Starts although Kafka has forgotten the marks of the last run, which it does `offsets.retention.minutes` (7 days)
    /// after the program has stopped: batches that were not done then may come twice. So does
    /// `tidemill.kafka.acceptLostMarks`.
    #[must_use]
    pub fn accept_lost_marks(mut self) -> Self {
        self.accept_lost_marks = true;
        self
    }

    /// Where it writes in this start of its program.
    fn place(&self, start: &SinkStart) -> Result<Place> {
        let timeout = start.config.get(&keys::KAFKA_TRANSACTION_TIMEOUT)?;
        let accept_lost_marks = start.config.get(&keys::KAFKA_ACCEPT_LOST_MARKS)?;
        let (timeout, accept) =
            (self.transaction_timeout.unwrap_or(timeout), self.accept_lost_marks || accept_lost_marks);
        Ok(Place::new(&self.settings, &self.topic, timeout, accept, start))
    }

    fn writer(&self) -> Result<&Writer> {
        let unstarted = || Error::internal("the sink was not told that its program starts");
        self.writer.get().ok_or_else(unstarted)
    }

    fn transactions(&self) -> Result<Option<&Arc<Transactions>>> {
        Ok(match self.writer()? {
            Writer::Transactions(transactions) => Some(transactions),
            Writer::Plain(_) => None,
        })
    }
}

impl<T: Data> KafkaSink<T> {
    /// Hands over the records of a partition, or only looks at them; how many there were that Kafka takes.
    fn each(
        &self,
        records: &mut dyn Iterator<Item = T>,
        mut send: impl FnMut(&ProducerRecord<'_>, Option<i32>) -> Result<()>,
        partitions: impl Fn(Option<&str>) -> Result<usize>,
    ) -> Result<u64> {
        let mut count = 0;
        for record in records {
            let converted = (self.convert)(&record);
            let bytes = converted.wire_bytes();
            if bytes > self.max_record_bytes {
                let error = Error::data(format!(
                    "a record of {bytes} bytes is more than message.max.bytes, {}, allows",
                    self.max_record_bytes
                ));
                put_aside(&record, error)?;
                continue;
            }
            let partition = match &self.partitioner {
                None => converted.partition,
                Some(partitioner) => Some(chosen(partitioner, &converted, partitions(converted.topic.as_deref())?)?),
            };
            send(&converted, partition)?;
            count += 1;
        }
        Ok(count)
    }

    fn look_at(&self, records: &mut dyn Iterator<Item = T>) -> Result<u64> {
        self.each(records, |_, _| Ok(()), |_| Ok(usize::MAX))
    }
}

fn chosen(partitioner: &Partitioner, record: &ProducerRecord<'_>, partitions: usize) -> Result<i32> {
    let partition = partitioner(record, partitions);
    match i32::try_from(partition) {
        Ok(number) if partition < partitions => Ok(number),
        _ => Err(Error::user(format!("the partitioner chose partition {partition} of {partitions}"))),
    }
}

impl<T: Data> Sink<T> for KafkaSink<T> {
    /// How many records were written.
    type Receipt = u64;

    fn contract(&self) -> SinkContract {
        if self.is_transactional { SinkContract::Marked } else { SinkContract::AtLeastOnce }
    }

    fn start(&self, start: &SinkStart) -> Result<()> {
        let place = self.place(start)?;
        self.settings.check()?;
        let writer = match self.is_transactional {
            true => Writer::Transactions(Arc::new(Transactions::new(place, self.offsets.clone()))),
            false => Writer::Plain(Box::new(Plain::new(place))),
        };
        self.writer.set(writer).map_err(|_| Error::invalid("a sink is started twice; give each output its own"))
    }

    fn begin(&self, _time: Time) -> Result<()> {
        self.transactions()?.map_or(Ok(()), |transactions| transactions.abort())
    }

    fn write(&self, time: Time, partition: usize, records: &mut dyn Iterator<Item = T>) -> Result<u64> {
        let transactions = match self.writer()? {
            Writer::Transactions(transactions) => transactions,
            Writer::Plain(plain) => {
                let producer = plain.producer()?;
                let written = self.each(records, |r, p| producer.send(r, p), |topic| producer.partitions(topic));
                return written.inspect_err(|_| plain.give_up());
            }
        };
        match transactions.enter(time, partition)? {
            Turn::Known(known) => self.look_at(records).map(|looked| known.unwrap_or(looked)),
            Turn::Write(writing) => {
                let producer = writing.producer.clone();
                let count = self.each(records, |r, p| writing.send(r, p), |topic| producer.partitions(topic))?;
                writing.done(count)?;
                Ok(count)
            }
        }
    }

    fn seal(&self, time: Time) -> Result<()> {
        match self.writer()? {
            Writer::Transactions(transactions) => transactions.seal(time),
            Writer::Plain(plain) => plain.flush(),
        }
    }

    fn commit(&self, _time: Time, _receipts: Vec<u64>) -> Result<()> {
        Ok(())
    }

    fn abort(&self, _time: Time) -> Result<()> {
        self.transactions()?.map_or(Ok(()), |transactions| transactions.abort())
    }

    fn restore(&self, last: Option<(Time, Vec<u64>)>) -> Result<()> {
        self.transactions()?.map_or(Ok(()), |transactions| transactions.take_over(last.map(|(time, _)| time)))
    }
}

impl<T> fmt::Debug for KafkaSink<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KafkaSink")
            .field("settings", &self.settings)
            .field("topic", &self.topic)
            .finish_non_exhaustive()
    }
}

/// What streams can do with Kafka.
pub trait KafkaStreamExt<T> {
    /// Writes each batch to `topic`, exactly once: what `convert` makes of each record. For anything else build a
    /// [`KafkaSink`] and give it to [`save_to`](DStream::save_to).
    ///
    /// # Panics
    /// If the context was started or stopped.
    ///
    /// # Examples
    /// ```no_run
    /// use tidemill::{StreamingContext, seconds};
    /// use tidemill_kafka::{KafkaSettings, KafkaStreamExt as _, ProducerRecord};
    /// let ssc = StreamingContext::local(2, seconds(1))?;
    /// let lines = ssc.text_file_stream("logs");
    /// lines.to_kafka(&KafkaSettings::new("broker:9092"), "lines", |line| ProducerRecord::new(line));
    /// # Ok::<(), tidemill::Error>(())
    /// ```
    #[track_caller]
    fn to_kafka(
        &self,
        settings: &KafkaSettings,
        topic: impl Into<String>,
        convert: impl for<'a> Fn(&'a T) -> ProducerRecord<'a> + Send + Sync + 'static,
    );
}

impl<T: Data> KafkaStreamExt<T> for DStream<T> {
    #[track_caller]
    fn to_kafka(
        &self,
        settings: &KafkaSettings,
        topic: impl Into<String>,
        convert: impl for<'a> Fn(&'a T) -> ProducerRecord<'a> + Send + Sync + 'static,
    ) {
        self.save_to(KafkaSink::new(settings, topic, convert));
    }
}
