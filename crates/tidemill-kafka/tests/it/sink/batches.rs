//! What of a stream's batches is in the topic, and how.

use super::{committed, lines, settings};
use tidemill::{Config, ErrorKind, Time, keys, testing::TestContext};
use tidemill_kafka::{KafkaSink, KafkaStreamExt, OffsetRange, ProducerRecord};
use tidemill_kafka_broker::Kafka;

fn words(batches: &[&[&str]]) -> Vec<Vec<String>> {
    batches.iter().map(|batch| batch.iter().map(|word| (*word).to_owned()).collect()).collect()
}

#[test]
fn each_batch_is_there_once() {
    let (kafka, test) = (Kafka::shared(), TestContext::new());
    let topic = kafka.topic("once", 2);
    let stream = test.stream(words(&[&["a", "b", "c"], &[], &["d"]]));
    stream.to_kafka(&settings(kafka), topic.as_str(), |word| ProducerRecord::new(word).key(word));
    test.run(3).unwrap();
    assert_eq!(committed(kafka, &topic), ["a", "b", "c", "d"]);
}

#[test]
fn at_least_once_needs_no_transaction() {
    let (kafka, test) = (Kafka::shared(), TestContext::new());
    let topic = kafka.topic("plain", 1);
    test.stream(words(&[&["a", "b"], &[], &["c"]])).save_to(lines(kafka, &topic).at_least_once());
    test.run(3).unwrap();
    assert_eq!(committed(kafka, &topic), ["a", "b", "c"]);
    let offsets: Vec<_> = kafka.read_committed(&topic).into_iter().map(|record| record.offset).collect();
    assert_eq!(offsets, [0, 1, 2], "there is no mark of a transaction between them");
}

#[test]
fn topic_key_headers_partition_and_tombstones_are_the_record_s() {
    let (kafka, test) = (Kafka::shared(), TestContext::new());
    let (topic, other) = (kafka.topic("shape", 3), kafka.topic("other", 1));
    let to_other = other.clone();
    let sink = KafkaSink::new(&settings(kafka), topic.as_str(), move |word: &String| match word.as_str() {
        "other" => ProducerRecord::new(word).topic(to_other.clone()),
        "gone" => ProducerRecord::tombstone(word).partition(2),
        _ => ProducerRecord::new(word).key("k").header("h", word).timestamp_ms(1_000).partition(1),
    });
    test.stream(words(&[&["x", "other", "gone"]])).save_to(sink);
    test.run(1).unwrap();
    let found: Vec<_> = kafka.read_committed(&topic).into_iter().map(|r| (r.partition, r.key, r.value)).collect();
    assert_eq!(found, [(1, "k".into(), "x".into()), (2, "gone".into(), String::new())]);
    assert_eq!(committed(kafka, &other), ["other"]);
}

#[test]
fn a_partitioner_is_asked_for_each_record() {
    let (kafka, test) = (Kafka::shared(), TestContext::new());
    let topic = kafka.topic("chosen", 3);
    let by_length =
        |record: &ProducerRecord<'_>, partitions: usize| record.value_bytes().map_or(0, <[u8]>::len) % partitions;
    test.stream(words(&[&["a", "bb", "ccc", "dddd"]])).save_to(lines(kafka, &topic).partitioner(by_length));
    test.run(1).unwrap();
    let mut found: Vec<_> = kafka.read_committed(&topic).into_iter().map(|r| (r.partition, r.value)).collect();
    found.sort();
    let expected = [(0, "ccc"), (1, "a"), (1, "dddd"), (2, "bb")].map(|(partition, value)| (partition, value.into()));
    assert_eq!(found, expected);
    let test = TestContext::new();
    test.stream(words(&[&["a"]])).save_to(lines(kafka, &topic).partitioner(|_, partitions| partitions));
    let error = test.run(1).unwrap_err();
    assert!(format!("{error:?}").contains("the partitioner chose partition 3 of 3"), "{error:?}");
}

#[test]
fn a_record_that_is_too_large_is_put_aside() {
    let kafka = Kafka::shared();
    let topic = kafka.topic("large", 1);
    let large = "x".repeat(3_000);
    let batches = || vec![vec!["a".to_owned(), large.clone(), "b".to_owned()]];
    let sink = || {
        let settings = settings(kafka).set("message.max.bytes", 2_000);
        KafkaSink::new(&settings, topic.as_str(), |line: &String| ProducerRecord::new(line))
    };
    let test = TestContext::with_config(Config::new().set(keys::DEAD_LETTER_ENABLED, true));
    test.stream(batches()).save_to(sink());
    test.run(1).unwrap();
    assert_eq!(committed(kafka, &topic), ["a", "b"]);
    assert_eq!(test.ssc().progress().dead_letters, 1);
    let test = TestContext::new();
    test.stream(batches()).save_to(sink());
    let error = test.run(1).unwrap_err();
    assert!(format!("{error:?}").contains("is more than message.max.bytes, 2000, allows"), "{error:?}");
    assert_eq!(committed(kafka, &topic), ["a", "b"], "nothing of the batch that failed is seen");
}

#[test]
fn a_topic_that_takes_less_says_so() {
    let kafka = Kafka::shared();
    let topic = format!("{}-small", kafka.topic("small", 1));
    kafka.create_topic(&topic, 1, &[("max.message.bytes", "1000")]);
    let test = TestContext::new();
    test.stream(vec![vec!["x".repeat(3_000)]]).save_to(lines(kafka, &topic));
    let error = test.run(1).unwrap_err();
    assert!(
        format!("{error:?}").contains("set message.max.bytes to what max.message.bytes of the topic allows"),
        "{error:?}"
    );
}

#[test]
fn offsets_of_what_was_read_are_committed_with_what_is_written() {
    let (kafka, test) = (Kafka::shared(), TestContext::new());
    let (topic, read) = (kafka.topic("with-offsets", 1), kafka.topic("read", 2));
    let source = read.clone();
    let ranges = move |time: Time| {
        let until = [7, i64::try_from(time.as_ms()).unwrap()];
        (0..).zip(until).map(|(partition, until)| OffsetRange::new(source.as_str(), partition, 0, until)).collect()
    };
    test.stream(words(&[&["a"], &["b"]])).save_to(lines(kafka, &topic).commit_offsets("readers", ranges));
    test.run(2).unwrap();
    assert_eq!(kafka.committed_offsets("readers", &read), [Some(7), Some(2_000)]);
}

#[test]
fn several_outputs_of_one_program_do_not_hinder_each_other() {
    let (kafka, test) = (Kafka::shared(), TestContext::new());
    let topics = [kafka.topic("first", 1), kafka.topic("second", 1)];
    let stream = test.stream(words(&[&["a"], &["b"]]));
    topics.iter().for_each(|topic| stream.save_to(lines(kafka, topic)));
    stream.save_to(lines(kafka, &topics[1]));
    test.run(2).unwrap();
    assert_eq!(committed(kafka, &topics[0]), ["a", "b"]);
    assert_eq!(committed(kafka, &topics[1]), ["a", "a", "b", "b"]);
}

#[test]
fn batches_at_once_are_refused() {
    let test = TestContext::with_config(Config::new().set(keys::CONCURRENT_JOBS, 2));
    test.stream(words(&[&["a"]])).save_to(lines(Kafka::shared(), "never-written"));
    let error = test.run(1).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Invalid);
    assert!(error.to_string().contains("set it to 1"), "{error}");
}
