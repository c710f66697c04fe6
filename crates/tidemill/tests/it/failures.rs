//! What becomes of a program whose batch fails: tries, the stop, exit codes, and the watchdog.

use crate::patience::until;
use std::{
    process::{Command, ExitCode, Stdio},
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
};
use tidemill::{
    Config, Context, ContextState, Error, Interrupt, Result, StreamingContext,
    base::{clock::Stopwatch, storage::MemoryStorage},
    keys, milliseconds, seconds,
    testing::TestContext,
};

#[test]
fn an_output_is_tried_as_often_as_configured_and_then_the_batch_fails() -> Result<()> {
    // Master, `spark.task.maxFailures`, tries of a batch.
    let cases = [("local[2]", None, 1), ("local[2,3]", None, 3), ("local[2]", Some(4), 4), ("local[2,3]", Some(4), 3)];
    for (master, max_failures, expected) in cases {
        let config = Config::new().set(keys::MASTER, master);
        let config = max_failures.map_or(config.clone(), |max: usize| config.set(keys::TASK_MAX_FAILURES, max));
        for succeeds in [false, true] {
            let test = TestContext::with_config(config.clone());
            let tries = Arc::new(AtomicUsize::new(0));
            let counted = tries.clone();
            test.stream(vec![vec![1]]).foreach_rdd(move |_, _| {
                let tried = counted.fetch_add(1, Ordering::Relaxed) + 1;
                if succeeds && tried == expected { Ok(()) } else { Err(Error::user(format!("try {tried}"))) }
            });
            let outcome = test.run(1);
            assert_eq!(tries.load(Ordering::Relaxed), expected, "{master} {max_failures:?}");
            match outcome {
                Ok(()) => assert!(succeeds),
                Err(error) => assert!(!succeeds && error.to_string().ends_with(&format!("try {expected}")), "{error}"),
            }
        }
    }
    Ok(())
}

/// A program over a clock of its own whose second batch fails.
fn failing(on_failure: Option<&str>, runs: &Arc<AtomicUsize>) -> Result<StreamingContext> {
    let config = Config::new().set(keys::MASTER, "local[1]").set(keys::SHUTDOWN_SIGNALS, false);
    let config = on_failure.map_or(config.clone(), |policy| config.set(keys::BATCH_ON_FAILURE, policy));
    let ssc = StreamingContext::new(&Context::new(config)?, milliseconds(5))?;
    ssc.checkpoint_to(Arc::new(MemoryStorage::new()))?;
    let runs = runs.clone();
    ssc.generate_stream(1, |n| n).foreach_rdd(move |_, _| {
        let run = runs.fetch_add(1, Ordering::Relaxed) + 1;
        if run == 2 { Err(Error::user("the second")) } else { Ok(()) }
    });
    Ok(ssc)
}

#[test]
fn with_a_checkpoint_a_failed_batch_ends_the_program_and_the_wait_for_it() -> Result<()> {
    let runs = Arc::new(AtomicUsize::new(0));
    let ssc = failing(None, &runs)?;
    let watch = Stopwatch::start();
    ssc.start()?;
    let error = ssc.await_termination().unwrap_err();
    assert!(error.to_string().ends_with("the second"), "{error}");
    assert_eq!((error.exit_code(), ssc.state()), (1, ContextState::Stopped));
    assert!(watch.elapsed() < seconds(20));
    assert_eq!(runs.load(Ordering::Relaxed), 2, "no later batch is run");
    assert!(ssc.await_termination().is_err(), "the error stays");
    Ok(())
}

#[test]
fn a_program_that_continues_runs_later_batches() -> Result<()> {
    let runs = Arc::new(AtomicUsize::new(0));
    let ssc = failing(Some("continue"), &runs)?;
    ssc.start()?;
    assert!(ssc.await_termination().is_err());
    assert_eq!(ssc.state(), ContextState::Active);
    until("later batches run", || runs.load(Ordering::Relaxed) >= 4);
    ssc.stop()
}

#[test]
fn errors_at_start_and_errors_of_batches_have_codes_of_their_own() {
    let of_batch = |error: Error| {
        let test = TestContext::new();
        let error = Mutex::new(Some(error));
        test.stream(vec![vec![1]]).foreach_rdd(move |_, _| error.lock().unwrap().take().map_or(Ok(()), Err));
        test.run(1).unwrap_err().exit_code()
    };
    assert_eq!(Error::invalid("so").exit_code(), 2);
    assert_eq!(Error::invalid("so").context("there").exit_code(), 2);
    assert_eq!(Error::user("so").exit_code(), 1);
    assert_eq!(of_batch(Error::invalid("an action in a task")), 1);
    assert_eq!(of_batch(Error::data("bad")), 1);
    let code = |result| format!("{:?}", tidemill::exit(result));
    assert_eq!(code(Ok(())), format!("{:?}", ExitCode::SUCCESS));
    assert_eq!(code(Err(Error::invalid("so"))), format!("{:?}", ExitCode::from(2)));
    assert_eq!(code(Err(Error::user("so").with_source(std::fmt::Error))), format!("{:?}", ExitCode::from(1)));
}

/// Not a test: the program that [`a_batch_that_never_ends_ends_the_process`] starts.
#[test]
#[ignore = "a program that never ends by itself"]
fn endless() -> Result<()> {
    let config = Config::new().set(keys::MASTER, "local[2]").set(keys::BATCH_TIMEOUT, "200ms");
    let ssc = StreamingContext::new(&Context::new(config)?, milliseconds(10))?;
    let on_driver = std::env::var_os("TIDEMILL_TEST_ON_DRIVER").is_some();
    let endless = || {
        let never = Interrupt::new();
        while !never.wait_timeout(seconds(1)) {}
    };
    if on_driver {
        ssc.generate_stream(1, |n| n).foreach_rdd(move |_, _| {
            endless();
            Ok::<(), Error>(())
        });
    } else {
        ssc.generate_stream(1_000, |n| n)
            .map(move |n| {
                if n == 3 {
                    endless()
                }
            })
            .print(1);
    }
    ssc.start()?;
    ssc.await_termination()
}

#[test]
fn a_batch_that_never_ends_ends_the_process() {
    for (on_driver, at_work) in [(false, "\"map at "), (true, "a function of the driver")] {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.args(["failures::endless", "--exact", "--ignored", "--nocapture"]).stdout(Stdio::null());
        if on_driver {
            command.env("TIDEMILL_TEST_ON_DRIVER", "1");
        }
        let output = command.stderr(Stdio::piped()).output().unwrap();
        let told = String::from_utf8_lossy(&output.stderr);
        // A test that fails would end with 101.
        assert_eq!(output.status.code(), Some(1), "{told}");
        assert!(told.contains("tidemill.batch.timeout") && told.contains(at_work), "{told}");
    }
}
