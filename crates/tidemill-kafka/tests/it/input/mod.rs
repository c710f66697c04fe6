//! Streams from Kafka.

mod dead_letters;
mod faults;
mod gaps;
mod groups;
mod lost;
mod ranges;
mod restarts;
mod secrets;

use rdkafka::{
    ClientConfig,
    producer::{BaseProducer, BaseRecord, Producer},
};
use std::{
    sync::{Arc, Mutex},
    time::Duration,
};
use tidemill::{
    BatchCompleted, Config, Data, StreamingListener,
    base::clock::Stopwatch,
    keys,
    testing::{Collected, TestContext},
};
use tidemill_kafka::{KafkaSettings, KafkaSource, StartingOffsets};
use tidemill_kafka_broker::Kafka;

/// How long a test waits for what a real process does.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// All of a topic from its beginning on.
pub(crate) fn source(kafka: &Kafka, topic: &str) -> KafkaSource {
    KafkaSource::new(settings(kafka)).topics([topic]).starting(StartingOffsets::Earliest)
}

pub(crate) fn settings(kafka: &Kafka) -> KafkaSettings {
    KafkaSettings::new(kafka.bootstrap()).call_timeout(Duration::from_secs(10))
}

/// Looks for what is new in every batch, nearly.
pub(crate) fn config() -> Config {
    Config::new().set(keys::KAFKA_REFRESH_INTERVAL, "100ms")
}

/// Runs batches until `done`, and fails the test if that takes too long.
pub(crate) fn run_until(test: &TestContext, done: impl Fn() -> bool) {
    let since = Stopwatch::start();
    while !done() {
        assert!(since.elapsed() < PATIENCE, "it was not done in time");
        test.run(1).unwrap();
    }
}

/// Runs batches until so many records were seen; all of them, sorted.
pub(crate) fn records<T: Data + Ord>(test: &TestContext, seen: &Collected<T>, count: usize) -> Vec<T> {
    run_until(test, || seen.batches().concat().len() >= count);
    let mut records = seen.batches().concat();
    records.sort();
    records
}

/// What the metadata of a stream's batches tell under a key.
#[derive(Clone)]
pub(crate) struct Told(&'static str, Arc<Mutex<Vec<String>>>);

impl Told {
    pub(crate) fn of(test: &TestContext, key: &'static str) -> Self {
        let told = Self(key, Arc::default());
        test.ssc().add_streaming_listener(told.clone());
        told
    }

    pub(crate) fn all(&self) -> Vec<String> {
        self.1.lock().unwrap().clone()
    }
}

impl StreamingListener for Told {
    fn on_batch_completed(&self, event: &BatchCompleted) {
        let infos = event.batch_info.stream_id_to_input_info.values();
        self.1.lock().unwrap().extend(infos.filter_map(|info| info.metadata.get(self.0).cloned()));
    }
}

/// Waits, in real time, until `done`.
pub(crate) fn wait_until(what: &str, done: impl Fn() -> bool) {
    let (since, pause) = (Stopwatch::start(), tidemill::Interrupt::new());
    while !done() {
        assert!(since.elapsed() < PATIENCE, "{what} was waited for in vain");
        pause.wait_timeout(Duration::from_millis(20));
    }
}

pub(crate) fn numbers(range: std::ops::Range<usize>) -> Vec<String> {
    range.map(|number| format!("{number:05}")).collect()
}

/// Writes the values, with the number of each as key.
pub(crate) fn write(kafka: &Kafka, topic: &str, values: &[String]) {
    let records: Vec<_> = values.iter().map(|value| (value.as_str(), value.as_str())).collect();
    kafka.produce(topic, &records);
}

/// A producer with settings of its own.
pub(crate) fn producer(kafka: &Kafka, settings: &[(&str, &str)]) -> BaseProducer {
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", kafka.bootstrap());
    for (key, value) in settings {
        config.set(*key, *value);
    }
    config.create().unwrap()
}

pub(crate) fn send(producer: &BaseProducer, topic: &str, partition: i32, key: &str, value: Option<&[u8]>) {
    let record = BaseRecord::to(topic).partition(partition).key(key);
    let record = match value {
        Some(value) => record.payload(value),
        None => record,
    };
    producer.send(record).map_err(|(error, _)| error).unwrap();
}

pub(crate) fn flush(producer: &BaseProducer) {
    producer.flush(PATIENCE).unwrap();
}
