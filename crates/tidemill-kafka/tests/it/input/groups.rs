//! Groups: committed to for those who watch, never joined.

use super::{config, numbers, records, run_until, source, wait_until, write};
use rdkafka::{
    ClientConfig,
    consumer::{BaseConsumer, Consumer},
};
use std::time::Duration;
use tidemill::{ErrorKind, testing::TestContext};
use tidemill_kafka::{Edge, StartingOffsets};
use tidemill_kafka_broker::Kafka;

#[test]
fn offsets_are_committed_at_the_end_of_each_batch_and_of_the_program() {
    let (kafka, test) = (Kafka::shared(), TestContext::new());
    let topic = kafka.topic("committed", 1);
    write(kafka, &topic, &numbers(0..10));
    let stream = source(kafka, &topic).group_id(&topic).commit_offsets().stream::<(), String>(test.ssc()).unwrap();
    let seen = test.collect(&stream.values());
    records(&test, &seen, 10);
    wait_until("the commit", || kafka.committed_offsets(&topic, &topic) == [Some(10)]);
    write(kafka, &topic, &numbers(10..15));
    records(&test, &seen, 15);
    test.ssc().stop_gracefully().unwrap();
    assert_eq!(kafka.committed_offsets(&topic, &topic), [Some(15)], "what was sent last is there");
    // Who begins at what is committed goes on from there.
    write(kafka, &topic, &numbers(15..17));
    let test = TestContext::new();
    let stored = source(kafka, &topic).group_id(&topic).starting(StartingOffsets::Stored(Edge::Earliest));
    let seen = test.collect(&stored.stream::<(), String>(test.ssc()).unwrap().values());
    assert_eq!(records(&test, &seen, 2), numbers(15..17));
}

#[test]
fn what_the_user_commits_is_sent_when_its_batch_is_done() {
    let (kafka, test) = (Kafka::shared(), TestContext::new());
    let topic = kafka.topic("by-hand", 1);
    write(kafka, &topic, &numbers(0..10));
    let stream = source(kafka, &topic).group_id(&topic).stream::<(), String>(test.ssc()).unwrap();
    let committer = stream.clone();
    stream.foreach_rdd_with_ranges(move |rdd, ranges, _| {
        rdd.count()?;
        committer.commit_async(ranges);
        Ok::<(), tidemill::Error>(())
    });
    run_until(&test, || kafka.committed_offsets(&topic, &topic) == [Some(10)]);
}

#[test]
fn two_streams_with_one_group_are_refused() {
    let (kafka, test) = (Kafka::shared(), TestContext::new());
    let topic = kafka.topic("shared", 1);
    for _ in 0..2 {
        test.collect(&source(kafka, &topic).group_id(&topic).stream::<(), String>(test.ssc()).unwrap().values());
    }
    let error = test.run(1).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Invalid);
    assert!(error.to_string().contains(&format!("two Kafka streams have the group \"{topic}\"")), "{error}");
}

#[test]
fn a_member_of_the_group_changes_nothing() {
    let (kafka, test) = (Kafka::shared(), TestContext::with_config(config()));
    let topic = kafka.topic("foreign", 2);
    let member = || {
        let mut config = ClientConfig::new();
        let config = config.set("bootstrap.servers", kafka.bootstrap()).set("group.id", &topic);
        let consumer: BaseConsumer = config.set("auto.offset.reset", "earliest").create().unwrap();
        consumer.subscribe(&[&topic]).unwrap();
        consumer
    };
    let stream = source(kafka, &topic).group_id(&topic).stream::<(), String>(test.ssc()).unwrap();
    let seen = test.collect(&stream.values());
    let mut members = Vec::new();
    for round in 0..4 {
        write(kafka, &topic, &numbers(round * 10..round * 10 + 10));
        members.push(member());
        members.iter().for_each(|member| drop(member.poll(Duration::from_millis(100))));
        test.run(1).unwrap();
        if round % 2 == 1 {
            members.remove(0);
        }
    }
    assert_eq!(records(&test, &seen, 40), numbers(0..40));
}
