//! Every call that Spark Streaming forbids is refused by name, with a text that says what to do instead.

use std::panic::{AssertUnwindSafe, catch_unwind};
use tidemill::{
    Config, Context, ContextState, ErrorKind, Misuse, Result, StreamingContext, Time, milliseconds, seconds,
    testing::TestContext,
};

fn misuse<T: std::fmt::Debug>(result: Result<T>) -> Misuse {
    let error = result.expect_err("a misuse");
    let misuse = error.misuse().unwrap_or_else(|| panic!("not a misuse: {error:?}")).clone();
    assert_eq!(error.to_string(), misuse.to_string());
    misuse
}

/// What a declaration that is not allowed panics with.
fn refused(declare: impl FnOnce()) -> String {
    let panic = catch_unwind(AssertUnwindSafe(declare)).expect_err("a declaration that is not allowed");
    panic.downcast_ref::<String>().expect("a text").clone()
}

fn with_an_output() -> TestContext {
    let test = TestContext::new();
    let _ = test.collect(&test.stream(vec![vec![1]]));
    test
}

#[test]
fn start_without_outputs_is_refused_and_ends_the_context() {
    let test = TestContext::new();
    let stream = test.stream(vec![vec![1]]);
    assert_eq!(misuse(test.ssc().start()), Misuse::NoOutputs);
    assert_eq!(test.ssc().state(), ContextState::Stopped);
    assert_eq!(misuse(test.ssc().start()), Misuse::AlreadyStopped);
    drop(stream);
}

#[test]
fn streams_and_outputs_are_declared_before_start() -> Result<()> {
    let test = TestContext::new();
    let stream = test.stream(vec![vec![1]]);
    let seen = test.collect(&stream);
    test.run(1)?;
    for declare in [&(|| drop(stream.map(|n| n + 1))) as &dyn Fn(), &|| stream.print(1), &|| {
        drop(test.ssc().queue_stream::<i32>(true));
    }] {
        assert!(refused(declare).contains("was called after the context was started; declare every stream before"));
    }
    test.run(1)?;
    assert_eq!(seen.batches().len(), 2, "the running program is unharmed");
    test.ssc().stop()?;
    let text = refused(|| drop(stream.map(|n| n + 1)));
    assert_eq!(text, Misuse::AddedAfterStop { operation: "map" }.to_string());
    assert!(text.contains("make a new StreamingContext"));
    Ok(())
}

#[test]
fn a_second_start_does_nothing() -> Result<()> {
    let test = with_an_output();
    test.run(1)?;
    test.ssc().start()?;
    test.run(1)?;
    assert_eq!(test.ssc().progress().completed_batches, 2);
    Ok(())
}

#[test]
fn a_stopped_context_is_not_started_again_and_stops_again_without_harm() -> Result<()> {
    let test = with_an_output();
    test.run(1)?;
    test.ssc().stop()?;
    test.ssc().stop_gracefully()?;
    assert_eq!(misuse(test.ssc().start()), Misuse::AlreadyStopped);
    assert_eq!(test.ssc().start().expect_err("stopped").kind(), ErrorKind::Closed);
    assert!(test.ssc().await_termination_or_timeout(seconds(0))?);
    Ok(())
}

#[test]
fn a_context_that_is_stopped_before_start_ends() -> Result<()> {
    let test = with_an_output();
    assert_eq!(test.ssc().await_termination().expect_err("not started").kind(), ErrorKind::Invalid);
    test.ssc().stop()?;
    assert_eq!(test.ssc().state(), ContextState::Stopped);
    test.ssc().await_termination()?;
    assert_eq!(misuse(test.ssc().start()), Misuse::AlreadyStopped);
    Ok(())
}

#[test]
fn settings_are_fixed_at_start() -> Result<()> {
    let test = TestContext::new();
    let stream = test.stream(vec![vec![1]]);
    let _ = test.collect(&stream);
    test.run(1)?;
    assert!(refused(|| drop(stream.cache())).contains("storage level"));
    assert!(refused(|| drop(stream.checkpoint(seconds(5)))).contains("checkpoint interval"));
    assert_eq!(misuse(test.ssc().remember(seconds(9))), Misuse::ChangedAfterStart { setting: "remember duration" });
    let late = test.ssc().checkpoint(std::env::temp_dir());
    assert_eq!(misuse(late), Misuse::ChangedAfterStart { setting: "checkpoint directory" });
    Ok(())
}

