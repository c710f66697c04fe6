//! Short text kept inside the value: at most 23 bytes, padded with zeros, hashed and compared as integers.
//!
//! The padding is part of the value: two inline texts are equal if and only if their lengths and all 23 bytes are.

use std::{hash::Hasher, num::NonZero};

/// The longest text that is kept inline, in bytes.
pub(super) const INLINE_BYTES: usize = 23;

/// What to keep of the three loaded words of a text of each length.
const MASKS: [[u64; 3]; INLINE_BYTES + 1] = masks();

const fn masks() -> [[u64; 3]; INLINE_BYTES + 1] {
    let mut masks = [[0; 3]; INLINE_BYTES + 1];
    let mut len = 0;
    while len <= INLINE_BYTES {
        let mut byte = 0;
        while byte < len {
            masks[len][byte / 8] |= 0xff << (byte % 8 * 8);
            byte += 1;
        }
        len += 1;
    }
    masks
}

/// Up to 23 bytes of UTF-8.
///
/// Three whole words in memory, and made as three whole words: a value that is written in small pieces and then copied
/// in large ones stalls the processor (it halved the speed of the word count). The last byte holds the length and is
/// never zero, so that zero there can stand for a text that is not inline.
#[derive(Clone, Copy)]
#[repr(C, align(8))]
pub(super) struct Inline {
    bytes: [u8; INLINE_BYTES],
    marked_len: NonZero<u8>,
}

/// Set in the last byte of every inline text.
const MARK: u64 = 1 << 63;

impl Inline {
    pub(super) const EMPTY: Inline = Inline::joined(0, 0, MARK);

    /// The `len` bytes of `all` from `start`; the caller has checked that they are there and that `len` is at most 23.
    #[inline]
    pub(super) fn cut(all: &[u8], start: usize, len: usize) -> Self {
        match all.get(start..).and_then(|rest| rest.first_chunk()) {
            Some(room) => Self::masked(room, len),
            None => Self::copied(&all[start..start + len]),
        }
    }

    /// The first `len` bytes of `room`, by whole-word loads: no loop and no call to copy a handful of bytes.
    #[inline]
    fn masked(room: &[u8; INLINE_BYTES + 1], len: usize) -> Self {
        let mask = &MASKS[len];
        let [low, middle, high] = words(room);
        Self::joined(low & mask[0], middle & mask[1], (high & mask[2]) | (len as u64) << 56 | MARK)
    }

    /// The value whose memory is these three words.
    #[inline]
    const fn joined(low: u64, middle: u64, high: u64) -> Self {
        let [a0, a1, a2, a3, a4, a5, a6, a7] = low.to_le_bytes();
        let [b0, b1, b2, b3, b4, b5, b6, b7] = middle.to_le_bytes();
        let [c0, c1, c2, c3, c4, c5, c6, marked_len] = (high | MARK).to_le_bytes();
        Self {
            bytes: [a0, a1, a2, a3, a4, a5, a6, a7, b0, b1, b2, b3, b4, b5, b6, b7, c0, c1, c2, c3, c4, c5, c6],
            marked_len: NonZero::new(marked_len).expect("the mark is a bit of it"),
        }
    }

    #[cold]
    fn copied(short: &[u8]) -> Self {
        let mut bytes = [0; INLINE_BYTES + 1];
        bytes[..short.len()].copy_from_slice(short);
        Self::masked(&bytes, short.len())
    }

    #[inline]
    pub(super) fn len(&self) -> usize {
        usize::from(self.marked_len.get() & 0x7f)
    }

    #[inline]
    pub(super) fn as_bytes(&self) -> &[u8] {
        &self.bytes[..self.len()]
    }

    #[inline]
    pub(super) fn same(&self, other: &Self) -> bool {
        let ([a, b, c], [x, y, z]) = (self.words(), other.words());
        ((a ^ x) | (b ^ y) | (c ^ z)) == 0
    }

    /// Two words for a text of up to 15 bytes (one folding step in most hashers), three for a longer one; the length
    /// stands in a byte that the text leaves free, so that "a" and "a\0" differ.
    #[inline]
    pub(super) fn feed(&self, state: &mut impl Hasher) {
        let [low, middle, high] = self.words();
        state.write_u64(low);
        if self.len() < 16 {
            // The top byte of `middle` is padding and the rest of `high` too.
            state.write_u64(middle | high);
        } else {
            state.write_u64(middle);
            state.write_u64(high);
        }
    }

    /// The memory of the value: three words, the marked length in the top byte of the last.
    ///
    /// The last is read as the last eight bytes of text, one of which is the middle word's: seven bytes alone are read
    /// in three pieces and shifted together.
    #[inline]
    fn words(&self) -> [u64; 3] {
        let [low, middle, _] = words(&self.bytes);
        let last = self.bytes.last_chunk().map_or(0, |last| u64::from_le_bytes(*last));
        [low, middle, last >> 8 | u64::from(self.marked_len.get()) << 56]
    }
}

/// Three words of `bytes`; the last is zero where there are fewer than 24.
#[inline]
fn words(bytes: &[u8]) -> [u64; 3] {
    let word =
        |at: usize| bytes.get(at..).and_then(|rest| rest.first_chunk()).map_or(0, |word| u64::from_le_bytes(*word));
    [word(0), word(8), word(16)]
}
