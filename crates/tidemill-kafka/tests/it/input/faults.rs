//! Brokers that go and come back, and large messages.

use super::{PATIENCE, config, flush, numbers, producer, records, send, source, wait_until, write};
use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};
use tidemill::{Error, StreamingContext, base::clock::Stopwatch, keys, milliseconds, testing::TestContext};
use tidemill_kafka_broker::Kafka;

#[test]
fn while_no_broker_is_there_batches_are_empty_and_nothing_is_lost() {
    let kafka = Kafka::start(1);
    let topic = kafka.topic("down", 2);
    // A batch that was picked while the broker went away is tried again.
    let test = TestContext::with_config(config().set(keys::BATCH_RETRY_TIMEOUT, "1min"));
    let seen = test.collect(&source(&kafka, &topic).stream::<(), String>(test.ssc()).unwrap().values());
    write(&kafka, &topic, &numbers(0..10));
    records(&test, &seen, 10);
    kafka.kill_all();
    let since = Stopwatch::start();
    test.run(3).unwrap();
    assert!(since.elapsed() < PATIENCE, "batches do not wait for brokers");
    assert_eq!(seen.batches().concat().len(), 10);
    kafka.resume_all();
    write(&kafka, &topic, &numbers(10..20));
    assert_eq!(records(&test, &seen, 20), numbers(0..20));
    kafka.stop(0);
    kafka.resume(0);
    write(&kafka, &topic, &numbers(20..30));
    assert_eq!(records(&test, &seen, 30), numbers(0..30));
}

#[test]
fn short_batches_do_not_keep_a_stream_from_finding_its_brokers_again() {
    let kafka = Kafka::start(1);
    let topic = kafka.topic("short", 1);
    let ssc = StreamingContext::local(2, milliseconds(20)).unwrap();
    let seen = Arc::new(AtomicU64::new(0));
    let count = seen.clone();
    let stream = source(&kafka, &topic).stream::<(), String>(&ssc).unwrap();
    stream.values().count().for_each_batch(move |counts, _| {
        count.fetch_add(counts.iter().sum(), Ordering::Relaxed);
        Ok::<(), Error>(())
    });
    ssc.start().unwrap();
    write(&kafka, &topic, &numbers(0..10));
    wait_until("what was written before", || seen.load(Ordering::Relaxed) == 10);
    kafka.kill_all();
    let done = || ssc.progress().completed_batches;
    let before = done();
    wait_until("batches without brokers", || done() > before + 100);
    kafka.resume_all();
    write(&kafka, &topic, &numbers(10..20));
    wait_until("what was written after", || seen.load(Ordering::Relaxed) == 20);
    ssc.stop().unwrap();
}

#[test]
fn a_program_that_starts_while_no_broker_is_there_waits_for_one() {
    let kafka = Kafka::start(1);
    let topic = kafka.topic("late", 1);
    write(&kafka, &topic, &numbers(0..10));
    kafka.kill_all();
    let test = TestContext::with_config(config());
    let seen = test.collect(&source(&kafka, &topic).stream::<(), String>(test.ssc()).unwrap().values());
    test.run(1).unwrap();
    kafka.resume_all();
    assert_eq!(records(&test, &seen, 10), numbers(0..10));
}

#[test]
fn twenty_megabytes_are_a_record() -> Result<(), Error> {
    let (kafka, test) = (Kafka::shared(), TestContext::new());
    let topic = format!("large-{}", kafka.topic("large", 1));
    kafka.create_topic(&topic, 1, &[("max.message.bytes", "30000000")]);
    let producer = producer(kafka, &[("message.max.bytes", "30000000")]);
    for number in 0..3_u8 {
        send(&producer, &topic, 0, "k", Some(&vec![number; 20_000_000]));
        send(&producer, &topic, 0, "k", Some(&[number]));
        flush(&producer);
    }
    let stream = source(kafka, &topic).stream::<(), Vec<u8>>(test.ssc())?;
    let sizes = stream.values().map(|value| (value[0], value.len()));
    let seen = test.collect(&sizes);
    let expected: Vec<_> = (0..3).flat_map(|number| [(number, 1), (number, 20_000_000)]).collect();
    assert_eq!(records(&test, &seen, 6), expected);
    let smaller = TestContext::with_config(config().set(keys::KAFKA_MAX_RECORD_BYTES, "1MiB"));
    let stream = source(kafka, &topic).stream::<(), Vec<u8>>(smaller.ssc())?;
    smaller.collect(&stream.values());
    let since = Stopwatch::start();
    let error = loop {
        match smaller.run(1) {
            Err(error) => break error,
            Ok(()) => assert!(since.elapsed() < PATIENCE, "it is refused"),
        }
    };
    assert!(error.to_string().contains("at offset 0: it has 20000001 bytes"), "{error}");
    Ok(())
}
