//! The worker threads: they wait for jobs, build each one's dataflow in the order in which it came, and step it.

use super::{
    job::{RunningJob, Topology},
    stage,
};
use crate::{
    base::{Error, Result},
    rdd::{Job, JobOutput, JobRunner, task::panic_message},
};
use std::{
    collections::VecDeque,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Arc, Condvar, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    thread::Thread,
    time::Duration,
};
use timely::{WorkerConfig, communication::WorkerGuards, dataflow::operators::probe::Handle, worker::Worker};

/// A pool of timely workers in this process.
pub(crate) struct Engine {
    topology: Topology,
    shared: Arc<Shared>,
    guards: Mutex<Option<WorkerGuards<()>>>,
}

/// What the threads that submit jobs and the workers share.
struct Shared {
    /// For each worker of this process, the jobs that it is yet to build.
    inboxes: Vec<Inbox>,
    /// Held while a job is put into all inboxes, so that every worker sees the same order.
    order: Mutex<()>,
    stopping: AtomicBool,
    started: (Mutex<usize>, Condvar),
}

#[derive(Default)]
struct Inbox {
    jobs: Mutex<VecDeque<Arc<RunningJob>>>,
    thread: Mutex<Option<Thread>>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Inbox {
    fn wake(&self) {
        if let Some(thread) = &*lock(&self.thread) {
            thread.unpark();
        }
    }
}

impl Engine {
    /// Starts `threads` workers in this process alone.
    pub(crate) fn start(threads: usize) -> Result<Arc<Self>> {
        let topology = Topology { process: 0, processes: 1, threads: threads.max(1) };
        let (builders, others) = timely::CommunicationConfig::Process(topology.threads)
            .try_build()
            .map_err(|error| Error::unavailable(format!("the workers could not be set up: {error}")))?;
        let shared = Arc::new(Shared {
            inboxes: (0..topology.threads).map(|_| Inbox::default()).collect(),
            order: Mutex::new(()),
            stopping: AtomicBool::new(false),
            started: (Mutex::new(0), Condvar::new()),
        });
        let config = WorkerConfig::default().idle_spin(Duration::ZERO);
        let (state, first) = (shared.clone(), topology.process * topology.threads);
        let guards = timely::execute::execute_from(builders, others, config, move |worker| {
            let inbox = worker.index() - first;
            run_worker(worker, &state, inbox);
        })
        .map_err(|error| Error::unavailable(format!("the worker threads could not be started: {error}")))?;
        let engine = Self { topology, shared, guards: Mutex::new(Some(guards)) };
        engine.await_started();
        Ok(Arc::new(engine))
    }

    fn await_started(&self) {
        let (count, changed) = &self.shared.started;
        let _started = changed
            .wait_while(lock(count), |count| *count < self.topology.threads)
            .unwrap_or_else(PoisonError::into_inner);
    }
}

impl JobRunner for Engine {
    fn run(&self, job: Job) -> Result<JobOutput> {
        let (running, submitted) = RunningJob::new(job, self.topology);
        {
            let _order = lock(&self.shared.order);
            if self.shared.stopping.load(Ordering::Acquire) {
                return Err(Error::closed("the context is stopped and runs no more jobs; make a new one"));
            }
            for inbox in &self.shared.inboxes {
                lock(&inbox.jobs).push_back(running.clone());
            }
        }
        self.shared.inboxes.iter().for_each(Inbox::wake);
        drop(running);
        submitted.wait()
    }

    fn stop(&self) -> Result<()> {
        {
            let _order = lock(&self.shared.order);
            self.shared.stopping.store(true, Ordering::Release);
        }
        self.shared.inboxes.iter().for_each(Inbox::wake);
        if let Some(guards) = lock(&self.guards).take() {
            for outcome in guards.join() {
                outcome.map_err(|error| Error::internal(format!("a worker thread ended badly: {error}")))?;
            }
        }
        Ok(())
    }

    fn process(&self) -> (usize, usize) {
        (self.topology.process, self.topology.processes)
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        if let Err(error) = self.stop() {
            tracing::error!(%error, "the workers did not stop cleanly");
        }
    }
}

/// A worker that died alone would leave the others waiting for ever, so a panic that gets here ends the process.
fn run_worker(worker: &mut Worker, shared: &Shared, inbox: usize) {
    let run = AssertUnwindSafe(|| serve(worker, shared, &shared.inboxes[inbox]));
    if let Err(panic) = catch_unwind(run) {
        tracing::error!(worker = inbox, message = panic_message(&*panic), "a worker died; ending this process");
        std::process::exit(70);
    }
}

fn serve(worker: &mut Worker, shared: &Shared, inbox: &Inbox) {
    *lock(&inbox.thread) = Some(std::thread::current());
    *lock(&shared.started.0) += 1;
    shared.started.1.notify_all();
    let mut running: Vec<(Handle<()>, Arc<RunningJob>)> = Vec::new();
    loop {
        while let Some(job) = next_job(inbox) {
            running.push((stage::build(worker, &job), job));
        }
        if running.is_empty() && shared.stopping.load(Ordering::Acquire) && !worker.has_dataflows() {
            return;
        }
        worker.step_or_park(None);
        running.retain(|(probe, _)| !probe.done());
    }
}

fn next_job(inbox: &Inbox) -> Option<Arc<RunningJob>> {
    lock(&inbox.jobs).pop_front()
}
