//! Histograms: how many records lie between boundaries.

use super::{empty, number::Number};
use crate::{
    base::{Data, Error, Result},
    rdd::node::{Rdd, Site},
};
use std::{cmp::Ordering, sync::Arc};

impl<T: Number> Rdd<T> {
    /// How many numbers lie in each of `buckets` buckets of equal width from the least number to the greatest: the
    /// boundaries and the counts. The last bucket includes its end, NaN is in none, and if all numbers are equal there
    /// is one bucket. Runs two jobs.
    ///
    /// # Errors
    /// If `buckets` is 0, there is no number or the greatest is infinite; and whatever made a task fail.
    ///
    /// # Examples
    /// ```
    /// let sc = tidemill::Context::local(2);
    /// let (boundaries, counts) = sc.range(0, 51, 1, 3).histogram(2)?;
    /// assert_eq!((boundaries, counts), (vec![0.0, 25.0, 50.0], vec![25, 26]));
    /// # Ok::<(), tidemill::Error>(())
    /// ```
    #[track_caller]
    pub fn histogram(&self, buckets: usize) -> Result<(Vec<f64>, Vec<u64>)> {
        let site = Site::here("histogram");
        if buckets == 0 {
            return Err(Error::invalid(format!("\"{site}\" was asked for \"0\" buckets; ask for at least 1")));
        }
        let numbers = self.map_at(site, |n| n.to_f64()).filter_at(site, |n| !n.is_nan());
        let range = numbers
            .fold_partitions(site, (f64::INFINITY, f64::NEG_INFINITY), |(min, max), n: f64| (min.min(n), max.max(n)))?;
        let (min, max) =
            range.into_iter().fold((f64::INFINITY, f64::NEG_INFINITY), |a, b| (a.0.min(b.0), a.1.max(b.1)));
        if min > max {
            return Err(empty(site));
        }
        if !(max - min).is_finite() {
            return Err(Error::data(format!(
                "\"{site}\" found numbers from \"{min}\" to \"{max}\", which no even buckets divide; filter the infinite \
                 ones out, or give the boundaries to histogram_by"
            )));
        }
        let boundaries = even_boundaries(min, max, buckets);
        let counts = numbers.count_between(site, boundaries.clone())?;
        Ok((boundaries, counts))
    }
}

impl<T: Data + PartialOrd> Rdd<T> {
    /// How many records lie between each boundary and the next; the last bucket includes its end. What lies outside
    /// the boundaries or compares with none is not counted.
    ///
    /// # Errors
    /// If there are fewer than two boundaries or they do not rise; and whatever made a task fail.
    ///
    /// # Examples
    /// ```
    /// let sc = tidemill::Context::local(2);
    /// assert_eq!(sc.range(0, 51, 1, 3).histogram_by(vec![0, 5, 25, 50])?, vec![5, 20, 26]);
    /// let words = sc.parallelize(vec!["ab".to_string(), "ac".into(), "b".into(), "bd".into(), "ef".into()], 2);
    /// assert_eq!(words.histogram_by(vec!["a".into(), "b".into(), "c".into()])?, vec![2, 2]);
    /// # Ok::<(), tidemill::Error>(())
    /// ```
    #[track_caller]
    pub fn histogram_by(&self, boundaries: Vec<T>) -> Result<Vec<u64>> {
        let site = Site::here("histogram_by");
        if boundaries.len() < 2 {
            let given = boundaries.len();
            return Err(Error::invalid(format!("\"{site}\" was given \"{given}\" boundaries; give at least 2")));
        }
        if boundaries.windows(2).any(|pair| pair[0].partial_cmp(&pair[1]) != Some(Ordering::Less)) {
            return Err(Error::invalid(format!(
                "\"{site}\" was given boundaries that do not rise; sort them and drop the duplicates"
            )));
        }
        self.count_between(site, boundaries)
    }

    fn count_between(&self, site: Site, boundaries: Vec<T>) -> Result<Vec<u64>> {
        let zero = vec![0_u64; boundaries.len() - 1];
        let boundaries = Arc::new(boundaries);
        let parts = self.fold_partitions(site, zero.clone(), move |mut counts, record| {
            if let Some(bucket) = bucket_of(&boundaries, &record) {
                counts[bucket] += 1;
            }
            counts
        })?;
        Ok(parts.iter().fold(zero, |mut counts, part| {
            counts.iter_mut().zip(part).for_each(|(count, more)| *count += more);
            counts
        }))
    }
}

fn bucket_of<T: PartialOrd>(boundaries: &[T], record: &T) -> Option<usize> {
    let (first, last) = (boundaries.first()?, boundaries.last()?);
    if !(record >= first && record <= last) {
        return None;
    }
    let after = boundaries.partition_point(|boundary| boundary <= record);
    Some(after.min(boundaries.len() - 1) - 1)
}

/// Boundaries of buckets of equal width; one bucket if that width would be too small to tell them apart.
fn even_boundaries(min: f64, max: f64, buckets: usize) -> Vec<f64> {
    if min == max {
        return vec![min, max];
    }
    let width = (max - min) / buckets as f64;
    let mut boundaries: Vec<_> = (0..buckets).map(|i| min + i as f64 * width).collect();
    boundaries.push(max);
    boundaries
}
