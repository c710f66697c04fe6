//! A streaming program: its streams are declared, then it is started, and ends when it is stopped.

use super::{Context, signals};
use crate::{
    base::{Clock, Config, Data, Error, Misuse, Result, SystemClock, Text, keys, text::LineLimits, time::ms},
    dstream::{
        ContextState, DStream,
        graph::Graph,
        input::{Input, input_stream},
        node::declared,
    },
    io::{
        QueueInput, RddQueue, Receiver,
        generate::GeneratorInput,
        queue::ConstantInput,
        receiver::ReceiverInput,
        socket::{RawSocketReceiver, SocketTextReceiver},
    },
    rdd::{Rdd, Site},
    scheduler::{JobScheduler, ListenerBus, ListenerId, Progress, StreamingListener},
};
use std::{
    fmt,
    path::Path,
    sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError},
    time::Duration,
};

/// The front door of a streaming program, as Spark's `StreamingContext`.
///
/// Streams are made from it and from one another; then [`start`](Self::start) runs a batch every interval, until
/// [`stop`](Self::stop), SIGINT or SIGTERM. A cheap handle: a clone is the same context. There may be several in one
/// process.
///
/// # Examples
/// ```
/// use std::sync::{Arc, Mutex};
/// use tidemill::{StreamingContext, milliseconds};
/// let ssc = StreamingContext::local(2, milliseconds(10))?;
/// let (numbers, queue) = ssc.queue_stream::<i64>(true);
/// queue.push(ssc.context().parallelize(vec![1, 2, 3], 2));
/// let seen = Arc::new(Mutex::new(Vec::new()));
/// let collected = seen.clone();
/// numbers.map(|n| n * 10).for_each_batch(move |batch, _time| {
///     collected.lock().expect("no other user of it panics").extend(batch);
///     tidemill::Result::Ok(())
/// });
/// ssc.start()?;
/// ssc.stop_gracefully()?;
/// assert_eq!(*seen.lock().expect("no other user of it panics"), vec![10, 20, 30]);
/// # Ok::<(), tidemill::Error>(())
/// ```
#[derive(Clone)]
pub struct StreamingContext {
    inner: Arc<Inner>,
}

pub(super) struct Inner {
    context: Context,
    pub(super) graph: Arc<Graph>,
    bus: Arc<ListenerBus>,
    scheduler: OnceLock<Arc<JobScheduler>>,
    /// Held while the context is started or stopped.
    transition: Mutex<()>,
}

impl StreamingContext {
    /// A context over `context`'s workers that cuts a batch every `batch_duration` (1 ms at the least).
    ///
    /// # Errors
    /// [`Misuse::ZeroBatchDuration`]; a configuration key that is unknown or has a bad value.
    pub fn new(context: &Context, batch_duration: Duration) -> Result<Self> {
        Self::with_clock(context, batch_duration, Arc::new(SystemClock::new()))
    }

    /// A context with `threads` workers of its own and the default configuration.
    ///
    /// # Errors
    /// As [`new`](Self::new), and if the worker threads cannot be started.
    pub fn local(threads: usize, batch_duration: Duration) -> Result<Self> {
        Self::new(&Context::try_local(threads)?, batch_duration)
    }

    /// As [`new`](Self::new), with another clock than the system's.
    ///
    /// # Errors
    /// As [`new`](Self::new).
    pub fn with_clock(context: &Context, batch_duration: Duration, clock: Arc<dyn Clock>) -> Result<Self> {
        let config = context.config().clone();
        let bus = Arc::new(ListenerBus::new(config.get(&keys::LISTENER_QUEUE)?)?);
        let checkpoint = config.get(&keys::CHECKPOINT_DIRECTORY)?;
        let graph = Graph::new(context.session().clone(), batch_duration, config, clock)?;
        let inner =
            Inner { context: context.clone(), graph, bus, scheduler: OnceLock::new(), transition: Mutex::default() };
        let ssc = Self { inner: Arc::new(inner) };
        if let Some(directory) = checkpoint {
            ssc.checkpoint(directory)?;
        }
        Ok(ssc)
    }

