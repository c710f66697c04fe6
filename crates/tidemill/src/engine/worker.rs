//! The worker threads: they wait for jobs, build each one's dataflow in the order in which it came, and step it.

use super::{
    cluster::{BuildId, CONNECT_TIMEOUT, Cluster, ClusterConfig, Timing, end_process},
    fingerprint::fingerprint,
    job::{RunningJob, Submitted, Topology},
    member::Member,
    stage,
};
use crate::{
    base::{Error, Interrupt, Result},
    rdd::{Job, JobOutput, JobRunner, JobScope, Turn, task::panic_message},
};
use std::{
    any::Any,
    collections::VecDeque,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Arc, Condvar, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    thread::Thread,
    time::Duration,
};
use timely::{
    WorkerConfig,
    communication::{
        AllocatorBuilder, Hooks, WorkerGuards,
        allocator::{ProcessBuilder, zero_copy::initialize::initialize_networking_from_sockets},
    },
    dataflow::operators::probe::Handle,
    worker::Worker,
};

/// Whether this process is a member of a cluster already; it can be one only once.
static JOINED: AtomicBool = AtomicBool::new(false);
/// How long a worker whose connection broke waits for the control channel to say why.
const BLAME_GRACE: Duration = Duration::from_secs(2);

/// A pool of timely workers in this process.
pub(crate) struct Engine {
    topology: Topology,
    shared: Arc<Shared>,
    /// On several processes: this one's part in them.
    member: Option<Arc<Member>>,
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
    /// Whether there are no other processes.
    alone: bool,
}

#[derive(Default)]
struct Inbox {
    jobs: Mutex<VecDeque<Arc<RunningJob>>>,
    thread: Mutex<Option<Thread>>,
}

impl Shared {
    /// Takes no more jobs, and lets the workers end after those they have.
    fn end(&self) {
        {
            let _order = lock(&self.order);
            self.stopping.store(true, Ordering::Release);
        }
        self.inboxes.iter().for_each(Inbox::wake);
    }
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
        Self::launch(topology, builders, others, None)
    }

    /// Connects to the other processes of the cluster and starts this one's workers.
    pub(crate) fn join(config: &ClusterConfig) -> Result<Arc<Self>> {
        if config.processes() == 1 {
            return Self::start(config.workers());
        }
        if JOINED.swap(true, Ordering::AcqRel) {
            return Err(Error::invalid(
                "this process is one of several and has its context already; make one context in the program, and \
                 clone it where it is needed",
            ));
        }
        let topology = Topology { process: config.index(), processes: config.processes(), threads: config.workers() };
        leave_losses_to_control();
        let cluster = Cluster::connect(config, BuildId::of_executable()?, CONNECT_TIMEOUT)?;
        let (sockets, control) = cluster.into_parts(end_process(config.addresses().to_vec()), Timing::default())?;
        let hooks = Hooks::default();
        let local = ProcessBuilder::new_typed_vector(topology.threads, hooks.refill.clone(), hooks.spill.clone());
        let (builders, guard) =
            initialize_networking_from_sockets(local, sockets, topology.process, topology.threads, hooks)?;
        let member = Member::start(topology.process, topology.processes, control)?;
        let builders = builders.into_iter().map(AllocatorBuilder::Tcp).collect();
        Self::launch(topology, builders, Box::new(guard), Some(member))
    }

    fn launch(
        topology: Topology,
        builders: Vec<AllocatorBuilder>,
        others: Box<dyn Any + Send>,
        member: Option<Arc<Member>>,
    ) -> Result<Arc<Self>> {
        let shared = Arc::new(Shared {
            inboxes: (0..topology.threads).map(|_| Inbox::default()).collect(),
            order: Mutex::new(()),
            stopping: AtomicBool::new(false),
            started: (Mutex::new(0), Condvar::new()),
            alone: topology.processes == 1,
        });
        let config = WorkerConfig::default().idle_spin(Duration::ZERO);
        let (state, first) = (shared.clone(), topology.process * topology.threads);
        let guards = timely::execute::execute_from(builders, others, config, move |worker| {
            let inbox = worker.index() - first;
            run_worker(worker, &state, inbox);
        })
        .map_err(|error| Error::unavailable(format!("the worker threads could not be started: {error}")))?;
        let engine = Self { topology, shared, member, guards: Mutex::new(Some(guards)) };
        engine.await_started();
        Ok(Arc::new(engine))
    }

    /// How many workers there are in all processes.
    pub(crate) fn workers(&self) -> usize {
        self.topology.processes * self.topology.threads
    }

    fn await_started(&self) {
        let (count, changed) = &self.shared.started;
        let _started = changed
            .wait_while(lock(count), |count| *count < self.topology.threads)
            .unwrap_or_else(PoisonError::into_inner);
    }
}

