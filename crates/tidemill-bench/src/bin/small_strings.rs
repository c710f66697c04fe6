//! Word count with different kinds of text: which one carries the engine's records?
//!
//! The same pipeline for all, as the engine runs it, one thread: 128 lines of a block in a chunk, their words in a chunk,
//! (word, 1) in a chunk, a map. Only the type of the text differs. Run with `--release`; the argument is the number of
//! runs.
#![allow(clippy::print_stdout, reason = "a program that prints a table")]

use compact_str::CompactString;
use ecow::EcoString;
use foldhash::fast::FixedState;
use hashbrown::HashMap;
use hipstr::HipStr;
use smol_str::SmolStr;
use std::hash::Hash;
use tidemill::{
    Text,
    base::text::{LineBlock, LineLimits, LineSplitter},
};
use tidemill_bench::{
    hand::{self, each_word},
    measure::{median, per_second_m},
    words::{Shape, blocks, lines},
};

const WORDS: usize = 2_000_000;
const CHUNK: usize = 1024;

type Counts<W> = HashMap<W, i32, FixedState>;

/// Boxed, so that the compiler cannot fuse the steps: an engine's operators do not know each other.
type Step<A, B> = Box<dyn FnMut(Vec<A>, &mut Vec<B>)>;

/// Lines to words to pairs to counts, in chunks.
fn count<L: 'static, W: Hash + Eq + 'static>(
    lines_of_blocks: impl Iterator<Item = L>,
    split: impl Fn(L, &mut Vec<W>) + 'static,
) -> usize {
    let mut to_words: Step<L, W> = Box::new(move |chunk, out| chunk.into_iter().for_each(|line| split(line, out)));
    let mut to_pairs: Step<W, (W, i32)> = Box::new(|chunk, out| out.extend(chunk.into_iter().map(|word| (word, 1))));
    let mut counts = Counts::with_capacity_and_hasher(1024, FixedState::default());
    let mut lines_of_blocks = lines_of_blocks.peekable();
    while lines_of_blocks.peek().is_some() {
        let chunk: Vec<L> = lines_of_blocks.by_ref().take(CHUNK / 8).collect();
        let mut words = Vec::with_capacity(CHUNK * 2);
        to_words(chunk, &mut words);
        let mut pairs = Vec::with_capacity(words.len());
        to_pairs(words, &mut pairs);
        for (word, one) in pairs {
            *counts.entry(word).or_insert(0) += one;
        }
    }
    counts.len()
}

fn report(name: &str, runs: usize, work: impl FnMut() -> usize) {
    println!("{name:<32} {:>6.1} M words/s", per_second_m(WORDS, median(runs, work)));
}

fn main() {
    let runs = std::env::args().nth(1).and_then(|runs| runs.parse().ok()).unwrap_or(9);
    let text = String::from_utf8(lines(7, WORDS, Shape::default())).expect("generated words are ASCII");
    let pieces: Vec<&str> = blocks(text.as_bytes(), 64 << 10)
        .into_iter()
        .map(|block| std::str::from_utf8(block).expect("generated words are ASCII"))
        .collect();
    println!("{} words, {} bytes, {} blocks", WORDS, text.len(), pieces.len());

    let only = std::env::args().nth(2).unwrap_or_default();
    let report = |name: &str, runs: usize, work: &mut dyn FnMut() -> usize| {
        if name.starts_with(&only) {
            report(name, runs, work)
        }
    };
    let line_blocks: Vec<LineBlock> = pieces.iter().map(|piece| LineBlock::from_text(*piece)).collect();
    report("Text: the pipeline", runs, &mut || {
        count(line_blocks.iter().flat_map(LineBlock::lines), |line: Text, out| {
            line.split(' ').for_each(|word| out.push(word))
        })
    });
    report("Text, not split (lines only)", runs, &mut || {
        line_blocks.iter().flat_map(LineBlock::lines).map(|line| line.len()).sum()
    });
    report("Text, split only", runs, &mut || {
        line_blocks.iter().flat_map(LineBlock::lines).flat_map(|line| line.split(' ')).map(|word| word.len()).sum()
    });

    report("Text, split only, by next", runs, &mut || {
        let mut bytes = 0;
        for line in line_blocks.iter().flat_map(LineBlock::lines) {
            for word in line.split(' ') {
                bytes += word.len();
            }
        }
        bytes
    });
    report("Text, split_whitespace only", runs, &mut || {
        line_blocks
            .iter()
            .flat_map(LineBlock::lines)
            .flat_map(|line| line.split_whitespace())
            .map(|word| word.len())
            .sum()
    });
    report("framing only", runs, &mut || {
        let mut splitter = LineSplitter::new(LineLimits::default());
        let mut records = 0;
        splitter.push(text.as_bytes(), |block| records += block.records());
        records
    });
    report("framing from a reader only", runs, &mut || {
        let mut splitter = LineSplitter::new(LineLimits::default());
        let mut source = text.as_bytes();
        let mut records = 0;
        while let Ok((1.., block)) = splitter.read_from(&mut source) {
            records += block.map_or(0, |block| block.records());
        }
        records
    });
    report("grep: Text::contains", runs, &mut || {
        line_blocks.iter().flat_map(LineBlock::lines).filter(|line| line.contains("abcde")).count()
    });
    report("grep: str::contains", runs, &mut || {
        line_blocks.iter().flat_map(LineBlock::lines).filter(|line| line.as_str().contains("abcde")).count()
    });
    report("grep: by hand", runs, &mut || hand::grep(text.as_bytes(), b"abcde"));

    // The others get the same search for blanks, so that only the texts differ; hipstr with its own, too.
    let shared: Vec<HipStr<'static>> = pieces.iter().map(|piece| HipStr::from(*piece)).collect();
    report("hipstr, its own split", runs, &mut || {
        count(shared.iter().flat_map(|block| block.lines()), |line: HipStr<'static>, out| out.extend(line.split(' ')))
    });
    report("hipstr", runs, &mut || {
        count(shared.iter().flat_map(|block| block.lines()), |line: HipStr<'static>, out| {
            each_word(line.as_bytes(), |start, end| out.push(line.slice(start..end)));
        })
    });
    macro_rules! owned {
        ($name:literal, $type:ty) => {
            report($name, runs, &mut || {
                count(pieces.iter().flat_map(|piece| piece.lines()).map(<$type>::from), |line: $type, out| {
                    each_word(line.as_bytes(), |start, end| out.push(<$type>::from(&line[start..end])));
                })
            });
        };
    }
    owned!("ecow", EcoString);
    owned!("smol_str", SmolStr);
    owned!("compact_str", CompactString);
    owned!("String", String);
    report("by hand, 1 thread", runs, &mut || hand::word_count(text.as_bytes()).distinct());
    report("by hand, 2 threads", runs, &mut || hand::word_count_2(text.as_bytes()).distinct());
}
