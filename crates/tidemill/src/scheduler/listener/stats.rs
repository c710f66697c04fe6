//! A listener that logs how the delays of the last batches are distributed.

use super::{BatchCompleted, BatchInfo, StreamingListener};
use std::{
    collections::VecDeque,
    fmt,
    sync::{Mutex, PoisonError},
    time::Duration,
};

/// Logs after every batch, at level `info`, the distributions of total and processing delay over the last `n` batches.
///
/// # Examples
/// ```
/// use tidemill::{StatsReportListener, scheduler::ListenerBus};
/// let bus = ListenerBus::new(100)?;
/// bus.add(StatsReportListener::new(20));
/// # Ok::<(), tidemill::Error>(())
/// ```
#[derive(Debug)]
pub struct StatsReportListener {
    batches: usize,
    delays: Mutex<VecDeque<Delays>>,
}

#[derive(Clone, Copy, Debug)]
struct Delays {
    total: Duration,
    processing: Duration,
}

impl StatsReportListener {
    /// A listener that looks back over `batches` batches; Spark's default is 10.
    pub fn new(batches: usize) -> Self {
        Self { batches: batches.max(1), delays: Mutex::default() }
    }

    /// Takes in one batch and returns what there is to say: total delay, processing delay.
    pub(super) fn note(&self, batch: &BatchInfo) -> Option<(Distribution, Distribution)> {
        let delays = Delays { total: batch.total_delay()?, processing: batch.processing_delay()? };
        let mut last = self.delays.lock().unwrap_or_else(PoisonError::into_inner);
        last.push_back(delays);
        if last.len() > self.batches {
            last.pop_front();
        }
        let total = Distribution::of(last.iter().map(|delays| delays.total))?;
        Some((total, Distribution::of(last.iter().map(|delays| delays.processing))?))
    }
}

impl Default for StatsReportListener {
    fn default() -> Self {
        Self::new(10)
    }
}

impl StreamingListener for StatsReportListener {
    fn on_batch_completed(&self, event: &BatchCompleted) {
        if let Some((total, processing)) = self.note(&event.batch_info) {
            tracing::info!(batch_time = event.batch_info.batch_time.as_ms(), "total delay: {total}");
            tracing::info!(batch_time = event.batch_info.batch_time.as_ms(), "processing delay: {processing}");
        }
    }
}

/// Durations in ascending order; never empty.
#[derive(Debug)]
pub(super) struct Distribution(Vec<Duration>);

/// The percentiles that are shown; those of Spark.
const PERCENTILES: [usize; 9] = [0, 5, 10, 25, 50, 75, 90, 95, 100];

impl Distribution {
    fn of(durations: impl Iterator<Item = Duration>) -> Option<Self> {
        let mut sorted: Vec<_> = durations.collect();
        sorted.sort_unstable();
        (!sorted.is_empty()).then_some(Self(sorted))
    }

    /// The value that lies so many percent of the way from the smallest to the largest, by rank.
    pub(super) fn percentile(&self, percent: usize) -> Duration {
        let last = self.0.len() - 1;
        self.0[(last * percent + 50) / 100]
    }

    pub(super) fn mean(&self) -> Duration {
        self.0.iter().sum::<Duration>() / u32::try_from(self.0.len()).unwrap_or(u32::MAX)
    }

    /// The standard deviation of exactly these values.
    fn deviation(&self) -> Duration {
        let mean = self.mean().as_secs_f64();
        let squares: f64 = self.0.iter().map(|value| (value.as_secs_f64() - mean).powi(2)).sum();
        Duration::from_secs_f64((squares / self.0.len() as f64).sqrt())
    }
}

impl fmt::Display for Distribution {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} batches, mean {:.3?}, deviation {:.3?}", self.0.len(), self.mean(), self.deviation())?;
        for percent in PERCENTILES {
            write!(f, ", {percent}% {:.3?}", self.percentile(percent))?;
        }
        Ok(())
    }
}
