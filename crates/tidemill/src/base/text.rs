//! Text as the engine carries it: words inside the value, lines as slices of the block they were received in.
//!
//! A `String` per line and per word costs an allocation each; a [`Text`] of up to 23 bytes costs none, and a line that
//! came in a [`LineBlock`] only counts one more owner of the block. Deliberately not here: `Borrow<str>`, which would
//! promise that a text hashes as its `str` does. Inline text is hashed as two or three integers instead, which is what
//! makes a word count fast; look a text up in a map with `&Text::from("word")`.

mod impls;
mod inline;
mod lines;
mod split;
mod splitter;

#[cfg(test)]
mod tests;

pub use lines::{LineBlock, Lines};
pub use split::{Needle, Split, SplitWhitespace, TextLines};
pub use splitter::{LineCounts, LineLimits, LineSplitter};

use inline::{INLINE_BYTES, Inline};
use std::{
    any::Any,
    ops::{Bound, RangeBounds},
    sync::Arc,
};

/// Immutable UTF-8 text that is cheap to make, to clone, to hash and to compare; the record of every text source.
///
/// It derefs to `str`. The methods here that bear the name of one of `str` do the same, except that what they yield is
/// owned, so that a closure may return it. The iterators are fastest when they are run from inside, by `for_each` or
/// `fold`.
///
/// # Examples
/// ```
/// use tidemill::Text;
/// let lines = vec![Text::from("to be or"), Text::from("not to be")];
/// let words: Vec<Text> = lines.into_iter().flat_map(|line| line.split(' ')).collect();
/// assert_eq!(words, ["to", "be", "or", "not", "to", "be"]);
/// ```
#[derive(Clone)]
pub struct Text(Repr);

/// A text of up to 23 bytes is always `Inline`; equality and hashing rely on it.
#[derive(Clone)]
enum Repr {
    Inline(Inline),
    /// A part of a block: a line of a received one, or all of one that is this text's own.
    Slice {
        block: Arc<Block>,
        start: u32,
        len: u32,
    },
}

/// Shared text that lines are slices of; shorter than 4 GiB.
struct Block(String);

impl Block {
    /// The length from which on text does not fit.
    const LIMIT: usize = u32::MAX as usize;
}

impl Text {
    /// The empty text.
    pub const fn new() -> Self {
        Self(Repr::Inline(Inline::EMPTY))
    }

    /// The text as a `str`.
    ///
    /// Inline text is checked to be UTF-8 again here, which costs a few nanoseconds; what can work on bytes does
    /// ([`as_bytes`](Self::as_bytes), order, equality, hashing, splitting, searching).
    pub fn as_str(&self) -> &str {
        match &self.0 {
            Repr::Inline(inline) => {
                std::str::from_utf8(inline.as_bytes()).expect("inline text is cut at the borders of characters")
            }
            Repr::Slice { block, start, len } => &block.0[*start as usize..][..*len as usize],
        }
    }

    /// The bytes of the text.
    #[inline]
    pub fn as_bytes(&self) -> &[u8] {
        match &self.0 {
            Repr::Inline(inline) => inline.as_bytes(),
            Repr::Slice { block, start, len } => &block.0.as_bytes()[*start as usize..][..*len as usize],
        }
    }

    /// Its length in bytes.
    #[inline]
    pub fn len(&self) -> usize {
        match &self.0 {
            Repr::Inline(inline) => inline.len(),
            Repr::Slice { len, .. } => *len as usize,
        }
    }

