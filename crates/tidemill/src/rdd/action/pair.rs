//! Actions that count or look up by key.
//!
//! Maps come back as `BTreeMap`s: the order of a hash map would differ from run to run and reach the output. For keys
//! without an order, `reduce_by_key` and `collect` give the same pairs.

use super::on_driver;
use crate::{
    base::{Data, Key, Result},
    rdd::{
        node::{Rdd, Site},
        task::{Cursor, guarded},
        wide::Combined,
    },
};
use std::{collections::BTreeMap, sync::Arc};

impl<T: Key> Rdd<T> {
    /// How often each record occurs, by record.
    ///
    /// # Errors
    /// Whatever made a task fail.
    ///
    /// # Examples
    /// ```
    /// let sc = tidemill::Context::local(2);
    /// let counts = sc.parallelize(vec!['b', 'a', 'b'], 2).count_by_value()?;
    /// assert_eq!(counts.into_iter().collect::<Vec<_>>(), vec![('a', 1), ('b', 2)]);
    /// # Ok::<(), tidemill::Error>(())
    /// ```
    #[track_caller]
    pub fn count_by_value(&self) -> Result<BTreeMap<T, u64>>
    where
        T: Ord,
    {
        let site = Site::here("count_by_value");
        sorted(site, self.count_by_value_at(site)?)
    }

    /// How often each record occurs, in order of first sight.
    pub(crate) fn count_by_value_at(&self, site: Site) -> Result<Vec<(T, u64)>> {
        self.locally_combined(site, |record| (record, 1), |a, b| a + b)
    }
}

impl<K: Key, V: Data> Rdd<(K, V)> {
    /// How many records each key has.
    ///
    /// # Errors
    /// Whatever made a task fail.
    ///
    /// # Examples
    /// ```
    /// let sc = tidemill::Context::local(2);
    /// let counts = sc.parallelize(vec![('b', 1), ('a', 1), ('b', 9)], 2).count_by_key()?;
    /// assert_eq!(counts[&'b'], 2);
    /// # Ok::<(), tidemill::Error>(())
    /// ```
    #[track_caller]
    pub fn count_by_key(&self) -> Result<BTreeMap<K, u64>>
    where
        K: Ord,
    {
        let site = Site::here("count_by_key");
        sorted(site, self.count_by_key_at(site)?)
    }

    /// How many records each key has, in order of first sight.
    pub(crate) fn count_by_key_at(&self, site: Site) -> Result<Vec<(K, u64)>> {
        self.locally_combined(site, |(key, _)| (key, 1), |a, b| a + b)
    }

    /// The values of each key combined by `f`, which must be associative, and brought to the driver without a shuffle.
    ///
    /// # Errors
    /// Whatever made a task fail.
    ///
    /// # Examples
    /// ```
    /// let sc = tidemill::Context::local(2);
    /// let sums = sc.parallelize(vec![('b', 1), ('a', 1), ('b', 9)], 2).reduce_by_key_locally(|a, b| a + b)?;
    /// assert_eq!(sums[&'b'], 10);
    /// # Ok::<(), tidemill::Error>(())
    /// ```
    #[track_caller]
    pub fn reduce_by_key_locally(&self, f: impl Fn(V, V) -> V + Send + Sync + 'static) -> Result<BTreeMap<K, V>>
    where
        K: Ord,
    {
        let site = Site::here("reduce_by_key_locally");
        sorted(site, self.reduce_by_key_locally_at(site, f)?)
    }

    /// The values of each key combined by `f`, in order of first sight.
    pub(crate) fn reduce_by_key_locally_at(
        &self,
        site: Site,
        f: impl Fn(V, V) -> V + Send + Sync + 'static,
    ) -> Result<Vec<(K, V)>> {
        self.locally_combined(site, |pair| pair, f)
    }

    /// All pairs as a map; of several values of one key the last.
    ///
    /// # Errors
    /// Whatever made a task fail.
    ///
    /// # Examples
    /// ```
    /// let sc = tidemill::Context::local(2);
    /// let map = sc.parallelize(vec![('b', 1), ('a', 1), ('b', 9)], 2).collect_as_map()?;
    /// assert_eq!(map.into_iter().collect::<Vec<_>>(), vec![('a', 1), ('b', 9)]);
    /// # Ok::<(), tidemill::Error>(())
    /// ```
    #[track_caller]
    pub fn collect_as_map(&self) -> Result<BTreeMap<K, V>>
    where
        K: Ord,
    {
        let site = Site::here("collect_as_map");
        sorted(site, self.collect_at(site)?)
    }

    /// The values of `key`, in the order of the dataset. Reads one partition if the dataset is placed by a partitioner,
    /// and all of them otherwise.
    ///
    /// # Errors
    /// Whatever made a task fail.
    ///
    /// # Examples
    /// ```
    /// let sc = tidemill::Context::local(2);
    /// let pairs = sc.parallelize(vec![('b', 1), ('a', 1), ('b', 9)], 2);
    /// assert_eq!(pairs.lookup(&'b')?, vec![1, 9]);
    /// assert_eq!(pairs.reduce_by_key(|a, b| a + b).lookup(&'b')?, vec![10]);
    /// # Ok::<(), tidemill::Error>(())
    /// ```
    #[track_caller]
    pub fn lookup(&self, key: &K) -> Result<Vec<V>> {
        let site = Site::here("lookup");
        let placed = match self.partitioner_id().and_then(|id| id.partitioner::<K>()) {
            Some(partitioner) => on_driver(site, || Some(partitioner.partition(key)))?,
            None => None,
        };
        let partitions = match placed {
            Some(partition) => vec![partition],
            None => (0..self.num_partitions()).collect(),
        };
        let wanted = key.clone();
        let parts = self.run_on(site, partitions, move |rdd, partition, task| {
            let (mut found, cursor) = (Vec::new(), Cursor::default());
            for chunk in rdd.chunks(partition, task) {
                guarded(&site, task, &cursor, || {
                    for (key, value) in chunk {
                        cursor.step();
                        if key == wanted {
                            found.push(value);
                        }
                    }
                });
            }
            found
        })?;
        Ok(parts.into_iter().flatten().collect())
    }
}

impl<T: Data> Rdd<T> {
    /// Makes a pair of each record and combines the values of each key, in each partition and then on the driver; keys
    /// in order of first sight.
    fn locally_combined<K: Key, V: Data>(
        &self,
        site: Site,
        pair: impl Fn(T) -> (K, V) + Send + Sync + 'static,
        merge: impl Fn(V, V) -> V + Send + Sync + 'static,
    ) -> Result<Vec<(K, V)>> {
        let merge = Arc::new(merge);
        let combine = merge.clone();
        let parts = self.run(site, move |rdd, partition, task| {
            let (mut combined, cursor) = (Combined::new(), Cursor::default());
            for chunk in rdd.chunks(partition, task) {
                guarded(&site, task, &cursor, || {
                    for record in chunk {
                        cursor.step();
                        let (key, value) = pair(record);
                        combined.add(key, value, |v| v, |a, b| combine(a, b));
                    }
                });
            }
            combined.into_pairs().collect::<Vec<_>>()
        })?;
        on_driver(site, || {
            let mut combined = Combined::new();
            for (key, value) in parts.into_iter().flatten() {
                combined.add(key, value, |v| v, |a, b| merge(a, b));
            }
            combined.into_pairs().collect()
        })
    }
}

/// User code compares the keys, so it runs guarded.
fn sorted<K: Ord, V>(site: Site, pairs: Vec<(K, V)>) -> Result<BTreeMap<K, V>> {
    on_driver(site, || pairs.into_iter().collect())
}
