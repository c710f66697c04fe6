//! A streaming context under a clock that stands still, and tables of input and expected batches.

use super::script::{ScriptInput, ScriptedSource, Step};
use crate::{
    base::{
        Config, Data, ManualClock, Result, Time, keys,
        storage::{MemoryStorage, StorageRef},
    },
    context::{Context, StreamingContext},
    dstream::DStream,
    rdd::Site,
};
use std::{
    fmt, fs, io,
    path::PathBuf,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

/// How long a test waits, in real time, for batches that ought to be done.
const PATIENCE: Duration = Duration::from_secs(60);

/// A [`StreamingContext`] for tests: batches run when the test says so, one second of manual time apart.
///
/// It has two workers, two partitions, a checkpoint directory that is removed with it, and leaves signals alone.
///
/// # Examples
/// ```
/// use tidemill::testing::TestContext;
/// let test = TestContext::new();
/// let words = test.stream(vec![vec!["a b"], vec!["b"]].into_iter().map(|b| b.into_iter().map(String::from).collect()).collect());
/// let counts = words.flat_map(|line: String| line.split(' ').map(String::from).collect::<Vec<_>>()).map(|w| (w, 1)).reduce_by_key(|a, b| a + b);
/// let seen = test.collect(&counts);
/// test.run(2)?;
/// assert_eq!(seen.sorted(), vec![vec![("a".into(), 1), ("b".into(), 1)], vec![("b".into(), 1)]]);
/// # Ok::<(), tidemill::Error>(())
/// ```
pub struct TestContext {
    ssc: StreamingContext,
    clock: ManualClock,
    directory: PathBuf,
    partitions: usize,
}

impl fmt::Debug for TestContext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TestContext({:?})", self.ssc)
    }
}

impl Default for TestContext {
    fn default() -> Self {
        Self::new()
    }
}

impl TestContext {
    /// Two workers, two partitions, batches of one second from time 0.
    ///
    /// # Panics
    /// If the machine gives no threads or temporary directory.
    pub fn new() -> Self {
        Self::with_config(Config::new())
    }

    /// As [`new`](Self::new), where `config` says nothing else.
    ///
    /// # Panics
    /// If `config` cannot be used, or the machine gives no threads or temporary directory.
    pub fn with_config(config: Config) -> Self {
        Self::with(config, Duration::from_secs(1))
    }

    /// As [`with_config`](Self::with_config), with another batch duration.
    ///
    /// # Panics
    /// If `config` cannot be used, or the machine gives no threads or temporary directory.
    pub fn with(config: Config, batch_duration: Duration) -> Self {
        Self::remembered_in(MemoryStorage::new(), config, batch_duration)
    }

    /// As [`with`](Self::with), over a checkpoint that an earlier context may have left: the program is restarted.
    ///
    /// # Panics
    /// As [`with`](Self::with).
    ///
    /// # Examples
    /// ```
    /// use tidemill::{Config, base::storage::MemoryStorage, seconds, testing::TestContext};
    /// let checkpoint = MemoryStorage::new();
    /// let mut totals = Vec::new();
    /// for start in 0..2 {
    ///     let test = TestContext::remembered_in(checkpoint.clone(), Config::new(), seconds(1));
    ///     let letters = test.stream(vec![vec![('a', 1)], vec![('a', 1)]]);
    ///     let counts = letters.update_state_by_key(|new: &[i32], n: Option<usize>| Some(n.unwrap_or(0) + new.len()));
    ///     let seen = test.collect(&counts);
    ///     test.run(1)?;
    ///     totals.extend(seen.batches().concat());
    /// }
    /// assert_eq!(totals, [('a', 1), ('a', 2)]);
    /// # Ok::<(), tidemill::Error>(())
    /// ```
    pub fn remembered_in(checkpoint: MemoryStorage, config: Config, batch_duration: Duration) -> Self {
        Self::remembered_at(Arc::new(checkpoint), config, batch_duration)
    }

    pub(super) fn remembered_at(checkpoint: StorageRef, config: Config, batch_duration: Duration) -> Self {
        let config = config.set_if_missing(keys::MASTER, "local[2]").set_if_missing(keys::SHUTDOWN_SIGNALS, false);
        let config = config.set_if_missing(keys::BATCH_ON_FAILURE, "continue");
        let config = config.set_if_missing(keys::BATCH_RETRY_TIMEOUT, "0ms");
        let clock = ManualClock::new(Time::from_ms(0));
        let context = Context::new(config).expect("the configuration of a test is right");
        let ssc = StreamingContext::with_clock(&context, batch_duration, Arc::new(clock.clone()))
            .expect("the configuration of a test is right");
        let directory = new_directory().expect("a test has a temporary directory");
        // Datasets are checkpointed into a folder; the program itself is remembered without one.
        ssc.checkpoint(&directory).expect("a test has a temporary directory");
        ssc.checkpoint_to(checkpoint).expect("a test may set its checkpoint");
        Self { ssc, clock, directory, partitions: 2 }
    }

    /// The context under test.
    pub fn ssc(&self) -> &StreamingContext {
        &self.ssc
    }

    /// The clock that only the test moves.
    pub fn clock(&self) -> &ManualClock {
        &self.clock
    }

    /// A stream of these batches, and of empty ones after them.
    #[track_caller]
    pub fn stream<T: Data>(&self, batches: Vec<Vec<T>>) -> DStream<T> {
        let (stream, source) = self.scripted_stream();
        batches.into_iter().for_each(|batch| source.push(Step::Records(batch)));
        stream
    }

