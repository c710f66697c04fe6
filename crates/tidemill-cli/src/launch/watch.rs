//! Looks after the processes that were started: passes signals on, and ends what is left when one fails.

use rustix::process::{Pid, Signal, kill_process};
use signal_hook::{
    consts::{SIGCHLD, SIGINT, SIGTERM},
    iterator::{Handle, Signals},
};
use std::{
    io,
    os::unix::process::ExitStatusExt,
    process::{Child, ExitStatus},
    sync::mpsc::{Receiver, RecvTimeoutError, sync_channel},
    thread::{Builder, JoinHandle},
    time::Duration,
};
use tidemill::base::clock::Stopwatch;

/// How long the others have to end by themselves after one failed.
const GRACE: Duration = Duration::from_secs(1);
/// How long to wait if nothing limits it; a signal ends the wait at any time.
const LONG: Duration = Duration::from_secs(3600);
/// What `timeout(1)` ends with.
const TIMED_OUT: u8 = 124;
/// What a process ends with because another was lost: never the first cause.
const PEER_LOST: u8 = 70;
/// Signals that wait to be looked at; more of the same kind add nothing.
const QUEUE_SIGNALS: usize = 64;

/// The processes that were started and have not ended yet. Dropping it kills them.
pub(super) struct Children {
    running: Vec<(usize, Child)>,
    started: usize,
    signals: Receiver<i32>,
    handle: Handle,
    thread: Option<JoinHandle<()>>,
    failed: Option<u8>,
    /// The rest was killed from here.
    killed: bool,
    deadline: Option<Deadline>,
}

/// When the processes that are left are killed.
struct Deadline {
    watch: Stopwatch,
    limit: Duration,
}

impl Deadline {
    fn after(limit: Duration) -> Self {
        Self { watch: Stopwatch::start(), limit }
    }

    fn left(&self) -> Duration {
        self.limit.saturating_sub(self.watch.elapsed())
    }
}

impl Children {
    /// None yet. Signals are caught from here on, so that none is missed while the processes start.
    pub(super) fn new() -> io::Result<Self> {
        let mut caught = Signals::new([SIGCHLD, SIGINT, SIGTERM])?;
        let handle = caught.handle();
        let (sender, signals) = sync_channel(QUEUE_SIGNALS);
        let forward = move || caught.forever().take_while(|signal| sender.send(*signal).is_ok()).for_each(drop);
        let thread = Some(Builder::new().name("tidemill-signals".into()).spawn(forward)?);
        Ok(Self {
            running: Vec::new(),
            started: 0,
            signals,
            handle,
            thread,
            failed: None,
            killed: false,
            deadline: None,
        })
    }

    /// Looks after `child` too; its index is the number of those before it.
    pub(super) fn add(&mut self, child: Child) {
        self.running.push((self.started, child));
        self.started += 1;
    }

    /// Waits until all have ended; the exit code for all of them.
    pub(super) fn watch(&mut self, timeout: Option<Duration>) -> u8 {
        let timeout = timeout.map(Deadline::after);
        loop {
            self.reap();
            if self.running.is_empty() {
                return self.failed.unwrap_or(0);
            }
            let deadline = self.deadline.as_ref().or(timeout.as_ref());
            let wait = deadline.map_or(LONG, Deadline::left);
            match self.signals.recv_timeout(wait) {
                Ok(SIGINT) => self.signal_all(Signal::INT),
                Ok(SIGTERM) => self.signal_all(Signal::TERM),
                // A child ended; or the wait was over.
                Ok(_) | Err(RecvTimeoutError::Timeout) => self.check_time(timeout.as_ref()),
                Err(RecvTimeoutError::Disconnected) => self.signal_all(Signal::KILL),
            }
        }
    }

    /// Takes note of those that have ended.
    fn reap(&mut self) {
        let mut ended = Vec::new();
        self.running.retain_mut(|(index, child)| match child.try_wait() {
            Ok(None) => true,
            Ok(Some(status)) => {
                ended.push((*index, status));
                false
            }
            // Somebody else has waited for it; nothing is left to learn.
            Err(_) => false,
        });
        ended.retain(|(_, status)| !status.success());
        // Of those that ended together, one that only lost another is not the cause.
        ended.sort_by_key(|(index, status)| (code(*status) == PEER_LOST, *index));
        if let Some((index, status)) = ended.first() {
            self.note_failure(*index, *status);
        }
    }

    /// Keeps the failure that came first, and gives the others time to end.
    ///
    /// A process that is killed loses its connections before its end is reported, so one that lost it may be heard
    /// of first: the next failure of another kind is then the cause, unless it was us who killed.
    fn note_failure(&mut self, index: usize, status: ExitStatus) {
        if self.killed || !matches!(self.failed, None | Some(PEER_LOST)) || self.failed == Some(code(status)) {
            return;
        }
        self.failed = Some(code(status));
        self.deadline.get_or_insert_with(|| Deadline::after(GRACE));
        say(&format!("process {index} failed with {status}; the others have {} ms to end", GRACE.as_millis()));
    }

    fn check_time(&mut self, timeout: Option<&Deadline>) {
        if self.deadline.as_ref().is_some_and(|deadline| deadline.left().is_zero()) {
            self.killed = true;
            self.signal_all(Signal::KILL);
            self.deadline = Some(Deadline::after(LONG));
        } else if self.failed.is_none() && timeout.is_some_and(|timeout| timeout.left().is_zero()) {
            say(&format!("the processes did not end in time; they have {} ms to end", GRACE.as_millis()));
            self.failed = Some(TIMED_OUT);
            self.deadline = Some(Deadline::after(GRACE));
            self.signal_all(Signal::TERM);
        }
    }

    /// Sends a signal to each one that runs. None of them has been waited for, so its id is still its own.
    fn signal_all(&self, signal: Signal) {
        for (_, child) in &self.running {
            let pid = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
            // One that has just ended takes no signal, and needs none.
            let _ = pid.map(|pid| kill_process(pid, signal));
        }
    }
}

impl Drop for Children {
    fn drop(&mut self) {
        self.signal_all(Signal::KILL);
        for (_, child) in &mut self.running {
            drop(child.wait());
        }
        self.handle.close();
        // The thread may wait for room in the queue.
        while self.signals.try_recv().is_ok() {}
        if let Some(thread) = self.thread.take() {
            drop(thread.join());
        }
    }
}

/// Writes a line in one piece: the processes write to the same place.
fn say(what: &str) {
    let line = format!("tidemill: {what}\n");
    eprint!("{line}");
}

/// The exit code as a shell would give it.
fn code(status: ExitStatus) -> u8 {
    let code = status.code().or_else(|| status.signal().map(|signal| 128 + signal)).unwrap_or(1);
    // Exit codes have eight bits.
    (code & 0xff) as u8
}
