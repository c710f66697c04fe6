//! Sinks that add every batch to a file until it is large or old enough: few files of many batches, each record once.
//!
//! The life of a record, and where each step is:
//!
//! 1. [`pieces`]: every partition writes its records as compressed pieces into a hidden file of its own, or, if they are
//!    few, into its receipt;
//! 2. [`plan`]: the driver decides which piece goes to which file at which offset, and which files end with this batch. The
//!    plan is what is logged: it names every file that is still open, also if the batch added nothing to it;
//! 3. [`folder`]: once the batch is done, the pieces are copied to their offsets, and files that end get their final names.
//!    Both can be repeated, at any time and by a driver that has been replaced: the same bytes go to the same place.
//!
//! Nothing is ever appended before the log says so, so a restart finds no file that is longer than it should be, unless
//! the log was damaged and forgot batches; then files are cut back, and those that ended meanwhile are put aside.

mod folder;
mod options;
mod pieces;
mod plan;

pub use options::RollingOptions;
pub use plan::RollingReceipt;

use super::{Sink, attempts::Attempts};
use crate::{
    base::{Data, Error, Result, Show, Time},
    dstream::DStream,
    rdd::Site,
};
use folder::Folder;
use pieces::PieceWriter;
use plan::{OpenFile, Planned};
use std::{
    fmt,
    io::Write as _,
    path::PathBuf,
    sync::{Mutex, MutexGuard, PoisonError},
};

/// One directory of rolling files, whatever the records are.
struct Rolling {
    folder: Result<Folder>,
    attempts: Attempts,
    now: Mutex<Now>,
}

/// What the driver knows.
#[derive(Default)]
struct Now {
    /// The file that the next batch is added to.
    open: Option<OpenFile>,
    /// The batch that is prepared and neither committed nor given up, and the files that were made for it.
    prepared: Option<(Time, Vec<PathBuf>)>,
}

impl Rolling {
    fn new(directory: impl AsRef<str>, options: RollingOptions, suffix: &str) -> Self {
        let folder = Folder::new(directory.as_ref(), options, suffix);
        Self { folder, attempts: Attempts::default(), now: Mutex::default() }
    }

    fn now(&self) -> MutexGuard<'_, Now> {
        self.now.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn folder(&self) -> Result<&Folder> {
        self.folder.as_ref().map_err(Clone::clone)
    }

    fn begin(&self, time: Time) -> Result<()> {
        self.abort(time)?;
        self.folder()?.ready()
    }

    /// Writes a partition whose lines `line` adds to a buffer, one a call, until there are none.
    fn write(
        &self,
        time: Time,
        partition: usize,
        mut line: impl FnMut(&mut Vec<u8>) -> Result<bool>,
    ) -> Result<RollingReceipt> {
        let folder = self.folder()?;
        let mut pieces = PieceWriter::new(&folder.options, || folder.staged(time, partition));
        while line(pieces.buffer())? {
            pieces.end_row()?;
        }
        let written = pieces.finish()?;
        written.staged().into_iter().for_each(|name| self.attempts.add(time, folder.path(name)));
        Ok(RollingReceipt::written(written))
    }

    fn prepare(&self, time: Time, receipts: Vec<RollingReceipt>) -> Result<Vec<RollingReceipt>> {
        let folder = self.folder()?;
        let (open, earlier) = {
            let mut now = self.now();
            (now.open.clone(), now.prepared.take_if(|(prepared, _)| *prepared == time))
        };
        folder.remove(earlier.map(|(_, made)| made).unwrap_or_default());
        if let Some((other, _)) = &self.now().prepared {
            return Err(Error::invalid(format!(
                "the batch of {time} cannot be added to rolling files while that of {other} is not done; set \
                 spark.streaming.concurrentJobs to 1"
            )));
        }
        let written = receipts.into_iter().map(RollingReceipt::into_written).collect::<Result<Vec<_>>>()?;
        let plan = plan::plan(&folder.options, time, open, written, |number| folder.names(time, number));
        let made: Vec<_> = plan.iter().filter(|planned| planned.before == 0).map(|new| folder.hidden(new)).collect();
        self.now().prepared = Some((time, made.clone()));
        folder.make(&made, &plan)?;
        Ok(vec![RollingReceipt::plan(plan)])
    }

    fn commit(&self, time: Time, receipts: Vec<RollingReceipt>) -> Result<()> {
        let plan = RollingReceipt::into_plan(receipts)?;
        let open = self.folder()?.carry_out(&plan)?;
        *self.now() = Now { open, prepared: None };
        self.attempts.forget(time);
        Ok(())
    }

