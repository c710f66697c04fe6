//! The end of a context: what is drained, from where it may be called, and that it comes whatever user code does.

use crate::patience::{a_moment, until};
use std::{
    sync::{Arc, Mutex, mpsc},
    time::Duration,
};
use tidemill::{
    BatchCompleted, Config, ContextState, Error, ErrorKind, Result, StreamingContext, StreamingListener,
    base::clock::Stopwatch,
    io::{Ending, Receiver, ReceiverLink},
    keys, milliseconds, seconds,
    testing::TestContext,
};

/// Keeps what it sees of every batch.
fn collected(stream: &tidemill::DStream<u64>) -> Arc<Mutex<Vec<u64>>> {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let keep = seen.clone();
    stream.for_each_batch(move |records, _| {
        keep.lock().unwrap().extend(records);
        Ok::<(), Error>(())
    });
    seen
}

/// Stores a number whenever it is asked to, and says when it is stored.
struct Feed(mpsc::Receiver<u64>);

impl Receiver for Feed {
    type Item = u64;
    fn run(&mut self, link: &ReceiverLink<u64>) -> Result<Ending> {
        while !link.is_stopped() {
            while let Ok(number) = self.0.try_recv() {
                link.store(number)?;
            }
            link.wait(milliseconds(1));
        }
        Ok(Ending::Stop("told to".into()))
    }
}

#[test]
fn a_graceful_stop_drains_what_was_received() -> Result<()> {
    let test = TestContext::new();
    let (feed, fed) = mpsc::sync_channel(0);
    let seen = collected(&test.ssc().receiver_stream(Feed(fed)));
    test.ssc().start()?;
    (0..100).for_each(|number| feed.send(number).unwrap());
    test.ssc().stop_gracefully()?;
    assert_eq!(*seen.lock().unwrap(), (0..100).collect::<Vec<_>>());
    assert_eq!(test.ssc().progress().completed_batches, 1, "there is one more batch, though the clock stood still");
    Ok(())
}

#[test]
fn a_graceful_stop_drains_the_batches_that_wait() -> Result<()> {
    let test = TestContext::new();
    let seen = collected(&test.stream((0..20).map(|n| vec![n]).collect()));
    test.ssc().start()?;
    test.clock().advance(seconds(10));
    test.ssc().stop_gracefully()?;
    assert_eq!(*seen.lock().unwrap(), (0..20).collect::<Vec<_>>(), "in order, and those not cut yet too");
    Ok(())
}

#[test]
fn a_stop_gives_up_the_batches_that_wait() -> Result<()> {
    let test = TestContext::new();
    let (go, gone) = mpsc::channel::<()>();
    let (began, begun) = mpsc::channel();
    let gone = Mutex::new(gone);
    test.stream((0..20).map(|n| vec![n]).collect()).foreach_rdd(move |_, _| {
        let _ = (began.send(()), gone.lock().unwrap().recv());
        Ok::<(), Error>(())
    });
    test.ssc().start()?;
    test.clock().advance(seconds(10));
    begun.recv().unwrap();
    std::thread::scope(|scope| {
        let stop = std::thread::Builder::new().name("stops".into()).spawn_scoped(scope, || test.ssc().stop()).unwrap();
        a_moment();
        until("the context is stopped", || go.send(()).is_err() || test.ssc().state() == ContextState::Stopped);
        stop.join().unwrap()
    })?;
    assert!(test.ssc().progress().completed_batches < 10, "{}", test.ssc().progress());
    Ok(())
}

#[test]
fn an_output_may_stop_its_context() -> Result<()> {
    let test = TestContext::new();
    let ssc = test.ssc().clone();
    test.stream(vec![vec![1]]).foreach_rdd(move |_, _| {
        ssc.stop_gracefully()?;
        ssc.stop()
    });
    test.ssc().start()?;
    test.clock().advance(seconds(1));
    test.ssc().await_termination()?;
    assert_eq!(test.ssc().state(), ContextState::Stopped);
    Ok(())
}

#[test]
fn a_function_on_the_workers_may_stop_its_context() -> Result<()> {
    let test = TestContext::new();
    let ssc = test.ssc().clone();
    let stopped = test.stream(vec![vec![1]]).map(move |n: i32| (n, ssc.stop_gracefully().is_ok()));
    let seen = test.collect(&stopped);
    test.ssc().start()?;
    test.clock().advance(seconds(1));
    test.ssc().await_termination()?;
    assert_eq!(seen.batches()[0], [(1, true)]);
    Ok(())
}

#[test]
fn an_output_that_waits_for_the_end_is_told_that_it_cannot() -> Result<()> {
    let test = TestContext::new();
    let ssc = test.ssc().clone();
    test.stream(vec![vec![1]]).foreach_rdd(move |_, _| ssc.await_termination());
    test.advance(1)?;
    let error = test.ssc().await_termination().expect_err("the batch failed");
    assert!(error.to_string().contains("it would wait for itself"), "{error}");
    Ok(())
}

struct StopsAfterABatch(StreamingContext);
impl StreamingListener for StopsAfterABatch {
    fn on_batch_completed(&self, _: &BatchCompleted) {
        self.0.stop().unwrap();
    }
}

#[test]
fn a_listener_may_stop_its_context() -> Result<()> {
    let test = TestContext::new();
    let _ = test.collect(&test.stream(vec![vec![1]]));
    test.ssc().add_streaming_listener(StopsAfterABatch(test.ssc().clone()));
    test.ssc().start()?;
    test.clock().advance(seconds(1));
    test.ssc().await_termination()
}

