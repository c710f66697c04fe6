//! Sinks that write a directory of part files for each batch.
//!
//! A batch that runs again finds its directory and replaces what is in it; `_SUCCESS` says that it is complete.

use super::Sink;
use crate::{
    base::files::{Codec, OutputMode, PartWriter, batch_name, objects::ObjectWriter, paths},
    base::{Data, Error, Result, Show, Time},
    dstream::DStream,
    rdd::Site,
};
use std::{
    fmt,
    fmt::Write as _,
    path::PathBuf,
    sync::atomic::{AtomicU64, Ordering},
};

/// About how many bytes of text are handed to a file at once.
const WRITE_BYTES: usize = 64 << 10;
/// How many records one payload of an object file has at most.
const PAYLOAD_RECORDS: usize = 1024;
/// After how many batches in a row without a record the log says what else could be done.
const MANY_EMPTY: u64 = 10;

/// The directories of one output: `prefix-<batch time in ms>.suffix`.
struct BatchDirectories {
    prefix: String,
    suffix: String,
    codec: Option<Codec>,
    empty: EmptyBatches,
}

impl BatchDirectories {
    fn new(prefix: impl Into<String>, suffix: impl Into<String>) -> Self {
        Self { prefix: prefix.into(), suffix: suffix.into(), codec: None, empty: EmptyBatches::default() }
    }

    fn path(&self, time: Time) -> Result<PathBuf> {
        let name = batch_name(&self.prefix, time, &self.suffix);
        paths::without_scheme(&name).map(PathBuf::from)
    }

    fn begin(&self, time: Time) -> Result<()> {
        PartWriter::create(self.path(time)?, OutputMode::Replace, self.codec).map(drop)
    }

    fn writer(&self, time: Time) -> Result<PartWriter> {
        Ok(PartWriter::at(self.path(time)?, self.codec))
    }

    fn commit(&self, time: Time, records: &[u64]) -> Result<()> {
        self.writer(time)?.finish(records.len())?;
        if self.empty.is_many(records.iter().sum()) {
            tracing::info!(
                directory = %self.path(time)?.display(),
                empty_batches = MANY_EMPTY,
                "batches without records write a directory each; where they are not wanted, write with foreach_rdd \
                 and leave out batches whose Rdd is empty"
            );
        }
        Ok(())
    }

    fn abort(&self, time: Time) -> Result<()> {
        self.writer(time)?.discard()
    }
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
/// `part-00000` and so on, one for each partition, and `_SUCCESS` once all are there. Exactly once: when a batch runs
/// again, its directory is replaced.
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
    type Receipt = u64;

    fn begin(&self, time: Time) -> Result<()> {
        self.0.begin(time)
    }

    fn write(&self, time: Time, partition: usize, records: &mut dyn Iterator<Item = T>) -> Result<u64> {
        let mut part = self.0.writer(time)?.part(partition)?;
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
        part.commit()?;
        Ok(count)
    }

    fn commit(&self, time: Time, receipts: Vec<u64>) -> Result<()> {
        self.0.commit(time, &receipts)
    }

    fn abort(&self, time: Time) -> Result<()> {
        self.0.abort(time)
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
    type Receipt = u64;

    fn begin(&self, time: Time) -> Result<()> {
        self.0.begin(time)
    }

    fn write(&self, time: Time, partition: usize, records: &mut dyn Iterator<Item = T>) -> Result<u64> {
        let mut writer = ObjectWriter::new(self.0.writer(time)?.part(partition)?)?;
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
        writer.commit()?;
        Ok(count)
    }

    fn commit(&self, time: Time, receipts: Vec<u64>) -> Result<()> {
        self.0.commit(time, &receipts)
    }

    fn abort(&self, time: Time) -> Result<()> {
        self.0.abort(time)
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
