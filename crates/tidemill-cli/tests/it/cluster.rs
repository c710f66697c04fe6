//! The same program on one process and on three: the same answers, the same failures, the same end.

use super::programs::PROGRAM;
use rustix::process::{Pid, Signal, kill_process};
use std::{
    io::{BufRead, BufReader, Read, Write},
    net::TcpListener,
    path::Path,
    process::{Child, ChildStdout, Command, Stdio},
    time::Duration,
};
use tidemill::base::clock::Stopwatch;

/// A program under `tidemill launch`.
fn launch(processes: usize, program: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tidemill"));
    command.args(["launch", "--timeout", "60", "-n", &processes.to_string(), "--"]);
    command.arg(std::env::current_exe().unwrap()).args(MEMBER);
    command.env(PROGRAM, program).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

const MEMBER: [&str; 4] = ["--exact", "programs::program", "--ignored", "--nocapture"];

/// What a launched program came to.
struct Ended {
    code: Option<i32>,
    /// What each process said, in its order.
    said: Vec<(usize, String)>,
    errors: String,
}

impl Ended {
    fn said_by(&self, process: usize) -> Vec<&str> {
        self.said.iter().filter(|(index, _)| *index == process).map(|(_, what)| what.as_str()).collect()
    }
}

fn said(line: &str) -> Option<(usize, String)> {
    let (index, what) = line.strip_prefix("process ")?.split_once(' ')?;
    Some((index.parse().ok()?, what.to_owned()))
}

fn finish(mut child: Child, mut stdout: impl Read) -> Ended {
    let mut text = String::new();
    let mut stderr = child.stderr.take().unwrap();
    let read = move || {
        let mut errors = String::new();
        stderr.read_to_string(&mut errors).unwrap();
        errors
    };
    let errors = std::thread::Builder::new().name("errors".into()).spawn(read).unwrap();
    stdout.read_to_string(&mut text).unwrap();
    let code = child.wait().unwrap().code();
    Ended { code, said: text.lines().filter_map(said).collect(), errors: errors.join().unwrap() }
}

fn run(processes: usize, program: &str) -> Ended {
    let mut child = launch(processes, program).spawn().unwrap();
    let stdout = child.stdout.take().unwrap();
    finish(child, stdout)
}

fn succeed(processes: usize, program: &str) -> Ended {
    let ended = run(processes, program);
    assert_eq!(ended.code, Some(0), "{:?}\n{}", ended.said, ended.errors);
    ended
}

/// Starts a program and reads until every process has said something that starts with `word`; what follows it, by process.
fn start(processes: usize, mut command: Command, word: &str) -> (Child, BufReader<ChildStdout>, Vec<String>) {
    let mut child = command.spawn().unwrap();
    let mut stdout = BufReader::new(child.stdout.take().unwrap());
    let (mut ready, mut all) = (Vec::new(), String::new());
    while ready.len() < processes {
        let mut line = String::new();
        assert_ne!(stdout.read_line(&mut line).unwrap(), 0, "{all}{:?}", finish(child, stdout).errors);
        all.push_str(&line);
        let line = said(line.trim_end()).filter(|(_, what)| what.starts_with(word));
        ready.extend(line.map(|(index, what)| (index, what[word.len()..].trim().to_owned())));
    }
    ready.sort();
    (child, stdout, ready.into_iter().map(|(_, what)| what).collect())
}

#[test]
fn a_batch_program_gives_the_same_answers_in_every_process() {
    let alone = succeed(1, "batch");
    let together = succeed(3, "batch");
    assert_eq!(alone.said_by(0).len(), 5);
    for process in 0..3 {
        assert_eq!(together.said_by(process), alone.said_by(0));
    }
}

#[test]
fn a_stream_gives_the_same_answers_and_collected_batches_are_seen_once() {
    let (alone, together) = (succeed(1, "stream"), succeed(3, "stream"));
    assert_eq!(alone.said_by(0)[0], "totals [100, 300, 600, 1000, 1500, 2100]");
    assert_eq!(alone.said_by(0).len(), 7);
    assert_eq!(together.said_by(0), alone.said_by(0));
    for process in 1..3 {
        assert_eq!(together.said_by(process), alone.said_by(0)[..1]);
    }
}

/// The lines of the finished files below a folder.
fn lines_below(folder: &Path) -> Vec<i64> {
    let mut lines = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        if path.is_dir() {
            assert!(path.join("_SUCCESS").exists(), "{name}");
            lines.extend(lines_below(&path));
        } else if !name.starts_with('_') {
            assert!(!name.starts_with('.'), "{name} was left");
            lines.extend(std::fs::read_to_string(&path).unwrap().lines().map(|line| line.parse::<i64>().unwrap()));
        }
    }
    lines.sort_unstable();
    lines
}

