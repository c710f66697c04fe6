//! What a program sets by name: a [`Config`] of string pairs, and the one [table](keys) of keys that gives them meaning.
//!
//! Values are kept as they were written; a [`ConfigKey`] parses, bounds and defaults them when they are read.
//! Where values come from (files, flags, the environment) is the caller's affair: layer them with
//! [`Config::with_defaults`].

mod check;
mod inert;
mod key;
pub mod keys;
mod master;
mod page;
mod parse;
mod redact;
#[cfg(test)]
mod tests;

pub use check::{Notice, NoticeKind};
pub use key::{ConfigKey, Unit};
pub use keys::{FileStreamRule, MissedBatches, MissingFile, OnDataLoss, OnFailure, Unreadable};
pub use master::{Master, Threads};
pub use page::config_page;
pub use parse::ConfigValue;

use super::Result;
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
    ///
    /// # Examples
    /// ```
    /// use tidemill::{Config, keys};
    /// let mut config = Config::new().set(keys::APP_NAME, "counts").set_if_missing(keys::APP_NAME, "sums");
    /// assert_eq!(config.remove(keys::APP_NAME).as_deref(), Some("counts"));
    /// assert!(!config.contains(keys::APP_NAME));
    /// ```
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
    ///
    /// # Examples
    /// ```
    /// use tidemill::Config;
    /// let config = Config::from_pairs([("b", "2"), ("a", "1")]);
    /// assert!(config.get_all().eq([("a", "1"), ("b", "2")]));
    /// ```
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

    /// The name under which a key is set, and its value; its proper name goes before its aliases.
    fn lookup(&self, name: &'static str, aliases: &'static [&'static str]) -> Option<(&'static str, &str)> {
        let mut names = std::iter::once(name).chain(aliases.iter().copied());
        names.find_map(|name| Some((name, self.get_raw(name)?)))
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