    /// The context of batch data that this one runs on.
    pub fn context(&self) -> &Context {
        &self.inner.context
    }

    /// The configuration.
    pub fn config(&self) -> &Config {
        &self.inner.graph.config
    }

    /// The interval at which batches are cut.
    pub fn batch_duration(&self) -> Duration {
        self.inner.graph.batch_duration
    }

    /// Where the context is in its life.
    pub fn state(&self) -> ContextState {
        self.inner.graph.phase()
    }

    /// What was done so far.
    pub fn progress(&self) -> Progress {
        self.inner.scheduler.get().map(|scheduler| scheduler.progress()).unwrap_or_default()
    }

    /// Sets the directory in which state is kept; it is created. Stateful operations need it.
    ///
    /// # Errors
    /// If the directory cannot be created.
    pub fn checkpoint(&self, directory: impl AsRef<Path>) -> Result<()> {
        let directory = directory.as_ref();
        std::fs::create_dir_all(directory).map_err(|error| {
            Error::from(error).context(format!("could not create the checkpoint directory \"{}\"", directory.display()))
        })?;
        let _ = self.inner.graph.session.extensions.checkpoint_dir.set(directory.to_path_buf());
        Ok(())
    }

    /// Makes every stream keep its batches for at least `duration`.
    ///
    /// # Errors
    /// [`Misuse::RememberedTwice`].
    pub fn remember(&self, duration: Duration) -> Result<()> {
        let remember = &self.inner.graph.remember;
        remember.set(duration).map_err(|_| {
            let set_ms = remember.get().map_or(0, |set| ms(*set));
            Misuse::RememberedTwice { set_ms }.into()
        })
    }

    /// Adds an observer of batches, outputs and receivers.
    pub fn add_streaming_listener(&self, listener: impl StreamingListener + 'static) -> ListenerId {
        self.inner.bus.add(listener)
    }

    /// Removes an observer; whether it was there.
    pub fn remove_streaming_listener(&self, listener: ListenerId) -> bool {
        self.inner.bus.remove(listener)
    }

    /// Starts to cut and run batches. A second call does nothing.
    ///
    /// # Errors
    /// A [`Misuse`] of the program: no outputs, state without a checkpoint directory, a context that was stopped, and
    /// so on. The context is stopped then and cannot be used again.
    pub fn start(&self) -> Result<()> {
        let _transition = self.inner.transition();
        match self.inner.graph.phase() {
            ContextState::Active => {
                tracing::warn!("start was called on a context that is already active; nothing was done");
                return Ok(());
            }
            ContextState::Stopped => return Err(Misuse::AlreadyStopped.into()),
            ContextState::Initialized => {}
        }
        let started = self.inner.start();
        let phase = if started.is_ok() { ContextState::Active } else { ContextState::Stopped };
        self.inner.graph.set_phase(phase);
        if started.is_err() {
            self.inner.graph.clear();
        } else if self.config().get(&keys::SHUTDOWN_SIGNALS)? {
            signals::watch(&self.inner)?;
        }
        started
    }

    /// Waits until the context is stopped.
    ///
    /// # Errors
    /// The latest error of a batch or receiver; the context goes on running.
    pub fn await_termination(&self) -> Result<()> {
        self.await_scheduler(None).map(drop)
    }

    /// Waits until the context is stopped (true), for at most `timeout` (false).
    ///
    /// # Errors
    /// The latest error of a batch or receiver; the context goes on running.
    pub fn await_termination_or_timeout(&self, timeout: Duration) -> Result<bool> {
        self.await_scheduler(Some(timeout))
    }

    fn await_scheduler(&self, timeout: Option<Duration>) -> Result<bool> {
        match self.inner.scheduler.get() {
            Some(scheduler) => scheduler.wait(timeout),
            None => Err(Error::invalid("the context was not started; call start before await_termination")),
        }
    }