struct StopsItsContext(StreamingContext);
impl Receiver for StopsItsContext {
    type Item = u64;
    fn run(&mut self, link: &ReceiverLink<u64>) -> Result<Ending> {
        link.store(1)?;
        self.0.stop_gracefully()?;
        Ok(Ending::Stop("stopped it all".into()))
    }
}

#[test]
fn a_receiver_may_stop_its_context() -> Result<()> {
    let test = TestContext::new();
    let seen = collected(&test.ssc().receiver_stream(StopsItsContext(test.ssc().clone())));
    test.ssc().start()?;
    let watch = Stopwatch::start();
    until("the context is stopped", || test.ssc().state() == ContextState::Stopped);
    assert!(watch.elapsed() < seconds(10), "the stop did not wait for the receiver that called it");
    assert_eq!(*seen.lock().unwrap(), [1]);
    Ok(())
}

#[test]
fn a_context_that_is_dropped_stops() -> Result<()> {
    let config = Config::new().set(keys::MASTER, "local[1]").set(keys::SHUTDOWN_SIGNALS, false);
    let ssc = StreamingContext::new(&tidemill::Context::new(config)?, milliseconds(1))?;
    let held = Arc::new(());
    let holds = held.clone();
    ssc.generate_stream(1_000, |n| n).foreach_rdd(move |rdd, _| {
        let _ = &holds;
        rdd.count().map(drop)
    });
    ssc.start()?;
    until("a batch ran", || ssc.progress().completed_batches > 0);
    drop(ssc);
    assert_eq!(Arc::strong_count(&held), 1, "the program is gone with its context");
    Ok(())
}

/// A context whose stops wait for 100 ms only.
fn impatient() -> TestContext {
    TestContext::with_config(Config::new().set(keys::GRACEFUL_STOP_TIMEOUT, "100ms"))
}

/// Runs a program in which something never returns, and stops it.
fn stop_in_spite_of(
    declare: impl FnOnce(&TestContext, mpsc::Sender<()>, Mutex<mpsc::Receiver<()>>),
) -> tidemill::Error {
    let test = impatient();
    let ((began, begun), (go, gone)) = (mpsc::channel(), mpsc::channel());
    declare(&test, began, Mutex::new(gone));
    test.ssc().start().unwrap();
    test.clock().advance(seconds(1));
    begun.recv().unwrap();
    let watch = Stopwatch::start();
    let error = test.ssc().stop_gracefully().expect_err("something does not return");
    assert!(watch.elapsed() < seconds(10), "the stop took {:?}", watch.elapsed());
    assert_eq!((test.ssc().state(), error.kind()), (ContextState::Stopped, ErrorKind::Unavailable));
    let awaited = test.ssc().await_termination_or_timeout(Duration::ZERO).expect_err("who waits hears of it too");
    assert_eq!(awaited.to_string(), error.to_string());
    drop(go);
    error
}

#[test]
fn a_stop_returns_though_an_output_does_not() {
    let error = stop_in_spite_of(|test, began, gone| {
        test.stream(vec![vec![1]]).foreach_rdd(move |_, _| {
            let _ = (began.send(()), gone.lock().unwrap().recv());
            Ok::<(), Error>(())
        });
    });
    assert!(error.to_string().contains("does not return in the batch of 1000 ms"), "{error}");
}

#[test]
fn a_stop_returns_though_a_function_on_the_workers_does_not() {
    let error = stop_in_spite_of(|test, began, gone| {
        let began = Mutex::new(began);
        let stuck = test.stream(vec![vec![1]]).map(move |n: i32| {
            let _ = (began.lock().unwrap().send(()), gone.lock().unwrap().recv());
            n
        });
        let _ = test.collect(&stuck);
    });
    assert!(error.to_string().contains("the threads that run it are left behind"), "{error}");
}

/// The generator used to wait for a place in the full queue, and the stop for the generator.
#[test]
fn a_stop_returns_though_the_queue_of_batches_is_full_and_stuck() {
    stop_in_spite_of(|test, began, gone| {
        test.stream(vec![vec![1]]).foreach_rdd(move |_, _| {
            let _ = (began.send(()), gone.lock().unwrap().recv());
            Ok::<(), Error>(())
        });
        test.clock().advance(seconds(1_000));
    });
}

struct NeverReturns(Mutex<mpsc::Sender<()>>, Mutex<mpsc::Receiver<()>>);
impl StreamingListener for NeverReturns {
    fn on_batch_completed(&self, _: &BatchCompleted) {
        let _ = (self.0.lock().unwrap().send(()), self.1.lock().unwrap().recv());
    }
}

#[test]
fn a_stop_returns_though_a_listener_does_not() {
    stop_in_spite_of(|test, began, gone| {
        let _ = test.collect(&test.stream(vec![vec![1]]));
        test.ssc().add_streaming_listener(NeverReturns(Mutex::new(began), gone));
    });
}

struct Deaf(mpsc::Sender<()>, mpsc::Receiver<()>);
impl Receiver for Deaf {
    type Item = u64;
    fn run(&mut self, _: &ReceiverLink<u64>) -> Result<Ending> {
        let _ = (self.0.send(()), self.1.recv());
        Ok(Ending::Stop("heard at last".into()))
    }
}

/// It used to be waited for without end.
#[test]
fn a_stop_returns_though_a_receiver_does_not() -> Result<()> {
    let test = impatient();
    let ((began, begun), (go, gone)) = (mpsc::channel(), mpsc::channel());
    let _seen = collected(&test.ssc().receiver_stream(Deaf(began, gone)));
    test.ssc().start()?;
    begun.recv().unwrap();
    let watch = Stopwatch::start();
    let error = test.ssc().stop_gracefully().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}");
    assert!(watch.elapsed() < seconds(10));
    drop(go);
    Ok(())
}