#[test]
fn sinks_are_written_by_all_processes_and_an_output_that_is_tried_again_once() {
    for processes in [1, 3] {
        let folder = std::env::temp_dir().join(format!("tidemill-sinks-{}-{processes}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let mut command = launch(processes, "sinks");
        let mut child = command.env("TIDEMILL_TEST_FOLDER", &folder).spawn().unwrap();
        let stdout = child.stdout.take().unwrap();
        let ended = finish(child, stdout);
        assert_eq!(ended.code, Some(0), "{:?}\n{}", ended.said, ended.errors);
        assert_eq!(lines_below(&folder.join("text")), (0..3_000).collect::<Vec<_>>());
        assert_eq!(lines_below(&folder.join("rolling")), (0..3_000).collect::<Vec<_>>());
        if processes > 1 {
            assert_ne!(ended.said_by(1), ["tries 0"], "process 1 has had no part in the second batch");
        }
        std::fs::remove_dir_all(&folder).unwrap();
    }
}

#[test]
fn a_socket_is_read_by_one_process_and_a_signal_drains_all() {
    for processes in [1, 3] {
        let server = TcpListener::bind("127.0.0.1:0").unwrap();
        let mut command = launch(processes, "socket");
        command.env("TIDEMILL_TEST_PORT", server.local_addr().unwrap().port().to_string());
        let (child, mut stdout, _) = start(processes, command, "started");
        let mut connection = server.accept().unwrap().0;
        for _ in 0..500 {
            connection.write_all(b"to be or not to be\n").unwrap();
        }
        connection.flush().unwrap();
        let (mut counted, mut line) = (0, String::new());
        let mut counts = std::collections::BTreeMap::new();
        while counted < 3_000 {
            line.clear();
            assert_ne!(stdout.read_line(&mut line).unwrap(), 0, "{:?}", finish(child, stdout).errors);
            let Some((index, what)) = said(line.trim_end()) else { continue };
            let Some((word, count)) = what.strip_prefix("count ").and_then(|rest| rest.split_once(' ')) else {
                continue;
            };
            assert_eq!(index, 0);
            let count: i64 = count.parse().unwrap();
            *counts.entry(word.to_owned()).or_insert(0) += count;
            counted += count;
        }
        assert_eq!(
            counts.into_iter().collect::<Vec<_>>(),
            [("be".to_owned(), 1_000), ("not".to_owned(), 500), ("or".to_owned(), 500), ("to".to_owned(), 1_000)]
        );
        kill_process(Pid::from_child(&child), Signal::TERM).unwrap();
        let ended = finish(child, stdout);
        assert_eq!(ended.code, Some(0), "{}", ended.errors);
        assert_eq!(ended.said.iter().filter(|(_, what)| what == "ended").count(), processes, "{}", ended.errors);
    }
}

#[test]
fn state_and_windows_give_the_same_answers() {
    let (alone, together) = (succeed(1, "stateful"), succeed(3, "stateful"));
    assert_eq!(alone.said_by(0).len(), 6);
    assert_eq!(together.said_by(0), alone.said_by(0));
    assert!(alone.said_by(0)[1].contains("(0, (735, Some(735)))"), "{:?}", alone.said);
}

#[test]
fn every_process_keeps_the_records_that_it_puts_aside_and_all_count_together() {
    let ended = succeed(3, "put aside");
    assert_eq!(ended.said_by(0), ["put aside 6", "letters [Some(\"1\"), Some(\"7\"), Some(\"20\")]"]);
    assert_eq!(ended.said_by(1), ["letters [Some(\"3\"), Some(\"9\")]"]);
    assert_eq!(ended.said_by(2), ["letters [Some(\"5\")]"]);
    let ended = run(3, "over budget");
    assert_eq!(ended.code, Some(3), "{}", ended.errors);
    for process in 0..3 {
        let said = ended.said_by(process);
        assert!(
            said.iter().any(|said| said.contains("tidemill.deadLetter.maxPerBatch")),
            "{:?} {}",
            ended.said,
            ended.errors
        );
    }
}

#[test]
fn threads_of_one_program_run_jobs_in_an_order_that_all_processes_keep() {
    let (alone, together) = (succeed(1, "threads"), succeed(3, "threads"));
    assert_eq!(alone.said_by(0), ["threads [145, 145] accumulated 1000"]);
    for process in 0..3 {
        assert_eq!(together.said_by(process), alone.said_by(0));
    }
}

#[test]
fn a_task_that_panics_fails_alike_everywhere_and_the_program_goes_on() {
    let ended = run(3, "failing task");
    assert_eq!(ended.code, Some(3), "{}", ended.errors);
    let first = ended.said_by(0);
    assert!(first[0].contains("no ") && first[0].contains("partition"), "{first:?}");
    assert_eq!(first[1], "went on 60");
    for process in 1..3 {
        assert_eq!(ended.said_by(process)[..2], first[..2]);
    }
}

#[test]
fn a_batch_that_fails_in_one_process_fails_in_all() {
    for (program, message) in [("failing output", "no disk"), ("failing follower", "only here")] {
        let ended = run(3, program);
        assert_eq!(ended.code, Some(3), "{program}: {}", ended.errors);
        for process in 0..3 {
            let said = ended.said_by(process);
            assert!(said.len() == 1 && said[0].contains(message), "{program}: {:?} {}", ended.said, ended.errors);
        }
    }
}

#[test]
fn a_killed_process_ends_a_running_stream_within_a_second() {
    for victim in [0, 2] {
        let (child, stdout, ids) = start(3, launch(3, "endless"), "id");
        let watch = Stopwatch::start();
        kill_process(Pid::from_raw(ids[victim].parse().unwrap()).unwrap(), Signal::KILL).unwrap();
        let ended = finish(child, stdout);
        let elapsed = watch.elapsed();
        assert_eq!(ended.code, Some(128 + 9), "{}", ended.errors);
        assert!(elapsed < Duration::from_secs(1), "{elapsed:?} {}", ended.errors);
        let told = format!("process {victim} (");
        assert!(
            ended.errors.lines().any(|line| line.contains(&told) && line.contains("was lost: ")),
            "{}",
            ended.errors
        );
        eprintln!("all ended {elapsed:?} after process {victim} was killed\n{}", ended.errors);
    }
}

#[test]
fn programs_that_declare_different_jobs_are_refused() {
    for program in ["other jobs", "fewer jobs"] {
        let ended = run(2, program);
        assert_eq!(ended.code, Some(78), "{program}: {}", ended.errors);
        assert!(ended.errors.contains("the processes do not run the same program"), "{}", ended.errors);
        assert!(ended.errors.contains("\"count at "), "{}", ended.errors);
    }
    let ended = run(2, "more jobs");
    assert_eq!(ended.code, Some(3), "{}", ended.errors);
    assert!(ended.said_by(1)[0].contains("declare the same jobs in every process"), "{:?}", ended.said);
}

#[test]
fn a_second_context_is_refused() {
    let ended = run(2, "two contexts");
    assert_eq!(ended.code, Some(3), "{}", ended.errors);
    assert!(ended.said_by(0)[0].contains("make one context"), "{:?}", ended.said);
}

#[test]
fn different_binaries_are_refused() {
    let folder = std::env::temp_dir().join(format!("tidemill-other-build-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let other = folder.join("other");
    std::fs::copy(std::env::current_exe().unwrap(), &other).unwrap();
    // It runs all the same, but is another file.
    std::fs::OpenOptions::new().append(true).open(&other).unwrap().write_all(b"!").unwrap();
    let script = "if [ $TIDEMILL_PROCESS_INDEX = 1 ]; then exec \"$0\" \"$@\"; else shift 0; exec \"$SAME\" \"$@\"; fi";
    let mut command = Command::new(env!("CARGO_BIN_EXE_tidemill"));
    command.args(["launch", "--timeout", "60", "-n", "2", "--", "sh", "-c", script]).arg(&other).args(MEMBER);
    command.env("SAME", std::env::current_exe().unwrap()).env(PROGRAM, "batch");
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let stdout = child.stdout.take().unwrap();
    let ended = finish(child, stdout);
    std::fs::remove_dir_all(folder).unwrap();
    assert_eq!(ended.code, Some(3), "{}", ended.errors);
    assert!(ended.said.iter().all(|(_, what)| what.contains("build")), "{:?} {}", ended.said, ended.errors);
}

/// Not a check: `cargo test --release -- --ignored --nocapture small_job`.
#[test]
#[ignore = "a measurement"]
fn how_long_a_small_job_takes() {
    for processes in [1, 2, 3] {
        let ended = succeed(processes, "latency");
        eprintln!("{processes} processes: {}", ended.said_by(0)[0]);
    }
}
