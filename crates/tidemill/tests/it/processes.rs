//! What can only be seen from outside a process, or needs one of its own: signals, closed pipes, threads, long runs.
//!
//! A test that needs a process to itself runs this binary again, with its own name and a variable that says so.

use crate::patience::{a_moment, until};
use std::{
    io::{BufRead, BufReader, Read},
    path::PathBuf,
    process::{Child, ChildStdout, Command, Stdio},
};
use tidemill::{
    Config, Context, Result, StreamingContext,
    io::{Ending, Receiver, ReceiverLink},
    keys, milliseconds,
    testing::TestContext,
};

const ALONE: &str = "TIDEMILL_TEST_ALONE";

/// Whether this is the process of `test` alone; if not, runs one and checks that it succeeds.
pub(crate) fn is_alone(test: &str) -> bool {
    if std::env::var_os(ALONE).is_some() {
        return true;
    }
    let output = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", test, "--nocapture", "--include-ignored", "--test-threads=1"])
        .env(ALONE, "1")
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    false
}

/// The names of the threads of this process that are ours or the engine's.
pub(crate) fn our_threads() -> Vec<String> {
    let tasks = std::fs::read_dir("/proc/self/task").unwrap();
    // A thread may end while the list is read.
    let names = tasks.filter_map(|task| std::fs::read_to_string(task.unwrap().path().join("comm")).ok());
    names
        .map(|name| name.trim().to_owned())
        .filter(|name| name.starts_with("tidemill") || name.starts_with("timely"))
        .collect()
}

pub(crate) fn open_files() -> usize {
    std::fs::read_dir("/proc/self/fd").unwrap().count()
}

struct Idle;
impl Receiver for Idle {
    type Item = u64;
    fn run(&mut self, link: &ReceiverLink<u64>) -> Result<Ending> {
        while !link.wait(milliseconds(50)) {}
        Ok(Ending::Stop("told to".into()))
    }
}

#[test]
fn all_threads_are_gone_after_a_stop() -> Result<()> {
    if !is_alone("processes::all_threads_are_gone_after_a_stop") {
        return Ok(());
    }
    for gracefully in [false, true] {
        let test = TestContext::new();
        let _ = test.collect(&test.ssc().receiver_stream(Idle));
        test.run(2)?;
        assert!(our_threads().len() >= 5, "{:?}", our_threads());
        if gracefully {
            test.ssc().stop_gracefully()?
        } else {
            test.ssc().stop()?
        };
        until("no thread is left", || our_threads().is_empty());
    }
    let unstartable = TestContext::new();
    unstartable.ssc().start().expect_err("no outputs");
    drop(unstartable);
    let config = Config::new().set(keys::MASTER, "local[1]").set(keys::SHUTDOWN_SIGNALS, false);
    drop(StreamingContext::new(&Context::new(config)?, milliseconds(5))?);
    until("no thread is left", || our_threads().is_empty());
    Ok(())
}

pub(crate) fn resident_kb() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

#[test]
fn many_empty_batches_leave_nothing_behind() -> Result<()> {
    if !is_alone("processes::many_empty_batches_leave_nothing_behind") {
        return Ok(());
    }
    let config = Config::new().set(keys::BATCH_QUEUE_WARNING, 1_000);
    let test = TestContext::with(config, milliseconds(1));
    let numbers = test.stream::<i32>(vec![]);
    numbers.map(|n| (n, 1)).reduce_by_key(|a, b| a + b).foreach_rdd(|rdd, _| rdd.count().map(drop));
    test.ssc().receiver_stream(Idle).foreach_rdd(|rdd, _| rdd.count().map(drop));
    let run = |batches: u64| -> Result<()> {
        let until_batch = test.ssc().progress().completed_batches + batches;
        test.advance(1)?;
        test.clock().advance(milliseconds(batches - 1));
        until("the batches are done", || test.ssc().progress().completed_batches == until_batch);
        Ok(())
    };
    run(1_000)?;
    let before = (our_threads().len(), open_files(), resident_kb());
    run(5_000)?;
    let after = (our_threads().len(), open_files(), resident_kb());
    assert_eq!((before.0, before.1), (after.0, after.1), "threads and files");
    assert!(after.2 < before.2 + 4_096, "memory grew from {} to {} KB", before.2, after.2);
    Ok(())
}

