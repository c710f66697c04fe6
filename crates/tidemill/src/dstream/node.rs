//! The typed handle [`DStream`], and what every node has in common.

use super::{graph::Graph, kept::KeptChanges};
use crate::{
    base::{Data, Error, Misuse, Result, Time, keys, time::ms},
    rdd::{Rdd, Session, Site, StorageLevel},
};
use std::{
    collections::BTreeMap,
    fmt,
    sync::{
        Arc, Mutex, MutexGuard, OnceLock, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

/// What one kind of stream fills in.
pub(crate) trait StreamOp<T>: Send + Sync {
    /// The streams it is made from.
    fn parents(&self) -> Vec<Arc<dyn ErasedStream>>;

    /// How far apart its batches are.
    fn slide(&self) -> Duration;

    /// Its dataset of the batch at `time`; `None` where it has no batch then.
    fn compute(&self, time: Time) -> Result<Option<Rdd<T>>>;

    /// How long before its own batch it reads its parents.
    fn looks_back(&self) -> Duration {
        Duration::ZERO
    }

    /// The state that it carries from batch to batch.
    fn state(&self) -> Option<&dyn super::state::ResidentState> {
        None
    }

    /// Where the operator stands in the program whose state that is.
    fn operator(&self) -> Option<Site> {
        None
    }

    /// Whether it can only run with a checkpoint directory, as in Spark.
    fn must_checkpoint(&self) -> bool {
        false
    }

    /// The id of the input that it is the stream of.
    fn input(&self) -> Option<usize> {
        None
    }
}

/// What graph and scheduler see of a stream of any type.
pub(crate) trait ErasedStream: Send + Sync {
    fn site(&self) -> Site;
    fn slide(&self) -> Duration;
    fn parents(&self) -> Vec<Arc<dyn ErasedStream>>;
    fn is_valid(&self, time: Time) -> bool;
    /// Makes the stream keep the datasets of at least the last `duration`, and its parents what that needs.
    fn remember(&self, duration: Duration);
    /// Checks the settings that can only be judged at start.
    fn validate(&self) -> Result<()>;
    /// Brings state and what is kept for later to `time` even where no output asked for it.
    fn advance(&self, time: Time) -> Result<()>;
    /// The batch succeeded: state of `time` is final.
    fn commit(&self, time: Time);
    /// The batch failed: it leaves no trace.
    fn roll_back(&self, time: Time);
    /// Drops the datasets that nothing can ask for after the batch at `time`.
    fn forget(&self, time: Time);
    fn has_state(&self) -> bool;
    /// Whether its batches depend on state, its own or that of a stream before it.
    fn rests_on_state(&self) -> bool;
    /// Keeps its datasets, for a stream that reads them after their own batch.
    fn keep_for_later(&self);
    fn is_kept_for_later(&self) -> bool;
    /// Whether the program has a checkpoint.
    fn is_remembered(&self) -> bool;
    fn session(&self) -> Arc<Session>;
    /// The uid that the user gave it.
    fn given_uid(&self) -> Option<String>;
    /// The id of the input that it is the stream of.
    fn input(&self) -> Option<usize>;
    /// What it remembers from batch to batch: its operator's state, or its datasets if they are kept for later.
    fn remembered(&self) -> Vec<Remembered<'_>>;
}

/// Something of a stream that a checkpoint holds.
pub(crate) struct Remembered<'a> {
    /// What of the stream it is, if it is not the state of its operator.
    pub(crate) part: Option<&'static str>,
    /// Where what remembers it stands in the program: many streams may show one state.
    pub(crate) site: Site,
    pub(crate) state: &'a dyn super::state::CheckpointedState,
}

#[derive(Default)]
struct Settings {
    storage: StorageLevel,
    checkpoint_interval: Option<Duration>,
    kept_for_later: bool,
    uid: Option<String>,
}

pub(crate) struct StreamCore<T> {
    pub(super) graph: Arc<Graph>,
    pub(super) site: Site,
    pub(super) op: Box<dyn StreamOp<T>>,
    generated: Mutex<BTreeMap<Time, Option<Rdd<T>>>>,
    settings: Mutex<Settings>,
    pub(super) remember_ms: AtomicU64,
    /// What a checkpoint is to have of the dataset of the batch that runs, if datasets are kept for later.
    pub(super) kept: Arc<KeptChanges>,
    /// The last batch of an earlier run, if datasets are kept for later: of what is not there from before it, there is
    /// nothing.
    pub(super) restored_to: OnceLock<Time>,
}

/// A stream of batches: one [`Rdd`] for each batch time.
///
/// A cheap handle: a clone is the same stream. Streams are declared before
/// [`StreamingContext::start`](crate::StreamingContext::start).
///
/// # Panics
/// A transformation or output declared after start or stop panics with the text of the
/// [`Misuse`](crate::Misuse); nothing of the running program is harmed.
#[must_use = "a stream is lazy: nothing runs unless an output operation is called on it or on a stream made from it"]
pub struct DStream<T> {
    core: Arc<StreamCore<T>>,
}

impl<T> Clone for DStream<T> {
    fn clone(&self) -> Self {
        Self { core: self.core.clone() }
    }
}

impl<T> fmt::Debug for DStream<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "DStream {}", self.core.site)
    }
}

