//! What a batch costs when there is nothing in it, and how soon the first one is done.

use super::process::{Held, forget_peak, megabytes, peak_kb};
use crate::measure::Table;
use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
        mpsc,
    },
    time::Duration,
};
use tidemill::{
    BatchCompleted, Context, ManualClock, Result, StreamingContext, StreamingListener, Time, base::clock::Stopwatch,
    milliseconds, seconds, testing::TextServer,
};

const BATCHES: u64 = 1_000_000;

/// Counts the batches that are done.
struct Done(Arc<AtomicU64>);

impl StreamingListener for Done {
    fn on_batch_completed(&self, _: &BatchCompleted) {
        self.0.fetch_add(1, Ordering::Release);
    }
}

/// A million batches without records, as fast as a manual clock lets them: nothing may grow.
///
/// # Errors
/// If the context cannot be started or stopped.
pub fn empty(table: &mut Table) -> Result<()> {
    let clock = ManualClock::new(Time::from_ms(0));
    let ssc = StreamingContext::with_clock(&Context::local(1), milliseconds(1), Arc::new(clock.clone()))?;
    let (numbers, _queue) = ssc.queue_stream::<u64>(true);
    numbers.map(|n| (n % 10, n)).reduce_by_key(|a, b| a + b).for_each_batch(|_, _| Result::<()>::Ok(()));
    ssc.start()?;
    let watch = Stopwatch::start();
    let mut looks = Vec::new();
    let mut advanced = 0;
    for share in [BATCHES / 100, BATCHES / 10, BATCHES] {
        while advanced < share {
            // So that the clock never runs far ahead of the batches.
            advanced += 100;
            clock.advance(milliseconds(100));
            while ssc.progress().completed_batches + 200 < advanced {
                std::thread::yield_now();
            }
        }
        looks.push((share, Held::now()));
    }
    while ssc.progress().completed_batches < BATCHES {
        std::thread::yield_now();
    }
    let elapsed = watch.elapsed();
    ssc.stop()?;
    for (batches, held) in &looks {
        table.note(format_args!("after {batches} empty batches: {held}"));
    }
    let (first, last) = (looks[0].1, looks[looks.len() - 1].1);
    table.most("empty batch with a shuffle, us", elapsed.as_secs_f64() * 1e6 / BATCHES as f64, 1_000.0);
    table.most("1M empty batches, MB grown", megabytes(last.resident_kb.saturating_sub(first.resident_kb)), 8.0);
    table.most("1M empty batches, threads grown", last.threads.saturating_sub(first.threads) as f64, 0.0);
    table.most("1M empty batches, descriptors grown", last.descriptors.saturating_sub(first.descriptors) as f64, 0.0);
    Ok(())
}

/// From before the context is made until the first batch is done.
fn first_batch(interval: Duration, generated: bool) -> Result<Duration> {
    let (done, first) = mpsc::channel();
    let watch = Stopwatch::start();
    let ssc = StreamingContext::local(2, interval)?;
    let numbers = if generated {
        ssc.generate_stream(10_000, |n| n)
    } else {
        let (numbers, queue) = ssc.queue_stream(true);
        queue.push(ssc.context().parallelize((0..100).collect(), 2));
        numbers
    };
    numbers.map(|n| (n % 10, n)).reduce_by_key(|a, b| a + b).for_each_batch(move |_, _| {
        let _ = done.send(watch.elapsed());
        Result::<()>::Ok(())
    });
    ssc.start()?;
    let elapsed =
        first.recv_timeout(Duration::from_secs(10)).map_err(|_| tidemill::Error::internal("no batch ended in 10 s"))?;
    ssc.stop()?;
    Ok(elapsed)
}

/// How soon the first batch is done, and what the word count holds under load.
///
/// # Errors
/// If a context cannot be started or stopped.
pub fn start(table: &mut Table) -> Result<()> {
    for (name, interval_ms, generated) in [
        ("start to first batch, queue, 1 ms, ms", 1, false),
        ("start to first batch, queue, 10 ms, ms", 10, false),
        ("start to first batch, generator, 10 ms, ms", 10, true),
    ] {
        let mut times =
            (0..11).map(|_| first_batch(milliseconds(interval_ms), generated)).collect::<Result<Vec<_>>>()?;
        times.sort_unstable();
        table.most(name, times[times.len() / 2].as_secs_f64() * 1e3, 50.0);
    }
    Ok(())
}

/// The word count of the examples, fed with 200,000 lines a second for five seconds.
///
/// # Errors
/// If the context cannot be started or stopped.
pub fn memory(table: &mut Table) -> Result<()> {
    let server = TextServer::start(200_000)?;
    let before = Held::now();
    forget_peak();
    let ssc = StreamingContext::local(2, seconds(1))?;
    let lines = ssc.socket_text_stream(server.address().ip().to_string(), server.address().port());
    let done = Arc::new(AtomicU64::new(0));
    ssc.add_streaming_listener(Done(done.clone()));
    lines
        .flat_map(|line| line.split(' '))
        .map(|word| (word, 1))
        .reduce_by_key(|a, b| a + b)
        .for_each_batch(|_, _| Result::<()>::Ok(()));
    ssc.start()?;
    ssc.await_termination_or_timeout(Duration::from_millis(5_500))?;
    let records = ssc.progress().records;
    ssc.stop()?;
    table.note(format_args!("{records} lines in {} batches of 1 s", done.load(Ordering::Acquire)));
    table.most("word count example under load, MB", megabytes(peak_kb().saturating_sub(before.resident_kb)), 100.0);
    Ok(())
}
