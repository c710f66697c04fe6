//! Where batches go: the contract of a place that is written once for each batch, however often the batch runs.

mod directory;

pub use directory::{ObjectDirectories, TextDirectories};

use crate::{
    base::{Data, Error, Result, Time},
    dstream::DStream,
    rdd::{Rdd, Site, task::run_guarded},
};
use std::sync::Arc;

/// A place that the batches of a stream are written to, keyed by batch time and partition.
///
/// For each batch, in this order:
///
/// 1. [`begin`](Self::begin), on the driver;
/// 2. [`write`](Self::write) for every partition, empty ones too, on the workers: in any order, at once, perhaps in
///    other processes, perhaps more than once for one partition;
/// 3. [`commit`](Self::commit) with the receipt of every partition, on the driver; or [`abort`](Self::abort) if
///    anything before it failed. An abort that fails changes nothing about the batch.
///
/// What a sink must keep to, so that its output is written exactly once:
///
/// - **A batch may run again** from `begin` on, after an abort, after a crash at any point, and after a commit that
///   succeeded but was forgotten by a restart. Running it again changes nothing: the same time and partition is the same
///   place, and what is there is replaced or recognised, never added to.
/// - **Before `commit` nobody sees** anything of the batch, or can tell that it is incomplete.
/// - **`commit` is all or nothing**, and so quick that a crash inside of it is rare; a batch half committed is made
///   whole when it runs again.
/// - **After `abort`** nothing of the batch is seen. There may be no call of `abort`: a crash makes none.
/// - An earlier attempt that was left for dead may still write; it must not hurt the one that commits.
///
/// [`testing::check_sink`](crate::testing::check_sink) tries these out on a sink of your own.
///
/// # Examples
/// A sink that keeps the sum of each batch:
/// ```
/// use std::{collections::BTreeMap, sync::{Arc, Mutex}};
/// use tidemill::{Result, Time, io::Sink, testing::TestContext};
///
/// #[derive(Clone, Default)]
/// struct Sums(Arc<Mutex<BTreeMap<Time, i64>>>);
///
/// impl Sink<i64> for Sums {
///     type Receipt = i64;
///
///     fn write(&self, _time: Time, _partition: usize, records: &mut dyn Iterator<Item = i64>) -> Result<i64> {
///         Ok(records.sum())
///     }
///
///     fn commit(&self, time: Time, receipts: Vec<i64>) -> Result<()> {
///         // To insert again what is there already changes nothing.
///         self.0.lock().expect("no user of it panics").insert(time, receipts.into_iter().sum());
///         Ok(())
///     }
/// }
///
/// let (test, sums) = (TestContext::new(), Sums::default());
/// test.stream(vec![vec![1, 2, 3], vec![]]).save_to(sums.clone());
/// test.run(2)?;
/// assert_eq!(sums.0.lock().expect("no user of it panics").values().copied().collect::<Vec<_>>(), [6, 0]);
/// # Ok::<(), tidemill::Error>(())
/// ```
pub trait Sink<T>: Send + Sync + 'static {
    /// What a written partition leaves for the commit: where it is, how much it was.
    type Receipt: Data;

    /// Prepares for the batch at `time`, and does away with what an earlier attempt at it left.
    ///
    /// # Errors
    /// Any; the batch fails.
    fn begin(&self, time: Time) -> Result<()> {
        let _ = time;
        Ok(())
    }

    /// Writes one partition of the batch at `time`.
    ///
    /// The iterator runs the user's functions; a panic in it passes through here. A record that is rejected is given to
    /// [`put_aside`](crate::put_aside), which says whether the others may be written without it.
    ///
    /// # Errors
    /// Any; the batch is aborted.
    fn write(&self, time: Time, partition: usize, records: &mut dyn Iterator<Item = T>) -> Result<Self::Receipt>;

    /// Makes the batch at `time` visible: every partition is written, and left these receipts, in the order of the
    /// partitions.
    ///
    /// # Errors
    /// Any; the batch is aborted.
    fn commit(&self, time: Time, receipts: Vec<Self::Receipt>) -> Result<()>;

    /// Does away with what was written of the batch at `time`.
    ///
    /// # Errors
    /// Any; it is logged.
    fn abort(&self, time: Time) -> Result<()> {
        let _ = time;
        Ok(())
    }
}

impl<T: Data> DStream<T> {
    /// Writes each batch to `sink`, empty batches too; exactly once if the sink keeps to its contract and the
    /// source can be read again.
    ///
    /// # Panics
    /// If the context was started or stopped.
    ///
    /// # Examples
    /// ```
    /// use tidemill::testing::{MemorySink, TestContext};
    /// let (test, sink) = (TestContext::new(), MemorySink::new());
    /// test.stream(vec![vec![1, 2], vec![]]).save_to(sink.clone());
    /// test.run(2)?;
    /// assert_eq!(sink.batches(), [vec![1, 2], vec![]]);
    /// # Ok::<(), tidemill::Error>(())
    /// ```
    #[track_caller]
    pub fn save_to(&self, sink: impl Sink<T>) {
        self.save_to_at(Site::here("save_to"), sink);
    }

    #[track_caller]
    pub(crate) fn save_to_at(&self, site: Site, sink: impl Sink<T>) {
        let sink = Arc::new(sink);
        self.output(site, move |rdd, time| save(site, &rdd, time, &sink));
    }
}

/// Takes one batch through the whole contract.
fn save<T: Data, S: Sink<T>>(site: Site, rdd: &Rdd<T>, time: Time, sink: &Arc<S>) -> Result<()> {
    let drives = rdd.session().runner().process().0 == 0;
    // A panic of the sink is caught here, so that it can still take back what it wrote.
    let place = format!("\"{site}\" failed in the batch of {time}");
    let outcome = run_guarded(&place, || attempt(site, rdd, time, sink, drives)).and_then(|outcome| outcome);
    if outcome.is_err()
        && drives
        && let Err(error) = run_guarded(&place, || sink.abort(time)).and_then(|aborted| aborted)
    {
        tracing::warn!(output = %site, batch_time = time.as_ms(), %error, "what a failed batch wrote could not be removed");
    }
    outcome
}

fn attempt<T: Data, S: Sink<T>>(site: Site, rdd: &Rdd<T>, time: Time, sink: &Arc<S>, drives: bool) -> Result<()> {
    if drives {
        sink.begin(time)?;
    }
    let writer = sink.clone();
    let receipts = rdd.run_written(site, move |partition, records| {
        writer.write(time, partition, records).map_err(|error| in_partition(error, partition))
    })?;
    if drives { sink.commit(time, receipts) } else { Ok(()) }
}

fn in_partition(error: Error, partition: usize) -> Error {
    error.context(format_args!("partition {partition} could not be written"))
}

#[cfg(test)]
mod tests;
