//! What a program can say about a stream of files; what it leaves out comes from the configuration.

use super::FileInputSettings;
use crate::{
    base::files::watch::{PickRule, Readiness, WatcherSettings},
    base::{
        Config, Result,
        config::{FileStreamRule, MissingFile},
        keys,
    },
};
use std::{fmt, path::Path, sync::Arc, time::Duration};

/// Which files a stream reads, from their paths.
pub(crate) type Filter = Arc<dyn Fn(&Path) -> bool + Send + Sync>;

/// Which files of a watched directory a stream reads, and when.
///
/// # Examples
/// ```
/// use tidemill::{io::FileStreamOptions, testing::TestContext};
/// let folder = tempfile::tempdir()?;
/// std::fs::write(folder.path().join("old.csv"), "1\n")?;
/// let test = TestContext::new();
/// let options = FileStreamOptions::new()
///     .new_files_only(false)
///     .filter(|path| path.extension().is_some_and(|extension| extension == "csv"));
/// let lines = test.ssc().text_file_stream_with(folder.path().display().to_string(), options);
/// let seen = test.collect(&lines);
/// std::fs::write(folder.path().join("new.csv"), "2\n")?;
/// std::fs::write(folder.path().join("new.log"), "no\n")?;
/// test.run(1)?;
/// assert_eq!(seen.sorted(), [["1", "2"]]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct FileStreamOptions {
    filter: Option<Filter>,
    new_files_only: bool,
    recursive: Option<bool>,
    rule: Option<FileStreamRule>,
    min_age: Option<Duration>,
    max_files_per_batch: Option<usize>,
    missing_file: Option<MissingFile>,
}

impl Default for FileStreamOptions {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for FileStreamOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FileStreamOptions")
            .field("filter", &self.filter.is_some())
            .field("new_files_only", &self.new_files_only)
            .field("recursive", &self.recursive)
            .field("rule", &self.rule)
            .field("min_age", &self.min_age)
            .field("max_files_per_batch", &self.max_files_per_batch)
            .field("missing_file", &self.missing_file)
            .finish()
    }
}

impl FileStreamOptions {
    /// New files only, all of them, and the rest as the configuration says (`tidemill.fileStream.*`).
    pub fn new() -> Self {
        Self {
            filter: None,
            new_files_only: true,
            recursive: None,
            rule: None,
            min_age: None,
            max_files_per_batch: None,
            missing_file: None,
        }
    }

    /// Reads only the files whose paths `filter` accepts. Hidden files, of names that start with `.` or `_`, are passed
    /// over whatever it says.
    #[must_use]
    pub fn filter(mut self, filter: impl Fn(&Path) -> bool + Send + Sync + 'static) -> Self {
        self.filter = Some(Arc::new(filter));
        self
    }

    /// Whether files that are there when the stream is declared are passed over, as they are by default.
    #[must_use]
    pub fn new_files_only(mut self, new_files_only: bool) -> Self {
        self.new_files_only = new_files_only;
        self
    }

    /// Whether files in folders below the watched one are read too.
    #[must_use]
    pub fn recursive(mut self, recursive: bool) -> Self {
        self.recursive = Some(recursive);
        self
    }

    /// Which files are new.
    #[must_use]
    pub fn rule(mut self, rule: FileStreamRule) -> Self {
        self.rule = Some(rule);
        self
    }

    /// How long a file must lie unchanged before it is read, for writers that do not rename finished files into place.
    #[must_use]
    pub fn min_age(mut self, min_age: Duration) -> Self {
        self.min_age = Some(min_age);
        self
    }

    /// How many files one batch takes at most, oldest first; at least 1.
    #[must_use]
    pub fn max_files_per_batch(mut self, files: usize) -> Self {
        self.max_files_per_batch = Some(files.max(1));
        self
    }

    /// What happens to a batch one of whose files is gone before it is read.
    #[must_use]
    pub fn missing_file(mut self, missing_file: MissingFile) -> Self {
        self.missing_file = Some(missing_file);
        self
    }

    /// The options with what the configuration says about those that were left out.
    pub(crate) fn settings(
        self,
        directory: String,
        config: &Config,
        batch_duration: Duration,
    ) -> Result<FileInputSettings> {
        let rule = match self.rule.map_or_else(|| config.get(&keys::FILE_STREAM_RULE), Ok)? {
            FileStreamRule::SeenSet => PickRule::SeenSet,
            FileStreamRule::Spark => {
                let min_remember_duration = config.get(&keys::FILE_MIN_REMEMBER)?;
                PickRule::Spark { batch_duration, min_remember_duration }
            }
        };
        let min_age = self.min_age.map_or_else(|| config.get(&keys::FILE_STREAM_MIN_AGE), Ok)?;
        let max_files = match self.max_files_per_batch {
            Some(files) => Some(files),
            None => config.get(&keys::FILE_STREAM_MAX_FILES)?,
        };
        let watcher = WatcherSettings {
            rule,
            new_files_only: self.new_files_only,
            readiness: if min_age.is_zero() { Readiness::AtOnce } else { Readiness::MinAge(min_age) },
            max_files_per_batch: max_files.unwrap_or(usize::MAX),
            ..WatcherSettings::default()
        };
        Ok(FileInputSettings {
            directory,
            watcher,
            recursive: self.recursive.map_or_else(|| config.get(&keys::FILE_STREAM_RECURSIVE), Ok)?,
            missing: self.missing_file.map_or_else(|| config.get(&keys::FILE_STREAM_MISSING), Ok)?,
            unreadable: config.get(&keys::FILE_STREAM_UNREADABLE)?,
            filter: self.filter,
            batch_duration,
        })
    }
}
