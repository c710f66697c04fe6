//! Actions that make one value of all records, partition by partition and then on the driver.

use super::{empty, on_driver};
use crate::{
    base::{Data, Result},
    rdd::node::{Rdd, Site},
};
use std::sync::Arc;

impl<T: Data> Rdd<T> {
    /// All records combined by `f`, which must be associative: within each partition, then over the partitions in
    /// their order.
    ///
    /// # Errors
    /// If there is no record; and whatever made a task fail.
    ///
    /// # Examples
    /// ```
    /// let sc = tidemill::Context::local(2);
    /// assert_eq!(sc.range(1, 5, 1, 3).reduce(|a, b| a * b)?, 24);
    /// # Ok::<(), tidemill::Error>(())
    /// ```
    #[track_caller]
    pub fn reduce(&self, f: impl Fn(T, T) -> T + Send + Sync + 'static) -> Result<T> {
        self.reduce_at(Site::here("reduce"), f)
    }

    pub(crate) fn reduce_at(&self, site: Site, f: impl Fn(T, T) -> T + Send + Sync + 'static) -> Result<T> {
        let f = Arc::new(f);
        let step = f.clone();
        let parts = self.fold_partitions(site, None, move |best: Option<T>, record| match best {
            Some(best) => Some(step(best, record)),
            None => Some(record),
        })?;
        on_driver(site, || parts.into_iter().flatten().reduce(|a, b| f(a, b)))?.ok_or_else(|| empty(site))
    }

    /// All records combined by `f`, starting from `zero`: once in each partition, and once more where the partitions
    /// are combined, so `zero` should change nothing.
    ///
    /// # Errors
    /// Whatever made a task fail.
    ///
    /// # Examples
    /// ```
    /// let sc = tidemill::Context::local(2);
    /// assert_eq!(sc.range(1, 4, 1, 3).fold(0, |a, b| a + b)?, 6);
    /// // As in Spark, a zero that is none counts once for each partition and once more.
    /// assert_eq!(sc.range(1, 4, 1, 3).fold(1, |a, b| a + b)?, 10);
    /// # Ok::<(), tidemill::Error>(())
    /// ```
    #[track_caller]
    pub fn fold(&self, zero: T, f: impl Fn(T, T) -> T + Send + Sync + 'static) -> Result<T> {
        let f = Arc::new(f);
        let combine = f.clone();
        self.aggregate_at(Site::here("fold"), zero, move |a, b| f(a, b), move |a, b| combine(a, b))
    }

    /// The records of each partition added to `zero` by `add`, and the partitions then merged into another `zero` by
    /// `merge`.
    ///
    /// # Errors
    /// Whatever made a task fail.
    ///
    /// # Examples
    /// ```
    /// let sc = tidemill::Context::local(2);
    /// let (sum, count) = sc.range(1, 5, 1, 3).aggregate(
    ///     (0, 0),
    ///     |(sum, count), n| (sum + n, count + 1),
    ///     |(s1, c1), (s2, c2)| (s1 + s2, c1 + c2),
    /// )?;
    /// assert_eq!((sum, count), (10, 4));
    /// # Ok::<(), tidemill::Error>(())
    /// ```
    #[track_caller]
    pub fn aggregate<A: Data>(
        &self,
        zero: A,
        add: impl Fn(A, T) -> A + Send + Sync + 'static,
        merge: impl Fn(A, A) -> A + Send + Sync + 'static,
    ) -> Result<A> {
        self.aggregate_at(Site::here("aggregate"), zero, add, merge)
    }

    pub(crate) fn aggregate_at<A: Data>(
        &self,
        site: Site,
        zero: A,
        add: impl Fn(A, T) -> A + Send + Sync + 'static,
        merge: impl Fn(A, A) -> A + Send + Sync + 'static,
    ) -> Result<A> {
        let parts = self.fold_partitions(site, zero.clone(), add)?;
        on_driver(site, || parts.into_iter().fold(zero, merge))
    }
}
