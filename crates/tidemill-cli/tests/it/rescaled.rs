//! A program that is remembered, on one process, then on three, then on two; each time one of them is killed.

use super::counted::{Records, example};
use rand::{RngExt, SeedableRng, rngs::StdRng};
use rustix::process::{Pid, Signal, kill_process};
use std::{
    fs,
    process::{Child, Command, Stdio},
    time::Duration,
};
use tidemill::{Interrupt, base::clock::Stopwatch};

/// How long the end of a cluster is waited for.
const PATIENCE: Duration = Duration::from_secs(30);

fn pause(milliseconds: u64) {
    Interrupt::new().wait_timeout(Duration::from_millis(milliseconds));
}

fn launch(processes: usize, records: &Records) -> Child {
    let log = fs::OpenOptions::new().create(true).append(true).open(records.folder.join("log")).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_tidemill"));
    command.args(["launch", "--timeout", "60", "-n", &processes.to_string(), "--"]);
    command.arg(example("stateful_file_count")).args(records.arguments());
    command.stdin(Stdio::null()).stdout(log.try_clone().unwrap()).stderr(log).spawn().unwrap()
}

/// The processes that `parent` started.
fn children(parent: &Child) -> Vec<Pid> {
    let path = format!("/proc/{0}/task/{0}/children", parent.id());
    let ids = fs::read_to_string(path).unwrap_or_default();
    ids.split_whitespace().filter_map(|id| Pid::from_raw(id.parse().ok()?)).collect()
}

fn end(mut launched: Child) -> Option<i32> {
    let watch = Stopwatch::start();
    while watch.elapsed() < PATIENCE {
        if let Some(status) = launched.try_wait().unwrap() {
            return status.code();
        }
        pause(5);
    }
    launched.kill().unwrap();
    panic!("the cluster does not end");
}

#[test]
fn state_follows_its_keys_to_any_number_of_processes() {
    let folder = tempfile::tempdir().unwrap();
    let mut records = Records::new(3, folder.path());
    let mut random = StdRng::seed_from_u64(3);
    for processes in [1, 3, 2] {
        let launched = launch(processes, &records);
        for _ in 0..6 {
            records.give();
            pause(random.random_range(50..250));
        }
        let victims = children(&launched);
        assert_eq!(victims.len(), processes, "{:?}", fs::read_to_string(records.folder.join("log")));
        kill_process(victims[random.random_range(0..processes)], Signal::KILL).unwrap();
        assert_ne!(end(launched), Some(0));
    }
    let launched = launch(2, &records);
    records.give();
    pause(1_000);
    kill_process(Pid::from_raw(launched.id() as i32).unwrap(), Signal::TERM).unwrap();
    let log = || fs::read_to_string(records.folder.join("log")).unwrap();
    assert_eq!(end(launched), Some(0), "{}", log());
    records.check(&log());
}
