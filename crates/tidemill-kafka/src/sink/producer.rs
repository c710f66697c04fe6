//! A producer of librdkafka: records go in without waiting, and what became of them is known after a flush.

use super::{ProducerRecord, call::Call};
use crate::{
    client::{self, ClientLog},
    lock::lock,
    settings::KafkaSettings,
};
use rdkafka::{
    ClientContext, TopicPartitionList,
    config::RDKafkaLogLevel,
    consumer::ConsumerGroupMetadata,
    error::{KafkaError, KafkaResult, RDKafkaErrorCode},
    message::{DeliveryResult, Header, OwnedHeaders},
    producer::{BaseProducer, BaseRecord, Producer as _, ProducerContext},
};
use std::{
    collections::HashMap,
    fmt,
    sync::{Arc, Mutex, OnceLock},
    time::Duration,
};
use tidemill::{Error, ErrorKind, Interrupt, Result, base::clock::Stopwatch};

/// How long a record that finds the queue full waits before it tries again.
const FULL_PAUSE: Duration = Duration::from_millis(5);
/// How long one look at what is still under way takes at a flush.
const FLUSH_STEP: Duration = Duration::from_millis(2);

/// How long a topic that is being made is waited for, and how often it is asked for.
const TOPIC_PATIENCE: Duration = Duration::from_secs(10);
const TOPIC_PAUSE: Duration = Duration::from_millis(50);

/// What a producer has unless the user sets it: much room for a batch.
const DEFAULTS: &[(&str, &str)] =
    &[("queue.buffering.max.messages", "1000000"), ("queue.buffering.max.kbytes", "262144")];

/// Called back by librdkafka: keeps the first error of a delivery.
pub(super) struct Deliveries {
    log: ClientLog,
    failed: OnceLock<KafkaError>,
}

impl ClientContext for Deliveries {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, line: &str) {
        self.log.log(level, facility, line);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        self.log.error(error, reason);
    }
}

impl ProducerContext for Deliveries {
    type DeliveryOpaque = ();

    fn delivery(&self, result: &DeliveryResult<'_>, (): ()) {
        if let Err((error, _)) = result {
            let _ = self.failed.set(error.clone());
        }
    }
}

/// A producer that is shared by all who write a batch in this process.
pub(super) struct Producer {
    settings: KafkaSettings,
    topic: String,
    /// Taken out only to be closed.
    native: Option<Arc<BaseProducer<Deliveries>>>,
    partitions: Mutex<HashMap<String, usize>>,
}

impl Producer {
    /// # Errors
    /// Invalid, if the settings do not allow for it.
    pub(super) fn new(settings: &KafkaSettings, topic: &str, engine: &[(&str, &str)], log: ClientLog) -> Result<Self> {
        let fixed = [("enable.idempotence", "true"), ("delivery.report.only.error", "true")];
        let defaults = DEFAULTS.iter().copied().filter(|(key, _)| settings.get(key).is_none());
        let all: Vec<_> = defaults.chain(fixed).chain(engine.iter().copied()).collect();
        let native = settings.create(&all, Deliveries { log, failed: OnceLock::new() })?;
        let (settings, topic) = (settings.clone(), topic.to_owned());
        Ok(Self { settings, topic, native: Some(Arc::new(native)), partitions: Mutex::default() })
    }

    fn native(&self) -> &Arc<BaseProducer<Deliveries>> {
        self.native.as_ref().expect("it is taken only when the producer is dropped")
    }

    /// Hands a record over; waits while librdkafka has no room.
    ///
    /// # Errors
    /// Unavailable, if there is no room for as long as a call may take; what librdkafka says of the record.
    pub(super) fn send(&self, record: &ProducerRecord<'_>, partition: Option<i32>) -> Result<()> {
        let mut waiting: Option<Stopwatch> = None;
        let mut unsent = self.native_record(record, partition);
        loop {
            let (error, back) = match self.native().send(unsent) {
                Ok(()) => return Ok(()),
                Err(refused) => refused,
            };
            let is_full = error.rdkafka_error_code() == Some(RDKafkaErrorCode::QueueFull);
            let waited = waiting.get_or_insert_with(Stopwatch::start).elapsed();
            if !is_full || waited > self.settings.timeout() {
                return Err(self.settings.error(format_args!("a record for \"{}\" was not taken", back.topic), &error));
            }
            self.failed()?;
            self.native().poll(FULL_PAUSE);
            unsent = back;
        }
    }

