//! Cutting a text into pieces that are texts of their own: iterators that own what they cut.

use super::Text;

/// What [`Text::split`] and [`Text::contains`] look for: a character or a text.
#[derive(Clone, Copy, Debug)]
pub enum Needle<'a> {
    /// One character.
    Char(char),
    /// A text.
    Str(&'a str),
}

impl From<char> for Needle<'_> {
    #[inline]
    fn from(c: char) -> Self {
        Needle::Char(c)
    }
}

impl<'a> From<&'a str> for Needle<'a> {
    #[inline]
    fn from(text: &'a str) -> Self {
        Needle::Str(text)
    }
}

impl<'a> From<&'a String> for Needle<'a> {
    fn from(text: &'a String) -> Self {
        Needle::Str(text)
    }
}

impl<'a> From<&'a Text> for Needle<'a> {
    fn from(text: &'a Text) -> Self {
        Needle::Str(text)
    }
}

/// Positions of separator bytes, found 64 bytes at a time.
///
/// Words are short: a search per word spends its time on starting, and a branch per byte on guessing wrong. One mask of
/// 64 bits serves about ten words.
#[derive(Clone, Debug)]
struct Marks {
    /// Position of bit 0 of `mask`; beyond the text when all is scanned.
    base: usize,
    /// Separators from `base` on that were not taken yet.
    mask: u64,
}

const STRIDE: usize = 64;
const LOW: u64 = 0x0101_0101_0101_0101;
const HIGH: u64 = 0x8080_8080_8080_8080;

impl Marks {
    #[inline]
    fn new(text: &Text, marks: impl Fn(u64) -> u64) -> Self {
        let (all, offset) = text.surroundings();
        Self { base: 0, mask: scan(all, offset, offset + text.len(), marks) }
    }

    /// The position of the next separator. `marks` sets the high bit of each byte of a word that is one.
    #[inline]
    fn next(&mut self, text: &Text, marks: impl Fn(u64) -> u64) -> Option<usize> {
        while self.mask == 0 {
            self.base += STRIDE;
            if self.base >= text.len() {
                return None;
            }
            let (all, offset) = text.surroundings();
            self.mask = scan(all, offset + self.base, offset + text.len(), &marks);
        }
        let position = self.base + self.mask.trailing_zeros() as usize;
        self.mask &= self.mask - 1;
        Some(position)
    }
}

/// A bit for each of the 64 bytes of `all` from `base` that is marked and lies before `limit`.
#[inline]
fn scan(all: &[u8], base: usize, limit: usize, marks: impl Fn(u64) -> u64) -> u64 {
    let mask = match all.get(base..).and_then(|rest| rest.first_chunk()) {
        Some(room) => bits(room, marks),
        None => bits(&padded(&all[base..limit]), marks),
    };
    let left = limit - base;
    if left >= STRIDE { mask } else { mask & ((1 << left) - 1) }
}

#[cold]
fn padded(short: &[u8]) -> [u8; STRIDE] {
    let mut room = [0; STRIDE];
    room[..short.len()].copy_from_slice(short);
    room
}

#[inline]
fn bits(room: &[u8; STRIDE], marks: impl Fn(u64) -> u64) -> u64 {
    let (words, _) = room.as_chunks::<8>();
    let mut mask = 0;
    for (i, word) in words.iter().enumerate() {
        // The multiplication gathers the high bits of the eight bytes in the top byte, first byte lowest.
        let gathered = (marks(u64::from_le_bytes(*word)) >> 7).wrapping_mul(0x0102_0408_1020_4080) >> 56;
        mask |= gathered << (8 * i);
    }
    mask
}

/// The high bit of each byte of `word` that equals the byte repeated in `pattern`, exactly.
#[inline]
fn equal_bytes(word: u64, pattern: u64) -> u64 {
    let differing = word ^ pattern;
    !(((differing & !HIGH) + !HIGH) | differing) & HIGH
}

/// The pieces of a text between separators; see [`Text::split`].
#[derive(Clone, Debug)]
pub struct Split {
    text: Text,
    /// Where the next piece begins; `None` after the last.
    start: Option<usize>,
    by: By,
}

#[derive(Clone, Debug)]
enum By {
    Byte(u64, Marks),
    Text(Searched),
}

/// A separator longer than a byte, and from where on it is to be looked for.
#[derive(Clone, Debug)]
struct Searched {
    separator: Box<str>,
    from: usize,
}

impl Searched {
    fn by(separator: impl Into<Box<str>>) -> By {
        By::Text(Self { separator: separator.into(), from: 0 })
    }

    /// Begin and end of the next separator. An empty one lies before every character and at the end, as for `str`.
    fn next(&mut self, text: &Text) -> Option<(usize, usize)> {
        if self.separator.is_empty() {
            let at = self.from;
            let character = text.as_str().get(at..)?.chars().next();
            self.from += character.map_or(1, char::len_utf8);
            return Some((at, at));
        }
        let at = self.from + memchr::memmem::find(&text.as_bytes()[self.from..], self.separator.as_bytes())?;
        self.from = at + self.separator.len();
        Some((at, self.from))
    }
}

