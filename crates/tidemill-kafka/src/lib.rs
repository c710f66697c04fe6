//! Kafka in and out: a direct stream whose batches are ranges of offsets, and a sink of transactions.

#![allow(dead_code)]
mod client;
mod settings;

pub use settings::KafkaSettings;
