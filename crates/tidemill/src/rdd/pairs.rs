//! Keys and values, each on its own: nothing here moves a record to another partition.

use super::node::{Rdd, Site};
use crate::base::Data;

impl<T: Data> Rdd<T> {
    /// Pairs every record with the key that `f` gives it.
    ///
    /// # Examples
    /// ```
    /// let sc = tidemill::Context::local(1);
    /// assert_eq!(sc.range(0, 3, 1, 1).key_by(|n| n % 2).collect()?, vec![(0, 0), (1, 1), (0, 2)]);
    /// # Ok::<(), tidemill::Error>(())
    /// ```
    #[track_caller]
    pub fn key_by<K: Data>(&self, f: impl Fn(&T) -> K + Send + Sync + 'static) -> Rdd<(K, T)> {
        self.key_by_at(Site::here("key_by"), f)
    }

    pub(crate) fn key_by_at<K: Data>(&self, site: Site, f: impl Fn(&T) -> K + Send + Sync + 'static) -> Rdd<(K, T)> {
        self.map_at(site, move |record| (f(&record), record))
    }
}

impl<K: Data, V: Data> Rdd<(K, V)> {
    /// The key of every pair; duplicates stay.
    ///
    /// # Examples
    /// ```
    /// let sc = tidemill::Context::local(1);
    /// assert_eq!(sc.parallelize(vec![('a', 1), ('a', 2)], 1).keys().collect()?, vec!['a', 'a']);
    /// # Ok::<(), tidemill::Error>(())
    /// ```
    #[track_caller]
    pub fn keys(&self) -> Rdd<K> {
        self.map_at(Site::here("keys"), |(key, _)| key)
    }

    /// The value of every pair.
    ///
    /// # Examples
    /// ```
    /// let sc = tidemill::Context::local(1);
    /// assert_eq!(sc.parallelize(vec![('a', 1), ('a', 2)], 1).values().collect()?, vec![1, 2]);
    /// # Ok::<(), tidemill::Error>(())
    /// ```
    #[track_caller]
    pub fn values(&self) -> Rdd<V> {
        self.map_at(Site::here("values"), |(_, value)| value)
    }

    /// Applies `f` to every value; keys and their partitioner stay.
    ///
    /// # Examples
    /// ```
    /// let sc = tidemill::Context::local(1);
    /// let pairs = sc.parallelize(vec![('a', 1), ('b', 2)], 1);
    /// assert_eq!(pairs.map_values(|v| v * 10).collect()?, vec![('a', 10), ('b', 20)]);
    /// # Ok::<(), tidemill::Error>(())
    /// ```
    #[track_caller]
    pub fn map_values<W: Data>(&self, f: impl Fn(V) -> W + Send + Sync + 'static) -> Rdd<(K, W)> {
        self.map_values_at(Site::here("map_values"), f)
    }

    /// Replaces every value by all that `f` makes of it, under the same key; the partitioner stays.
    ///
    /// # Examples
    /// ```
    /// let sc = tidemill::Context::local(1);
    /// let pairs = sc.parallelize(vec![('a', 2), ('b', 0), ('c', 1)], 1);
    /// assert_eq!(pairs.flat_map_values(|n| 0..n).collect()?, vec![('a', 0), ('a', 1), ('c', 0)]);
    /// # Ok::<(), tidemill::Error>(())
    /// ```
    #[track_caller]
    pub fn flat_map_values<I>(&self, f: impl Fn(V) -> I + Send + Sync + 'static) -> Rdd<(K, I::Item)>
    where
        I: IntoIterator + 'static,
        I::Item: Data,
    {
        self.flat_map_values_at(Site::here("flat_map_values"), f)
    }

    pub(crate) fn flat_map_values_at<I>(
        &self,
        site: Site,
        f: impl Fn(V) -> I + Send + Sync + 'static,
    ) -> Rdd<(K, I::Item)>
    where
        I: IntoIterator + 'static,
        I::Item: Data,
    {
        self.flat_map_keeping_at(site, true, move |(key, value)| {
            f(value).into_iter().map(move |made| (key.clone(), made))
        })
    }
}
