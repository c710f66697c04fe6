//! Actions that pick records by order: the least, the greatest, the first few of either.

use super::on_driver;
use crate::{
    base::{Data, Result},
    rdd::{
        chunk::CHUNK_RECORDS,
        node::{Rdd, Site},
        task::{Cursor, guarded},
    },
};
use std::{cmp::Ordering, sync::Arc};

impl<T: Data + Ord> Rdd<T> {
    /// The least record; of equal ones the first.
    ///
    /// # Errors
    /// If there is no record; and whatever made a task fail.
    ///
    /// # Examples
    /// ```
    /// let sc = tidemill::Context::local(2);
    /// assert_eq!(sc.parallelize(vec![5, 2, 8], 2).min()?, 2);
    /// # Ok::<(), tidemill::Error>(())
    /// ```
    #[track_caller]
    pub fn min(&self) -> Result<T> {
        self.least_at(Site::here("min"), T::cmp)
    }

    /// The greatest record; of equal ones the first.
    ///
    /// # Errors
    /// If there is no record; and whatever made a task fail.
    ///
    /// # Examples
    /// ```
    /// let sc = tidemill::Context::local(2);
    /// assert_eq!(sc.parallelize(vec![5, 2, 8], 2).max()?, 8);
    /// # Ok::<(), tidemill::Error>(())
    /// ```
    #[track_caller]
    pub fn max(&self) -> Result<T> {
        self.least_at(Site::here("max"), |a, b| b.cmp(a))
    }

    /// The `n` greatest records, the greatest first. A task keeps no more than a few times `n` records.
    ///
    /// # Errors
    /// Whatever made a task fail.
    ///
    /// # Examples
    /// ```
    /// let sc = tidemill::Context::local(2);
    /// assert_eq!(sc.parallelize(vec![10, 4, 2, 12, 3], 2).top(2)?, vec![12, 10]);
    /// # Ok::<(), tidemill::Error>(())
    /// ```
    #[track_caller]
    pub fn top(&self, n: usize) -> Result<Vec<T>> {
        self.take_ordered_at(Site::here("top"), n, |a, b| b.cmp(a))
    }

    /// The `n` least records, the least first. A task keeps no more than a few times `n` records.
    ///
    /// # Errors
    /// Whatever made a task fail.
    ///
    /// # Examples
    /// ```
    /// let sc = tidemill::Context::local(2);
    /// assert_eq!(sc.parallelize(vec![10, 4, 2, 12, 3], 2).take_ordered(3)?, vec![2, 3, 4]);
    /// # Ok::<(), tidemill::Error>(())
    /// ```
    #[track_caller]
    pub fn take_ordered(&self, n: usize) -> Result<Vec<T>> {
        self.take_ordered_at(Site::here("take_ordered"), n, T::cmp)
    }
}

impl<T: Data> Rdd<T> {
    /// The least record by `compare`; of equal ones the first.
    ///
    /// # Errors
    /// If there is no record; and whatever made a task fail.
    ///
    /// # Examples
    /// ```
    /// let sc = tidemill::Context::local(2);
    /// assert_eq!(sc.parallelize(vec![0.5, -2.0, 8.0], 2).min_by(f64::total_cmp)?, -2.0);
    /// # Ok::<(), tidemill::Error>(())
    /// ```
    #[track_caller]
    pub fn min_by(&self, compare: impl Fn(&T, &T) -> Ordering + Send + Sync + 'static) -> Result<T> {
        self.least_at(Site::here("min_by"), compare)
    }

    /// The greatest record by `compare`; of equal ones the first.
    ///
    /// # Errors
    /// If there is no record; and whatever made a task fail.
    ///
    /// # Examples
    /// ```
    /// let sc = tidemill::Context::local(2);
    /// let pairs = sc.parallelize(vec![("a".to_string(), 3), ("b".to_string(), 7)], 2);
    /// assert_eq!(pairs.max_by(|a, b| a.1.cmp(&b.1))?.0, "b");
    /// # Ok::<(), tidemill::Error>(())
    /// ```
    #[track_caller]
    pub fn max_by(&self, compare: impl Fn(&T, &T) -> Ordering + Send + Sync + 'static) -> Result<T> {
        self.least_at(Site::here("max_by"), move |a, b| compare(b, a))
    }

