//! Batches of 10 ms: how long a record takes from its sender to the output, through a socket and a shuffle.

use crate::measure::Table;
use std::{
    io::Write,
    net::{Ipv4Addr, TcpListener},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};
use tidemill::{
    BatchCompleted, BatchSubmitted, Interrupt, Result, StreamingContext, StreamingListener, base::clock::Stopwatch,
    milliseconds,
};

const RECORDS_PER_SECOND: u64 = 1_000;
/// How long it runs, unless `BENCH_LONG` is set.
const SECONDS: u64 = 20;
const LONG_SECONDS: u64 = 60;

/// The most batches that were cut but not done.
#[derive(Clone, Default)]
struct Backlog {
    open: Arc<AtomicU64>,
    most: Arc<AtomicU64>,
}

impl StreamingListener for Backlog {
    fn on_batch_submitted(&self, _: &BatchSubmitted) {
        let open = self.open.fetch_add(1, Ordering::Relaxed) + 1;
        self.most.fetch_max(open, Ordering::Relaxed);
    }
    fn on_batch_completed(&self, _: &BatchCompleted) {
        self.open.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Sends a line every millisecond: a number for the key, and the nanosecond of `watch` at which it was sent.
fn send(listener: &TcpListener, watch: Stopwatch, seconds: u64) -> std::io::Result<()> {
    let (mut stream, _) = listener.accept()?;
    stream.set_nodelay(true)?;
    let (started, pause) = (watch.elapsed(), Interrupt::new());
    for number in 0..seconds * RECORDS_PER_SECOND {
        let due = started + Duration::from_secs(1) * number as u32 / RECORDS_PER_SECOND as u32;
        pause.wait_timeout(due.saturating_sub(watch.elapsed()));
        writeln!(stream, "{number} {}", watch.elapsed().as_nanos())?;
    }
    // The connection stays open until the last batch is surely done.
    pause.wait_timeout(Duration::from_millis(500));
    Ok(())
}

/// Latency of records at a steady rate.
///
/// # Errors
/// If the context cannot be started or stopped, or the socket fails.
pub fn latency(table: &mut Table) -> Result<()> {
    let seconds = if std::env::var_os("BENCH_LONG").is_some() { LONG_SECONDS } else { SECONDS };
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    let port = listener.local_addr()?.port();
    let watch = Stopwatch::start();
    let sender = std::thread::Builder::new().name("sender".into()).spawn(move || send(&listener, watch, seconds))?;
    let ssc = StreamingContext::local(2, milliseconds(10))?;
    let backlog = Backlog::default();
    ssc.add_streaming_listener(backlog.clone());
    let seen = Arc::new(Mutex::new(Vec::<u64>::new()));
    let latencies = seen.clone();
    ssc.socket_text_stream("127.0.0.1", port)
        .map(|line| {
            let (number, sent_ns) = line.split_once(' ').unwrap_or(("0", "0"));
            (number.parse::<u64>().unwrap_or(0), sent_ns.parse::<u64>().unwrap_or(0))
        })
        .reduce_by_key(|a, _| a)
        .for_each_batch(move |batch, _| {
            let now_ns = watch.elapsed().as_nanos() as u64;
            let mut seen = latencies.lock().unwrap_or_else(PoisonError::into_inner);
            seen.extend(batch.iter().map(|(_, sent_ns)| now_ns - sent_ns));
            Result::<()>::Ok(())
        });
    ssc.start()?;
    sender.join().map_err(|_| tidemill::Error::internal("the sender panicked"))??;
    ssc.stop()?;
    let mut seen = std::mem::take(&mut *seen.lock().unwrap_or_else(PoisonError::into_inner));
    seen.sort_unstable();
    let expected = seconds * RECORDS_PER_SECOND;
    let at = |share: f64| seen[((seen.len() - 1) as f64 * share) as usize] as f64 / 1e6;
    let (open, most_open) = (backlog.open.load(Ordering::Relaxed), backlog.most.load(Ordering::Relaxed));
    table.note(format_args!(
        "{} of {expected} records in {} batches of 10 ms, least {:.2}, largest {:.2} ms, at most {most_open} batches open",
        seen.len(),
        ssc.progress().completed_batches,
        at(0.0),
        at(1.0)
    ));
    table.most("10 ms batches, 1,000 records/s, p50, ms", at(0.5), 8.0);
    table.most("10 ms batches, 1,000 records/s, p99, ms", at(0.99), 20.0);
    table.most("10 ms batches, open at the end", open as f64, 1.0);
    table.most("10 ms batches, records lost", expected.saturating_sub(seen.len() as u64) as f64, 0.0);
    Ok(())
}
