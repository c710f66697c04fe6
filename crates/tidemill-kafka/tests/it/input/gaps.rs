//! Offsets without records: transactions and compaction.

use super::{PATIENCE, Told, config, flush, numbers, producer, records, run_until, send, settings, source, wait_until};
use rdkafka::producer::{BaseProducer, Producer};
use tidemill::{Context, base::clock::Stopwatch, seconds, testing::TestContext};
use tidemill_kafka::{OffsetRange, StartingOffsets, TopicPartition, kafka_rdd};
use tidemill_kafka_broker::Kafka;

fn transactional(kafka: &Kafka, id: &str) -> BaseProducer {
    let producer = producer(kafka, &[("transactional.id", id)]);
    producer.init_transactions(PATIENCE).unwrap();
    producer
}

fn in_transaction(producer: &BaseProducer, topic: &str, values: &[String]) {
    producer.begin_transaction().unwrap();
    values.iter().for_each(|value| send(producer, topic, 0, value, Some(value.as_bytes())));
    flush(producer);
}

#[test]
fn aborted_and_open_transactions_are_not_read_and_committed_ones_are() {
    let (kafka, test) = (Kafka::shared(), TestContext::with_config(config()));
    let topic = kafka.topic("transactions", 1);
    let producer = transactional(kafka, &topic);
    let seen = test.collect(&source(kafka, &topic).stream::<(), String>(test.ssc()).unwrap().values());
    for round in 0..5 {
        in_transaction(&producer, &topic, &numbers(round * 10..round * 10 + 10));
        producer.commit_transaction(PATIENCE).unwrap();
        run_until(&test, || seen.batches().concat().len() == (round + 1) * 10);
        in_transaction(&producer, &topic, &numbers(900..905));
        test.run(1).unwrap();
        producer.abort_transaction(PATIENCE).unwrap();
        test.run(1).unwrap();
    }
    in_transaction(&producer, &topic, &numbers(50..60));
    test.run(2).unwrap();
    assert_eq!(seen.batches().concat().len(), 50, "a transaction that is open is not read");
    producer.commit_transaction(PATIENCE).unwrap();
    assert_eq!(records(&test, &seen, 60), numbers(0..60));
}

#[test]
fn a_transaction_that_does_not_end_is_told_of() {
    let (kafka, test) = (Kafka::shared(), TestContext::with_config(config()));
    let topic = kafka.topic("held-up", 1);
    let producer = transactional(kafka, &topic);
    in_transaction(&producer, &topic, &numbers(0..10));
    let told = Told::of(&test, "held up");
    let seen = test.collect(&source(kafka, &topic).stream::<(), String>(test.ssc()).unwrap().values());
    run_until(&test, || !told.all().is_empty());
    assert_eq!(told.all()[0], format!("{topic}-0 at 0"));
    producer.commit_transaction(PATIENCE).unwrap();
    assert_eq!(records(&test, &seen, 10), numbers(0..10));
    // It is no longer told once it has ended.
    run_until(&test, || {
        let before = told.all().len();
        test.run(5).unwrap();
        told.all().len() == before
    });
}

#[test]
fn a_stream_that_begins_within_an_open_transaction_waits_for_its_end() {
    let (kafka, test) = (Kafka::shared(), TestContext::with_config(config()));
    let topic = kafka.topic("within", 1);
    let producer = transactional(kafka, &topic);
    in_transaction(&producer, &topic, &numbers(0..10));
    let at = StartingOffsets::Offsets([(TopicPartition::new(topic.as_str(), 0), 6)].into());
    let seen = test.collect(&source(kafka, &topic).starting(at).stream::<(), String>(test.ssc()).unwrap().values());
    // Longer than an end that lies before what was read is only suspected.
    let since = Stopwatch::start();
    run_until(&test, || since.elapsed() > seconds(7));
    assert_eq!(seen.batches().concat(), Vec::<String>::new());
    producer.commit_transaction(PATIENCE).unwrap();
    assert_eq!(records(&test, &seen, 4), numbers(6..10));
}

#[test]
fn read_uncommitted_reads_all() {
    let (kafka, test) = (Kafka::shared(), TestContext::new());
    let topic = kafka.topic("uncommitted", 1);
    let producer = transactional(kafka, &topic);
    in_transaction(&producer, &topic, &numbers(0..5));
    producer.abort_transaction(PATIENCE).unwrap();
    let source = tidemill_kafka::KafkaSource::new(settings(kafka).set("isolation.level", "read_uncommitted"))
        .topics([topic])
        .starting(tidemill_kafka::StartingOffsets::Earliest);
    let seen = test.collect(&source.stream::<(), String>(test.ssc()).unwrap().values());
    assert_eq!(records(&test, &seen, 5), numbers(0..5));
}

#[test]
fn compacted_topics_are_read_past_their_gaps() {
    let kafka = Kafka::start_with(&[("log.cleaner.backoff.ms", "100"), ("log.cleaner.min.cleanable.ratio", "0.01")]);
    let topic = "compacted";
    let settings_of_topic =
        [("cleanup.policy", "compact"), ("segment.bytes", "1048576"), ("min.cleanable.dirty.ratio", "0.01")];
    kafka.create_topic(topic, 1, &settings_of_topic);
    let producer = producer(&kafka, &[]);
    let large = [b'x'; 10_000];
    for round in 0..60 {
        for key in 0..6 {
            send(&producer, topic, 0, &key.to_string(), Some(&[&[round][..], &large[..]].concat()));
        }
        flush(&producer);
    }
    wait_until("compaction", || kafka.read_committed(topic).len() < 330);
    let sc = Context::local(2);
    let left = kafka.read_committed(topic);
    let read = |from, until| {
        let ranges = [OffsetRange::new(topic, 0, from, until)];
        kafka_rdd::<String, Vec<u8>>(&sc, &settings(&kafka), ranges)
            .unwrap()
            .map(|record| record.offset)
            .collect()
            .unwrap()
    };
    let there =
        |from, until| left.iter().map(|record| record.offset).filter(|o| (from..until).contains(o)).collect::<Vec<_>>();
    let first = left[0].offset;
    // It may have been compacted further meanwhile, but never less.
    for (from, until) in [(0, 360), (0, first.max(1)), (0, 50), (10, 200), (359, 360)] {
        let (read, there) = (read(from, until), there(from, until));
        assert!(read.iter().all(|offset| there.contains(offset)), "{from}..{until}: {read:?}");
    }
    assert_eq!(read(354, 360), (354..360).collect::<Vec<_>>());
}
