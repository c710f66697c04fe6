//! Actions that combine the partitions on the workers, level by level, before the rest reaches the driver.

use super::{empty, fold_records, on_driver};
use crate::{
    base::{Data, Error, Result},
    rdd::{
        chunk::Chunked,
        node::{Rdd, Site},
        shuffle::{Shuffle, Shuffled},
        task::{Cursor, guarded},
    },
};
use std::sync::Arc;

impl<T: Data> Rdd<T> {
    /// As [`aggregate`](Self::aggregate), but partitions are merged on the workers in groups, about `depth` levels of
    /// them: for many partitions or large results. `zero` counts once for each partition and not again at the end.
    ///
    /// # Errors
    /// If `depth` is 0; and whatever made a task fail.
    ///
    /// # Examples
    /// ```
    /// let sc = tidemill::Context::local(2);
    /// let longest = sc.range(0, 100, 1, 20).tree_aggregate(0, |a, n| a.max(n), |a, b| a.max(b), 2)?;
    /// assert_eq!(longest, 99);
    /// # Ok::<(), tidemill::Error>(())
    /// ```
    #[track_caller]
    pub fn tree_aggregate<A: Data>(
        &self,
        zero: A,
        add: impl Fn(A, T) -> A + Send + Sync + 'static,
        merge: impl Fn(A, A) -> A + Send + Sync + 'static,
        depth: usize,
    ) -> Result<A> {
        let site = Site::here("tree_aggregate");
        let start = zero.clone();
        let parts = self.map_partition_chunks(site, false, move |_, chunks, task| {
            let value = fold_records(&site, task, chunks, start.clone(), &add);
            Box::new(std::iter::once(vec![value]))
        });
        Ok(merge_levels(&parts, site, merge, depth)?.unwrap_or(zero))
    }

    /// As [`reduce`](Self::reduce), but partitions are combined on the workers in groups, about `depth` levels of them.
    ///
    /// # Errors
    /// If there is no record or `depth` is 0; and whatever made a task fail.
    ///
    /// # Examples
    /// ```
    /// let sc = tidemill::Context::local(2);
    /// assert_eq!(sc.range(0, 100, 1, 20).tree_reduce(|a, b| a + b, 3)?, 4950);
    /// # Ok::<(), tidemill::Error>(())
    /// ```
    #[track_caller]
    pub fn tree_reduce(&self, f: impl Fn(T, T) -> T + Send + Sync + 'static, depth: usize) -> Result<T> {
        let site = Site::here("tree_reduce");
        let f = Arc::new(f);
        let step = f.clone();
        let parts = self.map_partition_chunks(site, false, move |_, chunks, task| {
            let value = fold_records(&site, task, chunks, None, &|best: Option<T>, record| match best {
                Some(best) => Some(step(best, record)),
                None => Some(record),
            });
            Box::new(Chunked(value.into_iter()))
        });
        merge_levels(&parts, site, move |a, b| f(a, b), depth)?.ok_or_else(|| empty(site))
    }
}

/// Merges the at most one value of each partition, on the workers while there are many and then on the driver.
/// Neighbours are merged with neighbours, so `merge` need not be commutative.
fn merge_levels<A: Data>(
    parts: &Rdd<A>,
    site: Site,
    merge: impl Fn(A, A) -> A + Send + Sync + 'static,
    depth: usize,
) -> Result<Option<A>> {
    if depth == 0 {
        return Err(Error::invalid(format!("\"{site}\" was given the depth \"0\"; give at least 1")));
    }
    let merge = Arc::new(merge);
    let mut level = parts.clone();
    let scale = scale(level.num_partitions(), depth);
    while level.num_partitions() > scale + level.num_partitions().div_ceil(scale) {
        level = merge_groups(&level, site, &merge, level.num_partitions() / scale);
    }
    let last = level.collect_at(site)?;
    on_driver(site, || last.into_iter().reduce(|a, b| merge(a, b)))
}

/// How many partitions make one of the next level: the `depth`th root of their number, and at least 2.
fn scale(partitions: usize, depth: usize) -> usize {
    ((partitions as f64).powf(1.0 / depth as f64).ceil() as usize).max(2)
}

/// One level: the partitions go to `groups` partitions, in which they are merged.
fn merge_groups<A: Data, F>(level: &Rdd<A>, site: Site, merge: &Arc<F>, groups: usize) -> Rdd<A>
where
    F: Fn(A, A) -> A + Send + Sync + 'static,
{
    let (parent, partitions) = (level.clone(), level.num_partitions());
    let shuffle = Shuffle::new(level, site, groups, move |partition, task, emit| {
        emit(partition * groups / partitions, parent.records(partition, task).collect());
    });
    let merge = merge.clone();
    Rdd::from_node(level.session(), site, Shuffled { shuffle, partitioner: None }).map_partition_chunks(
        site,
        false,
        move |_, chunks, task| {
            let merged = guarded(&site, task, &Cursor::default(), || chunks.flatten().reduce(|a, b| merge(a, b)));
            Box::new(Chunked(merged.into_iter()))
        },
    )
}
