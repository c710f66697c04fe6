//! Transformations that need no shuffle: each partition is made from the same partition of one parent.

use super::{
    aside,
    chunk::{CHUNK_RECORDS, Chunked, Chunks},
    node::{ErasedRdd, Lineage, Parent, Rdd, RddNode, Site},
    one_by_one::OneByOne,
    partitioner::PartitionerId,
    task::{Cursor, TaskContext, guarded},
};
use crate::base::Data;
use std::marker::PhantomData;

/// One parent, the same partitions, and a function: what every narrow node is.
pub(crate) struct Narrow<T, F> {
    parent: Rdd<T>,
    site: Site,
    keeps_partitioner: bool,
    f: F,
}

impl<T: Data, F: Kind> Lineage for Narrow<T, F> {
    fn partitions(&self) -> usize {
        self.parent.num_partitions()
    }
    fn parents(&self) -> Vec<Parent> {
        vec![self.parent.as_parent()]
    }
    fn partitioner(&self) -> Option<PartitionerId> {
        self.parent.partitioner_id().filter(|_| self.keeps_partitioner)
    }
    fn is_one_to_one(&self) -> bool {
        F::ONE_TO_ONE
    }
}

/// What kind of function a narrow node has.
pub(crate) trait Kind: Send + Sync {
    /// Whether it makes one record of each.
    const ONE_TO_ONE: bool = false;
}

/// Makes one record of each.
struct EachMapped<F>(F);
/// Keeps some records.
struct Kept<F>(F);
/// Makes one value of each.
struct EachValue<F>(F);
/// Makes any number of records of each record.
struct PerRecord<F, I>(F, PhantomData<fn() -> I>);
/// Makes the chunks of a partition of the parent's chunks.
struct PerPartition<F>(F);

impl<F: Send + Sync> Kind for EachMapped<F> {
    const ONE_TO_ONE: bool = true;
}
impl<F: Send + Sync> Kind for Kept<F> {}
impl<F: Send + Sync> Kind for EachValue<F> {
    const ONE_TO_ONE: bool = true;
}
impl<F: Send + Sync, I> Kind for PerRecord<F, I> {}
impl<F: Send + Sync> Kind for PerPartition<F> {}

impl<T: Data, F: Kind> Narrow<T, F> {
    /// Rewrites one chunk at a time; `f` steps the cursor for each record.
    fn by_chunks<'a, U>(
        &'a self,
        partition: usize,
        task: &'a TaskContext,
        f: impl Fn(Vec<T>, &Cursor) -> Vec<U> + 'a,
    ) -> Chunks<'a, U> {
        let cursor = Cursor::default();
        let chunks = self.parent.chunks(partition, task);
        Box::new(chunks.map(move |chunk| guarded(&self.site, task, &cursor, || f(chunk, &cursor))))
    }

    fn one_by_one<'a, I>(
        &'a self,
        partition: usize,
        task: &'a TaskContext,
        operator: &'a dyn ErasedRdd,
        f: impl Fn(T) -> I + 'a,
    ) -> Chunks<'a, I::Item>
    where
        I: IntoIterator + 'a,
    {
        Box::new(OneByOne::new(self.parent.chunks(partition, task), task, (operator, partition), f))
    }
}

impl<T: Data, U: Data, F: Fn(T) -> U + Send + Sync> RddNode<U> for Narrow<T, EachMapped<F>> {
    fn compute<'a>(&'a self, partition: usize, task: &'a TaskContext) -> Chunks<'a, U> {
        self.by_chunks(partition, task, |chunk, cursor| {
            let mut steps = cursor.steps();
            let one = |record| {
                steps.step();
                (self.f.0)(record)
            };
            chunk.into_iter().map(one).collect()
        })
    }
    fn compute_aside<'a>(
        &'a self,
        partition: usize,
        task: &'a TaskContext,
        operator: &'a dyn ErasedRdd,
    ) -> Chunks<'a, U> {
        self.one_by_one(partition, task, operator, |record| Some((self.f.0)(record)))
    }
}