    fn abort(&self, time: Time) -> Result<()> {
        let made = self.now().prepared.take_if(|(prepared, _)| *prepared == time);
        self.folder()?.remove(made.map(|(_, made)| made).unwrap_or_default());
        self.attempts.remove(time);
        Ok(())
    }

    fn restore(&self, last: Option<(Time, Vec<RollingReceipt>)>) -> Result<()> {
        let folder = self.folder()?;
        folder.ready()?;
        let mut plan = Vec::new();
        if let Some((time, receipts)) = last {
            plan = RollingReceipt::into_plan(receipts)?;
            folder.withdraw_after(time)?;
            plan.iter().try_for_each(|planned: &Planned| folder.cut_back(planned))?;
        }
        let open = folder.carry_out(&plan)?;
        folder.sweep(open.as_ref())?;
        *self.now() = Now { open, prepared: None };
        Ok(())
    }

    fn close(&self) -> Result<()> {
        let open = self.now().open.take();
        self.folder()?.end(open.as_ref())
    }
}

impl fmt::Debug for Rolling {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.folder {
            Ok(folder) => folder.fmt(f),
            Err(error) => error.fmt(f),
        }
    }
}

/// Adds the records of every batch, as lines of text as they are [shown](Show), to files that are finished by size, age and
/// number of rows.
///
/// While a file grows, its name begins with a dot, and readers pass over it; it gets its final name, such as
/// `part-1000-00000.txt`, when it is finished: with the batch with which it reaches one of the limits of its
/// [`RollingOptions`], or when the program is stopped gracefully. The number is the time in ms of the first batch in it. A
/// file that has its name never changes again.
///
/// So a record is *seen* up to [`max_age`](RollingOptions::max_age) after its batch, and age is told by batch times: what
/// is in which file is the same however often the program crashed.
///
/// Exactly once, with a replayable source and a checkpoint. Without a checkpoint, a file that was growing when the program
/// was killed stays as it is under its hidden name.
///
/// The directory may hold other files; those whose names have this prefix and suffix belong to one output alone. Files
/// that a damaged checkpoint does not know of are not removed, but renamed to `_withdrawn-...`. On several processes the
/// directory must be on a disk that all share: each process writes what it has, the first one adds it to the files. A
/// sink of one output only; batches must run one after another, which is the default.
///
/// # Examples
/// ```
/// use tidemill::{io::{RollingFiles, RollingOptions}, testing::TestContext};
/// let folder = tempfile::tempdir()?;
/// let test = TestContext::new();
/// let options = RollingOptions::new().max_rows(3).prefix("words");
/// test.stream(vec![vec!["a", "b"], vec!["c"], vec!["d"]].into_iter().map(|b| b.into_iter().map(String::from).collect()).collect())
///     .save_to(RollingFiles::new(folder.path().display().to_string(), options));
/// test.run(3)?;
/// assert_eq!(std::fs::read_to_string(folder.path().join("words-1000-00000.txt"))?, "a\nb\nc\n");
/// assert!(!folder.path().join("words-3000-00000.txt").exists());
/// test.ssc().stop_gracefully()?;
/// assert_eq!(std::fs::read_to_string(folder.path().join("words-3000-00000.txt"))?, "d\n");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct RollingFiles(Rolling);

impl RollingFiles {
    /// Writes into this directory, which is made if need be.
    pub fn new(directory: impl AsRef<str>, options: RollingOptions) -> Self {
        Self(Rolling::new(directory, options, "txt"))
    }
}

/// Adds the records of every batch, as lines of JSON, to files that are finished by size, age and number of rows: as
/// [`RollingFiles`] in everything else.
///
/// # Examples
/// ```
/// use tidemill::{io::{RollingJsonLines, RollingOptions}, seconds, testing::TestContext};
/// let folder = tempfile::tempdir()?;
/// let test = TestContext::new();
/// let options = RollingOptions::new().max_age(seconds(0));
/// test.stream(vec![vec![("a", 1)].into_iter().map(|(word, n)| (word.to_string(), n)).collect()])
///     .save_to(RollingJsonLines::new(folder.path().display().to_string(), options));
/// test.run(1)?;
/// assert_eq!(std::fs::read_to_string(folder.path().join("part-1000-00000.jsonl"))?, "[\"a\",1]\n");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct RollingJsonLines(Rolling);

