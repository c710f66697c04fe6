//! Kafka in and out, against bare loops over librdkafka, with a real broker on this machine.

use crate::{
    hand,
    measure::{Better, Row, Table, middle},
    words::{Shape, lines},
};
use rdkafka::{
    ClientConfig, Message as _,
    consumer::{BaseConsumer, Consumer as _},
    producer::{BaseProducer, BaseRecord, Producer as _},
};
use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    thread,
    time::Duration,
};
use tidemill::{
    Clock as _, Config, Context, Error, Interrupt, Result, StreamingContext, SystemClock, Text, base::clock::Stopwatch,
    keys, milliseconds, seconds,
};
use tidemill_kafka::{KafkaSettings, KafkaSource, KafkaStreamExt as _, ProducerRecord, StartingOffsets};
use tidemill_kafka_broker::Kafka;

const PARTITIONS: usize = 12;
/// Lines of about a kilobyte.
const LINES: usize = 400_000;
const WORDS_PER_LINE: usize = 155;
/// What is copied in transactions.
const COPIED: usize = 1_000_000;
const ROUNDS: usize = 3;
/// No run takes longer.
const PATIENCE: Duration = Duration::from_secs(120);
/// What is sent to measure latency: so many records a second.
const RATE: u64 = 1_000;
const LATENCY_RUN: Duration = Duration::from_secs(15);

fn of_kafka(error: rdkafka::error::KafkaError) -> Error {
    Error::unavailable("a loop by hand failed").with_source(error)
}

/// A context without a cap on the first batch, which is there for programs that go on.
fn context(interval: Duration) -> Result<StreamingContext> {
    let config = Config::new().set(keys::MASTER, "local[2]").set(keys::KAFKA_FIRST_BATCH_RECORDS, u64::MAX >> 1);
    StreamingContext::new(&Context::new(config)?, interval)
}

fn source(kafka: &Kafka, topic: &str) -> KafkaSource {
    KafkaSource::new(KafkaSettings::new(kafka.bootstrap())).topics([topic]).starting(StartingOffsets::Earliest)
}

/// Runs until `count` is reached; how long after the start of the first batch.
fn until(ssc: &StreamingContext, counted: &AtomicU64, count: u64, begun: &AtomicU64) -> Result<Duration> {
    let watch = Stopwatch::start();
    ssc.start()?;
    while counted.load(Ordering::Acquire) < count && watch.elapsed() < PATIENCE {
        ssc.await_termination_or_timeout(Duration::from_millis(5))?;
    }
    let took = SystemClock::new().now().as_ms().saturating_sub(begun.load(Ordering::Acquire));
    ssc.stop()?;
    assert_eq!(counted.load(Ordering::Acquire), count);
    Ok(milliseconds(took))
}

/// Words of a topic counted and printed, batch by batch; how long it took from the first batch on.
fn counted(kafka: &Kafka, topic: &str, words: u64) -> Result<Duration> {
    let ssc = context(seconds(1))?;
    let (total, begun) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicU64::new(0)));
    let counts = source(kafka, topic)
        .stream::<(), Text>(&ssc)?
        .values()
        .flat_map(|line| line.split(' '))
        .map(|word| (word, 1))
        .reduce_by_key(|a, b| a + b);
    let (sum, first) = (total.clone(), begun.clone());
    counts.foreach_rdd(move |rdd, time| {
        let _ = first.compare_exchange(0, time.as_ms(), Ordering::AcqRel, Ordering::Relaxed);
        let counts = rdd.collect()?;
        // What `print` does, without a terminal.
        std::hint::black_box(counts.iter().take(10).map(|pair| format!("{pair:?}")).collect::<Vec<_>>());
        sum.fetch_add(counts.iter().map(|(_, count)| count).sum(), Ordering::AcqRel);
        Result::<()>::Ok(())
    });
    until(&ssc, &total, words, &begun)
}

fn read(table: &mut Table, kafka: &Kafka) -> Result<()> {
    let text = lines(7, LINES / 10 * WORDS_PER_LINE, Shape { words_per_line: WORDS_PER_LINE, ..Shape::default() });
    let topic = kafka.topic("lines", PARTITIONS);
    let some: Vec<&[u8]> = text.split(|&byte| byte == b'\n').filter(|line| !line.is_empty()).collect();
    let all = some.iter().cycle().take(LINES).copied();
    hand::kafka::fill(kafka.bootstrap(), &topic, PARTITIONS, all).map_err(of_kafka)?;
    let bytes = some.iter().map(|line| line.len()).sum::<usize>() as f64 / some.len() as f64;
    let (mut ours, mut bare) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        ours.push(counted(kafka, &topic, (LINES * WORDS_PER_LINE) as u64)?);
        let (_, took) = hand::kafka::read(kafka.bootstrap(), &topic, PARTITIONS, LINES).map_err(of_kafka)?;
        bare.push(took);
    }
    let megabytes = |times: &mut [Duration]| LINES as f64 * bytes / middle(times).as_secs_f64() / 1e6;
    table.row(Row {
        name: "Kafka to word count, MB/s",
        ours: megabytes(&mut ours),
        hand: megabytes(&mut bare),
        goal: 0.8,
        better: Better::Higher,
    });
    Ok(())
}

