//! A real program between two topics, killed with SIGKILL at random moments and started again, while brokers come and go.
//!
//! What is asked of `kafka_to_kafka`: a reader of what is committed finds every record of its input once, with its number
//! among those of its key, in order. `TIDEMILL_SEED` chooses the first seed, each test says which it took.

#![allow(clippy::print_stderr, reason = "a test tells its seed")]

use crate::examples::example;
use rand::{RngExt, SeedableRng, rngs::StdRng};
use std::{
    collections::BTreeMap,
    fs::{self, OpenOptions},
    hash::{BuildHasher, RandomState},
    net::TcpListener,
    process::{Child, Command, Stdio},
    time::Duration,
};
use tempfile::TempDir;
use tidemill::{
    Interrupt,
    base::clock::Stopwatch,
    engine::cluster::{ClusterConfig, Secret},
};
use tidemill_kafka_broker::Kafka;

const RECORDS: usize = 2_000;
const MOST_AT_ONCE: usize = 150;
const KEYS: u64 = 17;

fn first_seed() -> u64 {
    let given = std::env::var("TIDEMILL_SEED").ok().map(|seed| seed.parse().unwrap());
    given.unwrap_or_else(|| RandomState::new().hash_one(()) % 1_000_000)
}

/// The processes of one start.
struct Program(Vec<Child>);

impl Program {
    fn kill(mut self) {
        for child in &mut self.0 {
            // The others end when they lose it, or are killed as well.
            let _ = child.kill();
        }
        for child in &mut self.0 {
            child.wait().unwrap();
        }
    }

    fn has_ended(&mut self) -> bool {
        self.0.iter_mut().any(|child| child.try_wait().unwrap().is_some())
    }

    /// Asks it to end; the exit codes.
    fn end(mut self) -> Vec<Option<i32>> {
        for child in &self.0 {
            assert!(Command::new("kill").args(["-TERM", &child.id().to_string()]).status().unwrap().success());
        }
        self.0.iter_mut().map(|child| child.wait().unwrap().code()).collect()
    }
}

/// A cluster of so many processes on free ports.
fn cluster(processes: usize) -> ClusterConfig {
    let ports: Vec<_> = (0..processes).map(|_| TcpListener::bind("127.0.0.1:0").unwrap()).collect();
    let addresses = ports.iter().map(|port| port.local_addr().unwrap().to_string()).collect();
    let secret = Secret::new("0123456789abcdef0123456789abcdef");
    ClusterConfig::loopback(addresses, 0).unwrap().with_workers(2).unwrap().with_secret(secret).unwrap()
}

struct Trial<'a> {
    kafka: &'a Kafka,
    seed: u64,
    random: StdRng,
    topics: [String; 2],
    folder: TempDir,
    given: usize,
    processes: usize,
}

impl<'a> Trial<'a> {
    fn new(kafka: &'a Kafka, seed: u64) -> Self {
        let topics = ["in", "out"].map(|name| kafka.topic(&format!("{name}-{seed}"), 3));
        let (random, folder) = (StdRng::seed_from_u64(seed), tempfile::tempdir().unwrap());
        let processes = if seed.is_multiple_of(3) { 2 } else { 1 };
        Self { kafka, seed, random, topics, folder, given: 0, processes }
    }

    fn start(&self) -> Program {
        let cluster = cluster(self.processes);
        let spawn = |index| {
            let log = OpenOptions::new().create(true).append(true).open(self.folder.path().join("log")).unwrap();
            let mut command = Command::new(example("kafka_to_kafka"));
            command.arg(self.kafka.bootstrap()).args(&self.topics).arg(self.folder.path().join("checkpoint"));
            if self.processes > 1 {
                command.envs(cluster.to_vars(index).unwrap());
            }
            command.stdin(Stdio::null()).stdout(log.try_clone().unwrap()).stderr(log).spawn().unwrap()
        };
        Program((0..self.processes).map(spawn).collect())
    }

    fn log(&self) -> String {
        fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }

    fn give(&mut self) {
        let count = self.random.random_range(0..=MOST_AT_ONCE).min(RECORDS - self.given);
        let key = |id: usize| format!("key{}", (id as u64).wrapping_mul(0x9e37_79b9) % KEYS);
        let records: Vec<_> =
            (self.given + 1..=self.given + count).map(|id| (key(id), format!("{id} {}", key(id)))).collect();
        let records: Vec<_> = records.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect();
        self.kafka.produce(&self.topics[0], &records);
        self.given += count;
    }

