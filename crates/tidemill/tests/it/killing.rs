//! A real program, killed with SIGKILL at random moments and started again: files in, counts by key, files out.
//!
//! What is asked of `stateful_file_count`: every record of its input is in its output once, with its number among those
//! of its key, whatever happened in between. `TIDEMILL_SEED` chooses the first seed, each test says which it took.

#![allow(clippy::print_stderr, reason = "a test tells its seed")]

use crate::{
    counted::{Records, example},
    patience::until,
};
use rand::RngExt;
use std::{
    fs,
    hash::{BuildHasher, Hasher, RandomState},
    path::Path,
    process::{Child, Command, Stdio},
    time::Duration,
};
use tidemill::{Interrupt, base::clock::Stopwatch};

fn first_seed() -> u64 {
    let given = std::env::var("TIDEMILL_SEED").ok().map(|seed| seed.parse().unwrap());
    given.unwrap_or_else(|| RandomState::new().build_hasher().finish() % 1_000_000)
}

struct Trial(Records);

impl Trial {
    fn start(&self) -> Child {
        let log = fs::OpenOptions::new().create(true).append(true).open(self.0.folder.join("log")).unwrap();
        let mut command = Command::new(example("stateful_file_count"));
        command.args(self.0.arguments()).stdin(Stdio::null()).stdout(log.try_clone().unwrap()).stderr(log);
        command.spawn().unwrap()
    }

    /// Gives files for some time.
    fn feed(&mut self, time: Duration) {
        let (watch, pause) = (Stopwatch::start(), Interrupt::new());
        while watch.elapsed() < time {
            if self.0.are_left() && self.0.random.random_bool(0.5) {
                self.0.give();
            }
            pause.wait_timeout(Duration::from_millis(self.0.random.random_range(1..40)));
        }
    }

    fn kill_again_and_again(&mut self) {
        for _ in 0..self.0.random.random_range(3..9) {
            let mut program = self.start();
            let time = Duration::from_millis(self.0.random.random_range(1..700));
            self.feed(time);
            program.kill().unwrap();
            program.wait().unwrap();
            if self.0.random.random_bool(0.3) {
                self.feed(Duration::from_millis(30));
            }
        }
    }

    /// Gives the rest, asks the program to end, and waits for that.
    fn end(&mut self) {
        while self.0.are_left() {
            self.0.give();
        }
        let mut program = self.start();
        // A program that is told to end before it has begun need not look at its input.
        Interrupt::new().wait_timeout(Duration::from_millis(500));
        assert!(Command::new("kill").args(["-TERM", &program.id().to_string()]).status().unwrap().success());
        let mut status = None;
        until("the program has drained", || {
            status = program.try_wait().unwrap();
            status.is_some()
        });
        assert_eq!(status.unwrap().code(), Some(0), "seed {}: {}", self.0.seed, self.log());
    }

    fn log(&self) -> String {
        fs::read_to_string(self.0.folder.join("log")).unwrap_or_default()
    }
}

fn run_seed(seed: u64, folder: &Path) {
    let mut trial = Trial(Records::new(seed, folder));
    trial.kill_again_and_again();
    trial.end();
    trial.0.check(&trial.log());
    fs::remove_dir_all(&trial.0.folder).unwrap();
}

/// Two at a time, for there is much waiting in it.
fn run_seeds(count: u64) {
    let first = first_seed();
    eprintln!("seeds {first} to {}", first + count - 1);
    let folder = tempfile::tempdir().unwrap();
    let run = |seeds: Vec<u64>| seeds.into_iter().for_each(|seed| run_seed(seed, folder.path()));
    let (even, odd): (Vec<u64>, Vec<u64>) = (first..first + count).partition(|seed| seed.is_multiple_of(2));
    std::thread::scope(|scope| {
        let other = std::thread::Builder::new().name("odd-seeds".into()).spawn_scoped(scope, || run(odd)).unwrap();
        run(even);
        other.join().unwrap();
    });
}

#[test]
fn a_program_that_is_killed_again_and_again_counts_every_record_once() {
    run_seeds(10);
}

#[test]
#[ignore = "the long run of the test above, for make soak"]
fn soak_of_a_program_that_is_killed_again_and_again() {
    run_seeds(200);
}
