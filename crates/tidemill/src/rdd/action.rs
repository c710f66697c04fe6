//! Actions: what makes a job run and brings a value to the driver.

use super::node::{Rdd, Site};
use crate::base::{Data, Result};

impl<T: Data> Rdd<T> {
    /// All records, partition after partition.
    ///
    /// # Errors
    /// Whatever made a task fail.
    ///
    /// # Examples
    /// ```
    /// let sc = tidemill::Context::local(2);
    /// assert_eq!(sc.range(0, 4, 1, 3).collect()?, vec![0, 1, 2, 3]);
    /// # Ok::<(), tidemill::Error>(())
    /// ```
    #[track_caller]
    pub fn collect(&self) -> Result<Vec<T>> {
        Ok(self.collect_partitions(Site::here("collect"))?.into_iter().flatten().collect())
    }

    pub(crate) fn collect_partitions(&self, site: Site) -> Result<Vec<Vec<T>>> {
        self.run(site, |rdd, partition, task| rdd.chunks(partition, task).flatten().collect::<Vec<_>>())
    }

    /// How many records there are.
    ///
    /// # Errors
    /// Whatever made a task fail.
    ///
    /// # Examples
    /// ```
    /// let sc = tidemill::Context::local(2);
    /// assert_eq!(sc.range(0, 4, 1, 3).count()?, 4);
    /// # Ok::<(), tidemill::Error>(())
    /// ```
    #[track_caller]
    pub fn count(&self) -> Result<u64> {
        let counts = self.run(Site::here("count"), |rdd, partition, task| {
            rdd.chunks(partition, task).map(|chunk| chunk.len() as u64).sum::<u64>()
        })?;
        Ok(counts.into_iter().sum())
    }

    /// The first `n` records, in partition order. One job reads at most `n` records of every partition.
    ///
    /// # Errors
    /// Whatever made a task fail.
    ///
    /// # Examples
    /// ```
    /// let sc = tidemill::Context::local(2);
    /// assert_eq!(sc.range(0, 100, 1, 3).take(2)?, vec![0, 1]);
    /// # Ok::<(), tidemill::Error>(())
    /// ```
    #[track_caller]
    pub fn take(&self, n: usize) -> Result<Vec<T>> {
        self.take_at(Site::here("take"), n)
    }

    pub(crate) fn take_at(&self, site: Site, n: usize) -> Result<Vec<T>> {
        let heads =
            self.run(site, move |rdd, partition, task| rdd.records(partition, task).take(n).collect::<Vec<_>>())?;
        Ok(heads.into_iter().flatten().take(n).collect())
    }
}