    /// Stops at once: what was received but not yet processed is given up. A second call does nothing.
    ///
    /// # Errors
    /// If a thread ended badly.
    pub fn stop(&self) -> Result<()> {
        self.inner.stop(false)
    }

    /// Stops after everything that was received is processed.
    ///
    /// # Errors
    /// If a thread ended badly.
    pub fn stop_gracefully(&self) -> Result<()> {
        self.inner.stop(true)
    }

    #[track_caller]
    pub(crate) fn input<T: Data>(&self, site: Site, input: impl Input<T>) -> DStream<T> {
        input_stream(&self.inner.graph, site, input)
    }

    /// Lines of UTF-8 text from the server at `host` and `port`, which is connected to again whenever it is gone.
    ///
    /// # Panics
    /// If the context was started or stopped.
    #[track_caller]
    pub fn socket_text_stream(&self, host: impl Into<String>, port: u16) -> DStream<Text> {
        let site = Site::here("socket_text_stream");
        let receiver =
            declared(self.line_limits().map(|limits| SocketTextReceiver { host: host.into(), port, limits }));
        self.receive(site, "SocketReceiver", receiver)
    }

    fn line_limits(&self) -> Result<LineLimits> {
        let config = self.config();
        Ok(LineLimits {
            block_bytes: config.get(&keys::RECEIVER_BLOCK_BYTES)? as usize,
            max_line_bytes: config.get(&keys::LINES_MAX_BYTES)? as usize,
        })
    }

    /// Blocks of bytes from the server at `host` and `port`, each led by its length in four bytes.
    ///
    /// # Panics
    /// If the context was started or stopped.
    #[track_caller]
    pub fn raw_socket_stream(&self, host: impl Into<String>, port: u16) -> DStream<Vec<u8>> {
        let site = Site::here("raw_socket_stream");
        let max_frame_bytes = declared(self.config().get(&keys::LINES_MAX_BYTES)) as usize;
        self.receive(site, "RawReceiver", RawSocketReceiver { host: host.into(), port, max_frame_bytes })
    }

    /// What a [`Receiver`] of your own stores.
    ///
    /// # Panics
    /// If the context was started or stopped.
    #[track_caller]
    pub fn receiver_stream<R: Receiver>(&self, receiver: R) -> DStream<R::Item> {
        let name = std::any::type_name::<R>();
        let name = name.split('<').next().and_then(|name| name.rsplit("::").next()).unwrap_or("Receiver");
        self.receive(Site::here("receiver_stream"), name, receiver)
    }

    #[track_caller]
    fn receive<R: Receiver>(&self, site: Site, name: &str, receiver: R) -> DStream<R::Item> {
        let input = declared(ReceiverInput::new(&self.inner.graph, site, name, receiver));
        self.input(site, input)
    }

    /// A stream of the datasets that are pushed into the returned queue: one for each batch, or all that wait.
    ///
    /// # Panics
    /// If the context was started or stopped.
    #[track_caller]
    pub fn queue_stream<T: Data>(&self, one_at_a_time: bool) -> (DStream<T>, RddQueue<T>) {
        let site = Site::here("queue_stream");
        let queue = RddQueue::new();
        let graph = self.inner.graph.clone();
        let input =
            QueueInput { queue: queue.clone(), one_at_a_time, default: None, site, graph, read: Mutex::default() };
        (self.input(site, input), queue)
    }

    /// The same dataset in every batch.
    ///
    /// # Panics
    /// If the context was started or stopped.
    #[track_caller]
    pub fn constant_stream<T: Data>(&self, rdd: &Rdd<T>) -> DStream<T> {
        self.input(Site::here("constant_stream"), ConstantInput(rdd.clone()))
    }

