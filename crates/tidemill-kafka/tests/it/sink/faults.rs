//! What can go wrong between a program and its transactions.

use super::{committed, lines, settings};
use rdkafka::{
    ClientConfig, Offset, TopicPartitionList,
    consumer::{BaseConsumer, Consumer},
    producer::{BaseProducer, BaseRecord, Producer},
};
use std::time::Duration;
use tidemill::{
    Config, Error, ErrorKind, Interrupt, Result, Time,
    base::clock::Stopwatch,
    io::{Sink, SinkStart},
    keys,
};
use tidemill_kafka::{KafkaSink, ProducerRecord};
use tidemill_kafka_broker::Kafka;

fn start(job: &str, epoch: u64, (process, processes): (usize, usize)) -> SinkStart {
    let mut start = SinkStart::default();
    (start.job, start.uid, start.epoch) = (Some(job.into()), "lines/save_to".into(), epoch);
    (start.process, start.processes, start.has_unfinished) = (process, processes, true);
    start
}

fn write(sink: &KafkaSink<String>, time_ms: u64, partition: usize, words: &[&str]) -> Result<u64> {
    sink.write(Time::from_ms(time_ms), partition, &mut words.iter().map(|word| (*word).to_owned()))
}

fn run(sink: &KafkaSink<String>, time_ms: u64, words: &[&str]) -> Result<()> {
    sink.begin(Time::from_ms(time_ms))?;
    write(sink, time_ms, 0, words)?;
    sink.seal(Time::from_ms(time_ms))
}

/// The sink of a program of one process.
fn started(sink: KafkaSink<String>, job: &str, epoch: u64, last_done: Option<u64>) -> KafkaSink<String> {
    sink.start(&start(job, epoch, (0, 1))).unwrap();
    sink.restore(last_done.map(|ms| (Time::from_ms(ms), Vec::new()))).unwrap();
    sink
}

/// Again until it succeeds, as a program does.
fn in_the_end(what: &str, mut f: impl FnMut() -> Result<()>) {
    let since = Stopwatch::start();
    loop {
        match f() {
            Ok(()) => return,
            Err(error) if error.kind() != ErrorKind::Unavailable => panic!("{what}: {error:?}"),
            Err(error) => assert!(since.elapsed() < Duration::from_secs(90), "{what}: {error:?}"),
        }
        Interrupt::new().wait_timeout(Duration::from_millis(200));
    }
}

/// It has begun the batch at 2 s, and can neither commit that nor write another one.
fn assert_is_fenced(sink: &KafkaSink<String>, told: &str) {
    for error in [sink.seal(Time::from_ms(2_000)), run(sink, 3_000, &["of the fenced"])].map(Result::unwrap_err) {
        assert_eq!((error.kind(), error.exit_code()), (ErrorKind::Closed, 3), "{error:?}");
        assert!(error.to_string().contains(told), "{error}");
    }
}

#[test]
fn a_zombie_is_fenced_and_its_successor_goes_on() {
    let kafka = Kafka::shared();
    let topic = kafka.topic("zombie", 1);
    let zombie = started(lines(kafka, &topic), "zombie", 1, None);
    run(&zombie, 1_000, &["a"]).unwrap();
    write(&zombie, 2_000, 0, &["zombie"]).unwrap();
    let sink = started(lines(kafka, &topic), "zombie", 2, Some(1_000));
    run(&sink, 2_000, &["b"]).unwrap();
    assert_is_fenced(&zombie, "a newer run of this program, its start 2");
    run(&sink, 3_000, &["c"]).unwrap();
    assert_eq!(committed(kafka, &topic), ["a", "b", "c"]);
}

#[test]
fn of_two_runs_of_copies_of_a_checkpoint_the_earlier_one_ends() {
    let kafka = Kafka::shared();
    let topic = kafka.topic("copied", 1);
    // Both are the third start of the program.
    let of_run = |run, last_done: Option<u64>| {
        let (sink, mut start) = (lines(kafka, &topic), start("copied", 3, (0, 1)));
        start.run = run;
        sink.start(&start).unwrap();
        sink.restore(last_done.map(|ms| (Time::from_ms(ms), Vec::new()))).unwrap();
        sink
    };
    let earlier = of_run(1, None);
    run(&earlier, 1_000, &["a"]).unwrap();
    write(&earlier, 2_000, 0, &["earlier"]).unwrap();
    let later = of_run(2, Some(1_000));
    run(&later, 2_000, &["b"]).unwrap();
    assert_is_fenced(&earlier, "from a copy of its checkpoint");
    run(&later, 3_000, &["c"]).unwrap();
    assert_eq!(committed(kafka, &topic), ["a", "b", "c"]);
}

