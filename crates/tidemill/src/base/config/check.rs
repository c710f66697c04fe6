//! What is wrong or odd about a configuration as a whole.

use super::{
    super::{Error, Result},
    Config, inert,
    key::AnyKey,
    keys,
};
use std::fmt;

impl Config {
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
