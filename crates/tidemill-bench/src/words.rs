//! Seeded data: lines of words whose frequencies follow Zipf's law, and keyed numbers.

use rand::{RngExt, SeedableRng, rngs::StdRng, seq::SliceRandom};
use std::collections::HashSet;

/// What the text looks like.
#[derive(Clone, Copy, Debug)]
pub struct Shape {
    /// How many different words there are.
    pub vocabulary: usize,
    /// How many words stand in a line.
    pub words_per_line: usize,
    /// The exponent of Zipf's law: the word of rank `r` has a share in proportion to `r` to the power `-exponent`.
    pub exponent: f64,
}

impl Default for Shape {
    fn default() -> Self {
        Self { vocabulary: 80_000, words_per_line: 10, exponent: 1.0 }
    }
}

/// `words` words in lines ended by `\n`; the same for the same arguments.
///
/// # Examples
/// ```
/// use tidemill_bench::words::{Shape, lines};
/// let text = lines(1, 1_000, Shape::default());
/// assert_eq!(text.iter().filter(|&&byte| byte == b'\n').count(), 100);
/// assert_eq!(text, lines(1, 1_000, Shape::default()));
/// ```
pub fn lines(seed: u64, words: usize, shape: Shape) -> Vec<u8> {
    let mut random = StdRng::seed_from_u64(seed);
    let vocabulary = vocabulary(&mut random, shape.vocabulary);
    let ends = shares(shape);
    let mut text = Vec::with_capacity(words * 7);
    for i in 0..words {
        let rank = ends.partition_point(|&end| end < random.random::<f64>()).min(vocabulary.len() - 1);
        text.extend_from_slice(vocabulary[rank].as_bytes());
        let ends_line = (i + 1) % shape.words_per_line == 0 || i + 1 == words;
        text.push(if ends_line { b'\n' } else { b' ' });
    }
    text
}

/// Different words of 2 to 9 letters, 5.5 in the mean.
fn vocabulary(random: &mut StdRng, count: usize) -> Vec<String> {
    let mut seen = HashSet::new();
    let mut words = Vec::with_capacity(count);
    while words.len() < count {
        let len = random.random_range(2..=9);
        let word: String = (0..len).map(|_| char::from(random.random_range(b'a'..=b'z'))).collect();
        if seen.insert(word.clone()) {
            words.push(word);
        }
    }
    words
}

/// The share of all ranks up to each rank.
fn shares(shape: Shape) -> Vec<f64> {
    let weights = (1..=shape.vocabulary).map(|rank| (rank as f64).powf(-shape.exponent));
    let mut ends: Vec<f64> = weights
        .scan(0.0, |sum, weight| {
            *sum += weight;
            Some(*sum)
        })
        .collect();
    let total = ends.last().copied().unwrap_or(1.0);
    ends.iter_mut().for_each(|end| *end /= total);
    ends
}

/// `text` cut after line feeds into pieces of about `bytes` bytes, as a receiver stores them.
pub fn blocks(text: &[u8], bytes: usize) -> Vec<&[u8]> {
    let mut blocks = Vec::new();
    let mut rest = text;
    while !rest.is_empty() {
        let (block, next) = rest.split_at(line_border(rest, bytes));
        blocks.push(block);
        rest = next;
    }
    blocks
}

/// The end of the line that byte `near` stands in.
pub(crate) fn line_border(text: &[u8], near: usize) -> usize {
    let near = near.min(text.len());
    memchr::memchr(b'\n', &text[near..]).map_or(text.len(), |end| near + end + 1)
}

/// `records` pairs with keys spread evenly over `0..keys` and scrambled, so that a key says nothing about its order.
pub fn pairs(seed: u64, records: usize, keys: u64) -> Vec<(u64, i64)> {
    let mut random = StdRng::seed_from_u64(seed);
    (0..records).map(|_| (scramble(random.random_range(0..keys)), random.random_range(1..100))).collect()
}

/// One pair for each of `keys` keys, in an order of the seed's.
pub fn every_key(seed: u64, keys: u64) -> Vec<(u64, i64)> {
    let mut random = StdRng::seed_from_u64(seed);
    let mut pairs: Vec<(u64, i64)> = (0..keys).map(|key| (scramble(key), random.random_range(1..100))).collect();
    pairs.shuffle(&mut random);
    pairs
}

fn scramble(key: u64) -> u64 {
    key.wrapping_mul(0x9e37_79b9_7f4a_7c15)
}