/// A program that runs in a process of its own; it says what it does on standard output.
#[test]
fn program_for_signals() -> Result<()> {
    let Some(program) = std::env::var_os("TIDEMILL_TEST_PROGRAM") else { return Ok(()) };
    let config = Config::new().set(keys::MASTER, "local[1]");
    let ssc = StreamingContext::new(&Context::new(config)?, milliseconds(20))?;
    let stuck = program == "stuck";
    ssc.generate_stream(1_000, |n| n).for_each_batch(move |records, time| {
        say(&format!("batch {time} {}", records.len()));
        if stuck {
            tidemill::Interrupt::new().wait_timeout(std::time::Duration::from_secs(60));
        }
        Ok::<(), tidemill::Error>(())
    });
    ssc.start()?;
    let ended = ssc.await_termination();
    say(&format!("ended {}", ended.is_ok()));
    ended
}

#[expect(clippy::print_stdout, reason = "the process that started this one reads it")]
fn say(what: &str) {
    println!("{what}");
}

fn start_program(name: &str) -> (Child, BufReader<ChildStdout>) {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "processes::program_for_signals", "--nocapture", "--test-threads=1"])
        .env("TIDEMILL_TEST_PROGRAM", name)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut output = BufReader::new(child.stdout.take().unwrap());
    let mut line = String::new();
    while !line.contains("batch") {
        line.clear();
        assert!(output.read_line(&mut line).unwrap() > 0, "the program ended before its first batch");
    }
    (child, output)
}

fn signal(child: &Child, name: &str) {
    assert!(Command::new("kill").args([name, &child.id().to_string()]).status().unwrap().success());
}

#[test]
fn a_signal_drains_the_program_and_it_ends_well() {
    for name in ["-TERM", "-INT"] {
        let (mut child, mut output) = start_program("well");
        signal(&child, name);
        let mut rest = String::new();
        output.read_to_string(&mut rest).unwrap();
        assert!(child.wait().unwrap().success());
        assert!(rest.contains("ended true"), "{rest}");
    }
}

#[test]
fn a_second_signal_hurries_and_a_third_ends_the_process() {
    let (mut child, _output) = start_program("stuck");
    let watch = tidemill::base::clock::Stopwatch::start();
    signal(&child, "-TERM");
    // Signals that come too close together are one signal.
    (0..5).for_each(|_| a_moment());
    signal(&child, "-TERM");
    let status = child.wait().unwrap();
    assert!(!status.success(), "what did not end is not hidden: {status}");
    assert!(watch.elapsed() < tidemill::seconds(15), "25 s would be the limit of the first signal");

    let (mut child, _output) = start_program("stuck");
    for _ in 0..300 {
        if child.try_wait().unwrap().is_some() {
            break;
        }
        signal(&child, "-TERM");
        a_moment();
    }
    let status = child.wait().unwrap();
    assert_eq!(status.code(), Some(128 + 15), "{status}");
}

fn example(name: &str) -> Option<PathBuf> {
    let binary = std::env::current_exe().unwrap();
    let example = binary.parent()?.parent()?.join("examples").join(name);
    // With `--test it` alone Cargo builds no examples.
    example.exists().then_some(example)
}

#[test]
fn a_closed_pipe_ends_a_program_that_prints_quietly() {
    let Some(program) = example("network_word_count") else { return };
    let mut child = Command::new(program).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut output = BufReader::new(child.stdout.take().unwrap());
    output.read_line(&mut String::new()).unwrap();
    drop(output);
    let ended = child.wait_with_output().unwrap();
    assert!(ended.status.success(), "{}", ended.status);
    assert_eq!(String::from_utf8_lossy(&ended.stderr), "", "as quiet as other programs before head");
}
