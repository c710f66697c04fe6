//! When batches are cut, in which order they run, what failures do to them, and what listeners hear of it all.

use crate::patience::{keep_log, logged, until};
use std::sync::{Arc, Mutex};
use tidemill::{
    BatchCompleted, BatchInfo, BatchStarted, BatchSubmitted, Config, Context, Error, ErrorKind, ManualClock,
    OutputOperationCompleted, OutputOperationInfo, OutputOperationStarted, Result, StreamingContext, StreamingListener,
    StreamingStarted, Time, keys, milliseconds, seconds,
    testing::{Step, TestContext},
};

fn at(ms: u64) -> Time {
    Time::from_ms(ms)
}

type Times = Arc<Mutex<Vec<u64>>>;

/// A context of its own whose clock stands at `now_ms`, with batches of a second and an output that keeps their times.
fn timed(now_ms: u64) -> Result<(StreamingContext, ManualClock, Times)> {
    let config = Config::new().set(keys::MASTER, "local[1]").set(keys::SHUTDOWN_SIGNALS, false);
    let clock = ManualClock::new(at(now_ms));
    let ssc = StreamingContext::with_clock(&Context::new(config)?, seconds(1), Arc::new(clock.clone()))?;
    let times = Arc::new(Mutex::new(Vec::new()));
    let seen = times.clone();
    ssc.generate_stream(1, |n| n).foreach_rdd(move |_, time| {
        seen.lock().unwrap().push(time.as_ms());
        Ok::<(), Error>(())
    });
    Ok((ssc, clock, times))
}

#[test]
fn batch_times_are_multiples_of_the_interval() -> Result<()> {
    let (ssc, clock, times) = timed(12_345)?;
    ssc.start()?;
    clock.advance(milliseconds(654));
    clock.advance(milliseconds(1));
    until("the first batch ran", || times.lock().unwrap().len() == 1);
    clock.advance(seconds(1));
    until("the second batch ran", || times.lock().unwrap().len() == 2);
    ssc.stop()?;
    assert_eq!(*times.lock().unwrap(), [13_000, 14_000]);
    Ok(())
}

#[test]
fn a_late_clock_catches_up_in_order_and_skips_nothing() -> Result<()> {
    let (ssc, clock, times) = timed(0)?;
    ssc.start()?;
    // More than may wait in the queue.
    clock.advance(seconds(700));
    until("all batches ran", || times.lock().unwrap().len() == 700);
    ssc.stop()?;
    let expected: Vec<u64> = (1..=700).map(|n| n * 1_000).collect();
    assert_eq!(*times.lock().unwrap(), expected);
    Ok(())
}

#[test]
fn a_clock_that_steps_back_repeats_and_reorders_no_batch() -> Result<()> {
    let (ssc, clock, times) = timed(10_000)?;
    ssc.start()?;
    clock.advance(seconds(2));
    until("two batches ran", || times.lock().unwrap().len() == 2);
    clock.set(at(500));
    clock.set(at(12_999));
    clock.set(at(13_000));
    until("the third batch ran", || times.lock().unwrap().len() == 3);
    clock.set(at(3_000));
    ssc.stop_gracefully()?;
    assert_eq!(*times.lock().unwrap(), [11_000, 12_000, 13_000, 14_000], "the last is that of the graceful stop");
    Ok(())
}

#[test]
fn an_interval_of_a_millisecond_keeps_its_order() -> Result<()> {
    let config = Config::new().set(keys::MASTER, "local[1]").set(keys::SHUTDOWN_SIGNALS, false);
    let ssc = StreamingContext::new(&Context::new(config)?, milliseconds(1))?;
    let times = Arc::new(Mutex::new(Vec::new()));
    let seen = times.clone();
    ssc.generate_stream(1_000, |n| n).for_each_batch(move |records, time| {
        seen.lock().unwrap().push((time.as_ms(), records));
        Ok::<(), Error>(())
    });
    ssc.start()?;
    until("100 batches ran", || times.lock().unwrap().len() >= 100);
    ssc.stop_gracefully()?;
    let times = times.lock().unwrap();
    assert!(times.windows(2).all(|two| two[1].0 == two[0].0 + 1), "no batch is missing or out of order");
    let records: Vec<u64> = times.iter().flat_map(|(_, records)| records.clone()).collect();
    assert_eq!(records, (0..times.len() as u64).collect::<Vec<_>>(), "1,000 a second is one a batch");
    Ok(())
}