/// Raises a misuse that is a mistake in the program text.
#[track_caller]
pub(crate) fn declared<T>(result: Result<T>) -> T {
    match result {
        Ok(value) => value,
        Err(error) => panic!("{error}"),
    }
}

impl<T: Data> DStream<T> {
    #[track_caller]
    pub(crate) fn from_op(graph: &Arc<Graph>, site: Site, op: impl StreamOp<T> + 'static) -> Self {
        declared(graph.check_declaring(site.operation));
        let core = Arc::new(StreamCore {
            graph: graph.clone(),
            site,
            op: Box::new(op),
            generated: Mutex::default(),
            settings: Mutex::default(),
            remember_ms: AtomicU64::new(0),
            kept: Arc::default(),
            restored_to: OnceLock::new(),
        });
        let erased: Arc<dyn ErasedStream> = core.clone();
        graph.register(&erased);
        Self { core }
    }

    pub(crate) fn graph(&self) -> &Arc<Graph> {
        &self.core.graph
    }

    pub(crate) fn erased(&self) -> Arc<dyn ErasedStream> {
        self.core.clone()
    }

    /// How far apart the batches of this stream are.
    ///
    /// # Examples
    /// ```
    /// use tidemill::{seconds, testing::TestContext};
    /// let test = TestContext::new();
    /// let numbers = test.stream(vec![vec![1]]);
    /// assert_eq!(numbers.slide_duration(), seconds(1));
    /// assert_eq!(numbers.window(seconds(4), seconds(2)).slide_duration(), seconds(2));
    /// ```
    pub fn slide_duration(&self) -> Duration {
        self.core.op.slide()
    }

    /// The dataset of the batch at `time`, made once and then remembered.
    pub(crate) fn at(&self, time: Time) -> Result<Option<Rdd<T>>> {
        self.core.at(time)
    }

    /// Keeps every batch's dataset once it was computed; set it where two operations read one stream.
    ///
    /// # Panics
    /// After start, with the text of [`Misuse::ChangedAfterStart`].
    ///
    /// # Examples
    /// See [`cache`](Self::cache).
    #[track_caller]
    pub fn persist(&self, level: StorageLevel) -> Self {
        let changed = self.core.graph.check_declaring("persist");
        declared(changed.map_err(|_| Error::from(Misuse::ChangedAfterStart { setting: "storage level" })));
        self.core.settings().storage = level;
        self.clone()
    }

    /// [`persist`](Self::persist) in memory.
    ///
    /// # Examples
    /// ```
    /// let test = tidemill::testing::TestContext::new();
    /// let computed = test.ssc().context().long_accumulator("computed");
    /// let count = computed.clone();
    /// let slow = test.stream(vec![vec![1, 2, 3]]).map(move |n| { count.add(1); n * n }).cache();
    /// let (first, second) = (test.collect(&slow), test.collect(&slow));
    /// test.run(1)?;
    /// assert_eq!((first.sorted(), second.sorted()), (vec![vec![1, 4, 9]], vec![vec![1, 4, 9]]));
    /// assert_eq!(computed.value(), 3, "each record once, not once for each output");
    /// # Ok::<(), tidemill::Error>(())
    /// ```
    #[track_caller]
    pub fn cache(&self) -> Self {
        self.persist(StorageLevel::MemoryOnly)
    }

    /// Sets how often the stream's state is written to the checkpoint directory.
    ///
    /// # Panics
    /// After start, with the text of [`Misuse::ChangedAfterStart`].
    ///
    /// # Examples
    /// ```
    /// use tidemill::{seconds, testing::TestContext};
    /// let test = TestContext::new();
    /// let letters = test.stream(vec![vec![('a', 1)], vec![('a', 1)]]);
    /// let counts = letters.update_state_by_key(|new: &[i32], n: Option<usize>| Some(n.unwrap_or(0) + new.len()));
    /// let seen = test.collect(&counts.checkpoint(seconds(5)));
    /// test.run(2)?;
    /// assert_eq!(seen.batches(), [[('a', 1)], [('a', 2)]]);
    /// # Ok::<(), tidemill::Error>(())
    /// ```
    #[track_caller]
    pub fn checkpoint(&self, interval: Duration) -> Self {
        let changed = self.core.graph.check_declaring("checkpoint");
        declared(changed.map_err(|_| Error::from(Misuse::ChangedAfterStart { setting: "checkpoint interval" })));
        self.core.settings().checkpoint_interval = Some(interval);
        self.persist(StorageLevel::MemoryOnly)
    }

