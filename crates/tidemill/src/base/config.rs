//! What a program sets by name: a [`Config`] of string pairs, and the one [table](keys) of keys that gives them meaning.
//!
//! Values are kept as they were written; a [`ConfigKey`] parses, bounds and defaults them when they are read.
//! Where values come from (files, flags, the environment) is the caller's affair: layer them with
//! [`Config::with_defaults`].

mod inert;
mod key;
pub mod keys;
mod master;
mod page;
mod parse;
mod redact;
#[cfg(test)]
mod tests;

pub use key::{ConfigKey, Unit};
pub use keys::FileStreamRule;
pub use master::{Master, Threads};
pub use page::config_page;
pub use parse::ConfigValue;

use super::{Error, Result};
use key::AnyKey;
use std::{collections::BTreeMap, fmt};

/// Configuration of a program: names and values, as Spark's `SparkConf`.
///
/// It is a plain value: cheap enough to clone, and what was cloned does not change behind one's back.
/// Its `Debug` form hides secrets.
///
/// # Examples
/// ```
/// use tidemill::{Config, keys, milliseconds};
/// let config = Config::new().set(keys::MASTER, "local[2]").set("spark.streaming.blockInterval", "50ms");
/// assert_eq!(config.get(&keys::BLOCK_INTERVAL)?, milliseconds(50));
/// assert_eq!(config.get(&keys::CONCURRENT_JOBS)?, 1); // its default
/// # Ok::<(), tidemill::Error>(())
/// ```
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Config {
    values: BTreeMap<String, String>,
}

impl Config {
    /// A configuration in which every key has its default.
    pub fn new() -> Self {
        Self::default()
    }

    /// A configuration of the given pairs; of two with one name the later counts.
    ///
    /// # Examples
    /// ```
    /// use tidemill::Config;
    /// let config = Config::from_pairs([("spark.app.name", "counts"), ("spark.master", "local")]);
    /// assert_eq!(config.get_raw("spark.app.name"), Some("counts"));
    /// ```
    pub fn from_pairs<K: Into<String>, V: Into<String>>(pairs: impl IntoIterator<Item = (K, V)>) -> Self {
        Self { values: pairs.into_iter().map(|(key, value)| (key.into(), value.into())).collect() }
    }

    /// The same configuration with `key` set to `value`, whatever it was before.
    #[must_use]
    pub fn set(mut self, key: impl AsRef<str>, value: impl fmt::Display) -> Self {
        self.insert(key, value);
        self
    }

    /// The same configuration with `key` set to `value` unless the key, or an older name of it, is set already.
    #[must_use]
    pub fn set_if_missing(mut self, key: impl AsRef<str>, value: impl fmt::Display) -> Self {
        if !self.contains(&key) {
            self.insert(key, value);
        }
        self
    }

    /// Sets `key` to `value` in place.
    pub fn insert(&mut self, key: impl AsRef<str>, value: impl fmt::Display) {
        self.values.insert(key.as_ref().to_owned(), value.to_string());
    }

    /// Takes `key` out again, so that its default counts; returns what it was set to.
    pub fn remove(&mut self, key: impl AsRef<str>) -> Option<String> {
        self.values.remove(key.as_ref())
    }

    /// This configuration over `lower`, whose values count only for keys that are not set here.
    ///
    /// # Examples
    /// ```
    /// use tidemill::Config;
    /// let file = Config::new().set("spark.app.name", "from the file").set("spark.master", "local[4]");
    /// let config = Config::new().set("spark.app.name", "from the code").with_defaults(&file);
    /// assert_eq!(config.get_raw("spark.app.name"), Some("from the code"));
    /// assert_eq!(config.get_raw("spark.master"), Some("local[4]"));
    /// ```
    #[must_use]
    pub fn with_defaults(mut self, lower: &Config) -> Self {
        for (key, value) in lower.get_all() {
            if !self.contains(key) {
                self.insert(key, value);
            }
        }
        self
    }