    fn native_record<'r>(
        &'r self,
        record: &'r ProducerRecord<'_>,
        partition: Option<i32>,
    ) -> BaseRecord<'r, [u8], [u8]> {
        let mut native = BaseRecord::to(record.topic.as_deref().unwrap_or(&self.topic));
        native.partition = partition;
        native.timestamp = record.timestamp_ms;
        native.key = record.key.as_deref();
        native.payload = record.value.as_deref();
        if !record.headers.is_empty() {
            let headers = OwnedHeaders::new_with_capacity(record.headers.len());
            let add = |headers: OwnedHeaders, (name, value): &(std::borrow::Cow<'_, str>, super::Payload<'_>)| {
                headers.insert(Header { key: name, value: Some(&**value) })
            };
            native.headers = Some(record.headers.iter().fold(headers, add));
        }
        native
    }

    /// How many partitions a topic has; asked once.
    ///
    /// # Errors
    /// Unavailable, if the cluster does not answer or has no such topic.
    pub(super) fn partitions(&self, topic: Option<&str>) -> Result<usize> {
        let topic = topic.unwrap_or(&self.topic);
        let known = || lock(&self.partitions);
        if let Some(partitions) = known().get(topic) {
            return Ok(*partitions);
        }
        let attempted = format!("the partitions of \"{topic}\" could not be counted");
        let (native, name, timeout) = (self.native().clone(), topic.to_owned(), self.settings.timeout());
        let count = Call::new(&self.settings, &attempted).run(move || {
            let metadata = native.client().fetch_metadata(Some(&name), timeout)?;
            Ok(metadata.topics().first().map_or(0, |topic| topic.partitions().len()))
        })?;
        if count == 0 {
            return Err(Error::unavailable(format!("{attempted}: there is no such topic")));
        }
        known().insert(topic.to_owned(), count);
        Ok(count)
    }

    /// Waits until the topic is there: brokers that make topics by themselves (`auto.create.topics.enable`) do so when they
    /// are asked for one, and need a moment.
    ///
    /// # Errors
    /// As [`partitions`](Self::partitions), after ten seconds.
    pub(super) fn await_topic(&self) -> Result<()> {
        let since = Stopwatch::start();
        loop {
            match self.partitions(None) {
                Ok(_) => return Ok(()),
                Err(error) if error.kind() != ErrorKind::Unavailable || since.elapsed() > TOPIC_PATIENCE => {
                    return Err(error.context("the topic has to be there before the program starts"));
                }
                Err(_) => _ = Interrupt::new().wait_timeout(TOPIC_PAUSE),
            }
        }
    }

    /// Hears what became of records, without waiting.
    pub(super) fn poll(&self) {
        self.native().poll(Duration::ZERO);
    }

    /// Whether all that was delivered so far went well.
    ///
    /// # Errors
    /// That of the first record that Kafka did not take.
    pub(super) fn failed(&self) -> Result<()> {
        let Some(error) = self.native().context().failed.get() else { return Ok(()) };
        let failed = self.settings.error(format_args!("a record for \"{}\" could not be delivered", self.topic), error);
        let is_large = matches!(
            error.rdkafka_error_code(),
            Some(RDKafkaErrorCode::MessageSizeTooLarge | RDKafkaErrorCode::MessageBatchTooLarge)
        );
        Err(match is_large {
            true => failed.context("set message.max.bytes to what max.message.bytes of the topic allows"),
            false => failed,
        })
    }

    /// Waits until all that was handed over is delivered.
    ///
    /// # Errors
    /// As [`failed`](Self::failed); Unavailable, if nothing gets through for as long as a call may take.
    pub(super) fn flush(&self) -> Result<()> {
        let (mut since, mut left) = (Stopwatch::start(), i32::MAX);
        loop {
            // A step is short: rdkafka looks whether all is delivered only when a step is over.
            let flushed = self.native().flush(FLUSH_STEP);
            self.failed()?;
            let in_flight = self.native().in_flight_count();
            if in_flight < left {
                (since, left) = (Stopwatch::start(), in_flight);
            }
            match flushed {
                Ok(()) => return Ok(()),
                Err(error) if since.elapsed() > self.settings.timeout() => {
                    let attempted = format_args!("the records for \"{}\" were not delivered", self.topic);
                    return Err(self.settings.error(attempted, &error));
                }
                Err(_) => {}
            }
        }
    }

    fn transact<R: Send + 'static>(
        &self,
        attempted: &str,
        f: impl FnOnce(&BaseProducer<Deliveries>, Duration) -> KafkaResult<R> + Send + 'static,
    ) -> Result<KafkaResult<R>> {
        let (native, timeout) = (self.native().clone(), self.settings.timeout());
        Call::new(&self.settings, attempted).run_raw(move || f(&native, timeout))
    }

    /// Takes the transactional id: what an earlier owner left is decided then, and it can write no more.
    pub(super) fn init(&self) -> Result<KafkaResult<()>> {
        self.transact("transactions could not be begun", |native, timeout| native.init_transactions(timeout))
    }

    /// Begins a transaction; Kafka hears of it with the first record.
    pub(super) fn begin(&self) -> KafkaResult<()> {
        self.native().begin_transaction()
    }

    /// Commits offsets and all that was sent, at once.
    pub(super) fn commit(&self, offsets: Vec<(TopicPartitionList, ConsumerGroupMetadata)>) -> Result<KafkaResult<()>> {
        self.transact("a transaction could not be committed", move |native, timeout| {
            for (list, group) in &offsets {
                native.send_offsets_to_transaction(list, group, timeout)?;
            }
            native.commit_transaction(timeout)
        })
    }

    /// Takes back what was sent.
    pub(super) fn abort(&self) -> Result<KafkaResult<()>> {
        self.transact("a transaction could not be aborted", |native, timeout| native.abort_transaction(timeout))
    }
}

impl Drop for Producer {
    fn drop(&mut self) {
        if let Some(native) = self.native.take() {
            client::close(native);
        }
    }
}

impl fmt::Debug for Producer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Producer").field("topic", &self.topic).finish_non_exhaustive()
    }
}
