//! Actions that bring records to the driver as they are.

use super::empty;
use crate::{
    base::{Data, Error, Result},
    rdd::node::{Rdd, Site},
};

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
        self.collect_at(Site::here("collect"))
    }

    pub(crate) fn collect_at(&self, site: Site) -> Result<Vec<T>> {
        Ok(self.collect_partitions(site)?.into_iter().flatten().collect())
    }

    /// The records of these partitions, in this order; the others are not computed.
    ///
    /// # Errors
    /// Invalid, if there is no such partition; else whatever made a task fail.
    ///
    /// # Examples
    /// ```
    /// let sc = tidemill::Context::local(2);
    /// assert_eq!(sc.range(0, 4, 1, 4).collect_some(&[3, 0])?, vec![vec![3], vec![0]]);
    /// # Ok::<(), tidemill::Error>(())
    /// ```
    #[track_caller]
    pub fn collect_some(&self, partitions: &[usize]) -> Result<Vec<Vec<T>>> {
        let (site, there) = (Site::here("collect_some"), self.num_partitions());
        if let Some(beyond) = partitions.iter().find(|partition| **partition >= there) {
            return Err(Error::invalid(format!("there is no partition {beyond}: the dataset has {there}")));
        }
        self.run_on(site, partitions.to_vec(), |rdd, partition, task| rdd.records(partition, task).collect::<Vec<_>>())
    }

    pub(crate) fn collect_partitions(&self, site: Site) -> Result<Vec<Vec<T>>> {
        self.run(site, |rdd, partition, task| rdd.records(partition, task).collect::<Vec<_>>())
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
        Ok(self.count_partitions(Site::here("count"))?.into_iter().sum())
    }

    /// How many records each partition has.
    pub(crate) fn count_partitions(&self, site: Site) -> Result<Vec<u64>> {
        self.run(site, |rdd, partition, task| rdd.chunks(partition, task).map(|chunk| chunk.len() as u64).sum::<u64>())
    }

    /// The first `n` records, in partition order.
    ///
    /// The first job reads as many partitions as there are workers; while records are missing, each further job reads
    /// four times as many as were read so far. No partition is read beyond `n` records.
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
        let partitions = self.num_partitions();
        let (mut taken, mut scanned, mut step) = (Vec::new(), 0, self.session().default_parallelism().max(1));
        while taken.len() < n && scanned < partitions {
            let (missing, end) = (n - taken.len(), partitions.min(scanned.saturating_add(step)));
            let heads = self.run_on(site, (scanned..end).collect(), move |rdd, partition, task| {
                rdd.records(partition, task).take(missing).collect::<Vec<_>>()
            })?;
            taken.extend(heads.into_iter().flatten().take(missing));
            (scanned, step) = (end, end.saturating_mul(4));
        }
        Ok(taken)
    }

    /// The first record, in partition order.
    ///
    /// # Errors
    /// If there is none; and whatever made a task fail.
    ///
    /// # Examples
    /// ```
    /// let sc = tidemill::Context::local(2);
    /// assert_eq!(sc.range(7, 100, 1, 3).first()?, 7);
    /// assert!(sc.range(0, 0, 1, 3).first().is_err());
    /// # Ok::<(), tidemill::Error>(())
    /// ```
    #[track_caller]
    pub fn first(&self) -> Result<T> {
        let site = Site::here("first");
        self.take_at(site, 1)?.pop().ok_or_else(|| empty(site))
    }

    /// Whether there is no record.
    ///
    /// # Errors
    /// Whatever made a task fail.
    ///
    /// # Examples
    /// ```
    /// let sc = tidemill::Context::local(2);
    /// assert!(!sc.range(0, 9, 1, 3).is_empty()?);
    /// assert!(sc.range(0, 9, 1, 3).filter(|n| *n > 9).is_empty()?);
    /// # Ok::<(), tidemill::Error>(())
    /// ```
    #[track_caller]
    pub fn is_empty(&self) -> Result<bool> {
        Ok(self.take_at(Site::here("is_empty"), 1)?.is_empty())
    }

    /// The records one by one, of which the driver never holds more than one partition: each is a job of its own, run
    /// when the records before it are used up.
    ///
    /// # Errors
    /// Each item is an error if its job failed; nothing comes after it.
    ///
    /// # Examples
    /// ```
    /// let sc = tidemill::Context::local(2);
    /// let mut sum = 0;
    /// for n in sc.range(0, 5, 1, 3).to_local_iter() {
    ///     sum += n?;
    /// }
    /// assert_eq!(sum, 10);
    /// # Ok::<(), tidemill::Error>(())
    /// ```
    #[track_caller]
    #[must_use = "an iterator is lazy: no job runs until it is asked for records"]
    pub fn to_local_iter(&self) -> LocalIter<T> {
        LocalIter { rdd: self.clone(), site: Site::here("to_local_iter"), next: 0, records: Vec::new().into_iter() }
    }
}

/// The records of an [`Rdd`] on the driver; see [`Rdd::to_local_iter`].
#[derive(Debug)]
pub struct LocalIter<T> {
    rdd: Rdd<T>,
    site: Site,
    next: usize,
    records: std::vec::IntoIter<T>,
}

impl<T: Data> Iterator for LocalIter<T> {
    type Item = Result<T>;

    fn next(&mut self) -> Option<Result<T>> {
        loop {
            if let Some(record) = self.records.next() {
                return Some(Ok(record));
            }
            if self.next >= self.rdd.num_partitions() {
                return None;
            }
            let job = self.rdd.run_on(self.site, vec![self.next], |rdd, partition, task| {
                rdd.records(partition, task).collect::<Vec<_>>()
            });
            match job {
                Ok(parts) => self.records = parts.into_iter().flatten().collect::<Vec<_>>().into_iter(),
                Err(error) => {
                    self.next = usize::MAX;
                    return Some(Err(error));
                }
            }
            self.next += 1;
        }
    }
}

impl<T: Data> std::iter::FusedIterator for LocalIter<T> {}
