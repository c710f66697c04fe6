//! The bytes of the lines of a split, in pieces.
//!
//! Each line belongs to the split it starts in. Lines end at `\n`, `\r\n` or a lone `\r`. What comes out are whole lines with
//! their terminators, cut anywhere into pieces: to find the lines in them is the task of a line splitter, which also limits
//! how long a line may be. Here memory is one piece, however long the lines are.

use super::{Codec, FileSplit, open, refused, unreadable};
use crate::base::Result;
use std::{
    fmt,
    io::{ErrorKind, Read, Seek, SeekFrom},
    path::PathBuf,
};

/// How many bytes one piece has, except the last.
pub const PIECE_BYTES: usize = 128 * 1024;

const BYTE_ORDER_MARK: &[u8] = b"\xEF\xBB\xBF";

/// Bytes that come in pieces.
pub trait ByteSource {
    /// Appends the next piece to `into`; `false`, with nothing appended, at the end.
    ///
    /// # Errors
    /// Unavailable if the system refused to read, Data if what was read is damaged.
    fn next_piece(&mut self, into: &mut Vec<u8>) -> Result<bool>;
}

/// The lines of one [`FileSplit`], as bytes in pieces; decompressed where the file's extension says so.
///
/// A byte order mark at the beginning of a file is left out, as Hadoop does.
///
/// # Examples
/// ```
/// use tidemill::base::files::{ByteSource, FileSplit, LineSource};
/// let folder = tempfile::tempdir()?;
/// let path = folder.path().join("lines.txt");
/// std::fs::write(&path, "one\ntwo\nthree\n")?;
/// let split = FileSplit { path, start: 2, end: 6, whole: false };
/// let mut bytes = Vec::new();
/// LineSource::open(&split)?.next_piece(&mut bytes)?;
/// assert_eq!(bytes, b"two\n"); // "one" starts before the split, "two" ends after it
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct LineSource {
    reader: Box<dyn Read + Send>,
    path: PathBuf,
    start: u64,
    end: u64,
    piece_bytes: usize,
    /// Offset of the next byte to read.
    position: u64,
    /// The byte before it; a file begins as if after a line end.
    previous: u8,
    phase: Phase,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// Looking for the first line that starts in the split.
    Skipping,
    Reading,
    Done,
}

impl LineSource {
    /// Opens the file of a split.
    ///
    /// # Errors
    /// Unavailable if it cannot be opened, Invalid if its compression is not known.
    pub fn open(split: &FileSplit) -> Result<Self> {
        Self::with_piece_bytes(split, PIECE_BYTES)
    }

    /// As [`open`](Self::open), with pieces of another size.
    pub(crate) fn with_piece_bytes(split: &FileSplit, piece_bytes: usize) -> Result<Self> {
        // The three bytes of a byte order mark and the byte before a split must lie in the first piece.
        let piece_bytes = piece_bytes.max(BYTE_ORDER_MARK.len() + 1);
        let mut source = Self {
            reader: Box::new(std::io::empty()),
            path: split.path.clone(),
            start: split.start,
            end: split.end,
            piece_bytes,
            position: 0,
            previous: b'\n',
            phase: Phase::Reading,
        };
        match Codec::of(&split.path)? {
            Some(codec) => {
                source.reader = codec.open(&split.path)?;
                (source.start, source.end) = (0, u64::MAX);
            }
            None => source.open_plain(split)?,
        }
        Ok(source)
    }

    fn open_plain(&mut self, split: &FileSplit) -> Result<()> {
        let mut file = open(&split.path)?;
        if split.whole {
            (self.start, self.end) = (0, u64::MAX);
        }
        if self.start > 0 {
            self.position = self.start - 1;
            self.phase = Phase::Skipping;
            file.seek(SeekFrom::Start(self.position)).map_err(|error| refused("seek in", &split.path, error))?;
        }
        if self.start >= self.end {
            self.phase = Phase::Done;
        }
        self.reader = Box::new(file);
        Ok(())
    }

    /// Appends up to one piece of raw bytes.
    fn fill(&mut self, into: &mut Vec<u8>) -> Result<()> {
        let mut filled = into.len();
        into.resize(filled + self.piece_bytes, 0);
        // A full buffer is not shown to the reader: zstd takes it for a lack of progress.
        let outcome = loop {
            if filled == into.len() {
                break Ok(());
            }
            match self.reader.read(&mut into[filled..]) {
                Ok(0) => break Ok(()),
                Ok(count) => filled += count,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => break Err(unreadable(&self.path, error)),
            }
        };
        into.truncate(filled);
        outcome
    }

    /// Cuts what was just read, from `base` on, down to the lines of the split.
    fn trim(&mut self, into: &mut Vec<u8>, base: usize) {
        let piece = &into[base..];
        let (begins, previous) = (self.position, self.previous);
        self.position += piece.len() as u64;
        self.previous = piece[piece.len() - 1];
        let index = |offset: u64| offset.saturating_sub(begins) as usize;
        let stop = if self.position > self.end { line_start(piece, index(self.end), previous) } else { None };
        let mut from = 0;
        if self.phase == Phase::Skipping {
            match line_start(piece, index(self.start), previous) {
                Some(at) if begins + (at as u64) < self.end => {
                    from = at;
                    self.phase = Phase::Reading;
                }
                _ => from = piece.len(),
            }
        }
        if begins == 0 && piece.starts_with(BYTE_ORDER_MARK) {
            from = from.max(BYTE_ORDER_MARK.len());
        }
        // A line that starts at or after the end is another split's: so is everything, if none has started by then.
        if stop.is_some() || (self.phase == Phase::Skipping && self.position >= self.end) {
            self.phase = Phase::Done;
        }
        let stop = stop.unwrap_or(piece.len());
        into.truncate(base + stop);
        into.drain(base..base + from.min(stop));
    }
}

impl ByteSource for LineSource {
    fn next_piece(&mut self, into: &mut Vec<u8>) -> Result<bool> {
        let base = into.len();
        while self.phase != Phase::Done {
            self.fill(into)?;
            if into.len() == base {
                self.phase = Phase::Done;
                break;
            }
            self.trim(into, base);
            if into.len() > base {
                return Ok(true);
            }
        }
        Ok(false)
    }
}

impl fmt::Debug for LineSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "LineSource({:?} [{}, {}) at {})", self.path, self.start, self.end, self.position)
    }
}

/// The first index, not before `from`, where a line starts; `previous` is the byte before the piece.
fn line_start(piece: &[u8], from: usize, previous: u8) -> Option<usize> {
    let ends_line = |before: u8, at: usize| match piece.get(at) {
        Some(byte) => before == b'\n' || (before == b'\r' && *byte != b'\n'),
        None => false,
    };
    let before = if from == 0 { previous } else { *piece.get(from - 1)? };
    if ends_line(before, from) {
        return Some(from);
    }
    let rest = piece.get(from..)?;
    memchr::memchr2_iter(b'\n', b'\r', rest)
        .map(|at| from + at)
        .find(|at| ends_line(piece[*at], at + 1))
        .map(|at| at + 1)
}

#[cfg(test)]
mod tests;
