//! `tidemill gen` into each of its places.

use super::checkpoint::{text, tidemill};
use rustix::process::{Pid, Signal, kill_process};
use std::{
    fs,
    io::{BufRead, BufReader, Read},
    net::TcpStream,
    process::{Child, Command, Stdio},
};
use tidemill_kafka_broker::Kafka;

/// A server, and the address that it says it is at.
fn serve(arguments: &[&str]) -> (Child, String, BufReader<std::process::ChildStdout>) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tidemill"));
    let mut child = command.arg("gen").args(arguments).args(["--tcp", "0"]).stdout(Stdio::piped()).spawn().unwrap();
    let (mut output, mut told) = (BufReader::new(child.stdout.take().unwrap()), String::new());
    output.read_line(&mut told).unwrap();
    let address = told.split_once("connects to ").unwrap().1.split(';').next().unwrap().to_owned();
    (child, address, output)
}

#[test]
fn whoever_connects_gets_lines_and_a_slow_client_holds_up_nobody() {
    let (mut child, address, mut output) = serve(&["clicks", "--rate", "200000", "--count", "300000"]);
    // This one never reads.
    let slow = TcpStream::connect(&address).unwrap();
    let lines = BufReader::new(TcpStream::connect(&address).unwrap()).lines();
    let read = lines.map(Result::unwrap).filter(|line| line.starts_with("{\"user\":\"u")).count();
    assert!((1..=300_000).contains(&read), "{read}");
    drop(slow);
    assert_eq!(child.wait().unwrap().code(), Some(0));
    let mut told = String::new();
    output.read_to_string(&mut told).unwrap();
    assert_eq!(told, "300000 records were made\n");
}

#[test]
fn as_fast_as_possible_nothing_is_left_out() {
    let (mut child, address, _output) = serve(&["words", "--rate", "0", "--count", "200000"]);
    let lines = BufReader::new(TcpStream::connect(&address).unwrap()).lines().count();
    assert_eq!((lines, child.wait().unwrap().code()), (200_000, Some(0)));
}

#[test]
fn a_signal_ends_it_well() {
    for signal in [Signal::INT, Signal::TERM] {
        let (mut child, address, _output) = serve(&["payments"]);
        let mut line = String::new();
        BufReader::new(TcpStream::connect(&address).unwrap()).read_line(&mut line).unwrap();
        assert!(line.contains("\"card\":\"c"), "{line}");
        kill_process(Pid::from_child(&child), signal).unwrap();
        assert_eq!(child.wait().unwrap().code(), Some(0));
    }
}

#[test]
fn files_appear_when_they_are_complete() {
    let folder = tempfile::tempdir().unwrap();
    let into = folder.path().join("in");
    let told = text(&tidemill(&["gen", "words", "--rate", "0", "--count", "25000", "--files", into.to_str().unwrap()]));
    assert!(told.contains("25000 records were made"), "{told}");
    let files: Vec<_> = fs::read_dir(&into).unwrap().map(|entry| entry.unwrap().path()).collect();
    let names = files.iter().map(|file| file.file_name().unwrap().to_str().unwrap());
    assert!(names.clone().all(|name| name.starts_with("words-")), "{files:?}");
    let lines: usize = files.iter().map(|file| fs::read_to_string(file).unwrap().lines().count()).sum();
    assert_eq!(lines, 25_000);
}

#[test]
fn a_topic_gets_keys_and_lines() {
    let kafka = Kafka::start(1);
    let topic = kafka.topic("payments", 2);
    let into = ["--kafka", kafka.bootstrap(), &topic, "--set", "linger.ms=1"];
    text(&tidemill(&[&["gen", "payments", "--rate", "0", "--count", "5000"], &into[..]].concat()));
    let records = kafka.read_committed(&topic);
    assert_eq!(records.len(), 5_000);
    assert!(records.iter().all(|record| record.value.contains(&format!("\"card\":\"{}\"", record.key))));
}

#[test]
fn what_cannot_be_is_told() {
    let cases: [(&[&str], i32, &str); 11] = [
        (&["words"], 2, "--tcp <PORT>"),
        (&["nexmark", "--tcp", "0"], 2, "words"),
        (&["words", "--tcp", "70000"], 2, "70000"),
        (&["words", "--tcp", "0", "--files", "x"], 2, "cannot be used with"),
        (&["words", "--kafka", "broker:9092"], 2, "--kafka"),
        (&["words", "--kafka", "127.0.0.1:1", "t"], 1, "127.0.0.1:1"),
        (&["words", "--kafka", "b:1", "t", "--set", "security.protocol=MAGIC"], 2, "MAGIC"),
        (&["words", "--kafka", "b:1", "t", "--set", "group.id=g"], 2, "\"group.id\" is set by the engine"),
        (&["words", "--kafka", "b:1", "t", "--set", "acks"], 2, "it is no KEY=VALUE"),
        (&["words", "--tcp", "0", "--set", "acks=1"], 2, "--set is for --kafka only"),
        (&["words", "--files", "/proc/no"], 1, "cannot write into \"/proc/no\""),
    ];
    for (arguments, code, told) in cases {
        let output = tidemill(&[&["gen"], arguments].concat());
        let error = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(code), "{arguments:?}: {error}");
        assert!(error.contains(told), "{arguments:?}: {error}");
    }
}
