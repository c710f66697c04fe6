//! Word count and search over bytes.

use super::WordCounts;
use crate::words::line_border;
use std::{io::Read, thread};

const STRIDE: usize = 64;
const LOW: u64 = 0x0101_0101_0101_0101;
const HIGH: u64 = 0x8080_8080_8080_8080;

/// Counts the words of lines: pieces between single blanks, as `line.split(' ')` cuts them.
///
/// # Examples
/// ```
/// let counts = tidemill_bench::hand::word_count(b"to be or\nnot to be\n");
/// assert_eq!((counts.get("to"), counts.distinct(), counts.total()), (2, 4, 6));
/// ```
pub fn word_count(text: &[u8]) -> WordCounts {
    let mut counts = WordCounts::default();
    counts.add_line(text);
    counts
}

/// The same on two threads: each counts a half, then the tables are merged.
pub fn word_count_2(text: &[u8]) -> WordCounts {
    let (left, right) = text.split_at(line_border(text, text.len() / 2));
    thread::scope(|scope| {
        let name = thread::Builder::new().name("count-right".into());
        let other = name.spawn_scoped(scope, || word_count(right)).expect("the system has a thread to give");
        let mut counts = word_count(left);
        counts.merge(other.join().expect("counting does not panic"));
        counts
    })
}

impl WordCounts {
    /// Counts the words of one line, or of several.
    pub fn add_line(&mut self, text: &[u8]) {
        each_word(text, |start, end| self.add(text, start, end));
    }
}

/// Calls `found` with begin and end of every word of lines; every blank or line feed ends one.
#[inline(always)]
pub fn each_word(text: &[u8], mut found: impl FnMut(usize, usize)) {
    let mut start = 0;
    let mut base = 0;
    while base < text.len() {
        let mut mask = separators(text, base);
        while mask != 0 {
            let end = base + mask.trailing_zeros() as usize;
            found(start, end);
            start = end + 1;
            mask &= mask - 1;
        }
        base += STRIDE;
    }
    if start < text.len() {
        found(start, text.len());
    }
}

/// A bit for each of the 64 bytes from `base` that is a blank or a line feed.
#[inline(always)]
fn separators(text: &[u8], base: usize) -> u64 {
    let rest = &text[base..];
    let mut padded = [0; STRIDE];
    let room = rest.first_chunk::<STRIDE>().unwrap_or_else(|| {
        padded[..rest.len()].copy_from_slice(rest);
        &padded
    });
    let (words, _) = room.as_chunks::<8>();
    words.iter().enumerate().fold(0, |mask, (i, word)| {
        let word = u64::from_le_bytes(*word);
        let marks = (zero_bytes(word ^ (LOW * u64::from(b' '))) | zero_bytes(word ^ (LOW * u64::from(b'\n')))) >> 7;
        mask | ((marks.wrapping_mul(0x0102_0408_1020_4080) >> 56) << (8 * i))
    })
}

#[inline(always)]
fn zero_bytes(word: u64) -> u64 {
    !(((word & !HIGH) + !HIGH) | word) & HIGH
}

/// Counts the lines that contain `needle`: one search over everything, and a jump to the end of each line found.
///
/// # Examples
/// ```
/// assert_eq!(tidemill_bench::hand::grep(b"an error and error\nok\nerror\n", b"error"), 2);
/// ```
pub fn grep(text: &[u8], needle: &[u8]) -> usize {
    let finder = memchr::memmem::Finder::new(needle);
    let mut at = 0;
    let mut lines = 0;
    while let Some(found) = finder.find(&text[at..]) {
        lines += 1;
        at = line_border(text, at + found);
        if at == text.len() {
            break;
        }
    }
    lines
}

/// The same, a search for each line: what a filter of lines has to do.
///
/// # Examples
/// ```
/// assert_eq!(tidemill_bench::hand::grep_lines(b"an error and error\nok\nerror\n", b"error"), 2);
/// ```
pub fn grep_lines(text: &[u8], needle: &[u8]) -> usize {
    let finder = memchr::memmem::Finder::new(needle);
    let mut start = 0;
    let mut lines = 0;
    for end in memchr::memchr_iter(b'\n', text) {
        lines += usize::from(finder.find(&text[start..end]).is_some());
        start = end + 1;
    }
    lines + usize::from(finder.find(&text[start..]).is_some())
}

/// Counts the words that arrive on a socket (or any other source), until its end.
///
/// # Errors
/// What the source returns.
pub fn socket_word_count(mut source: impl Read) -> std::io::Result<WordCounts> {
    let mut counts = WordCounts::default();
    let mut buffer = vec![0; 256 << 10];
    let mut filled = 0;
    loop {
        let read_bytes = source.read(&mut buffer[filled..])?;
        if read_bytes == 0 {
            counts.add_line(&buffer[..filled]);
            return Ok(counts);
        }
        filled += read_bytes;
        let Some(last) = memchr::memrchr(b'\n', &buffer[..filled]) else {
            if filled == buffer.len() {
                buffer.resize(filled * 2, 0);
            }
            continue;
        };
        counts.add_line(&buffer[..=last]);
        buffer.copy_within(last + 1..filled, 0);
        filled -= last + 1;
    }
}
