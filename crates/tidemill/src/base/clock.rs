//! The only place that reads the wall clock or sleeps.

#![allow(clippy::disallowed_methods)]

use super::time::Time;
use std::{
    fmt,
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

/// A source of time that threads can wait on.
pub trait Clock: Send + Sync + fmt::Debug {
    /// The present time.
    fn now(&self) -> Time;

    /// Blocks until the clock reaches `time` (true) or `interrupt` is raised (false).
    fn wait_until(&self, time: Time, interrupt: &Interrupt) -> bool;

    /// Blocks for `duration` (true) or until `interrupt` is raised (false).
    fn wait(&self, duration: Duration, interrupt: &Interrupt) -> bool {
        self.wait_until(self.now() + duration, interrupt)
    }
}

/// A flag that ends waits on a [`Clock`] early; once raised it stays raised.
#[derive(Clone, Default)]
pub struct Interrupt(Arc<(Mutex<bool>, Condvar)>);

impl Interrupt {
    /// A flag that is not raised.
    pub fn new() -> Self {
        Self::default()
    }

    /// Raises the flag and wakes whoever waits.
    pub fn raise(&self) {
        *self.flag() = true;
        self.0.1.notify_all();
    }

    /// Whether the flag is raised.
    pub fn is_raised(&self) -> bool {
        *self.flag()
    }

    /// Blocks in real time for at most `duration`; returns whether the flag is raised.
    pub fn wait_timeout(&self, duration: Duration) -> bool {
        let (flag, _) = self
            .0
            .1
            .wait_timeout_while(self.flag(), duration, |raised| !*raised)
            .unwrap_or_else(PoisonError::into_inner);
        *flag
    }

    fn flag(&self) -> MutexGuard<'_, bool> {
        self.0.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Interrupt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Interrupt({})", self.is_raised())
    }
}

/// Real time. It follows the monotonic clock from the wall time at its creation,
/// so a step of the wall clock moves no batch.
#[derive(Clone, Debug)]
pub struct SystemClock {
    wall_at_start: Duration,
    started: Instant,
}

impl SystemClock {
    /// A clock that starts from the present wall time.
    pub fn new() -> Self {
        let wall_at_start = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Self { wall_at_start, started: Instant::now() }
    }

    fn since_epoch(&self) -> Duration {
        self.wall_at_start + self.started.elapsed()
    }
}

impl Default for SystemClock {
    fn default() -> Self {
        Self::new()
    }
}

impl Clock for SystemClock {
    fn now(&self) -> Time {
        Time::from_ms(super::time::ms(self.since_epoch()))
    }

    fn wait_until(&self, time: Time, interrupt: &Interrupt) -> bool {
        let target = Duration::from_millis(time.as_ms());
        loop {
            let now = self.since_epoch();
            if now >= target {
                return !interrupt.is_raised();
            }
            if interrupt.wait_timeout(target - now) {
                return false;
            }
        }
    }
}

/// A clock that stands still until a test moves it.
///
/// # Examples
/// ```
/// use tidemill::{Clock, ManualClock, Time, seconds};
/// let clock = ManualClock::new(Time::from_ms(0));
/// clock.advance(seconds(3));
/// assert_eq!(clock.now(), Time::from_ms(3_000));
/// ```
#[derive(Clone, Debug)]
pub struct ManualClock(Arc<(Mutex<Time>, Condvar)>);

/// How often a wait on a manual clock looks at its interrupt, which has a condition of its own.
const MANUAL_CLOCK_POLL: Duration = Duration::from_millis(5);

impl ManualClock {
    /// A clock that shows `time`.
    pub fn new(time: Time) -> Self {
        Self(Arc::new((Mutex::new(time), Condvar::new())))
    }

    /// Moves the clock forward.
    pub fn advance(&self, duration: Duration) {
        let mut time = self.time();
        *time = *time + duration;
        self.0.1.notify_all();
    }

    /// Sets the clock; to move it backwards is allowed, as real clocks do it.
    pub fn set(&self, time: Time) {
        *self.time() = time;
        self.0.1.notify_all();
    }

    fn time(&self) -> MutexGuard<'_, Time> {
        self.0.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Time {
        *self.time()
    }

    fn wait_until(&self, target: Time, interrupt: &Interrupt) -> bool {
        let mut time = self.time();
        while *time < target {
            if interrupt.is_raised() {
                return false;
            }
            (time, _) = self.0.1.wait_timeout(time, MANUAL_CLOCK_POLL).unwrap_or_else(PoisonError::into_inner);
        }
        !interrupt.is_raised()
    }
}

/// Measures elapsed real time; for durations, never for batch times.
#[derive(Clone, Copy, Debug)]
pub struct Stopwatch(Instant);

impl Stopwatch {
    /// Starts measuring.
    pub fn start() -> Self {
        Self(Instant::now())
    }

    /// Real time since the start.
    pub fn elapsed(&self) -> Duration {
        self.0.elapsed()
    }
}

/// The real time at which a wait is given up.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Deadline {
    watch: Stopwatch,
    limit: Duration,
}

impl Deadline {
    /// A deadline that is over after `limit`.
    pub(crate) fn after(limit: Duration) -> Self {
        Self { watch: Stopwatch::start(), limit }
    }

    /// How long it is until then.
    pub(crate) fn left(&self) -> Duration {
        self.limit.saturating_sub(self.watch.elapsed())
    }

    pub(crate) fn is_over(&self) -> bool {
        self.left().is_zero()
    }
}
