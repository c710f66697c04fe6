//! The front door: wires the rooms together.

mod checkpoint;
mod combined;
mod file_streams;
mod files;
mod life;
mod signals;
mod sources;
mod streaming;

pub use streaming::StreamingContext;

use crate::{
    base::{Config, Data, Error, Result, keys},
    engine::{Engine, cluster::ClusterConfig},
    io::Source,
    rdd::{Accumulator, Broadcast, Rdd, Session, Site, read::ReadRdd, source, task::in_task},
};
use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

/// Where Rdds come from: the workers of this process, and the sources of batch data.
///
/// A cheap handle, as Spark's `SparkContext`.
///
/// # Examples
/// ```
/// let sc = tidemill::Context::local(2);
/// assert_eq!(sc.parallelize(vec![1, 2, 3], 2).count()?, 3);
/// # Ok::<(), tidemill::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Context {
    session: Arc<Session>,
    config: Arc<Config>,
}

impl Context {
    /// A context with `threads` workers in this process.
    ///
    /// # Panics
    /// If the operating system starts no more threads; [`try_local`](Self::try_local) returns that as an error.
    ///
    /// # Examples
    /// ```
    /// let sc = tidemill::Context::local(3);
    /// assert_eq!(sc.default_parallelism(), 3);
    /// ```
    pub fn local(threads: usize) -> Self {
        Self::try_local(threads).expect("the operating system starts the worker threads")
    }

    /// As [`local`](Self::local).
    ///
    /// # Errors
    /// If the worker threads cannot be started.
    ///
    /// # Examples
    /// ```
    /// let sc = tidemill::Context::try_local(2)?;
    /// assert_eq!(sc.range(0, 4, 1, 0).sum()?, 6);
    /// # Ok::<(), tidemill::Error>(())
    /// ```
    pub fn try_local(threads: usize) -> Result<Self> {
        Self::new(Config::new().set(keys::MASTER, format!("local[{}]", threads.max(1))))
    }

    /// A context as `config` describes it.
    ///
    /// Where the environment names several processes, as `tidemill launch` does, this connects to the others and waits
    /// for them; `docs/processes.md` says what runs where. Then it is the only context that the process can have.
    ///
    /// # Errors
    /// A key that is unknown or has a bad value; worker threads that cannot be started; other processes that do not come
    /// up or run another program.
    ///
    /// # Examples
    /// ```
    /// use tidemill::{Config, Context, keys};
    /// let sc = Context::new(Config::new().set(keys::MASTER, "local[2]").set(keys::DEFAULT_PARALLELISM, 5))?;
    /// assert_eq!(sc.range(0, 100, 1, 0).num_partitions(), 5);
    /// assert!(Context::new(Config::new().set(keys::MASTER, "moon")).is_err());
    /// # Ok::<(), tidemill::Error>(())
    /// ```
    pub fn new(config: Config) -> Result<Self> {
        config.check()?;
        let threads = config.worker_threads()?;
        let engine = match ClusterConfig::from_env()? {
            Some(cluster) => Engine::join(&cluster)?,
            None => Engine::start(threads)?,
        };
        let parallelism = config.get(&keys::DEFAULT_PARALLELISM)?.unwrap_or_else(|| engine.workers());
        let session = Session::new(parallelism, engine);
        Ok(Self { session, config: Arc::new(config) })
    }

    /// The configuration.
    ///
    /// # Examples
    /// ```
    /// use tidemill::{Config, Context, keys};
    /// let sc = Context::new(Config::new().set(keys::MASTER, "local[1]").set(keys::DEFAULT_PARALLELISM, 3))?;
    /// assert_eq!(sc.config().get(&keys::DEFAULT_PARALLELISM)?, Some(3));
    /// # Ok::<(), tidemill::Error>(())
    /// ```
    pub fn config(&self) -> &Config {
        &self.config
    }

    pub(crate) fn session(&self) -> &Arc<Session> {
        &self.session
    }

    /// How many partitions a dataset has unless the caller says otherwise: the number of workers of all
    /// processes.
    ///
    /// # Examples
    /// ```
    /// let sc = tidemill::Context::local(2);
    /// assert_eq!(sc.default_parallelism(), 2);
    /// assert_eq!(sc.parallelize(vec![1, 2, 3], 0).num_partitions(), 2);
    /// ```
    pub fn default_parallelism(&self) -> usize {
        self.session.default_parallelism()
    }

