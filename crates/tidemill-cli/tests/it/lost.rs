//! A real cluster under `tidemill launch`, one process of which is killed.

#![allow(clippy::print_stdout, reason = "the processes tell the test their ids")]

use rustix::process::{Pid, Signal, kill_process};
use std::{
    io::{BufRead, BufReader, Read},
    process::{Command, Stdio},
    time::Duration,
};
use tidemill::{
    ErrorKind,
    base::clock::Stopwatch,
    engine::cluster::{BuildId, CONNECT_TIMEOUT, Cluster, ClusterConfig, Timing, end_process},
};

/// The program that the tests below launch: this very executable, told to run only this.
#[test]
#[ignore = "a process of the clusters of other tests"]
fn member() {
    let Some(config) = ClusterConfig::from_env().unwrap() else { return };
    let cluster = Cluster::connect(&config, BuildId::of_executable().unwrap(), CONNECT_TIMEOUT).unwrap();
    let (_data, control) = cluster.into_parts(end_process(config.addresses().to_vec()), Timing::default()).unwrap();
    if config.index() == 0 {
        control.broadcast(b"go").unwrap();
        for _ in 1..config.processes() {
            println!("\nmember {}", String::from_utf8(control.recv().unwrap().payload).unwrap());
        }
        println!("\nmember 0 {}", std::process::id());
        let mut line = String::new();
        std::io::stdin().read_line(&mut line).unwrap();
    } else {
        assert_eq!(control.recv().unwrap().payload, b"go");
        control.send(format!("{} {}", config.index(), std::process::id()).as_bytes()).unwrap();
        assert_eq!(control.recv().unwrap_err().kind(), ErrorKind::Closed);
    }
    control.close();
}

fn launch_members() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tidemill"));
    command.args(["launch", "-n", "3", "--timeout", "30", "--"]).arg(std::env::current_exe().unwrap());
    command.args(["--exact", "lost::member", "--ignored", "--nocapture"]);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// The process ids that the members print, by index.
fn members(stdout: impl Read) -> Vec<Pid> {
    let lines = BufReader::new(stdout).lines().map(Result::unwrap);
    let members = lines.filter_map(|line| {
        let (index, id) = line.strip_prefix("member ")?.split_once(' ')?;
        Some((index.parse::<usize>().unwrap(), id.parse::<i32>().unwrap()))
    });
    let mut members: Vec<_> = members.take(3).collect();
    members.sort_unstable();
    assert_eq!(members.iter().map(|(index, _)| *index).collect::<Vec<_>>(), [0, 1, 2]);
    members.into_iter().map(|(_, id)| Pid::from_raw(id).unwrap()).collect()
}

#[test]
fn processes_that_end_in_good_order_succeed() {
    let mut launch = launch_members().spawn().unwrap();
    let mut stdout = launch.stdout.take().unwrap();
    assert_eq!(members(&mut stdout).len(), 3);
    drop(launch.stdin.take());
    // So that nobody writes into a closed pipe.
    std::io::copy(&mut stdout, &mut std::io::sink()).unwrap();
    let output = launch.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn a_killed_process_ends_all_within_a_second() {
    let mut launch = launch_members().spawn().unwrap();
    let _stdin = launch.stdin.take();
    let mut stdout = launch.stdout.take().unwrap();
    let members = members(&mut stdout);
    let watch = Stopwatch::start();
    kill_process(members[2], Signal::KILL).unwrap();
    std::io::copy(&mut stdout, &mut std::io::sink()).unwrap();
    let output = launch.wait_with_output().unwrap();
    let elapsed = watch.elapsed();
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(128 + 9), "{stderr}");
    assert!(elapsed < Duration::from_secs(1), "{elapsed:?}");
    let told = stderr.lines().filter(|line| line.contains("was lost: ")).collect::<Vec<_>>();
    assert!(told.len() == 2 && told.iter().any(|line| line.starts_with("tidemill: process 2 (")), "{stderr}");
    eprintln!("all ended {elapsed:?} after the kill");
}