impl Engine {
    /// Hands a job to the workers, in the order that all processes keep.
    fn submit(&self, mut job: Job) -> Result<Submitted> {
        let turn = job.turn.take();
        let place = match (&self.member, &turn) {
            (Some(member), Some(turn)) => Some((member, turn, job.site.to_string(), fingerprint(&job))),
            _ => None,
        };
        let (running, submitted) = RunningJob::new(job, self.topology);
        if let Some((member, turn, site, fingerprint)) = place.as_ref().filter(|(member, ..)| !member.leads()) {
            member.follow(turn, site, *fingerprint);
        }
        let order = lock(&self.shared.order);
        if self.shared.stopping.load(Ordering::Acquire) {
            return Err(Error::closed("the context is stopped and runs no more jobs; make a new one"));
        }
        if let Some((member, turn, site, fingerprint)) = place.as_ref().filter(|(member, ..)| member.leads()) {
            member.announce(turn, site.clone(), *fingerprint)?;
        }
        for inbox in &self.shared.inboxes {
            lock(&inbox.jobs).push_back(running.clone());
        }
        drop(order);
        if let Some((member, ..)) = place.as_ref().filter(|(member, ..)| !member.leads()) {
            member.built();
        }
        self.shared.inboxes.iter().for_each(Inbox::wake);
        Ok(submitted)
    }
}

impl JobRunner for Engine {
    fn run(&self, job: Job) -> Result<JobOutput> {
        let turn = job.turn.clone();
        let outcome = self.submit(job).and_then(Submitted::wait);
        if let (Some(member), Some(turn)) = (&self.member, &turn) {
            member.release(turn);
        }
        outcome
    }

    fn stop(&self) -> Result<()> {
        self.shared.end();
        let Some(guards) = lock(&self.guards).take() else { return Ok(()) };
        if let Some(member) = &self.member {
            member.leave();
        }
        self.shared.inboxes.iter().for_each(Inbox::wake);
        // On several processes this waits until the workers of all of them are through.
        for outcome in guards.join() {
            outcome.map_err(|error| Error::internal(format!("a worker thread ended badly: {error}")))?;
        }
        if let Some(member) = &self.member {
            member.close();
        }
        Ok(())
    }

    fn abandon(&self) {
        self.shared.end();
        // Dropping the guards would join the workers.
        std::mem::forget(lock(&self.guards).take());
    }

    fn turn(&self, scope: JobScope) -> Result<Option<Turn>> {
        self.member.as_ref().map(|member| member.turn(scope)).transpose()
    }

    fn agree(&self, scope: JobScope, outcome: Result<()>) -> Result<()> {
        match &self.member {
            Some(member) => member.agree(scope, outcome),
            None => outcome,
        }
    }

    fn close_lane(&self, scope: JobScope) {
        if let Some(member) = &self.member {
            member.close_lane(scope);
        }
    }

    fn tell(&self, note: &[u8]) -> Result<()> {
        self.member.as_ref().map_or(Ok(()), |member| member.tell(note))
    }

    fn hear(&self) -> Option<Vec<u8>> {
        self.member.as_ref()?.hear()
    }

    fn part(&self, why: &str) -> Error {
        match &self.member {
            Some(member) => member.part(why),
            None => Error::unavailable(why.to_owned()),
        }
    }

    fn process(&self) -> (usize, usize) {
        (self.topology.process, self.topology.processes)
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        if let Some(member) = self.member.as_ref().filter(|_| std::thread::panicking()) {
            // Nobody may wait for a program that fails.
            member.part("the program panicked");
        }
        if let Err(error) = self.stop() {
            tracing::error!(%error, "the workers did not stop cleanly");
        }
    }
}

/// When a process is lost, timely's threads panic, each with a trace. The control channel tells the same in one line.
fn leave_losses_to_control() {
    let others = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        let told = panic_message(panic.payload()).starts_with("timely communication error");
        if !told {
            others(panic);
        }
    }));
}

/// A worker that died alone would leave the others waiting for ever, so a panic that gets here ends the process.
fn run_worker(worker: &mut Worker, shared: &Shared, inbox: usize) {
    let run = AssertUnwindSafe(|| serve(worker, shared, &shared.inboxes[inbox]));
    if let Err(panic) = catch_unwind(run) {
        if !shared.alone {
            tracing::debug!(worker = inbox, message = panic_message(&*panic), "a worker lost its connections");
            // Most likely a connection broke. The control channel knows which, says it, and ends this process.
            Interrupt::new().wait_timeout(BLAME_GRACE);
        }
        let message = panic_message(&*panic);
        tracing::error!(worker = inbox, message, "a worker died; ending this process");
        // Who set up no log is to know as well.
        eprintln!("tidemill: worker {inbox} died, and this process with it: {message}");
        std::process::exit(70);
    }
}

fn serve(worker: &mut Worker, shared: &Shared, inbox: &Inbox) {
    *lock(&inbox.thread) = Some(std::thread::current());
    *lock(&shared.started.0) += 1;
    shared.started.1.notify_all();
    let mut running: Vec<(Handle<()>, Arc<RunningJob>)> = Vec::new();
    loop {
        // Looked at first: a job that was put in before the end began is then found below.
        let stopping = shared.stopping.load(Ordering::Acquire);
        while let Some(job) = next_job(inbox) {
            running.push((stage::build(worker, &job), job));
        }
        if running.is_empty() && stopping && !worker.has_dataflows() {
            return;
        }
        worker.step_or_park(None);
        running.retain(|(probe, _)| !probe.done());
    }
}

fn next_job(inbox: &Inbox) -> Option<Arc<RunningJob>> {
    lock(&inbox.jobs).pop_front()
}
