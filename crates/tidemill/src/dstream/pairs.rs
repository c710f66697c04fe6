//! Keys and values of pair streams, each on its own.

use super::{node::DStream, shared::one};
use crate::{base::Data, rdd::Site};
use std::sync::Arc;

impl<K: Data, V: Data> DStream<(K, V)> {
    /// Applies `f` to every value; keys stay, and stay where they are.
    ///
    /// # Examples
    /// ```
    /// use tidemill::testing::check_batches;
    /// check_batches(vec![vec![('a', 1)]], |pairs| pairs.map_values(|v| v + 1), vec![vec![('a', 2)]]);
    /// ```
    #[track_caller]
    pub fn map_values<W: Data>(&self, f: impl Fn(V) -> W + Send + Sync + 'static) -> DStream<(K, W)> {
        let (site, f) = (Site::here("map_values"), Arc::new(f));
        self.each_rdd(site, move |rdd, _| Ok(rdd.map_values_at(site, one(&f))))
    }

    /// Replaces every value by all that `f` makes of it, each with the same key.
    ///
    /// # Examples
    /// ```
    /// use tidemill::testing::check_batches;
    /// check_batches(
    ///     vec![vec![('a', 2), ('b', 0)]],
    ///     |pairs| pairs.flat_map_values(|n| 0..n),
    ///     vec![vec![('a', 0), ('a', 1)]],
    /// );
    /// ```
    #[track_caller]
    pub fn flat_map_values<I>(&self, f: impl Fn(V) -> I + Send + Sync + 'static) -> DStream<(K, I::Item)>
    where
        I: IntoIterator + 'static,
        I::Item: Data,
    {
        let (site, f) = (Site::here("flat_map_values"), Arc::new(f));
        self.each_rdd(site, move |rdd, _| Ok(rdd.flat_map_values_at(site, one(&f))))
    }

    /// The key of every record.
    ///
    /// # Examples
    /// ```
    /// use tidemill::testing::check_batches;
    /// check_batches(vec![vec![('a', 1), ('a', 2)]], |pairs| pairs.keys(), vec![vec!['a', 'a']]);
    /// ```
    #[track_caller]
    pub fn keys(&self) -> DStream<K> {
        let site = Site::here("keys");
        self.each_rdd(site, move |rdd, _| Ok(rdd.map_at(site, |(key, _)| key)))
    }

    /// The value of every record.
    ///
    /// # Examples
    /// ```
    /// use tidemill::testing::check_batches;
    /// check_batches(vec![vec![('a', 1), ('a', 2)]], |pairs| pairs.values(), vec![vec![1, 2]]);
    /// ```
    #[track_caller]
    pub fn values(&self) -> DStream<V> {
        let site = Site::here("values");
        self.each_rdd(site, move |rdd, _| Ok(rdd.map_at(site, |(_, value)| value)))
    }
}
