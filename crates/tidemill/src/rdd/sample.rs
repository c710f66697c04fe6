//! Records chosen at random, by a seed: the same data and seed always give the same choice.

use super::{
    node::{Rdd, Site},
    task::{Cursor, guarded},
};
use crate::base::{Data, Error, Key, Result};
use rand::{RngExt, SeedableRng, rngs::Xoshiro256PlusPlus};
use std::{collections::HashMap, sync::Arc};

/// The random numbers of one partition; of a generator whose output is fixed, so that processes and releases agree.
pub(crate) fn partition_rng(seed: u64, partition: usize) -> Xoshiro256PlusPlus {
    Xoshiro256PlusPlus::seed_from_u64(seed ^ (partition as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15))
}

/// Means above this are drawn in parts, so that `exp(-mean)` does not vanish.
const LARGEST_MEAN: f64 = 16.0;

/// A number drawn from the Poisson distribution, by Knuth's product of uniform numbers.
fn poisson(mut mean: f64, rng: &mut Xoshiro256PlusPlus) -> usize {
    let mut drawn = 0;
    while mean > LARGEST_MEAN {
        drawn += poisson(LARGEST_MEAN, rng);
        mean -= LARGEST_MEAN;
    }
    let limit = (-mean).exp();
    let mut product: f64 = rng.random();
    while product > limit {
        drawn += 1;
        product *= rng.random::<f64>();
    }
    drawn
}

/// How often a record is in the sample.
fn copies(with_replacement: bool, fraction: f64, rng: &mut Xoshiro256PlusPlus) -> usize {
    if with_replacement { poisson(fraction, rng) } else { usize::from(rng.random::<f64>() < fraction) }
}

/// With replacement, a record comes at most about so often: each copy is drawn one by one.
const LARGEST_FRACTION: f64 = 1_000_000.0;

fn check_fraction(site: Site, with_replacement: bool, fraction: f64) -> Result<()> {
    let most = if with_replacement { LARGEST_FRACTION } else { 1.0 };
    let fits = (0.0..=most).contains(&fraction);
    let range = format!("between 0 and {most}");
    if fits {
        return Ok(());
    }
    Err(Error::invalid(format!("\"{site}\" was given the fraction \"{fraction}\"; give one that is {range}")))
}

impl<T: Data> Rdd<T> {
    /// About `fraction` of the records; with replacement, each may come several times, `fraction` times on average.
    ///
    /// # Errors
    /// If `fraction` is negative, or above 1 without replacement.
    ///
    /// # Examples
    /// ```
    /// let sc = tidemill::Context::local(1);
    /// let some = sc.range(0, 1000, 1, 2).sample(false, 0.1, 7)?;
    /// let n = some.count()?;
    /// assert!(n > 50 && n < 150);
    /// assert_eq!(n, some.count()?);
    /// # Ok::<(), tidemill::Error>(())
    /// ```
    #[track_caller]
    pub fn sample(&self, with_replacement: bool, fraction: f64, seed: u64) -> Result<Rdd<T>> {
        let site = Site::here("sample");
        check_fraction(site, with_replacement, fraction)?;
        Ok(self.sample_at(site, seed, move |_| (with_replacement, fraction)))
    }

    /// Keeps each record as often as chance has it, given whether with replacement and at which fraction.
    fn sample_at(&self, site: Site, seed: u64, how: impl Fn(&T) -> (bool, f64) + Send + Sync + 'static) -> Rdd<T> {
        let how = Arc::new(how);
        self.map_partition_chunks(site, true, move |partition, chunks, task| {
            let (mut rng, cursor, how) = (partition_rng(seed, partition), Cursor::default(), how.clone());
            Box::new(chunks.map(move |chunk| {
                guarded(&site, task, &cursor, || {
                    let mut kept = Vec::new();
                    for record in chunk {
                        cursor.step();
                        let (with_replacement, fraction) = how(&record);
                        let copies = copies(with_replacement, fraction, &mut rng);
                        kept.extend(std::iter::repeat_n(record, copies));
                    }
                    kept
                })
            }))
        })
    }

    /// The records dealt at random to as many datasets as there are `weights`, in proportion to them.
    ///
    /// Every record is in exactly one, provided that this dataset gives the same records in the same order each time.
    ///
    /// # Errors
    /// If there are no weights, one is negative, or all are 0.
    ///
    /// # Examples
    /// ```
    /// let sc = tidemill::Context::local(1);
    /// let parts = sc.range(0, 100, 1, 2).random_split(&[3.0, 1.0], 42)?;
    /// assert_eq!(parts[0].count()? + parts[1].count()?, 100);
    /// # Ok::<(), tidemill::Error>(())
    /// ```
    #[track_caller]
    pub fn random_split(&self, weights: &[f64], seed: u64) -> Result<Vec<Rdd<T>>> {
        let (site, total) = (Site::here("random_split"), weights.iter().sum::<f64>());
        if !(total.is_finite() && total > 0.0) || weights.iter().any(|weight| *weight < 0.0) {
            return Err(Error::invalid(format!(
                "\"{site}\" was given the weights \"{weights:?}\"; give at least one above 0 and none below"
            )));
        }
        let mut upper = 0.0;
        let last = weights.iter().rposition(|weight| *weight > 0.0);
        let parts = weights.iter().enumerate().map(|(part, weight)| {
            let lower = upper;
            // Rounding must not leave a gap at the end.
            upper = if Some(part) >= last { 1.0 } else { lower + weight / total };
            self.split_at(site, seed, lower..upper)
        });
        Ok(parts.collect())
    }

    /// The records whose random number is within `bounds`.
    fn split_at(&self, site: Site, seed: u64, bounds: std::ops::Range<f64>) -> Rdd<T> {
        self.map_partition_chunks(site, true, move |partition, chunks, _| {
            let (mut rng, bounds) = (partition_rng(seed, partition), bounds.clone());
            Box::new(chunks.map(move |mut chunk| {
                chunk.retain(|_| bounds.contains(&rng.random::<f64>()));
                chunk
            }))
        })
    }
}

impl<K: Key, V: Data> Rdd<(K, V)> {
    /// About that fraction of the pairs of each key that `fractions` has for it.
    ///
    /// A job fails at a key that `fractions` does not have.
    ///
    /// # Errors
    /// If a fraction is negative, or above 1 without replacement.
    ///
    /// # Examples
    /// ```
    /// use std::{collections::HashMap, sync::Arc};
    /// let sc = tidemill::Context::local(1);
    /// let pairs = sc.range(0, 100, 1, 2).key_by(|n| n % 2);
    /// let even = pairs.sample_by_key(false, HashMap::from([(0, 1.0), (1, 0.0)]), 7)?;
    /// assert_eq!(even.count()?, 50);
    /// # Ok::<(), tidemill::Error>(())
    /// ```
    #[track_caller]
    pub fn sample_by_key(&self, with_replacement: bool, fractions: HashMap<K, f64>, seed: u64) -> Result<Rdd<(K, V)>> {
        let site = Site::here("sample_by_key");
        fractions.values().try_for_each(|&fraction| check_fraction(site, with_replacement, fraction))?;
        Ok(self.sample_at(site, seed, move |(key, _)| match fractions.get(key) {
            Some(&fraction) => (with_replacement, fraction),
            None => panic!("its key has no fraction; give one for every key"),
        }))
    }
}
