//! Batch times and intervals, in whole milliseconds as in Spark.

use serde::{Deserialize, Serialize};
use std::{
    fmt,
    ops::{Add, Sub},
    time::Duration,
};

/// A duration of `n` milliseconds, as Spark's `Milliseconds(n)`.
pub const fn milliseconds(n: u64) -> Duration {
    Duration::from_millis(n)
}

/// A duration of `n` seconds, as Spark's `Seconds(n)`.
pub const fn seconds(n: u64) -> Duration {
    Duration::from_secs(n)
}

/// A duration of `n` minutes, as Spark's `Minutes(n)`.
pub const fn minutes(n: u64) -> Duration {
    Duration::from_secs(60 * n)
}

/// Whole milliseconds of a duration; what is below a millisecond is cut off, as Spark does.
pub(crate) fn ms(duration: Duration) -> u64 {
    duration.as_millis().min(u128::from(u64::MAX)) as u64
}

/// An instant in milliseconds since the Unix epoch; the time a batch belongs to.
///
/// # Examples
/// ```
/// use tidemill::{Time, milliseconds};
/// let t = Time::from_ms(1_250);
/// assert_eq!(t.floor(milliseconds(1_000)), Time::from_ms(1_000));
/// assert_eq!(t.to_string(), "1250 ms");
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Time(u64);

impl Time {
    /// The time `ms` milliseconds after the Unix epoch.
    pub const fn from_ms(ms: u64) -> Self {
        Time(ms)
    }

    /// Milliseconds since the Unix epoch.
    pub const fn as_ms(self) -> u64 {
        self.0
    }

    /// The greatest multiple of `step` since the epoch that is not after this time.
    #[must_use]
    pub fn floor(self, step: Duration) -> Time {
        self.floor_from(step, Time(0))
    }

    /// The greatest multiple of `step` since `zero` that is not after this time.
    #[must_use]
    pub fn floor_from(self, step: Duration, zero: Time) -> Time {
        let step_ms = ms(step).max(1);
        Time(self.0.saturating_sub(zero.0) / step_ms * step_ms + zero.0)
    }

    /// Whether this time is a whole number of `step`s after the epoch.
    pub fn is_multiple_of(self, step: Duration) -> bool {
        self.0.is_multiple_of(ms(step).max(1))
    }

    /// How long after `earlier` this time is; zero if it is not after it.
    pub fn since(self, earlier: Time) -> Duration {
        Duration::from_millis(self.0.saturating_sub(earlier.0))
    }

    /// Every `step` from this time until `end`, `end` excluded.
    pub fn until(self, end: Time, step: Duration) -> impl Iterator<Item = Time> {
        (self.0..end.0).step_by(ms(step).max(1) as usize).map(Time)
    }

    /// Every `step` from this time to `end`, `end` included.
    pub fn to(self, end: Time, step: Duration) -> impl Iterator<Item = Time> {
        (self.0..=end.0).step_by(ms(step).max(1) as usize).map(Time)
    }

    /// The time `duration` earlier, or the epoch if that would be before it.
    #[must_use]
    pub fn saturating_sub(self, duration: Duration) -> Time {
        Time(self.0.saturating_sub(ms(duration)))
    }
}

impl Add<Duration> for Time {
    type Output = Time;
    fn add(self, duration: Duration) -> Time {
        Time(self.0 + ms(duration))
    }
}

impl Sub<Duration> for Time {
    type Output = Time;
    fn sub(self, duration: Duration) -> Time {
        Time(self.0 - ms(duration))
    }
}

impl fmt::Display for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ms", self.0)
    }
}

/// A span of time, from its begin to its end.
///
/// # Examples
/// ```
/// use tidemill::{Interval, Time, seconds};
/// let interval = Interval::new(Time::from_ms(1_000), Time::from_ms(4_000));
/// assert_eq!(interval.duration(), seconds(3));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Interval {
    /// First instant.
    pub begin: Time,
    /// Last instant.
    pub end: Time,
}

impl Interval {
    /// The span from `begin` to `end`.
    pub const fn new(begin: Time, end: Time) -> Self {
        Self { begin, end }
    }

    /// How long it is.
    pub fn duration(&self) -> Duration {
        self.end.since(self.begin)
    }

    /// The interval of length `duration` that `now` lies in.
    pub fn current(now: Time, duration: Duration) -> Self {
        let begin = now.floor(duration);
        Self { begin, end: begin + duration }
    }
}

impl Add<Duration> for Interval {
    type Output = Interval;
    fn add(self, duration: Duration) -> Interval {
        Interval::new(self.begin + duration, self.end + duration)
    }
}

impl Sub<Duration> for Interval {
    type Output = Interval;
    fn sub(self, duration: Duration) -> Interval {
        Interval::new(self.begin - duration, self.end - duration)
    }
}

impl fmt::Display for Interval {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "[{}, {}]", self.begin, self.end)
    }
}
