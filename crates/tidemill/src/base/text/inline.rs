//! Short text kept inside the value: at most 22 bytes, padded with zeros, hashed and compared as integers.
//!
//! The padding is part of the value: two inline texts are equal if and only if their lengths and all 22 bytes are.

use std::hash::Hasher;

/// The longest text that is kept inline, in bytes.
pub(super) const INLINE_BYTES: usize = 22;

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

/// Up to 22 bytes of UTF-8.
///
/// The order of the fields makes it three whole words in memory, with the mark that tells the variants of a text apart
/// in the last byte: values that are written and read in different pieces wait for each other in the processor.
#[derive(Clone, Copy)]
#[repr(C, align(8))]
pub(super) struct Inline {
    bytes: [u8; INLINE_BYTES],
    len: u8,
    mark: Mark,
}

/// One value, so that the 255 others can stand for the other kinds of text.
#[derive(Clone, Copy)]
#[repr(u8)]
enum Mark {
    Inline = 0,
}

impl Inline {
    pub(super) const EMPTY: Inline = Inline { bytes: [0; INLINE_BYTES], len: 0, mark: Mark::Inline };

    /// The `len` bytes of `all` from `start`; the caller has checked that they are there and that `len` is at most 22.
    #[inline]
    pub(super) fn cut(all: &[u8], start: usize, len: usize) -> Self {
        match all.get(start..).and_then(|rest| rest.first_chunk()) {
            Some(room) => Self::masked(room, len),
            None => Self::copied(&all[start..start + len]),
        }
    }

    /// The first `len` bytes of `room`, by whole-word loads: no loop and no call to copy a handful of bytes.
    #[inline]
    fn masked(room: &[u8; INLINE_BYTES], len: usize) -> Self {
        let mask = &MASKS[len];
        let [low, middle, high] = words(room);
        Self { bytes: joined([low & mask[0], middle & mask[1], high & mask[2]]), len: len as u8, mark: Mark::Inline }
    }

    #[cold]
    fn copied(short: &[u8]) -> Self {
        let mut bytes = [0; INLINE_BYTES];
        bytes[..short.len()].copy_from_slice(short);
        Self { bytes, len: short.len() as u8, mark: Mark::Inline }
    }

    #[inline]
    pub(super) fn len(&self) -> usize {
        usize::from(self.len)
    }

    #[inline]
    pub(super) fn as_bytes(&self) -> &[u8] {
        &self.bytes[..self.len()]
    }

    #[inline]
    pub(super) fn same(&self, other: &Self) -> bool {
        let ([a, b, c], [x, y, z]) = (words(&self.bytes), words(&other.bytes));
        ((a ^ x) | (b ^ y) | (c ^ z) | u64::from(self.len ^ other.len)) == 0
    }

    /// Two words for a text of up to 15 bytes (one folding step in most hashers), three for a longer one; the length
    /// stands in a byte that the text leaves free, so that "a" and "a\0" differ.
    #[inline]
    pub(super) fn feed(&self, state: &mut impl Hasher) {
        let [low, middle, high] = words(&self.bytes);
        let len = u64::from(self.len) << 56;
        state.write_u64(low);
        if self.len < 16 {
            state.write_u64(middle | len);
        } else {
            state.write_u64(middle);
            state.write_u64(high | len);
        }
    }
}

#[inline]
fn words(bytes: &[u8; INLINE_BYTES]) -> [u64; 3] {
    let [a0, a1, a2, a3, a4, a5, a6, a7, b0, b1, b2, b3, b4, b5, b6, b7, c0, c1, c2, c3, c4, c5] = *bytes;
    let high = u64::from_le_bytes([c0, c1, c2, c3, c4, c5, 0, 0]);
    [
        u64::from_le_bytes([a0, a1, a2, a3, a4, a5, a6, a7]),
        u64::from_le_bytes([b0, b1, b2, b3, b4, b5, b6, b7]),
        high,
    ]
}

#[inline]
fn joined([low, middle, high]: [u64; 3]) -> [u8; INLINE_BYTES] {
    let [a0, a1, a2, a3, a4, a5, a6, a7] = low.to_le_bytes();
    let [b0, b1, b2, b3, b4, b5, b6, b7] = middle.to_le_bytes();
    let [c0, c1, c2, c3, c4, c5, _, _] = high.to_le_bytes();
    [a0, a1, a2, a3, a4, a5, a6, a7, b0, b1, b2, b3, b4, b5, b6, b7, c0, c1, c2, c3, c4, c5]
}
