//! What batches have, and how much.

use super::{Told, config, numbers, producer, records, run_until, send, settings, source, write};
use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
};
use tidemill::{Context, Text, keys, testing::TestContext};
use tidemill_kafka::{KafkaSource, OffsetRange, StartingOffsets, TopicPartition, kafka_rdd};
use tidemill_kafka_broker::Kafka;

#[test]
fn a_partition_is_a_partition_and_the_ranges_say_what_is_in_it() {
    let (kafka, test) = (Kafka::shared(), TestContext::new());
    let topic = kafka.topic("shape", 3);
    write(kafka, &topic, &numbers(0..50));
    let stream = source(kafka, &topic).stream::<String, Text>(test.ssc()).unwrap();
    let seen = test.collect(&stream);
    run_until(&test, || !seen.batches().concat().is_empty());
    let (time, partitions) =
        seen.partitions().into_iter().find(|(_, batch)| batch.iter().any(|p| !p.is_empty())).unwrap();
    let ranges = stream.offset_ranges(time);
    assert_eq!(partitions.len(), 3);
    for (partition, range) in partitions.iter().zip(&ranges) {
        let offsets: Vec<_> = partition.iter().map(|record| record.offset).collect();
        assert_eq!(offsets, (range.from_offset..range.until_offset).collect::<Vec<_>>());
        assert!(partition.iter().all(|record| record.partition == range.partition && *record.topic == *topic));
        assert!(
            partition
                .iter()
                .all(|record| record.timestamp.is_some() && record.key.as_deref() == record.value.as_deref())
        );
    }
    assert_eq!(ranges.iter().map(OffsetRange::count).sum::<u64>(), 50);
}

#[test]
fn functions_are_given_the_ranges_and_the_batch_shows_them() {
    let (kafka, test) = (Kafka::shared(), TestContext::new());
    let shown = Told::of(&test, "Description");
    let topic = kafka.topic("shown", 1);
    write(kafka, &topic, &numbers(0..5));
    let stream = source(kafka, &topic).stream::<(), String>(test.ssc()).unwrap();
    let counts = stream.transform_with_ranges(|rdd, ranges, _| {
        let count = ranges[0].count();
        Ok(rdd.map(move |record| (record.offset, count)))
    });
    let (seen, told) = (test.collect(&counts), Arc::new(Mutex::new(Vec::new())));
    let telling = told.clone();
    stream.foreach_rdd_with_ranges(move |rdd, ranges, _| {
        telling.lock().unwrap().push((rdd.count()?, ranges[0].count()));
        Ok::<(), tidemill::Error>(())
    });
    assert_eq!(records(&test, &seen, 5), (0..5).map(|offset| (offset, 5)).collect::<Vec<_>>());
    test.ssc().stop().unwrap();
    assert!(told.lock().unwrap().contains(&(5, 5)));
    let line = format!("topic: {topic}\tpartition: 0\toffsets: 0 to 5\tcount: 5");
    assert!(shown.all().contains(&line), "{:?}", shown.all());
}

#[test]
fn headers_keys_and_tombstones_come_through() {
    use rdkafka::{
        message::{Header, OwnedHeaders},
        producer::BaseRecord,
    };
    let (kafka, test) = (Kafka::shared(), TestContext::new());
    let topic = kafka.topic("whole", 1);
    let producer = producer(kafka, &[("compression.type", "zstd")]);
    let headers = OwnedHeaders::new().insert(Header { key: "trace", value: Some("7") });
    producer
        .send(BaseRecord::to(&topic).key("k").payload("v").timestamp(1_500).headers(headers))
        .map_err(|e| e.0)
        .unwrap();
    send(&producer, &topic, 0, "k", None);
    super::flush(&producer);
    let stream = source(kafka, &topic).stream::<String, Vec<u8>>(test.ssc()).unwrap();
    let all = stream.map(|r| (r.offset, r.key, r.value, r.headers.len(), r.timestamp.map_or(0, |time| time.as_ms())));
    let seen = test.collect(&all);
    let found = records(&test, &seen, 2);
    assert_eq!(found[0], (0, Some("k".into()), Some(b"v".to_vec()), 1, 1_500));
    assert_eq!((&found[1].1, &found[1].2), (&Some("k".into()), &None));
}

#[test]
fn the_first_batch_and_each_partition_are_bounded() {
    let config = config().set(keys::KAFKA_FIRST_BATCH_RECORDS, 7).set(keys::KAFKA_MAX_RATE, 11);
    let (kafka, test) = (Kafka::shared(), TestContext::with_config(config));
    let topic = kafka.topic("bounded", 1);
    write(kafka, &topic, &numbers(0..50));
    let seen = test.collect(&source(kafka, &topic).stream::<(), String>(test.ssc()).unwrap().values());
    assert_eq!(records(&test, &seen, 50), numbers(0..50));
    let sizes: Vec<_> = seen.batches().iter().map(Vec::len).filter(|len| *len > 0).collect();
    assert_eq!(sizes, [7, 11, 11, 11, 10]);
}

