//! Cogroup and the joins: of two streams, batch by batch, and of a stream with a dataset that stays the same.
//!
//! Records of different batches never meet here; a [window](crate::DStream) brings them together first. A dataset that
//! stays is placed by key once, for all batches, and not shuffled again by each.

use super::node::DStream;
use crate::{
    base::{Data, Key},
    rdd::{IntoPartitioner, PartitionerRef, Rdd, Site},
};

/// The values of a key on both sides.
type Both<V, W> = (Vec<V>, Vec<W>);

impl<K: Key, V: Data> DStream<(K, V)> {
    /// For each key of a batch of either stream, all values here and all values there.
    ///
    /// # Examples
    /// ```
    /// use tidemill::testing::TestContext;
    /// let test = TestContext::new();
    /// let (left, right) = (test.stream(vec![vec![(1, 'a'), (2, 'b')]]), test.stream(vec![vec![(1, 'x')]]));
    /// let seen = test.collect(&left.cogroup(&right));
    /// test.run(1)?;
    /// assert_eq!(seen.sorted(), [[(1, (vec!['a'], vec!['x'])), (2, (vec!['b'], vec![]))]]);
    /// # Ok::<(), tidemill::Error>(())
    /// ```
    #[track_caller]
    pub fn cogroup<W: Data>(&self, other: &DStream<(K, W)>) -> DStream<(K, Both<V, W>)> {
        self.cogroup_each(Site::here("cogroup"), self.hash_partitioner(), other)
    }

    /// As [`cogroup`](Self::cogroup), into the partitions of `partitioner`.
    ///
    /// # Examples
    /// ```
    /// use tidemill::testing::TestContext;
    /// let test = TestContext::new();
    /// let (left, right) = (test.stream(vec![vec![(1, 'a')]]), test.stream(vec![vec![(1, 'x')]]));
    /// let seen = test.collect(&left.cogroup_into(3, &right));
    /// test.run(1)?;
    /// assert_eq!(seen.partitions()[0].1.len(), 3);
    /// # Ok::<(), tidemill::Error>(())
    /// ```
    #[track_caller]
    pub fn cogroup_into<W: Data>(
        &self,
        partitioner: impl IntoPartitioner<K>,
        other: &DStream<(K, W)>,
    ) -> DStream<(K, Both<V, W>)> {
        self.cogroup_each(Site::here("cogroup_into"), partitioner.into_partitioner(), other)
    }

    #[track_caller]
    fn cogroup_each<W: Data>(
        &self,
        site: Site,
        partitioner: PartitionerRef<K>,
        other: &DStream<(K, W)>,
    ) -> DStream<(K, Both<V, W>)> {
        self.both_rdds(site, other, move |left, right, _| Ok(left.cogroup_at(site, &right, &partitioner)))
    }
}

