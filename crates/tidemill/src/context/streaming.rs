//! A streaming program: its streams are declared, then it is started, and ends when it is stopped.

use super::{Context, life::Inner, signals};
use crate::{
    base::{Clock, Config, Data, Error, Misuse, Result, SystemClock, Time, clock::Deadline, keys, thread, time::ms},
    dstream::{
        ContextState, DStream,
        graph::Graph,
        input::{Input, input_stream},
    },
    io::block::BlockPool,
    rdd::{Site, task::in_task},
    scheduler::{ListenerBus, ListenerId, Progress, StreamingListener},
};
use std::{
    fmt,
    sync::{Arc, Mutex, OnceLock, atomic::AtomicUsize},
    time::Duration,
};

/// The front door of a streaming program, as Spark's `StreamingContext`.
///
/// Streams are made from it and from one another; then [`start`](Self::start) runs a batch every interval, until
/// [`stop`](Self::stop), SIGINT, SIGTERM or SIGHUP. A cheap handle: a clone is the same context. There may be several in one
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
///     Ok::<(), tidemill::Error>(())
/// });
/// ssc.start()?;
/// ssc.stop_gracefully()?;
/// assert_eq!(*seen.lock().expect("no other user of it panics"), vec![10, 20, 30]);
/// # Ok::<(), tidemill::Error>(())
/// ```
#[derive(Clone)]
pub struct StreamingContext {
    pub(super) inner: Arc<Inner>,
}

impl StreamingContext {
    /// A context over `context`'s workers that cuts a batch every `batch_duration` (1 ms at the least).
    ///
    /// # Errors
    /// [`Misuse::ZeroBatchDuration`]; a configuration key that is unknown or has a bad value.
    ///
    /// # Examples
    /// ```
    /// use tidemill::{Context, StreamingContext, seconds};
    /// let sc = Context::local(2);
    /// let ssc = StreamingContext::new(&sc, seconds(1))?;
    /// assert_eq!(ssc.context().default_parallelism(), 2);
    /// assert!(StreamingContext::new(&sc, seconds(0)).is_err());
    /// # Ok::<(), tidemill::Error>(())
    /// ```
    pub fn new(context: &Context, batch_duration: Duration) -> Result<Self> {
        Self::with_clock(context, batch_duration, Arc::new(SystemClock::new()))
    }

    /// A context with `threads` workers of its own and the default configuration.
    ///
    /// # Errors
    /// As [`new`](Self::new), and if the worker threads cannot be started.
    ///
    /// # Examples
    /// ```
    /// use tidemill::{StreamingContext, milliseconds};
    /// let ssc = StreamingContext::local(3, milliseconds(500))?;
    /// assert_eq!(ssc.context().default_parallelism(), 3);
    /// # Ok::<(), tidemill::Error>(())
    /// ```
    pub fn local(threads: usize, batch_duration: Duration) -> Result<Self> {
        Self::new(&Context::try_local(threads)?, batch_duration)
    }

    /// As [`new`](Self::new), with another clock than the system's.
    ///
    /// # Errors
    /// As [`new`](Self::new).
    ///
    /// # Examples
    /// ```
    /// use std::sync::{Arc, mpsc::channel};
    /// use tidemill::{Context, Error, ManualClock, StreamingContext, Time, seconds};
    /// let (clock, (sender, done)) = (ManualClock::new(Time::from_ms(0)), channel());
    /// let ssc = StreamingContext::with_clock(&Context::local(2), seconds(60), Arc::new(clock.clone()))?;
    /// ssc.generate_stream(1, |number| number).for_each_batch(move |batch, time| {
    ///     let _ = sender.send((time, batch.len()));
    ///     Ok::<(), Error>(())
    /// });
    /// ssc.start()?;
    /// clock.advance(seconds(60));
    /// assert_eq!(done.recv().ok(), Some((Time::from_ms(60_000), 60)));
    /// # Ok::<(), tidemill::Error>(())
    /// ```
    pub fn with_clock(context: &Context, batch_duration: Duration, clock: Arc<dyn Clock>) -> Result<Self> {
        let config = context.config().clone();
        let bus = Arc::new(ListenerBus::new(config.get(&keys::LISTENER_QUEUE)?)?);
        let checkpoint = config.get(&keys::CHECKPOINT_DIRECTORY)?;
        let graph = Graph::new(context.session().clone(), batch_duration, config, clock)?;
        let pool = BlockPool::new(graph.config.get(&keys::RECEIVER_POOL_BYTES)? as usize);
        let (scheduler, signals, transition) = (OnceLock::new(), AtomicUsize::new(0), Mutex::default());
        let inner = Inner { context: context.clone(), graph, bus, scheduler, pool, signals, transition };
        let ssc = Self { inner: Arc::new(inner) };
        if let Some(directory) = checkpoint {
            ssc.checkpoint(directory)?;
        }
        Ok(ssc)
    }

