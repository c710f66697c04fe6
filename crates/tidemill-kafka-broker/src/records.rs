//! Records in and out, by a client that knows nothing of tidemill.

use crate::Kafka;
use rdkafka::{
    ClientConfig, Message, Offset, TopicPartitionList,
    consumer::{BaseConsumer, Consumer},
    producer::{BaseProducer, BaseRecord, Producer},
};
use std::time::Duration;
use tidemill::base::clock::Stopwatch;

const DEADLINE: Duration = Duration::from_secs(30);

/// A record as a consumer finds it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub struct Record {
    /// The partition it is in.
    pub partition: i32,
    /// Its offset there.
    pub offset: i64,
    /// Its key as text, empty if it has none.
    pub key: String,
    /// Its value as text, empty if it has none.
    pub value: String,
}

impl Kafka {
    /// Writes records of a key and a value, and waits until all are there.
    ///
    /// # Panics
    /// If that takes more than half a minute.
    pub fn produce(&self, topic: &str, records: &[(&str, &str)]) {
        let producer: BaseProducer = ClientConfig::new()
            .set("bootstrap.servers", self.bootstrap())
            .set("enable.idempotence", "true")
            .create()
            .expect("a client can be made");
        for (key, value) in records {
            let mut record = BaseRecord::to(topic).key(*key).payload(*value);
            while let Err((_, unsent)) = producer.send(record) {
                producer.poll(Duration::from_millis(10));
                record = unsent;
            }
        }
        producer.flush(DEADLINE).expect("Kafka takes the records");
    }

    /// All records of a topic that are committed and stable now, partition by partition.
    ///
    /// # Panics
    /// If they cannot be read within half a minute.
    #[must_use]
    pub fn read_committed(&self, topic: &str) -> Vec<Record> {
        self.read(topic, "read_committed")
    }

    /// All records of a topic, also those of transactions that are open or were aborted.
    ///
    /// # Panics
    /// If they cannot be read within half a minute.
    #[must_use]
    pub fn read_uncommitted(&self, topic: &str) -> Vec<Record> {
        self.read(topic, "read_uncommitted")
    }

    /// What a consumer group has committed, for each partition of a topic.
    ///
    /// # Panics
    /// If that cannot be told within half a minute.
    #[must_use]
    pub fn committed_offsets(&self, group: &str, topic: &str) -> Vec<Option<i64>> {
        let mut config = ClientConfig::new();
        let consumer: BaseConsumer = config
            .set("bootstrap.servers", self.bootstrap())
            .set("group.id", group)
            .create()
            .expect("a client can be made");
        let metadata = consumer.fetch_metadata(Some(topic), DEADLINE).expect("Kafka tells what partitions there are");
        let mut asked = TopicPartitionList::new();
        for partition in metadata.topics()[0].partitions() {
            asked.add_partition(topic, partition.id());
        }
        let committed = consumer.committed_offsets(asked, DEADLINE).expect("Kafka tells what is committed");
        committed.elements().iter().map(|element| element.offset().to_raw().filter(|offset| *offset >= 0)).collect()
    }

    fn read(&self, topic: &str, isolation: &str) -> Vec<Record> {
        let consumer: BaseConsumer = ClientConfig::new()
            .set("bootstrap.servers", self.bootstrap())
            .set("group.id", "none")
            .set("enable.auto.commit", "false")
            .set("enable.partition.eof", "true")
            .set("isolation.level", isolation)
            .create()
            .expect("a client can be made");
        let metadata = consumer.fetch_metadata(Some(topic), DEADLINE).expect("Kafka tells what partitions there are");
        let mut partitions = TopicPartitionList::new();
        for partition in metadata.topics()[0].partitions() {
            partitions.add_partition_offset(topic, partition.id(), Offset::Beginning).expect("it is an offset");
        }
        consumer.assign(&partitions).expect("it can be assigned");
        let (mut records, mut left, since) = (Vec::new(), partitions.count(), Stopwatch::start());
        while left > 0 {
            assert!(since.elapsed() < DEADLINE, "the end of {left} partitions of \"{topic}\" was not reached");
            match consumer.poll(Duration::from_millis(100)) {
                Some(Ok(message)) => records.push(record(&message)),
                Some(Err(rdkafka::error::KafkaError::PartitionEOF(_))) => left -= 1,
                Some(Err(_)) | None => {}
            }
        }
        records.sort();
        records
    }
}

fn record(message: &impl Message) -> Record {
    let text = |bytes: Option<&[u8]>| String::from_utf8_lossy(bytes.unwrap_or_default()).into_owned();
    Record {
        partition: message.partition(),
        offset: message.offset(),
        key: text(message.key()),
        value: text(message.payload()),
    }
}