    /// Gives records for some time.
    fn feed(&mut self, time: Duration) {
        let (since, pause) = (Stopwatch::start(), Interrupt::new());
        while since.elapsed() < time {
            self.give();
            pause.wait_timeout(Duration::from_millis(self.random.random_range(1..80)));
        }
    }

    fn kill_again_and_again(&mut self) {
        for _ in 0..self.random.random_range(3..7) {
            let program = self.start();
            let time = Duration::from_millis(self.random.random_range(1..2_000));
            self.feed(time);
            program.kill();
        }
    }

    /// The brokers come and go while the program runs.
    fn restart_a_broker(&mut self) {
        let program = self.start();
        let time = Duration::from_millis(self.random.random_range(500..2_000));
        self.feed(time);
        let node = self.random.random_range(0..self.kafka.nodes());
        self.kafka.kill(node);
        Interrupt::new().wait_timeout(Duration::from_millis(self.random.random_range(1..1_000)));
        // It is killed while the node is away, or sees it come back.
        let mut program = Some(program);
        if self.random.random_bool(0.5) {
            program.take().into_iter().for_each(Program::kill);
        }
        self.kafka.resume(node);
        self.feed(Duration::from_millis(300));
        program.into_iter().for_each(Program::kill);
    }

    /// Gives the rest, waits until all is there, and asks the program to end.
    fn end(&mut self) {
        while self.given < RECORDS {
            self.give();
        }
        let (mut program, since) = (self.start(), Stopwatch::start());
        while self.kafka.read_committed(&self.topics[1]).len() < RECORDS {
            assert!(!program.has_ended(), "seed {}: it ended\n{}", self.seed, self.log());
            assert!(since.elapsed() < Duration::from_secs(60), "seed {}: not all is there\n{}", self.seed, self.log());
            Interrupt::new().wait_timeout(Duration::from_millis(200));
        }
        // On a slow machine the time to drain may be over before the last batches, which a restart would run.
        let is_drained = program.end() == vec![Some(0); self.processes];
        let log = self.log();
        assert!(is_drained || log.contains("were given up, because the stop"), "seed {}: {log}", self.seed);
    }

    fn check(&self) {
        let mut counts: BTreeMap<String, u64> = BTreeMap::new();
        let (mut last_ids, mut ids) = (BTreeMap::new(), vec![0; RECORDS + 1]);
        for record in self.kafka.read_committed(&self.topics[1]) {
            let fields: Vec<_> = record.value.split(' ').collect();
            let [id, key, number] = fields[..] else { panic!("seed {}: a record reads {record:?}", self.seed) };
            let id: usize = id.parse().unwrap();
            ids[id] += 1;
            let count = counts.entry(key.to_owned()).or_default();
            *count += 1;
            let last = last_ids.insert(key.to_owned(), id);
            let in_order = number == count.to_string() && last < Some(id) && record.key == key;
            assert!(in_order, "seed {}: {record:?} comes after {last:?} as number {count}\n{}", self.seed, self.log());
        }
        let wrong: Vec<_> = (1..=RECORDS).filter(|id| ids[*id] != 1).map(|id| (id, ids[id])).collect();
        assert!(wrong.is_empty(), "seed {}: ids and how often they are there: {wrong:?}\n{}", self.seed, self.log());
    }
}

fn run_seeds(count: u64) {
    // Three nodes: a single one that goes down while it ends a transaction may never end it, which is Kafka's affair.
    let (first, kafka) = (first_seed(), Kafka::start(3));
    eprintln!("seeds {first} to {}", first + count - 1);
    for seed in first..first + count {
        let mut trial = Trial::new(&kafka, seed);
        trial.kill_again_and_again();
        // It takes seconds.
        if seed.is_multiple_of(2) {
            trial.restart_a_broker();
        }
        trial.end();
        trial.check();
    }
}

#[test]
fn a_program_that_is_killed_again_and_again_writes_every_record_once() {
    run_seeds(5);
}

#[test]
#[ignore = "the long run of the test above, for make soak"]
fn soak_of_a_program_and_brokers_that_are_killed_again_and_again() {
    run_seeds(50);
}
