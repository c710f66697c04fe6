//! Streams into Kafka.

mod batches;
mod contract;
mod faults;

use tidemill_kafka::{KafkaSettings, KafkaSink, ProducerRecord};
use tidemill_kafka_broker::Kafka;

/// Values of records as read_committed shows them, sorted.
pub(crate) fn committed(kafka: &Kafka, topic: &str) -> Vec<String> {
    let mut values: Vec<_> = kafka.read_committed(topic).into_iter().map(|record| record.value).collect();
    values.sort();
    values
}

pub(crate) fn settings(kafka: &Kafka) -> KafkaSettings {
    KafkaSettings::new(kafka.bootstrap())
}

/// A sink of lines.
pub(crate) fn lines(kafka: &Kafka, topic: &str) -> KafkaSink<String> {
    KafkaSink::new(&settings(kafka), topic, |line: &String| ProducerRecord::new(line))
}
