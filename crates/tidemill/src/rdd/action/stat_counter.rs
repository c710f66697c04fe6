//! Count, mean, variance, least and greatest of numbers, in one pass and mergeable.

use serde::{Deserialize, Serialize};

/// Count, mean, variance, least and greatest of the numbers that were put in.
///
/// The running mean and the sum of squared distances from it are kept (Welford's method; two counters are merged by
/// Chan's formula), so that large numbers do not drown small differences.
///
/// # Examples
/// ```
/// use tidemill::StatCounter;
/// let mut stats: StatCounter = [1.0, 2.0].into_iter().collect();
/// stats.merge(&[6.0].into_iter().collect());
/// assert_eq!((stats.count(), stats.mean(), stats.max()), (3, 3.0, 6.0));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct StatCounter {
    count: u64,
    mean: f64,
    /// Sum of the squared distances from the mean.
    squares: f64,
    min: f64,
    max: f64,
}

impl Default for StatCounter {
    fn default() -> Self {
        Self { count: 0, mean: 0.0, squares: 0.0, min: f64::INFINITY, max: f64::NEG_INFINITY }
    }
}

impl StatCounter {
    /// A counter of nothing.
    pub fn new() -> Self {
        Self::default()
    }

    /// Puts in one number.
    #[inline]
    pub fn add(&mut self, value: f64) {
        let delta = value - self.mean;
        self.count += 1;
        self.mean += delta / self.count as f64;
        self.squares += delta * (value - self.mean);
        self.min = self.min.min(value);
        self.max = self.max.max(value);
    }

    /// Puts in all that `other` counted.
    pub fn merge(&mut self, other: &StatCounter) {
        if self.count == 0 {
            *self = *other;
        } else if other.count > 0 {
            let (left, right) = (self.count as f64, other.count as f64);
            let delta = other.mean - self.mean;
            let total = left + right;
            self.mean = if left > 10.0 * right {
                self.mean + delta * right / total
            } else if right > 10.0 * left {
                other.mean - delta * left / total
            } else {
                (self.mean * left + other.mean * right) / total
            };
            self.squares += other.squares + delta * delta * left * right / total;
            self.count += other.count;
            self.min = self.min.min(other.min);
            self.max = self.max.max(other.max);
        }
    }

    /// How many numbers were put in.
    pub fn count(&self) -> u64 {
        self.count
    }

    /// Their mean; 0 of no numbers, as in Spark.
    pub fn mean(&self) -> f64 {
        self.mean
    }

    /// Their sum.
    pub fn sum(&self) -> f64 {
        self.mean * self.count as f64
    }

    /// The least; infinity of no numbers.
    pub fn min(&self) -> f64 {
        self.min
    }

    /// The greatest; negative infinity of no numbers.
    pub fn max(&self) -> f64 {
        self.max
    }

    /// Variance of the numbers as a whole population; NaN of no numbers.
    pub fn variance(&self) -> f64 {
        if self.count == 0 { f64::NAN } else { self.squares / self.count as f64 }
    }

    /// Variance of the population that the numbers are a sample of; NaN of fewer than two.
    pub fn sample_variance(&self) -> f64 {
        if self.count < 2 { f64::NAN } else { self.squares / (self.count - 1) as f64 }
    }

    /// Standard deviation of the numbers as a whole population; NaN of no numbers.
    pub fn stdev(&self) -> f64 {
        self.variance().sqrt()
    }

    /// Standard deviation of the population that the numbers are a sample of; NaN of fewer than two.
    pub fn sample_stdev(&self) -> f64 {
        self.sample_variance().sqrt()
    }
}

impl FromIterator<f64> for StatCounter {
    fn from_iter<I: IntoIterator<Item = f64>>(values: I) -> Self {
        let mut stats = Self::new();
        values.into_iter().for_each(|value| stats.add(value));
        stats
    }
}

impl std::fmt::Display for StatCounter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { count, mean, max, min, .. } = self;
        write!(f, "(count: {count}, mean: {mean}, stdev: {}, max: {max}, min: {min})", self.stdev())
    }
}
