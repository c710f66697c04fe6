//! Streams of the files that appear in a directory.
//!
//! A directory may be a glob of directories, and have `file:` before it. Rename finished files into it: a file is read
//! once, as it is when it is found. Directories are listed when a batch is cut; while there is none, or it cannot be
//! listed, batches are empty and the log says so. Several processes need a file system that all of them see.

use super::StreamingContext;
use crate::{
    base::{Data, Error, Result, Text},
    dstream::{DStream, node::declared},
    io::{
        FileStreamOptions,
        file_stream::{BinaryRecords, EachFile, FileInput, ReadFiles, TextLines},
    },
    rdd::Site,
};
use std::path::Path;

impl StreamingContext {
    /// The lines of the text files that appear in `directory` from now on; decompressed by their extensions.
    ///
    /// Which files are new and complete, `tidemill.fileStream.*` says, or
    /// [`text_file_stream_with`](Self::text_file_stream_with). A batch has a partition for each file, and for each 32 MiB
    /// of a large one that is not compressed.
    ///
    /// # Panics
    /// If the context was started or stopped.
    ///
    /// # Examples
    /// ```
    /// use tidemill::testing::TestContext;
    /// let folder = tempfile::tempdir()?;
    /// let test = TestContext::new();
    /// let seen = test.collect(&test.ssc().text_file_stream(folder.path().display().to_string()));
    /// test.run(1)?;
    /// std::fs::write(folder.path().join(".unfinished"), "to be\nor not\n")?;
    /// std::fs::rename(folder.path().join(".unfinished"), folder.path().join("a.txt"))?;
    /// test.run(2)?;
    /// assert_eq!(seen.batches(), [vec![], vec!["to be", "or not"], vec![]]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[track_caller]
    pub fn text_file_stream(&self, directory: impl Into<String>) -> DStream<Text> {
        self.text_lines(Site::here("text_file_stream"), directory.into(), FileStreamOptions::new())
    }

    /// As [`text_file_stream`](Self::text_file_stream), of the files that `options` say.
    ///
    /// # Panics
    /// If the context was started or stopped.
    ///
    /// # Examples
    /// See [`FileStreamOptions`].
    #[track_caller]
    pub fn text_file_stream_with(&self, directory: impl Into<String>, options: FileStreamOptions) -> DStream<Text> {
        self.text_lines(Site::here("text_file_stream_with"), directory.into(), options)
    }

    #[track_caller]
    fn text_lines(&self, site: Site, directory: String, options: FileStreamOptions) -> DStream<Text> {
        let session = self.context().session().clone();
        let read = TextLines { limits: declared(self.line_limits()), session };
        self.files(site, directory, options, read)
    }

    /// The records of `record_bytes` bytes each of the files that appear in `directory` from now on.
    ///
    /// A file that ends with a part of a record fails its batch.
    ///
    /// # Panics
    /// If `record_bytes` is 0, or the context was started or stopped.
    ///
    /// # Examples
    /// ```
    /// use tidemill::testing::TestContext;
    /// let folder = tempfile::tempdir()?;
    /// let test = TestContext::new();
    /// let seen = test.collect(&test.ssc().binary_records_stream(folder.path().display().to_string(), 2));
    /// std::fs::write(folder.path().join("a.bin"), b"aabbcc")?;
    /// test.run(1)?;
    /// assert_eq!(seen.batches(), [[b"aa", b"bb", b"cc"]]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[track_caller]
    pub fn binary_records_stream(&self, directory: impl Into<String>, record_bytes: usize) -> DStream<Vec<u8>> {
        let site = Site::here("binary_records_stream");
        self.records(site, directory.into(), record_bytes, FileStreamOptions::new())
    }

    /// As [`binary_records_stream`](Self::binary_records_stream), of the files that `options` say.
    ///
    /// # Panics
    /// If `record_bytes` is 0, or the context was started or stopped.
    ///
    /// # Examples
    /// ```
    /// use tidemill::{io::FileStreamOptions, testing::TestContext};
    /// let folder = tempfile::tempdir()?;
    /// std::fs::write(folder.path().join("a.bin"), b"aabb")?;
    /// let test = TestContext::new();
    /// let options = FileStreamOptions::new().new_files_only(false);
    /// let records = test.ssc().binary_records_stream_with(folder.path().display().to_string(), 2, options);
    /// let seen = test.collect(&records);
    /// test.run(1)?;
    /// assert_eq!(seen.batches(), [[b"aa", b"bb"]]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[track_caller]
    pub fn binary_records_stream_with(
        &self,
        directory: impl Into<String>,
        record_bytes: usize,
        options: FileStreamOptions,
    ) -> DStream<Vec<u8>> {
        self.records(Site::here("binary_records_stream_with"), directory.into(), record_bytes, options)
    }

    #[track_caller]
    fn records(
        &self,
        site: Site,
        directory: String,
        record_bytes: usize,
        options: FileStreamOptions,
    ) -> DStream<Vec<u8>> {
        if record_bytes == 0 {
            let given = format!("\"{site}\" was given a record length of \"0\" bytes; give at least 1");
            declared::<()>(Err(Error::invalid(given)));
        }
        self.files(site, directory, options, BinaryRecords { record_bytes })
    }

    /// What `read` makes of each file that appears in `directory`, one partition for each file; `read` runs on the
    /// workers.
    ///
    /// # Panics
    /// If the context was started or stopped.
    ///
    /// # Examples
    /// ```
    /// use tidemill::{io::FileStreamOptions, testing::TestContext};
    /// let folder = tempfile::tempdir()?;
    /// let test = TestContext::new();
    /// let sizes = test.ssc().file_stream(folder.path().display().to_string(), FileStreamOptions::new(), |path| {
    ///     Ok::<_, std::io::Error>([(path.file_name().map(|name| name.to_owned()), std::fs::read(path)?.len())])
    /// });
    /// let seen = test.collect(&sizes);
    /// std::fs::write(folder.path().join("a.bin"), b"12345")?;
    /// test.run(1)?;
    /// assert_eq!(seen.batches(), [[(Some("a.bin".into()), 5)]]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[track_caller]
    pub fn file_stream<T, I, E>(
        &self,
        directory: impl Into<String>,
        options: FileStreamOptions,
        read: impl Fn(&Path) -> Result<I, E> + Send + Sync + 'static,
    ) -> DStream<T>
    where
        T: Data,
        I: IntoIterator<Item = T> + 'static,
        E: Into<Error>,
    {
        let site = Site::here("file_stream");
        self.files(site, directory.into(), options, EachFile { site, read })
    }

    #[track_caller]
    fn files<T: Data>(
        &self,
        site: Site,
        directory: String,
        options: FileStreamOptions,
        read: impl ReadFiles<T>,
    ) -> DStream<T> {
        declared(self.inner.graph.check_declaring(site.operation));
        let settings = declared(options.settings(directory, self.config(), self.batch_duration()));
        self.input(site, FileInput::new(site, settings, self.inner.graph.clock.clone(), read))
    }
}
