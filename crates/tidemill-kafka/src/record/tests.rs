//! Messages that are records, and those that are none.

use super::*;
use rdkafka::{Timestamp, message::OwnedHeaders, message::OwnedMessage};

fn message(key: Option<&[u8]>, value: Option<&[u8]>) -> OwnedMessage {
    let headers = OwnedHeaders::new().insert(rdkafka::message::Header { key: "trace", value: Some("7") });
    let (key, value) = (key.map(<[u8]>::to_vec), value.map(<[u8]>::to_vec));
    OwnedMessage::new(value, key, "t".into(), Timestamp::CreateTime(1_500), 3, 42, Some(headers))
}

fn decoded<K: FromBytes, V: FromBytes>(message: &OwnedMessage) -> Result<KafkaRecord<K, V>, String> {
    decode(message, &"t".into(), 100).map_err(|error| error.to_string())
}

#[test]
fn all_of_a_message_is_in_its_record() {
    let record = decoded::<String, Text>(&message(Some(b"k"), Some(b"v"))).expect("it is one");
    assert_eq!((&*record.topic, record.partition, record.offset), ("t", 3, 42));
    assert_eq!((record.timestamp, record.timestamp_type), (Some(Time::from_ms(1_500)), TimestampType::CreateTime));
    assert_eq!((record.key.as_deref(), record.value), (Some("k"), Some(Text::from("v"))));
    assert_eq!(record.headers, [Header { name: "trace".into(), value: Some(b"7".to_vec()) }]);
}

#[test]
fn a_tombstone_has_no_value() {
    assert_eq!(decoded::<String, Json<u8>>(&message(Some(b"k"), None)).expect("it is one").value, None);
}

#[test]
fn what_cannot_be_decoded_says_why() {
    let bad = |key: &[u8], value: &[u8]| {
        decoded::<String, Json<serde_json::Value>>(&message(Some(key), Some(value))).expect_err("it is none")
    };
    assert!(bad(b"\xff", b"1").starts_with("its key cannot be used: invalid utf-8"), "{}", bad(b"\xff", b"1"));
    assert!(bad(b"k", b"[1").starts_with("its value cannot be used: EOF"), "{}", bad(b"k", b"[1"));
    assert_eq!(bad(b"k", &[b'1'; 100]), "it has 101 bytes, and \"tidemill.kafka.maxRecordBytes\" allows 100");
    let deep = [vec![b'['; 10_000], vec![b']'; 10_000]].concat();
    let error = decode::<(), Json<serde_json::Value>>(&message(None, Some(&deep)), &"t".into(), 1 << 20);
    assert!(error.expect_err("it is too deep").to_string().contains("recursion limit"));
}