#[test]
fn a_failed_batch_is_raised_and_the_next_ones_run() -> Result<()> {
    let test = TestContext::new();
    let seen = test.collect(&test.stream(vec![vec![1], vec![0], vec![2]]).map(|n: i32| 10 / n));
    test.advance(3)?;
    assert_eq!(seen.batches(), [[10], [5]]);
    let error = test.ssc().await_termination_or_timeout(seconds(0)).expect_err("the failure of the second batch");
    assert_eq!(error.kind(), ErrorKind::User);
    for part in ["map", "record 1", "2000 ms", "divide by zero"] {
        assert!(error.to_string().contains(part), "\"{error}\" does not say {part}");
    }
    test.ssc().stop()?;
    assert!(test.ssc().await_termination().is_err(), "a stop does not hide a failure");
    assert_eq!((test.ssc().progress().completed_batches, test.ssc().progress().failed_batches), (3, 1));
    Ok(())
}

#[test]
fn the_latest_error_is_raised() -> Result<()> {
    let test = TestContext::new();
    test.stream(vec![vec![1]]).foreach_rdd(|_, time| Err(Error::user(format!("no good at {time}"))));
    test.advance(2)?;
    let error = test.ssc().await_termination().expect_err("both batches failed");
    assert!(error.to_string().contains("no good at 2000 ms"), "{error}");
    Ok(())
}

#[test]
fn a_failing_output_keeps_no_other_from_running() -> Result<()> {
    let test = TestContext::new();
    let numbers = test.stream(vec![vec![1], vec![2]]);
    let before = test.collect(&numbers);
    numbers.foreach_rdd(|_, _| -> Result<()> { panic!("an output of a test panics") });
    numbers.foreach_rdd(|_, _| Err(Error::user("an output of a test fails")));
    let after = test.collect(&numbers);
    test.advance(2)?;
    assert_eq!((before.batches(), after.batches()), (vec![vec![1], vec![2]], vec![vec![1], vec![2]]));
    Ok(())
}

#[test]
fn an_input_that_cannot_be_read_fails_its_batch_only() -> Result<()> {
    let test = TestContext::new();
    let (numbers, source) = test.scripted_stream::<i32>();
    let seen = test.collect(&numbers);
    source.push(Step::Records(vec![1]));
    source.push(Step::Fail(Error::unavailable("the disk is gone")));
    source.push(Step::Records(vec![3]));
    test.advance(3)?;
    assert_eq!(seen.partitions().len(), 2);
    assert_eq!(seen.times(), [at(1_000), at(3_000)]);
    let error = test.ssc().await_termination().expect_err("the second batch failed");
    assert!(error.to_string().contains("scripted_stream") && error.to_string().contains("the disk is gone"), "{error}");
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    Ok(())
}

#[test]
fn a_transform_that_panics_or_fails_fails_its_batch_only() -> Result<()> {
    let test = TestContext::new();
    let seen = test.collect(&test.stream(vec![vec![1], vec![2], vec![3]]).transform(|rdd, time| match time.as_ms() {
        1_000 => panic!("a transform of a test panics"),
        2_000 => Err(Error::user("a transform of a test fails")),
        _ => Ok(rdd),
    }));
    test.advance(3)?;
    assert_eq!(seen.batches(), [[3]]);
    Ok(())
}

#[test]
fn an_output_is_tried_as_often_as_configured() -> Result<()> {
    let test = TestContext::with_config(Config::new().set(keys::TASK_MAX_FAILURES, 3));
    let tries = Arc::new(Mutex::new(0));
    let count = tries.clone();
    test.stream(vec![vec![1]]).foreach_rdd(move |_, _| {
        let mut tries = count.lock().unwrap();
        *tries += 1;
        if *tries < 3 { Err(Error::user("not yet")) } else { Ok(()) }
    });
    test.run(1)?;
    assert_eq!(*tries.lock().unwrap(), 3);
    Ok(())
}

/// A record that panics when its last copy is dropped, unless that is because of another panic.
#[derive(Clone, serde::Serialize, serde::Deserialize)]
struct Grenade(i32);

impl Drop for Grenade {
    fn drop(&mut self) {
        if self.0 == 13 && !std::thread::panicking() {
            panic!("a record of a test panics when it is dropped");
        }
    }
}

