//! Bytes as they arrive, made into blocks of whole lines.
//!
//! The rules are those of Spark's line reader: a line ends at `\n`, `\r\n` or a lone `\r`; the terminator is removed;
//! the last line need not have one; what is not UTF-8 becomes U+FFFD. Beyond Spark: a line has a greatest length, and a
//! longer one is dropped and counted instead of being buffered without bound.
//!
//! Nothing is done per line. Arriving bytes are searched for `\r` (rewritten to `\n` if there are any) and for the last
//! `\n`; a full block is checked to be UTF-8 once.

use super::{Block, LineBlock};
use std::io::{self, Read};

/// The largest limit for a line: a tripled length (each byte replaced by U+FFFD) still fits a block with others.
const MAX_LINE_BYTES: usize = Block::LIMIT / 8;

/// How large lines and blocks become.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LineLimits {
    /// A block is sealed when it holds this many bytes.
    pub block_bytes: usize,
    /// A line longer than this is dropped; at most 512 MiB.
    pub max_line_bytes: usize,
}

impl Default for LineLimits {
    fn default() -> Self {
        Self { block_bytes: 64 << 10, max_line_bytes: 16 << 20 }
    }
}

/// What a splitter had to repair or to drop.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LineCounts {
    /// Lines that were dropped because they are longer than the limit.
    pub oversize_lines: u64,
    /// The bytes of these lines.
    pub oversize_bytes: u64,
    /// Byte sequences that are not UTF-8, each replaced by U+FFFD.
    pub invalid_sequences: u64,
}

/// Makes [`LineBlock`]s of bytes that arrive in pieces.
///
/// # Examples
/// ```
/// use tidemill::base::text::{LineLimits, LineSplitter};
/// let mut splitter = LineSplitter::new(LineLimits::default());
/// let mut blocks = Vec::new();
/// for piece in ["to be\r", "\nor not ", "to be"] {
///     splitter.push(piece.as_bytes(), |block| blocks.push(block));
/// }
/// blocks.extend(splitter.finish());
/// let lines: Vec<_> = blocks.iter().flat_map(|block| block.lines()).collect();
/// assert_eq!(lines, ["to be", "or not to be"]);
/// ```
#[derive(Debug)]
pub struct LineSplitter {
    limits: LineLimits,
    buffer: Vec<u8>,
    /// Length of the whole lines at the begin of the buffer.
    whole: usize,
    /// The last byte that arrived was `\r`: a `\n` right after it belongs to the same terminator.
    after_return: bool,
    /// The bytes of an oversize line are passing by.
    skipping: bool,
    counts: LineCounts,
}

impl LineSplitter {
    /// A splitter with nothing in it.
    pub fn new(limits: LineLimits) -> Self {
        let limits = LineLimits {
            block_bytes: limits.block_bytes.clamp(1, MAX_LINE_BYTES),
            max_line_bytes: limits.max_line_bytes.min(MAX_LINE_BYTES),
        };
        Self {
            limits,
            buffer: Vec::new(),
            whole: 0,
            after_return: false,
            skipping: false,
            counts: LineCounts::default(),
        }
    }

    /// Takes in the next bytes, and hands each block that became full to `sealed`.
    pub fn push(&mut self, bytes: &[u8], mut sealed: impl FnMut(LineBlock)) {
        for piece in bytes.chunks(self.limits.block_bytes) {
            let old = self.buffer.len();
            self.buffer.extend_from_slice(piece);
            self.arrived(old);
            if let Some(block) = self.full() {
                sealed(block);
            }
        }
    }

    /// Reads once from `source` into the buffer, and returns how many bytes came (0 at the end of the source) and the
    /// block that became full, if one did.
    ///
    /// # Errors
    /// What `source` returns; nothing is lost then and the call can be repeated.
    pub fn read_from(&mut self, source: &mut impl Read) -> io::Result<(usize, Option<LineBlock>)> {
        let old = self.buffer.len();
        // Half a block at the least: a full read is worth its system call.
        let room = self.limits.block_bytes.saturating_sub(old).max(self.limits.block_bytes / 2 + 1);
        self.buffer.resize(old + room, 0);
        let read = source.read(&mut self.buffer[old..]);
        self.buffer.truncate(old + *read.as_ref().unwrap_or(&0));
        let read_bytes = read?;
        self.arrived(old);
        Ok((read_bytes, self.full()))
    }

    /// Seals the whole lines that are there, however few; `None` if there are none. Call it when a batch ends.
    pub fn seal(&mut self) -> Option<LineBlock> {
        if self.whole == 0 {
            return None;
        }
        let lines = self.take_whole();
        let lines = if lines.len() > self.limits.max_line_bytes { self.without_oversize(lines) } else { lines };
        (!lines.is_empty()).then(|| LineBlock::sealed(self.decoded(lines)))
    }

