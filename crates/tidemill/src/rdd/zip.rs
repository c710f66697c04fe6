//! Records side by side, and records with a number.

use super::{
    chunk::Chunked,
    node::{Rdd, Site},
    task::TaskContext,
};
use crate::base::{Data, Error, Result};

/// Pairs records until a side ends; ends the task if the other one does not end with it.
struct Zipped<'a, A, B> {
    lefts: A,
    rights: B,
    pairs: u64,
    site: Site,
    task: &'a TaskContext,
}

impl<A: Iterator, B: Iterator> Iterator for Zipped<'_, A, B> {
    type Item = (A::Item, B::Item);

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        match (self.lefts.next(), self.rights.next()) {
            (Some(left), Some(right)) => {
                self.pairs += 1;
                Some((left, right))
            }
            (None, None) => None,
            (left, right) => {
                let lefts = self.pairs + u64::from(left.is_some()) + self.lefts.by_ref().count() as u64;
                let rights = self.pairs + u64::from(right.is_some()) + self.rights.by_ref().count() as u64;
                self.task.fail(Error::invalid(format!(
                    "\"{}\" failed: partition {} has \"{lefts}\" records on the left and \"{rights}\" on the right; zip \
                     only datasets whose partitions have equally many",
                    self.site, self.task.partition
                )))
            }
        }
    }
}

impl<T: Data> Rdd<T> {
    /// The first record with the first of `other`, the second with the second, and so on.
    ///
    /// A job fails if a partition has more records than the same one of the other dataset.
    ///
    /// # Errors
    /// If the numbers of partitions differ.
    ///
    /// # Examples
    /// ```
    /// let sc = tidemill::Context::local(1);
    /// let numbers = sc.range(0, 3, 1, 2);
    /// let pairs = numbers.zip(&numbers.map(|n| n * n))?;
    /// assert_eq!(pairs.collect()?, vec![(0, 0), (1, 1), (2, 4)]);
    /// # Ok::<(), tidemill::Error>(())
    /// ```
    #[track_caller]
    pub fn zip<U: Data>(&self, other: &Rdd<U>) -> Result<Rdd<(T, U)>> {
        let (site, partitions) = (Site::here("zip"), (self.num_partitions(), other.num_partitions()));
        if partitions.0 != partitions.1 {
            return Err(Error::invalid(format!(
                "\"{site}\" was given datasets of \"{}\" and \"{}\" partitions; give both the same number",
                partitions.0, partitions.1
            )));
        }
        Ok(self.zip_chunks(site, other, false, move |lefts, rights, task| {
            Box::new(Chunked(Zipped { lefts: lefts.flatten(), rights: rights.flatten(), pairs: 0, site, task }))
        }))
    }

    /// Every record with its index, counted through all partitions.
    ///
    /// Where there is more than one partition, a job counts their records when this is called.
    ///
    /// # Errors
    /// Whatever made a task of that job fail.
    ///
    /// # Examples
    /// ```
    /// let sc = tidemill::Context::local(1);
    /// let letters = sc.parallelize(vec!['a', 'b', 'c'], 2);
    /// assert_eq!(letters.zip_with_index()?.collect()?, vec![('a', 0), ('b', 1), ('c', 2)]);
    /// # Ok::<(), tidemill::Error>(())
    /// ```
    #[track_caller]
    pub fn zip_with_index(&self) -> Result<Rdd<(T, u64)>> {
        let site = Site::here("zip_with_index");
        let all_but_last = (1..self.num_partitions()).map(|next| next - 1).collect();
        let counts = self.run_on(site, all_but_last, |rdd, partition, task| {
            rdd.chunks(partition, task).map(|chunk| chunk.len() as u64).sum::<u64>()
        })?;
        let mut starts = vec![0];
        starts.extend(counts.iter().scan(0, |sum, count| {
            *sum += count;
            Some(*sum)
        }));
        Ok(self.map_partition_chunks(site, false, move |partition, chunks, _| {
            Box::new(Chunked(chunks.flatten().zip(starts[partition]..)))
        }))
    }

    /// Every record with a number that no other record has: record `k` of partition `i` of `p` gets `k * p + i`.
    ///
    /// # Examples
    /// ```
    /// let sc = tidemill::Context::local(1);
    /// let letters = sc.parallelize(vec!['a', 'b', 'c'], 2);
    /// assert_eq!(letters.zip_with_unique_id().collect()?, vec![('a', 0), ('b', 1), ('c', 3)]);
    /// # Ok::<(), tidemill::Error>(())
    /// ```
    #[track_caller]
    pub fn zip_with_unique_id(&self) -> Rdd<(T, u64)> {
        let partitions = self.num_partitions();
        self.map_partition_chunks(Site::here("zip_with_unique_id"), false, move |partition, chunks, _| {
            Box::new(Chunked(chunks.flatten().zip((partition as u64..).step_by(partitions))))
        })
    }
}
