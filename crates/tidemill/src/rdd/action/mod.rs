//! Actions: what makes a job run and brings a value to the driver.
//!
//! A dataset of no partitions and one of empty partitions are the same to every action. (Spark tells them apart in
//! places: there the mean of an empty partition is 0 and that of no partition an error; here it is 0 in both cases.)

mod approx_distinct;
mod collect;
mod effect;
mod fold;
mod histogram;
mod number;
mod ordered;
mod pair;
mod sample;
mod stat_counter;
mod statistics;
mod tree;

#[cfg(test)]
mod tests;

pub use collect::LocalIter;
pub use number::Number;
pub use stat_counter::StatCounter;

use super::{
    chunk::Chunks,
    node::{Rdd, Site},
    task::{Cursor, TaskContext, guarded, run_guarded},
};
use crate::base::{Data, Error, Result};

/// Takes `state` through all records of a partition.
fn fold_records<T, A>(
    site: &Site,
    task: &TaskContext,
    chunks: Chunks<'_, T>,
    mut state: A,
    step: &impl Fn(A, T) -> A,
) -> A {
    let cursor = Cursor::default();
    for chunk in chunks {
        state = guarded(site, task, &cursor, || {
            chunk.into_iter().fold(state, |state, record| {
                cursor.step();
                step(state, record)
            })
        });
    }
    state
}

/// Runs a user function on the driver, over what the partitions came to.
fn on_driver<R>(site: Site, f: impl FnOnce() -> R) -> Result<R> {
    run_guarded(format_args!("\"{site}\" failed while the results of the partitions were combined"), f)
}

/// The error of an action that has no value for a dataset without records.
#[cold]
fn empty(site: Site) -> Error {
    Error::invalid(format!(
        "\"{site}\" has no value because the dataset is empty; test with is_empty first, or use fold with a zero value"
    ))
}

impl<T: Data> Rdd<T> {
    /// `zero` taken through the records of each partition.
    fn fold_partitions<A: Data>(
        &self,
        site: Site,
        zero: A,
        step: impl Fn(A, T) -> A + Send + Sync + 'static,
    ) -> Result<Vec<A>> {
        self.run(site, move |rdd, partition, task| {
            fold_records(&site, task, rdd.chunks(partition, task), zero.clone(), &step)
        })
    }
}
