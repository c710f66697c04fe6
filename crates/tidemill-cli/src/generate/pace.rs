//! How many records are due.

use tidemill::base::clock::Stopwatch;

/// Counts what is made against the clock.
pub(super) struct Pace {
    rate: u64,
    since: Stopwatch,
    made: u64,
}

impl Pace {
    /// So many records per second; as many as are asked for if that is 0.
    pub(super) fn new(rate: u64) -> Self {
        Self { rate, since: Stopwatch::start(), made: 0 }
    }

    /// How many records are late by now, `most` at the most.
    pub(super) fn due(&self, most: u64) -> u64 {
        if self.rate == 0 {
            return most;
        }
        let by_now = self.since.elapsed().as_micros() * u128::from(self.rate) / 1_000_000;
        u64::try_from(by_now).unwrap_or(u64::MAX).saturating_sub(self.made).min(most)
    }

    pub(super) fn made(&mut self, records: u64) {
        self.made += records;
    }

    /// Nobody wanted what is due: it is not made up for.
    pub(super) fn skip(&mut self) {
        (self.since, self.made) = (Stopwatch::start(), 0);
    }
}
