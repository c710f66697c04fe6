//! What a job looks like: equal in two processes that do the same, and most likely not in two that do not.

use crate::rdd::{ErasedRdd, Job};
use std::fmt::Write;

/// A hash of where a job comes from in the program and of its shape. It is compared between processes of one build.
pub(super) fn fingerprint(job: &Job) -> u64 {
    let mut text = String::new();
    let mut add = |rdd: &dyn ErasedRdd, after: &[usize]| {
        // Writing to a string cannot fail.
        let _ = write!(text, "{} x{} after {after:?};", rdd.site(), rdd.lineage().partitions());
    };
    for stage in &job.shuffles {
        add(&*stage.shuffle.map_side(), &stage.after);
    }
    add(&*job.result.rdd, &job.result.after);
    for stage in &job.shuffles {
        let _ = write!(text, "{} to {};", stage.shuffle.site(), stage.shuffle.reduce_partitions());
    }
    let _ = write!(text, "{} of {:?} in {:?}", job.site, job.result.partitions, job.scope.batch_time);
    rapidhash::v3::rapidhash_v3(text.as_bytes())
}
