//! Datasets of files.
//!
//! A path is what [`expand`](crate::base::files::paths::expand) understands: a file, a directory or a glob, or a comma list
//! of them. Unlike in Spark, a path that names nothing is an error at the call and not in the first job.

use super::Context;
use crate::{
    base::{Data, Result, Text},
    rdd::{Rdd, Site, files},
};

impl Context {
    /// The lines of text files, in about `min_partitions` partitions; 0 stands for 2, or 1 if there is but one worker.
    ///
    /// Lines end at `\n`, `\r\n` or `\r`; what is not UTF-8 becomes U+FFFD; files are decompressed by their extension.
    /// Nothing is read before an action.
    ///
    /// # Errors
    /// If the path names nothing or cannot be listed, with the path.
    ///
    /// # Examples
    /// ```
    /// let folder = tempfile::tempdir()?;
    /// std::fs::write(folder.path().join("a.txt"), "to be\nor not\nto be\n")?;
    /// let sc = tidemill::Context::local(2);
    /// let lines = sc.text_file(folder.path().display().to_string(), 2)?;
    /// let counts = lines.flat_map(|line| line.split(' ')).count_by_value()?;
    /// assert_eq!(counts[&"to".into()], 2);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[track_caller]
    pub fn text_file(&self, path: impl AsRef<str>, min_partitions: usize) -> Result<Rdd<Text>> {
        files::text_file(&self.session, Site::here("text_file"), path.as_ref(), self.file_partitions(min_partitions))
    }

    /// The path (`file:/...`) and the text of each file as one record, in about `min_partitions` partitions.
    ///
    /// # Errors
    /// If the path names nothing or cannot be listed, with the path.
    ///
    /// # Examples
    /// ```
    /// let folder = tempfile::tempdir()?;
    /// std::fs::write(folder.path().join("a.txt"), "to be\nor not\n")?;
    /// let sc = tidemill::Context::local(2);
    /// let (path, text) = sc.whole_text_files(folder.path().display().to_string(), 1)?.first()?;
    /// assert!(path.starts_with("file:/") && path.ends_with("/a.txt"));
    /// assert_eq!(text, "to be\nor not\n");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[track_caller]
    pub fn whole_text_files(&self, path: impl AsRef<str>, min_partitions: usize) -> Result<Rdd<(String, String)>> {
        let (site, min_partitions) = (Site::here("whole_text_files"), self.file_partitions(min_partitions));
        files::whole_text_files(&self.session, site, path.as_ref(), min_partitions)
    }

    /// The path (`file:/...`) and the bytes of each file as one record, in about `min_partitions` partitions.
    ///
    /// # Errors
    /// If the path names nothing or cannot be listed, with the path.
    ///
    /// # Examples
    /// ```
    /// let folder = tempfile::tempdir()?;
    /// std::fs::write(folder.path().join("a.bin"), [1, 2, 255])?;
    /// let sc = tidemill::Context::local(2);
    /// assert_eq!(sc.binary_files(folder.path().display().to_string(), 1)?.first()?.1, [1, 2, 255]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[track_caller]
    pub fn binary_files(&self, path: impl AsRef<str>, min_partitions: usize) -> Result<Rdd<(String, Vec<u8>)>> {
        let (site, min_partitions) = (Site::here("binary_files"), self.file_partitions(min_partitions));
        files::binary_files(&self.session, site, path.as_ref(), min_partitions)
    }

    /// The records of files in which each is `record_bytes` long.
    ///
    /// # Errors
    /// If the path names nothing or cannot be listed, with the path; and for a length of 0.
    ///
    /// # Examples
    /// ```
    /// let folder = tempfile::tempdir()?;
    /// std::fs::write(folder.path().join("a.bin"), b"aabbcc")?;
    /// let sc = tidemill::Context::local(2);
    /// let records = sc.binary_records(folder.path().display().to_string(), 2)?;
    /// assert_eq!(records.collect()?, [b"aa", b"bb", b"cc"]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[track_caller]
    pub fn binary_records(&self, path: impl AsRef<str>, record_bytes: usize) -> Result<Rdd<Vec<u8>>> {
        files::binary_records(&self.session, Site::here("binary_records"), path.as_ref(), record_bytes)
    }

    /// The records of object files, which [`Rdd::save_as_object_file`] and [`Rdd::checkpoint`] write; one partition for
    /// each file.
    ///
    /// # Errors
    /// If the path names nothing or cannot be listed, with the path. A file of other records fails the job that reads it.
    ///
    /// # Examples
    /// ```
    /// let folder = tempfile::tempdir()?;
    /// let path = folder.path().join("numbers").display().to_string();
    /// let sc = tidemill::Context::local(2);
    /// sc.range(0, 5, 1, 3).save_as_object_file(&path)?;
    /// assert_eq!(sc.object_file::<i64>(&path)?.collect()?, vec![0, 1, 2, 3, 4]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[track_caller]
    pub fn object_file<T: Data>(&self, path: impl AsRef<str>) -> Result<Rdd<T>> {
        files::object_file(&self.session, Site::here("object_file"), path.as_ref())
    }

    fn file_partitions(&self, min_partitions: usize) -> usize {
        if min_partitions == 0 { self.default_parallelism().min(2) } else { min_partitions }
    }
}
