//! Output operations: what makes a batch run. Each is one job for each batch.

use super::{
    guarantee::Guarantee,
    node::{DStream, ErasedStream},
};
use crate::{
    base::{Config, Data, Error, Result, Time},
    rdd::{Rdd, Site},
};
use std::sync::{
    Arc, OnceLock,
    atomic::{AtomicBool, Ordering},
};

/// The work of one output for one batch.
pub(crate) type OutputJob = Box<dyn FnOnce() -> Result<()> + Send>;

/// A registered output operation.
pub(crate) struct Output {
    pub(crate) site: Site,
    pub(crate) stream: Arc<dyn ErasedStream>,
    generate: Box<dyn Fn(Time) -> Result<Option<OutputJob>> + Send + Sync>,
    /// The place that it writes to, if that keeps to the contract of a sink.
    sink: Option<Arc<dyn CommittedSink>>,
    uid: OnceLock<String>,
}

/// What a sink is told when its program starts, in every process.
///
/// # Examples
/// ```
/// let mut start = tidemill::io::SinkStart::default();
/// (start.uid, start.processes) = ("counts/to_kafka".into(), 1);
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct SinkStart {
    /// Which program this is, by an id that its checkpoint keeps: a name in outside systems that no other program has. Only
    /// for sinks that are [marked](crate::io::SinkContract::Marked), and `None` without a checkpoint.
    pub job: Option<String>,
    /// The id of the output in its program; a restart gives it the same.
    pub uid: String,
    /// Which start of the program this is, from 1; 0 without a checkpoint. Of two that run, the lower one is to end.
    pub epoch: u64,
    /// Drawn anew at each start and the same in every process: tells apart two runs of copies of one checkpoint, whose starts
    /// have the same number.
    pub run: u64,
    /// Which process this is, from 0.
    pub process: usize,
    /// How many processes run the program.
    pub processes: usize,
    /// Whether an earlier start left batches that are not done and run again. If not, all that was sealed is done.
    pub has_unfinished: bool,
    /// The configuration of the program.
    pub config: Config,
}

/// A sink of any type, as the commit of a batch sees it. All of it but `start` and `restore` is called in the process that
/// drives.
pub(crate) trait CommittedSink: Send + Sync {
    /// How often a record reaches it at the most and at the least, if the batch that holds it can be run again.
    fn guarantee(&self) -> Guarantee;

    /// Whether batches must reach it one after another, and are known by a mark of the program's.
    fn is_marked(&self) -> bool;

    /// Before all else, in every process.
    fn start(&self, start: &SinkStart) -> Result<()>;

    /// What was prepared for the batch at `time`, to be logged; `None` if the output did not run then.
    fn prepared(&self, time: Time) -> Result<Option<Vec<u8>>>;

    /// Makes visible what was prepared for the batch at `time`, which is logged as done. May be called again.
    fn publish(&self, time: Time) -> Result<()>;

    /// Does away with what was prepared for the batch at `time`.
    fn abort(&self, time: Time) -> Result<()>;

    /// Before the first batch: what was prepared last, if anything was. It may not be visible yet: with `drives`, in the
    /// process that drives, that is made up for. Whatever else the sink finds of later batches is not part of the output.
    fn restore(&self, last: Option<(Time, &[u8])>, drives: bool) -> Result<()>;

    /// The program ends well and nothing more comes.
    fn close(&self) -> Result<()>;
}

impl Output {
    pub(crate) fn uid(&self) -> &str {
        self.uid.get().map_or("", String::as_str)
    }

    pub(crate) fn set_uid(&self, uid: String) {
        let _ = self.uid.set(uid);
    }

    pub(crate) fn sink(&self) -> Option<&dyn CommittedSink> {
        self.sink.as_deref()
    }

    /// The job of the batch at `time`, if the stream has a batch then.
    pub(crate) fn job(&self, time: Time) -> Result<Option<OutputJob>> {
        (self.generate)(time)
    }
}

impl<T: Data> DStream<T> {
    /// Registers an output that runs `f` for each batch.
    #[track_caller]
    pub(crate) fn output(&self, site: Site, f: impl Fn(Rdd<T>, Time) -> Result<()> + Send + Sync + 'static) {
        self.output_to(site, None, f);
    }

    /// Registers an output that runs `f` for each batch, which prepares it for `sink`.
    #[track_caller]
    pub(crate) fn output_to(
        &self,
        site: Site,
        sink: Option<Arc<dyn CommittedSink>>,
        f: impl Fn(Rdd<T>, Time) -> Result<()> + Send + Sync + 'static,
    ) {
        super::node::declared(self.graph().check_declaring(site.operation));
        let (stream, f) = (self.clone(), Arc::new(f));
        let generate = move |time: Time| {
            let job = stream.at(time)?.map(|rdd| {
                let f = f.clone();
                Box::new(move || super::transform::guarded_driver(site, time, || f(rdd, time))) as OutputJob
            });
            Ok(job)
        };
        let (stream, generate) = (self.erased(), Box::new(generate));
        self.graph().register_output(Output { site, stream, generate, sink, uid: OnceLock::new() });
    }

