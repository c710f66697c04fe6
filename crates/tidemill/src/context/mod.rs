//! The front door: wires the rooms together.

mod signals;
mod streaming;

pub use streaming::StreamingContext;

use crate::{
    base::{Config, Data, Result, keys},
    engine::{Engine, cluster::ClusterConfig},
    rdd::{Rdd, Session, Site, source},
};
use std::sync::Arc;

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
    pub fn local(threads: usize) -> Self {
        Self::try_local(threads).expect("the operating system starts the worker threads")
    }

    /// As [`local`](Self::local).
    ///
    /// # Errors
    /// If the worker threads cannot be started.
    pub fn try_local(threads: usize) -> Result<Self> {
        Self::new(Config::new().set(keys::MASTER, format!("local[{}]", threads.max(1))))
    }

    /// A context as `config` describes it.
    ///
    /// # Errors
    /// A key that is unknown or has a bad value; worker threads that cannot be started.
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
    pub fn config(&self) -> &Config {
        &self.config
    }

    pub(crate) fn session(&self) -> &Arc<Session> {
        &self.session
    }

    /// A dataset of `values` in `partitions` partitions.
    #[track_caller]
    pub fn parallelize<T: Data>(&self, values: Vec<T>, partitions: usize) -> Rdd<T> {
        Rdd::parallelized(&self.session, Site::here("parallelize"), values, partitions)
    }

    /// The numbers from `start` until `end` by `step`, in `partitions` partitions.
    #[track_caller]
    pub fn range(&self, start: i64, end: i64, step: i64, partitions: usize) -> Rdd<i64> {
        source::range(&self.session, Site::here("range"), start, end, step, partitions)
    }

    /// Joins the workers; jobs fail from then on.
    ///
    /// # Errors
    /// If a worker ended badly.
    pub fn stop(&self) -> Result<()> {
        self.session.stop()
    }
}