#[test]
fn records_that_panic_when_dropped_end_neither_process_nor_context() -> Result<()> {
    let test = TestContext::new();
    let numbers = test.stream(vec![vec![13, 1], vec![2], vec![13], vec![3]]);
    let seen = test.collect(&numbers);
    let kept = numbers.map(Grenade).cache();
    kept.foreach_rdd(|rdd, _| rdd.count().map(drop));
    kept.map(|grenade| (grenade.0 % 2, grenade.clone()))
        .reduce_by_key(|a, _| a)
        .foreach_rdd(|rdd, _| rdd.collect().map(drop));
    test.advance(6)?;
    assert_eq!(seen.sorted(), [vec![1, 13], vec![2], vec![13], vec![3], vec![], vec![]]);
    test.ssc().stop()
}

#[test]
fn panics_of_user_functions_fail_their_batch() -> Result<()> {
    type Declare = fn(&tidemill::DStream<i32>);
    let table: [(&str, Declare); 6] = [
        ("map", |numbers| numbers.map(|_| -> i32 { panic!("boom") }).foreach_rdd(|rdd, _| rdd.count().map(drop))),
        ("filter", |numbers| numbers.filter(|_| panic!("boom")).foreach_rdd(|rdd, _| rdd.count().map(drop))),
        ("flat_map", |numbers| {
            let endless = numbers.flat_map(|_| std::iter::from_fn(|| -> Option<i32> { panic!("boom") }));
            endless.foreach_rdd(|rdd, _| rdd.count().map(drop));
        }),
        ("reduce_by_key", |numbers| {
            let reduced = numbers.map(|_| (1, 1)).reduce_by_key(|_, _| panic!("boom"));
            reduced.foreach_rdd(|rdd, _| rdd.count().map(drop));
        }),
        ("foreach_rdd", |numbers| numbers.foreach_rdd(|_, _| -> Result<()> { panic!("boom") })),
        ("for_each_batch", |numbers| numbers.for_each_batch(|_, _| -> Result<()> { panic!("boom") })),
    ];
    for (operation, declare) in table {
        let test = TestContext::new();
        let numbers = test.stream(vec![vec![1, 2, 3, 4]]);
        declare(&numbers);
        let seen = test.collect(&numbers);
        test.advance(1)?;
        let error = test.ssc().await_termination().expect_err(operation);
        assert!(error.to_string().contains("boom") && error.to_string().contains(operation), "{operation}: {error}");
        assert_eq!(seen.batches(), [[1, 2, 3, 4]], "{operation}: the other output ran");
        test.ssc().stop()?;
    }
    Ok(())
}

/// Keeps every event about batches.
#[derive(Default)]
struct Events(Mutex<Vec<Event>>);