    /// Seals what is there, the last line included even if it is unended. The splitter is then as new, but for the
    /// counts.
    pub fn finish(&mut self) -> Option<LineBlock> {
        if self.buffer.len() > self.whole {
            self.buffer.push(b'\n');
            self.whole = self.buffer.len();
        }
        self.after_return = false;
        self.skipping = false;
        self.seal()
    }

    /// Bytes that are held and not sealed yet.
    pub fn buffered_bytes(&self) -> usize {
        self.buffer.len()
    }

    /// What was repaired or dropped so far. Sequences that are not UTF-8 are counted when their block is sealed.
    pub fn counts(&self) -> LineCounts {
        self.counts
    }

    fn full(&mut self) -> Option<LineBlock> {
        if self.buffer.len() >= self.limits.block_bytes { self.seal() } else { None }
    }

    /// Takes account of the bytes from `new` on, which have just come.
    fn arrived(&mut self, new: usize) {
        self.normalise(new);
        if self.skipping {
            self.skip(new);
        }
        if let Some(last) = memchr::memrchr(b'\n', &self.buffer[new..]) {
            self.whole = new + last + 1;
        }
        let open_bytes = self.buffer.len() - self.whole;
        if open_bytes > self.limits.max_line_bytes {
            self.counts.oversize_lines += 1;
            self.counts.oversize_bytes += open_bytes as u64;
            self.buffer.truncate(self.whole);
            self.skipping = true;
        }
    }

    /// Makes `\r\n` and `\r` from `new` on into `\n`.
    fn normalise(&mut self, new: usize) {
        let Some(&last) = self.buffer[new..].last() else { return };
        let after_return = std::mem::replace(&mut self.after_return, last == b'\r');
        if after_return && self.buffer[new] == b'\n' {
            self.buffer.remove(new);
        }
        let Some(first) = memchr::memchr(b'\r', &self.buffer[new..]) else { return };
        let mut to = new + first;
        let mut from = to;
        while from < self.buffer.len() {
            let byte = self.buffer[from];
            from += 1;
            if byte == b'\r' && self.buffer.get(from) == Some(&b'\n') {
                from += 1;
            }
            self.buffer[to] = if byte == b'\r' { b'\n' } else { byte };
            to += 1;
        }
        self.buffer.truncate(to);
    }

    /// Drops what belongs to the oversize line that is passing by.
    fn skip(&mut self, new: usize) {
        let end = memchr::memchr(b'\n', &self.buffer[new..]);
        let line_bytes = end.unwrap_or(self.buffer.len() - new);
        self.counts.oversize_bytes += line_bytes as u64;
        self.buffer.drain(new..new + end.map_or(line_bytes, |end| end + 1));
        self.skipping = end.is_none();
    }

    /// The whole lines; what follows them stays in the buffer.
    fn take_whole(&mut self) -> Vec<u8> {
        let whole = std::mem::take(&mut self.whole);
        if whole < self.buffer.capacity() / 2 {
            // A small block gets its own small allocation, and the buffer stays.
            let lines = self.buffer[..whole].to_vec();
            self.buffer.drain(..whole);
            return lines;
        }
        let mut open = Vec::with_capacity(self.buffer.capacity().min(self.limits.block_bytes * 2));
        open.extend_from_slice(&self.buffer[whole..]);
        let mut lines = std::mem::replace(&mut self.buffer, open);
        lines.truncate(whole);
        lines
    }

    /// `lines` without those longer than the limit. Only blocks beyond the limit come here.
    fn without_oversize(&mut self, lines: Vec<u8>) -> Vec<u8> {
        let mut kept = Vec::with_capacity(lines.len());
        for line in lines.split_inclusive(|&byte| byte == b'\n') {
            let line_bytes = line.len() - 1;
            if line_bytes > self.limits.max_line_bytes {
                self.counts.oversize_lines += 1;
                self.counts.oversize_bytes += line_bytes as u64;
            } else {
                kept.extend_from_slice(line);
            }
        }
        kept
    }

    fn decoded(&mut self, lines: Vec<u8>) -> String {
        String::from_utf8(lines).unwrap_or_else(|error| {
            let lines = error.into_bytes();
            let invalid = lines.utf8_chunks().filter(|chunk| !chunk.invalid().is_empty()).count();
            self.counts.invalid_sequences += invalid as u64;
            String::from_utf8_lossy(&lines).into_owned()
        })
    }
}
