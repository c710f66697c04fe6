//! Brokers that want to know who comes, over TLS.

use crate::input::{PATIENCE, config, numbers, run_until, write};
use tidemill::{Error, ErrorKind, base::storage::MemoryStorage, seconds, testing::TestContext};
use tidemill_kafka::{KafkaSettings, KafkaSource, KafkaStreamExt as _, ProducerRecord, StartingOffsets};
use tidemill_kafka_broker::{Kafka, Secured};

/// The settings of a client that shows who it is by this mechanism.
fn settings(kafka: &Kafka, mechanism: &str) -> KafkaSettings {
    let settings = KafkaSettings::new(kafka.secured().bootstrap())
        .call_timeout(PATIENCE)
        .set("security.protocol", "SASL_SSL")
        .set("ssl.ca.location", kafka.secured().certificate().display().to_string())
        .set("sasl.mechanism", mechanism);
    match mechanism {
        "OAUTHBEARER" => settings
            .set("enable.sasl.oauthbearer.unsecure.jwt", "true")
            .set("sasl.oauthbearer.config", format!("principal={}", Secured::USER)),
        _ => settings.set("sasl.username", Secured::USER).set("sasl.password", Secured::PASSWORD),
    }
}

/// Begins to read `from`.
fn read(settings: &KafkaSettings, from: &str) -> Result<(), Error> {
    let test = TestContext::with_config(config());
    test.collect(&KafkaSource::new(settings.clone()).topics([from]).stream::<(), String>(test.ssc())?.values());
    test.run(1)
}

/// Copies all of `from` to `to`, exactly once, as whoever the settings say.
fn copy(settings: &KafkaSettings, from: &str, to: &str, count: usize) -> Result<(), Error> {
    let test = TestContext::remembered_in(MemoryStorage::new(), config(), seconds(1));
    let source = KafkaSource::new(settings.clone()).topics([from]).starting(StartingOffsets::Earliest);
    let values = source.stream::<(), String>(test.ssc())?.values();
    values.to_kafka(settings, to, |value| ProducerRecord::new(value));
    let seen = test.collect(&values);
    test.run(1)?;
    run_until(&test, || seen.batches().concat().len() == count);
    Ok(())
}

#[test]
fn every_mechanism_reads_and_writes_exactly_once() {
    let kafka = Kafka::start_secured();
    let from = kafka.topic("from", 2);
    write(&kafka, &from, &numbers(0..20));
    for mechanism in ["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512", "OAUTHBEARER"] {
        let to = kafka.topic("to", 1);
        copy(&settings(&kafka, mechanism), &from, &to, 20).unwrap();
        let mut copied: Vec<_> = kafka.read_committed(&to).into_iter().map(|record| record.value).collect();
        copied.sort();
        assert_eq!(copied, numbers(0..20), "{mechanism}");
    }

    // They are told of at once, and heard of when the call that is under way has given up.
    let plain = || settings(&kafka, "PLAIN").call_timeout(seconds(3));
    let refused = [
        (plain().set("sasl.password", "canary-42"), "Authentication failed"),
        (plain().set("ssl.ca.location", "/etc/hostname"), "ssl.ca.location"),
        // What the system trusts.
        (plain().set("ssl.ca.location", "probe"), "certificate verify failed"),
    ];
    for (settings, expected) in refused {
        for outcome in [read(&settings, &from), copy(&settings, &from, "never", 0)] {
            let error = outcome.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Invalid, "{expected}: {error}");
            assert!(error.to_string().contains(expected) && !error.to_string().contains("canary"), "{error}");
        }
    }
}
