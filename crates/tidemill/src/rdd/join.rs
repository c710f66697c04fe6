//! Joins by key: for each key the cross product of its values, in the order of the left ones.
//!
//! A join is a cogroup whose groups are unfolded lazily, so that a key with many values on both sides costs no memory
//! beyond those values.

use super::{
    cogroup::Both,
    node::{Rdd, Site},
    partitioner::{IntoPartitioner, PartitionerRef},
};
use crate::base::{Data, Key};

/// Every pair of a left and a right value, left-major.
struct CrossProduct<V, W> {
    lefts: Vec<V>,
    rights: Vec<W>,
    next: (usize, usize),
}

impl<V: Clone, W: Clone> CrossProduct<V, W> {
    fn of((lefts, rights): Both<V, W>) -> Self {
        Self { lefts, rights, next: (0, 0) }
    }
}

impl<V: Clone, W: Clone> Iterator for CrossProduct<V, W> {
    type Item = (V, W);

    fn next(&mut self) -> Option<(V, W)> {
        let (left, right) = self.next;
        let pair = (self.lefts.get(left)?.clone(), self.rights.get(right)?.clone());
        self.next = if right + 1 == self.rights.len() { (left + 1, 0) } else { (left, right + 1) };
        Some(pair)
    }
}

/// The values as options; one `None` if there are none.
fn optional<V>(values: Vec<V>) -> Vec<Option<V>> {
    if values.is_empty() { vec![None] } else { values.into_iter().map(Some).collect() }
}

macro_rules! joins {
    ($($(#[$doc:meta])* $name:ident, $(#[$doc_into:meta])* $name_into:ident, $at:ident, |$v:ident, $w:ident| $sides:expr => $result:ty;)*) => {
        impl<K: Key, V: Data> Rdd<(K, V)> {
            $(
                $(#[$doc])*
                #[track_caller]
                pub fn $name<W: Data>(&self, other: &Rdd<(K, W)>) -> Rdd<(K, $result)> {
                    self.$at(Site::here(stringify!($name)), other, &self.partitioner_with(other))
                }

                $(#[$doc_into])*
                #[track_caller]
                pub fn $name_into<W: Data>(
                    &self,
                    partitioner: impl IntoPartitioner<K>,
                    other: &Rdd<(K, W)>,
                ) -> Rdd<(K, $result)> {
                    self.$at(Site::here(stringify!($name_into)), other, &partitioner.into_partitioner())
                }

                pub(crate) fn $at<W: Data>(
                    &self,
                    site: Site,
                    other: &Rdd<(K, W)>,
                    partitioner: &PartitionerRef<K>,
                ) -> Rdd<(K, $result)> {
                    self.cogroup_at(site, other, partitioner)
                        .flat_map_values_at(site, |($v, $w)| CrossProduct::of($sides))
                }
            )*
        }
    };
}

joins! {
    /// For each key that both datasets have, every value here with every value there.
    ///
    /// # Examples
    /// ```
    /// let sc = tidemill::Context::local(1);
    /// let (left, right) = (sc.parallelize(vec![(1, 'a'), (2, 'b')], 2), sc.parallelize(vec![(1, 'x'), (1, 'y')], 1));
    /// assert_eq!(left.join(&right).collect()?, vec![(1, ('a', 'x')), (1, ('a', 'y'))]);
    /// # Ok::<(), tidemill::Error>(())
    /// ```
    join,
    /// As [`join`](Self::join), into the partitions of `partitioner`.
    ///
    /// # Examples
    /// ```
    /// let sc = tidemill::Context::local(1);
    /// let (left, right) = (sc.parallelize(vec![(1, 'a')], 2), sc.parallelize(vec![(1, 'x')], 1));
    /// assert_eq!(left.join_into(3, &right).num_partitions(), 3);
    /// ```
    join_into, join_at, |v, w| (v, w) => (V, W);

    /// For each key of this dataset, every value here with every value there, or with `None`.
    ///
    /// # Examples
    /// ```
    /// let sc = tidemill::Context::local(1);
    /// let (left, right) = (sc.parallelize(vec![(1, 'a'), (2, 'b')], 2), sc.parallelize(vec![(1, 'x')], 1));
    /// let mut rows = left.left_outer_join(&right).collect()?;
    /// rows.sort();
    /// assert_eq!(rows, vec![(1, ('a', Some('x'))), (2, ('b', None))]);
    /// # Ok::<(), tidemill::Error>(())
    /// ```
    left_outer_join,
    /// As [`left_outer_join`](Self::left_outer_join), into the partitions of `partitioner`.
    ///
    /// # Examples
    /// ```
    /// let sc = tidemill::Context::local(1);
    /// let (left, right) = (sc.parallelize(vec![(1, 'a')], 2), sc.parallelize(vec![(2, 'x')], 1));
    /// assert_eq!(left.left_outer_join_into(3, &right).collect()?, vec![(1, ('a', None))]);
    /// # Ok::<(), tidemill::Error>(())
    /// ```
    left_outer_join_into, left_outer_join_at, |v, w| (v, optional(w)) => (V, Option<W>);

    /// For each key of `other`, every value here, or `None`, with every value there.
    ///
    /// # Examples
    /// ```
    /// let sc = tidemill::Context::local(1);
    /// let (left, right) = (sc.parallelize(vec![(1, 'a')], 2), sc.parallelize(vec![(2, 'x')], 1));
    /// assert_eq!(left.right_outer_join(&right).collect()?, vec![(2, (None, 'x'))]);
    /// # Ok::<(), tidemill::Error>(())
    /// ```
    right_outer_join,
    /// As [`right_outer_join`](Self::right_outer_join), into the partitions of `partitioner`.
    ///
    /// # Examples
    /// ```
    /// let sc = tidemill::Context::local(1);
    /// let (left, right) = (sc.parallelize(vec![(1, 'a')], 2), sc.parallelize(vec![(1, 'x')], 1));
    /// assert_eq!(left.right_outer_join_into(3, &right).collect()?, vec![(1, (Some('a'), 'x'))]);
    /// # Ok::<(), tidemill::Error>(())
    /// ```
    right_outer_join_into, right_outer_join_at, |v, w| (optional(v), w) => (Option<V>, W);

    /// For each key of either dataset, every value here with every value there; `None` where a side has none.
    ///
    /// # Examples
    /// ```
    /// let sc = tidemill::Context::local(1);
    /// let (left, right) = (sc.parallelize(vec![(1, 'a')], 2), sc.parallelize(vec![(2, 'x')], 1));
    /// let mut rows = left.full_outer_join(&right).collect()?;
    /// rows.sort();
    /// assert_eq!(rows, vec![(1, (Some('a'), None)), (2, (None, Some('x')))]);
    /// # Ok::<(), tidemill::Error>(())
    /// ```
    full_outer_join,
    /// As [`full_outer_join`](Self::full_outer_join), into the partitions of `partitioner`.
    ///
    /// # Examples
    /// ```
    /// let sc = tidemill::Context::local(1);
    /// let (left, right) = (sc.parallelize(vec![(1, 'a')], 2), sc.parallelize(vec![(1, 'x')], 1));
    /// assert_eq!(left.full_outer_join_into(3, &right).collect()?, vec![(1, (Some('a'), Some('x')))]);
    /// # Ok::<(), tidemill::Error>(())
    /// ```
    full_outer_join_into, full_outer_join_at, |v, w| (optional(v), optional(w)) => (Option<V>, Option<W>);
}