    /// The context of batch data that this one runs on.
    ///
    /// # Examples
    /// ```
    /// let ssc = tidemill::StreamingContext::local(2, tidemill::seconds(1))?;
    /// let limits = ssc.context().parallelize(vec![(1, 10), (2, 90)], 1);
    /// assert_eq!(limits.count()?, 2);
    /// # Ok::<(), tidemill::Error>(())
    /// ```
    pub fn context(&self) -> &Context {
        &self.inner.context
    }

    /// The configuration.
    ///
    /// # Examples
    /// ```
    /// use tidemill::{Config, Context, StreamingContext, keys, seconds};
    /// let config = Config::new().set(keys::MASTER, "local[2]").set(keys::RECEIVER_MAX_RATE, 500);
    /// let ssc = StreamingContext::new(&Context::new(config)?, seconds(1))?;
    /// assert_eq!(ssc.config().get(&keys::RECEIVER_MAX_RATE)?, Some(500));
    /// # Ok::<(), tidemill::Error>(())
    /// ```
    pub fn config(&self) -> &Config {
        &self.inner.graph.config
    }

    /// The interval at which batches are cut.
    ///
    /// # Examples
    /// ```
    /// use tidemill::{StreamingContext, seconds};
    /// assert_eq!(StreamingContext::local(1, seconds(5))?.batch_duration(), seconds(5));
    /// # Ok::<(), tidemill::Error>(())
    /// ```
    pub fn batch_duration(&self) -> Duration {
        self.inner.graph.batch_duration
    }

    /// Where the context is in its life.
    ///
    /// # Examples
    /// ```
    /// use tidemill::{ContextState, testing::TestContext};
    /// let test = TestContext::new();
    /// test.stream(vec![vec![1]]).print(10);
    /// assert_eq!(test.ssc().state(), ContextState::Initialized);
    /// test.run(1)?;
    /// assert_eq!(test.ssc().state(), ContextState::Active);
    /// test.ssc().stop()?;
    /// assert_eq!(test.ssc().state(), ContextState::Stopped);
    /// # Ok::<(), tidemill::Error>(())
    /// ```
    pub fn state(&self) -> ContextState {
        self.inner.graph.phase()
    }

    /// What was done so far.
    ///
    /// # Examples
    /// ```
    /// let test = tidemill::testing::TestContext::new();
    /// test.stream(vec![vec![1, 2], vec![3]]).print(10);
    /// test.run(2)?;
    /// let progress = test.ssc().progress();
    /// assert_eq!((progress.completed_batches, progress.failed_batches, progress.records), (2, 0, 3));
    /// # Ok::<(), tidemill::Error>(())
    /// ```
    pub fn progress(&self) -> Progress {
        let mut progress = self.inner.scheduler.get().map(|scheduler| scheduler.progress()).unwrap_or_default();
        progress.lines = self.inner.graph.session.extensions.line_tally.total();
        progress
    }

    /// What is promised of every output, in the order of their declaration: how often each record reaches it however often
    /// the program crashes. The same lines are logged at start.
    ///
    /// # Examples
    /// ```
    /// let test = tidemill::testing::TestContext::new();
    /// test.stream(vec![vec![1]]).print(10);
    /// assert_eq!(test.ssc().guarantees(), ["scripted_stream -> print: at least once"]);
    /// ```
    pub fn guarantees(&self) -> Vec<String> {
        self.inner.graph.guarantees()
    }

    /// Makes every stream keep its batches for at least `duration`.
    ///
    /// # Errors
    /// [`Misuse::RememberedTwice`]; [`Misuse::ChangedAfterStart`].
    ///
    /// # Examples
    /// ```
    /// use tidemill::{StreamingContext, minutes, seconds};
    /// let ssc = StreamingContext::local(2, seconds(1))?;
    /// ssc.remember(minutes(1))?;
    /// assert!(ssc.remember(minutes(2)).is_err());
    /// # Ok::<(), tidemill::Error>(())
    /// ```
    pub fn remember(&self, duration: Duration) -> Result<()> {
        self.check_unstarted("remember duration")?;
        let remember = &self.inner.graph.remember;
        remember.set(duration).map_err(|_| {
            let set_ms = remember.get().map_or(0, |set| ms(*set));
            Misuse::RememberedTwice { set_ms }.into()
        })
    }