    /// Gives the stream a stable id, under which a checkpoint knows what it remembers.
    ///
    /// Without one, a stream is known by the operations that lead to it, such as `text_file_stream(in)/map/map_with_state`;
    /// a change of these is then a change of its identity. With one, the program around it may change as it likes.
    ///
    /// # Panics
    /// After start, with the text of [`Misuse::ChangedAfterStart`]; if the id is empty or has white space or a comma in it.
    ///
    /// # Examples
    /// ```
    /// use tidemill::testing::TestContext;
    /// let test = TestContext::new();
    /// let letters = test.stream(vec![vec![('a', 1)]]);
    /// let counts = letters.update_state_by_key(|new: &[i32], n: Option<usize>| Some(n.unwrap_or(0) + new.len()));
    /// counts.uid("counts").print(10);
    /// ```
    #[track_caller]
    pub fn uid(&self, uid: &str) -> Self {
        let changed = self.core.graph.check_declaring("uid");
        declared(changed.map_err(|_| Error::from(Misuse::ChangedAfterStart { setting: "uid" })));
        let is_word = !uid.is_empty() && !uid.contains(|c: char| c.is_whitespace() || c == ',');
        assert!(is_word, "\"{uid}\" is no uid; it is one word without commas");
        self.core.settings().uid = Some(uid.to_owned());
        self.clone()
    }

    /// The datasets of every batch from `begin` to `end`, both included; ends that are no batch time are floored.
    ///
    /// Batches that were forgotten are computed; those that are still to come are left out.
    ///
    /// # Errors
    /// [`Misuse::NotStarted`] before start.
    ///
    /// # Examples
    /// ```
    /// use tidemill::{Time, seconds, testing::TestContext};
    /// let test = TestContext::new();
    /// test.ssc().remember(seconds(60))?;
    /// let numbers = test.stream(vec![vec![1], vec![2, 3], vec![4]]);
    /// numbers.print(10);
    /// test.run(3)?;
    /// let last_two = numbers.slice(Time::from_ms(2_000), Time::from_ms(3_000))?;
    /// assert_eq!(last_two[0].collect()?, [2, 3]);
    /// assert_eq!(last_two[1].collect()?, [4]);
    /// # Ok::<(), tidemill::Error>(())
    /// ```
    pub fn slice(&self, begin: Time, end: Time) -> Result<Vec<Rdd<T>>> {
        let zero = self.core.graph.zero_time().ok_or(Misuse::NotStarted)?;
        let slide = self.slide_duration();
        let floor = |time: Time| {
            let floored = time.floor_from(slide, zero);
            if floored != time {
                tracing::warn!(stream = %self.core.site, %time, %floored, "slice was given a time that is no batch time");
            }
            floored
        };
        let mut rdds = Vec::new();
        let newest = self.core.graph.newest();
        for time in floor(begin.max(zero)).to(floor(end.max(zero)), slide).take_while(|time| *time <= newest) {
            rdds.extend(self.at(time)?);
        }
        Ok(rdds)
    }
}

impl<T: Data> StreamCore<T> {
    fn settings(&self) -> MutexGuard<'_, Settings> {
        self.settings.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn generated(&self) -> MutexGuard<'_, BTreeMap<Time, Option<Rdd<T>>>> {
        self.generated.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn at(&self, time: Time) -> Result<Option<Rdd<T>>> {
        if !self.is_valid(time) {
            return Ok(None);
        }
        if let Some(known) = self.generated().get(&time) {
            return Ok(known.clone());
        }
        if self.restored_to.get().is_some_and(|restored| time <= *restored) {
            return Ok(None);
        }
        let rdd = self.op.compute(time)?;
        if let Some(rdd) = &rdd {
            let level = self.settings().storage;
            if level != StorageLevel::None {
                rdd.storage().set_level(level);
            }
        }
        self.generated().insert(time, rdd.clone());
        Ok(rdd)
    }
}

impl<T: Data> ErasedStream for StreamCore<T> {
    fn site(&self) -> Site {
        self.site
    }

    fn slide(&self) -> Duration {
        self.op.slide()
    }