#[test]
fn backpressure_takes_more_of_a_partition_that_is_further_behind() {
    let config = config().set(keys::BACKPRESSURE_ENABLED, true).set(keys::BACKPRESSURE_INITIAL_RATE, 100);
    let (kafka, test) = (Kafka::shared(), TestContext::with_config(config));
    let (topic, producer) = (kafka.topic("behind", 2), producer(kafka, &[]));
    for number in 0..400 {
        send(&producer, &topic, i32::from(number % 4 != 0), "", Some(number.to_string().as_bytes()));
    }
    super::flush(&producer);
    let stream = source(kafka, &topic).stream::<(), String>(test.ssc()).unwrap();
    let seen = test.collect(&stream.map(|record| record.partition));
    run_until(&test, || seen.batches().concat().len() == 400);
    let first = seen.batches().into_iter().find(|batch| !batch.is_empty()).unwrap();
    let of_first = |partition| first.iter().filter(|of| **of == partition).count();
    assert_eq!([of_first(0), of_first(1)], [25, 75], "a batch of a second, of 100 records a second");
}

#[test]
fn a_stream_begins_where_it_is_told() {
    let kafka = Kafka::shared();
    let topic = kafka.topic("starts", 1);
    let producer = producer(kafka, &[]);
    for number in 0..10_i64 {
        let value = number.to_string();
        let record =
            rdkafka::producer::BaseRecord::<(), str>::to(&topic).payload(&value).timestamp(1_000 * (number + 1));
        producer.send(record).map_err(|(error, _)| error).unwrap();
        super::flush(&producer);
    }
    let partition = TopicPartition::new(topic.as_str(), 0);
    let begun = |source: KafkaSource| {
        let test = TestContext::new();
        let seen = test.collect(&source.stream::<(), String>(test.ssc()).unwrap().values());
        records(&test, &seen, 1)[0].clone()
    };
    let at = |at| source(kafka, &topic).starting(at);
    assert_eq!(begun(at(StartingOffsets::Earliest)), "0");
    assert_eq!(begun(at(StartingOffsets::Timestamp(tidemill::Time::from_ms(4_500)))), "4");
    assert_eq!(begun(at(StartingOffsets::Offsets([(partition.clone(), 7)].into()))), "7");
    let explicit = KafkaSource::new(settings(kafka)).starting(StartingOffsets::Earliest);
    assert_eq!(begun(explicit.clone().partitions([partition])), "0");
    assert_eq!(begun(explicit.topic_pattern(format!("{}.?", &topic[..topic.len() - 1]))), "0");
}

#[test]
fn the_latest_is_what_comes_after_the_start() {
    let (kafka, test) = (Kafka::shared(), TestContext::new());
    let topic = kafka.topic("latest", 1);
    write(kafka, &topic, &numbers(0..5));
    let stream = source(kafka, &topic).starting(StartingOffsets::Latest).stream::<(), String>(test.ssc()).unwrap();
    let seen = test.collect(&stream.values());
    test.run(1).unwrap();
    write(kafka, &topic, &numbers(5..8));
    assert_eq!(records(&test, &seen, 3), numbers(5..8));
}

#[test]
fn a_topic_that_is_not_there_is_named_at_the_start() {
    let (kafka, test) = (Kafka::shared(), TestContext::new());
    let stream = source(kafka, "no-such-topic").stream::<(), String>(test.ssc()).unwrap();
    test.collect(&stream.values());
    let error = test.run(1).unwrap_err();
    assert!(error.to_string().contains("\"no-such-topic\""), "{error}");
    assert_eq!(error.kind(), tidemill::ErrorKind::Invalid);
}

#[test]
fn ranges_are_a_dataset() {
    let (kafka, sc) = (Kafka::shared(), Context::local(2));
    let topic = kafka.topic("dataset", 1);
    write(kafka, &topic, &numbers(0..10));
    let rdd = kafka_rdd::<(), String>(&sc, &settings(kafka), [OffsetRange::new(topic.as_str(), 0, 2, 5)]).unwrap();
    let values = rdd.flat_map(|record| record.value);
    assert_eq!(values.collect().unwrap(), numbers(2..5));
    assert_eq!(values.collect().unwrap(), numbers(2..5), "and again");
    // The same partition twice at once.
    let pairs = rdd.cartesian(&rdd).map(|(a, b)| (a.offset, b.offset)).collect().unwrap();
    let expected: Vec<_> = (2..5).flat_map(|a| (2..5).map(move |b| (a, b))).collect();
    assert_eq!(pairs.into_iter().collect::<BTreeMap<_, _>>().len(), 3);
    assert_eq!(rdd.cartesian(&rdd).count().unwrap(), expected.len() as u64);
    let beyond = kafka_rdd::<(), String>(&sc, &settings(kafka), [OffsetRange::new(topic.as_str(), 0, 5, 99)]).unwrap();
    let error = beyond.count().unwrap_err();
    assert!(error.to_string().contains("the partition ends before them"), "{error}");
}