    pub(super) fn check_unstarted(&self, setting: &'static str) -> Result<()> {
        match self.state() {
            ContextState::Initialized => Ok(()),
            _ => Err(Misuse::ChangedAfterStart { setting }.into()),
        }
    }

    /// Adds an observer of batches, outputs and receivers.
    ///
    /// # Examples
    /// ```
    /// use std::sync::{Arc, atomic::{AtomicUsize, Ordering}};
    /// use tidemill::{BatchCompleted, StreamingListener, testing::TestContext};
    /// struct Count(Arc<AtomicUsize>);
    /// impl StreamingListener for Count {
    ///     fn on_batch_completed(&self, _: &BatchCompleted) {
    ///         self.0.fetch_add(1, Ordering::Relaxed);
    ///     }
    /// }
    /// let (test, batches) = (TestContext::new(), Arc::new(AtomicUsize::new(0)));
    /// test.ssc().add_streaming_listener(Count(batches.clone()));
    /// test.stream(vec![vec![1]]).print(10);
    /// test.run(3)?;
    /// test.ssc().stop()?;
    /// assert_eq!(batches.load(Ordering::Relaxed), 3);
    /// # Ok::<(), tidemill::Error>(())
    /// ```
    pub fn add_streaming_listener(&self, listener: impl StreamingListener + 'static) -> ListenerId {
        self.inner.bus.add(listener)
    }

    /// Removes an observer; whether it was there.
    ///
    /// # Examples
    /// ```
    /// use tidemill::{StatsReportListener, StreamingContext, seconds};
    /// let ssc = StreamingContext::local(2, seconds(1))?;
    /// let stats = ssc.add_streaming_listener(StatsReportListener::new(10));
    /// assert!(ssc.remove_streaming_listener(stats));
    /// assert!(!ssc.remove_streaming_listener(stats));
    /// # Ok::<(), tidemill::Error>(())
    /// ```
    pub fn remove_streaming_listener(&self, listener: ListenerId) -> bool {
        self.inner.bus.remove(listener)
    }

    /// Starts to cut and run batches. A second call does nothing.
    ///
    /// # Errors
    /// A [`Misuse`] of the program: no outputs, state without a checkpoint directory, a context that was stopped, and
    /// so on. The context is stopped then and cannot be used again.
    ///
    /// # Examples
    /// ```
    /// use tidemill::{ContextState, StreamingContext, seconds};
    /// let ssc = StreamingContext::local(2, seconds(1))?;
    /// assert!(ssc.start().is_err(), "there is no output yet");
    /// let ssc = StreamingContext::local(2, seconds(1))?;
    /// ssc.generate_stream(10, |number| number).print(10);
    /// ssc.start()?;
    /// assert_eq!(ssc.state(), ContextState::Active);
    /// # Ok::<(), tidemill::Error>(())
    /// ```
    pub fn start(&self) -> Result<()> {
        // Looked at before the lock is taken: a batch may call start while a stop holds it and waits for the batch.
        if self.state() == ContextState::Active {
            tracing::warn!("start was called on a context that is already active; nothing was done");
            return Ok(());
        }
        let _transition = self.inner.transition();
        match self.state() {
            ContextState::Active => return Ok(()),
            ContextState::Stopped => return Err(Misuse::AlreadyStopped.into()),
            ContextState::Initialized => {}
        }
        if let Err(error) = self.inner.start() {
            self.inner.graph.set_phase(ContextState::Stopped);
            self.inner.bus.stop_before(&Deadline::after(Duration::from_secs(1)));
            self.inner.graph.clear();
            return Err(error);
        }
        self.inner.graph.set_phase(ContextState::Active);
        if self.config().get(&keys::SHUTDOWN_SIGNALS)?
            && let Err(error) = signals::watch(&self.inner)
        {
            tracing::warn!(%error, "the context runs, but a signal ends it without draining it");
        }
        Ok(())
    }

    /// Waits until the context is stopped.
    ///
    /// # Errors
    /// The latest error of a batch or receiver. The context goes on running, unless that error ended the program
    /// (`tidemill.batch.onFailure` is `stop`, which it is by default with a checkpoint): then it is stopped here.
    ///
    /// # Examples
    /// ```
    /// use tidemill::{ContextState, StreamingContext, milliseconds};
    /// let ssc = StreamingContext::local(2, milliseconds(10))?;
    /// let enough = ssc.clone();
    /// ssc.generate_stream(1_000, |number| number).foreach_rdd(move |_, _| enough.stop_gracefully());
    /// ssc.start()?;
    /// ssc.await_termination()?;
    /// assert_eq!(ssc.state(), ContextState::Stopped);
    /// # Ok::<(), tidemill::Error>(())
    /// ```
    pub fn await_termination(&self) -> Result<()> {
        let outcome = self.await_scheduler(None).map(drop);
        if outcome.is_err() {
            self.inner.stop_if_halted();
        }
        outcome
    }

