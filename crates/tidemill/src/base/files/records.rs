//! Binary records of a fixed length.

use super::{FileSplit, open, refused, unreadable};
use crate::base::{Error, Result};
use std::{
    fs::File,
    io::{ErrorKind, Read, Seek, SeekFrom},
    path::PathBuf,
};

/// About how many bytes of records one chunk has.
const CHUNK_BYTES: usize = 128 * 1024;
/// How many records a chunk has at most.
const CHUNK_RECORDS: usize = 1024;

/// The fixed-length records of one split, which [`plan_records`](super::split::plan_records) cut at a record border.
///
/// # Examples
/// ```
/// use tidemill::base::files::{paths::expand, records::RecordSource, split::plan_records};
/// let folder = tempfile::tempdir()?;
/// std::fs::write(folder.path().join("a.bin"), b"aabbcc")?;
/// let files = expand(&folder.path().display().to_string())?;
/// let mut records = Vec::new();
/// for split in plan_records(&files, 2)? {
///     let mut source = RecordSource::open(&split, 2)?;
///     while source.next_chunk(&mut records)? {}
/// }
/// assert_eq!(records, [b"aa", b"bb", b"cc"]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct RecordSource {
    file: File,
    path: PathBuf,
    position: u64,
    /// Where the split ends; for a whole file, where it ended when it was opened.
    end: u64,
    record_bytes: usize,
    buffer: Vec<u8>,
}

impl RecordSource {
    /// Opens the file of a split.
    ///
    /// # Errors
    /// Unavailable if it cannot be opened, Invalid for a record length of 0.
    pub fn open(split: &FileSplit, record_bytes: usize) -> Result<Self> {
        if record_bytes == 0 {
            return Err(Error::invalid("a record length of \"0\" bytes cannot be read; give at least 1"));
        }
        let mut file = open(&split.path)?;
        let size_bytes = file.metadata().map_err(|error| refused("look at", &split.path, error))?.len();
        file.seek(SeekFrom::Start(split.start)).map_err(|error| refused("seek in", &split.path, error))?;
        Ok(Self {
            file,
            path: split.path.clone(),
            position: split.start,
            // Never beyond the file, so that no record length makes a buffer larger than the data.
            end: if split.whole { size_bytes } else { split.end.min(size_bytes) }.max(split.start),
            record_bytes,
            buffer: Vec::new(),
        })
    }

    /// Appends the next records to `into`; `false`, with none appended, at the end.
    ///
    /// # Errors
    /// Data if the file ends within a record.
    pub fn next_chunk(&mut self, into: &mut Vec<Vec<u8>>) -> Result<bool> {
        let records = (CHUNK_BYTES / self.record_bytes).clamp(1, CHUNK_RECORDS);
        let wanted = (records * self.record_bytes).min(usize::try_from(self.end - self.position).unwrap_or(usize::MAX));
        self.fill(wanted)?;
        let whole = self.buffer.len() / self.record_bytes * self.record_bytes;
        let partial = self.buffer.len() - whole;
        if partial > 0 {
            return Err(Error::data(format!(
                "\"{}\" ends with a partial record of {partial} bytes at offset {}; its records must be {} bytes long",
                self.path.display(),
                self.position + whole as u64,
                self.record_bytes
            )));
        }
        into.extend(self.buffer.chunks_exact(self.record_bytes).map(<[u8]>::to_vec));
        self.position += whole as u64;
        Ok(whole > 0)
    }

    fn fill(&mut self, wanted: usize) -> Result<()> {
        self.buffer.clear();
        self.buffer.resize(wanted, 0);
        let mut filled = 0;
        while filled < wanted {
            match self.file.read(&mut self.buffer[filled..]) {
                Ok(0) => break,
                Ok(count) => filled += count,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(unreadable(&self.path, error)),
            }
        }
        self.buffer.truncate(filled);
        Ok(())
    }
}

#[cfg(test)]
mod tests;
