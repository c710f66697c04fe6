//! An estimate of how many different records there are.

use super::fold_records;
use crate::{
    base::{Error, Key, Result},
    rdd::{
        node::{Rdd, Site},
        partitioner::stable_hash,
    },
};
use datasketches::hll::{HllSketch, HllType, HllUnion};

impl<T: Key> Rdd<T> {
    /// About how many different records there are. `relative_sd` is the standard deviation of the estimate, relative to
    /// the truth: two of three estimates are closer. A task keeps about `(1.04 / relative_sd)^2` bytes, rounded up to a power of two: 512 for
    /// 0.05.
    ///
    /// The same dataset gives the same estimate, however it is partitioned and on whichever process.
    ///
    /// # Errors
    /// If `relative_sd` is not between 0.0008 and 1; and whatever made a task fail.
    ///
    /// # Examples
    /// ```
    /// let sc = tidemill::Context::local(2);
    /// let about = sc.range(0, 30_000, 1, 4).map(|n| n % 10_000).count_approx_distinct(0.02)?;
    /// assert!((9_000..11_000).contains(&about));
    /// # Ok::<(), tidemill::Error>(())
    /// ```
    #[track_caller]
    pub fn count_approx_distinct(&self, relative_sd: f64) -> Result<u64> {
        let site = Site::here("count_approx_distinct");
        let lg_registers = lg_registers(relative_sd).ok_or_else(|| {
            Error::invalid(format!(
                "\"{site}\" was given a relative standard deviation of \"{relative_sd}\"; give one from 0.0008 to 1, or \
                 count exactly with distinct"
            ))
        })?;
        let sketches = self.run(site, move |rdd, partition, task| {
            let empty = task.expect(HllSketch::new(lg_registers, HllType::Hll8).map_err(of_sketch));
            let sketch = fold_records(&site, task, rdd.chunks(partition, task), empty, &|mut sketch, record| {
                sketch.update(stable_hash(&record));
                sketch
            });
            sketch.serialize()
        })?;
        let mut union = HllUnion::new(lg_registers).map_err(of_sketch)?;
        for bytes in sketches {
            union.update(&HllSketch::deserialize(&bytes).map_err(of_sketch)?);
        }
        // Unlike the plain estimate it does not depend on the order in which records and sketches came.
        Ok(union.composite_estimate().round() as u64)
    }
}

/// The power of two of registers whose estimates have this standard deviation, relative to the truth.
fn lg_registers(relative_sd: f64) -> Option<u8> {
    if !(relative_sd > 0.0 && relative_sd <= 1.0) {
        return None;
    }
    let lg = (2.0 * (1.04 / relative_sd).log2()).ceil().max(4.0) as u8;
    (lg <= 21).then_some(lg)
}

fn of_sketch(error: datasketches::error::Error) -> Error {
    Error::internal("a sketch of distinct records could not be used").with_source(error)
}
