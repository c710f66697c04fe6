//! A random sample of an exact size.

use crate::{
    base::{Data, Error, Result},
    rdd::node::{Rdd, Site},
};
use rand::{RngExt as _, SeedableRng as _, rngs::StdRng, seq::SliceRandom as _};
use std::collections::BTreeMap;

impl<T: Data> Rdd<T> {
    /// `n` records picked at random, in random order; the same ones for the same `seed` and the same dataset.
    ///
    /// Without replacement no record is picked twice, and if there are no more than `n` records all of them come.
    /// Runs two jobs: one counts, and one reads no more of a partition than its last picked record.
    ///
    /// # Errors
    /// If the dataset is not the same when it is computed again; and whatever made a task fail.
    ///
    /// # Examples
    /// ```
    /// let sc = tidemill::Context::local(2);
    /// let sample = sc.range(0, 100, 1, 3).take_sample(false, 5, 42)?;
    /// assert_eq!(sample.len(), 5);
    /// let coins = sc.range(0, 2, 1, 1).take_sample(true, 20, 42)?;
    /// assert_eq!(coins.len(), 20);
    /// # Ok::<(), tidemill::Error>(())
    /// ```
    #[track_caller]
    pub fn take_sample(&self, with_replacement: bool, n: usize, seed: u64) -> Result<Vec<T>> {
        let site = Site::here("take_sample");
        if n == 0 {
            return Ok(Vec::new());
        }
        let counts = self.count_partitions(site)?;
        let total = counts.iter().sum::<u64>();
        if total == 0 {
            return Ok(Vec::new());
        }
        let mut random = StdRng::seed_from_u64(seed);
        let picked: Vec<u64> = if with_replacement {
            (0..n).map(|_| random.random_range(0..total)).collect()
        } else if n as u64 >= total {
            let mut all = self.collect_at(site)?;
            all.shuffle(&mut random);
            return Ok(all);
        } else {
            let picked = rand::seq::index::sample(&mut random, total as usize, n);
            picked.into_iter().map(|index| index as u64).collect()
        };
        self.records_at(site, &counts, &picked)
    }

    /// The records at these positions of the whole dataset.
    fn records_at(&self, site: Site, counts: &[u64], positions: &[u64]) -> Result<Vec<T>> {
        let mut sorted = positions.to_vec();
        sorted.sort_unstable();
        sorted.dedup();
        let wanted = by_partition(counts, &sorted);
        let partitions = wanted.keys().copied().collect();
        let parts = self.run_on(site, partitions, move |rdd, partition, task| {
            let (mut records, mut next) = (rdd.records(partition, task), 0);
            let mut at = |offset: u64| {
                let record = records.nth((offset - next) as usize);
                next = offset + 1;
                record
            };
            wanted[&partition].iter().map_while(|&offset| at(offset)).collect::<Vec<_>>()
        })?;
        let found: Vec<T> = parts.into_iter().flatten().collect();
        if found.len() < sorted.len() {
            return Err(Error::invalid(format!(
                "\"{site}\" found fewer records the second time it computed the dataset; cache it first"
            )));
        }
        let record_at = |position| found[sorted.partition_point(|other| other < position)].clone();
        Ok(positions.iter().map(record_at).collect())
    }
}

/// Positions in the whole dataset, as offsets within each partition.
fn by_partition(counts: &[u64], sorted: &[u64]) -> BTreeMap<usize, Vec<u64>> {
    let (mut wanted, mut positions, mut start) = (BTreeMap::new(), sorted.iter().copied().peekable(), 0);
    for (partition, count) in counts.iter().enumerate() {
        let end = start + count;
        while let Some(position) = positions.next_if(|position| *position < end) {
            wanted.entry(partition).or_insert_with(Vec::new).push(position - start);
        }
        start = end;
    }
    wanted
}
