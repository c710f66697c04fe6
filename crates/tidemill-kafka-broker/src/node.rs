//! One node: a process of its own group, which `ci/kafka/watched.sh` ends when our end of its standard input is gone.

use rustix::process::{Pid, Signal, kill_process_group};
use std::{
    fs,
    net::TcpListener,
    os::unix::process::CommandExt,
    path::{Path, PathBuf},
    process::{Child, ChildStdin, Command, Stdio},
    time::Duration,
};
use tidemill::{Interrupt, base::clock::Stopwatch};

const START: Duration = Duration::from_secs(60);
const READY: &str = "Kafka Server started";

#[derive(Debug)]
pub(crate) struct Node {
    folder: PathBuf,
    arguments: Vec<String>,
    running: Option<Running>,
    /// How much of the log is of earlier starts.
    earlier_bytes: usize,
}

#[derive(Debug)]
struct Running {
    child: Child,
    /// Held apart, for waiting for a child closes what the child holds.
    _alive: Option<ChildStdin>,
}

/// So many ports that nobody listens on.
pub(crate) fn free_ports(count: usize) -> Vec<u16> {
    let listeners: Vec<_> = (0..count).map(|_| TcpListener::bind("127.0.0.1:0").expect("a port is free")).collect();
    listeners.iter().map(|listener| listener.local_addr().expect("it is bound").port()).collect()
}

/// The jars of `ci/kafka.sh`, in the target folder that this program was built into.
fn jars() -> PathBuf {
    let program = std::env::current_exe().expect("a program knows where it is");
    let jars = program.ancestors().map(|folder| folder.join("kafka/jars")).find(|jars| jars.is_dir());
    jars.expect("the jars of Kafka are not there; run ci/kafka.sh (make kafka-jars) first")
}

impl Node {
    pub(crate) fn new(folder: PathBuf, arguments: Vec<String>) -> Self {
        Self { folder, arguments, running: None, earlier_bytes: 0 }
    }

    pub(crate) fn log(&self) -> String {
        String::from_utf8_lossy(&fs::read(self.folder.join("log")).unwrap_or_default()).into_owned()
    }

    pub(crate) fn run(&mut self) {
        if self.running.is_some() {
            return;
        }
        self.earlier_bytes = self.log().len();
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../ci/kafka/watched.sh");
        let mut child = Command::new(script)
            .arg(&self.folder)
            .args(&self.arguments)
            .env("KAFKA_JARS", jars())
            .stdin(Stdio::piped())
            .process_group(0)
            .spawn()
            .expect("\"bash\" can be started");
        self.running = Some(Running { _alive: child.stdin.take(), child });
    }

    pub(crate) fn await_ready(&mut self) {
        let since = Stopwatch::start();
        while !self.log().get(self.earlier_bytes..).is_some_and(|log| log.contains(READY)) {
            let ended = self.running.as_mut().is_none_or(|node| !matches!(node.child.try_wait(), Ok(None)));
            if ended || since.elapsed() > START {
                let log = self.log();
                let lines: Vec<_> = log.lines().collect();
                panic!(
                    "Kafka did not start; the end of its log:\n{}",
                    lines[lines.len().saturating_sub(40)..].join("\n")
                );
            }
            let _ = Interrupt::new().wait_timeout(Duration::from_millis(30));
        }
    }

    fn signal(&self, signal: Signal) {
        if let Some(node) = &self.running {
            let _ = kill_process_group(Pid::from_child(&node.child), signal);
        }
    }

    fn end(&mut self, signal: Signal) {
        self.signal(signal);
        if let Some(mut node) = self.running.take() {
            let _ = node.child.wait();
        }
    }

    pub(crate) fn stop(&mut self) {
        self.end(Signal::TERM);
    }

    pub(crate) fn kill(&mut self) {
        self.end(Signal::KILL);
    }

    pub(crate) fn freeze(&self) {
        self.signal(Signal::STOP);
    }

    pub(crate) fn wake(&self) {
        self.signal(Signal::CONT);
    }
}