    /// Calls `f` on the driver with each batch's Rdd and time; what it returns as an error fails the batch.
    ///
    /// Nothing of the stream is computed unless `f` calls an action: if it never does, the log says so once. On several
    /// processes `f` runs on each. At-least-once: a batch that runs again calls `f` again.
    ///
    /// # Examples
    /// ```
    /// use std::sync::{Arc, Mutex};
    /// use tidemill::testing::TestContext;
    /// let (test, most) = (TestContext::new(), Arc::new(Mutex::new(Vec::new())));
    /// let found = most.clone();
    /// test.stream(vec![vec![1, 9, 3]]).foreach_rdd(move |rdd, time| {
    ///     found.lock().expect("no user of it panics").push((time.as_ms(), rdd.filter(|n| *n > 2).count()?));
    ///     Ok::<(), tidemill::Error>(())
    /// });
    /// test.run(1)?;
    /// assert_eq!(*most.lock().expect("no user of it panics"), [(1_000, 2)]);
    /// # Ok::<(), tidemill::Error>(())
    /// ```
    #[track_caller]
    pub fn foreach_rdd<E: Into<Error>>(&self, f: impl Fn(Rdd<T>, Time) -> Result<(), E> + Send + Sync + 'static) {
        let (site, idle) = (Site::here("foreach_rdd"), IdleOutput::default());
        self.output(site, move |rdd, time| {
            let (session, partitions) = (rdd.session().clone(), rdd.num_partitions());
            let jobs = || session.extensions.jobs.load(Ordering::Relaxed);
            let before = jobs();
            f(rdd, time).map_err(Into::into)?;
            if idle.is_to_be_told(partitions, jobs() - before) {
                tracing::warn!(
                    output = %site,
                    batch_time = time.as_ms(),
                    "the function called no action, so nothing of the batch was computed; call one, such as count, \
                     collect or foreach"
                );
            }
            Ok(())
        });
    }

    /// Calls `f` with all records of each batch, collected on the driver; with several processes, on the first.
    ///
    /// At-least-once: a batch that runs again calls `f` again.
    ///
    /// # Examples
    /// ```
    /// use std::sync::{Arc, Mutex};
    /// use tidemill::testing::TestContext;
    /// let (test, sums) = (TestContext::new(), Arc::new(Mutex::new(Vec::new())));
    /// let seen = sums.clone();
    /// test.stream(vec![vec![1, 2], vec![]]).for_each_batch(move |batch, time| {
    ///     seen.lock().expect("no user of it panics").push((time.as_ms(), batch.iter().sum::<i32>()));
    ///     Ok::<(), tidemill::Error>(())
    /// });
    /// test.run(2)?;
    /// assert_eq!(*sums.lock().expect("no user of it panics"), [(1_000, 3), (2_000, 0)]);
    /// # Ok::<(), tidemill::Error>(())
    /// ```
    #[track_caller]
    pub fn for_each_batch<E: Into<Error>>(&self, f: impl Fn(Vec<T>, Time) -> Result<(), E> + Send + Sync + 'static) {
        let site = Site::here("for_each_batch");
        self.output(site, move |rdd, time| {
            let records = rdd.collect_partitions(site)?.into_iter().flatten().collect();
            if rdd.session().runner().process().0 == 0 { f(records, time).map_err(Into::into) } else { Ok(()) }
        });
    }

    /// Calls `f` on the workers with every partition of each batch, empty ones too: its index, its records, the batch
    /// time. What it returns as an error fails the batch.
    ///
    /// The place to open one connection for many records. At-least-once: a batch that runs again calls `f` again, with
    /// the same time and partition for the same records; a [`Sink`](crate::io::Sink) makes it exactly-once.
    ///
    /// # Examples
    /// ```
    /// use std::sync::{Arc, Mutex};
    /// use tidemill::testing::TestContext;
    /// let (test, sizes) = (TestContext::new(), Arc::new(Mutex::new(Vec::new())));
    /// let seen = sizes.clone();
    /// test.stream(vec![vec![1, 2, 3]]).for_each_partition(move |partition, records, time| {
    ///     seen.lock().expect("no user of it panics").push((time.as_ms(), partition, records.count()));
    ///     Ok::<(), tidemill::Error>(())
    /// });
    /// test.run(1)?;
    /// sizes.lock().expect("no user of it panics").sort();
    /// assert_eq!(*sizes.lock().expect("no user of it panics"), [(1_000, 0, 1), (1_000, 1, 2)]);
    /// # Ok::<(), tidemill::Error>(())
    /// ```
    #[track_caller]
    pub fn for_each_partition<E: Into<Error>>(
        &self,
        f: impl Fn(usize, &mut dyn Iterator<Item = T>, Time) -> Result<(), E> + Send + Sync + 'static,
    ) {
        let (site, f) = (Site::here("for_each_partition"), Arc::new(f));
        self.output(site, move |rdd, time| {
            let f = f.clone();
            let in_partition = |error: E, partition| error.into().context(format_args!("partition {partition}"));
            let write = move |partition, records: &mut dyn Iterator<Item = T>| {
                f(partition, records, time).map_err(|error| in_partition(error, partition))
            };
            rdd.run_written(site, write).map(drop)
        });
    }
}

/// Whether an output ran no job though its batch had partitions: then its function most likely calls no action.
#[derive(Default)]
struct IdleOutput(AtomicBool);

impl IdleOutput {
    /// Takes note of a batch; true once, for the first one that ran no job.
    fn is_to_be_told(&self, partitions: usize, jobs: u64) -> bool {
        partitions > 0 && jobs == 0 && !self.0.swap(true, Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests;