    /// Waits until the context is stopped (true), for at most `timeout` (false).
    ///
    /// # Errors
    /// The latest error of a batch or receiver; the context goes on running.
    ///
    /// # Examples
    /// ```
    /// use tidemill::{milliseconds, testing::TestContext};
    /// let test = TestContext::new();
    /// test.stream(vec![vec![1]]).print(10);
    /// test.run(1)?;
    /// assert!(!test.ssc().await_termination_or_timeout(milliseconds(1))?);
    /// test.ssc().stop()?;
    /// assert!(test.ssc().await_termination_or_timeout(milliseconds(1))?);
    /// # Ok::<(), tidemill::Error>(())
    /// ```
    pub fn await_termination_or_timeout(&self, timeout: Duration) -> Result<bool> {
        self.await_scheduler(Some(timeout))
    }

    fn await_scheduler(&self, timeout: Option<Duration>) -> Result<bool> {
        if thread::is_awaited() || in_task() {
            return Err(Error::invalid(
                "await_termination was called by a function that the context itself runs, so that it would wait for itself; call it on the thread that called start",
            ));
        }
        match self.inner.scheduler.get() {
            Some(scheduler) => scheduler.wait(timeout),
            None if self.state() == ContextState::Stopped => Ok(true),
            None => Err(Error::invalid("the context was not started; call start before await_termination")),
        }
    }

    /// Stops at once: what was received but not yet processed is given up. A second call does nothing.
    ///
    /// Called by an output, a listener or a receiver, which a stop waits for, it only begins the stop.
    ///
    /// # Errors
    /// If a function of the user's does not return within two seconds; its threads are left behind then.
    ///
    /// # Examples
    /// ```
    /// use tidemill::{ContextState, testing::TestContext};
    /// let test = TestContext::new();
    /// let seen = test.collect(&test.stream(vec![vec![1], vec![2]]));
    /// test.run(1)?;
    /// test.ssc().stop()?;
    /// assert_eq!(test.ssc().state(), ContextState::Stopped);
    /// assert_eq!(seen.batches(), [[1]]);
    /// # Ok::<(), tidemill::Error>(())
    /// ```
    pub fn stop(&self) -> Result<()> {
        self.inner.stop(None)
    }

    /// Stops after everything that was received is processed, at the latest after
    /// `spark.streaming.gracefulStopTimeout`.
    ///
    /// Called by an output, a listener or a receiver, which a stop waits for, it only begins the stop.
    ///
    /// # Errors
    /// If a function of the user's does not return in time; its threads are left behind then.
    ///
    /// # Examples
    /// ```
    /// use tidemill::{StreamingContext, milliseconds};
    /// let ssc = StreamingContext::local(2, milliseconds(10))?;
    /// let count = ssc.context().long_accumulator("numbers");
    /// let (numbers, queue) = ssc.queue_stream(true);
    /// queue.push(ssc.context().range(0, 7, 1, 2));
    /// let counted = count.clone();
    /// numbers.foreach_rdd(move |rdd, _| rdd.count().map(|n| counted.add(n as i64)));
    /// ssc.start()?;
    /// ssc.stop_gracefully()?;
    /// assert_eq!(count.value(), 7);
    /// # Ok::<(), tidemill::Error>(())
    /// ```
    pub fn stop_gracefully(&self) -> Result<()> {
        let config = self.config();
        let limit = match config.get(&keys::GRACEFUL_STOP_TIMEOUT)? {
            Some(limit) => limit,
            None => (self.batch_duration() * 10).max(config.get(&keys::SHUTDOWN_TIMEOUT)?),
        };
        self.inner.stop(Some(limit))
    }

    #[track_caller]
    pub(crate) fn input<T: Data>(&self, site: Site, input: impl Input<T>) -> DStream<T> {
        input_stream(&self.inner.graph, site, input)
    }

    /// Lets the program end after the batch at `time`, for tests that must not see one batch more.
    pub(crate) fn cut_no_later_than(&self, time: Time) {
        let _ = self.inner.graph.last_batch.set(time);
    }

    /// Waits until every batch that the clock has reached is done (true), for at most `timeout` of real time.
    pub(crate) fn wait_idle(&self, timeout: Duration) -> bool {
        self.inner.scheduler.get().is_none_or(|scheduler| scheduler.wait_idle(timeout))
    }
}

impl fmt::Debug for StreamingContext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "StreamingContext({:?}, {:?})", self.batch_duration(), self.state())
    }
}