    fn parents(&self) -> Vec<Arc<dyn ErasedStream>> {
        self.op.parents()
    }

    fn is_valid(&self, time: Time) -> bool {
        self.graph
            .zero_time()
            .is_some_and(|zero| time > zero && (time.as_ms() - zero.as_ms()).is_multiple_of(ms(self.op.slide()).max(1)))
    }

    fn remember(&self, duration: Duration) {
        let duration = duration.max(self.op.slide());
        if self.remember_ms.fetch_max(ms(duration), Ordering::Relaxed) >= ms(duration) {
            return;
        }
        for parent in self.op.parents() {
            parent.remember(self.op.looks_back());
        }
    }

    fn validate(&self) -> Result<()> {
        let settings = self.settings();
        if let Some(interval) = settings.checkpoint_interval {
            let (given_ms, slide_ms) = (ms(interval), ms(self.op.slide()));
            if given_ms == 0 || !given_ms.is_multiple_of(slide_ms) {
                return Err(Misuse::BadCheckpointInterval { given_ms, slide_ms }.into());
            }
        }
        let needs = self.op.must_checkpoint() || settings.checkpoint_interval.is_some();
        if needs && !self.graph.has_checkpoint() && self.graph.config.get(&keys::CHECKPOINT_REQUIRED)? {
            return Err(Misuse::NoCheckpointDirectory { operation: self.site.to_string() }.into());
        }
        Ok(())
    }

    /// A stream that is kept for later makes its dataset now, while its inputs are at hand; one that rests on state
    /// also computes it now, for the state goes on.
    fn advance(&self, time: Time) -> Result<()> {
        let kept = self.is_kept_for_later();
        // On several processes each sees only its own partitions, and all must decide alike.
        let shared = self.graph.session.is_shared();
        let behind = self.op.state().is_some_and(|state| shared || !state.is_at(time));
        if !self.is_valid(time) || !(kept || behind) {
            return Ok(());
        }
        let Some(rdd) = self.at(time)? else { return Ok(()) };
        if kept && self.is_remembered() {
            return self.kept.write(&rdd, self.site, time);
        }
        if behind || (kept && self.rests_on_state() && (shared || rdd.storage().all().is_none())) {
            rdd.run(self.site.step("advance the state"), |rdd, partition, task| {
                let _ = rdd.chunks(partition, task).next();
            })?;
        }
        Ok(())
    }

    fn commit(&self, time: Time) {
        if let Some(state) = self.op.state() {
            state.commit(time);
        }
        let kept = self.generated().get(&time).cloned().flatten().and_then(|rdd| rdd.without_lineage());
        if let Some(kept) = kept {
            self.generated().insert(time, Some(kept));
        }
    }

    fn roll_back(&self, time: Time) {
        if let Some(state) = self.op.state() {
            state.roll_back(time);
        }
        self.kept.roll_back();
        self.generated().remove(&time);
        if self.is_valid(time) && self.graph.zero_time().is_some() {
            self.generated().insert(time, None);
        }
    }

    fn forget(&self, time: Time) {
        let remember = Duration::from_millis(self.remember_ms.load(Ordering::Relaxed));
        let oldest = time.saturating_sub(remember);
        let mut generated = self.generated();
        let kept = generated.split_off(&(oldest + Duration::from_millis(1)));
        let old = std::mem::replace(&mut *generated, kept);
        drop(generated);
        drop(old);
    }

    fn has_state(&self) -> bool {
        self.op.state().is_some()
    }

    fn rests_on_state(&self) -> bool {
        self.has_state() || self.op.parents().iter().any(|parent| parent.rests_on_state())
    }

    fn keep_for_later(&self) {
        let mut settings = self.settings();
        settings.kept_for_later = true;
        if settings.storage == StorageLevel::None {
            settings.storage = StorageLevel::MemoryOnly;
        }
    }

    fn is_kept_for_later(&self) -> bool {
        self.settings().kept_for_later
    }

    fn is_remembered(&self) -> bool {
        self.graph.has_checkpoint()
    }

    fn session(&self) -> Arc<Session> {
        self.graph.session.clone()
    }

    fn given_uid(&self) -> Option<String> {
        self.settings().uid.clone()
    }

    fn input(&self) -> Option<usize> {
        self.op.input()
    }

    fn remembered(&self) -> Vec<Remembered<'_>> {
        let site = self.op.operator().unwrap_or(self.site);
        let state = self.op.state().map(|state| Remembered { part: None, site, state: state.checkpointed() });
        let kept = self.is_kept_for_later();
        let kept = kept.then_some(Remembered { part: Some("datasets"), site: self.site, state: self });
        state.into_iter().chain(kept).collect()
    }
}