    /// A dataset of `values` in `partitions` partitions; 0 stands for
    /// [`default_parallelism`](Self::default_parallelism).
    ///
    /// Partition `i` of `p` holds the values from `i * n / p` until `(i + 1) * n / p`, as in Spark.
    ///
    /// # Examples
    /// ```
    /// let sc = tidemill::Context::local(2);
    /// assert_eq!(sc.parallelize(vec!['a', 'b', 'c'], 2).glom().collect()?, vec![vec!['a'], vec!['b', 'c']]);
    /// # Ok::<(), tidemill::Error>(())
    /// ```
    #[track_caller]
    pub fn parallelize<T: Data>(&self, values: Vec<T>, partitions: usize) -> Rdd<T> {
        Rdd::parallelized(&self.session, Site::here("parallelize"), values, self.partitions_or_default(partitions))
    }

    /// The numbers from `start` until `end` by `step`, in `partitions` partitions; 0 stands for
    /// [`default_parallelism`](Self::default_parallelism). A step of 0 gives no numbers.
    ///
    /// # Examples
    /// ```
    /// let sc = tidemill::Context::local(2);
    /// assert_eq!(sc.range(10, 0, -3, 2).collect()?, vec![10, 7, 4, 1]);
    /// # Ok::<(), tidemill::Error>(())
    /// ```
    #[track_caller]
    pub fn range(&self, start: i64, end: i64, step: i64, partitions: usize) -> Rdd<i64> {
        source::range(&self.session, Site::here("range"), start, end, step, self.partitions_or_default(partitions))
    }

    fn partitions_or_default(&self, partitions: usize) -> usize {
        if partitions == 0 { self.default_parallelism() } else { partitions }
    }

    /// A dataset of no partitions.
    ///
    /// # Examples
    /// ```
    /// let sc = tidemill::Context::local(2);
    /// assert_eq!(sc.empty::<i64>().fold(7, |a, b| a + b)?, 7);
    /// # Ok::<(), tidemill::Error>(())
    /// ```
    #[track_caller]
    pub fn empty<T: Data>(&self) -> Rdd<T> {
        Rdd::parallelized(&self.session, Site::here("empty"), Vec::new(), 0)
    }

    /// The dataset that a [`Source`] of your own reads, whenever a job needs it.
    ///
    /// # Examples
    /// See [`Source`].
    #[track_caller]
    pub fn read<T: Data>(&self, source: impl Source<T>) -> Rdd<T> {
        let site = Site::here("read");
        Rdd::from_node(&self.session, site, ReadRdd::new(site, source))
    }

    /// The partitions of `datasets`, one dataset after another; duplicates stay.
    ///
    /// # Examples
    /// ```
    /// let sc = tidemill::Context::local(2);
    /// let parts: Vec<_> = (0..3).map(|n| sc.range(n, n + 1, 1, 1)).collect();
    /// assert_eq!(sc.union(&parts).collect()?, vec![0, 1, 2]);
    /// # Ok::<(), tidemill::Error>(())
    /// ```
    #[track_caller]
    pub fn union<T: Data>(&self, datasets: &[Rdd<T>]) -> Rdd<T> {
        Rdd::union_of(&self.session, Site::here("union"), datasets.to_vec())
    }