#[test]
fn remember_is_called_once() -> Result<()> {
    let test = TestContext::new();
    test.ssc().remember(seconds(9))?;
    assert_eq!(misuse(test.ssc().remember(seconds(3))), Misuse::RememberedTwice { set_ms: 9_000 });
    Ok(())
}

#[test]
fn a_checkpoint_interval_is_a_multiple_of_the_slide() {
    for given_ms in [0, 500, 1_500] {
        let test = TestContext::new();
        let _ = test.collect(&test.stream(vec![vec![1]]).checkpoint(milliseconds(given_ms)));
        let expected = Misuse::BadCheckpointInterval { given_ms, slide_ms: 1_000 };
        assert_eq!(misuse(test.ssc().start()), expected);
    }
}

#[test]
fn checkpointing_needs_a_directory() -> Result<()> {
    let ssc = StreamingContext::local(1, seconds(1))?;
    let (numbers, _queue) = ssc.queue_stream::<i32>(true);
    numbers.checkpoint(seconds(1)).print(1);
    let Misuse::NoCheckpointDirectory { operation } = misuse(ssc.start()) else { panic!("another misuse") };
    assert!(operation.contains("queue_stream"), "{operation}");
    Ok(())
}

#[test]
fn a_batch_lasts_a_millisecond_at_the_least() -> Result<()> {
    let context = Context::local(1);
    for duration in [milliseconds(0), std::time::Duration::from_micros(999)] {
        assert_eq!(misuse(StreamingContext::new(&context, duration)), Misuse::ZeroBatchDuration);
    }
    let cut = StreamingContext::new(&context, std::time::Duration::from_micros(1_500))?;
    assert_eq!(cut.batch_duration(), milliseconds(1), "times are whole milliseconds");
    Ok(())
}

#[test]
fn streams_of_two_contexts_do_not_mix() {
    let (one, other) = (TestContext::new(), TestContext::new());
    let (left, right) = (one.stream(vec![vec![1]]), other.stream(vec![vec![1]]));
    let text = refused(|| drop(left.union(&right)));
    assert_eq!(text, Misuse::DifferentContexts { operation: "union" }.to_string());
}

#[test]
fn slice_needs_a_running_context() {
    let test = TestContext::new();
    let stream = test.stream(vec![vec![1]]);
    assert_eq!(misuse(stream.slice(Time::from_ms(0), Time::from_ms(1_000))), Misuse::NotStarted);
}

#[test]
fn several_contexts_run_at_once() -> Result<()> {
    let tests: Vec<_> = (0..3).map(|_| TestContext::new()).collect();
    let seen: Vec<_> = (0..).zip(&tests).map(|(n, test)| test.collect(&test.stream(vec![vec![n], vec![n]]))).collect();
    for test in &tests {
        test.run(1)?;
    }
    tests[0].ssc().stop()?;
    tests[1..].iter().try_for_each(|test| test.run(1))?;
    let batches: Vec<_> = seen.iter().map(|seen| seen.batches()).collect();
    assert_eq!(batches, [vec![vec![0]], vec![vec![1], vec![1]], vec![vec![2], vec![2]]]);
    Ok(())
}

#[test]
fn configurations_that_cannot_be_are_refused_before_anything_starts() {
    let table = [
        ("tidemill.worker.thread", "4", "did you mean \"tidemill.worker.threads\""),
        ("tidemill.receiver.poolBytes", "1k", "make the pool at least as large"),
        ("spark.streaming.blockInterval", "5 parsecs", "5 parsecs"),
        ("spark.streaming.blockInterval", "-1s", "-1s"),
        ("spark.streaming.concurrentJobs", "0", "at least 1"),
        ("spark.streaming.gracefulStopTimeout", "soon", "soon"),
        ("spark.streaming.backpressure.pid.minRate", "-3", "more than 0"),
        ("spark.master", "yarn", "yarn"),
    ];
    for (key, value, says) in table {
        let error = Context::new(Config::new().set(key, value)).expect_err(key);
        assert_eq!(error.kind(), ErrorKind::Invalid, "{key}");
        assert!(error.to_string().contains(says), "{key}: {error}");
    }
}
