//! Word count and search over blocks of lines that are in memory.

use crate::{
    hand,
    measure::{Better, Row, Table, median, medians, per_second_m},
    words::{Shape, blocks, lines},
};
use tidemill::{Context, Result, Text, base::text::LineBlock};

const WORDS: usize = 8_000_000;
const RUNS: usize = 7;
/// What a receiver stores in one block.
const BLOCK_BYTES: usize = 64 << 10;
/// Stands in one line of about 2,000.
const NEEDLE: &str = "zqz";

/// The text of all benchmarks in memory, as one piece and in blocks.
struct Input {
    text: Vec<u8>,
    blocks: Vec<LineBlock>,
}

impl Input {
    fn new() -> Self {
        let text = lines(7, WORDS, Shape::default());
        let blocks = blocks(&text, BLOCK_BYTES)
            .into_iter()
            .map(|block| LineBlock::from_text(std::str::from_utf8(block).expect("generated words are ASCII")))
            .collect();
        Self { text, blocks }
    }
}

/// How often each word occurs.
///
/// # Errors
/// Whatever made the job fail.
///
/// # Examples
/// ```
/// use tidemill::{Context, base::text::LineBlock};
/// let counts = tidemill_bench::ours::text::word_count(&Context::local(1), &[LineBlock::from_text("to be or\nnot to be")], 1)?;
/// assert_eq!(counts.len(), 4);
/// # Ok::<(), tidemill::Error>(())
/// ```
pub fn word_count(sc: &Context, blocks: &[LineBlock], partitions: usize) -> Result<Vec<(Text, u64)>> {
    sc.parallelize(blocks.to_vec(), partitions)
        .flat_map(|block| block.lines())
        .flat_map(|line| line.split(' '))
        .map(|word| (word, 1))
        .reduce_by_key(|a, b| a + b)
        .collect()
}

/// How many lines contain `needle`.
///
/// # Errors
/// Whatever made the job fail.
pub fn grep(sc: &Context, blocks: &[LineBlock], needle: &'static str) -> Result<u64> {
    sc.parallelize(blocks.to_vec(), 1).flat_map(|block| block.lines()).filter(move |line| line.contains(needle)).count()
}

/// Word count on one worker, against the loop by hand.
///
/// # Errors
/// Whatever made a job fail.
pub fn words(table: &mut Table) -> Result<()> {
    let input = Input::new();
    let sc = Context::local(1);
    let counts = word_count(&sc, &input.blocks, 1)?;
    let expected = hand::word_count(&input.text);
    assert_eq!(counts.iter().map(|(_, count)| count).sum::<u64>(), expected.total());
    assert_eq!(counts.len(), expected.distinct());
    let (ours, by_hand) = medians(RUNS, || word_count(&sc, &input.blocks, 1), || hand::word_count(&input.text));
    table.row(Row {
        name: "word count, 1 worker, M words/s",
        ours: per_second_m(WORDS, ours),
        hand: per_second_m(WORDS, by_hand),
        goal: 0.65,
        better: Better::Higher,
    });
    Ok(())
}

/// Word count on two workers against one; by hand, two threads against one.
///
/// # Errors
/// Whatever made a job fail.
pub fn workers(table: &mut Table) -> Result<()> {
    let input = Input::new();
    let (one, two) = (Context::local(1), Context::local(2));
    let (alone, together) = medians(RUNS, || word_count(&one, &input.blocks, 2), || word_count(&two, &input.blocks, 2));
    table.row(Row {
        name: "word count, 2 workers : 1, M words/s",
        ours: per_second_m(WORDS, together),
        hand: per_second_m(WORDS, alone),
        goal: 1.7,
        better: Better::Higher,
    });
    let (alone, together) = medians(RUNS, || hand::word_count(&input.text), || hand::word_count_2(&input.text));
    let (alone, together) = (per_second_m(WORDS, alone), per_second_m(WORDS, together));
    table.note(format!("by hand, 2 threads : 1: {together:.1} and {alone:.1} M words/s, {:.2}", together / alone));
    Ok(())
}

/// Search on one worker, against the loop by hand.
///
/// # Errors
/// Whatever made a job fail.
pub fn search(table: &mut Table) -> Result<()> {
    let input = Input::new();
    let sc = Context::local(1);
    assert_eq!(grep(&sc, &input.blocks, NEEDLE)?, hand::grep(&input.text, NEEDLE.as_bytes()) as u64);
    let (ours, by_hand) =
        medians(RUNS, || grep(&sc, &input.blocks, NEEDLE), || hand::grep_lines(&input.text, NEEDLE.as_bytes()));
    let lines = input.blocks.iter().map(LineBlock::records).sum();
    table.row(Row {
        name: "grep, 1 worker, M lines/s",
        ours: per_second_m(lines, ours),
        hand: per_second_m(lines, by_hand),
        goal: 0.5,
        better: Better::Higher,
    });
    let at_once = per_second_m(lines, median(RUNS, || hand::grep(&input.text, NEEDLE.as_bytes())));
    table.note(format_args!("by hand, one search over all lines at once: {at_once:.1} M lines/s"));
    Ok(())
}

/// One small job with a shuffle on two workers.
///
/// # Errors
/// Whatever made a job fail.
pub fn small_job(table: &mut Table) -> Result<()> {
    let sc = Context::local(2);
    let run = || {
        sc.parallelize(vec![("a", 1), ("b", 2), ("a", 3)].into_iter().map(|(k, v)| (Text::from(k), v)).collect(), 2)
            .reduce_by_key(|a, b| a + b)
            .collect()
    };
    let time = median(2_000, run);
    table.most("small job with a shuffle, 2 workers, us", time.as_secs_f64() * 1e6, 200.0);
    Ok(())
}
