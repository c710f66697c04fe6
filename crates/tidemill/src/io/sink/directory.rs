//! Sinks that write a directory of part files for each batch.
//!
//! Parts wait under hidden names in the directory until the batch is done; `_SUCCESS` says that it is complete. A batch that
//! runs again replaces what is there.

use super::{Sink, attempts::Attempts};
use crate::{
    base::files::{
        Codec, PartWriter, batch_name,
        objects::ObjectWriter,
        paths,
        staging::{parent, withdraw},
        write::{PartFile, SUCCESS},
    },
    base::{Data, Error, Result, Show, Time, durable::durable_step},
    dstream::DStream,
    rdd::Site,
};
use serde::{Deserialize, Serialize};
use std::{
    fmt,
    fmt::Write as _,
    fs,
    path::{Path, PathBuf},
    sync::atomic::{AtomicU64, Ordering},
};

/// About how many bytes of text are handed to a file at once.
const WRITE_BYTES: usize = 64 << 10;
/// How many records one payload of an object file has at most.
const PAYLOAD_RECORDS: usize = 1024;
/// After how many batches in a row without a record the log says what else could be done.
const MANY_EMPTY: u64 = 10;

/// What a partition left in the directory of its batch.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PartReceipt {
    /// The hidden name of the part.
    staged: String,
    records: u64,
}

/// The directories of one output: `prefix-<batch time in ms>.suffix`.
struct BatchDirectories {
    prefix: String,
    suffix: String,
    codec: Option<Codec>,
    empty: EmptyBatches,
    attempts: Attempts,
}

impl BatchDirectories {
    fn new(prefix: impl Into<String>, suffix: impl Into<String>) -> Self {
        let (prefix, suffix) = (prefix.into(), suffix.into());
        Self { prefix, suffix, codec: None, empty: EmptyBatches::default(), attempts: Attempts::default() }
    }

    fn path(&self, time: Time) -> Result<PathBuf> {
        let name = batch_name(&self.prefix, time, &self.suffix);
        paths::without_scheme(&name).map(PathBuf::from)
    }

    fn writer(&self, time: Time) -> Result<PartWriter> {
        Ok(PartWriter::at(self.path(time)?, self.codec))
    }

    fn begin(&self, time: Time) -> Result<()> {
        self.attempts.remove(time);
        self.writer(time)?.ready()
    }

    fn part(&self, time: Time, partition: usize) -> Result<PartFile> {
        let writer = self.writer(time)?;
        // An abort that came late, of another attempt, may have removed the directory while it was empty.
        writer.ready()?;
        writer.part(partition)
    }

    fn written(&self, time: Time, staged: PathBuf, records: u64) -> PartReceipt {
        let name = staged.file_name().unwrap_or_default().to_string_lossy().into_owned();
        self.attempts.add(time, staged);
        PartReceipt { staged: name, records }
    }

    fn prepare(&self, time: Time, receipts: Vec<PartReceipt>) -> Result<Vec<PartReceipt>> {
        self.writer(time)?.settle()?;
        durable_step("directory: parts staged");
        Ok(receipts)
    }

    fn commit(&self, time: Time, receipts: Vec<PartReceipt>) -> Result<()> {
        let records = receipts.iter().map(|receipt| receipt.records).sum();
        let staged: Vec<_> = receipts.into_iter().map(|receipt| receipt.staged).collect();
        self.writer(time)?.publish(&staged)?;
        self.attempts.forget(time);
        if self.empty.is_many(records) {
            tracing::info!(
                directory = %self.path(time)?.display(),
                empty_batches = MANY_EMPTY,
                "batches without records write a directory each; where they are not wanted, write with \
                 save_as_rolling_files"
            );
        }
        Ok(())
    }

    fn abort(&self, time: Time) -> Result<()> {
        self.attempts.remove(time);
        self.writer(time)?.remove_if_empty();
        Ok(())
    }

    fn restore(&self, last: Option<(Time, Vec<PartReceipt>)>) -> Result<()> {
        let Some((time, receipts)) = last else { return Ok(()) };
        for (later, path) in self.complete_since(time)? {
            let now = withdraw(&path)?;
            tracing::warn!(
                batch_time = later.as_ms(),
                directory = %path.display(),
                now = %now.display(),
                "the checkpoint does not know of a batch that was written; its directory is renamed, and the batch runs again"
            );
        }
        self.commit(time, receipts)
    }

    /// The complete directories of batches after `time`.
    fn complete_since(&self, time: Time) -> Result<Vec<(Time, PathBuf)>> {
        let example = self.path(Time::from_ms(0))?;
        let folder = parent(&example);
        if !folder.is_dir() {
            return Ok(Vec::new());
        }
        let dot = if self.suffix.is_empty() { "" } else { "." };
        let tail = format!("{dot}{}", self.suffix);
        let name = example.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        let Some(head) = name.strip_suffix(&format!("0{tail}")) else { return Ok(Vec::new()) };
        let batch = |path: &Path| {
            let number = path.file_name()?.to_str()?.strip_prefix(head)?.strip_suffix(&*tail)?;
            let is_number = number.bytes().all(|byte| byte.is_ascii_digit());
            is_number.then(|| number.parse().ok()).flatten().map(Time::from_ms)
        };
        let batches = paths::children(folder)?.into_iter().filter_map(|path| Some((batch(&path)?, path)));
        Ok(batches.filter(|(later, path)| *later > time && fs::exists(path.join(SUCCESS)).unwrap_or(false)).collect())
    }
}

