//! Records that are gone before they are read.

use super::{PATIENCE, config, numbers, records, run_until, settings, source, write};
use rdkafka::{
    ClientConfig, Offset, TopicPartitionList,
    admin::{AdminClient, AdminOptions},
    client::DefaultClientContext,
};
use tidemill::{Context, ErrorKind, base::storage::MemoryStorage, keys, seconds, testing::TestContext};
use tidemill_kafka::{KafkaSource, OffsetRange, OnDataLoss, StartingOffsets, kafka_rdd};
use tidemill_kafka_broker::Kafka;

/// Deletes the records of partition 0 before `offset`, as if they had expired.
fn expire(kafka: &Kafka, topic: &str, offset: i64) {
    let admin: AdminClient<DefaultClientContext> =
        ClientConfig::new().set("bootstrap.servers", kafka.bootstrap()).create().unwrap();
    let mut list = TopicPartitionList::new();
    list.add_partition_offset(topic, 0, Offset::Offset(offset)).unwrap();
    let options = AdminOptions::new().request_timeout(Some(PATIENCE)).operation_timeout(Some(PATIENCE));
    futures_executor::block_on(admin.delete_records(&list, &options)).unwrap();
}

/// A program that has read the first ten records of a topic, is stopped, and finds that something has happened.
fn after(
    kafka: &Kafka,
    topic: &str,
    policy: OnDataLoss,
    happening: impl Fn(),
) -> Result<(Vec<String>, u64), tidemill::Error> {
    let checkpoint = MemoryStorage::new();
    let start = || {
        // What the source says goes before the configuration.
        let config = config().set(keys::KAFKA_ON_DATA_LOSS, "latest");
        let test = TestContext::remembered_in(checkpoint.clone(), config, seconds(1));
        let stream = source(kafka, topic).on_data_loss(policy).stream::<(), String>(test.ssc()).unwrap();
        let seen = test.collect(&stream.values());
        (test, stream, seen)
    };
    write(kafka, topic, &numbers(0..10));
    let (test, _, seen) = start();
    records(&test, &seen, 10);
    drop(test);
    happening();
    let (test, stream, seen) = start();
    let since = tidemill::base::clock::Stopwatch::start();
    while seen.batches().concat().is_empty() && since.elapsed() < PATIENCE {
        test.run(1)?;
    }
    Ok((seen.batches().concat(), stream.lost_records()))
}

#[test]
fn expired_records_fail_the_program_or_are_counted() {
    let kafka = Kafka::shared();
    let expired = |policy| {
        let topic = kafka.topic("expired", 1);
        after(kafka, &topic, policy, || {
            write(kafka, &topic, &numbers(10..30));
            expire(kafka, &topic, 25);
        })
    };
    let error = expired(OnDataLoss::Fail).unwrap_err();
    assert!(error.to_string().contains("from 10 on were to be read and are lost"), "{error}");
    assert!(error.to_string().contains("Set tidemill.kafka.onDataLoss"), "{error}");
    assert_eq!(error.kind(), ErrorKind::Data);
    assert_eq!(expired(OnDataLoss::Earliest).unwrap(), (numbers(25..30), 15));
}

#[test]
fn a_topic_that_is_deleted_does_not_hold_up_the_others_of_a_pattern() {
    let (kafka, test) = (Kafka::shared(), TestContext::with_config(config()));
    let [deleted, other] = ["a", "b"].map(|name| kafka.topic(&format!("of-pattern-{name}"), 1));
    let of_both = KafkaSource::new(settings(kafka)).topic_pattern("of-pattern-.*").starting(StartingOffsets::Earliest);
    let seen = test.collect(&of_both.stream::<(), String>(test.ssc()).unwrap().values());
    write(kafka, &deleted, &numbers(0..5));
    write(kafka, &other, &numbers(5..10));
    assert_eq!(records(&test, &seen, 10), numbers(0..10));
    let admin: AdminClient<DefaultClientContext> =
        ClientConfig::new().set("bootstrap.servers", kafka.bootstrap()).create().unwrap();
    let options = AdminOptions::new().operation_timeout(Some(PATIENCE));
    futures_executor::block_on(admin.delete_topics(&[&deleted], &options)).unwrap();
    write(kafka, &other, &numbers(10..15));
    assert_eq!(records(&test, &seen, 15), numbers(0..15));
}

#[test]
fn the_latest_passes_over_all_that_is_there() {
    let kafka = Kafka::shared();
    let (topic, checkpoint) = (kafka.topic("passed", 1), MemoryStorage::new());
    write(kafka, &topic, &numbers(0..10));
    let start = || {
        let config = config().set(keys::KAFKA_ON_DATA_LOSS, "latest");
        let test = TestContext::remembered_in(checkpoint.clone(), config, seconds(1));
        let stream = source(kafka, &topic).stream::<(), String>(test.ssc()).unwrap();
        let seen = test.collect(&stream.values());
        (test, stream, seen)
    };
    let (test, _, seen) = start();
    records(&test, &seen, 10);
    drop(test);
    write(kafka, &topic, &numbers(10..30));
    expire(kafka, &topic, 25);
    let (test, stream, seen) = start();
    run_until(&test, || stream.lost_records() == 20);
    write(kafka, &topic, &numbers(30..33));
    assert_eq!(records(&test, &seen, 3), numbers(30..33));
}

#[test]
fn a_topic_that_was_made_anew_is_another_one() {
    let kafka = Kafka::shared();
    let anew = |policy| {
        let topic = kafka.topic("anew", 1);
        after(kafka, &topic, policy, || {
            kafka.delete_topic(&topic);
            super::wait_until("the topic to be gone", || {
                std::panic::catch_unwind(|| kafka.create_topic(&topic, 1, &[])).is_ok()
            });
            // More than there were: nothing but its id tells it from the old one.
            write(kafka, &topic, &numbers(100..130));
        })
    };
    let error = anew(OnDataLoss::Fail).unwrap_err();
    assert!(error.to_string().contains("the topic was deleted and made anew"), "{error}");
    assert_eq!(anew(OnDataLoss::Earliest).unwrap().0, numbers(100..130));
}

#[test]
fn a_range_that_is_gone_fails_the_job_that_reads_it() {
    let (kafka, sc) = (Kafka::shared(), Context::local(2));
    let topic = kafka.topic("gone", 1);
    write(kafka, &topic, &numbers(0..10));
    expire(kafka, &topic, 5);
    let read = |from| {
        kafka_rdd::<(), String>(&sc, &settings(kafka), [OffsetRange::new(topic.as_str(), 0, from, 8)]).unwrap().count()
    };
    let error = read(2).unwrap_err();
    assert!(error.to_string().contains("from 2 until 8 were to be read and are lost"), "{error}");
    assert_eq!(read(5).unwrap(), 3);
}
