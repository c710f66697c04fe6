//! A block of whole lines: what a receiver stores and a worker takes apart.

use super::{Block, INLINE_BYTES, Inline, Repr, Text};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use std::{fmt, sync::Arc};

/// Whole lines in one shared buffer, each ended by a line feed; cheap to clone, taken apart only where it is read.
///
/// # Examples
/// ```
/// use tidemill::base::text::LineBlock;
/// let block = LineBlock::from_text("one\r\ntwo\rthree");
/// assert_eq!(block.records(), 3);
/// assert_eq!(block.lines().collect::<Vec<_>>(), ["one", "two", "three"]);
/// ```
#[derive(Clone)]
pub struct LineBlock {
    block: Arc<Block>,
    records: usize,
}

impl LineBlock {
    /// The lines of a text, ended by `\n`, `\r\n` or a lone `\r`; the last may be unended.
    ///
    /// # Panics
    /// If the text is 4 GiB or longer.
    pub fn from_text(text: impl Into<String>) -> Self {
        let text = text.into();
        assert!(text.len() < Block::LIMIT, "a block of lines of {} bytes is not shorter than 4 GiB", text.len());
        let mut text = if memchr::memchr(b'\r', text.as_bytes()).is_some() {
            text.replace("\r\n", "\n").replace('\r', "\n")
        } else {
            text
        };
        if !text.is_empty() && !text.ends_with('\n') {
            text.push('\n');
        }
        Self::sealed(text)
    }

    /// The block of `text`, which has no carriage return and ends with a line feed unless it is empty.
    pub(super) fn sealed(text: String) -> Self {
        let records = memchr::memchr_iter(b'\n', text.as_bytes()).count();
        Self { block: Arc::new(Block(text)), records }
    }

    /// How many lines there are.
    pub fn records(&self) -> usize {
        self.records
    }

    /// The length of all lines with their line feeds, in bytes.
    pub fn bytes(&self) -> usize {
        self.block.0.len()
    }

    /// The lines without their line feeds, as slices of the block.
    pub fn lines(&self) -> Lines {
        Lines { block: Arc::clone(&self.block), start: 0, left_records: self.records }
    }

    /// All lines as one text, each ended by a line feed.
    pub fn as_str(&self) -> &str {
        &self.block.0
    }
}

impl fmt::Debug for LineBlock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "LineBlock({} lines, {} bytes)", self.records(), self.bytes())
    }
}

impl PartialEq for LineBlock {
    fn eq(&self, other: &Self) -> bool {
        self.block.0 == other.block.0
    }
}

impl Eq for LineBlock {}

impl Serialize for LineBlock {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.block.0)
    }
}

impl<'de> Deserialize<'de> for LineBlock {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        if text.len() >= Block::LIMIT {
            return Err(de::Error::custom("a block of lines is not shorter than 4 GiB"));
        }
        Ok(Self::from_text(text))
    }
}

/// The lines of a [`LineBlock`].
#[derive(Clone)]
pub struct Lines {
    block: Arc<Block>,
    start: usize,
    left_records: usize,
}

impl Iterator for Lines {
    type Item = Text;

    #[inline]
    fn next(&mut self) -> Option<Text> {
        let all = self.block.0.as_bytes();
        let len = memchr::memchr(b'\n', &all[self.start..])?;
        let start = self.start;
        self.start += len + 1;
        self.left_records -= 1;
        if len <= INLINE_BYTES {
            return Some(Text(Repr::Inline(Inline::cut(all, start, len))));
        }
        Some(Text(Repr::Slice { block: Arc::clone(&self.block), start: start as u32, len: len as u32 }))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.left_records, Some(self.left_records))
    }
}

impl ExactSizeIterator for Lines {}
impl std::iter::FusedIterator for Lines {}

impl fmt::Debug for Lines {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Lines({} left)", self.left_records)
    }
}