/// All of a sink but what stands in a part.
macro_rules! sink_of_directories {
    () => {
        type Receipt = PartReceipt;

        fn begin(&self, time: Time) -> Result<()> {
            self.0.begin(time)
        }

        fn prepare(&self, time: Time, receipts: Vec<PartReceipt>) -> Result<Vec<PartReceipt>> {
            self.0.prepare(time, receipts)
        }

        fn commit(&self, time: Time, receipts: Vec<PartReceipt>) -> Result<()> {
            self.0.commit(time, receipts)
        }

        fn restore(&self, last: Option<(Time, Vec<PartReceipt>)>) -> Result<()> {
            self.0.restore(last)
        }

        fn abort(&self, time: Time) -> Result<()> {
            self.0.abort(time)
        }
    };
}

impl fmt::Debug for BatchDirectories {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = batch_name(&self.prefix, Time::from_ms(0), &self.suffix);
        write!(f, "\"{name}\" and so on")
    }
}

/// How many batches in a row had no record.
#[derive(Default)]
struct EmptyBatches(AtomicU64);

impl EmptyBatches {
    /// Takes note of a batch; whether it is the one that makes them many. That is so once.
    fn is_many(&self, records: u64) -> bool {
        if self.0.load(Ordering::Relaxed) >= MANY_EMPTY {
            return false;
        }
        if records > 0 {
            self.0.store(0, Ordering::Relaxed);
            return false;
        }
        self.0.fetch_add(1, Ordering::Relaxed) + 1 == MANY_EMPTY
    }
}

/// Writes each batch as a directory of text files, one line for each record as it is [shown](Show).
///
/// The directory of the batch at 1000 ms is `prefix-1000.suffix`, or `prefix-1000` if the suffix is empty; in it are
/// `part-00000` and so on, one for each partition, and `_SUCCESS` once all are there, which is after the batch is done.
/// Exactly once: when a batch runs again, its directory is replaced. Whoever reads a directory waits for its `_SUCCESS`.
///
/// # Examples
/// ```
/// use tidemill::{io::TextDirectories, testing::TestContext};
/// let folder = tempfile::tempdir()?;
/// let prefix = folder.path().join("counts");
/// let test = TestContext::new();
/// let pairs = test.stream(vec![vec![('a', 1)]]).repartition(1);
/// pairs.save_to(TextDirectories::new(prefix.display().to_string(), "txt"));
/// test.run(1)?;
/// let directory = folder.path().join("counts-1000.txt");
/// assert_eq!(std::fs::read_to_string(directory.join("part-00000"))?, "(a,1)\n");
/// assert!(directory.join("_SUCCESS").exists());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct TextDirectories(BatchDirectories);

impl TextDirectories {
    /// Writes to directories of this prefix, with the path before it, and suffix.
    pub fn new(prefix: impl Into<String>, suffix: impl Into<String>) -> Self {
        Self(BatchDirectories::new(prefix, suffix))
    }

    /// The same, with files compressed by `codec`, whose extension is added to their names.
    #[must_use]
    pub fn compressed(mut self, codec: Codec) -> Self {
        self.0.codec = Some(codec);
        self
    }
}

impl<T: Data + Show> Sink<T> for TextDirectories {
    sink_of_directories!();

    fn write(&self, time: Time, partition: usize, records: &mut dyn Iterator<Item = T>) -> Result<PartReceipt> {
        let mut part = self.0.part(time, partition)?;
        let (mut count, mut lines) = (0, String::new());
        for record in records {
            writeln!(lines, "{}", record.shown()).map_err(|_| Error::user("a record could not be shown as text"))?;
            count += 1;
            if lines.len() >= WRITE_BYTES {
                part.write(lines.as_bytes())?;
                lines.clear();
            }
        }
        part.write(lines.as_bytes())?;
        Ok(self.0.written(time, part.stage()?, count))
    }
}

/// Writes each batch as a directory of object files, named as those of [`TextDirectories`].
///
/// Records are in postcard, which does not describe itself: only a program that knows their type can read them.
///
/// # Examples
/// ```
/// use tidemill::{base::files::objects::ObjectReader, io::ObjectDirectories, testing::TestContext};
/// let folder = tempfile::tempdir()?;
/// let test = TestContext::new();
/// test.stream(vec![vec![1, 2]]).save_to(ObjectDirectories::new(folder.path().join("n").display().to_string(), ""));
/// test.run(1)?;
/// let mut reader = ObjectReader::open(folder.path().join("n-1000/part-00001"))?;
/// assert!(reader.next_payload()?.is_some());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct ObjectDirectories(BatchDirectories);

