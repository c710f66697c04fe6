//! Actions for their side effects.

use crate::{
    base::{Data, Result},
    rdd::{
        aside,
        fallible::or_throw,
        node::{Rdd, Site},
        task::{BoxError, Cursor, guarded},
    },
};

impl<T: Data> Rdd<T> {
    /// Calls `f` with every record, on the workers.
    ///
    /// A partition may be computed again after a failure, so `f` should do no harm when it is called twice.
    ///
    /// # Errors
    /// If `f` panics; and whatever made a task fail.
    ///
    /// # Examples
    /// ```
    /// use std::sync::{Arc, atomic::{AtomicI64, Ordering}};
    /// let sc = tidemill::Context::local(2);
    /// let sum = Arc::new(AtomicI64::new(0));
    /// let seen = sum.clone();
    /// sc.range(0, 5, 1, 3).foreach(move |n| { seen.fetch_add(n, Ordering::Relaxed); })?;
    /// assert_eq!(sum.load(Ordering::Relaxed), 10);
    /// # Ok::<(), tidemill::Error>(())
    /// ```
    #[track_caller]
    pub fn foreach(&self, f: impl Fn(T) + Send + Sync + 'static) -> Result<()> {
        self.call_at(Site::here("foreach"), f)
    }

    /// Calls `f` with the records of each partition, on the workers; for empty partitions too.
    ///
    /// # Errors
    /// If `f` panics; and whatever made a task fail.
    ///
    /// # Examples
    /// ```
    /// use std::sync::{Arc, atomic::{AtomicI64, Ordering}};
    /// let sc = tidemill::Context::local(2);
    /// let sum = Arc::new(AtomicI64::new(0));
    /// let seen = sum.clone();
    /// sc.range(0, 5, 1, 3).foreach_partition(move |records| {
    ///     seen.fetch_add(records.sum::<i64>(), Ordering::Relaxed);
    /// })?;
    /// assert_eq!(sum.load(Ordering::Relaxed), 10);
    /// # Ok::<(), tidemill::Error>(())
    /// ```
    #[track_caller]
    pub fn foreach_partition(&self, f: impl Fn(&mut dyn Iterator<Item = T>) + Send + Sync + 'static) -> Result<()> {
        self.each_partition_at(Site::here("foreach_partition"), move |_, records| f(records))
    }

    /// As [`foreach`](Self::foreach), for a function that may fail.
    ///
    /// # Errors
    /// What `f` returned first, of kind [`User`](crate::ErrorKind::User) and with operator, record and partition; and
    /// whatever made a task fail.
    ///
    /// # Examples
    /// ```
    /// let sc = tidemill::Context::local(2);
    /// let words = sc.parallelize(vec!["1".to_string(), "two".to_string()], 1);
    /// let error = words.try_for_each(|word| word.parse::<i32>().map(drop)).unwrap_err();
    /// assert_eq!(error.kind(), tidemill::ErrorKind::User);
    /// assert!(error.to_string().ends_with("failed on record 2 of partition 0: invalid digit found in string"));
    /// ```
    #[track_caller]
    pub fn try_for_each<E: Into<BoxError>>(
        &self,
        f: impl Fn(T) -> Result<(), E> + Send + Sync + 'static,
    ) -> Result<()> {
        self.call_at(Site::here("try_for_each"), move |record| or_throw(f(record)))
    }

    fn call_at(&self, site: Site, f: impl Fn(T) + Send + Sync + 'static) -> Result<()> {
        self.map_at(site, f).fold_partitions(site, (), |(), ()| ()).map(drop)
    }

    /// As [`foreach_partition`](Self::foreach_partition), for a function that may fail.
    ///
    /// # Errors
    /// What `f` returned first, of kind [`User`](crate::ErrorKind::User) and with operator, record and partition; and
    /// whatever made a task fail.
    ///
    /// # Examples
    /// ```
    /// let sc = tidemill::Context::local(2);
    /// let outcome = sc.range(0, 9, 1, 3).try_for_each_partition(|records| {
    ///     for n in records {
    ///         if n == 7 {
    ///             return Err("a seven");
    ///         }
    ///     }
    ///     Ok(())
    /// });
    /// assert!(outcome.unwrap_err().to_string().ends_with("failed on record 2 of partition 2: a seven"));
    /// ```
    #[track_caller]
    pub fn try_for_each_partition<E: Into<BoxError>>(
        &self,
        f: impl Fn(&mut dyn Iterator<Item = T>) -> Result<(), E> + Send + Sync + 'static,
    ) -> Result<()> {
        self.each_partition_at(Site::here("try_for_each_partition"), move |_, records| {
            or_throw(f(records));
        })
    }

    /// Runs `f` over the index and the records of each partition, the cursor following the records it takes.
    pub(crate) fn each_partition_at(
        &self,
        site: Site,
        f: impl Fn(usize, &mut dyn Iterator<Item = T>) + Send + Sync + 'static,
    ) -> Result<()> {
        self.run_written(site, move |partition, records| {
            f(partition, records);
            Ok(())
        })
        .map(drop)
    }

    /// Runs `f`, which may put records aside or fail, over the index and the records of each partition, the cursor
    /// following the records it takes; what it returned for each.
    pub(crate) fn run_written<R: Data>(
        &self,
        site: Site,
        f: impl Fn(usize, &mut dyn Iterator<Item = T>) -> Result<R> + Send + Sync + 'static,
    ) -> Result<Vec<R>> {
        let operator = self.session().next_id();
        self.run(site, move |rdd, partition, task| {
            let cursor = Cursor::default();
            let puts_aside = task.puts_aside();
            let mut records = rdd.records(partition, task).inspect(|_| {
                cursor.step();
                if puts_aside {
                    aside::at(operator, site, partition, cursor.record());
                }
            });
            task.expect(guarded(&site, task, &cursor, || f(partition, &mut records)))
        })
    }
}
