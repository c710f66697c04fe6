//! Programs that start again, topics that grow.

use super::{config, numbers, records, source, write};
use std::sync::{Arc, Mutex};
use tidemill::{Time, base::storage::MemoryStorage, keys, seconds, testing::TestContext};
use tidemill_kafka::{OffsetRange, StartingOffsets};
use tidemill_kafka_broker::Kafka;

#[test]
fn a_batch_that_runs_again_reads_the_same_offsets() {
    let (kafka, checkpoint) = (Kafka::shared(), MemoryStorage::new());
    let topic = kafka.topic("again", 2);
    write(kafka, &topic, &numbers(0..20));
    type Seen = Arc<Mutex<Vec<(Time, Vec<OffsetRange>, Vec<String>)>>>;
    let run = |fails: bool, batches: usize| {
        let config = config().set(keys::BATCH_ON_FAILURE, "stop");
        let test = TestContext::remembered_in(checkpoint.clone(), config, seconds(1));
        let stream =
            source(kafka, &topic).starting(StartingOffsets::Earliest).stream::<(), String>(test.ssc()).unwrap();
        let seen = Seen::default();
        let seeing = seen.clone();
        stream.foreach_rdd_with_ranges(move |rdd, ranges, time| {
            let mut values = rdd.flat_map(|record| record.value).collect()?;
            values.sort();
            seeing.lock().unwrap().push((time, ranges.to_vec(), values));
            let full = ranges.iter().any(|range| range.count() > 0);
            if fails && full { Err(tidemill::Error::user("as it was told")) } else { Ok(()) }
        });
        let outcome = test.run(batches);
        drop(test);
        let seen = seen.lock().unwrap().clone();
        (outcome, seen.into_iter().filter(|(_, _, values)| !values.is_empty()).collect::<Vec<_>>())
    };
    let mut first = run(true, 1);
    while first.1.is_empty() {
        first = run(true, 1);
    }
    assert!(first.0.is_err());
    write(kafka, &topic, &numbers(20..30));
    let (outcome, again) = run(false, 3);
    outcome.unwrap();
    assert_eq!(again[0], first.1[0], "the batch that failed reads what it read");
    let all: Vec<_> = again.into_iter().flat_map(|(_, _, values)| values).collect();
    let mut all = all;
    all.sort();
    assert_eq!(all, numbers(0..30));
}

#[test]
fn a_program_goes_on_where_it_was() {
    let (kafka, checkpoint) = (Kafka::shared(), MemoryStorage::new());
    let topic = kafka.topic("goes-on", 2);
    for round in 0..3 {
        write(kafka, &topic, &numbers(round * 10..round * 10 + 10));
        let test = TestContext::remembered_in(checkpoint.clone(), config(), seconds(1));
        // It would begin at the end if the checkpoint did not know better.
        let at = if round == 0 { StartingOffsets::Earliest } else { StartingOffsets::Latest };
        let seen = test.collect(&source(kafka, &topic).starting(at).stream::<(), String>(test.ssc()).unwrap().values());
        assert_eq!(records(&test, &seen, 10), numbers(round * 10..round * 10 + 10));
    }
}

#[test]
fn partitions_that_are_added_are_read_from_their_beginning() {
    let (kafka, test) = (Kafka::shared(), TestContext::with_config(config()));
    let topic = kafka.topic("grows", 1);
    let stream = source(kafka, &topic).starting(StartingOffsets::Latest).stream::<(), String>(test.ssc()).unwrap();
    let seen = test.collect(&stream.values());
    test.run(1).unwrap();
    kafka.grow_topic(&topic, 3);
    write(kafka, &topic, &numbers(0..100));
    assert_eq!(records(&test, &seen, 100), numbers(0..100));
}