impl<T: Data, F: Fn(&T) -> bool + Send + Sync> RddNode<T> for Narrow<T, Kept<F>> {
    fn compute<'a>(&'a self, partition: usize, task: &'a TaskContext) -> Chunks<'a, T> {
        self.by_chunks(partition, task, |mut chunk, cursor| {
            let mut steps = cursor.steps();
            chunk.retain(|record| {
                steps.step();
                (self.f.0)(record)
            });
            chunk
        })
    }
    fn compute_aside<'a>(
        &'a self,
        partition: usize,
        task: &'a TaskContext,
        operator: &'a dyn ErasedRdd,
    ) -> Chunks<'a, T> {
        self.one_by_one(partition, task, operator, |record| Some(record).filter(|record| (self.f.0)(record)))
    }
}

impl<K: Data, V: Data, W: Data, F: Fn(V) -> W + Send + Sync> RddNode<(K, W)> for Narrow<(K, V), EachValue<F>> {
    fn compute<'a>(&'a self, partition: usize, task: &'a TaskContext) -> Chunks<'a, (K, W)> {
        self.by_chunks(partition, task, |chunk, cursor| {
            let one = |(key, value)| {
                cursor.step();
                (key, (self.f.0)(value))
            };
            chunk.into_iter().map(one).collect()
        })
    }
    fn compute_aside<'a>(
        &'a self,
        partition: usize,
        task: &'a TaskContext,
        operator: &'a dyn ErasedRdd,
    ) -> Chunks<'a, (K, W)> {
        self.one_by_one(partition, task, operator, |(key, value)| Some((key, (self.f.0)(value))))
    }
}

impl<T: Data, I, F> RddNode<I::Item> for Narrow<T, PerRecord<F, I>>
where
    F: Fn(T) -> I + Send + Sync,
    I: IntoIterator + 'static,
    I::Item: Data,
{
    fn compute<'a>(&'a self, partition: usize, task: &'a TaskContext) -> Chunks<'a, I::Item> {
        Box::new(FlatMapChunks {
            chunks: self.parent.chunks(partition, task),
            node: self,
            task,
            cursor: Cursor::default(),
            records: Vec::new().into_iter(),
            made: None,
        })
    }
    fn compute_aside<'a>(
        &'a self,
        partition: usize,
        task: &'a TaskContext,
        operator: &'a dyn ErasedRdd,
    ) -> Chunks<'a, I::Item> {
        self.one_by_one(partition, task, operator, &self.f.0)
    }
}

/// Fills chunks with what the records of the parent are made into, however many each becomes.
struct FlatMapChunks<'a, T, F, I: IntoIterator> {
    chunks: Chunks<'a, T>,
    node: &'a Narrow<T, PerRecord<F, I>>,
    task: &'a TaskContext,
    cursor: Cursor,
    records: std::vec::IntoIter<T>,
    made: Option<I::IntoIter>,
}

impl<T, F, I> Iterator for FlatMapChunks<'_, T, F, I>
where
    F: Fn(T) -> I,
    I: IntoIterator,
{
    type Item = Vec<I::Item>;

    fn next(&mut self) -> Option<Self::Item> {
        // Room for the last record to overshoot; see `fill`.
        let mut out = Vec::with_capacity(2 * CHUNK_RECORDS);
        while out.len() < CHUNK_RECORDS {
            if self.made.is_none() && self.records.len() == 0 {
                match self.chunks.next() {
                    Some(chunk) => self.records = chunk.into_iter(),
                    None => break,
                }
            }
            let Self { node, task, cursor, records, made, .. } = self;
            guarded(&node.site, task, cursor, || fill(&node.f.0, cursor, records, made, &mut out));
        }
        (!out.is_empty()).then_some(out)
    }
}

/// How many records a chunk may have too many, as their number is only bounded beforehand: a line of some kilobytes has a
/// word for every sixth byte, and could have one for each.
const MOST_AT_ONCE: usize = 8 * CHUNK_RECORDS;

/// Fills `out` up to a chunk, keeping in `made` what is left of the last record.
///
/// A record that becomes no more than [`MOST_AT_ONCE`] is taken to its end at once: an iterator that drives the loop itself
/// (`for_each`) is faster than one that is asked for one item after another.
#[inline]
fn fill<T, I: IntoIterator>(
    f: &impl Fn(T) -> I,
    cursor: &Cursor,
    records: &mut std::vec::IntoIter<T>,
    made: &mut Option<I::IntoIter>,
    out: &mut Vec<I::Item>,
) {
    loop {
        if let Some(rest) = made {
            for record in rest.by_ref() {
                out.push(record);
                if out.len() >= CHUNK_RECORDS {
                    return;
                }
            }
            *made = None;
        }
        let Some(record) = records.next() else { return };
        cursor.step();
        let items = f(record).into_iter();
        if items.size_hint().1.is_some_and(|most| most <= MOST_AT_ONCE) {
            items.for_each(|item| out.push(item));
            if out.len() >= CHUNK_RECORDS {
                return;
            }
        } else {
            *made = Some(items);
        }
    }
}

