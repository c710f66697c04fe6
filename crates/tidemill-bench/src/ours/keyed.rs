//! Windows and state by key, batch after batch, as a user would write them.

use crate::hand;
use rand::{RngExt, SeedableRng, rngs::StdRng};
use std::{hint::black_box, sync::Arc, time::Duration};
use tidemill::{
    Config, Context, DStream, ManualClock, Result, State, StateSpec, StreamingContext, Time, base::clock::Stopwatch,
    keys, milliseconds, seconds,
};

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
    fn of(mut times: Vec<Duration>) -> Self {
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

/// What each of the `measured` last batches costs on `workers` workers; `operation` declares the outputs.
///
/// # Errors
/// If the context cannot be started or stopped, or a batch fails.
pub fn run(
    workers: usize,
    batches: &[Batch],
    measured: usize,
    operation: impl FnOnce(&DStream<(u64, i64)>),
) -> Result<Cost> {
    let config = Config::new()
        .set(keys::MASTER, format!("local[{workers}]"))
        .set(keys::QUEUE_STREAM_ALLOW_CHECKPOINT, true)
        .set(keys::SHUTDOWN_SIGNALS, false);
    let clock = ManualClock::new(Time::from_ms(0));
    let ssc = StreamingContext::with_clock(&Context::new(config)?, seconds(1), Arc::new(clock.clone()))?;
    let directory = std::env::temp_dir().join(format!("tidemill-bench-{}", std::process::id()));
    ssc.checkpoint(&directory)?;
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
    std::fs::remove_dir_all(&directory)?;
    Ok(Cost::of(times.split_off(times.len() - measured)))
}

/// What each of the `measured` last batches costs a loop by hand.
pub fn by_hand<R>(batches: &[Batch], measured: usize, mut slide: impl FnMut(&[(u64, i64)]) -> R) -> Cost {
    let mut times = Vec::new();
    for batch in batches {
        let watch = Stopwatch::start();
        black_box(slide(batch));
        times.push(watch.elapsed());
    }
    Cost::of(times.split_off(times.len() - measured))
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

/// The windows by hand, to compare with.
pub fn hand_inverse_window(window: usize) -> impl FnMut(&[(u64, i64)]) -> Batch {
    let mut hand = hand::InverseWindow::new(window);
    move |batch| hand.slide(batch)
}
