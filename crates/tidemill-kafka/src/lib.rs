//! Kafka in and out: a direct stream whose batches are ranges of offsets, and a sink of transactions.

#![allow(dead_code)]
mod client;
mod settings;
mod sink;

pub use settings::KafkaSettings;
pub use sink::{KafkaSink, KafkaStreamExt, Payload, ProducerRecord};