impl Split {
    #[inline]
    pub(super) fn new(text: Text, separator: Needle<'_>) -> Self {
        let by = match separator {
            Needle::Char(c) if c.is_ascii() => Self::by_byte(&text, c as u8),
            Needle::Char(c) => Searched::by(c.to_string()),
            Needle::Str(separator) => match separator.as_bytes() {
                &[byte] => Self::by_byte(&text, byte),
                _ => Searched::by(separator),
            },
        };
        Self { text, start: Some(0), by }
    }

    #[inline]
    fn by_byte(text: &Text, byte: u8) -> By {
        let pattern = u64::from(byte) * LOW;
        By::Byte(pattern, Marks::new(text, |word| equal_bytes(word, pattern)))
    }
}

impl Iterator for Split {
    type Item = Text;

    #[inline]
    fn next(&mut self) -> Option<Text> {
        let start = self.start?;
        let found = match &mut self.by {
            By::Byte(pattern, marks) => {
                let pattern = *pattern;
                marks.next(&self.text, |word| equal_bytes(word, pattern)).map(|end| (end, end + 1))
            }
            By::Text(searched) => searched.next(&self.text),
        };
        let (end, next) = match found {
            Some((end, next)) => (end, Some(next)),
            None => (self.text.len(), None),
        };
        self.start = next;
        Some(self.text.piece(start, end))
    }

    /// One look at where the text lies serves all its pieces: much faster than piece by piece.
    #[inline]
    fn fold<B, F: FnMut(B, Text) -> B>(mut self, init: B, mut f: F) -> B {
        let (Some(start), By::Byte(pattern, marks)) = (self.start, &self.by) else {
            let mut folded = init;
            for piece in self.by_ref() {
                folded = f(folded, piece);
            }
            return folded;
        };
        let (all, offset) = self.text.surroundings();
        let limit = offset + self.text.len();
        let (mut start, mut base, mut mask) = (offset + start, offset + marks.base, marks.mask);
        let mut folded = init;
        loop {
            while mask != 0 {
                let end = base + mask.trailing_zeros() as usize;
                mask &= mask - 1;
                folded = f(folded, self.text.piece_of(all, offset, start, end));
                start = end + 1;
            }
            base += STRIDE;
            if base >= limit {
                return f(folded, self.text.piece_of(all, offset, start, limit));
            }
            mask = scan(all, base, limit, |word| equal_bytes(word, *pattern));
        }
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        match self.start {
            // An empty separator also cuts before the first and after the last character.
            Some(start) => (1, Some(self.text.len() - start.min(self.text.len()) + 2)),
            None => (0, Some(0)),
        }
    }
}

impl std::iter::FusedIterator for Split {}

/// The pieces of a text between white space; see [`Text::split_whitespace`].
#[derive(Clone, Debug)]
pub struct SplitWhitespace {
    text: Text,
    /// Where the next piece begins at the earliest; beyond the text after the last.
    start: usize,
    /// Marks of the ASCII white space; `None` if the text has characters beyond ASCII.
    marks: Option<Marks>,
}

impl SplitWhitespace {
    pub(super) fn new(text: Text) -> Self {
        let marks = text.as_bytes().is_ascii().then(|| Marks::new(&text, white_bytes));
        Self { text, start: 0, marks }
    }

    /// The next run of other characters than white space, for text beyond ASCII.
    fn next_run(&mut self) -> Option<Text> {
        let rest = self.text.as_str().get(self.start..)?;
        let trimmed = rest.trim_start();
        let len = trimmed.find(char::is_whitespace).unwrap_or(trimmed.len());
        let start = self.start + rest.len() - trimmed.len();
        self.start = start + len;
        (len > 0).then(|| self.text.piece(start, start + len))
    }
}

impl Iterator for SplitWhitespace {
    type Item = Text;

    #[inline]
    fn next(&mut self) -> Option<Text> {
        let Some(marks) = &mut self.marks else { return self.next_run() };
        loop {
            let start = self.start;
            if start > self.text.len() {
                return None;
            }
            let end = marks.next(&self.text, white_bytes).unwrap_or(self.text.len());
            self.start = end + 1;
            if start < end {
                return Some(self.text.piece(start, end));
            }
        }
    }
}

/// The high bit of each byte of an ASCII `word` that is white space: a blank, or one of the five from tab on.
#[inline]
fn white_bytes(word: u64) -> u64 {
    // In ASCII no sum carries into the next byte: every byte is below 0x80 and what is added is at most 0x77. Bytes
    // behind the text may be anything; what they carry goes to bytes that are behind it too, and are not looked at.
    let from_tab = word.wrapping_add((0x80 - 0x09) * LOW);
    let beyond_return = word.wrapping_add((0x80 - 0x0e) * LOW);
    ((from_tab & !beyond_return) & HIGH) | equal_bytes(word, u64::from(b' ') * LOW)
}

/// The lines of a text; see [`Text::lines`].
#[derive(Clone, Debug)]
pub struct TextLines(Split);

impl TextLines {
    pub(super) fn new(text: &Text) -> Self {
        Self(text.split('\n'))
    }
}

impl Iterator for TextLines {
    type Item = Text;

    fn next(&mut self) -> Option<Text> {
        let line = self.0.next()?;
        if self.0.start.is_none() {
            // What follows the last line feed is a line unless it is empty.
            return (!line.is_empty()).then_some(line);
        }
        Some(if line.as_bytes().ends_with(b"\r") { line.piece(0, line.len() - 1) } else { line })
    }
}
