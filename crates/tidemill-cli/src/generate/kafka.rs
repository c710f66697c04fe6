//! Records as those of a topic.

use super::{Destination, Made};
use crate::Failure;
use tidemill_kafka::{KafkaSettings, ProducerRecord, TopicWriter};

/// A topic of Kafka.
pub(super) struct Topic(TopicWriter);

impl Topic {
    pub(super) fn new(brokers: &str, topic: &str) -> Result<Self, Failure> {
        Ok(Self(TopicWriter::new(&KafkaSettings::new(brokers), topic)?))
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
