//! Starts and stops what runs a streaming program: the generator, the job threads, the inputs and the listener bus.

use super::{
    aside::LetterBudget,
    batch::BatchQueue,
    commit::Commits,
    listener::{
        ListenerBus, ReceiverError, ReceiverInfo, ReceiverStarted, ReceiverStopped, StreamingEvent, StreamingStarted,
    },
    rate::RateController,
    waiter::Waiter,
    watchdog::Watchdog,
};
use crate::{
    base::{
        Interrupt, Misuse, Result, Time,
        clock::{Deadline, Stopwatch},
        config::{MissedBatches, OnFailure},
        keys,
        text::LineCounts,
        thread::start_awaited,
    },
    checkpoint::CheckpointLog,
    dstream::{
        graph::Graph,
        input::{ReceiverEvent, ReceiverReport},
        node::ErasedStream,
    },
};
use std::{
    fmt,
    sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, Weak, atomic::AtomicUsize},
    thread::JoinHandle,
    time::Duration,
};

/// What a streaming program has done so far.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Progress {
    /// Batches that ended, failed ones included.
    pub completed_batches: u64,
    /// Batches that failed.
    pub failed_batches: u64,
    /// Records that these batches read.
    pub records: u64,
    /// The time of the batch that ended last.
    pub last_batch_time: Option<Time>,
    /// How long the batch that ended last was processed.
    pub last_processing_delay: Option<Duration>,
    /// What the text sources of this process had to drop or repair.
    pub lines: LineCounts,
    /// Records that the batches that are done have put aside as dead letters.
    pub dead_letters: u64,
}

impl fmt::Display for Progress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} batches with {} records", self.completed_batches, self.records)?;
        if self.failed_batches > 0 {
            write!(f, ", {} of them failed", self.failed_batches)?;
        }
        if self.dead_letters > 0 {
            write!(f, "; {} records were put aside", self.dead_letters)?;
        }
        Ok(())
    }
}

/// What is to be done when process 0 has stopped the program.
pub(crate) type ToldToStop = Box<dyn FnOnce() + Send>;

/// Runs the batches of one streaming context.
pub(crate) struct JobScheduler {
    pub(super) graph: Arc<Graph>,
    pub(super) bus: Arc<ListenerBus>,
    pub(super) queue: BatchQueue,
    pub(super) waiter: Waiter,
    pub(super) timer_stop: Interrupt,
    pub(super) max_failures: usize,
    pub(super) first_backlog_warning: usize,
    /// Whether some stream has to follow every batch, asked for or not.
    pub(super) must_advance: bool,
    /// What the outputs read. The graph keeps it alive.
    pub(super) used: Vec<Weak<dyn ErasedStream>>,
    last_cut: Mutex<Option<Time>>,
    backlog_warning: Mutex<usize>,
    progress: Mutex<Progress>,
    /// Cuts batches; in a process that follows another, takes them from there.
    pub(super) generator: Mutex<Option<JoinHandle<()>>>,
    told_to_stop: Mutex<Option<ToldToStop>>,
    pub(super) runners: Mutex<Vec<JoinHandle<()>>>,
    /// Set once a stop that is under way is to end soon.
    pub(super) hurried: OnceLock<Deadline>,
    /// Batches that a graceful stop did not process after all.
    pub(super) given_up: AtomicUsize,
    pub(super) me: Weak<Self>,
    /// In the process that drives a program with a checkpoint.
    pub(super) log: OnceLock<Arc<CheckpointLog>>,
    pub(super) commits: Commits,
    /// How far the clock is behind the batches of an earlier run.
    pub(super) clock_lag: OnceLock<Duration>,
    pub(super) on_failure: OnFailure,
    pub(super) missed: MissedBatches,
    /// For how long something that may work later is tried.
    pub(super) retry_timeout: Duration,
    /// Raised when what waits to be tried again is to give up.
    pub(super) hurry_up: Interrupt,
    /// Raised once no batch is run any more.
    pub(super) halted: Interrupt,
    pub(super) letters: LetterBudget,
    /// Watches the batches that run, if there is a limit for them.
    pub(super) watchdog: Option<Watchdog>,
    /// Raised when a batch could not be cut and is not to be passed over: a later one would be remembered without it.
    pub(super) cut_failed: Interrupt,
}

pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl JobScheduler {
    /// Checks the program and starts everything; batches run from then on.
    ///
    /// `told_to_stop` is called, in a process that follows another, when that one has stopped the program.
    pub(crate) fn start(graph: &Arc<Graph>, bus: &Arc<ListenerBus>, told_to_stop: ToldToStop) -> Result<Arc<Self>> {
        let config = &graph.config;
        let jobs = config.get(&keys::CONCURRENT_JOBS)?;
        let used = graph.used_streams();
        check(graph, &used, jobs)?;
        let first_backlog_warning = config.get(&keys::BATCH_QUEUE_WARNING)?;
        let otherwise = if graph.has_checkpoint() { OnFailure::Stop } else { OnFailure::Continue };
        let on_failure = config.get(&keys::BATCH_ON_FAILURE)?.unwrap_or(otherwise);
        let max_failures = config.task_max_failures()?;
        let missed = config.get(&keys::MISSED_BATCHES)?;
        let retry_timeout = config.get(&keys::BATCH_RETRY_TIMEOUT)?;
        let letters = LetterBudget::from_config(config, graph.has_checkpoint())?;
        let limit = config.get(&keys::BATCH_TIMEOUT)?;
        let watchdog = limit.map(|limit| Watchdog::start(limit, &graph.session)).transpose()?;
        let scheduler = Arc::new_cyclic(|me| Self {
            graph: graph.clone(),
            bus: bus.clone(),
            queue: BatchQueue::new(),
            waiter: Waiter::default(),
            timer_stop: Interrupt::new(),
            max_failures,
            first_backlog_warning,
            must_advance: used.iter().any(|stream| stream.has_state() || stream.is_kept_for_later()),
            used: used.iter().map(Arc::downgrade).collect(),
            last_cut: Mutex::default(),
            backlog_warning: Mutex::new(first_backlog_warning),
            progress: Mutex::default(),
            generator: Mutex::default(),
            told_to_stop: Mutex::new(Some(told_to_stop)),
            runners: Mutex::default(),
            hurried: OnceLock::new(),
            given_up: AtomicUsize::new(0),
            me: me.clone(),
            log: OnceLock::new(),
            commits: Commits::default(),
            clock_lag: OnceLock::new(),
            on_failure,
            missed,
            retry_timeout,
            hurry_up: Interrupt::new(),
            halted: Interrupt::new(),
            letters,
            watchdog,
            cut_failed: Interrupt::new(),
        });
        let launched = if scheduler.follows() {
            scheduler.launch_follower(jobs)
        } else {
            scheduler.attach_listeners().and_then(|()| scheduler.launch(jobs))
        };
        if let Err(error) = launched {
            // What was started already must not live on in a context that cannot be used.
            if let Err(left) = scheduler.stop(None) {
                tracing::error!(error = %left, "what was started could not be stopped");
            }
            return Err(error);
        }
        Ok(scheduler)
    }

    fn attach_listeners(&self) -> Result<()> {
        let bus = self.bus.clone();
        self.graph.on_receiver_event(move |event| bus.post(receiver_event(event)));
        for input in self.graph.inputs() {
            let id = input.id();
            let publish = move |rate| input.set_rate(rate);
            let duration = self.graph.batch_duration;
            if let Some(controller) = RateController::from_config(id, &self.graph.config, duration, publish)? {
                self.bus.add(controller);
            }
        }
        Ok(())
    }

    fn launch(self: &Arc<Self>, jobs: usize) -> Result<()> {
        let duration = self.graph.batch_duration;
        let restart = self.recover(self.graph.clock.now().floor(duration))?;
        self.graph.set_zero_time(restart.zero);
        self.set_clock_lag(&restart);
        self.tell_start(&restart)?;
        self.start_sinks(&restart.start)?;
        self.restore_state(restart.last_done, &restart.state, &restart.sinks)?;
        for input in self.graph.inputs() {
            input.start()?;
        }
        let first = self.first_batch(&restart);
        self.start_commits()?;
        self.spawn_runners(jobs)?;
        let scheduler = self.clone();
        *lock(&self.generator) =
            Some(start_awaited("tidemill-generator".into(), move || scheduler.generate(restart, first))?);
        self.bus.post(StreamingStarted::new(self.graph.clock.now()));
        Ok(())
    }

    fn spawn_runners(self: &Arc<Self>, jobs: usize) -> Result<()> {
        for job in 0..jobs {
            let scheduler = self.clone();
            let runner = start_awaited(format!("tidemill-jobs-{job}"), move || scheduler.run_batches())?;
            lock(&self.runners).push(runner);
        }
        Ok(())
    }

    /// Batches come from process 0, and listeners are served there.
    fn launch_follower(self: &Arc<Self>, jobs: usize) -> Result<()> {
        let timeout = self.graph.config.get(&keys::SHUTDOWN_TIMEOUT)?;
        self.bus.stop()?;
        self.hear_start()?;
        self.spawn_runners(jobs)?;
        let scheduler = self.clone();
        *lock(&self.generator) = Some(start_awaited("tidemill-follower".into(), move || scheduler.follow(timeout))?);
        Ok(())
    }

    pub(super) fn on_told_to_stop(&self) -> Option<ToldToStop> {
        lock(&self.told_to_stop).take()
    }

    pub(super) fn last_cut(&self) -> MutexGuard<'_, Option<Time>> {
        lock(&self.last_cut)
    }

    pub(super) fn backlog_warning(&self) -> MutexGuard<'_, usize> {
        lock(&self.backlog_warning)
    }

    pub(super) fn progress_mut(&self) -> MutexGuard<'_, Progress> {
        lock(&self.progress)
    }

    pub(crate) fn progress(&self) -> Progress {
        let mut progress = self.progress_mut().clone();
        progress.dead_letters = self.letters.put_aside();
        progress
    }

    /// Whether a failure has ended the program.
    pub(crate) fn is_halted(&self) -> bool {
        self.halted.is_raised()
    }

    pub(crate) fn wait(&self, timeout: Option<Duration>) -> Result<bool> {
        self.waiter.wait(timeout)
    }

    /// Waits until every batch that the clock has reached is done (true), for at most `timeout` of real time.
    pub(crate) fn wait_idle(&self, timeout: Duration) -> bool {
        let watch = Stopwatch::start();
        let duration = self.graph.batch_duration;
        let due = self.graph.zero_time().map(|zero| self.now().floor_from(duration, zero));
        let due = due.min(self.graph.last_batch.get().copied().or(due));
        let pause = Interrupt::new();
        while due > self.graph.zero_time() && *self.last_cut() < due && !self.halted.is_raised() {
            if watch.elapsed() >= timeout {
                return false;
            }
            pause.wait_timeout(Duration::from_micros(50));
        }
        self.queue.wait_idle(timeout.saturating_sub(watch.elapsed())) && self.bus.flush().is_ok()
    }
}

