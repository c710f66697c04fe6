//! The examples as programs of their own.

use crate::input::{flush, producer, send, wait_until};
use std::{
    fs::{self, File},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};
use tidemill_kafka_broker::Kafka;

/// An example of this crate, in the profile of the tests.
pub(crate) fn example(name: &str) -> PathBuf {
    let binary = std::env::current_exe().unwrap();
    let path = binary.ancestors().nth(2).unwrap().join("examples").join(name);
    assert!(path.exists(), "\"{}\" is not built; run cargo build --examples with the same profile", path.display());
    path
}

/// An example that runs, until it is dropped.
struct Running {
    child: Child,
    output: PathBuf,
}

impl Running {
    fn start(name: &str, arguments: &[&str], folder: &Path) -> Self {
        let output = folder.join("output");
        let file = File::create(&output).unwrap();
        let mut command = Command::new(example(name));
        command.args(arguments).stdin(Stdio::null()).stdout(file.try_clone().unwrap()).stderr(file);
        Self { child: command.spawn().unwrap(), output }
    }

    fn output(&self) -> String {
        fs::read_to_string(&self.output).unwrap()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn the_third_large_payment_of_a_card_is_an_alert() {
    let (kafka, folder) = (Kafka::shared(), tempfile::tempdir().unwrap());
    let (payments, alerts) = (kafka.topic("payments", 2), kafka.topic("alerts", 1));
    let amounts = [("honest", 900.0), ("stolen", 500.0), ("honest", 5.0), ("stolen", 450.0), ("stolen", 550.0)];
    let of_payment = |(id, (card, amount)): (usize, &(&str, f64))| {
        let payment = format!(
            r#"{{"id":{id},"card":"{card}","amount":{amount:.1},"merchant":"m","time":{}}}"#,
            1_000_000 + id * 1_000
        );
        ((*card).to_owned(), payment)
    };
    let records: Vec<_> = amounts.iter().enumerate().map(of_payment).collect();
    let records: Vec<_> = records.iter().map(|(card, payment)| (card.as_str(), payment.as_str())).collect();
    kafka.produce(&payments, &records);
    let checkpoint = folder.path().join("checkpoint").display().to_string();
    let arguments = [kafka.bootstrap(), &payments, &alerts, &checkpoint];
    let running = Running::start("kafka_fraud_check", &arguments, folder.path());
    wait_until("an alert", || !kafka.read_committed(&alerts).is_empty());
    let all = kafka.read_committed(&alerts);
    assert_eq!(all.len(), 1, "{}", running.output());
    assert_eq!(all[0].value, r#"{"card":"stolen","amount":1500.0,"payments":[1,3,4]}"#);
    assert_eq!(all[0].key, "stolen");
}

#[test]
fn words_of_a_topic_are_counted_and_the_offsets_shown() {
    let (kafka, folder) = (Kafka::shared(), tempfile::tempdir().unwrap());
    let topic = kafka.topic("lines-to-count", 1);
    let running = Running::start("direct_kafka_word_count", &[kafka.bootstrap(), &topic], folder.path());
    // It begins at the end of the topic, so what is written before it has begun is not for it.
    let producer = producer(kafka, &[]);
    wait_until("a batch", || running.output().contains("Time: "));
    send(&producer, &topic, 0, "", Some(b"to be or not to be"));
    flush(&producer);
    wait_until("the counts", || {
        let output = running.output();
        ["(to,2)", "(or,1)", "[1] lines of ["].iter().all(|expected| output.contains(expected))
    });
}
