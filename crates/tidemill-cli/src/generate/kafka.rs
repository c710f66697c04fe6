//! Records as those of a topic.

use super::{Destination, Made};
use crate::Failure;
use std::time::Duration;
use tidemill_kafka::{KafkaSettings, ProducerRecord, TopicWriter};

/// How long brokers may take to answer.
const CALL_TIMEOUT: Duration = Duration::from_secs(10);

/// A topic of Kafka.
pub(super) struct Topic(TopicWriter);

impl Topic {
    /// `set` are keys of librdkafka and their values.
    pub(super) fn new(brokers: &str, topic: &str, set: &[(String, String)]) -> Result<Self, Failure> {
        let settings = KafkaSettings::new(brokers).call_timeout(CALL_TIMEOUT);
        let settings = set.iter().fold(settings, |settings, (key, value)| settings.set(key, value));
        let writer = TopicWriter::new(&settings, topic);
        writer.map(Self).map_err(|error| Failure::new(error.exit_code(), error.to_string()))
    }
}

impl Destination for Topic {
    fn take(&mut self, records: Vec<Made>) -> Result<(), Failure> {
        for made in &records {
            let record = ProducerRecord::new(&made.line);
            self.0.write(&match &made.key {
                Some(key) => record.key(key),
                None => record,
            })?;
        }
        Ok(())
    }

    fn finish(&mut self) -> Result<(), Failure> {
        Ok(self.0.flush()?)
    }
}
