//! What is refused, and what is hidden.

use super::*;
use tidemill::ErrorKind;

#[test]
fn a_value_that_cannot_be_is_told_without_the_secret_ones() {
    for (key, value) in [("sasl.mechanism", "NONSENSE\0"), ("fetch.min.bytes", "many"), ("no.such.key", "1")] {
        let settings = KafkaSettings::new("broker:9092").set("sasl.password", "canary-7").set(key, value);
        let error = settings.check().expect_err("it cannot be used");
        assert_eq!(error.kind(), ErrorKind::Invalid, "{error:?}");
        assert!(!format!("{error:?}").contains("canary-7"), "{error:?}");
    }
}

#[test]
fn a_key_of_the_engine_is_refused_by_name() {
    let error = KafkaSettings::new("broker:9092").set("group.id", "g").check().expect_err("it is the stream's");
    assert_eq!(error.to_string(), "\"group.id\" is set by the engine: call group_id on the stream");
}

#[test]
fn a_key_that_the_engine_would_override_is_refused_with_what_to_do() {
    let cases = [
        ("transaction.timeout.ms", "set tidemill.kafka.transactionTimeout"),
        ("max.poll.interval.ms", "leave it out"),
        ("delivery.report.only.error", "leave it out"),
        ("log_level", "set debug to have more"),
        ("client.rack", "may lag behind"),
        ("auto.offset.reset", "tidemill.kafka.onDataLoss"),
    ];
    for (key, told) in cases {
        let error = KafkaSettings::new("broker:9092").set(key, 1).check().expect_err("it is the engine's").to_string();
        assert!(error.starts_with(&format!("\"{key}\" is set by the engine")) && error.contains(told), "{error}");
    }
}

#[test]
fn no_brokers_are_an_error() {
    assert!(KafkaSettings::new(" , ").check().is_err());
    assert!(KafkaSettings::from_config(&Config::new()).is_err());
}

#[test]
fn secrets_are_hidden_wherever_they_turn_up() {
    let settings = KafkaSettings::new("broker:9092")
        .set("sasl.username", "counter")
        .set("sasl.password", "canary-7")
        .set("sasl.oauthbearer.client.secret", "canary-8")
        .set("ssl.key.pem", "-----BEGIN KEY-----\ncanary-9\ncanary-10\n-----END KEY-----")
        .set("ssl.keystore.password", "canary-11");
    let shown = format!("{settings} {settings:?}");
    assert!(!shown.contains("canary") && shown.contains("sasl.username=counter"), "{shown}");
    let secrets = settings.secrets();
    let text = secrets.removed_from("canary-10 at canary-7, canary-8, canary-11 and canary-9");
    assert_eq!(text, "(redacted) at (redacted), (redacted), (redacted) and (redacted)");
}