    /// What `key` is set to, or its default.
    ///
    /// # Errors
    /// Invalid, if it is set to something that the key cannot be; the message says what it can.
    ///
    /// # Examples
    /// ```
    /// use tidemill::{Config, keys};
    /// let config = Config::new().set(keys::CONCURRENT_JOBS, "many");
    /// let error = config.get(&keys::CONCURRENT_JOBS).unwrap_err();
    /// assert!(error.to_string().contains("spark.streaming.concurrentJobs"));
    /// ```
    pub fn get<T>(&self, key: &ConfigKey<T>) -> Result<T> {
        match self.lookup(key.name(), key.aliases()) {
            Some((name, value)) => key.parse_as(name, value),
            None => key.default(),
        }
    }

    /// What the key called `name` is set to, exactly as it was written; none if it is not set under this very name.
    pub fn get_raw(&self, name: &str) -> Option<&str> {
        self.values.get(name).map(String::as_str)
    }

    /// Every pair that is set, in the order of the names. Secrets are in the clear: for a person, print the
    /// configuration with `{:?}` or [`to_debug_string`](Self::to_debug_string).
    pub fn get_all(&self) -> impl Iterator<Item = (&str, &str)> {
        self.values.iter().map(|(key, value)| (key.as_str(), value.as_str()))
    }

    /// Whether the key called `name`, or one of its other names, is set.
    ///
    /// # Examples
    /// ```
    /// use tidemill::{Config, keys};
    /// let config = Config::new().set("spark.streaming.minRememberDuration", "5min"); // an older name
    /// assert!(config.contains(keys::FILE_MIN_REMEMBER) && !config.contains(keys::MASTER));
    /// ```
    pub fn contains(&self, name: impl AsRef<str>) -> bool {
        let name = name.as_ref();
        match keys::find(name) {
            Some(key) => self.lookup(key.name(), key.aliases()).is_some(),
            None => self.values.contains_key(name),
        }
    }

    /// One `key=value` a line, in the order of the names, without secrets.
    ///
    /// # Examples
    /// ```
    /// use tidemill::Config;
    /// let config = Config::new().set("spark.app.name", "counts").set("db.password", "hunter2");
    /// assert_eq!(config.to_debug_string(), "db.password=(redacted)\nspark.app.name=counts");
    /// ```
    pub fn to_debug_string(&self) -> String {
        let lines: Vec<_> = self.get_all().map(|(key, value)| format!("{key}={}", redact::shown(key, value))).collect();
        lines.join("\n")
    }

    /// Looks through everything that is set, before a program starts.
    ///
    /// Keys of ours and of Spark Streaming are judged; other names are kept for whoever reads them.
    ///
    /// # Errors
    /// Invalid, at the first unknown `tidemill.*` key, value that its key cannot have, or pair of values that
    /// contradict each other.
    ///
    /// # Examples
    /// ```
    /// use tidemill::Config;
    /// let error = Config::new().set("tidemill.worker.thread", 4).check().unwrap_err();
    /// assert!(error.to_string().contains("did you mean \"tidemill.worker.threads\""));
    /// let notices = Config::new().set("spark.streaming.blockQueueSize", 20).check()?;
    /// assert!(notices[0].to_string().contains("has no effect here"));
    /// # Ok::<(), tidemill::Error>(())
    /// ```
    pub fn check(&self) -> Result<Vec<Notice>> {
        let mut notices = Vec::new();
        for (name, value) in self.get_all() {
            if let Some(key) = keys::find(name) {
                key.check(name, value)?;
                notices.extend(self.notice_of_alias(key, name));
            } else {
                notices.extend(notice_without_key(name)?);
            }
        }
        self.check_together()?;
        Ok(notices)
    }

    /// How many worker threads the program asks for: `tidemill.worker.threads`, or else those of the master.
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