impl<T: Data, U: Data, F> RddNode<U> for Narrow<T, PerPartition<F>>
where
    F: for<'a> Fn(usize, Chunks<'a, T>, &'a TaskContext) -> Chunks<'a, U> + Send + Sync,
{
    fn compute<'a>(&'a self, partition: usize, task: &'a TaskContext) -> Chunks<'a, U> {
        let cursor = Cursor::default();
        let chunks = self.parent.chunks(partition, task);
        let mut made = guarded(&self.site, task, &cursor, || (self.f.0)(partition, chunks, task));
        Box::new(std::iter::from_fn(move || guarded(&self.site, task, &cursor, || made.next())))
    }
    fn compute_aside<'a>(
        &'a self,
        partition: usize,
        task: &'a TaskContext,
        operator: &'a dyn ErasedRdd,
    ) -> Chunks<'a, U> {
        // Only to say where a function is that puts a record aside by itself.
        let (cursor, mut taken) = (Cursor::default(), 0);
        let chunks = Box::new(self.parent.chunks(partition, task).inspect(move |chunk| {
            taken += chunk.len() as u64;
            aside::at(operator.id(), self.site, partition, taken);
        }));
        let mut made = guarded(&self.site, task, &cursor, || (self.f.0)(partition, chunks, task));
        Box::new(std::iter::from_fn(move || guarded(&self.site, task, &cursor, || made.next())))
    }
}

impl<T: Data> Rdd<T> {
    fn narrow<U: Data, F>(&self, site: Site, keeps_partitioner: bool, f: F) -> Rdd<U>
    where
        Narrow<T, F>: RddNode<U> + 'static,
    {
        Rdd::from_node(self.session(), site, Narrow { parent: self.clone(), site, keeps_partitioner, f })
    }

    /// A narrow transformation of whole partitions.
    pub(crate) fn map_partition_chunks<U: Data>(
        &self,
        site: Site,
        keeps_partitioner: bool,
        f: impl for<'a> Fn(usize, Chunks<'a, T>, &'a TaskContext) -> Chunks<'a, U> + Send + Sync + 'static,
    ) -> Rdd<U> {
        self.narrow(site, keeps_partitioner, PerPartition(f))
    }

    pub(crate) fn map_at<U: Data>(&self, site: Site, f: impl Fn(T) -> U + Send + Sync + 'static) -> Rdd<U> {
        self.narrow(site, false, EachMapped(f))
    }

    pub(crate) fn filter_at(&self, site: Site, f: impl Fn(&T) -> bool + Send + Sync + 'static) -> Rdd<T> {
        self.narrow(site, true, Kept(f))
    }

