//! A secret that is set is nowhere to be found.

use super::{config, settings};
use std::{
    io,
    sync::{Arc, Mutex},
};
use tidemill::{
    base::storage::{MemoryStorage, Storage},
    seconds,
    testing::TestContext,
};
use tidemill_kafka::{KafkaSource, StartingOffsets};
use tidemill_kafka_broker::Kafka;

const CANARY: &str = "canary-4711";

#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend(bytes);
        Ok(bytes.len())
    }
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn no_log_error_or_checkpoint_shows_a_secret() {
    let (kafka, checkpoint, log) = (Kafka::shared(), MemoryStorage::new(), Log::default());
    let writer = log.clone();
    let subscriber =
        tracing_subscriber::fmt().with_max_level(tracing::Level::TRACE).with_writer(move || writer.clone()).finish();
    // For all threads: those of the engine are the ones that would tell.
    tracing::subscriber::set_global_default(subscriber).unwrap();
    let topic = kafka.topic("secret", 1);
    // The broker knows no such thing, so this fails as loudly as it can.
    let settings = settings(kafka)
        .set("security.protocol", "SASL_PLAINTEXT")
        .set("sasl.mechanism", "PLAIN")
        .set("sasl.username", "counter")
        .set("sasl.password", CANARY)
        .set("debug", "all");
    let test = TestContext::remembered_in(checkpoint.clone(), config(), seconds(1));
    let source = KafkaSource::new(settings.clone()).topics([topic]).starting(StartingOffsets::Earliest);
    let mut shown = format!("{settings} {settings:?} {source:?}");
    let stream = source.stream::<(), String>(test.ssc()).unwrap();
    test.collect(&stream.values());
    if let Err(error) = test.run(2) {
        shown.push_str(&format!("{error} {error:?}"));
    }
    shown.push_str(&format!("{stream:?} {:?} {}", test.ssc().config(), test.ssc().config().to_debug_string()));
    drop(test);
    shown.push_str(&String::from_utf8_lossy(&log.0.lock().unwrap()));
    assert!(shown.contains("SASL"), "the log was listened to");
    for folder in ["log", "inputs", "state"] {
        for file in checkpoint.list(folder).unwrap() {
            shown.push_str(&String::from_utf8_lossy(&checkpoint.get(&file.name).unwrap().unwrap()));
        }
    }
    assert!(
        !shown.contains(CANARY),
        "{}",
        shown.split(CANARY).next().unwrap().chars().rev().take(300).collect::<String>()
    );
}