    /// The `n` greatest records by `compare`, the greatest first; equal ones in the order of the dataset.
    ///
    /// # Errors
    /// Whatever made a task fail.
    ///
    /// # Examples
    /// ```
    /// let sc = tidemill::Context::local(2);
    /// let counts = sc.parallelize(vec![("a".to_string(), 1), ("b".to_string(), 5), ("c".to_string(), 5)], 2);
    /// assert_eq!(counts.top_by(1, |x, y| x.1.cmp(&y.1))?, vec![("b".to_string(), 5)]);
    /// # Ok::<(), tidemill::Error>(())
    /// ```
    #[track_caller]
    pub fn top_by(&self, n: usize, compare: impl Fn(&T, &T) -> Ordering + Send + Sync + 'static) -> Result<Vec<T>> {
        self.take_ordered_at(Site::here("top_by"), n, move |a, b| compare(b, a))
    }

    /// The `n` least records by `compare`, the least first; equal ones in the order of the dataset.
    ///
    /// # Errors
    /// Whatever made a task fail.
    ///
    /// # Examples
    /// ```
    /// let sc = tidemill::Context::local(2);
    /// let nearest = sc.parallelize(vec![10_i32, 4, 2, 12], 2).take_ordered_by(2, |a, b| (a - 9).abs().cmp(&(b - 9).abs()));
    /// assert_eq!(nearest?, vec![10, 12]);
    /// # Ok::<(), tidemill::Error>(())
    /// ```
    #[track_caller]
    pub fn take_ordered_by(
        &self,
        n: usize,
        compare: impl Fn(&T, &T) -> Ordering + Send + Sync + 'static,
    ) -> Result<Vec<T>> {
        self.take_ordered_at(Site::here("take_ordered_by"), n, compare)
    }

    fn least_at(&self, site: Site, compare: impl Fn(&T, &T) -> Ordering + Send + Sync + 'static) -> Result<T> {
        self.reduce_at(site, move |a, b| if compare(&b, &a) == Ordering::Less { b } else { a })
    }

    pub(crate) fn take_ordered_at(
        &self,
        site: Site,
        n: usize,
        compare: impl Fn(&T, &T) -> Ordering + Send + Sync + 'static,
    ) -> Result<Vec<T>> {
        if n == 0 {
            return Ok(Vec::new());
        }
        let compare = Arc::new(compare);
        let by = compare.clone();
        let parts = self.run(site, move |rdd, partition, task| {
            let (mut least, cursor) = (Least::new(n, &*by), Cursor::default());
            for chunk in rdd.chunks(partition, task) {
                guarded(&site, task, &cursor, || {
                    for record in chunk {
                        cursor.step();
                        least.push(record);
                    }
                });
            }
            guarded(&site, task, &Cursor::default(), || least.into_sorted())
        })?;
        on_driver(site, || {
            let mut least = Least::new(n, &*compare);
            parts.into_iter().flatten().for_each(|record| least.push(record));
            least.into_sorted()
        })
    }
}

/// The `n` least of the records that are pushed. Sorts a buffer now and then instead of keeping a heap: that keeps equal
/// records in their order, and a record that is not among the least costs one comparison.
struct Least<'a, T, F> {
    n: usize,
    compare: &'a F,
    buffer: Vec<T>,
    /// The first `n` of the buffer are sorted, and the last of them is the bar.
    full: bool,
}

impl<'a, T, F: Fn(&T, &T) -> Ordering> Least<'a, T, F> {
    fn new(n: usize, compare: &'a F) -> Self {
        Self { n, compare, buffer: Vec::new(), full: false }
    }

    #[inline]
    fn push(&mut self, record: T) {
        if self.full && (self.compare)(&record, &self.buffer[self.n - 1]) != Ordering::Less {
            return;
        }
        self.buffer.push(record);
        if self.buffer.len() >= self.n.saturating_add(self.n.max(CHUNK_RECORDS)) {
            self.shrink();
        }
    }

    fn shrink(&mut self) {
        self.buffer.sort_by(self.compare);
        self.buffer.truncate(self.n);
        self.full = self.buffer.len() == self.n;
    }

    fn into_sorted(mut self) -> Vec<T> {
        self.shrink();
        self.buffer
    }
}