impl RollingJsonLines {
    /// Writes into this directory, which is made if need be.
    pub fn new(directory: impl AsRef<str>, options: RollingOptions) -> Self {
        Self(Rolling::new(directory, options, "jsonl"))
    }
}

/// What sinks of rolling files have in common; `write` is their own.
macro_rules! rolling_steps {
    () => {
        type Receipt = RollingReceipt;

        fn contract(&self) -> super::SinkContract {
            super::SinkContract::Transactional
        }

        fn begin(&self, time: Time) -> Result<()> {
            self.0.begin(time)
        }

        fn prepare(&self, time: Time, receipts: Vec<RollingReceipt>) -> Result<Vec<RollingReceipt>> {
            self.0.prepare(time, receipts)
        }

        fn commit(&self, time: Time, receipts: Vec<RollingReceipt>) -> Result<()> {
            self.0.commit(time, receipts)
        }

        fn abort(&self, time: Time) -> Result<()> {
            self.0.abort(time)
        }

        fn restore(&self, last: Option<(Time, Vec<RollingReceipt>)>) -> Result<()> {
            self.0.restore(last)
        }

        fn close(&self) -> Result<()> {
            self.0.close()
        }
    };
}

impl<T: Data + Show> Sink<T> for RollingFiles {
    rolling_steps!();

    fn write(&self, time: Time, partition: usize, records: &mut dyn Iterator<Item = T>) -> Result<RollingReceipt> {
        self.0.write(time, partition, |lines| {
            let Some(record) = records.next() else { return Ok(false) };
            writeln!(lines, "{}", record.shown()).map_err(|_| Error::user("a record could not be shown as text"))?;
            Ok(true)
        })
    }
}

impl<T: Data> Sink<T> for RollingJsonLines {
    rolling_steps!();

    fn write(&self, time: Time, partition: usize, records: &mut dyn Iterator<Item = T>) -> Result<RollingReceipt> {
        self.0.write(time, partition, |lines| {
            let Some(record) = records.next() else { return Ok(false) };
            serde_json::to_writer(&mut *lines, &record)
                .map_err(|error| Error::data("a record could not be written as JSON").with_source(error))?;
            lines.push(b'\n');
            Ok(true)
        })
    }
}

impl<T: Data + Show> DStream<T> {
    /// Adds each batch, as lines of text, to files in `directory` that are finished by size, age and number of rows, across
    /// batches. See [`RollingFiles`].
    ///
    /// Exactly once. A record is seen once its file is finished, which is by default a minute after the file's first batch
    /// at the latest.
    ///
    /// # Panics
    /// If the context was started or stopped.
    ///
    /// # Examples
    /// ```
    /// use tidemill::{io::RollingOptions, seconds, testing::TestContext};
    /// let folder = tempfile::tempdir()?;
    /// let test = TestContext::new();
    /// let options = RollingOptions::new().max_age(seconds(2));
    /// test.stream(vec![vec!['a'], vec![], vec!['b']]).save_as_rolling_files(folder.path().display().to_string(), options);
    /// test.run(3)?;
    /// assert_eq!(std::fs::read_to_string(folder.path().join("part-1000-00000.txt"))?, "a\nb\n");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[track_caller]
    pub fn save_as_rolling_files(&self, directory: impl AsRef<str>, options: RollingOptions) {
        self.save_to_at(Site::here("save_as_rolling_files"), RollingFiles::new(directory, options));
    }
}

impl<T: Data> DStream<T> {
    /// As [`save_as_rolling_files`](Self::save_as_rolling_files), as lines of JSON. See [`RollingJsonLines`].
    ///
    /// # Panics
    /// If the context was started or stopped.
    ///
    /// # Examples
    /// ```
    /// use tidemill::{base::files::{Codec, whole}, io::RollingOptions, seconds, testing::TestContext};
    /// let folder = tempfile::tempdir()?;
    /// let test = TestContext::new();
    /// let options = RollingOptions::new().max_age(seconds(0)).compressed(Codec::Gzip);
    /// test.stream(vec![vec![Some(1)]]).save_as_rolling_json_lines(folder.path().display().to_string(), options);
    /// test.run(1)?;
    /// assert_eq!(whole::read_text(folder.path().join("part-1000-00000.jsonl.gz"))?.1, "1\n");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[track_caller]
    pub fn save_as_rolling_json_lines(&self, directory: impl AsRef<str>, options: RollingOptions) {
        self.save_to_at(Site::here("save_as_rolling_json_lines"), RollingJsonLines::new(directory, options));
    }
}

#[cfg(test)]
mod tests;
