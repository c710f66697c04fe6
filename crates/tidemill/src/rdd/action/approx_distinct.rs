//! An estimate of how many different records there are.

use super::{fold_records, on_driver};
use crate::{
    base::{Error, Key, Result},
    rdd::{
        hyper_log_log::HyperLogLog,
        node::{Rdd, Site},
        partitioner::stable_hash,
    },
};

impl<T: Key> Rdd<T> {
    /// About how many different records there are. `relative_sd` is the standard deviation of the estimate, relative to
    /// the truth: two of three estimates are closer. A task keeps about `(1.054 / relative_sd)^2` bytes at most, 445 for
    /// 0.05.
    ///
    /// The same dataset gives the same estimate, however it is partitioned and on whichever process.
    ///
    /// # Errors
    /// If `relative_sd` is not between 0.00026 and 1; and whatever made a task fail.
    ///
    /// # Examples
    /// ```
    /// let sc = tidemill::Context::local(2);
    /// let about = sc.range(0, 30_000, 1, 4).map(|n| n % 10_000).count_approx_distinct(0.02)?;
    /// assert!((9_000..11_000).contains(&about));
    /// # Ok::<(), tidemill::Error>(())
    /// ```
    #[track_caller]
    pub fn count_approx_distinct(&self, relative_sd: f64) -> Result<u64> {
        let site = Site::here("count_approx_distinct");
        let empty = HyperLogLog::with_relative_sd(relative_sd).ok_or_else(|| {
            Error::invalid(format!(
                "\"{site}\" was given a relative standard deviation of \"{relative_sd}\"; give one from 0.00026 to 1, or \
                 count exactly with distinct"
            ))
        })?;
        let start = empty.clone();
        let parts = self.run(site, move |rdd, partition, task| {
            fold_records(&site, task, rdd.chunks(partition, task), start.clone(), &|mut sketch, record| {
                sketch.insert(stable_hash(&record));
                sketch
            })
        })?;
        on_driver(site, || {
            parts.iter().fold(empty, |mut sketch, part| {
                sketch.merge(part);
                sketch
            })
        })
        .map(|sketch| sketch.estimate())
    }
}