    pub(crate) fn flat_map_at<I>(&self, site: Site, f: impl Fn(T) -> I + Send + Sync + 'static) -> Rdd<I::Item>
    where
        I: IntoIterator + 'static,
        I::Item: Data,
    {
        self.flat_map_keeping_at(site, false, f)
    }

    pub(crate) fn flat_map_keeping_at<I>(
        &self,
        site: Site,
        keeps_partitioner: bool,
        f: impl Fn(T) -> I + Send + Sync + 'static,
    ) -> Rdd<I::Item>
    where
        I: IntoIterator + 'static,
        I::Item: Data,
    {
        self.narrow(site, keeps_partitioner, PerRecord(f, PhantomData))
    }

    /// Applies `f` to every record.
    ///
    /// # Examples
    /// ```
    /// let sc = tidemill::Context::local(1);
    /// assert_eq!(sc.range(0, 3, 1, 1).map(|n| n * n).collect()?, vec![0, 1, 4]);
    /// # Ok::<(), tidemill::Error>(())
    /// ```
    #[track_caller]
    pub fn map<U: Data>(&self, f: impl Fn(T) -> U + Send + Sync + 'static) -> Rdd<U> {
        self.map_at(Site::here("map"), f)
    }

    /// Keeps the records for which `f` holds; their partitioner too.
    ///
    /// # Examples
    /// ```
    /// let sc = tidemill::Context::local(1);
    /// assert_eq!(sc.range(0, 5, 1, 2).filter(|n| n % 2 == 1).collect()?, vec![1, 3]);
    /// # Ok::<(), tidemill::Error>(())
    /// ```
    #[track_caller]
    pub fn filter(&self, f: impl Fn(&T) -> bool + Send + Sync + 'static) -> Rdd<T> {
        self.filter_at(Site::here("filter"), f)
    }

    /// Replaces every record by all that `f` makes of it.
    ///
    /// # Examples
    /// ```
    /// let sc = tidemill::Context::local(1);
    /// assert_eq!(sc.range(1, 4, 1, 1).flat_map(|n| 0..n).collect()?, vec![0, 0, 1, 0, 1, 2]);
    /// # Ok::<(), tidemill::Error>(())
    /// ```
    #[track_caller]
    pub fn flat_map<I>(&self, f: impl Fn(T) -> I + Send + Sync + 'static) -> Rdd<I::Item>
    where
        I: IntoIterator + 'static,
        I::Item: Data,
    {
        self.flat_map_at(Site::here("flat_map"), f)
    }

    /// Applies `f` to the records of each partition as a whole; empty partitions too.
    ///
    /// # Examples
    /// ```
    /// let sc = tidemill::Context::local(1);
    /// let sums = sc.range(0, 6, 1, 2).map_partitions(|records| [records.sum::<i64>()]);
    /// assert_eq!(sums.collect()?, vec![3, 12]);
    /// # Ok::<(), tidemill::Error>(())
    /// ```
    #[track_caller]
    pub fn map_partitions<I>(
        &self,
        f: impl Fn(&mut dyn Iterator<Item = T>) -> I + Send + Sync + 'static,
    ) -> Rdd<I::Item>
    where
        I: IntoIterator + 'static,
        I::Item: Data,
    {
        self.map_partitions_at(Site::here("map_partitions"), false, move |_, records| f(records))
    }

    /// As [`map_partitions`](Self::map_partitions), with the index of the partition.
    ///
    /// # Examples
    /// ```
    /// let sc = tidemill::Context::local(1);
    /// let sizes = sc.range(0, 5, 1, 2).map_partitions_with_index(|i, records| [(i, records.count())]);
    /// assert_eq!(sizes.collect()?, vec![(0, 2), (1, 3)]);
    /// # Ok::<(), tidemill::Error>(())
    /// ```
    #[track_caller]
    pub fn map_partitions_with_index<I>(
        &self,
        f: impl Fn(usize, &mut dyn Iterator<Item = T>) -> I + Send + Sync + 'static,
    ) -> Rdd<I::Item>
    where
        I: IntoIterator + 'static,
        I::Item: Data,
    {
        self.map_partitions_at(Site::here("map_partitions_with_index"), false, f)
    }

    pub(crate) fn map_partitions_at<I>(
        &self,
        site: Site,
        keeps_partitioner: bool,
        f: impl Fn(usize, &mut dyn Iterator<Item = T>) -> I + Send + Sync + 'static,
    ) -> Rdd<I::Item>
    where
        I: IntoIterator + 'static,
        I::Item: Data,
    {
        self.map_partition_chunks(site, keeps_partitioner, move |partition, chunks, _| {
            Box::new(Chunked(f(partition, &mut chunks.flatten()).into_iter()))
        })
    }

    /// One list of all records for each partition; an empty list for an empty one.
    ///
    /// # Examples
    /// ```
    /// let sc = tidemill::Context::local(1);
    /// assert_eq!(sc.range(0, 3, 1, 2).glom().collect()?, vec![vec![0], vec![1, 2]]);
    /// # Ok::<(), tidemill::Error>(())
    /// ```
    #[track_caller]
    pub fn glom(&self) -> Rdd<Vec<T>> {
        self.map_partitions_at(Site::here("glom"), false, |_, records| [records.collect::<Vec<_>>()])
    }
}

impl<K: Data, V: Data> Rdd<(K, V)> {
    pub(crate) fn map_values_at<W: Data>(&self, site: Site, f: impl Fn(V) -> W + Send + Sync + 'static) -> Rdd<(K, W)> {
        self.narrow(site, true, EachValue(f))
    }
}
