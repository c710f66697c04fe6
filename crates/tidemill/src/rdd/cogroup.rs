//! The values of each key in two to four datasets, side by side.

use super::{
    chunk::{Chunked, Chunks},
    node::{Rdd, Site},
    partitioner::{IntoPartitioner, PartitionerRef},
    placing::{Side, default_partitioner},
    slots::SlotMap,
    task::{Cursor, TaskContext, guarded},
};
use crate::base::{Data, Key};

/// What a cogroup of two has for a key.
pub(crate) type Both<V, W> = (Vec<V>, Vec<W>);
/// What a cogroup of three has for a key.
type Three<V, W, X> = (Vec<V>, Vec<W>, Vec<X>);
/// What a cogroup of four has for a key.
type Four<V, W, X, Y> = (Vec<V>, Vec<W>, Vec<X>, Vec<Y>);

/// The groups of one partition while they are filled, keys in order of first sight.
struct Groups<K, G> {
    slots: SlotMap<K>,
    groups: Vec<G>,
}

impl<K: Key, G: Default> Groups<K, G> {
    fn add_all<V>(&mut self, site: &Site, task: &TaskContext, chunks: Chunks<'_, (K, V)>, add: impl Fn(&mut G, V)) {
        let cursor = Cursor::default();
        for chunk in chunks {
            guarded(site, task, &cursor, || {
                for (key, value) in chunk {
                    cursor.step();
                    let (slot, new) = self.slots.slot(key);
                    if new {
                        self.groups.push(G::default());
                    }
                    add(&mut self.groups[slot], value);
                }
            });
        }
    }
}

impl<K: Key, V: Data> Rdd<(K, V)> {
    /// One group per key of either dataset, both of which are placed alike: `left` and `right` put a value into it.
    fn grouped_with<W: Data, G: Data + Default>(
        &self,
        site: Site,
        other: &Rdd<(K, W)>,
        left: impl Fn(&mut G, V) + Copy + Send + Sync + 'static,
        right: impl Fn(&mut G, W) + Copy + Send + Sync + 'static,
    ) -> Rdd<(K, G)> {
        self.zip_chunks(site, other, true, move |lefts, rights, task| {
            let mut groups = Groups { slots: SlotMap::default(), groups: Vec::new() };
            groups.add_all(&site, task, lefts, left);
            groups.add_all(&site, task, rights, right);
            Box::new(Chunked(groups.slots.into_keys().into_iter().zip(groups.groups)))
        })
    }

    /// A side that is placed by `partitioner` already is not moved.
    pub(crate) fn cogroup_at<W: Data>(
        &self,
        site: Site,
        other: &Rdd<(K, W)>,
        partitioner: &PartitionerRef<K>,
    ) -> Rdd<(K, Both<V, W>)> {
        let (left, right) = (self.placed_at(site, partitioner.clone()), other.placed_at(site, partitioner.clone()));
        left.grouped_with(site, &right, |group: &mut Both<V, W>, v| group.0.push(v), |group, w| group.1.push(w))
    }

    /// The partitioner of an operation on this dataset and another one.
    pub(crate) fn partitioner_with<W: Data>(&self, other: &Rdd<(K, W)>) -> PartitionerRef<K> {
        default_partitioner(self.session(), &[Side::of(self), Side::of(other)])
    }

    /// For each key of either dataset, its values here and its values in `other`.
    ///
    /// # Examples
    /// ```
    /// let sc = tidemill::Context::local(1);
    /// let ages = sc.parallelize(vec![('a', 30)], 1);
    /// let names = sc.parallelize(vec![('a', "Ada".to_string())], 1);
    /// assert_eq!(ages.cogroup(&names).collect()?, vec![('a', (vec![30], vec!["Ada".to_string()]))]);
    /// # Ok::<(), tidemill::Error>(())
    /// ```
    #[track_caller]
    pub fn cogroup<W: Data>(&self, other: &Rdd<(K, W)>) -> Rdd<(K, Both<V, W>)> {
        self.cogroup_at(Site::here("cogroup"), other, &self.partitioner_with(other))
    }

    /// As [`cogroup`](Self::cogroup), into the partitions of `partitioner`.
    ///
    /// # Examples
    /// ```
    /// let sc = tidemill::Context::local(1);
    /// let (left, right) = (sc.parallelize(vec![(1, 'a')], 2), sc.parallelize(vec![(1, 'b'), (1, 'c')], 2));
    /// assert_eq!(left.cogroup_into(1, &right).collect()?, vec![(1, (vec!['a'], vec!['b', 'c']))]);
    /// # Ok::<(), tidemill::Error>(())
    /// ```
    #[track_caller]
    pub fn cogroup_into<W: Data>(
        &self,
        partitioner: impl IntoPartitioner<K>,
        other: &Rdd<(K, W)>,
    ) -> Rdd<(K, Both<V, W>)> {
        self.cogroup_at(Site::here("cogroup_into"), other, &partitioner.into_partitioner())
    }

