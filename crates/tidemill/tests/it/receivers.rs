//! Receivers: what they store arrives once and in order, is acknowledged when it is done, and takes bounded memory.

use crate::patience::{a_moment, keep_log, logged, until};
use std::sync::{
    Arc, Mutex,
    atomic::{AtomicU64, Ordering},
};
use tidemill::{
    Config, Error, ReceiverError, ReceiverInfo, ReceiverStarted, ReceiverStopped, Result, StreamingListener, Time,
    base::clock::Stopwatch,
    io::{Ending, Receiver, ReceiverLink},
    keys, milliseconds, seconds,
    testing::TestContext,
};

/// A receiver that is a function of its link and of how often it was run before.
struct Does<F>(F, u32);

impl<F: FnMut(&ReceiverLink<String>, u32) -> Result<Ending> + Send + 'static> Receiver for Does<F> {
    type Item = String;
    fn run(&mut self, link: &ReceiverLink<String>) -> Result<Ending> {
        self.1 += 1;
        (self.0)(link, self.1 - 1)
    }
}

fn done() -> Result<Ending> {
    Ok(Ending::Stop("done".into()))
}

/// A program of one such receiver; batches come when the test moves the clock.
fn program(
    config: Config,
    run: impl FnMut(&ReceiverLink<String>, u32) -> Result<Ending> + Send + 'static,
) -> (TestContext, tidemill::testing::Collected<String>) {
    let test = TestContext::with_config(config.set_if_missing(keys::RECEIVER_RESTART_DELAY, "0ms"));
    let seen = test.collect(&test.ssc().receiver_stream(Does(run, 0)));
    (test, seen)
}

fn all(seen: &tidemill::testing::Collected<String>) -> Vec<String> {
    seen.batches().concat()
}

#[test]
fn what_is_stored_one_by_one_and_in_bulk_keeps_its_order() -> Result<()> {
    let (test, seen) = program(Config::new(), |link, _| {
        link.store("1".into())?;
        link.store("2".into())?;
        link.store_many(["3".into(), "4".into()])?;
        link.store("5".into())?;
        link.store_many([])?;
        done()
    });
    test.ssc().start()?;
    test.ssc().stop_gracefully()?;
    assert_eq!(all(&seen), ["1", "2", "3", "4", "5"]);
    Ok(())
}

#[test]
fn records_are_acknowledged_once_their_batch_is_done() -> Result<()> {
    let acknowledged = Arc::new(Mutex::new(Vec::new()));
    let note = acknowledged.clone();
    let test = TestContext::new();
    let stored = Arc::new(AtomicU64::new(0));
    let (count, until_batch) = (stored.clone(), stored.clone());
    let run = move |link: &ReceiverLink<String>, _| {
        for name in ["good", "bad", "panics", "good again"] {
            let note = note.clone();
            let batch = count.fetch_add(1, Ordering::SeqCst) + 1;
            link.store_acknowledged([name.to_owned()], move || {
                note.lock().unwrap().push(name);
                assert_ne!(name, "panics", "an acknowledgement of a test panics");
            })?;
            while count.load(Ordering::SeqCst) == batch && !link.wait(milliseconds(1)) {}
            count.store(batch, Ordering::SeqCst);
        }
        done()
    };
    test.ssc().receiver_stream(Does(run, 0)).for_each_batch(|records, _| match records.as_slice() {
        [record] if record == "bad" => Err(Error::user("a batch of a test fails")),
        _ => Ok(()),
    });
    test.ssc().start()?;
    for batch in 1..=4 {
        until("the next record is stored", || stored.load(Ordering::SeqCst) == batch);
        a_moment();
        test.advance(1)?;
        until_batch.store(100, Ordering::SeqCst);
    }
    assert_eq!(*acknowledged.lock().unwrap(), ["good", "panics", "good again"]);
    Ok(())
}

#[test]
fn a_receiver_is_run_again_after_it_ended_failed_or_panicked_until_it_says_stop() -> Result<()> {
    let (test, seen) = program(Config::new(), |link, run| {
        link.store(run.to_string())?;
        match run {
            0 => Ok(Ending::Restart("the server said good-bye".into())),
            1 => Err(Error::unavailable("the server is gone")),
            2 => panic!("a receiver of a test panics"),
            _ => done(),
        }
    });
    test.ssc().start()?;
    until("all runs stored", || {
        test.advance(1).unwrap();
        all(&seen).len() == 4
    });
    assert_eq!(all(&seen), ["0", "1", "2", "3"]);
    test.ssc().stop_gracefully()
}

