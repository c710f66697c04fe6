//! The rate that is allowed at this moment, and the bucket that makes a receiver keep to it.

use crate::base::{Clock, Config, Interrupt, Result, Time, keys};
use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

/// Stands for "no limit" in the atomic.
const UNLIMITED: u64 = u64::MAX;

/// The rate at which one input stream may take in records; every clone shows the same rate.
///
/// # Examples
/// ```
/// use tidemill::io::RateLimit;
/// let limit = RateLimit::new(Some(500), Some(2_000));
/// assert_eq!(limit.get(), Some(500));
/// limit.publish(9_000);
/// assert_eq!(limit.get(), Some(2_000));
/// limit.publish(0); // no rate at all is never meant
/// assert_eq!(limit.get(), Some(2_000));
/// ```
#[derive(Clone)]
pub struct RateLimit(Arc<Shared>);

struct Shared {
    records_per_second: AtomicU64,
    max: u64,
}

impl RateLimit {
    /// A rate that begins at `initial`, or else at `max`, and never goes above `max`. Zero counts as no limit.
    pub fn new(initial: Option<u64>, max: Option<u64>) -> Self {
        let max = max.filter(|max| *max > 0).unwrap_or(UNLIMITED);
        let initial = initial.filter(|initial| *initial > 0).unwrap_or(max).min(max);
        Self(Arc::new(Shared { records_per_second: AtomicU64::new(initial), max }))
    }

    /// No limit until one is published.
    pub fn unlimited() -> Self {
        Self::new(None, None)
    }

    /// The limit of a receiver that the configuration asks for.
    ///
    /// The initial rate counts only where backpressure is enabled; nothing would ever raise it otherwise.
    ///
    /// # Errors
    /// Invalid, if one of the rates cannot be used.
    ///
    /// # Examples
    /// ```
    /// use tidemill::{Config, keys, io::RateLimit};
    /// let config = Config::new().set(keys::RECEIVER_MAX_RATE, 1_000);
    /// assert_eq!(RateLimit::from_config(&config)?.get(), Some(1_000));
    /// assert_eq!(RateLimit::from_config(&Config::new())?.get(), None);
    /// # Ok::<(), tidemill::Error>(())
    /// ```
    pub fn from_config(config: &Config) -> Result<Self> {
        let (initial, max) = (config.get(&keys::BACKPRESSURE_INITIAL_RATE)?, config.get(&keys::RECEIVER_MAX_RATE)?);
        Ok(Self::new(initial.filter(|_| matches!(config.get(&keys::BACKPRESSURE_ENABLED), Ok(true))), max))
    }

    /// Makes `rate` the rate, or the highest allowed one if it is above that. Zero is ignored.
    pub fn publish(&self, rate: u64) {
        if rate > 0 {
            self.0.records_per_second.store(rate.min(self.0.max), Ordering::Relaxed);
        }
    }

    /// The rate at this moment in records per second; none if there is no limit.
    pub fn get(&self) -> Option<u64> {
        let rate = self.0.records_per_second.load(Ordering::Relaxed);
        (rate != UNLIMITED).then_some(rate)
    }
}

impl fmt::Debug for RateLimit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.get() {
            Some(rate) => write!(f, "RateLimit({rate} records/s)"),
            None => f.write_str("RateLimit(none)"),
        }
    }
}

/// How much of an idle time may be made up for later, in seconds.
const BURST_SECONDS: f64 = 0.1;

/// For how long to wait before the rate is looked at again, since it may have changed.
const LONGEST_WAIT: Duration = Duration::from_millis(100);

/// Makes the thread of one receiver keep to a [`RateLimit`].
///
/// It is a bucket that fills with one token for each record that is allowed, and that may go below zero: what is asked
/// for is granted as soon as the bucket is not overdrawn, however much it is, and the next caller waits for it. So a
/// whole block can be asked for at once, and over time the rate is kept. Idle time is made up for by 0.1 s at most.
///
/// # Examples
/// ```
/// use std::sync::Arc;
/// use tidemill::{Interrupt, ManualClock, Time, io::{RateLimit, RateLimiter}};
/// let clock = Arc::new(ManualClock::new(Time::from_ms(0)));
/// let mut limiter = RateLimiter::new(RateLimit::unlimited(), clock);
/// assert!(limiter.acquire(1_000_000, &Interrupt::new())); // no limit, no wait
/// ```
#[derive(Debug)]
pub struct RateLimiter {
    limit: RateLimit,
    clock: Arc<dyn Clock>,
    /// None until there was a limit for the first time.
    bucket: Option<Bucket>,
}

#[derive(Clone, Copy, Debug)]
struct Bucket {
    tokens: f64,
    filled_at: Time,
}

impl RateLimiter {
    /// A limiter that follows `limit`; its bucket is empty.
    pub fn new(limit: RateLimit, clock: Arc<dyn Clock>) -> Self {
        Self { limit, clock, bucket: None }
    }

    /// Waits until `records` more may be taken in (true), or until `interrupt` is raised (false).
    pub fn acquire(&mut self, records: u64, interrupt: &Interrupt) -> bool {
        // While there is no limit this load is all that is done.
        while let Some(rate) = self.limit.get() {
            let rate = rate as f64;
            let mut bucket = self.filled(rate);
            if bucket.tokens >= 0.0 {
                bucket.tokens -= records as f64;
                self.bucket = Some(bucket);
                return true;
            }
            self.bucket = Some(bucket);
            let missing = Duration::from_millis((-bucket.tokens / rate * 1_000.0).ceil() as u64);
            if !self.clock.wait(missing.clamp(Duration::from_millis(1), LONGEST_WAIT), interrupt) {
                return false;
            }
        }
        true
    }

    /// The bucket with what flowed in since it was filled last.
    fn filled(&self, rate: f64) -> Bucket {
        let now = self.clock.now();
        let Some(Bucket { tokens, filled_at }) = self.bucket else { return Bucket { tokens: 0.0, filled_at: now } };
        let inflow = now.since(filled_at).as_secs_f64() * rate;
        Bucket { tokens: (tokens + inflow).min(rate * BURST_SECONDS), filled_at: now }
    }
}