#[test]
fn a_transaction_that_takes_too_long_is_written_again() {
    let kafka = Kafka::start_with(&[("transaction.abort.timed.out.transaction.cleanup.interval.ms", "200")]);
    let topic = kafka.topic("slow", 1);
    let sink = lines(&kafka, &topic).transaction_timeout(Duration::from_secs(1));
    let sink = started(sink, "slow", 1, None);
    sink.begin(Time::from_ms(1_000)).unwrap();
    write(&sink, 1_000, 0, &["a"]).unwrap();
    // Sent when librdkafka thinks it is time; the brokers count from then.
    Interrupt::new().wait_timeout(Duration::from_secs(4));
    let error = sink.seal(Time::from_ms(1_000)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable, "{error:?}");
    in_the_end("the batch again", || run(&sink, 1_000, &["a"]));
    assert_eq!(committed(&kafka, &topic), ["a"]);
}

#[test]
fn a_timeout_above_that_of_the_brokers_is_refused_at_the_start() {
    let kafka = Kafka::shared();
    let sink = lines(kafka, &kafka.topic("patient", 1)).transaction_timeout(Duration::from_secs(3_600));
    sink.start(&start("patient", 1, (0, 1))).unwrap();
    let error = sink.restore(None).unwrap_err();
    assert_eq!((error.kind(), error.exit_code()), (ErrorKind::Invalid, 2), "{error:?}");
    assert!(error.to_string().contains("lower it with tidemill.kafka.transactionTimeout"), "{error}");
    // By the configuration it is the same, and the sink's own goes before it.
    let mut configured = start("patient", 1, (0, 1));
    configured.config = Config::new().set(keys::KAFKA_TRANSACTION_TIMEOUT, "1h");
    let sink = lines(kafka, &kafka.topic("patient", 1));
    sink.start(&configured).unwrap();
    assert_eq!(sink.restore(None).unwrap_err().exit_code(), 2);
    let sink = lines(kafka, &kafka.topic("patient", 1)).transaction_timeout(Duration::from_secs(60));
    sink.start(&configured).unwrap();
    sink.restore(None).unwrap();
}

#[test]
fn what_a_crash_left_open_is_taken_back_at_the_next_start() {
    let kafka = Kafka::shared();
    let topic = kafka.topic("lingering", 1);
    let crashed = started(lines(kafka, &topic), "lingering", 1, None);
    write(&crashed, 1_000, 0, &["lost"]).unwrap();
    in_the_end("the record is on its way", || match kafka.read_uncommitted(&topic).len() {
        0 => Err(Error::unavailable("it is not there yet")),
        _ => Ok(()),
    });
    kafka.produce(&topic, &[("k", "of another")]);
    assert_eq!(committed(kafka, &topic), [""; 0], "readers wait for the open transaction");
    let sink = started(lines(kafka, &topic), "lingering", 2, None);
    assert_eq!(committed(kafka, &topic), ["of another"]);
    run(&sink, 1_000, &["kept"]).unwrap();
    assert_eq!(committed(kafka, &topic), ["kept", "of another"]);
}

/// As when the program is killed between the two steps of a commit.
#[test]
fn a_mark_in_an_open_transaction_is_taken_back_at_the_next_start() {
    let kafka = Kafka::shared();
    let topic = kafka.topic("half-way", 1);
    let sink = started(lines(kafka, &topic), "half-way", 1, None);
    run(&sink, 1_000, &["a"]).unwrap();
    drop(sink);
    let timeout = Duration::from_secs(20);
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", kafka.bootstrap());
    let producer: BaseProducer =
        config.clone().set("transactional.id", "tidemill-half-way-lines/save_to-0").create().unwrap();
    let group: BaseConsumer = config.set("group.id", "tidemill.half-way.lines/save_to.0").create().unwrap();
    producer.init_transactions(timeout).unwrap();
    producer.begin_transaction().unwrap();
    producer.send(BaseRecord::<(), str>::to(&topic).payload("lost")).unwrap();
    let mut mark = TopicPartitionList::new();
    mark.add_partition_offset(&topic, 0, Offset::Offset(2_000)).unwrap();
    producer.send_offsets_to_transaction(&mark, &group.group_metadata().unwrap(), timeout).unwrap();
    let since = Stopwatch::start();
    let sink = started(lines(kafka, &topic), "half-way", 2, Some(1_000));
    run(&sink, 2_000, &["b"]).unwrap();
    assert!(since.elapsed() < timeout, "it waited for what only it could end: {:?}", since.elapsed());
    assert_eq!(committed(kafka, &topic), ["a", "b"]);
}