    /// For each key of any of three datasets, its values in each.
    ///
    /// # Examples
    /// ```
    /// let sc = tidemill::Context::local(1);
    /// let (a, b, c) = (sc.parallelize(vec![(1, 'a')], 1), sc.parallelize(vec![(1, 2.5)], 1), sc.parallelize(Vec::<(i32, u8)>::new(), 1));
    /// assert_eq!(a.cogroup3(&b, &c).collect()?, vec![(1, (vec!['a'], vec![2.5], vec![]))]);
    /// # Ok::<(), tidemill::Error>(())
    /// ```
    #[track_caller]
    pub fn cogroup3<W: Data, X: Data>(&self, second: &Rdd<(K, W)>, third: &Rdd<(K, X)>) -> Rdd<(K, Three<V, W, X>)> {
        let sides = [Side::of(self), Side::of(second), Side::of(third)];
        let partitioner = default_partitioner(self.session(), &sides);
        let site = Site::here("cogroup3");
        self.cogroup_at(site, second, &partitioner).and_third_at(site, third, &partitioner)
    }

    /// As [`cogroup3`](Self::cogroup3), into the partitions of `partitioner`.
    ///
    /// # Examples
    /// ```
    /// let sc = tidemill::Context::local(1);
    /// let pairs = sc.parallelize(vec![(1, 'a')], 1);
    /// let groups = pairs.cogroup3_into(2, &pairs, &pairs);
    /// assert_eq!(groups.collect()?, vec![(1, (vec!['a'], vec!['a'], vec!['a']))]);
    /// # Ok::<(), tidemill::Error>(())
    /// ```
    #[track_caller]
    pub fn cogroup3_into<W: Data, X: Data>(
        &self,
        partitioner: impl IntoPartitioner<K>,
        second: &Rdd<(K, W)>,
        third: &Rdd<(K, X)>,
    ) -> Rdd<(K, Three<V, W, X>)> {
        let (site, partitioner) = (Site::here("cogroup3_into"), partitioner.into_partitioner());
        self.cogroup_at(site, second, &partitioner).and_third_at(site, third, &partitioner)
    }

    /// For each key of any of four datasets, its values in each.
    ///
    /// # Examples
    /// ```
    /// let sc = tidemill::Context::local(1);
    /// let pairs = sc.parallelize(vec![(1, 'a')], 1);
    /// let groups = pairs.cogroup4(&pairs, &pairs, &pairs);
    /// assert_eq!(groups.collect()?, vec![(1, (vec!['a'], vec!['a'], vec!['a'], vec!['a']))]);
    /// # Ok::<(), tidemill::Error>(())
    /// ```
    #[track_caller]
    pub fn cogroup4<W: Data, X: Data, Y: Data>(
        &self,
        second: &Rdd<(K, W)>,
        third: &Rdd<(K, X)>,
        fourth: &Rdd<(K, Y)>,
    ) -> Rdd<(K, Four<V, W, X, Y>)> {
        let sides = [Side::of(self), Side::of(second), Side::of(third), Side::of(fourth)];
        let partitioner = default_partitioner(self.session(), &sides);
        let site = Site::here("cogroup4");
        let three = self.cogroup_at(site, second, &partitioner).and_third_at(site, third, &partitioner);
        three.and_fourth_at(site, fourth, &partitioner)
    }

    /// As [`cogroup4`](Self::cogroup4), into the partitions of `partitioner`.
    ///
    /// # Examples
    /// ```
    /// let sc = tidemill::Context::local(1);
    /// let pairs = sc.parallelize(vec![(1, 'a')], 1);
    /// assert_eq!(pairs.cogroup4_into(2, &pairs, &pairs, &pairs).num_partitions(), 2);
    /// ```
    #[track_caller]
    pub fn cogroup4_into<W: Data, X: Data, Y: Data>(
        &self,
        partitioner: impl IntoPartitioner<K>,
        second: &Rdd<(K, W)>,
        third: &Rdd<(K, X)>,
        fourth: &Rdd<(K, Y)>,
    ) -> Rdd<(K, Four<V, W, X, Y>)> {
        let (site, partitioner) = (Site::here("cogroup4_into"), partitioner.into_partitioner());
        let three = self.cogroup_at(site, second, &partitioner).and_third_at(site, third, &partitioner);
        three.and_fourth_at(site, fourth, &partitioner)
    }
}

impl<K: Key, V: Data, W: Data> Rdd<(K, Both<V, W>)> {
    fn and_third_at<X: Data>(
        &self,
        site: Site,
        third: &Rdd<(K, X)>,
        partitioner: &PartitionerRef<K>,
    ) -> Rdd<(K, Three<V, W, X>)> {
        let both = |group: &mut Three<V, W, X>, (v, w)| (group.0, group.1) = (v, w);
        self.grouped_with(site, &third.placed_at(site, partitioner.clone()), both, |group, x| group.2.push(x))
    }
}

impl<K: Key, V: Data, W: Data, X: Data> Rdd<(K, Three<V, W, X>)> {
    fn and_fourth_at<Y: Data>(
        &self,
        site: Site,
        fourth: &Rdd<(K, Y)>,
        partitioner: &PartitionerRef<K>,
    ) -> Rdd<(K, Four<V, W, X, Y>)> {
        let three = |group: &mut Four<V, W, X, Y>, (v, w, x)| (group.0, group.1, group.2) = (v, w, x);
        self.grouped_with(site, &fourth.placed_at(site, partitioner.clone()), three, |group, y| group.3.push(y))
    }
}