    /// The name under which a key is set, and its value; its proper name goes before its aliases.
    fn lookup(&self, name: &'static str, aliases: &'static [&'static str]) -> Option<(&'static str, &str)> {
        let mut names = std::iter::once(name).chain(aliases.iter().copied());
        names.find_map(|name| Some((name, self.get_raw(name)?)))
    }

    fn notice_of_alias(&self, key: &dyn AnyKey, name: &str) -> Option<Notice> {
        let hides_it = self.values.contains_key(key.name());
        (name != key.name()).then(|| {
            let key_name = key.name();
            let message = if hides_it {
                format!("\"{name}\" is ignored because \"{key_name}\", the newer name of the same key, is set too")
            } else {
                format!("\"{name}\" is an older name; it works, but write \"{key_name}\"")
            };
            Notice { key: name.to_owned(), kind: NoticeKind::OldName, message }
        })
    }

    fn check_together(&self) -> Result<()> {
        let (block, pool) = (self.get(&keys::RECEIVER_BLOCK_BYTES)?, self.get(&keys::RECEIVER_POOL_BYTES)?);
        if block > pool {
            return Err(Error::invalid(format!(
                "a block of \"{block}\" bytes ({}) does not fit into a pool of \"{pool}\" bytes ({}); make the pool at least as large",
                keys::RECEIVER_BLOCK_BYTES.name(),
                keys::RECEIVER_POOL_BYTES.name(),
            )));
        }
        Ok(())
    }
}

/// What there is to say about a key that is set but is in no table of working keys.
fn notice_without_key(name: &str) -> Result<Option<Notice>> {
    if let Some(row) = inert::find(name) {
        let message = format!("\"{name}\" has no effect here, because {}", row.because);
        return Ok(Some(Notice { key: name.to_owned(), kind: NoticeKind::NoEffect, message }));
    }
    let Some(prefix) = ["tidemill.", "spark.streaming."].into_iter().find(|prefix| name.starts_with(prefix)) else {
        return Ok(None);
    };
    let guess = nearest(name, prefix).map(|near| format!("; did you mean \"{near}\"?")).unwrap_or_default();
    let message = format!("there is no key \"{name}\"{guess}");
    if prefix == "tidemill." {
        return Err(Error::invalid(message));
    }
    Ok(Some(Notice { key: name.to_owned(), kind: NoticeKind::Unknown, message }))
}

/// The known key with this prefix that is most like `name`.
fn nearest(name: &str, prefix: &str) -> Option<&'static str> {
    let working = keys::TABLE.iter().flat_map(|key| std::iter::once(key.name()).chain(key.aliases().iter().copied()));
    let known = working.chain(inert::TABLE.iter().map(|row| row.name)).filter(|known| known.starts_with(prefix));
    let scored = known.map(|known| (strsim::jaro_winkler(&name[prefix.len()..], &known[prefix.len()..]), known));
    scored.max_by(|a, b| a.0.total_cmp(&b.0)).map(|(_, known)| known)
}

/// Something worth telling the user about a configuration that is nevertheless accepted.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Notice {
    /// The key as it was written.
    pub key: String,
    /// What is odd about it.
    pub kind: NoticeKind,
    message: String,
}

/// What is odd about a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum NoticeKind {
    /// Nobody knows a key of this name; probably a slip of the pen. Worth a warning.
    Unknown,
    /// Spark knows it, and here it does nothing. Worth an info line.
    NoEffect,
    /// It is an older name of another key. Worth an info line.
    OldName,
}

impl fmt::Display for Notice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl fmt::Debug for Config {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.get_all().map(|(key, value)| (key, redact::shown(key, value)))).finish()
    }
}

impl<K: Into<String>, V: Into<String>> FromIterator<(K, V)> for Config {
    fn from_iter<I: IntoIterator<Item = (K, V)>>(pairs: I) -> Self {
        Self::from_pairs(pairs)
    }
}

impl<K: Into<String>, V: Into<String>> Extend<(K, V)> for Config {
    fn extend<I: IntoIterator<Item = (K, V)>>(&mut self, pairs: I) {
        self.values.extend(pairs.into_iter().map(|(key, value)| (key.into(), value.into())));
    }
}
