//! Kafka in and out: a direct stream whose batches are ranges of offsets, and a sink of transactions.

mod client;
mod input;
mod lock;
mod offsets;
mod record;
mod settings;
mod sink;

pub use input::{Edge, KafkaSource, KafkaStream, OnDataLoss, StartingOffsets, kafka_rdd};
pub use offsets::{OffsetRange, TopicPartition};
pub use record::{FromBytes, Header, Json, KafkaRecord, TimestampType};
pub use settings::KafkaSettings;
pub use sink::{KafkaSink, KafkaStreamExt, Payload, ProducerRecord, TopicWriter};
