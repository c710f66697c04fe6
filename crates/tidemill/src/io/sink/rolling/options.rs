//! When a rolling file is finished, and what it is called.

use crate::base::{Error, Result, files::Codec};
use std::time::Duration;

const MAX_BYTES: u64 = 128 << 20;
const MAX_AGE: Duration = Duration::from_secs(60);

/// When a rolling file is finished, and what it is called.
///
/// # Examples
/// ```
/// use tidemill::{base::files::Codec, io::RollingOptions, minutes};
/// let options = RollingOptions::new().max_bytes(16 << 20).max_age(minutes(5)).compressed(Codec::Zstd).prefix("clicks");
/// assert_eq!(options.clone().max_bytes(16 << 20), options);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use]
pub struct RollingOptions {
    pub(super) max_bytes: u64,
    pub(super) max_age: Duration,
    pub(super) max_rows: u64,
    pub(super) codec: Option<Codec>,
    pub(super) prefix: String,
    pub(super) suffix: Option<String>,
}

impl Default for RollingOptions {
    fn default() -> Self {
        Self::new()
    }
}

impl RollingOptions {
    /// 128 MiB or one minute, whatever comes first; not compressed, and named `part-<time>-<number>.txt` or `.jsonl`.
    pub fn new() -> Self {
        Self {
            max_bytes: MAX_BYTES,
            max_age: MAX_AGE,
            max_rows: u64::MAX,
            codec: None,
            prefix: "part".to_owned(),
            suffix: None,
        }
    }

    /// A file is finished once it has this many bytes, as they are on the disk. It may have up to twice as many: what one
    /// partition has of a batch is cut only where that alone is more.
    pub fn max_bytes(mut self, bytes: u64) -> Self {
        self.max_bytes = bytes.max(1);
        self
    }

    /// A file is finished with the batch whose time is this much after that of its first batch, whether or not that has
    /// records. With zero every batch has files of its own, which are seen as soon as it is done.
    pub fn max_age(mut self, age: Duration) -> Self {
        self.max_age = age;
        self
    }

    /// A file is finished once it has this many rows; it may have up to twice as many, as with bytes.
    pub fn max_rows(mut self, rows: u64) -> Self {
        self.max_rows = rows.max(1);
        self
    }

    /// Compresses what each partition has of a batch by itself, one after another in one file, and adds the codec's extension
    /// to the names. Readers must take several members in one file, as the usual tools do; deflate has no such files.
    pub fn compressed(mut self, codec: Codec) -> Self {
        self.codec = Some(codec);
        self
    }

    /// What the names begin with, before the first batch time.
    pub fn prefix(mut self, prefix: impl Into<String>) -> Self {
        self.prefix = prefix.into();
        self
    }

    /// What the names end with, after a dot, but for the extension of the codec; nothing if it is empty.
    pub fn suffix(mut self, suffix: impl Into<String>) -> Self {
        self.suffix = Some(suffix.into());
        self
    }

    /// Whether files can be written like that.
    pub(super) fn check(&self) -> Result<()> {
        let (prefix, suffix) = (&self.prefix, self.suffix.as_deref().unwrap_or_default());
        if prefix.starts_with(['.', '_']) {
            return Err(Error::invalid(format!(
                "the prefix \"{prefix}\" of rolling files would hide them from readers; begin it with another character"
            )));
        }
        if prefix.contains('/') || suffix.contains('/') {
            return Err(Error::invalid(format!(
                "the names of rolling files, \"{prefix}\" and \"{suffix}\", hold a slash; put folders into the directory"
            )));
        }
        if self.codec == Some(Codec::Deflate) {
            return Err(Error::invalid(
                "rolling files cannot be compressed as \"deflate\", which ends with its first member; use gzip, zstd or bzip2",
            ));
        }
        Ok(())
    }
}