#[derive(Default)]
struct Heard(Mutex<Vec<(&'static str, ReceiverInfo)>>);
impl StreamingListener for Heard {
    fn on_receiver_started(&self, event: &ReceiverStarted) {
        self.0.lock().unwrap().push(("started", event.receiver_info.clone()));
    }
    fn on_receiver_error(&self, event: &ReceiverError) {
        self.0.lock().unwrap().push(("error", event.receiver_info.clone()));
    }
    fn on_receiver_stopped(&self, event: &ReceiverStopped) {
        self.0.lock().unwrap().push(("stopped", event.receiver_info.clone()));
    }
}

#[test]
fn listeners_hear_how_a_receiver_fares() -> Result<()> {
    let (test, _seen) = program(Config::new(), |link, run| {
        if run == 0 {
            link.report_error("one line was odd", &Error::data("not a number"));
            return Err(Error::unavailable("the server is gone"));
        }
        done()
    });
    let heard = Arc::new(Heard::default());
    test.ssc().add_streaming_listener(heard.clone());
    test.ssc().start()?;
    until("the receiver ended", || heard.0.lock().unwrap().len() >= 6);
    test.ssc().stop()?;
    let heard = heard.0.lock().unwrap().clone();
    let told: Vec<_> =
        heard.iter().map(|(what, info)| (*what, info.active, info.last_error_message.as_str())).collect();
    let (odd, gone) = ("one line was odd", "the receiver failed 1 times in a row");
    let expected = [
        ("started", true, ""),
        ("error", true, odd),
        ("error", true, gone),
        // As Spark says it.
        ("stopped", false, "Restarting receiver with delay 10ms: the server is gone"),
        ("started", true, ""),
        ("stopped", false, "done"),
    ];
    assert_eq!(told, expected);
    let info = &heard[2].1;
    assert_eq!((info.stream_id, info.name.as_str()), (0, "Does-0"));
    assert_eq!((info.location.as_str(), info.executor_id.as_str()), ("localhost", "driver"));
    assert!(info.last_error.contains("the server is gone"), "{}", info.last_error);
    assert_eq!((heard[0].1.last_error_time, info.last_error_time), (None, Some(Time::from_ms(0))));
    Ok(())
}

#[test]
fn a_receiver_that_fails_again_and_again_is_an_error_in_the_log() -> Result<()> {
    keep_log();
    struct AlwaysRefused;
    impl Receiver for AlwaysRefused {
        type Item = u64;
        fn run(&mut self, _: &ReceiverLink<u64>) -> Result<Ending> {
            Err(Error::unavailable("refused"))
        }
    }
    // Ten failures with the shortest waits are one and a half seconds, so the panic of the clock is not waited for.
    let test = TestContext::with_config(Config::new().set(keys::RECEIVER_RESTART_DELAY, "0ms"));
    let _ = test.collect(&test.ssc().receiver_stream(AlwaysRefused));
    test.ssc().start()?;
    let words = ["ERROR", "AlwaysRefused-0", "fails again and again", "failures=10"];
    until("the log says so", || !logged(&words).is_empty());
    Ok(())
}

#[test]
fn a_receiver_without_end_stops_at_the_limit_of_the_pool_and_goes_on_after_a_batch() -> Result<()> {
    let stored = Arc::new(AtomicU64::new(0));
    let count = stored.clone();
    let config = Config::new().set(keys::RECEIVER_POOL_BYTES, "64k").set(keys::RECEIVER_BLOCK_BYTES, "4k");
    let (test, seen) = program(config, move |link, _| {
        while !link.is_stopped() {
            let number = count.load(Ordering::SeqCst);
            link.store(format!("{number:01000}"))?;
            count.store(number + 1, Ordering::SeqCst);
        }
        done()
    });
    test.ssc().start()?;
    let settled = || {
        let mut last = 0;
        until("it waits for room", || {
            a_moment();
            std::mem::replace(&mut last, stored.load(Ordering::SeqCst)) == stored.load(Ordering::SeqCst) && last > 0
        });
        stored.load(Ordering::SeqCst)
    };
    let first = settled();
    assert!((40..=72).contains(&first), "{first} records of 1 KB in a pool of 64 KB");
    test.advance(1)?;
    let second = settled();
    assert!(second > first && second - first <= 72, "{first}, then {second}");
    test.ssc().stop_gracefully()?;
    let numbers: Vec<u64> = all(&seen).iter().map(|record| record.parse().unwrap()).collect();
    let stored = stored.load(Ordering::SeqCst);
    assert!(numbers.iter().copied().eq(0..numbers.len() as u64), "each once, in order");
    assert!((stored..=stored + 1).contains(&(numbers.len() as u64)), "what store returned Ok for is not lost");
    Ok(())
}

#[test]
fn receivers_of_a_context_share_one_pool() -> Result<()> {
    let config = Config::new().set(keys::RECEIVER_POOL_BYTES, "32k").set(keys::RECEIVER_BLOCK_BYTES, "4k");
    let test = TestContext::with_config(config);
    let stored = Arc::new(AtomicU64::new(0));
    for _ in 0..3 {
        let count = stored.clone();
        let run = move |link: &ReceiverLink<String>, _| {
            while !link.is_stopped() {
                link.store_many(["x".repeat(4_000)])?;
                count.fetch_add(1, Ordering::SeqCst);
            }
            done()
        };
        let _ = test.collect(&test.ssc().receiver_stream(Does(run, 0)));
    }
    test.ssc().start()?;
    until("the pool is full", || stored.load(Ordering::SeqCst) >= 8);
    a_moment();
    assert_eq!(stored.load(Ordering::SeqCst), 8, "eight blocks of 4 KB fit into 32 KB");
    test.ssc().stop()
}

#[test]
fn the_first_batch_with_data_is_small() -> Result<()> {
    let config = Config::new().set(keys::RECEIVER_FIRST_BATCH_BLOCKS, 2);
    let go = Arc::new(AtomicU64::new(0));
    let gone = go.clone();
    let (test, seen) = program(config, move |link, _| {
        while gone.load(Ordering::SeqCst) == 0 && !link.wait(milliseconds(1)) {}
        (0..10).try_for_each(|number| link.store_many([number.to_string()]))?;
        gone.store(2, Ordering::SeqCst);
        done()
    });
    test.advance(1)?;
    go.store(1, Ordering::SeqCst);
    until("all is stored", || go.load(Ordering::SeqCst) == 2);
    test.advance(2)?;
    let sizes: Vec<_> = seen.batches().iter().map(Vec::len).collect();
    assert_eq!(sizes, [0, 2, 8], "the empty batch before the data does not count");
    Ok(())
}

#[test]
fn a_rate_limit_holds_for_single_records_and_for_bulk() -> Result<()> {
    for bulk in [false, true] {
        let stored = Arc::new(AtomicU64::new(0));
        let count = stored.clone();
        let (test, _seen) = program(Config::new().set(keys::RECEIVER_MAX_RATE, 100), move |link, _| {
            while !link.is_stopped() {
                if bulk {
                    link.store_many(vec![String::new(); 10])?
                } else {
                    link.store(String::new())?
                }
                count.fetch_add(if bulk { 10 } else { 1 }, Ordering::SeqCst);
            }
            done()
        });
        test.ssc().start()?;
        a_moment();
        let before = stored.load(Ordering::SeqCst);
        assert!(before <= 10, "{before} records while the clock stood still");
        for _ in 0..10 {
            test.advance(1)?;
            a_moment();
        }
        let per_second = stored.load(Ordering::SeqCst) / 10;
        assert!(per_second <= 110, "{per_second} records a second");
        test.ssc().stop()?;
    }
    Ok(())
}

#[test]
fn records_own_threads_of_a_receiver_may_store_at_once() -> Result<()> {
    let (test, seen) = program(Config::new().set(keys::RECEIVER_POOL_BYTES, "64k"), |link, _| {
        std::thread::scope(|scope| {
            for thread in 0..4 {
                let body = move || (0..500).try_for_each(|number| link.store(format!("{thread} {number}")));
                std::thread::Builder::new().name("storing".into()).spawn_scoped(scope, body).unwrap();
            }
        });
        done()
    });
    test.ssc().start()?;
    let watch = Stopwatch::start();
    until("all is stored", || {
        test.advance(1).unwrap();
        all(&seen).len() == 2_000 || watch.elapsed() > seconds(20)
    });
    let mut records = all(&seen);
    records.sort();
    records.dedup();
    assert_eq!(records.len(), 2_000);
    Ok(())
}