macro_rules! joins {
    ($($(#[$doc:meta])* $name:ident, $(#[$doc_into:meta])* $name_into:ident,
        $(#[$doc_rdd:meta])* $name_rdd:ident, $at:ident => $result:ty;)*) => {
        impl<K: Key, V: Data> DStream<(K, V)> {
            $(
                $(#[$doc])*
                #[track_caller]
                pub fn $name<W: Data>(&self, other: &DStream<(K, W)>) -> DStream<(K, $result)> {
                    let (site, partitioner) = (Site::here(stringify!($name)), self.hash_partitioner());
                    self.both_rdds(site, other, move |left, right, _| Ok(left.$at(site, &right, &partitioner)))
                }

                $(#[$doc_into])*
                #[track_caller]
                pub fn $name_into<W: Data>(
                    &self,
                    partitioner: impl IntoPartitioner<K>,
                    other: &DStream<(K, W)>,
                ) -> DStream<(K, $result)> {
                    let (site, partitioner) = (Site::here(stringify!($name_into)), partitioner.into_partitioner());
                    self.both_rdds(site, other, move |left, right, _| Ok(left.$at(site, &right, &partitioner)))
                }

                $(#[$doc_rdd])*
                #[track_caller]
                pub fn $name_rdd<W: Data>(&self, other: &Rdd<(K, W)>) -> DStream<(K, $result)> {
                    let (site, partitioner) = (Site::here(stringify!($name_rdd)), self.hash_partitioner());
                    let placed = other.placed_at(site, partitioner.clone());
                    self.each_rdd(site, move |rdd, _| Ok(rdd.$at(site, &placed, &partitioner)))
                }
            )*
        }
    };
}

joins! {
    /// For each key that both batches have, every value here with every value there.
    ///
    /// # Examples
    /// ```
    /// use tidemill::testing::TestContext;
    /// let test = TestContext::new();
    /// let (left, right) = (test.stream(vec![vec![(1, 'a'), (2, 'b')]]), test.stream(vec![vec![(1, 'x'), (1, 'y')]]));
    /// let seen = test.collect(&left.join(&right));
    /// test.run(1)?;
    /// assert_eq!(seen.sorted(), [[(1, ('a', 'x')), (1, ('a', 'y'))]]);
    /// # Ok::<(), tidemill::Error>(())
    /// ```
    join,
    /// As [`join`](Self::join), into the partitions of `partitioner`.
    ///
    /// # Examples
    /// ```
    /// use tidemill::testing::TestContext;
    /// let test = TestContext::new();
    /// let (left, right) = (test.stream(vec![vec![(1, 'a')]]), test.stream(vec![vec![(1, 'x')]]));
    /// let seen = test.collect(&left.join_into(3, &right));
    /// test.run(1)?;
    /// assert_eq!(seen.sorted(), [[(1, ('a', 'x'))]]);
    /// # Ok::<(), tidemill::Error>(())
    /// ```
    join_into,
    /// For each key that both a batch and the dataset `other` have, every value of the batch with every value there.
    ///
    /// The dataset is computed and placed by key once, in the first batch. What is to be read anew for every batch
    /// belongs into [`transform`](Self::transform).
    ///
    /// # Examples
    /// ```
    /// use tidemill::testing::TestContext;
    /// let test = TestContext::new();
    /// let names = test.ssc().context().parallelize(vec![(1, "one".to_string()), (2, "two".to_string())], 2);
    /// let seen = test.collect(&test.stream(vec![vec![(1, 'a')], vec![(2, 'b'), (3, 'c')]]).join_rdd(&names));
    /// test.run(2)?;
    /// assert_eq!(seen.sorted(), [[(1, ('a', "one".to_string()))], [(2, ('b', "two".to_string()))]]);
    /// # Ok::<(), tidemill::Error>(())
    /// ```
    join_rdd, join_at => (V, W);

    /// For each key of a batch here, every value here with every value there, or with `None`.
    ///
    /// # Examples
    /// ```
    /// use tidemill::testing::TestContext;
    /// let test = TestContext::new();
    /// let (left, right) = (test.stream(vec![vec![(1, 'a'), (2, 'b')]]), test.stream(vec![vec![(1, 'x')]]));
    /// let seen = test.collect(&left.left_outer_join(&right));
    /// test.run(1)?;
    /// assert_eq!(seen.sorted(), [[(1, ('a', Some('x'))), (2, ('b', None))]]);
    /// # Ok::<(), tidemill::Error>(())
    /// ```
    left_outer_join,
    /// As [`left_outer_join`](Self::left_outer_join), into the partitions of `partitioner`.
    ///
    /// # Examples
    /// ```
    /// use tidemill::testing::TestContext;
    /// let test = TestContext::new();
    /// let (left, right) = (test.stream(vec![vec![(1, 'a')]]), test.stream(vec![vec![(2, 'x')]]));
    /// let seen = test.collect(&left.left_outer_join_into(3, &right));
    /// test.run(1)?;
    /// assert_eq!(seen.sorted(), [[(1, ('a', None))]]);
    /// # Ok::<(), tidemill::Error>(())
    /// ```
    left_outer_join_into,
    /// As [`join_rdd`](Self::join_rdd); a value whose key the dataset does not have comes with `None`.
    ///
    /// # Examples
    /// ```
    /// use tidemill::testing::TestContext;
    /// let test = TestContext::new();
    /// let names = test.ssc().context().parallelize(vec![(1, 'x')], 1);
    /// let seen = test.collect(&test.stream(vec![vec![(1, 'a'), (3, 'c')]]).left_outer_join_rdd(&names));
    /// test.run(1)?;
    /// assert_eq!(seen.sorted(), [[(1, ('a', Some('x'))), (3, ('c', None))]]);
    /// # Ok::<(), tidemill::Error>(())
    /// ```
    left_outer_join_rdd, left_outer_join_at => (V, Option<W>);

    /// For each key of a batch of `other`, every value here, or `None`, with every value there.
    ///
    /// # Examples
    /// ```
    /// use tidemill::testing::TestContext;
    /// let test = TestContext::new();
    /// let (left, right) = (test.stream(vec![vec![(1, 'a')]]), test.stream(vec![vec![(2, 'x')]]));
    /// let seen = test.collect(&left.right_outer_join(&right));
    /// test.run(1)?;
    /// assert_eq!(seen.sorted(), [[(2, (None, 'x'))]]);
    /// # Ok::<(), tidemill::Error>(())
    /// ```
    right_outer_join,
    /// As [`right_outer_join`](Self::right_outer_join), into the partitions of `partitioner`.
    ///
    /// # Examples
    /// ```
    /// use tidemill::testing::TestContext;
    /// let test = TestContext::new();
    /// let (left, right) = (test.stream(vec![vec![(1, 'a')]]), test.stream(vec![vec![(1, 'x')]]));
    /// let seen = test.collect(&left.right_outer_join_into(3, &right));
    /// test.run(1)?;
    /// assert_eq!(seen.sorted(), [[(1, (Some('a'), 'x'))]]);
    /// # Ok::<(), tidemill::Error>(())
    /// ```
    right_outer_join_into,
    /// As [`join_rdd`](Self::join_rdd); every record of the dataset comes out of every batch, with `None` where the
    /// batch does not have its key.
    ///
    /// # Examples
    /// ```
    /// use tidemill::testing::TestContext;
    /// let test = TestContext::new();
    /// let names = test.ssc().context().parallelize(vec![(1, 'x')], 1);
    /// let seen = test.collect(&test.stream(vec![vec![(1, 'a')], vec![]]).right_outer_join_rdd(&names));
    /// test.run(2)?;
    /// assert_eq!(seen.sorted(), [[(1, (Some('a'), 'x'))], [(1, (None, 'x'))]]);
    /// # Ok::<(), tidemill::Error>(())
    /// ```
    right_outer_join_rdd, right_outer_join_at => (Option<V>, W);

    /// For each key of either batch, every value here with every value there; `None` where a side has none.
    ///
    /// # Examples
    /// ```
    /// use tidemill::testing::TestContext;
    /// let test = TestContext::new();
    /// let (left, right) = (test.stream(vec![vec![(1, 'a')]]), test.stream(vec![vec![(2, 'x')]]));
    /// let seen = test.collect(&left.full_outer_join(&right));
    /// test.run(1)?;
    /// assert_eq!(seen.sorted(), [[(1, (Some('a'), None)), (2, (None, Some('x')))]]);
    /// # Ok::<(), tidemill::Error>(())
    /// ```
    full_outer_join,
    /// As [`full_outer_join`](Self::full_outer_join), into the partitions of `partitioner`.
    ///
    /// # Examples
    /// ```
    /// use tidemill::testing::TestContext;
    /// let test = TestContext::new();
    /// let (left, right) = (test.stream(vec![vec![(1, 'a')]]), test.stream(vec![vec![(1, 'x')]]));
    /// let seen = test.collect(&left.full_outer_join_into(3, &right));
    /// test.run(1)?;
    /// assert_eq!(seen.sorted(), [[(1, (Some('a'), Some('x')))]]);
    /// # Ok::<(), tidemill::Error>(())
    /// ```
    full_outer_join_into,
    /// As [`join_rdd`](Self::join_rdd); `None` stands where the batch or the dataset does not have a key.
    ///
    /// # Examples
    /// ```
    /// use tidemill::testing::TestContext;
    /// let test = TestContext::new();
    /// let names = test.ssc().context().parallelize(vec![(1, 'x')], 1);
    /// let seen = test.collect(&test.stream(vec![vec![(2, 'b')]]).full_outer_join_rdd(&names));
    /// test.run(1)?;
    /// assert_eq!(seen.sorted(), [[(1, (None, Some('x'))), (2, (Some('b'), None))]]);
    /// # Ok::<(), tidemill::Error>(())
    /// ```
    full_outer_join_rdd, full_outer_join_at => (Option<V>, Option<W>);
}
