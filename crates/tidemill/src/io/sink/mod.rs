//! Where batches go: the contract of a place that is written once for each batch, however often the batch runs.

mod attempts;
mod committed;
mod directory;
mod rolling;

pub use crate::dstream::output::SinkStart;
pub use directory::{ObjectDirectories, PartReceipt, TextDirectories};
pub use rolling::{RollingFiles, RollingJsonLines, RollingOptions, RollingReceipt};

use crate::{
    base::{Data, Result, Time},
    dstream::DStream,
    rdd::Site,
};
use committed::Committed;
use std::sync::Arc;

/// What a [`Sink`] makes of a batch that it is given more than once.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum SinkContract {
    /// A batch may be written and committed again, whole, at any time: what is there of it is replaced or recognised.
    Idempotent,
    /// Nothing of a batch is seen before its commit, and a commit may be repeated with the same receipts. A batch that was
    /// committed is run again only after [`Sink::restore`] was told of an earlier one.
    Transactional,
    /// What a process wrote of a batch is seen once it is [sealed](Sink::seal), before the batch is done, together with a
    /// mark by which the sink knows it again: when the batch runs again it is not written a second time. So a batch must
    /// come out the same each time it runs, and one that is given up after it was sealed stays. Batches are sealed in the
    /// order of their times: `spark.streaming.concurrentJobs` above 1 is refused.
    Marked,
    /// A batch that is given again is there again. The program says so when it starts.
    AtLeastOnce,
}

/// A place that the batches of a stream are written to, keyed by batch time and partition.
///
/// First of all there is [`start`](Self::start), in every process. Then, for each batch, in this order:
///
/// 1. [`begin`](Self::begin), on the driver;
/// 2. [`write`](Self::write) for every partition, empty ones too, on the workers: in any order, at once, perhaps in
///    other processes, perhaps more than once for one partition. What it wrote is durable when it returns its receipt, or
///    else when the batch is sealed;
/// 3. [`seal`](Self::seal), in every process, also one that had no partition, once all partitions were written everywhere;
/// 4. [`prepare`](Self::prepare) with the receipt of every partition, on the driver, once all processes have sealed: the
///    last step that may fail. What it returns is logged, together with the state of the program, and from then on the
///    batch is done;
/// 5. [`commit`](Self::commit) with what was logged, on the driver: now the batch is seen. It is repeated until it
///    succeeds, after a crash by a new sink, to which [`restore`](Self::restore) hands what the log has.
///
/// If anything fails before the batch is done, all begins anew with step 1; or the batch is given up, and there is
/// [`abort`](Self::abort) instead of step 5. A crash makes no call at all.
///
/// What a sink must keep to, so that its output is written exactly once:
///
/// - **Before `commit` nobody sees** anything of the batch, or can tell that it is incomplete. After `abort` it stays so. Of
///   a [marked](SinkContract::Marked) sink nobody sees anything of what a process wrote before that process seals it.
/// - **`commit` is all or nothing for its readers**, and can be repeated: after an error that left open whether it
///   happened, after it was cut off half-way, and after it succeeded. All that it needs is in the receipts and durable.
/// - **A batch may run again** from `begin` on, with the same records, as long as it was not committed; after damage to
///   the log even then. Running it again adds nothing: the same time is the same place. An
///   [idempotent](SinkContract::Idempotent) sink finds that out by itself, a [marked](SinkContract::Marked) one by its marks,
///   a [transactional](SinkContract::Transactional) one is told by `restore`.
/// - **An attempt that was left for dead may still write**, prepare and abort, in a process that was stopped and wakes up
///   late: it must not hurt what another one commits. So each attempt writes under a name of its own, and takes
///   away only what is its own.
///
/// [`testing::check_sink`](crate::testing::check_sink) tries these out: run it on every sink of your own.
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
    /// What a written partition leaves for the commit: where it is, how much it was. It is logged, so keep it small.
    type Receipt: Data;

    /// What the sink promises; [`Idempotent`](SinkContract::Idempotent) unless it says otherwise.
    fn contract(&self) -> SinkContract {
        SinkContract::Idempotent
    }

    /// The program starts. In every process, before any batch and before [`restore`](Self::restore).
    ///
    /// # Errors
    /// Any; the program does not start.
    fn start(&self, start: &SinkStart) -> Result<()> {
        let _ = start;
        Ok(())
    }

    /// Prepares for the batch at `time`.
    ///
    /// # Errors
    /// Any; the batch fails.
    fn begin(&self, time: Time) -> Result<()> {
        let _ = time;
        Ok(())
    }

    /// Writes one partition of the batch at `time`, durably, and out of sight.
    ///
    /// The iterator runs the user's functions; a panic in it passes through here. A record that is rejected is given to
    /// [`put_aside`](crate::put_aside), which says whether the others may be written without it.
    ///
    /// # Errors
    /// Any; the batch fails. After one of the kind [`Unavailable`](crate::ErrorKind::Unavailable) it is tried again.
    fn write(&self, time: Time, partition: usize, records: &mut dyn Iterator<Item = T>) -> Result<Self::Receipt>;

    /// All partitions of the batch at `time` were written, in every process: in each of them, what it wrote is made durable,
    /// and by a [marked](SinkContract::Marked) sink visible. If it fails in one process the batch begins anew in all.
    ///
    /// # Errors
    /// Any; the batch fails. After one of the kind [`Unavailable`](crate::ErrorKind::Unavailable) it is tried again.
    fn seal(&self, time: Time) -> Result<()> {
        let _ = time;
        Ok(())
    }

    /// Takes the receipts of every partition, in their order, before the batch at `time` is declared done; what it returns
    /// is what [`commit`](Self::commit) and [`restore`](Self::restore) are told. By default the receipts themselves.
    ///
    /// # Errors
    /// Any; the batch fails.
    fn prepare(&self, time: Time, receipts: Vec<Self::Receipt>) -> Result<Vec<Self::Receipt>> {
        let _ = time;
        Ok(receipts)
    }

    /// Makes the batch at `time` visible, which is done and left these receipts. May be called again.
    ///
    /// # Errors
    /// Any: one of the kind [`Unavailable`](crate::ErrorKind::Unavailable) is tried again for a time; then the program
    /// ends, and its next start goes on here.
    fn commit(&self, time: Time, receipts: Vec<Self::Receipt>) -> Result<()>;

    /// Does away with what was written and prepared of the batch at `time`, which is given up.
    ///
    /// # Errors
    /// Any; it is logged.
    fn abort(&self, time: Time) -> Result<()> {
        let _ = time;
        Ok(())
    }

    /// Before the first batch of a program with a checkpoint, on the driver: what was logged last, if anything was.
    ///
    /// That batch is perhaps not committed yet, or half; by default it is committed now. Whatever else the sink finds of
    /// this or later batches is not part of the output: attempts that crashed or, where damage to the log made the
    /// program forget them, committed batches, which run again.
    ///
    /// # Errors
    /// Any; the program does not start.
    fn restore(&self, last: Option<(Time, Vec<Self::Receipt>)>) -> Result<()> {
        last.map_or(Ok(()), |(time, receipts)| self.commit(time, receipts))
    }

    /// The program was stopped gracefully, and every batch is committed. Another start may follow.
    ///
    /// # Errors
    /// Any; the stop returns it.
    fn close(&self) -> Result<()> {
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
        let sink = Arc::new(Committed::new(site, sink));
        self.output_to(site, Some(sink.clone()), move |rdd, time| sink.write(&rdd, time));
    }
}

#[cfg(test)]
mod tests;
