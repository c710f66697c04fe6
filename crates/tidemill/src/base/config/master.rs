//! Where a program runs, as Spark's master address says it.

use super::{super::Result, Config, Unit, keys, parse::ConfigValue};
use std::fmt;

/// A master address: how many worker threads, and how often a task is tried.
///
/// # Examples
/// ```
/// use tidemill::{Config, keys};
/// let master = Config::new().set(keys::MASTER, "local[4,2]").get(&keys::MASTER)?;
/// assert_eq!((master.threads.count(), master.max_failures), (4, Some(2)));
/// # Ok::<(), tidemill::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct Master {
    /// How many worker threads.
    pub threads: Threads,
    /// The `F` of `local[N,F]`: how often a task is tried before its batch fails.
    pub max_failures: Option<usize>,
}

/// A number of threads.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Threads {
    /// So many.
    Count(usize),
    /// As many as the machine has processors for us.
    All,
}

impl Threads {
    /// How many that is on this machine; at least one.
    pub fn count(self) -> usize {
        match self {
            Threads::Count(count) => count.max(1),
            Threads::All => std::thread::available_parallelism().map_or(1, usize::from),
        }
    }
}

impl ConfigValue for Master {
    const UNIT: Unit = Unit::Text;
    const EXPECTED: &'static str = "\"local\", \"local[N]\", \"local[*]\", \"local[N,F]\" or \"local[*,F]\" \
        with N threads and F tries of a task (tidemill needs no cluster manager)";

    fn parse(value: &str, _: Unit) -> Option<Self> {
        if value == "local" {
            return Some(Master { threads: Threads::Count(1), max_failures: None });
        }
        let inner = value.strip_prefix("local[")?.strip_suffix(']')?;
        let (threads, tries) = match inner.split_once(',') {
            Some((threads, tries)) => (threads, Some(positive(tries)?)),
            None => (inner, None),
        };
        let threads = if threads.trim() == "*" { Threads::All } else { Threads::Count(positive(threads)?) };
        Some(Master { threads, max_failures: tries })
    }
}

fn positive(text: &str) -> Option<usize> {
    text.trim().parse().ok().filter(|number| *number > 0)
}

impl fmt::Display for Master {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.threads {
            Threads::Count(count) => write!(f, "local[{count}")?,
            Threads::All => f.write_str("local[*")?,
        }
        match self.max_failures {
            Some(tries) => write!(f, ",{tries}]"),
            None => f.write_str("]"),
        }
    }
}

impl Config {
    /// How many worker threads the program asks for: `tidemill.worker.threads`, or else those of the master.
    ///
    /// # Examples
    /// ```
    /// use tidemill::{Config, keys};
    /// let config = Config::new().set(keys::MASTER, "local[4]").set(keys::DEFAULT_PARALLELISM, 8);
    /// assert_eq!((config.worker_threads()?, config.default_parallelism()?), (4, 8));
    /// # Ok::<(), tidemill::Error>(())
    /// ```
    pub fn worker_threads(&self) -> Result<usize> {
        match self.get(&keys::WORKER_THREADS)? {
            Some(threads) => Ok(threads),
            None => Ok(self.get(&keys::MASTER)?.threads.count()),
        }
    }

    /// Into how many partitions a shuffle goes when the program does not say: `spark.default.parallelism`, or else
    /// one for each worker thread.
    pub fn default_parallelism(&self) -> Result<usize> {
        match self.get(&keys::DEFAULT_PARALLELISM)? {
            Some(partitions) => Ok(partitions),
            None => self.worker_threads(),
        }
    }

    /// How often a task is tried before its batch fails: the `F` of `local[N,F]`, or else `spark.task.maxFailures`,
    /// or else once.
    pub fn task_max_failures(&self) -> Result<usize> {
        let of_master = self.get(&keys::MASTER)?.max_failures;
        Ok(of_master.or(self.get(&keys::TASK_MAX_FAILURES)?).unwrap_or(1))
    }
}