    /// Whether it has no bytes.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The pieces between separators, as `str::split` yields them, each a `Text`.
    ///
    /// # Examples
    /// ```
    /// use tidemill::Text;
    /// let pieces: Vec<Text> = Text::from("a,,b,").split(',').collect();
    /// assert_eq!(pieces, ["a", "", "b", ""]);
    /// let pieces: Vec<Text> = Text::from("k => v").split(" => ").collect();
    /// assert_eq!(pieces, ["k", "v"]);
    /// ```
    #[inline]
    pub fn split<'a>(&self, separator: impl Into<Needle<'a>>) -> Split {
        Split::new(self.clone(), separator.into())
    }

    /// The pieces between white space, as `str::split_whitespace` yields them, each a `Text`.
    ///
    /// # Examples
    /// ```
    /// use tidemill::Text;
    /// let words: Vec<Text> = Text::from("  to be\tor ").split_whitespace().collect();
    /// assert_eq!(words, ["to", "be", "or"]);
    /// ```
    pub fn split_whitespace(&self) -> SplitWhitespace {
        SplitWhitespace::new(self.clone())
    }

    /// The lines of the text, as `str::lines` yields them, each a `Text`.
    ///
    /// # Examples
    /// ```
    /// use tidemill::Text;
    /// let lines: Vec<Text> = Text::from("one\r\ntwo\n").lines().collect();
    /// assert_eq!(lines, ["one", "two"]);
    /// ```
    pub fn lines(&self) -> TextLines {
        TextLines::new(self)
    }

    /// Whether `needle`, a character or a text, occurs in it.
    ///
    /// # Examples
    /// ```
    /// use tidemill::Text;
    /// assert!(Text::from("disk: ERROR 5").contains("ERROR"));
    /// assert!(!Text::from("disk: ok").contains('E'));
    /// ```
    #[inline]
    pub fn contains<'a>(&self, needle: impl Into<Needle<'a>>) -> bool {
        match needle.into() {
            Needle::Char(c) if c.is_ascii() => memchr::memchr(c as u8, self.as_bytes()).is_some(),
            Needle::Char(c) => self.contains(c.encode_utf8(&mut [0; 4]) as &str),
            // Twice as fast as `memmem::find` on lines, whose searcher would have to be built for each.
            Needle::Str(text) => self.as_str().contains(text),
        }
    }

    /// Whether it begins with `needle`, a character or a text.
    #[inline]
    pub fn starts_with<'a>(&self, needle: impl Into<Needle<'a>>) -> bool {
        match needle.into() {
            Needle::Char(c) => self.as_bytes().starts_with(c.encode_utf8(&mut [0; 4]).as_bytes()),
            Needle::Str(text) => self.as_bytes().starts_with(text.as_bytes()),
        }
    }

    /// The text without the white space around it.
    ///
    /// # Examples
    /// ```
    /// use tidemill::Text;
    /// assert_eq!(Text::from("\t 42 ").trim(), "42");
    /// ```
    #[must_use]
    pub fn trim(&self) -> Text {
        let (all, trimmed) = (self.as_str(), self.as_str().trim_start());
        let start = all.len() - trimmed.len();
        self.piece(start, start + trimmed.trim_end().len())
    }

    /// The part of the text at the byte positions of `range`.
    ///
    /// # Panics
    /// As slicing a `str`: if the range is out of the text or cuts through a character.
    ///
    /// # Examples
    /// ```
    /// use tidemill::Text;
    /// assert_eq!(Text::from("2026-11-22").slice(..4), "2026");
    /// ```
    #[must_use]
    pub fn slice(&self, range: impl RangeBounds<usize>) -> Text {
        let start = match range.start_bound() {
            Bound::Included(&start) => start,
            Bound::Excluded(&before) => before + 1,
            Bound::Unbounded => 0,
        };
        let end = match range.end_bound() {
            Bound::Included(&last) => last + 1,
            Bound::Excluded(&end) => end,
            Bound::Unbounded => self.len(),
        };
        let _checked = &self.as_str()[start..end];
        self.piece(start, end)
    }

    /// The text in lower case.
    #[must_use]
    pub fn to_lowercase(&self) -> Text {
        Text::from(self.as_str().to_lowercase())
    }

    /// The text in upper case.
    #[must_use]
    pub fn to_uppercase(&self) -> Text {
        Text::from(self.as_str().to_uppercase())
    }

    /// The same text, keeping nothing else in memory.
    ///
    /// A line holds on to the whole block it was received in, which is right while its batch runs. To keep a *line* for
    /// long (as a key of state), keep its detached copy. Pieces of a line (of `split`, `trim`, `slice`) are detached
    /// already.
    ///
    /// # Examples
    /// ```
    /// use tidemill::Text;
    /// let line = Text::from("a line that is too long to be kept inline");
    /// assert_eq!(line.clone().detached(), line);
    /// ```
    #[must_use]
    pub fn detached(self) -> Text {
        match &self.0 {
            Repr::Slice { block, .. } if block.0.len() > self.len() => Self::owned(self.as_str().into()),
            _ => self,
        }
    }

    /// Text too long for inline, in a block of its own.
    fn owned(text: String) -> Text {
        assert!(text.len() < Block::LIMIT, "a text of {} bytes is not shorter than 4 GiB", text.len());
        let len = text.len() as u32;
        Self(Repr::Slice { block: Arc::new(Block(text)), start: 0, len })
    }

    /// The text from `start` to `end`, which the caller knows to be borders of characters.
    ///
    /// A long piece gets an allocation of its own: sharing the block would save that, but one piece of 30 bytes that is
    /// kept as a key would then keep 64 KB.
    #[inline]
    fn piece(&self, start: usize, end: usize) -> Text {
        let (all, offset) = self.surroundings();
        self.piece_of(all, offset, offset + start, offset + end)
    }

    /// The same with the text's surroundings at hand; `start` and `end` count from their begin.
    #[inline]
    fn piece_of(&self, all: &[u8], offset: usize, start: usize, end: usize) -> Text {
        if end - start <= INLINE_BYTES {
            return Self(Repr::Inline(Inline::cut(all, start, end - start)));
        }
        self.long_piece(start - offset, end - offset)
    }

    #[cold]
    fn long_piece(&self, start: usize, end: usize) -> Text {
        let is_all = start == 0 && end == self.len();
        if is_all { self.clone().detached() } else { Self::owned(self.as_str()[start..end].into()) }
    }

    /// The bytes this text lies in, and where it begins in them: a short piece can be cut from more room than the text.
    #[inline]
    fn surroundings(&self) -> (&[u8], usize) {
        match &self.0 {
            Repr::Inline(inline) => (inline.as_bytes(), 0),
            Repr::Slice { block, start, .. } => (block.0.as_bytes(), *start as usize),
        }
    }
}

/// `value`, keeping nothing else in memory if it is a [`Text`]: for keys that outlive their batch.
///
/// Other types are returned as they are; a long line inside a tuple stays attached to its block.
pub fn detached<T: 'static>(mut value: T) -> T {
    if let Some(text) = (&mut value as &mut dyn Any).downcast_mut::<Text>() {
        *text = std::mem::take(text).detached();
    }
    value
}
