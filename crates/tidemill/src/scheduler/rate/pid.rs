//! The one estimator that Spark has: a controller with a proportional, an integral and a derived part.

use super::{RateEstimator, RateSample};
use crate::base::{Config, Error, Result, Time, keys};
use std::time::Duration;

/// The weights of a [`PidRateEstimator`].
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PidGains {
    /// Weight of the present error: the last rate less the rate of processing.
    pub proportional: f64,
    /// Weight of the accumulated error: the records that wait, spread over a batch.
    pub integral: f64,
    /// Weight of the change of the error.
    pub derived: f64,
    /// The lowest rate that is ever asked for, in records per second.
    pub min_rate: f64,
}

impl Default for PidGains {
    /// Spark's defaults.
    fn default() -> Self {
        Self { proportional: 1.0, integral: 0.2, derived: 0.0, min_rate: 100.0 }
    }
}

/// Spark's PID estimator, step by step the same.
///
/// A sample counts if it is later than the last that counted, has records, and took time. The first that counts only
/// says how fast processing is; every later one gives a rate.
///
/// # Examples
/// ```
/// use tidemill::{PidRateEstimator, RateEstimator, Time, seconds, milliseconds};
/// use tidemill::scheduler::{PidGains, RateSample};
///
/// let mut pid = PidRateEstimator::new(seconds(1), PidGains::default())?;
/// let mut sample = RateSample {
///     time: Time::from_ms(1_000), num_records: 1_000,
///     processing_delay: milliseconds(500), scheduling_delay: milliseconds(0),
/// };
/// assert_eq!(pid.compute(sample), None); // 2000 records/s
/// sample.time = Time::from_ms(2_000);
/// sample.processing_delay = milliseconds(1_000);
/// assert_eq!(pid.compute(sample), Some(1_000.0)); // slowed down to what it can do
/// # Ok::<(), tidemill::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct PidRateEstimator {
    batch: Duration,
    gains: PidGains,
    last: Option<Last>,
}

/// The last sample that counted.
#[derive(Clone, Copy, Debug)]
struct Last {
    time: Time,
    rate: f64,
    error: f64,
}

impl PidRateEstimator {
    /// An estimator for batches of this duration.
    ///
    /// # Errors
    /// Invalid, if the batch duration or the lowest rate is zero, or a weight is negative or not a number.
    pub fn new(batch: Duration, gains: PidGains) -> Result<Self> {
        let PidGains { proportional, integral, derived, min_rate } = gains;
        for (name, gain) in [("proportional", proportional), ("integral", integral), ("derived", derived)] {
            if !(gain.is_finite() && gain >= 0.0) {
                return Err(Error::invalid(format!(
                    "the {name} weight \"{gain}\" must be a number that is not negative"
                )));
            }
        }
        if !(min_rate.is_finite() && min_rate > 0.0) {
            return Err(Error::invalid(format!("the lowest rate \"{min_rate}\" must be a number that is more than 0")));
        }
        if batch.is_zero() {
            return Err(Error::invalid("the batch duration \"0 ms\" must be longer than 0"));
        }
        Ok(Self { batch, gains, last: None })
    }

    /// An estimator with the weights under `spark.streaming.backpressure.pid`.
    ///
    /// # Errors
    /// Invalid, if one of them, or the batch duration, cannot be used.
    ///
    /// # Examples
    /// ```
    /// use tidemill::{Config, PidRateEstimator, keys, seconds};
    /// assert!(PidRateEstimator::from_config(&Config::new(), seconds(1)).is_ok());
    /// let config = Config::new().set(keys::PID_MIN_RATE, 0);
    /// assert!(PidRateEstimator::from_config(&config, seconds(1)).is_err());
    /// ```
    pub fn from_config(config: &Config, batch: Duration) -> Result<Self> {
        config.get(&keys::BACKPRESSURE_ESTIMATOR)?;
        let gains = PidGains {
            proportional: config.get(&keys::PID_PROPORTIONAL)?,
            integral: config.get(&keys::PID_INTEGRAL)?,
            derived: config.get(&keys::PID_DERIVED)?,
            min_rate: config.get(&keys::PID_MIN_RATE)?,
        };
        Self::new(batch, gains)
    }

    fn next(&self, last: Last, sample: RateSample, processing_rate: f64) -> Last {
        let error = last.rate - processing_rate;
        // The records that came in while the batch waited, as a rate over one batch.
        let backlog = sample.scheduling_delay.as_secs_f64() * processing_rate / self.batch.as_secs_f64();
        let change = (error - last.error) / sample.time.since(last.time).as_secs_f64();
        let PidGains { proportional, integral, derived, min_rate } = self.gains;
        let rate = last.rate - proportional * error - integral * backlog - derived * change;
        Last { time: sample.time, rate: rate.max(min_rate), error }
    }
}

impl RateEstimator for PidRateEstimator {
    fn compute(&mut self, sample: RateSample) -> Option<f64> {
        let is_later = self.last.is_none_or(|last| sample.time > last.time);
        if !is_later || sample.num_records == 0 || sample.processing_delay.is_zero() {
            return None;
        }
        let processing_rate = sample.num_records as f64 / sample.processing_delay.as_secs_f64();
        let Some(last) = self.last else {
            self.last = Some(Last { time: sample.time, rate: processing_rate, error: 0.0 });
            return None;
        };
        let next = self.next(last, sample, processing_rate);
        self.last = Some(next);
        Some(next.rate)
    }
}
