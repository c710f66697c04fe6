//! The ruler: medians of repeated runs, and one table for all results.

use std::{hint::black_box, time::Duration};
use tidemill::base::clock::Stopwatch;

/// The median time of `runs` runs of `work`, after one run that is not counted.
///
/// # Examples
/// ```
/// use tidemill_bench::measure::median;
/// assert!(median(3, || (1..1_000).sum::<u64>()).as_secs() < 1);
/// ```
pub fn median<R>(runs: usize, mut work: impl FnMut() -> R) -> Duration {
    black_box(work());
    let mut times: Vec<Duration> = (0..runs.max(1)).map(|_| timed(&mut work)).collect();
    middle(&mut times)
}

/// The medians of two pieces of work run in turn, so that a slow spell of the machine meets both.
pub fn medians<A, B>(runs: usize, mut ours: impl FnMut() -> A, mut hand: impl FnMut() -> B) -> (Duration, Duration) {
    black_box(ours());
    black_box(hand());
    let (mut left, mut right): (Vec<_>, Vec<_>) =
        (0..runs.max(1)).map(|_| (timed(&mut ours), timed(&mut hand))).unzip();
    (middle(&mut left), middle(&mut right))
}

fn timed<R>(work: &mut impl FnMut() -> R) -> Duration {
    let watch = Stopwatch::start();
    black_box(work());
    watch.elapsed()
}

/// The median of some times, which are sorted.
///
/// # Panics
/// If there are none.
pub fn middle(times: &mut [Duration]) -> Duration {
    times.sort_unstable();
    times[times.len() / 2]
}

/// Millions per second.
pub fn per_second_m(count: usize, time: Duration) -> f64 {
    count as f64 / time.as_secs_f64() / 1e6
}

/// Which figure is the better one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Better {
    /// Throughput: the ratio is ours by hand's.
    Higher,
    /// Time or memory: the ratio is hand's by ours.
    Lower,
}

/// One line of the table: a figure of ours, the same of the loop by hand, and the ratio to reach.
///
/// # Examples
/// ```
/// use tidemill_bench::measure::{Better, Row};
/// let row = Row { name: "word count, M words/s", ours: 24.0, hand: 32.0, goal: 0.7, better: Better::Higher };
/// assert!(row.is_met());
/// assert_eq!(
///     row.to_string(),
///     "word count, M words/s                        |      24.00 |      32.00 |  0.75 |  0.70 | yes"
/// );
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Row<'a> {
    /// What was measured, with the unit.
    pub name: &'a str,
    /// The engine's figure.
    pub ours: f64,
    /// The figure of the loop by hand.
    pub hand: f64,
    /// The ratio to reach; 1 is as good as by hand.
    pub goal: f64,
    /// Which figure is the better one.
    pub better: Better,
}

impl Row<'_> {
    /// The head of the table.
    pub const HEAD: &'static str =
        "name                                         |       ours |       hand | ratio |  goal | met";

    /// How good ours is; 1 is as good as by hand.
    pub fn ratio(&self) -> f64 {
        match self.better {
            Better::Higher => self.ours / self.hand,
            Better::Lower => self.hand / self.ours,
        }
    }

    /// Whether the goal is reached.
    pub fn is_met(&self) -> bool {
        self.ratio() >= self.goal
    }
}

impl std::fmt::Display for Row<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let met = if self.is_met() { "yes" } else { "no" };
        let ratio = self.ratio();
        write!(
            f,
            "{:<44} | {:>10.2} | {:>10.2} | {ratio:>5.2} | {:>5.2} | {met}",
            self.name, self.ours, self.hand, self.goal
        )
    }
}

/// The table of results, printed line by line as they come.
#[derive(Debug, Default)]
pub struct Table {
    missed: usize,
}

impl Table {
    /// An empty table; prints its head.
    pub fn new() -> Self {
        say(Row::HEAD);
        Self::default()
    }

    /// Adds a figure and that of the loop by hand.
    pub fn row(&mut self, row: Row<'_>) {
        self.missed += usize::from(!row.is_met());
        say(row);
    }

    /// Adds a figure that is to be at most `most`.
    pub fn most(&mut self, name: &str, ours: f64, most: f64) {
        let is_met = ours <= most;
        self.missed += usize::from(!is_met);
        let met = if is_met { "yes" } else { "no" };
        say(format_args!("{name:<44} | {ours:>10.2} | {:>10} | {:>5} | {most:>5} | {met}", "", "most"));
    }

    /// Adds a line of text.
    pub fn note(&mut self, text: impl std::fmt::Display) {
        say(format_args!("    {text}"));
    }

    /// How many goals were missed.
    pub fn missed(&self) -> usize {
        self.missed
    }
}

#[allow(clippy::print_stdout, reason = "the table is what the program is for")]
fn say(line: impl std::fmt::Display) {
    println!("{line}");
}
