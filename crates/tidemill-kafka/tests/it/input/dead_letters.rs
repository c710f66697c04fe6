//! Records that cannot be used are put aside with their place.

use super::{config, flush, producer, records, send, source};
use std::sync::Arc;
use tidemill::{
    base::storage::{MemoryStorage, Storage, StorageRef},
    dead_letters::{self, DeadLetter},
    keys, seconds,
    testing::TestContext,
};
use tidemill_kafka::Json;
use tidemill_kafka_broker::Kafka;

fn letters(checkpoint: &MemoryStorage) -> Vec<DeadLetter> {
    let storage: StorageRef = Arc::new(checkpoint.clone());
    let files = checkpoint.list("dead-letters").unwrap();
    files.iter().flat_map(|file| dead_letters::read(&storage, &file.name).unwrap()).collect()
}

#[test]
fn poison_goes_to_the_dead_letters_with_topic_partition_and_offset() {
    let (kafka, checkpoint) = (Kafka::shared(), MemoryStorage::new());
    let topic = kafka.topic("poison", 2);
    let producer = producer(kafka, &[]);
    let deep = [vec![b'['; 100_000], vec![b']'; 100_000]].concat();
    for value in [&b"1"[..], b"nonsense", b"2", b"\xff\xfe", &deep, b"-3", b"4"] {
        send(&producer, &topic, 1, "k", Some(value));
    }
    flush(&producer);
    let config = config().set(keys::DEAD_LETTER_ENABLED, true);
    let test = TestContext::remembered_in(checkpoint.clone(), config, seconds(1));
    let numbers = source(kafka, &topic).stream::<(), Json<i64>>(test.ssc()).unwrap().values();
    // The second output reads the records again; each letter is there once all the same.
    let positive = numbers.try_map(|Json(n)| u64::try_from(n));
    let (seen, _) = (test.collect(&positive), test.collect(&numbers));
    assert_eq!(records(&test, &seen, 3), [1, 2, 4]);
    test.ssc().stop_gracefully().unwrap();
    let mut letters = letters(&checkpoint);
    letters.sort_by_key(|letter| letter.offset);
    let places: Vec<_> =
        letters.iter().map(|letter| (letter.source.clone().unwrap(), letter.offset.unwrap())).collect();
    let place = format!("{topic}-1");
    // What is nested too deep, and what is no text or number; then what the function refused.
    assert_eq!(places, [1, 3, 4, 5].map(|offset| (place.clone(), offset)));
    assert_eq!(letters[0].payload().as_ref(), b"nonsense");
    assert!(letters[0].operator.starts_with("kafka_stream at "), "{}", letters[0].operator);
    assert!(letters[0].error.contains(&format!("the record of \"{place}\" at offset 1: its value cannot be used")));
    assert!(letters[3].operator.starts_with("try_map"), "{}", letters[3].operator);
    assert_eq!(test.ssc().progress().dead_letters, 4);
}

#[test]
fn without_dead_letters_the_batch_fails_and_names_the_place() {
    let (kafka, test) = (Kafka::shared(), TestContext::with_config(config()));
    let topic = kafka.topic("fails", 1);
    let producer = producer(kafka, &[]);
    send(&producer, &topic, 0, "k", Some(b"\xff"));
    flush(&producer);
    test.collect(&source(kafka, &topic).stream::<(), String>(test.ssc()).unwrap().values());
    let error = (0..50).find_map(|_| test.run(1).err()).unwrap();
    assert!(error.to_string().contains(&format!("the record of \"{topic}-0\" at offset 0")), "{error:?}");
}
