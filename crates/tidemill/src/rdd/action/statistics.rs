//! Actions on numbers: their sum, mean and spread.

use super::{StatCounter, number::Number, on_driver};
use crate::{
    base::{Error, Result},
    rdd::node::{Rdd, Site},
};

impl<T: Number> Rdd<T> {
    /// The sum of the numbers: of integers an `i64` or `u64`, of floats an `f64`; 0 of no numbers.
    ///
    /// # Errors
    /// If the sum is too large for its type; and whatever made a task fail.
    ///
    /// # Examples
    /// ```
    /// let sc = tidemill::Context::local(2);
    /// assert_eq!(sc.range(0, 5, 1, 3).sum()?, 10);
    /// assert_eq!(sc.parallelize(vec![0.5_f32, 1.0], 2).sum()?, 1.5_f64);
    /// # Ok::<(), tidemill::Error>(())
    /// ```
    #[track_caller]
    pub fn sum(&self) -> Result<T::Sum> {
        let site = Site::here("sum");
        let zero = Some(T::Sum::default());
        let parts = self.fold_partitions(site, zero.clone(), |sum: Option<T::Sum>, n| n.add_to(sum?))?;
        on_driver(site, || parts.into_iter().fold(zero, |sum, part| T::add_sums(sum?, part?)))?.ok_or_else(|| {
            let sum = std::any::type_name::<T::Sum>();
            Error::data(format!("\"{site}\" came to more than fits a \"{sum}\"; map the records to f64 or i128 first"))
        })
    }

    /// Count, mean, variance, least and greatest of the numbers, in one pass.
    ///
    /// # Errors
    /// Whatever made a task fail.
    ///
    /// # Examples
    /// ```
    /// let sc = tidemill::Context::local(2);
    /// let stats = sc.parallelize(vec![1, 2, 3, 4], 2).stats()?;
    /// assert_eq!((stats.count(), stats.mean(), stats.variance()), (4, 2.5, 1.25));
    /// # Ok::<(), tidemill::Error>(())
    /// ```
    #[track_caller]
    pub fn stats(&self) -> Result<StatCounter> {
        self.stats_at(Site::here("stats"))
    }

    fn stats_at(&self, site: Site) -> Result<StatCounter> {
        let parts = self.fold_partitions(site, StatCounter::new(), |mut stats, n: T| {
            stats.add(n.to_f64());
            stats
        })?;
        Ok(parts.iter().fold(StatCounter::new(), |mut stats, part| {
            stats.merge(part);
            stats
        }))
    }

    /// The mean of the numbers; 0 of no numbers, as in Spark.
    ///
    /// # Errors
    /// Whatever made a task fail.
    ///
    /// # Examples
    /// ```
    /// let sc = tidemill::Context::local(2);
    /// assert_eq!(sc.parallelize(vec![1, 2, 6], 2).mean()?, 3.0);
    /// # Ok::<(), tidemill::Error>(())
    /// ```
    #[track_caller]
    pub fn mean(&self) -> Result<f64> {
        Ok(self.stats_at(Site::here("mean"))?.mean())
    }

    /// The variance of the numbers as a whole population; NaN of no numbers.
    ///
    /// # Errors
    /// Whatever made a task fail.
    ///
    /// # Examples
    /// ```
    /// let sc = tidemill::Context::local(2);
    /// assert_eq!(sc.parallelize(vec![1, 3], 2).variance()?, 1.0);
    /// # Ok::<(), tidemill::Error>(())
    /// ```
    #[track_caller]
    pub fn variance(&self) -> Result<f64> {
        Ok(self.stats_at(Site::here("variance"))?.variance())
    }

    /// The standard deviation of the numbers as a whole population; NaN of no numbers.
    ///
    /// # Errors
    /// Whatever made a task fail.
    ///
    /// # Examples
    /// ```
    /// let sc = tidemill::Context::local(2);
    /// assert_eq!(sc.parallelize(vec![1, 5], 2).stdev()?, 2.0);
    /// # Ok::<(), tidemill::Error>(())
    /// ```
    #[track_caller]
    pub fn stdev(&self) -> Result<f64> {
        Ok(self.stats_at(Site::here("stdev"))?.stdev())
    }

    /// The variance of the population that the numbers are a sample of; NaN of fewer than two.
    ///
    /// # Errors
    /// Whatever made a task fail.
    ///
    /// # Examples
    /// ```
    /// let sc = tidemill::Context::local(2);
    /// assert_eq!(sc.parallelize(vec![1, 3], 2).sample_variance()?, 2.0);
    /// # Ok::<(), tidemill::Error>(())
    /// ```
    #[track_caller]
    pub fn sample_variance(&self) -> Result<f64> {
        Ok(self.stats_at(Site::here("sample_variance"))?.sample_variance())
    }

    /// The standard deviation of the population that the numbers are a sample of; NaN of fewer than two.
    ///
    /// # Errors
    /// Whatever made a task fail.
    ///
    /// # Examples
    /// ```
    /// let sc = tidemill::Context::local(2);
    /// assert_eq!(sc.parallelize(vec![1, 2, 3], 2).sample_stdev()?, 1.0);
    /// # Ok::<(), tidemill::Error>(())
    /// ```
    #[track_caller]
    pub fn sample_stdev(&self) -> Result<f64> {
        Ok(self.stats_at(Site::here("sample_stdev"))?.sample_stdev())
    }
}
