//! Kafka in and out, against bare loops over librdkafka, with a real broker on this machine.

use crate::{
    hand,
    measure::{Better, Row, Table, middle},
    words::{Shape, lines},
};
use rdkafka::{
    ClientConfig, Message as _,
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
/// What is sent before that is not measured: connections are made, and the broker compiles its code.
const WARM_UP: Duration = Duration::from_secs(5);
/// How many records are sent in all.
const SENT: u64 = RATE * (WARM_UP.as_secs() + LATENCY_RUN.as_secs());

fn of_kafka(error: rdkafka::error::KafkaError) -> Error {
    Error::unavailable("a loop by hand failed").with_source(error)
}

/// A context whose first batch is small: connections are made in it, and it is not measured.
fn context(interval: Duration) -> Result<StreamingContext> {
    let config = Config::new().set(keys::MASTER, "local[2]").set(keys::KAFKA_FIRST_BATCH_RECORDS, 10);
    StreamingContext::new(&Context::new(config)?, interval)
}

/// What the batches that are done have counted, and when it was first measured: a run has a first batch, which is not, and
/// others, which are.
#[derive(Default)]
struct Progress {
    counted: AtomicU64,
    /// Of the first batch, and when it was done, in ms.
    first: AtomicU64,
    begun: AtomicU64,
}

impl Progress {
    fn add(&self, count: u64) {
        if count > 0 && self.begun.load(Ordering::Acquire) == 0 {
            self.first.store(count, Ordering::Release);
            self.begun.store(SystemClock::new().now().as_ms(), Ordering::Release);
        }
        self.counted.fetch_add(count, Ordering::AcqRel);
    }

    /// Runs until `count` is reached; how long that many take, by what came after the first batch.
    fn run(&self, ssc: &StreamingContext, count: u64) -> Result<Duration> {
        let watch = Stopwatch::start();
        ssc.start()?;
        while self.counted.load(Ordering::Acquire) < count && watch.elapsed() < PATIENCE {
            ssc.await_termination_or_timeout(Duration::from_millis(5))?;
        }
        let took = SystemClock::new().now().as_ms().saturating_sub(self.begun.load(Ordering::Acquire));
        ssc.stop()?;
        assert_eq!(self.counted.load(Ordering::Acquire), count);
        let measured = count - self.first.load(Ordering::Acquire);
        Ok(milliseconds(took).mul_f64(count as f64 / measured as f64))
    }
}

fn source(kafka: &Kafka, topic: &str) -> KafkaSource {
    KafkaSource::new(KafkaSettings::new(kafka.bootstrap())).topics([topic]).starting(StartingOffsets::Earliest)
}

/// Words of a topic counted and printed, batch by batch; how long all take.
fn counted(kafka: &Kafka, topic: &str, words: u64) -> Result<Duration> {
    // So short that nothing is fetched while a batch is waited for.
    let ssc = context(milliseconds(20))?;
    let progress = Arc::new(Progress::default());
    let counts = source(kafka, topic)
        .stream::<(), Text>(&ssc)?
        .values()
        .flat_map(|line| line.split(' '))
        .map(|word| (word, 1))
        .reduce_by_key(|a, b| a + b);
    let done = progress.clone();
    counts.foreach_rdd(move |rdd, _| {
        let counts = rdd.collect()?;
        // What `print` does, without a terminal.
        std::hint::black_box(counts.iter().take(10).map(|pair| format!("{pair:?}")).collect::<Vec<_>>());
        done.add(counts.iter().map(|(_, count)| count).sum());
        Result::<()>::Ok(())
    });
    progress.run(&ssc, words)
}

/// Word count of a topic, beside a loop that only reads.
///
/// # Errors
/// If Kafka, a loop by hand or the context fails.
pub fn words(table: &mut Table) -> Result<()> {
    let kafka = Kafka::shared();
    let text = lines(7, LINES / 10 * WORDS_PER_LINE, Shape { words_per_line: WORDS_PER_LINE, ..Shape::default() });
    let topic = kafka.topic("lines", PARTITIONS);
    let some: Vec<&[u8]> = text.split(|&byte| byte == b'\n').filter(|line| !line.is_empty()).collect();
    let all = some.iter().cycle().take(LINES).copied();
    hand::kafka::fill(kafka.bootstrap(), &topic, PARTITIONS, all).map_err(of_kafka)?;
    let bytes = some.iter().map(|line| line.len()).sum::<usize>() as f64 / some.len() as f64;
    let (mut ours, mut bare, mut counting) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        let words = (LINES * WORDS_PER_LINE) as u64;
        ours.push(counted(kafka, &topic, words)?);
        bare.push(hand::kafka::read(kafka.bootstrap(), &topic, PARTITIONS, LINES, |_| {}).map_err(of_kafka)?);
        let mut counts = hand::WordCounts::default();
        let count = |line: &[u8]| counts.add_line(line);
        counting.push(hand::kafka::read(kafka.bootstrap(), &topic, PARTITIONS, LINES, count).map_err(of_kafka)?);
        assert_eq!(counts.total(), words);
    }
    let megabytes = |times: &mut [Duration]| LINES as f64 * bytes / middle(times).as_secs_f64() / 1e6;
    table.row(Row {
        name: "Kafka to word count, MB/s",
        ours: megabytes(&mut ours),
        hand: megabytes(&mut bare),
        goal: 0.8,
        better: Better::Higher,
    });
    let counting = megabytes(&mut counting);
    table.note(format_args!("a loop by hand that counts the words too: {counting:.0} MB/s"));
    Ok(())
}

