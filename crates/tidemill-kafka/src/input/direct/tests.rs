//! What is kept, and what is committed when.

use super::*;

#[test]
fn a_slice_of_version_1_is_still_read() {
    let slice = KafkaSlice {
        version: 1,
        begun: true,
        ranges: vec![OffsetRange::new("t", 2, 5, 300)],
        ids: [("t".to_owned(), "id".to_owned())].into(),
    };
    let bytes = [1, 1, 1, 1, b't', 4, 10, 0xd8, 4, 1, 1, b't', 2, b'i', b'd'];
    assert_eq!(postcard_of(&slice), bytes);
}

/// The bytes that a slice is stored as.
fn postcard_of(slice: &KafkaSlice) -> Vec<u8> {
    // Its debug form is the only view of the bytes there is.
    let stored = Slice::of(slice, 0).expect("it can be encoded");
    let read: KafkaSlice = stored.decode().expect("it can be decoded");
    assert_eq!(&read, slice);
    let shown = format!("{stored:?}");
    let list = shown.split_once("bytes: [").and_then(|(_, rest)| rest.split_once(']')).expect("it shows them").0;
    list.split(", ").map(|byte| byte.parse().expect("it is a byte")).collect()
}

#[test]
fn a_memory_of_version_1_is_still_read() {
    let text = r#"{"version":1,"begun":true,"positions":[[{"topic":"t","partition":2},300]],"ids":{"t":"id"}}"#;
    let remembered: Remembered = serde_json::from_str(text).expect("it can be read");
    assert_eq!(remembered.positions, [(TopicPartition::new("t", 2), 300)]);
    assert_eq!(serde_json::to_string(&remembered).expect("it can be written"), text);
}

#[test]
fn offsets_are_committed_when_their_batch_is_done() {
    let shared = Shared::new(Arc::default());
    shared.commit_async(&[OffsetRange::new("t", 0, 0, 10), OffsetRange::new("t", 1, 0, 10)]);
    assert!(shared.take_committable(&[OffsetRange::new("t", 0, 0, 5)]).is_empty());
    let due = shared.take_committable(&[OffsetRange::new("t", 0, 5, 10), OffsetRange::new("t", 1, 0, 4)]);
    assert_eq!(due, [(TopicPartition::new("t", 0), 10)].into());
    let due = shared.take_committable(&[OffsetRange::new("t", 0, 10, 12), OffsetRange::new("t", 1, 4, 11)]);
    assert_eq!(due, [(TopicPartition::new("t", 1), 10)].into());
}
