//! Windows and state by key, batch after batch, as a user would write them.

use super::process::{forget_peak, megabytes, peak_kb};
use crate::{
    hand,
    measure::{Better, Row, Table},
};
use rand::{RngExt, SeedableRng, rngs::StdRng};
use std::{hint::black_box, sync::Arc, time::Duration};
use tidemill::{
    Config, Context, DStream, ManualClock, Result, State, StateSpec, StreamingContext, Time, base::clock::Stopwatch,
    keys, milliseconds, seconds,
};

/// How often each side runs.
const ROUNDS: usize = 3;

type Batch = Vec<(u64, i64)>;

/// What batches cost, the slowest too.
#[derive(Clone, Copy, Debug)]
pub struct Cost {
    /// The median batch.
    pub median: Duration,
    /// The slowest batch.
    pub slowest: Duration,
}

impl Cost {
    /// Of so many batches, of which there is at least one.
    pub fn of(mut times: Vec<Duration>) -> Self {
        times.sort_unstable();
        Self { median: times[times.len() / 2], slowest: times[times.len() - 1] }
    }
}

/// `count` batches of `records` records each, over `keys` keys.
pub fn batches(count: usize, records: usize, keys: u64) -> Vec<Batch> {
    let mut random = StdRng::seed_from_u64(7);
    let mut batch = || (0..records).map(|_| (random.random_range(0..keys), random.random_range(0..100))).collect();
    (0..count).map(|_| batch()).collect()
}

/// A batch that has every key once.
pub fn every_key(keys: u64) -> Batch {
    (0..keys).map(|key| (key, 1)).collect()
}

/// What the `measured` last batches cost on `workers` workers, and what they cost a loop by hand, in turn; `operation`
/// declares the outputs, `by_hand` makes a loop.
///
/// A whole run of one side follows a whole run of the other: batch by batch each would find the other's data in the
/// caches.
///
/// # Errors
/// If the context cannot be started or stopped, or a batch fails.
pub fn run<L: FnMut(&[(u64, i64)])>(
    workers: usize,
    batches: &[Batch],
    measured: usize,
    operation: impl Fn(&DStream<(u64, i64)>),
    by_hand: impl Fn() -> L,
) -> Result<(Cost, Cost)> {
    let (mut ours, mut hand) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        let times = run_ours(workers, batches, &operation)?;
        ours.extend_from_slice(&times[times.len() - measured..]);
        let mut slide = by_hand();
        let times: Vec<Duration> = batches
            .iter()
            .map(|batch| {
                let watch = Stopwatch::start();
                slide(batch);
                watch.elapsed()
            })
            .collect();
        hand.extend_from_slice(&times[times.len() - measured..]);
    }
    Ok((Cost::of(ours), Cost::of(hand)))
}

/// What each batch costs on `workers` workers.
fn run_ours(workers: usize, batches: &[Batch], operation: impl Fn(&DStream<(u64, i64)>)) -> Result<Vec<Duration>> {
    let config = Config::new()
        .set(keys::MASTER, format!("local[{workers}]"))
        .set(keys::CHECKPOINT_REQUIRED, false)
        .set(keys::SHUTDOWN_SIGNALS, false);
    let clock = ManualClock::new(Time::from_ms(0));
    let ssc = StreamingContext::with_clock(&Context::new(config)?, seconds(1), Arc::new(clock.clone()))?;
    let (pairs, queue) = ssc.queue_stream(true);
    operation(&pairs);
    ssc.start()?;
    let mut times = Vec::new();
    for (index, batch) in (1..).zip(batches) {
        queue.push(ssc.context().parallelize(batch.clone(), workers));
        clock.advance(seconds(1));
        while ssc.progress().completed_batches < index {
            ssc.await_termination_or_timeout(milliseconds(1))?;
        }
        times.extend(ssc.progress().last_processing_delay);
    }
    ssc.stop()?;
    Ok(times)
}

/// Computes all of a stream and looks at it chunk by chunk.
fn consume<T: tidemill::Data>(stream: &DStream<T>) {
    stream.foreach_rdd(|rdd, _| {
        black_box(rdd.count()?);
        Result::<()>::Ok(())
    });
}

/// Sums by key over `window` batches, with the inverse.
pub fn inverse_window(pairs: &DStream<(u64, i64)>, window: u64) {
    consume(&pairs.reduce_by_key_and_window_inverse(|a, b| a + b, |a, b| a - b, seconds(window), None));
}

/// Sums by key over `window` batches, without the inverse.
pub fn window(pairs: &DStream<(u64, i64)>, window: u64) {
    consume(&pairs.reduce_by_key_and_window(|a, b| a + b, seconds(window), None));
}

/// A running sum for every key; gives the new sum at each record.
pub fn touched(pairs: &DStream<(u64, i64)>) {
    let add = |key: &u64, value: Option<i64>, sum: &mut State<i64>| {
        let total = sum.get_option().unwrap_or(&0) + value.unwrap_or(0);
        sum.update(total);
        (*key, total)
    };
    consume(&pairs.map_with_state(StateSpec::function(add)));
}