#[test]
fn brokers_that_are_away_are_waited_for() {
    let kafka = Kafka::start(1);
    let topic = kafka.topic("away", 1);
    let settings = settings(&kafka).call_timeout(Duration::from_secs(2));
    let sink = KafkaSink::new(&settings, topic.as_str(), |line: &String| ProducerRecord::new(line));
    let sink = started(sink, "away", 1, None);
    run(&sink, 1_000, &["a"]).unwrap();
    // A single node that is killed while it ends a transaction never ends it, which is Kafka's affair.
    Interrupt::new().wait_timeout(Duration::from_secs(1));
    kafka.kill(0);
    let error = run(&sink, 2_000, &["b"]).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable, "{error:?}");
    kafka.resume(0);
    in_the_end("the batch again", || run(&sink, 2_000, &["b"]));
    run(&sink, 3_000, &["c"]).unwrap();
    // Frozen, it answers nothing, and what becomes of a commit is not known.
    write(&sink, 4_000, 0, &["d"]).unwrap();
    kafka.freeze(0);
    assert_eq!(sink.seal(Time::from_ms(4_000)).unwrap_err().kind(), ErrorKind::Unavailable);
    kafka.wake(0);
    in_the_end("the batch whose end is not known", || run(&sink, 4_000, &["d"]));
    assert_eq!(committed(&kafka, &topic), ["a", "b", "c", "d"]);
}

#[test]
fn another_number_of_processes_goes_on_unless_a_batch_is_half_committed() {
    let kafka = Kafka::shared();
    let topic = kafka.topic("processes", 1);
    let of = |process: usize, processes: usize, epoch: u64| {
        let sink = lines(kafka, &topic);
        sink.start(&start("processes", epoch, (process, processes))).unwrap();
        sink
    };
    let time = Time::from_ms(1_000);
    let pair = [of(0, 2, 1), of(1, 2, 1)];
    pair[0].restore(None).unwrap();
    for (process, sink) in pair.iter().enumerate() {
        write(sink, 1_000, process, &[&format!("a{process}")]).unwrap();
    }
    pair[0].seal(time).unwrap();
    // Only one has committed its part.
    let alone = of(0, 1, 2);
    let error = alone.restore(None).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Invalid);
    assert!(error.to_string().contains("of the batch of 1000 ms a part is committed"), "{error}");
    // As many as before end it; the one that was fenced meanwhile is no danger.
    let pair_again = [of(0, 2, 3), of(1, 2, 3)];
    pair_again[0].restore(None).unwrap();
    assert_eq!(pair[1].seal(time).unwrap_err().kind(), ErrorKind::Closed);
    for (process, sink) in pair_again.iter().enumerate() {
        write(sink, 1_000, process, &[&format!("a{process}")]).unwrap();
        sink.seal(time).unwrap();
    }
    // All have: any number knows the batch again.
    let three = [of(0, 3, 4), of(1, 3, 4), of(2, 3, 4)];
    three[0].restore(None).unwrap();
    for sink in &three {
        write(sink, 1_000, 0, &["again"]).unwrap();
        sink.seal(time).unwrap();
    }
    assert_eq!(committed(kafka, &topic), ["a0", "a1"]);
}

#[test]
fn a_mark_that_kafka_forgot_is_no_licence_to_write_twice() {
    let kafka = Kafka::shared();
    let topic = kafka.topic("forgotten", 1);
    let unmarked = lines(kafka, &topic);
    unmarked.start(&start("forgotten", 2, (0, 1))).unwrap();
    let error = unmarked.restore(Some((Time::from_ms(1_000), Vec::new()))).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Invalid);
    assert!(error.to_string().contains("tidemill.kafka.acceptLostMarks=true"), "{error}");
    let sink = started(lines(kafka, &topic).accept_lost_marks(), "forgotten", 3, Some(1_000));
    run(&sink, 2_000, &["a"]).unwrap();
    assert_eq!(committed(kafka, &topic), ["a"]);
    // The same by the configuration.
    let sink = lines(kafka, &kafka.topic("forgotten", 1));
    let mut configured = start("forgotten-too", 2, (0, 1));
    configured.config = Config::new().set(keys::KAFKA_ACCEPT_LOST_MARKS, true);
    sink.start(&configured).unwrap();
    sink.restore(Some((Time::from_ms(1_000), Vec::new()))).unwrap();
}

#[test]
fn an_open_transaction_of_a_stranger_is_no_hindrance() {
    let kafka = Kafka::shared();
    let topic = kafka.topic("foreign", 1);
    let stranger = started(lines(kafka, &topic), "stranger", 1, None);
    write(&stranger, 1_000, 0, &["unfinished"]).unwrap();
    let sink = started(lines(kafka, &topic), "foreign", 1, None);
    run(&sink, 1_000, &["a"]).unwrap();
    stranger.begin(Time::from_ms(1_000)).unwrap();
    assert_eq!(committed(kafka, &topic), ["a"]);
}

#[test]
fn without_brokers_the_program_does_not_start() {
    let settings = tidemill_kafka::KafkaSettings::new("127.0.0.1:1").call_timeout(Duration::from_secs(1));
    let sink = KafkaSink::new(&settings, "nowhere", |line: &String| ProducerRecord::new(line));
    sink.start(&start("nowhere", 1, (0, 1))).unwrap();
    let error = sink.restore(None).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    assert!(error.to_string().contains("127.0.0.1:1"), "{error}");
}
