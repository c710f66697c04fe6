//! How files are cut into the pieces that become partitions, with the arithmetic of Hadoop's input formats.

use super::{Codec, InputFile};
use crate::base::{Error, Result};
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// No split of a plain file is much larger than this: the block size that Hadoop's local file system reports.
pub const BLOCK_BYTES: u64 = 32 * 1024 * 1024;

/// A remainder of up to this many percent of a split is not worth a split of its own.
const SLOP_PERCENT: u64 = 110;

/// The piece of one file that one task reads.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileSplit {
    /// The file.
    pub path: PathBuf,
    /// Offset of the first byte.
    pub start: u64,
    /// Offset after the last byte.
    pub end: u64,
    /// Whether this is the file as a whole, to be read from beginning to end whatever its size turns out to be.
    pub whole: bool,
}

impl FileSplit {
    /// The split that is all of `file`.
    pub fn whole(file: &InputFile) -> Self {
        Self { path: file.path.clone(), start: 0, end: file.size_bytes, whole: true }
    }
}

/// Cuts text files into at least `min_partitions` splits, one per partition, as Spark's `textFile` does.
///
/// A split is `total size / min_partitions` bytes long, at least 1 and at most [`BLOCK_BYTES`], so that there may be more
/// splits than asked for. Compressed files are one split each; files without a byte give none.
///
/// # Examples
/// ```
/// use tidemill::base::files::{InputFile, split::plan_lines};
/// let file = InputFile { path: "/data/nine-bytes".into(), size_bytes: 9 };
/// assert_eq!(plan_lines(&[file], 2)?.len(), 3); // as in Spark: 4 + 4 + 1
/// # Ok::<(), tidemill::Error>(())
/// ```
pub fn plan_lines(files: &[InputFile], min_partitions: usize) -> Result<Vec<FileSplit>> {
    let total: u64 = files.iter().map(|file| file.size_bytes).sum();
    let split_bytes = (total / (min_partitions.max(1) as u64)).clamp(1, BLOCK_BYTES);
    let mut splits = Vec::new();
    for file in files.iter().filter(|file| file.size_bytes > 0) {
        match Codec::of(&file.path)? {
            Some(_) => splits.push(FileSplit::whole(file)),
            None => cut(file, split_bytes, &mut splits),
        }
    }
    Ok(splits)
}

/// Cuts files of fixed-length records at record borders into splits of about [`BLOCK_BYTES`], as `binaryRecords` does.
///
/// # Errors
/// Invalid for a record length of 0 and for compressed files, which Spark refuses here too.
///
/// # Examples
/// ```
/// use tidemill::base::files::{InputFile, split::plan_records};
/// let file = InputFile { path: "/data/readings.bin".into(), size_bytes: 80_000_000 };
/// let splits = plan_records(&[file], 10_000)?;
/// assert_eq!((splits.len(), splits[1].start), (3, 33_550_000));
/// # Ok::<(), tidemill::Error>(())
/// ```
pub fn plan_records(files: &[InputFile], record_bytes: usize) -> Result<Vec<FileSplit>> {
    let record_bytes = record_bytes as u64;
    if record_bytes == 0 {
        return Err(Error::invalid("a record length of \"0\" bytes cannot be read; give at least 1"));
    }
    let split_bytes = (BLOCK_BYTES / record_bytes).max(1) * record_bytes;
    let mut splits = Vec::new();
    for file in files.iter().filter(|file| file.size_bytes > 0) {
        if Codec::of(&file.path)?.is_some() {
            return Err(Error::invalid(format!(
                "\"{}\" is compressed, which files of fixed-length records cannot be; decompress it",
                file.path.display()
            )));
        }
        cut(file, split_bytes, &mut splits);
    }
    Ok(splits)
}

/// Groups files that are read as a whole into about `min_partitions` partitions, as `wholeTextFiles` does.
///
/// Neighbours share a partition until it holds `total size / min_partitions` bytes; empty files are kept.
///
/// # Examples
/// ```
/// use tidemill::base::files::{InputFile, split::plan_whole};
/// let files: Vec<_> =
///     ["a", "b", "c"].map(|name| InputFile { path: name.into(), size_bytes: 10 }).into();
/// let partitions: Vec<_> = plan_whole(&files, 2).iter().map(Vec::len).collect();
/// assert_eq!(partitions, [2, 1]);
/// ```
pub fn plan_whole(files: &[InputFile], min_partitions: usize) -> Vec<Vec<FileSplit>> {
    let total: u64 = files.iter().map(|file| file.size_bytes).sum();
    let enough = match total.div_ceil(min_partitions.max(1) as u64) {
        0 => u64::MAX, // nothing but empty files: Hadoop sets no limit, and one partition takes them all
        bytes => bytes,
    };
    let (mut partitions, mut current, mut bytes) = (Vec::new(), Vec::new(), 0);
    for file in files {
        current.push(FileSplit::whole(file));
        bytes += file.size_bytes;
        if bytes >= enough {
            partitions.push(std::mem::take(&mut current));
            bytes = 0;
        }
    }
    if !current.is_empty() {
        partitions.push(current);
    }
    partitions
}

fn cut(file: &InputFile, split_bytes: u64, splits: &mut Vec<FileSplit>) {
    let mut start = 0;
    let mut piece = |end| {
        splits.push(FileSplit { path: file.path.clone(), start, end, whole: false });
        start = end;
        file.size_bytes - end
    };
    let mut left = file.size_bytes;
    while u128::from(left) * 100 > u128::from(split_bytes) * u128::from(SLOP_PERCENT) {
        left = piece(file.size_bytes - left + split_bytes);
    }
    if left > 0 {
        piece(file.size_bytes);
    }
}

#[cfg(test)]
mod tests;
