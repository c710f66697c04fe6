//! Transformations of streams with functions that may fail.
//!
//! What such a function returns as an error is the record's: with `tidemill.deadLetter.enabled` the record is put aside and
//! the batch goes on without it, otherwise the batch fails with operator, record and partition.

use super::node::DStream;
use crate::{
    base::{Data, Result},
    rdd::{BoxError, Site, fallible::or_throw},
};
use std::sync::Arc;

impl<T: Data> DStream<T> {
    /// As [`map`](Self::map), for a function that may fail on a record.
    ///
    /// The record is put aside as a [dead letter](crate::dead_letters) if `tidemill.deadLetter.enabled` says so; otherwise
    /// the batch fails.
    ///
    /// # Examples
    /// ```
    /// use tidemill::{Config, keys, testing::TestContext};
    /// let test = TestContext::with_config(Config::new().set(keys::DEAD_LETTER_ENABLED, true));
    /// let words = test.stream(vec![vec!["1".to_string(), "two".to_string(), "3".to_string()]]);
    /// let seen = test.collect(&words.try_map(|word| word.parse::<i32>()));
    /// test.run(1)?;
    /// assert_eq!(seen.sorted(), [[1, 3]]);
    /// assert_eq!(test.ssc().progress().dead_letters, 1);
    /// # Ok::<(), tidemill::Error>(())
    /// ```
    #[track_caller]
    pub fn try_map<U: Data, E: Into<BoxError>>(
        &self,
        f: impl Fn(T) -> Result<U, E> + Send + Sync + 'static,
    ) -> DStream<U> {
        let (site, f) = (Site::here("try_map"), Arc::new(f));
        self.each_rdd(site, move |rdd, _| {
            let f = f.clone();
            Ok(rdd.map_at(site, move |record| or_throw(f(record))))
        })
    }

    /// As [`filter`](Self::filter), for a function that may fail on a record; see [`try_map`](Self::try_map).
    ///
    /// # Examples
    /// ```
    /// use tidemill::testing::check_batches;
    /// check_batches(
    ///     vec![vec!["1".to_string(), "-2".to_string()]],
    ///     |words| words.try_filter(|word| word.parse::<i32>().map(|n| n > 0)),
    ///     vec![vec!["1".to_string()]],
    /// );
    /// ```
    #[track_caller]
    pub fn try_filter<E: Into<BoxError>>(
        &self,
        f: impl Fn(&T) -> Result<bool, E> + Send + Sync + 'static,
    ) -> DStream<T> {
        let (site, f) = (Site::here("try_filter"), Arc::new(f));
        self.each_rdd(site, move |rdd, _| {
            let f = f.clone();
            Ok(rdd.filter_at(site, move |record| or_throw(f(record))))
        })
    }

    /// As [`flat_map`](Self::flat_map), for a function that may fail on a record; see [`try_map`](Self::try_map).
    ///
    /// # Examples
    /// ```
    /// use tidemill::testing::check_batches;
    /// check_batches(
    ///     vec![vec!["2".to_string()]],
    ///     |words| words.try_flat_map(|word| word.parse().map(|n: i32| 0..n)),
    ///     vec![vec![0, 1]],
    /// );
    /// ```
    #[track_caller]
    pub fn try_flat_map<I, E>(&self, f: impl Fn(T) -> Result<I, E> + Send + Sync + 'static) -> DStream<I::Item>
    where
        I: IntoIterator + 'static,
        I::Item: Data,
        E: Into<BoxError>,
    {
        let (site, f) = (Site::here("try_flat_map"), Arc::new(f));
        self.each_rdd(site, move |rdd, _| {
            let f = f.clone();
            Ok(rdd.flat_map_at(site, move |record| or_throw(f(record))))
        })
    }
}

impl<K: Data, V: Data> DStream<(K, V)> {
    /// As [`map_values`](Self::map_values), for a function that may fail on a value; see [`try_map`](DStream::try_map).
    ///
    /// # Examples
    /// ```
    /// use tidemill::testing::check_batches;
    /// check_batches(
    ///     vec![vec![('a', "1".to_string())]],
    ///     |pairs| pairs.try_map_values(|value| value.parse::<i32>()),
    ///     vec![vec![('a', 1)]],
    /// );
    /// ```
    #[track_caller]
    pub fn try_map_values<W: Data, E: Into<BoxError>>(
        &self,
        f: impl Fn(V) -> Result<W, E> + Send + Sync + 'static,
    ) -> DStream<(K, W)> {
        let (site, f) = (Site::here("try_map_values"), Arc::new(f));
        self.each_rdd(site, move |rdd, _| {
            let f = f.clone();
            Ok(rdd.map_values_at(site, move |value| or_throw(f(value))))
        })
    }
}