    /// `records_per_second` records a second, each made by `make` of its number: 0, 1, 2, and so on.
    ///
    /// # Panics
    /// If the context was started or stopped.
    #[track_caller]
    pub fn generate_stream<T: Data>(
        &self,
        records_per_second: u64,
        make: impl Fn(u64) -> T + Send + Sync + 'static,
    ) -> DStream<T> {
        let site = Site::here("generate_stream");
        let graph = self.inner.graph.clone();
        self.input(site, GeneratorInput { graph, records_per_second, make: Arc::new(make), site })
    }

    /// Waits until every batch that the clock has reached is done (true), for at most `timeout` of real time.
    pub(crate) fn wait_idle(&self, timeout: Duration) -> bool {
        self.inner.scheduler.get().is_none_or(|scheduler| scheduler.wait_idle(timeout))
    }
}

impl Inner {
    fn transition(&self) -> MutexGuard<'_, ()> {
        self.transition.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn start(self: &Arc<Self>) -> Result<()> {
        for notice in self.graph.config.check()? {
            tracing::warn!("{notice}");
        }
        let me = Arc::downgrade(self);
        let told_to_stop = Box::new(move || {
            if let Some(Err(error)) = me.upgrade().map(|inner| inner.stop_in_background(true)) {
                tracing::error!(%error, "the context could not be stopped");
            }
        });
        let scheduler = JobScheduler::start(&self.graph, &self.bus, told_to_stop)?;
        let _ = self.scheduler.set(scheduler);
        Ok(())
    }

    /// Stops; from one of the context's own threads the stop is only begun, for it would wait for itself.
    pub(super) fn stop(self: &Arc<Self>, gracefully: bool) -> Result<()> {
        let own = self.scheduler.get().is_some_and(|scheduler| scheduler.is_own_thread());
        if own { self.stop_in_background(gracefully) } else { self.stop_now(gracefully) }
    }

    fn stop_in_background(self: &Arc<Self>, gracefully: bool) -> Result<()> {
        let inner = self.clone();
        let stop = move || {
            if inner.graph.phase() != ContextState::Stopped
                && let Err(error) = inner.stop_now(gracefully)
            {
                tracing::error!(%error, "the context did not stop cleanly");
            }
        };
        std::thread::Builder::new()
            .name("tidemill-stop".into())
            .spawn(stop)
            .map(drop)
            .map_err(|error| Error::from(error).context("the thread that stops the context could not be started"))
    }

    /// Makes a graceful stop that is under way give up what still waits.
    pub(super) fn hurry(&self) -> Result<()> {
        if let Some(scheduler) = self.scheduler.get() {
            scheduler.hurry();
        }
        Ok(())
    }

    fn stop_now(&self, gracefully: bool) -> Result<()> {
        let _transition = self.transition();
        let stopped = match (self.graph.phase(), self.scheduler.get()) {
            (ContextState::Active, Some(scheduler)) => scheduler.stop(gracefully),
            _ => {
                tracing::warn!("stop was called on a context that is not active");
                Ok(())
            }
        };
        self.graph.set_phase(ContextState::Stopped);
        self.graph.clear();
        let joined = match self.graph.config.get(&keys::STOP_SPARK_CONTEXT) {
            Ok(true) => self.context.stop(),
            other => other.map(drop),
        };
        // Only now: whoever waits for the end may let the process end.
        if let Some(scheduler) = self.scheduler.get() {
            scheduler.announce_end();
        }
        stopped.and(joined)
    }

    /// Whether another process decides when this context stops.
    pub(super) fn follows(&self) -> bool {
        self.scheduler.get().is_some_and(|scheduler| scheduler.follows())
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        if self.graph.phase() == ContextState::Active
            && let Err(error) = self.stop_now(false)
        {
            tracing::error!(%error, "the context did not stop cleanly");
        }
        self.graph.clear();
    }
}

impl fmt::Debug for StreamingContext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "StreamingContext({:?}, {:?})", self.batch_duration(), self.state())
    }
}
