//! Datasets that are read from outside, with a [`Source`] of one's own.

use super::{
    aside,
    chunk::Chunks,
    node::{ErasedRdd, Lineage, Parent, RddNode, Site},
    task::{Cursor, TaskContext, guarded},
};
use crate::base::{Data, Result};
use std::{iter, marker::PhantomData};

/// The records of one partition, chunk by chunk; a chunk of some hundred records is a good one. An error ends the task.
pub type SourceChunks<'a, T> = Box<dyn Iterator<Item = Result<Vec<T>>> + 'a>;

/// What the partitions of a dataset are read from: rows of a table, a range of a log.
///
/// It may be read more than once, by several workers at once, and must give the same records in the same order each time.
///
/// # Examples
/// Numbers in the lines of a text that is at hand; a line that is none is put aside, or fails the job.
/// ```
/// use tidemill::{Context, Result, io::{Source, SourceChunks}, put_aside_from};
/// struct Lines(Vec<&'static str>);
/// impl Source<i64> for Lines {
///     fn partitions(&self) -> usize {
///         self.0.len()
///     }
///     fn place(&self, partition: usize) -> String {
///         format!("text {partition}")
///     }
///     fn read<'a>(&'a self, partition: usize) -> Result<SourceChunks<'a, i64>> {
///         let number = move |(at, line): (usize, &str)| match line.parse() {
///             Ok(number) => Ok(Some(number)),
///             Err(error) => put_aside_from(&self.place(partition), at as u64, line, error as std::num::ParseIntError).map(|()| None),
///         };
///         let numbers: Result<Vec<_>> = self.0[partition].lines().enumerate().map(number).collect();
///         Ok(Box::new(std::iter::once(numbers.map(|numbers| numbers.into_iter().flatten().collect()))))
///     }
/// }
/// let sc = Context::local(2);
/// assert_eq!(sc.read(Lines(vec!["1\n2", "3"])).collect()?, [1, 2, 3]);
/// assert!(sc.read(Lines(vec!["one"])).collect().is_err());
/// # Ok::<(), tidemill::Error>(())
/// ```
pub trait Source<T>: Send + Sync + 'static {
    /// How many partitions there are.
    fn partitions(&self) -> usize;

    /// What a partition is read from, in words: what a dead letter names as the source of its record.
    fn place(&self, partition: usize) -> String;

    /// Reads a partition, on a worker. What is returned is dropped when the task ends, wherever it has come to.
    ///
    /// # Errors
    /// If it cannot be read; Unavailable, if it may be later: the output that reads it is tried again then.
    fn read<'a>(&'a self, partition: usize) -> Result<SourceChunks<'a, T>>;

    /// Where in its place a record is, if it knows; for dead letters. Offsets of a partition grow from record to record.
    fn offset(&self, record: &T) -> Option<u64> {
        let _ = record;
        None
    }
}

/// The dataset of a source.
pub(crate) struct ReadRdd<S, T> {
    source: S,
    site: Site,
    records: PhantomData<fn() -> T>,
}

impl<T: Data, S: Source<T>> ReadRdd<S, T> {
    pub(crate) fn new(site: Site, source: S) -> Self {
        Self { source, site, records: PhantomData }
    }

    /// The chunks; `before` is told how many records there were before each is read.
    fn chunks<'a>(&'a self, partition: usize, task: &'a TaskContext, before: impl Fn(u64) + 'a) -> Chunks<'a, T> {
        let cursor = Cursor::default();
        before(0);
        let opened = guarded(&self.site, task, &cursor, || self.source.read(partition));
        let (mut chunks, mut taken) = (task.expect(opened), 0);
        Box::new(iter::from_fn(move || {
            before(taken);
            let chunk = task.expect(guarded(&self.site, task, &cursor, || chunks.next())?);
            taken += chunk.len() as u64;
            Some(chunk)
        }))
    }
}

impl<T: Data, S: Source<T>> Lineage for ReadRdd<S, T> {
    fn partitions(&self) -> usize {
        self.source.partitions()
    }
    fn source(&self, partition: usize) -> Option<(String, bool)> {
        Some((self.source.place(partition), true))
    }
    fn parents(&self) -> Vec<Parent> {
        Vec::new()
    }
}

impl<T: Data, S: Source<T>> RddNode<T> for ReadRdd<S, T> {
    fn compute<'a>(&'a self, partition: usize, task: &'a TaskContext) -> Chunks<'a, T> {
        self.chunks(partition, task, |_| ())
    }

    fn compute_aside<'a>(
        &'a self,
        partition: usize,
        task: &'a TaskContext,
        operator: &'a dyn ErasedRdd,
    ) -> Chunks<'a, T> {
        let before = move |taken| aside::at(operator.id(), self.site, partition, taken);
        // One by one, so that the last one that was read is the one that fails.
        let records = self.chunks(partition, task, before).flatten();
        Box::new(records.map(move |record| {
            aside::read_at(operator.id(), partition, self.source.offset(&record).into_iter());
            vec![record]
        }))
    }
}