    /// A stream of what the returned source is told to give.
    #[track_caller]
    pub fn scripted_stream<T: Data>(&self) -> (DStream<T>, ScriptedSource<T>) {
        let source = ScriptedSource::new();
        let ssc = self.ssc.clone();
        let end = Box::new(move || {
            if let Err(error) = ssc.stop_gracefully() {
                tracing::error!(%error, "the context did not stop at the end of its script");
            }
        });
        let site = Site::here("scripted_stream");
        let input = ScriptInput { source: source.clone(), partitions: self.partitions, site, end };
        (self.ssc.input(site, input), source)
    }

    /// Keeps what `stream` gives in every batch.
    #[track_caller]
    pub fn collect<T: Data>(&self, stream: &DStream<T>) -> Collected<T> {
        let collected = Collected(Arc::default());
        let into = collected.clone();
        let site = Site::here("collect");
        stream.output(site, move |rdd, time| {
            let partitions = rdd.collect_partitions(site)?;
            into.0.lock().unwrap_or_else(PoisonError::into_inner).push((time, partitions));
            Ok(())
        });
        collected
    }

    /// Runs `batches` more batches, starting the context if need be.
    ///
    /// # Errors
    /// A misuse that start finds; the latest error of a batch.
    ///
    /// # Panics
    /// If the batches are not done after a minute.
    pub fn run(&self, batches: usize) -> Result<()> {
        self.advance(batches)?;
        self.ssc.await_termination_or_timeout(Duration::ZERO).map(drop)
    }

    /// As [`run`](Self::run), whether batches fail or not.
    ///
    /// # Errors
    /// A misuse that start finds.
    ///
    /// # Panics
    /// If the batches are not done after a minute.
    pub fn advance(&self, batches: usize) -> Result<()> {
        if self.ssc.state() == crate::ContextState::Initialized {
            self.ssc.start()?;
        }
        for _ in 0..batches {
            self.clock.advance(self.ssc.batch_duration());
            assert!(self.ssc.wait_idle(PATIENCE), "the batch of {} is not done", self.clock_time());
        }
        Ok(())
    }

    /// Starts the program, runs all batches up to `end` that are not done yet, and drains it; no later batch is cut.
    pub(super) fn run_until(&self, end: Duration) -> Result<()> {
        self.ssc.cut_no_later_than(Time::from_ms(0) + end);
        self.ssc.start()?;
        self.clock.advance(end);
        assert!(self.ssc.wait_idle(PATIENCE), "the batches until {} are not done", self.clock_time());
        self.ssc.stop_gracefully()?;
        self.ssc.await_termination()
    }

    fn clock_time(&self) -> Time {
        crate::Clock::now(&self.clock)
    }
}

impl Drop for TestContext {
    fn drop(&mut self) {
        let _ = self.ssc.stop();
        let _ = fs::remove_dir_all(&self.directory);
    }
}

/// The partitions of each batch, by its time.
type Batches<T> = Vec<(Time, Vec<Vec<T>>)>;

/// What a stream gave, batch by batch.
pub struct Collected<T>(Arc<Mutex<Batches<T>>>);

impl<T> Clone for Collected<T> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<T> fmt::Debug for Collected<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Collected")
    }
}

impl<T: Clone> Collected<T> {
    /// Every batch with its time, partition by partition.
    pub fn partitions(&self) -> Vec<(Time, Vec<Vec<T>>)> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The records of every batch.
    pub fn batches(&self) -> Vec<Vec<T>> {
        self.partitions().into_iter().map(|(_, partitions)| partitions.into_iter().flatten().collect()).collect()
    }

    /// The times of the batches.
    pub fn times(&self) -> Vec<Time> {
        self.partitions().into_iter().map(|(time, _)| time).collect()
    }
}

impl<T: Clone + Ord> Collected<T> {
    /// The records of every batch, sorted: for operations that promise no order.
    pub fn sorted(&self) -> Vec<Vec<T>> {
        let mut batches = self.batches();
        batches.iter_mut().for_each(|batch| batch.sort());
        batches
    }
}

/// Runs `operation` over `input`, batch by batch, and compares what it gives, order aside.
///
/// # Panics
/// If a batch fails, or gives something else than expected.
///
/// # Examples
/// ```
/// use tidemill::testing::check_batches;
/// check_batches(vec![vec![1, 2], vec![], vec![3]], |numbers| numbers.map(|n| n * 2), vec![vec![2, 4], vec![], vec![6]]);
/// ```
#[track_caller]
pub fn check_batches<T: Data, U: Data + Ord + fmt::Debug>(
    input: Vec<Vec<T>>,
    operation: impl FnOnce(DStream<T>) -> DStream<U>,
    expected: Vec<Vec<U>>,
) {
    let test = TestContext::new();
    let seen = test.collect(&operation(test.stream(input)));
    if let Err(error) = test.run(expected.len()) {
        panic!("a batch failed: {error:?}");
    }
    let mut expected = expected;
    expected.iter_mut().for_each(|batch| batch.sort());
    assert_eq!(seen.sorted(), expected);
}

/// A folder that was not there: an earlier process of the same number may have left its own.
fn new_directory() -> io::Result<PathBuf> {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    loop {
        let name = format!("tidemill-test-{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        let directory = std::env::temp_dir().join(name);
        match fs::create_dir(&directory) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            made => return made.map(|()| directory),
        }
    }
}
