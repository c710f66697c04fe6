//! Bare loops over librdkafka: a consumer that only reads, and one that writes what it reads in transactions.

use rdkafka::{
    ClientConfig, Offset, TopicPartitionList,
    consumer::{BaseConsumer, Consumer},
    error::KafkaError,
    message::Message,
    producer::{BaseProducer, BaseRecord, Producer},
    types::RDKafkaErrorCode,
};
use std::time::Duration;
use tidemill::base::clock::Stopwatch;

type Result<T> = std::result::Result<T, KafkaError>;

/// How long any call may take.
const DEADLINE: Duration = Duration::from_secs(60);

fn client(bootstrap: &str, more: &[(&str, &str)]) -> ClientConfig {
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", bootstrap);
    for (key, value) in more {
        config.set(*key, *value);
    }
    config
}

/// Writes `lines` to partitions `0..partitions` of a topic in turn.
///
/// # Errors
/// If Kafka does not take them all within a minute.
pub fn fill<'a>(
    bootstrap: &str,
    topic: &str,
    partitions: usize,
    lines: impl IntoIterator<Item = &'a [u8]>,
) -> Result<()> {
    let bulk = [("linger.ms", "50"), ("batch.size", "1000000"), ("acks", "1")];
    let producer: BaseProducer = client(bootstrap, &bulk).create()?;
    for (number, line) in lines.into_iter().enumerate() {
        let partition = (number % partitions) as i32;
        send(&producer, BaseRecord::<(), [u8]>::to(topic).partition(partition).payload(line))?;
    }
    producer.flush(DEADLINE)
}

/// Sends a record, after waiting for room in the queue.
fn send(producer: &BaseProducer, mut record: BaseRecord<'_, (), [u8]>) -> Result<()> {
    loop {
        match producer.send(record) {
            Ok(()) => return Ok(()),
            Err((KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull), unsent)) => {
                record = unsent;
                producer.poll(Duration::from_millis(5));
            }
            Err((error, _)) => return Err(error),
        }
    }
}

/// What lets a loop that is slower than the broker go on at its own pace: librdkafka rests for a second where a queue is full.
const STEADY: &[(&str, &str)] =
    &[("fetch.queue.backoff.ms", "10"), ("queued.min.messages", "1000000"), ("fetch.wait.max.ms", "20")];

/// A consumer at the beginning of all partitions of a topic, which reads what is committed.
///
/// # Errors
/// If the settings do not allow for it.
pub fn reader(bootstrap: &str, topic: &str, partitions: usize) -> Result<BaseConsumer> {
    let settings = [("group.id", "by-hand"), ("enable.auto.commit", "false"), ("isolation.level", "read_committed")];
    let consumer: BaseConsumer = client(bootstrap, &[&settings, STEADY].concat()).create()?;
    let mut list = TopicPartitionList::new();
    for partition in 0..partitions {
        list.add_partition_offset(topic, partition as i32, Offset::Beginning)?;
    }
    consumer.assign(&list)?;
    Ok(consumer)
}

/// Reads `count` messages and shows `each` what is in them; how long it took from the first of them to the last.
///
/// # Errors
/// What librdkafka says.
pub fn read(
    bootstrap: &str,
    topic: &str,
    partitions: usize,
    count: usize,
    mut each: impl FnMut(&[u8]),
) -> Result<Duration> {
    let consumer = reader(bootstrap, topic, partitions)?;
    let (mut seen, mut watch) = (0, Stopwatch::start());
    while seen < count {
        let message = consumer.poll(DEADLINE).ok_or(KafkaError::NoMessageReceived)??;
        if seen == 0 {
            watch = Stopwatch::start();
        }
        each(message.payload().unwrap_or_default());
        seen += 1;
    }
    Ok(watch.elapsed())
}

/// Writes `count` messages of one topic to another, in a transaction for every `each`; how long it took from the first to
/// the last commit.
///
/// # Errors
/// What librdkafka says.
pub fn copy(
    bootstrap: &str,
    (from, to): (&str, &str),
    partitions: usize,
    count: usize,
    each: Duration,
) -> Result<Duration> {
    let consumer = reader(bootstrap, from, partitions)?;
    let settings = [("transactional.id", "by-hand"), ("linger.ms", "5")];
    let producer: BaseProducer = client(bootstrap, &settings).create()?;
    producer.init_transactions(DEADLINE)?;
    let (mut seen, mut watch) = (0, Stopwatch::start());
    while seen < count {
        producer.begin_transaction()?;
        let transaction = Stopwatch::start();
        while seen < count && transaction.elapsed() < each {
            let message = consumer.poll(DEADLINE).ok_or(KafkaError::NoMessageReceived)??;
            if seen == 0 {
                watch = Stopwatch::start();
            }
            send(&producer, BaseRecord::to(to).payload(message.payload().unwrap_or_default()))?;
            seen += 1;
        }
        let read = consumer.position()?;
        if let Some(group) = consumer.group_metadata() {
            producer.send_offsets_to_transaction(&read, &group, DEADLINE)?;
        }
        producer.commit_transaction(DEADLINE)?;
    }
    Ok(watch.elapsed())
}