/// As [`touched`], with a timeout that no key reaches.
pub fn touched_with_timeout(pairs: &DStream<(u64, i64)>) {
    let add = |key: &u64, value: Option<i64>, sum: &mut State<i64>| {
        let total = sum.get_option().unwrap_or(&0) + value.unwrap_or(0);
        sum.update(total);
        (*key, total)
    };
    consume(&pairs.map_with_state(StateSpec::function(add).timeout(seconds(1_000))));
}

/// A running sum for every key; gives the sum of every key.
pub fn all(pairs: &DStream<(u64, i64)>) {
    consume(&pairs.update_state_by_key(|values: &[i64], sum| Some(sum.unwrap_or(0) + values.iter().sum::<i64>())));
}

fn milliseconds_of(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}

/// Adds a row for the median batch, which is to take at most `most_times` the time of the loop by hand.
fn row(table: &mut Table, name: &str, (ours, by_hand): (Cost, Cost), most_times: f64) {
    table.row(Row {
        name,
        ours: milliseconds_of(ours.median),
        hand: milliseconds_of(by_hand.median),
        goal: 1.0 / most_times,
        better: Better::Lower,
    });
    let slowest = (milliseconds_of(ours.slowest), milliseconds_of(by_hand.slowest));
    table.note(format_args!("slowest batch {:.2} ms, by hand {:.2} ms", slowest.0, slowest.1));
}

/// Windows of 30 batches, 200,000 records a batch, 100,000 keys.
///
/// # Errors
/// If a context cannot be started or stopped, or a batch fails.
pub fn windows(table: &mut Table) -> Result<()> {
    let batches = batches(125, 200_000, 100_000);
    for workers in [1, 2] {
        forget_peak();
        let inverse = run(
            workers,
            &batches,
            60,
            |pairs| inverse_window(pairs, 30),
            || {
                let mut hand = hand::InverseWindow::new(30);
                move |batch: &[(u64, i64)]| drop(black_box(hand.slide(batch)))
            },
        )?;
        row(table, &format!("window, inverse, {workers} workers, ms"), inverse, 3.0);
        table.note(format_args!(
            "peak {:.1} MB resident, the batches and the other side among it",
            megabytes(peak_kb())
        ));
        let without = run(
            workers,
            &batches,
            60,
            |pairs| window(pairs, 30),
            || {
                let mut hand = hand::NaiveWindow::new(30);
                move |batch: &[(u64, i64)]| drop(black_box(hand.slide(batch)))
            },
        )?;
        table.note(format_args!(
            "without inverse {:.2} ms, by hand {:.2} ms",
            milliseconds_of(without.0.median),
            milliseconds_of(without.1.median)
        ));
        let times = without.0.median.as_secs_f64() / inverse.0.median.as_secs_f64();
        table.most(&format!("window, without : with inverse, {workers} workers"), times, 2.0);
    }
    Ok(())
}

type Loop = Box<dyn FnMut(&[(u64, i64)])>;

/// Makes loops that bring one state up to date.
fn by_hand(update: fn(&mut hand::State, &[(u64, i64)]) -> Batch) -> impl Fn() -> Loop {
    move || {
        let mut state = hand::State::default();
        Box::new(move |batch| drop(black_box(update(&mut state, batch))))
    }
}

/// State by key with 100,000 records a batch, over 100,000 keys and over a million.
///
/// # Errors
/// If a context cannot be started or stopped, or a batch fails.
pub fn states(table: &mut Table) -> Result<()> {
    for workers in [1, 2] {
        let mut medians = Vec::new();
        for keys in [100_000, 1_000_000] {
            let mut batches = vec![every_key(keys)];
            batches.extend(self::batches(30, 100_000, keys));
            let what = format!("{}k keys, {workers} workers, ms", keys / 1_000);
            forget_peak();
            let cost = run(workers, &batches, 25, touched, by_hand(hand::State::touched))?;
            row(table, &format!("map_with_state, {what}"), cost, 5.0);
            table.note(format_args!(
                "peak {:.1} MB resident, the batches and the other side among it",
                megabytes(peak_kb())
            ));
            medians.push(cost.0.median.as_secs_f64());
            let cost = run(workers, &batches, 25, touched_with_timeout, by_hand(hand::State::touched))?;
            table.note(format_args!("with a timeout {:.2} ms", milliseconds_of(cost.0.median)));
            let cost = run(workers, &batches, 25, all, by_hand(hand::State::all))?;
            row(table, &format!("update_state_by_key, {what}"), cost, 5.0);
        }
        table.most(&format!("map_with_state, 1M : 100k keys, {workers} workers"), medians[1] / medians[0], 2.0);
    }
    Ok(())
}