impl ObjectDirectories {
    /// Writes to directories of this prefix, with the path before it, and suffix.
    pub fn new(prefix: impl Into<String>, suffix: impl Into<String>) -> Self {
        Self(BatchDirectories::new(prefix, suffix))
    }
}

impl<T: Data> Sink<T> for ObjectDirectories {
    sink_of_directories!();

    fn write(&self, time: Time, partition: usize, records: &mut dyn Iterator<Item = T>) -> Result<PartReceipt> {
        let mut writer = ObjectWriter::new(self.0.part(time, partition)?)?;
        let mut count = 0;
        loop {
            let payload: Vec<T> = (&mut *records).take(PAYLOAD_RECORDS).collect();
            if payload.is_empty() {
                break;
            }
            count += payload.len() as u64;
            let bytes = postcard::to_stdvec(&payload)
                .map_err(|error| Error::data("a record could not be serialised").with_source(error))?;
            writer.write(&bytes)?;
        }
        Ok(self.0.written(time, writer.stage()?, count))
    }
}

impl<T: Data + Show> DStream<T> {
    /// Writes each batch as text into the directory `prefix-<batch time in ms>.suffix`; an empty suffix leaves out the
    /// dot. Empty batches get one too.
    ///
    /// Exactly once: when a batch runs again, its directory is replaced. See [`TextDirectories`].
    ///
    /// # Panics
    /// If the context was started or stopped.
    ///
    /// # Examples
    /// ```
    /// use tidemill::testing::TestContext;
    /// let folder = tempfile::tempdir()?;
    /// let test = TestContext::new();
    /// test.stream(vec![vec!['a', 'b'], vec![]]).save_as_text_files(folder.path().join("out").display().to_string(), "");
    /// test.run(2)?;
    /// assert_eq!(std::fs::read_to_string(folder.path().join("out-1000/part-00001"))?, "b\n");
    /// assert!(folder.path().join("out-2000/_SUCCESS").exists());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[track_caller]
    pub fn save_as_text_files(&self, prefix: impl Into<String>, suffix: impl Into<String>) {
        self.save_to_at(Site::here("save_as_text_files"), TextDirectories::new(prefix, suffix));
    }

    /// As [`save_as_text_files`](Self::save_as_text_files), with files compressed by `codec`.
    ///
    /// # Panics
    /// If the context was started or stopped.
    ///
    /// # Examples
    /// ```
    /// use tidemill::{base::files::Codec, testing::TestContext};
    /// let folder = tempfile::tempdir()?;
    /// let test = TestContext::new();
    /// let letters = test.stream(vec![vec!['a']]);
    /// letters.save_as_text_files_compressed(folder.path().join("out").display().to_string(), "", Codec::Gzip);
    /// test.run(1)?;
    /// assert!(folder.path().join("out-1000/part-00000.gz").exists());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[track_caller]
    pub fn save_as_text_files_compressed(&self, prefix: impl Into<String>, suffix: impl Into<String>, codec: Codec) {
        let sink = TextDirectories::new(prefix, suffix).compressed(codec);
        self.save_to_at(Site::here("save_as_text_files_compressed"), sink);
    }
}

impl<T: Data> DStream<T> {
    /// Writes each batch as object files into the directory `prefix-<batch time in ms>.suffix`, as
    /// [`save_as_text_files`](Self::save_as_text_files) does with text. See [`ObjectDirectories`].
    ///
    /// # Panics
    /// If the context was started or stopped.
    ///
    /// # Examples
    /// ```
    /// use tidemill::testing::TestContext;
    /// let folder = tempfile::tempdir()?;
    /// let test = TestContext::new();
    /// test.stream(vec![vec![('a', 1)]]).save_as_object_files(folder.path().join("pairs").display().to_string(), "");
    /// test.run(1)?;
    /// assert!(folder.path().join("pairs-1000/_SUCCESS").exists());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[track_caller]
    pub fn save_as_object_files(&self, prefix: impl Into<String>, suffix: impl Into<String>) {
        self.save_to_at(Site::here("save_as_object_files"), ObjectDirectories::new(prefix, suffix));
    }
}

#[cfg(test)]
mod tests {
    //! When the log speaks of empty batches.

    use super::{EmptyBatches, MANY_EMPTY};

    #[test]
    fn many_empty_batches_in_a_row_are_told_of_once() {
        let batches = EmptyBatches::default();
        let told = |records: &[u64]| records.iter().filter(|count| batches.is_many(**count)).count();
        let some = vec![0; MANY_EMPTY as usize - 1];
        assert_eq!((told(&some), told(&[3]), told(&some)), (0, 0, 0));
        assert_eq!((told(&[0]), told(&some), told(&[1]), told(&some), told(&[0])), (1, 0, 0, 0, 0));
    }
}