#[derive(Clone, Debug)]
enum Event {
    Started(Time),
    Batch(&'static str, BatchInfo),
    Output(&'static str, OutputOperationInfo),
}

impl Events {
    fn note(&self, event: Event) {
        self.0.lock().unwrap().push(event);
    }
}

impl StreamingListener for Events {
    fn on_streaming_started(&self, event: &StreamingStarted) {
        self.note(Event::Started(event.time));
    }
    fn on_batch_submitted(&self, event: &BatchSubmitted) {
        self.note(Event::Batch("submitted", event.batch_info.clone()));
    }
    fn on_batch_started(&self, event: &BatchStarted) {
        self.note(Event::Batch("started", event.batch_info.clone()));
    }
    fn on_batch_completed(&self, event: &BatchCompleted) {
        self.note(Event::Batch("completed", event.batch_info.clone()));
    }
    fn on_output_operation_started(&self, event: &OutputOperationStarted) {
        self.note(Event::Output("started", event.output_operation_info.clone()));
    }
    fn on_output_operation_completed(&self, event: &OutputOperationCompleted) {
        self.note(Event::Output("completed", event.output_operation_info.clone()));
    }
}

/// Panics at the start of every batch.
struct Panicking;
impl StreamingListener for Panicking {
    fn on_batch_started(&self, _: &BatchStarted) {
        panic!("a listener of a test panics");
    }
}

#[test]
fn listeners_hear_of_good_and_failed_batches_in_order_and_in_full() -> Result<()> {
    let test = TestContext::new();
    let events = Arc::new(Events::default());
    test.ssc().add_streaming_listener(Panicking);
    test.ssc().add_streaming_listener(events.clone());
    let numbers = test.stream(vec![vec![1, 2, 3], vec![0]]);
    let _ = test.collect(&numbers);
    numbers.map(|n: i32| 1 / n).foreach_rdd(|rdd, _| rdd.count().map(drop));
    test.advance(2)?;
    let events = events.0.lock().unwrap().clone();
    let names: Vec<String> = events
        .iter()
        .map(|event| match event {
            Event::Started(time) => format!("streaming started {time}"),
            Event::Batch(what, info) => format!("batch {what} {}", info.batch_time),
            Event::Output(what, info) => format!("output {} {what} {}", info.id, info.batch_time),
        })
        .collect();
    let of_batch = |time: &str| {
        let events = ["batch submitted", "batch started", "output 0 started", "output 0 completed", "output 1 started"];
        let events = events.into_iter().chain(["output 1 completed", "batch completed"]);
        events.map(|event| format!("{event} {time}")).collect::<Vec<_>>()
    };
    let expected = [vec!["streaming started 0 ms".to_owned()], of_batch("1000 ms"), of_batch("2000 ms")].concat();
    assert_eq!(names, expected);

    let batch = |index: usize| match &events[index] {
        Event::Batch(_, info) => info.clone(),
        other => panic!("not of a batch: {other:?}"),
    };
    let submitted = batch(1);
    assert_eq!((submitted.batch_time, submitted.submission_time), (at(1_000), at(1_000)));
    assert_eq!((submitted.num_records(), submitted.stream_id_to_input_info.len()), (3, 1));
    assert_eq!((submitted.processing_start_time, submitted.scheduling_delay()), (None, None));
    let started = batch(2);
    assert_eq!((started.processing_start_time, started.processing_end_time), (Some(at(1_000)), None));
    assert!(started.scheduling_delay().is_some() && started.processing_delay().is_none());
    let completed = batch(7);
    assert_eq!(completed.processing_end_time, Some(at(1_000)));
    assert_eq!(
        completed.total_delay(),
        Some(completed.scheduling_delay().unwrap() + completed.processing_delay().unwrap())
    );
    let failures =
        |info: &BatchInfo| info.output_operation_infos.values().map(|o| o.failure_reason.is_some()).collect::<Vec<_>>();
    assert_eq!((failures(&completed), failures(&batch(14))), (vec![false, false], vec![false, true]));
    let Event::Output(_, failed) = &events[13] else { panic!("not of an output") };
    assert_eq!(
        (failed.name.as_str(), failed.start_time, failed.end_time),
        ("foreach_rdd", Some(at(2_000)), Some(at(2_000)))
    );
    assert!(failed.description.contains("scheduling.rs") && failed.duration().is_some());
    assert!(failed.failure_reason.as_ref().is_some_and(|reason| reason.contains("divide by zero")));
    Ok(())
}

#[test]
fn a_backlog_is_told_with_its_numbers() -> Result<()> {
    keep_log();
    let config = Config::new().set(keys::BATCH_QUEUE_WARNING, 4);
    let test = TestContext::with(config, milliseconds(1_237));
    let (go, gone) = std::sync::mpsc::channel::<()>();
    let gone = Mutex::new(gone);
    test.stream::<i32>(vec![]).foreach_rdd(move |_, _| {
        let _ = gone.lock().unwrap().recv();
        Ok::<(), Error>(())
    });
    test.ssc().start()?;
    test.clock().advance(milliseconds(1_237 * 10));
    until("the backlog was told twice", || logged(&["pile up", "1.237s"]).len() >= 2);
    drop(go);
    test.advance(1)?;
    let told = logged(&["pile up", "1.237s", "raise the batch duration"]);
    assert!(told[0].contains("waiting_batches=4") && told[1].contains("waiting_batches=8"), "{told:?}");
    Ok(())
}

#[test]
fn batches_that_overlap_keep_what_is_theirs() -> Result<()> {
    let test = TestContext::with_config(Config::new().set(keys::CONCURRENT_JOBS, 2));
    let numbers = test.stream(vec![vec![1], vec![2]]);
    let (go, gone) = std::sync::mpsc::channel::<()>();
    let (gone, seen) = (Mutex::new(gone), Arc::new(Mutex::new(Vec::new())));
    let keep = seen.clone();
    let doubled = numbers.map(|n| n * 2);
    doubled.foreach_rdd(move |_, time| {
        if time == at(1_000) {
            let _ = gone.lock().unwrap().recv();
        }
        Ok::<(), Error>(())
    });
    doubled.for_each_batch(move |records, time| {
        keep.lock().unwrap().push((time.as_ms(), records));
        Ok::<(), Error>(())
    });
    test.ssc().start()?;
    test.clock().advance(seconds(1));
    test.clock().advance(seconds(1));
    until("the second batch is done", || test.ssc().progress().completed_batches == 1);
    drop(go);
    until("the first batch is done", || test.ssc().progress().completed_batches == 2);
    let mut seen = seen.lock().unwrap().clone();
    seen.sort();
    assert_eq!(seen, [(1_000, vec![2]), (2_000, vec![4])]);
    Ok(())
}