    /// Shares `value` with all tasks.
    ///
    /// # Examples
    /// ```
    /// let sc = tidemill::Context::local(2);
    /// let factor = sc.broadcast(10);
    /// let by = factor.clone();
    /// assert_eq!(sc.range(0, 3, 1, 2).map(move |n| n * by.value()).collect()?, vec![0, 10, 20]);
    /// # Ok::<(), tidemill::Error>(())
    /// ```
    #[track_caller]
    pub fn broadcast<T: Send + Sync + 'static>(&self, value: T) -> Broadcast<T> {
        Broadcast::new(&self.session, Site::here("broadcast"), value)
    }

    /// An accumulator of whole numbers, from 0; it wraps around at the ends of `i64`, as Spark's does.
    ///
    /// # Examples
    /// ```
    /// let sc = tidemill::Context::local(2);
    /// let count = sc.long_accumulator("records");
    /// let seen = count.clone();
    /// sc.range(0, 7, 1, 2).foreach(move |_| seen.add(1))?;
    /// assert_eq!(count.value(), 7);
    /// # Ok::<(), tidemill::Error>(())
    /// ```
    #[track_caller]
    pub fn long_accumulator(&self, name: &str) -> Accumulator<i64> {
        let add = |sum: &mut i64, n| *sum = sum.wrapping_add(n);
        Accumulator::new(&self.session, Site::here("long_accumulator"), name, 0, add, add)
    }

    /// An accumulator of floats, from 0.
    ///
    /// # Examples
    /// ```
    /// let sc = tidemill::Context::local(2);
    /// let total = sc.double_accumulator("total");
    /// let seen = total.clone();
    /// sc.parallelize(vec![0.5, 1.5], 2).foreach(move |x| seen.add(x))?;
    /// assert_eq!(total.value(), 2.0);
    /// # Ok::<(), tidemill::Error>(())
    /// ```
    #[track_caller]
    pub fn double_accumulator(&self, name: &str) -> Accumulator<f64> {
        let add = |sum: &mut f64, x| *sum += x;
        Accumulator::new(&self.session, Site::here("double_accumulator"), name, 0.0, add, add)
    }

    /// An accumulator of a list, in the order of the partitions.
    ///
    /// # Examples
    /// ```
    /// let sc = tidemill::Context::local(2);
    /// let bad = sc.collection_accumulator("bad records");
    /// let seen = bad.clone();
    /// sc.range(0, 9, 1, 3).foreach(move |n| if n % 4 == 3 { seen.add(n) })?;
    /// assert_eq!(bad.value(), vec![3, 7]);
    /// # Ok::<(), tidemill::Error>(())
    /// ```
    #[track_caller]
    pub fn collection_accumulator<T: Data>(&self, name: &str) -> Accumulator<T, Vec<T>> {
        let (push, append) = (Vec::push, |all: &mut Vec<T>, more: Vec<T>| all.extend(more));
        Accumulator::new(&self.session, Site::here("collection_accumulator"), name, Vec::new(), push, append)
    }

    /// An accumulator of any type: what a task adds is merged into a `zero` of its own, and what tasks added is merged
    /// into the driver's. So `zero` must change nothing when it is merged, and the order must not matter.
    ///
    /// # Examples
    /// ```
    /// let sc = tidemill::Context::local(2);
    /// let longest = sc.accumulator("longest", 0, |longest: &mut usize, len| *longest = len.max(*longest));
    /// let seen = longest.clone();
    /// sc.parallelize(vec!["ab".to_string(), "c".to_string()], 2).foreach(move |word| seen.add(word.len()))?;
    /// assert_eq!(longest.value(), 2);
    /// # Ok::<(), tidemill::Error>(())
    /// ```
    #[track_caller]
    pub fn accumulator<A: Data>(
        &self,
        name: &str,
        zero: A,
        merge: impl Fn(&mut A, A) + Send + Sync + 'static,
    ) -> Accumulator<A> {
        let add = Arc::new(merge);
        let merge = add.clone();
        let site = Site::here("accumulator");
        Accumulator::new(&self.session, site, name, zero, move |sum, x| add(sum, x), move |sum, x| merge(sum, x))
    }

    /// Sets where datasets are [checkpointed](Rdd::checkpoint): in a new directory inside of `directory`, which every call
    /// makes anew.
    ///
    /// # Errors
    /// If it cannot be made.
    ///
    /// # Examples
    /// ```
    /// let folder = tempfile::tempdir()?;
    /// let sc = tidemill::Context::local(2);
    /// sc.set_checkpoint_dir(folder.path())?;
    /// assert!(sc.checkpoint_dir().expect("it is set").starts_with(folder.path()));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn set_checkpoint_dir(&self, directory: impl AsRef<Path>) -> Result<()> {
        self.session.extensions.rdd_checkpoints.set(directory.as_ref(), &self.session)
    }

    /// Where datasets are checkpointed, if that was set.
    ///
    /// # Examples
    /// ```
    /// let (folder, sc) = (tempfile::tempdir()?, tidemill::Context::local(1));
    /// assert_eq!(sc.checkpoint_dir(), None);
    /// sc.set_checkpoint_dir(folder.path())?;
    /// assert!(sc.checkpoint_dir().is_some_and(|directory| directory.is_dir()));
    /// # Ok::<(), tidemill::Error>(())
    /// ```
    pub fn checkpoint_dir(&self) -> Option<PathBuf> {
        self.session.extensions.rdd_checkpoints.get()
    }

    /// Joins the workers and removes temporary files; jobs fail from then on. A second call does nothing.
    ///
    /// # Errors
    /// If a worker ended badly; Invalid if a function that runs on the workers calls it, for it would wait for itself.
    ///
    /// # Examples
    /// ```
    /// let sc = tidemill::Context::local(2);
    /// let numbers = sc.range(0, 3, 1, 2);
    /// sc.stop()?;
    /// assert!(numbers.count().is_err());
    /// # Ok::<(), tidemill::Error>(())
    /// ```
    pub fn stop(&self) -> Result<()> {
        if in_task() {
            return Err(Error::invalid(
                "the context was stopped by a function that runs on its workers; stop it on the driver",
            ));
        }
        self.session.stop()
    }
}

#[cfg(test)]
mod tests;
