//! How fast inputs may go: an estimator that learns from finished batches, the limit it sets, the bucket that keeps it.
//!
//! The way of a rate: [`RateController`] hears of a finished batch, asks its [`RateEstimator`] and publishes to a
//! [`RateLimit`](crate::io::RateLimit); the thread of a receiver keeps to it with a [`RateLimiter`](crate::io::RateLimiter); a direct stream reads it when it
//! picks its next input slice.

mod pid;
#[cfg(test)]
mod tests;

pub use pid::{PidGains, PidRateEstimator};

use super::listener::{BatchCompleted, StreamingListener};
use crate::base::{Config, Result, Time};
use std::{
    fmt,
    sync::{Mutex, PoisonError},
    time::Duration,
};

/// What is known about one input stream's part in a finished batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RateSample {
    /// When the processing of the batch ended.
    pub time: Time,
    /// How many records the stream put in.
    pub num_records: u64,
    /// How long the batch was processed.
    pub processing_delay: Duration,
    /// How long the batch waited before.
    pub scheduling_delay: Duration,
}

/// Estimates at which rate an input stream should take in records.
///
/// # Examples
/// ```
/// use tidemill::{RateEstimator, scheduler::RateSample};
///
/// /// As many as were processed in a second.
/// struct Naive;
/// impl RateEstimator for Naive {
///     fn compute(&mut self, sample: RateSample) -> Option<f64> {
///         let seconds = sample.processing_delay.as_secs_f64();
///         (seconds > 0.0).then(|| sample.num_records as f64 / seconds)
///     }
/// }
/// ```
pub trait RateEstimator: Send {
    /// The new rate in records per second; none if this sample gives no reason for one.
    fn compute(&mut self, sample: RateSample) -> Option<f64>;
}

/// Feeds the estimator of one input stream with every finished batch and publishes what it says.
///
/// Streams that report no records, such as file streams, never get a rate.
pub struct RateController {
    stream_id: usize,
    estimator: Mutex<Box<dyn RateEstimator>>,
    publish: Box<dyn Fn(u64) + Send + Sync>,
}

impl RateController {
    /// A controller for the input stream with this id, which hands whole rates to `publish`.
    pub fn new(
        stream_id: usize,
        estimator: impl RateEstimator + 'static,
        publish: impl Fn(u64) + Send + Sync + 'static,
    ) -> Self {
        Self { stream_id, estimator: Mutex::new(Box::new(estimator)), publish: Box::new(publish) }
    }

    /// The controller that the configuration asks for; none unless `spark.streaming.backpressure.enabled`.
    ///
    /// # Errors
    /// Invalid, if a value under `spark.streaming.backpressure` or the batch duration cannot be used.
    ///
    /// # Examples
    /// ```
    /// use tidemill::{Config, keys, seconds, io::RateLimit, scheduler::RateController};
    /// let config = Config::new().set(keys::BACKPRESSURE_ENABLED, true);
    /// let limit = RateLimit::from_config(&config)?;
    /// assert!(RateController::from_config(0, &config, seconds(1), move |rate| limit.publish(rate))?.is_some());
    /// # Ok::<(), tidemill::Error>(())
    /// ```
    pub fn from_config(
        stream_id: usize,
        config: &Config,
        batch: Duration,
        publish: impl Fn(u64) + Send + Sync + 'static,
    ) -> Result<Option<Self>> {
        if !config.get(&crate::base::keys::BACKPRESSURE_ENABLED)? {
            return Ok(None);
        }
        Ok(Some(Self::new(stream_id, PidRateEstimator::from_config(config, batch)?, publish)))
    }

    fn sample_of(&self, event: &BatchCompleted) -> Option<RateSample> {
        let batch = &event.batch_info;
        Some(RateSample {
            time: batch.processing_end_time?,
            num_records: batch.stream_id_to_input_info.get(&self.stream_id)?.num_records,
            processing_delay: batch.processing_delay()?,
            scheduling_delay: batch.scheduling_delay()?,
        })
    }
}

impl StreamingListener for RateController {
    fn on_batch_completed(&self, event: &BatchCompleted) {
        let Some(sample) = self.sample_of(event) else { return };
        // Only the thread of the listeners comes here, so the lock is never waited for.
        let rate = self.estimator.lock().unwrap_or_else(PoisonError::into_inner).compute(sample);
        if let Some(rate) = rate {
            // The cast cuts off the fraction, as Spark does, and turns what is no rate into 0, which is not applied.
            (self.publish)(rate as u64);
            tracing::debug!(stream = self.stream_id, rate, "a new rate was published");
        }
    }
}

impl fmt::Debug for RateController {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RateController").field("stream_id", &self.stream_id).finish_non_exhaustive()
    }
}