/// The checks that can only be made when the whole program is known.
fn check(graph: &Graph, used: &[Arc<dyn ErasedStream>], jobs: usize) -> Result<()> {
    let outputs = graph.outputs();
    if outputs.is_empty() {
        return Err(Misuse::NoOutputs.into());
    }
    for output in &outputs {
        output.stream.remember(graph.remember.get().copied().unwrap_or_default());
    }
    graph.inputs().iter().try_for_each(|input| input.check())?;
    if let Some(output) = outputs.iter().find(|output| jobs > 1 && output.sink().is_some_and(|sink| sink.is_marked())) {
        return Err(Misuse::ConcurrentMarked { jobs, output: output.site.to_string() }.into());
    }
    for stream in used {
        stream.remember(graph.remember.get().copied().unwrap_or_default());
        stream.validate()?;
        if jobs > 1 && (stream.has_state() || stream.is_kept_for_later()) {
            return Err(Misuse::ConcurrentStateful { jobs, operation: stream.site().to_string() }.into());
        }
    }
    Ok(())
}

fn receiver_event(event: ReceiverEvent) -> StreamingEvent {
    match event {
        ReceiverEvent::Started(report) => ReceiverStarted::new(receiver_info(report)).into(),
        ReceiverEvent::Error(report) => ReceiverError::new(receiver_info(report)).into(),
        ReceiverEvent::Stopped(report) => ReceiverStopped::new(receiver_info(report)).into(),
    }
}

fn receiver_info(report: ReceiverReport) -> ReceiverInfo {
    let mut info = ReceiverInfo::new(report.stream_id, "");
    info.name = report.name;
    info.active = report.active;
    info.last_error_message = report.last_error_message;
    info.last_error = report.last_error;
    info.last_error_time = report.last_error_time;
    info
}
