//! Transformations with functions that may fail: an error is the record's, which is put aside where dead letters are on.

use super::{
    node::{Rdd, Site},
    task::{BoxError, throw},
};
use crate::base::{Data, Result};

/// The value, or the end of the user's function that is running.
pub(crate) fn or_throw<V, E: Into<BoxError>>(result: Result<V, E>) -> V {
    result.unwrap_or_else(|error| throw(error))
}

impl<T: Data> Rdd<T> {
    /// As [`map`](Self::map), for a function that may fail: its error fails the task, with operator, record and
    /// partition, unless `tidemill.deadLetter.enabled` says that the record is put aside.
    ///
    /// # Examples
    /// ```
    /// let sc = tidemill::Context::local(2);
    /// let words = sc.parallelize(vec!["1".to_string(), "2".to_string()], 1);
    /// assert_eq!(words.try_map(|word| word.parse::<i32>()).collect()?, vec![1, 2]);
    /// # Ok::<(), tidemill::Error>(())
    /// ```
    #[track_caller]
    pub fn try_map<U: Data, E: Into<BoxError>>(&self, f: impl Fn(T) -> Result<U, E> + Send + Sync + 'static) -> Rdd<U> {
        self.map_at(Site::here("try_map"), move |record| or_throw(f(record)))
    }

    /// As [`filter`](Self::filter), for a function that may fail; see [`try_map`](Self::try_map).
    ///
    /// # Examples
    /// ```
    /// let sc = tidemill::Context::local(2);
    /// let words = sc.parallelize(vec!["1".to_string(), "-2".to_string()], 1);
    /// assert_eq!(words.try_filter(|word| word.parse::<i32>().map(|n| n > 0)).collect()?, ["1"]);
    /// assert!(words.try_filter(|word| word.parse::<u32>().map(|n| n > 0)).collect().is_err());
    /// # Ok::<(), tidemill::Error>(())
    /// ```
    #[track_caller]
    pub fn try_filter<E: Into<BoxError>>(&self, f: impl Fn(&T) -> Result<bool, E> + Send + Sync + 'static) -> Rdd<T> {
        self.filter_at(Site::here("try_filter"), move |record| or_throw(f(record)))
    }

    /// As [`flat_map`](Self::flat_map), for a function that may fail; see [`try_map`](Self::try_map).
    ///
    /// # Examples
    /// ```
    /// let sc = tidemill::Context::local(2);
    /// let counts = sc.parallelize(vec!["1".to_string(), "2".to_string()], 1);
    /// assert_eq!(counts.try_flat_map(|count| count.parse().map(|count: i32| 0..count)).collect()?, [0, 0, 1]);
    /// # Ok::<(), tidemill::Error>(())
    /// ```
    #[track_caller]
    pub fn try_flat_map<I, E>(&self, f: impl Fn(T) -> Result<I, E> + Send + Sync + 'static) -> Rdd<I::Item>
    where
        I: IntoIterator + 'static,
        I::Item: Data,
        E: Into<BoxError>,
    {
        self.flat_map_at(Site::here("try_flat_map"), move |record| or_throw(f(record)))
    }
}

impl<K: Data, V: Data> Rdd<(K, V)> {
    /// As [`map_values`](Self::map_values), for a function that may fail; see [`try_map`](Self::try_map).
    ///
    /// # Examples
    /// ```
    /// let sc = tidemill::Context::local(2);
    /// let pairs = sc.parallelize(vec![('a', "1".to_string())], 1);
    /// assert_eq!(pairs.try_map_values(|value| value.parse::<i32>()).collect()?, [('a', 1)]);
    /// # Ok::<(), tidemill::Error>(())
    /// ```
    #[track_caller]
    pub fn try_map_values<W: Data, E: Into<BoxError>>(
        &self,
        f: impl Fn(V) -> Result<W, E> + Send + Sync + 'static,
    ) -> Rdd<(K, W)> {
        self.map_values_at(Site::here("try_map_values"), move |value| or_throw(f(value)))
    }
}
