//! Records into a topic without a program: for tools.

use super::{ProducerRecord, producer::Producer};
use crate::{client::ClientLog, settings::KafkaSettings};
use tidemill::Result;

/// Writes records to a topic, each once while nothing crashes. A program uses [`KafkaSink`](super::KafkaSink).
///
/// # Examples
/// ```no_run
/// use tidemill_kafka::{KafkaSettings, ProducerRecord, TopicWriter};
/// let writer = TopicWriter::new(&KafkaSettings::new("broker:9092"), "words")?;
/// writer.write(&ProducerRecord::new("tide").key("en"))?;
/// writer.flush()?;
/// # Ok::<(), tidemill::Error>(())
/// ```
#[derive(Debug)]
pub struct TopicWriter(Producer);

impl TopicWriter {
    /// Asks the cluster for the topic once, and waits a moment if it is being made.
    ///
    /// # Errors
    /// Invalid, if the settings cannot be used; Unavailable, if no broker answers within the time of a call, or there is no
    /// such topic.
    pub fn new(settings: &KafkaSettings, topic: &str) -> Result<Self> {
        let log = ClientLog::new(settings, format!("writer of \"{topic}\""));
        let producer = Producer::new(settings, topic, &[], log)?;
        producer.await_topic()?;
        Ok(Self(producer))
    }

    /// Hands a record over; it is there after a [`flush`](Self::flush). Waits while too many are under way.
    ///
    /// # Errors
    /// Unavailable, if none of them arrives for as long as a call may take; what Kafka said of an earlier record.
    pub fn write(&self, record: &ProducerRecord<'_>) -> Result<()> {
        self.0.poll();
        self.0.failed()?;
        self.0.send(record, record.partition)
    }

    /// Waits until every record is in the topic.
    ///
    /// # Errors
    /// What Kafka said of the first that it did not take; Unavailable, if it takes longer than a call may.
    pub fn flush(&self) -> Result<()> {
        self.0.flush()
    }
}
