//! Ends a process whose batch does not end: code of the user's that never returns cannot be stopped otherwise.

use crate::{
    base::{
        Interrupt, Result, Time,
        clock::{Deadline, Stopwatch},
        thread::{join_before, start},
    },
    rdd::Session,
};
use std::{
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    thread::JoinHandle,
    time::Duration,
};

/// With what code a process ends whose batch took too long.
const EXIT_CODE: i32 = 1;

/// How long a stop waits for the watchdog, which does nothing but look.
const PATIENCE: Duration = Duration::from_secs(1);

/// What is watched, by the watchdog and those who run batches.
struct Watched {
    limit: Duration,
    session: Arc<Session>,
    running: Mutex<Vec<Running>>,
    over: Interrupt,
}

/// A batch that runs.
struct Running {
    time: Time,
    since: Stopwatch,
    warned: bool,
}

/// The thread that watches the batches of one context.
pub(super) struct Watchdog {
    watched: Arc<Watched>,
    thread: Option<JoinHandle<()>>,
}

/// A batch is watched until this is dropped.
pub(super) struct Watching<'a> {
    watched: &'a Watched,
    time: Time,
}

impl Watched {
    fn running(&self) -> MutexGuard<'_, Vec<Running>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Which operators are at work for a batch.
    fn at_work(&self, time: Time) -> String {
        let tasks = self.session.extensions.at_work.of(time);
        if tasks.is_empty() { "no task; a function of the driver is".into() } else { tasks.join(", ") }
    }

    /// The batches that have come to half of their time, told once, and the one whose time is up.
    fn look(&self) -> (Vec<Time>, Option<Time>) {
        let mut running = self.running();
        let late = running.iter_mut().filter(|batch| !batch.warned && batch.since.elapsed() * 2 >= self.limit);
        let late = late.map(|batch| {
            batch.warned = true;
            batch.time
        });
        let late = late.collect();
        (late, running.iter().find(|batch| batch.since.elapsed() >= self.limit).map(|batch| batch.time))
    }

    fn run(&self) {
        let pause = (self.limit / 20).clamp(Duration::from_millis(1), Duration::from_secs(1));
        while !self.over.wait_timeout(pause) {
            let (late, over) = self.look();
            for time in late {
                let (limit, at_work) = (self.limit, self.at_work(time));
                tracing::warn!(batch_time = time.as_ms(), ?limit, at_work, "a batch has used half of its time");
            }
            if let Some(time) = over {
                self.end_process(time);
            }
        }
    }

    fn end_process(&self, time: Time) {
        let (limit, at_work) = (self.limit, self.at_work(time));
        tracing::error!(batch_time = time.as_ms(), ?limit, at_work, "a batch does not end; ending this process");
        // Who set up no log is to know as well.
        eprintln!(
            "error: the batch of {time} runs for more than \"tidemill.batch.timeout\", which is {} ms, so this process \
             ends; at work: {at_work}; start the program again to run the batch again",
            limit.as_millis()
        );
        std::process::exit(EXIT_CODE);
    }
}

impl Watchdog {
    pub(super) fn start(limit: Duration, session: &Arc<Session>) -> Result<Self> {
        session.extensions.at_work.watch();
        let (session, over) = (session.clone(), Interrupt::new());
        let watched = Arc::new(Watched { limit, session, running: Mutex::default(), over });
        let watching = watched.clone();
        let thread = start("tidemill-watchdog".into(), move || watching.run())?;
        Ok(Self { watched, thread: Some(thread) })
    }

    /// A batch begins.
    pub(super) fn watch(&self, time: Time) -> Watching<'_> {
        self.watched.running().push(Running { time, since: Stopwatch::start(), warned: false });
        Watching { watched: &self.watched, time }
    }
}

impl Drop for Watching<'_> {
    fn drop(&mut self) {
        self.watched.running().retain(|batch| batch.time != self.time);
    }
}

impl Drop for Watchdog {
    fn drop(&mut self) {
        self.watched.over.raise();
        if let Some(thread) = self.thread.take() {
            let _ = join_before(thread, &Deadline::after(PATIENCE));
        }
    }
}

impl fmt::Debug for Watchdog {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Watchdog({:?})", self.watched.limit)
    }
}
