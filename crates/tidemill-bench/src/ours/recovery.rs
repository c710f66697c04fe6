//! What it costs to be remembered, and how soon a program goes on.

use super::keyed::{Cost, batches, every_key, touched};
use crate::measure::Table;
use std::{
    fs,
    io::Write,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};
use tidemill::{
    BatchCompleted, BatchInfo, Config, Context, DStream, Interrupt, ManualClock, Result, StreamingContext,
    StreamingListener, Time, base::clock::Stopwatch, keys, milliseconds, seconds,
};

const KEYS: u64 = 1_000_000;
const RECORDS: usize = 100_000;

/// Keeps what is told of every batch.
#[derive(Clone, Default)]
struct Batches(Arc<Mutex<Vec<BatchInfo>>>);

impl Batches {
    fn take(&self) -> Vec<BatchInfo> {
        std::mem::take(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl StreamingListener for Batches {
    fn on_batch_completed(&self, event: &BatchCompleted) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(event.batch_info.clone());
    }
}

/// A folder of this run that is removed when it is dropped.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        Self(std::env::temp_dir().join(format!("tidemill-bench-{name}-{}", std::process::id())))
    }

    /// The lengths of all files below it.
    fn bytes(&self) -> u64 {
        fn of(path: &Path) -> u64 {
            let Ok(entries) = fs::read_dir(path) else { return 0 };
            let sizes = entries.filter_map(|entry| {
                let entry = entry.ok()?;
                let metadata = entry.metadata().ok()?;
                Some(if metadata.is_dir() { of(&entry.path()) } else { metadata.len() })
            });
            sizes.sum()
        }
        of(&self.0)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn context(checkpoint: Option<&Path>, clock: &ManualClock, interval: Duration) -> Result<StreamingContext> {
    let config = Config::new()
        .set(keys::MASTER, "local[2]")
        .set(keys::QUEUE_STREAM_ALLOW_CHECKPOINT, true)
        .set(keys::CHECKPOINT_REQUIRED, false)
        .set(keys::MISSED_BATCHES, "skipped")
        .set(keys::SHUTDOWN_SIGNALS, false);
    let ssc = StreamingContext::with_clock(&Context::new(config)?, interval, Arc::new(clock.clone()))?;
    if let Some(folder) = checkpoint {
        ssc.checkpoint(folder)?;
    }
    Ok(ssc)
}

/// Runs a batch of each, at least `pause` apart, and gives what is told of them.
fn run(
    checkpoint: Option<&Path>,
    input: &[Vec<(u64, i64)>],
    pause: Duration,
    operation: impl Fn(&DStream<(u64, i64)>),
) -> Result<Vec<BatchInfo>> {
    let clock = ManualClock::new(Time::from_ms(0));
    let ssc = context(checkpoint, &clock, seconds(1))?;
    let (pairs, queue) = ssc.queue_stream(true);
    let told = Batches::default();
    ssc.add_streaming_listener(told.clone());
    operation(&pairs);
    ssc.start()?;
    for (index, batch) in (1..).zip(input) {
        let watch = Stopwatch::start();
        queue.push(ssc.context().parallelize(batch.clone(), 2));
        clock.advance(seconds(1));
        while ssc.progress().completed_batches < index {
            ssc.await_termination_or_timeout(milliseconds(1))?;
        }
        Interrupt::new().wait_timeout(pause.saturating_sub(watch.elapsed()));
    }
    ssc.stop()?;
    Ok(told.take())
}

fn ms(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e3
}

/// What checkpointing every batch adds to 100,000 records over a million keys, beside the same without a checkpoint.
///
/// # Errors
/// If a context cannot be started or stopped.
pub fn checkpoint(table: &mut Table) -> Result<()> {
    let mut input = vec![every_key(KEYS)];
    input.extend(batches(40, RECORDS, KEYS));
    let pause = milliseconds(400);
    let (mut with, mut without, mut commits) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..3 {
        let folder = Folder::new("checkpoint");
        let told = run(Some(&folder.0), &input, pause, touched)?;
        with.extend(told.iter().skip(1).filter_map(BatchInfo::processing_delay));
        commits.extend(told.iter().skip(1).filter_map(|info| info.commit_delay));
        table.note(format_args!("checkpoint of 1M keys after 41 batches: {} KB", folder.bytes() / 1024));
        let told = run(None, &input, pause, touched)?;
        without.extend(told.iter().skip(1).filter_map(BatchInfo::processing_delay));
    }
    let (with, without, commits) = (Cost::of(with), Cost::of(without), Cost::of(commits));
    table.note(format_args!(
        "batch with / without a checkpoint: {:.2} / {:.2} ms, the slowest {:.2} / {:.2} ms; its commit beside the next \
         batch: {:.2} ms, the slowest {:.2} ms",
        ms(with.median),
        ms(without.median),
        ms(with.slowest),
        ms(without.slowest),
        ms(commits.median),
        ms(commits.slowest)
    ));
    table.most(
        "1M keys, batch with : without checkpoint",
        with.median.as_secs_f64() / without.median.as_secs_f64(),
        1.3,
    );
    table.most("1M keys, longest pause by checkpoints, ms", ms(with.slowest.saturating_sub(without.median)), 50.0);
    Ok(())
}

/// From before the context is made until its first batch is done, over a checkpoint with a million keys.
///
/// # Errors
/// If a context cannot be started or stopped.
pub fn restart(table: &mut Table) -> Result<()> {
    let folder = Folder::new("restart");
    let mut input = vec![every_key(KEYS)];
    input.extend(batches(10, RECORDS, KEYS));
    run(Some(&folder.0), &input, Duration::ZERO, touched)?;
    let mut times = Vec::new();
    for _ in 0..5 {
        let watch = Stopwatch::start();
        let told = run(Some(&folder.0), &batches(1, 1_000, KEYS), Duration::ZERO, touched)?;
        let stopped = watch.elapsed();
        assert_eq!(told.len(), 1, "one batch after the restart");
        times.push(stopped);
    }
    times.sort_unstable();
    table.most("restart to first batch, 1M keys, ms", ms(times[times.len() / 2]), 500.0);
    Ok(())
}

/// The median time to make a small file durable below `folder`.
fn one_fsync(folder: &Path) -> Result<Duration> {
    fs::create_dir_all(folder)?;
    let mut times = Vec::new();
    for number in 0..200 {
        let watch = Stopwatch::start();
        let mut file = fs::File::create_new(folder.join(format!("fsync-{number}")))?;
        file.write_all(&[7; 100])?;
        file.sync_all()?;
        times.push(watch.elapsed());
    }
    times.sort_unstable();
    Ok(times[times.len() / 2])
}

/// The commit of a batch without records, beside one fsync of a small file on the same disk.
///
/// # Errors
/// If a context cannot be started or stopped.
pub fn commit(table: &mut Table) -> Result<()> {
    let (folder, beside) = (Folder::new("commit"), Folder::new("fsync"));
    let before = one_fsync(&beside.0.join("before"))?;
    let told = run(Some(&folder.0), &vec![Vec::new(); 300], Duration::ZERO, |pairs| {
        pairs.foreach_rdd(|rdd, _| rdd.count().map(drop));
    })?;
    let fsync = (before + one_fsync(&beside.0.join("after"))?) / 2;
    let commits = Cost::of(told.iter().filter_map(|info| info.commit_delay).collect());
    table.note(format_args!("commit of an empty batch {:.3} ms, one fsync {:.3} ms", ms(commits.median), ms(fsync)));
    table.most("commit of an empty batch : one fsync", commits.median.as_secs_f64() / fsync.as_secs_f64(), 3.0);
    Ok(())
}

/// How large a checkpoint is at the most under 10,000 batches of a steady load, beside the state that it keeps.
///
/// # Errors
/// If a context cannot be started or stopped.
pub fn bounded(table: &mut Table) -> Result<()> {
    const LIVE_KEYS: u64 = 100_000;
    let folder = Folder::new("bounded");
    let clock = ManualClock::new(Time::from_ms(0));
    let ssc = context(Some(&folder.0), &clock, milliseconds(100))?;
    // Every batch has the next thousand keys; the keys are spread over all numbers, as hashes are.
    let pairs = ssc.generate_stream(10_000, |n| ((n % LIVE_KEYS).wrapping_mul(0x9e37_79b9_7f4a_7c15), n as i64));
    touched(&pairs);
    ssc.start()?;
    let (mut most, mut sizes) = (0, Vec::new());
    for batch in 1..=10_000_u64 {
        clock.advance(milliseconds(100));
        while ssc.progress().completed_batches < batch {
            std::thread::yield_now();
        }
        if batch > 200 && batch % 7 == 0 {
            most = most.max(folder.bytes());
        }
        if batch % 2_000 == 0 {
            sizes.push(format!("{} KB", folder.bytes() / 1024));
        }
    }
    ssc.stop_gracefully()?;
    // An entry of the live state: a key of ten bytes, a sum of three to five, and what tells them apart.
    let live = LIVE_KEYS as f64 * 17.0;
    table.note(format_args!(
        "checkpoint after each 2,000 batches: {}; live state {:.0} KB",
        sizes.join(", "),
        live / 1024.0
    ));
    table.most("10,000 batches, checkpoint : live state", most as f64 / live, 3.0);
    Ok(())
}