/// Records from topic to topic, exactly once, with batches of a second.
fn copied(kafka: &Kafka, from: &str, count: u64) -> Result<Duration> {
    let folder = tempfile::tempdir()?;
    let ssc = context(seconds(1))?;
    ssc.checkpoint(folder.path().display().to_string())?;
    let to = kafka.topic("copies", PARTITIONS);
    let progress = Arc::new(Progress::default());
    let stream = source(kafka, from).stream::<(), Vec<u8>>(&ssc)?;
    stream
        .values()
        .map(|value| value)
        .to_kafka(&KafkaSettings::new(kafka.bootstrap()), to, |value| ProducerRecord::new(value));
    let (done, ranges) = (progress.clone(), stream.clone());
    // Runs after the output before it, so what it counts is committed.
    stream.foreach_rdd(move |_, time| {
        done.add(ranges.offset_ranges(time).iter().map(|range| range.count()).sum());
        Result::<()>::Ok(())
    });
    progress.run(&ssc, count)
}

/// Records from topic to topic, exactly once, beside a loop with transactions.
///
/// # Errors
/// If Kafka, a loop by hand or the context fails.
pub fn copies(table: &mut Table) -> Result<()> {
    let kafka = Kafka::shared();
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
    for number in 0..SENT {
        let due = Duration::from_micros(number * 1_000_000 / RATE);
        Interrupt::new().wait_timeout(due.saturating_sub(watch.elapsed()));
        let now = clock.now().as_ms().to_string();
        producer.send(BaseRecord::<(), str>::to(topic).payload(&now)).map_err(|(error, _)| of_kafka(error))?;
        producer.poll(Duration::ZERO);
    }
    producer.flush(PATIENCE).map_err(of_kafka)
}

/// How old each record is when a reader of what is committed has it, in ms, in order; those of the warm-up are left out.
fn ages(bootstrap: &str, topic: &str) -> Result<Vec<u64>> {
    let consumer = hand::kafka::reader(bootstrap, topic, PARTITIONS).map_err(of_kafka)?;
    let (clock, watch, mut times) = (SystemClock::new(), Stopwatch::start(), Vec::new());
    while times.len() < SENT as usize && watch.elapsed() < PATIENCE {
        let Some(message) = consumer.poll(Duration::from_millis(100)) else { continue };
        let message = message.map_err(of_kafka)?;
        let sent = message.payload().and_then(|bytes| std::str::from_utf8(bytes).ok()).and_then(|ms| ms.parse().ok());
        times.push((sent.unwrap_or(0_u64), clock.now().as_ms()));
    }
    assert_eq!(times.len() as u64, SENT);
    times.sort_unstable();
    let measured = &times[(RATE * WARM_UP.as_secs()) as usize..];
    let mut ages: Vec<_> = measured.iter().map(|(sent, seen)| seen.saturating_sub(*sent)).collect();
    ages.sort_unstable();
    Ok(ages)
}

/// How old records are when they were copied exactly once.
///
/// # Errors
/// If Kafka, a loop by hand or the context fails.
pub fn latency(table: &mut Table) -> Result<()> {
    let kafka = Kafka::shared();
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
    let at = |share: f64| ages[((ages.len() - 1) as f64 * share) as usize] as f64;
    table.most("produce to committed read, batches of 100 ms, p99 ms", at(0.99), 250.0);
    table.note(format_args!("median {} ms, most {} ms", at(0.5), at(1.0)));
    Ok(())
}