/// Records from topic to topic, exactly once, with batches of a second.
fn copied(kafka: &Kafka, from: &str, count: u64) -> Result<Duration> {
    let folder = tempfile::tempdir()?;
    let ssc = context(seconds(1))?;
    ssc.checkpoint(folder.path().display().to_string())?;
    let to = kafka.topic("copies", PARTITIONS);
    let (total, begun) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicU64::new(0)));
    let stream = source(kafka, from).stream::<(), Vec<u8>>(&ssc)?;
    stream
        .values()
        .map(|value| value)
        .to_kafka(&KafkaSettings::new(kafka.bootstrap()), to, |value| ProducerRecord::new(value));
    let (sum, first, ranges) = (total.clone(), begun.clone(), stream.clone());
    // Runs after the output before it, so what it counts is committed.
    stream.foreach_rdd(move |_, time| {
        let _ = first.compare_exchange(0, time.as_ms(), Ordering::AcqRel, Ordering::Relaxed);
        sum.fetch_add(ranges.offset_ranges(time).iter().map(|range| range.count()).sum(), Ordering::AcqRel);
        Result::<()>::Ok(())
    });
    until(&ssc, &total, count, &begun)
}

fn copy(table: &mut Table, kafka: &Kafka) -> Result<()> {
    let from = kafka.topic("values", PARTITIONS);
    let value = [b'v'; 100];
    let values = std::iter::repeat_n(value.as_slice(), COPIED);
    hand::kafka::fill(kafka.bootstrap(), &from, PARTITIONS, values).map_err(of_kafka)?;
    let (mut ours, mut bare) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        ours.push(copied(kafka, &from, COPIED as u64)?);
        let to = kafka.topic("by-hand", PARTITIONS);
        let took = hand::kafka::copy(kafka.bootstrap(), (&from, &to), PARTITIONS, COPIED, seconds(1));
        bare.push(took.map_err(of_kafka)?);
    }
    table.row(Row {
        name: "Kafka to Kafka, exactly once, k records/s",
        ours: COPIED as f64 / middle(&mut ours).as_secs_f64() / 1e3,
        hand: COPIED as f64 / middle(&mut bare).as_secs_f64() / 1e3,
        goal: 0.6,
        better: Better::Higher,
    });
    Ok(())
}

/// Sends the time it is, [`RATE`] times a second.
fn send_times(bootstrap: &str, topic: &str) -> Result<()> {
    let producer: BaseProducer =
        ClientConfig::new().set("bootstrap.servers", bootstrap).set("linger.ms", "0").create().map_err(of_kafka)?;
    let (clock, watch) = (SystemClock::new(), Stopwatch::start());
    for number in 0..RATE * LATENCY_RUN.as_secs() {
        let due = Duration::from_micros(number * 1_000_000 / RATE);
        Interrupt::new().wait_timeout(due.saturating_sub(watch.elapsed()));
        let now = clock.now().as_ms().to_string();
        producer.send(BaseRecord::<(), str>::to(topic).payload(&now)).map_err(|(error, _)| of_kafka(error))?;
        producer.poll(Duration::ZERO);
    }
    producer.flush(PATIENCE).map_err(of_kafka)
}

/// How old each record is when a reader of what is committed has it, in ms, in order.
fn ages(bootstrap: &str, topic: &str) -> Result<Vec<u64>> {
    let consumer: BaseConsumer = ClientConfig::new()
        .set("bootstrap.servers", bootstrap)
        .set("group.id", "ages")
        .set("enable.auto.commit", "false")
        .set("auto.offset.reset", "earliest")
        .set("isolation.level", "read_committed")
        .set("fetch.wait.max.ms", "5")
        .create()
        .map_err(of_kafka)?;
    consumer.subscribe(&[topic]).map_err(of_kafka)?;
    let (clock, watch, mut ages) = (SystemClock::new(), Stopwatch::start(), Vec::new());
    while ages.len() < (RATE * LATENCY_RUN.as_secs()) as usize && watch.elapsed() < PATIENCE {
        let Some(message) = consumer.poll(Duration::from_millis(100)) else { continue };
        let message = message.map_err(of_kafka)?;
        let sent = message.payload().and_then(|bytes| std::str::from_utf8(bytes).ok()).and_then(|ms| ms.parse().ok());
        ages.push(clock.now().as_ms().saturating_sub(sent.unwrap_or(0)));
    }
    ages.sort_unstable();
    Ok(ages)
}

fn latency(table: &mut Table, kafka: &Kafka) -> Result<()> {
    let (from, to) = (kafka.topic("times", PARTITIONS), kafka.topic("times-out", PARTITIONS));
    let folder = tempfile::tempdir()?;
    let ssc = context(milliseconds(100))?;
    ssc.checkpoint(folder.path().display().to_string())?;
    let times = source(kafka, &from).stream::<(), Text>(&ssc)?.values();
    times.to_kafka(&KafkaSettings::new(kafka.bootstrap()), to.as_str(), |time| ProducerRecord::new(time));
    ssc.start()?;
    let bootstrap = kafka.bootstrap().to_owned();
    let sender = thread::Builder::new().name("sender".into()).spawn(move || send_times(&bootstrap, &from))?;
    let ages = ages(kafka.bootstrap(), &to)?;
    sender.join().map_err(|_| Error::internal("the sender panicked"))??;
    ssc.stop()?;
    assert_eq!(ages.len() as u64, RATE * LATENCY_RUN.as_secs());
    let at = |share: f64| ages[((ages.len() - 1) as f64 * share) as usize] as f64;
    table.most("produce to committed read, batches of 100 ms, p99 ms", at(0.99), 250.0);
    table.note(format_args!("median {} ms, most {} ms", at(0.5), at(1.0)));
    Ok(())
}

/// Word count, transactions and latency.
///
/// # Errors
/// If Kafka, a loop by hand or the context fails.
pub fn kafka(table: &mut Table) -> Result<()> {
    let kafka = Kafka::start(1);
    read(table, &kafka)?;
    copy(table, &kafka)?;
    latency(table, &kafka)
}
