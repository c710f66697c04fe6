//! `tidemill launch` with small shell programs.

use rustix::process::{Pid, Signal, kill_process};
use std::{
    io::{BufRead, BufReader, Lines},
    process::{Child, ChildStdout, Command, Output, Stdio},
    time::Duration,
};
use tidemill::base::clock::Stopwatch;

fn launch(options: &[&str], script: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tidemill"));
    command.arg("launch").args(options).args(["--", "sh", "-c", script]);
    command
}

fn run(options: &[&str], script: &str) -> Output {
    launch(options, script).output().unwrap()
}

fn lines(output: &Output) -> Vec<&str> {
    let mut lines: Vec<_> = std::str::from_utf8(&output.stdout).unwrap().lines().collect();
    lines.sort_unstable();
    lines
}

/// Starts processes that print a line when they are ready for a signal.
fn start(options: &[&str], script: &str, ready: usize) -> (Child, Lines<BufReader<ChildStdout>>) {
    let mut child = launch(options, script).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    for _ in 0..ready {
        assert_eq!(lines.next().unwrap().unwrap(), "ready");
    }
    (child, lines)
}

fn signal(child: &Child, signal: Signal) {
    kill_process(Pid::from_child(child), signal).unwrap();
}

#[test]
fn every_process_gets_its_index_and_the_output_is_passed_through() {
    let output = run(&["-n", "3"], "echo $TIDEMILL_PROCESS_INDEX $TIDEMILL_WORKERS");
    assert!(output.status.success());
    assert_eq!(lines(&output), ["0 1", "1 1", "2 1"]);
    assert!(output.stderr.is_empty());
}

#[test]
fn all_get_the_same_cluster() {
    let script = "echo $TIDEMILL_PROCESSES $TIDEMILL_CLUSTER_SECRET $TIDEMILL_CLUSTER_ID $TIDEMILL_WORKERS";
    let output = run(&["-n", "2", "--threads", "4"], script);
    let lines = lines(&output);
    assert_eq!(lines[0], lines[1]);
    let fields: Vec<_> = lines[0].split(' ').collect();
    assert_eq!(fields[0].split(',').filter(|address| address.starts_with("127.0.0.1:")).count(), 2);
    assert_eq!((fields[1].len(), fields[2], fields[3]), (64, "tidemill", "4"));
}

#[test]
fn arguments_are_handed_on_as_they_are() {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tidemill"));
    let output = command.args(["launch", "-n", "1", "--", "printf", "%s\n", "-n", "a b", "--"]).output().unwrap();
    assert_eq!(output.stdout, b"-n\na b\n--\n");
}

#[test]
fn the_first_failure_is_the_exit_code_and_ends_the_others() {
    let watch = Stopwatch::start();
    let output = run(&["-n", "3"], "test $TIDEMILL_PROCESS_INDEX = 1 && exit 7; exec sleep 60");
    assert_eq!(output.status.code(), Some(7));
    assert!(String::from_utf8(output.stderr).unwrap().contains("process 1 failed"));
    assert!(watch.elapsed() < Duration::from_secs(20), "{:?}", watch.elapsed());
}

#[test]
fn a_process_that_only_lost_another_is_not_the_cause() {
    let script = "test $TIDEMILL_PROCESS_INDEX = 2 && kill -9 $$; sleep 0.3; exit 70";
    assert_eq!(run(&["-n", "3"], script).status.code(), Some(128 + 9));
}

#[test]
fn signals_are_passed_on_and_the_processes_decide() {
    let script = "trap 'echo bye; exit 0' TERM INT; echo ready; while :; do sleep 0.01; done";
    for sent in [Signal::INT, Signal::TERM] {
        let (mut child, lines) = start(&["-n", "2"], script, 2);
        signal(&child, sent);
        assert_eq!(lines.map(Result::unwrap).collect::<Vec<_>>(), ["bye", "bye"]);
        assert_eq!(child.wait().unwrap().code(), Some(0));
    }
}

#[test]
fn a_process_that_a_signal_ends_counts_as_failed() {
    let (mut child, _lines) = start(&["-n", "2"], "echo ready; exec sleep 60", 2);
    signal(&child, Signal::TERM);
    assert_eq!(child.wait().unwrap().code(), Some(128 + 15));
}

#[test]
fn the_timeout_ends_all() {
    let output = run(&["-n", "2", "--timeout", "0"], "trap '' TERM; exec sleep 60");
    assert_eq!(output.status.code(), Some(124));
}

#[test]
fn a_program_that_is_not_there_is_named() {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tidemill"));
    let output = command.args(["launch", "-n", "2", "--", "./no-such-program"]).output().unwrap();
    assert_eq!(output.status.code(), Some(127));
    assert!(String::from_utf8(output.stderr).unwrap().contains("\"./no-such-program\""));
}

#[test]
fn no_processes_are_refused() {
    assert_eq!(run(&["-n", "0"], "true").status.code(), Some(2));
}
