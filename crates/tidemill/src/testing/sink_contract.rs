//! The contract of sinks as a list of trials that any sink can be put to.

use crate::{
    base::{Error, Result, Time},
    io::{Sink, SinkContract, SinkStart},
};
use std::{
    cell::{Cell, RefCell},
    panic::{AssertUnwindSafe, catch_unwind},
};

/// Puts a sink to the contract of [`Sink`]: `sink` makes one, `seen` tells what a reader of the outside world finds of
/// a batch, in any order, or `None` if it finds no complete batch. (Of an empty batch it may find either.)
///
/// A [marked](SinkContract::Marked) sink is seen once it has sealed, and is tried for that, too: what was sealed is there
/// once, whatever becomes of the batch and however often it runs. Each sink of a trial is a start of the program on one
/// process.
///
/// Every trial uses batch times of its own, each after the last, and makes a new sink where the contract speaks of a crash,
/// which is told what the last batch left as it stood in the log. A sink that shows records later than their batch, such
/// as [`RollingFiles`](crate::io::RollingFiles), is given options by which it does not.
///
/// # Panics
/// With the name of the trial, at the first one that the sink fails; and for a sink that promises nothing.
///
/// # Examples
/// ```
/// use tidemill::testing::{MemorySink, check_sink};
/// let memory = MemorySink::<String>::new();
/// let reader = memory.clone();
/// check_sink(
///     move || memory.clone(),
///     move |time| reader.partitions().get(&time).map(|partitions| partitions.concat()),
/// );
/// ```
#[track_caller]
pub fn check_sink<S: Sink<String>>(sink: impl Fn() -> S, seen: impl Fn(Time) -> Option<Vec<String>>) {
    let contract = sink().contract();
    assert!(contract != SinkContract::AtLeastOnce, "a sink that may write a batch twice has no contract to be tried");
    let trials = Trials { sink, seen, contract, starts: Cell::new(0), log: RefCell::new(Vec::new()) };
    trials.first_attempt();
    trials.once();
    trials.again();
    trials.sealed();
    trials.fewer_partitions();
    trials.out_of_order();
    trials.partition_again();
    trials.nothing();
    trials.aborted();
    trials.crashed();
    trials.crashed_when_done();
    trials.committed_again();
    trials.panicked();
    trials.at_once();
    trials.left_for_dead();
    trials.closed();
}

struct Trials<F, G> {
    sink: F,
    seen: G,
    contract: SinkContract,
    starts: Cell<u64>,
    /// What every batch that is done left, as bytes.
    log: RefCell<Vec<(Time, Vec<u8>)>>,
}

fn lines(records: &[&str]) -> Vec<String> {
    records.iter().map(|record| (*record).to_owned()).collect()
}

fn write<S: Sink<String>>(sink: &S, time: Time, partition: usize, records: &[&str]) -> Result<S::Receipt> {
    sink.write(time, partition, &mut lines(records).into_iter())
}

/// Writes a batch, and leaves it at that.
fn attempt<S: Sink<String>>(sink: &S, time: Time, partitions: &[&[&str]]) -> Result<Vec<S::Receipt>> {
    sink.begin(time)?;
    partitions.iter().enumerate().map(|(partition, records)| write(sink, time, partition, records)).collect()
}

/// Takes what was written as far as it goes before it is done.
fn sealed<S: Sink<String>>(sink: &S, time: Time, written: Vec<S::Receipt>) -> Result<Vec<S::Receipt>> {
    sink.seal(time)?;
    sink.prepare(time, written)
}

/// Takes a batch as far as it goes before it is done.
fn prepare<S: Sink<String>>(sink: &S, time: Time, partitions: &[&[&str]]) -> Result<Vec<S::Receipt>> {
    let written = attempt(sink, time, partitions)?;
    sealed(sink, time, written)
}

#[track_caller]
fn succeeded<R>(trial: &str, result: Result<R>) -> R {
    match result {
        Ok(value) => value,
        Err(error) => panic!("{trial}: the sink returned {error:?}"),
    }
}

impl<S: Sink<String>, F: Fn() -> S, G: Fn(Time) -> Option<Vec<String>>> Trials<F, G> {
    #[track_caller]
    fn finds(&self, trial: &str, time_ms: u64, expected: Option<&[&str]>) {
        let sorted = |mut records: Vec<String>| {
            records.sort();
            records
        };
        let found = (self.seen)(Time::from_ms(time_ms)).map(sorted);
        if expected.is_some_and(<[_]>::is_empty) && found.is_none() {
            return;
        }
        assert_eq!(found, expected.map(|records| sorted(lines(records))), "{trial}: what a reader finds");
    }

    /// Takes a batch as far as it goes before anything is seen of it.
    #[track_caller]
    fn unseen(&self, trial: &str, sink: &S, time: Time, partitions: &[&[&str]]) {
        let is_marked = self.contract == SinkContract::Marked;
        let taken = if is_marked { attempt(sink, time, partitions) } else { prepare(sink, time, partitions) };
        succeeded(trial, taken);
    }

    /// A new sink, which is told that its program starts.
    #[track_caller]
    fn started(&self, trial: &str) -> S {
        let sink = (self.sink)();
        self.starts.set(self.starts.get() + 1);
        let mut start = SinkStart::default();
        (start.job, start.uid) = (Some("trials".into()), "trials/save_to".into());
        (start.epoch, start.has_unfinished, start.processes) = (self.starts.get(), true, 1);
        succeeded(&format!("{trial}, start"), sink.start(&start));
        sink
    }

    /// A new sink after a crash or a stop: it is told what the log has.
    #[track_caller]
    fn restarted(&self, trial: &str) -> S {
        let sink = self.started(trial);
        let log = self.log.borrow();
        let last = log.last().map(|(time, bytes)| {
            let receipts = postcard::from_bytes(bytes);
            (*time, receipts.unwrap_or_else(|error| panic!("{trial}: receipts do not survive the log: {error}")))
        });
        succeeded(&format!("{trial}, restore"), sink.restore(last));
        sink
    }

    /// The batch is done: the log has what it left.
    #[track_caller]
    fn done(&self, trial: &str, time: Time, receipts: &[S::Receipt]) {
        match postcard::to_stdvec(receipts) {
            Ok(bytes) => self.log.borrow_mut().push((time, bytes)),
            Err(error) => panic!("{trial}: receipts cannot be logged: {error}"),
        }
    }

    /// The log is damaged: the last batch in it is gone.
    fn forget_last(&self) {
        self.log.borrow_mut().pop();
    }

    #[track_caller]
    fn run(&self, trial: &str, sink: &S, time_ms: u64, partitions: &[&[&str]]) {
        let time = Time::from_ms(time_ms);
        let receipts = succeeded(trial, prepare(sink, time, partitions));
        self.commit(trial, sink, time, receipts);
        self.finds(trial, time_ms, Some(&partitions.concat()));
    }

    #[track_caller]
    fn commit(&self, trial: &str, sink: &S, time: Time, receipts: Vec<S::Receipt>) {
        self.done(trial, time, &receipts);
        succeeded(trial, sink.commit(time, receipts));
    }

    #[track_caller]
    fn batch(&self, trial: &str, time_ms: u64, partitions: &[&[&str]]) {
        self.run(trial, &self.restarted(trial), time_ms, partitions);
    }

    /// Comes first, while there is nothing in the log.
    fn first_attempt(&self) {
        let (trial, time) = ("a first batch that crashed", Time::from_ms(500));
        // A first start is told that nothing was logged.
        self.unseen(trial, &self.restarted(trial), time, &[&["x"], &["y"]]);
        let sink = self.restarted(trial);
        self.finds(trial, 500, None);
        self.run("the first batch, run again after a crash", &sink, 500, &[&["a"]]);
    }

    fn once(&self) {
        let sink = self.restarted("one batch");
        self.run("one batch", &sink, 1_000, &[&["a", "b"], &["c"]]);
        self.run("the next batch", &sink, 2_000, &[&["d"], &["e"]]);
        self.finds("the batch before the next one", 1_000, Some(&["a", "b", "c"]));
        self.batch("a batch after a restart", 2_500, &[&["f"]]);
        self.finds("the batch before the restart", 2_000, Some(&["d", "e"]));
    }

    fn again(&self) {
        let time = 3_000;
        self.batch("a batch that the log forgets", time, &[&["a"], &["a", "b"]]);
        self.forget_last();
        self.batch("a batch run again after the log forgot it", time, &[&["a"], &["a", "b"]]);
        self.finds("a batch before the one that was forgotten", 2_500, Some(&["f"]));
        if self.contract != SinkContract::Transactional {
            let sink = self.restarted("a batch run twice");
            self.run("a batch run again without a word of warning", &sink, time, &[&["a"], &["a", "b"]]);
            self.run("a batch run again by the same sink", &sink, time, &[&["a"], &["a", "b"]]);
        }
    }

    /// What was sealed is there, once, whether the program crashes, gives the batch up, or runs it again.
    fn sealed(&self) {
        if self.contract != SinkContract::Marked {
            return;
        }
        let (time, trial) = (Time::from_ms(3_500), "a batch that was sealed");
        let sink = self.restarted(trial);
        succeeded(trial, prepare(&sink, time, &[&["a"], &["b"]]));
        self.finds(trial, 3_500, Some(&["a", "b"]));
        succeeded(trial, prepare(&sink, time, &[&["a"], &["b"]]));
        self.finds("a batch that was sealed, run again by the same sink", 3_500, Some(&["a", "b"]));
        drop(sink);
        let sink = self.restarted(trial);
        self.unseen(trial, &sink, time, &[&["a"], &["b"]]);
        succeeded(trial, sink.abort(time));
        self.finds("a batch that was sealed and aborted when it ran again", 3_500, Some(&["a", "b"]));
        self.batch("a batch that was sealed, run again after a crash", 3_500, &[&["a"], &["b"]]);
        self.batch("the batch after one that was sealed", 3_600, &[&["c"]]);
        self.finds(trial, 3_500, Some(&["a", "b"]));
    }

    fn fewer_partitions(&self) {
        self.batch("a batch of three partitions", 4_000, &[&["a"], &["b"], &["c"]]);
        self.forget_last();
        self.batch("the same batch in one partition", 4_000, &[&["a", "b", "c"]]);
    }

    fn out_of_order(&self) {
        let (time, trial) = (Time::from_ms(5_000), "partitions written in any order");
        let sink = self.restarted(trial);
        succeeded(trial, sink.begin(time));
        let second = succeeded(trial, write(&sink, time, 1, &["b"]));
        let first = succeeded(trial, write(&sink, time, 0, &["a"]));
        let prepared = succeeded(trial, sealed(&sink, time, vec![first, second]));
        self.commit(trial, &sink, time, prepared);
        self.finds(trial, 5_000, Some(&["a", "b"]));
    }

    fn partition_again(&self) {
        let (time, trial) = (Time::from_ms(6_000), "a partition written twice");
        let sink = self.restarted(trial);
        succeeded(trial, sink.begin(time));
        succeeded(trial, write(&sink, time, 0, &["a", "b"]));
        let again = succeeded(trial, write(&sink, time, 0, &["a", "b"]));
        let prepared = succeeded(trial, sealed(&sink, time, vec![again]));
        self.commit(trial, &sink, time, prepared);
        self.finds(trial, 6_000, Some(&["a", "b"]));
        let trial = "a batch tried again by the same sink";
        // Before it is sealed nobody knows that it came out otherwise; a marked sink may have it in its transaction.
        let first: [&[&str]; 2] =
            if self.contract == SinkContract::Marked { [&["a"], &["b"]] } else { [&["x"], &["y"]] };
        self.unseen(trial, &sink, Time::from_ms(6_500), &first);
        self.run(trial, &sink, 6_500, &[&["a"], &["b"]]);
    }

    fn nothing(&self) {
        self.batch("a batch without partitions", 7_000, &[]);
        self.batch("a batch of empty partitions", 8_000, &[&[], &[]]);
        self.batch("a batch with an empty partition", 9_000, &[&["a"], &[], &["b"]]);
    }

    fn aborted(&self) {
        let (time, trial) = (Time::from_ms(10_000), "an aborted batch");
        let sink = self.restarted(trial);
        succeeded(trial, sink.begin(time));
        succeeded(trial, write(&sink, time, 0, &["a"]));
        succeeded(trial, sink.abort(time));
        self.finds(trial, 10_000, None);
        let trial = "a batch aborted when it was prepared";
        self.unseen(trial, &sink, time, &[&["a"], &["b"]]);
        succeeded(trial, sink.abort(time));
        self.finds(trial, 10_000, None);
        succeeded("an abort before anything", sink.abort(Time::from_ms(11_000)));
        self.run("a batch after one that was aborted", &sink, 11_000, &[&["c"]]);
        self.finds(trial, 10_000, None);
    }

    fn crashed(&self) {
        let (time, trial) = (Time::from_ms(12_000), "a batch that crashed before it was done");
        let sink = self.restarted(trial);
        succeeded(trial, sink.begin(time));
        succeeded(trial, write(&sink, time, 0, &["x"]));
        drop(sink);
        self.finds(trial, 12_000, None);
        let sink = self.restarted(trial);
        self.unseen(trial, &sink, time, &[&["x"], &["y"]]);
        drop(sink);
        self.finds(trial, 12_000, None);
        self.batch("a batch run again after a crash", 12_000, &[&["a"]]);
    }

    fn crashed_when_done(&self) {
        let (time, trial) = (Time::from_ms(12_500), "a batch that crashed between done and commit");
        let receipts = succeeded(trial, prepare(&self.restarted(trial), time, &[&["a"], &["b", "c"]]));
        self.done(trial, time, &receipts);
        for _ in 0..2 {
            let sink = self.restarted(trial);
            self.finds(trial, 12_500, Some(&["a", "b", "c"]));
            drop(sink);
        }
        self.batch("the batch after one that crashed when it was done", 12_600, &[&["d"]]);
    }

    fn committed_again(&self) {
        let (time, trial) = (Time::from_ms(12_700), "a commit repeated");
        let sink = self.restarted(trial);
        let receipts = succeeded(trial, prepare(&sink, time, &[&["a"], &["b"]]));
        self.done(trial, time, &receipts);
        for _ in 0..2 {
            succeeded(trial, sink.commit(time, receipts.clone()));
            self.finds(trial, 12_700, Some(&["a", "b"]));
        }
        self.run("the batch after a commit repeated", &sink, 12_800, &[&["c"]]);
        self.finds(trial, 12_700, Some(&["a", "b"]));
    }

    fn panicked(&self) {
        let (time, trial) = (Time::from_ms(13_000), "a panic among the records");
        let sink = self.restarted(trial);
        succeeded(trial, sink.begin(time));
        let mut records =
            ["a", "b"].into_iter().map(|record| if record == "b" { panic!("trial") } else { record.into() });
        let outcome = catch_unwind(AssertUnwindSafe(|| sink.write(time, 0, &mut records).map(drop)));
        let swallowed: Option<&Result<(), Error>> = outcome.as_ref().ok();
        assert!(swallowed.is_none_or(Result::is_err), "{trial}: the sink took it for success");
        succeeded(trial, sink.abort(time));
        self.finds(trial, 13_000, None);
        self.run("a batch run again after a panic", &sink, 13_000, &[&["a", "b"]]);
    }

    fn at_once(&self) {
        let (time, trial) = (Time::from_ms(14_000), "partitions written at once");
        let sink = self.restarted(trial);
        succeeded(trial, sink.begin(time));
        let names: Vec<String> = (0..8).map(|partition| format!("of {partition}")).collect();
        let receipts = std::thread::scope(|scope| {
            let threads: Vec<_> = names
                .iter()
                .enumerate()
                .map(|(partition, name)| {
                    let (sink, records) = (&sink, vec![name.as_str(); 100]);
                    let thread = std::thread::Builder::new().name(format!("tidemill-trial-{partition}"));
                    let spawned = thread.spawn_scoped(scope, move || write(sink, time, partition, &records));
                    spawned.expect("the operating system starts the threads of a trial")
                })
                .collect();
            threads.into_iter().map(|thread| thread.join().expect("a thread of the trial does not panic")).collect()
        });
        let prepared = succeeded(trial, sealed(&sink, time, succeeded(trial, receipts)));
        self.commit(trial, &sink, time, prepared);
        let all: Vec<&str> = names.iter().flat_map(|name| vec![name.as_str(); 100]).collect();
        self.finds(trial, 14_000, Some(&all));
    }

    /// An earlier driver wakes up while another one is at work, and after it.
    fn left_for_dead(&self) {
        let (time, trial) = (Time::from_ms(15_000), "an attempt left for dead that goes on");
        let dead = self.restarted(trial);
        succeeded(trial, dead.begin(time));
        succeeded(trial, write(&dead, time, 0, &["x"]));
        let sink = self.restarted(trial);
        succeeded(trial, sink.begin(time));
        let first = succeeded(trial, write(&sink, time, 0, &["a"]));
        // What the dead one meets is not its fault: it may fail.
        let _ = write(&dead, time, 1, &["y"]);
        let second = succeeded(trial, write(&sink, time, 1, &["b"]));
        let _ = dead.abort(time);
        let receipts = succeeded(trial, sealed(&sink, time, vec![first, second]));
        let _ = prepare(&dead, time, &[&["x"], &["y"], &["z"]]);
        self.done(trial, time, &receipts);
        let _ = dead.abort(time);
        succeeded(trial, sink.commit(time, receipts));
        self.finds(trial, 15_000, Some(&["a", "b"]));
        let _ = prepare(&dead, time, &[&["x"], &["y"], &["z"]]);
        self.finds(trial, 15_000, Some(&["a", "b"]));
        let _ = dead.abort(time);
        self.finds(trial, 15_000, Some(&["a", "b"]));
        self.batch("the batch after an attempt left for dead", 15_500, &[&["c"]]);
        self.finds(trial, 15_000, Some(&["a", "b"]));
        self.dead_commit();
    }

    /// It was stopped between done and commit.
    fn dead_commit(&self) {
        let (time, trial) = (Time::from_ms(15_600), "a commit that comes late, of an earlier driver");
        let dead = self.restarted(trial);
        let receipts = succeeded(trial, prepare(&dead, time, &[&["a"], &["b"]]));
        self.done(trial, time, &receipts);
        let sink = self.restarted(trial);
        self.run("the next batch", &sink, 15_700, &[&["c"]]);
        let _ = dead.commit(time, receipts);
        self.finds(trial, 15_600, Some(&["a", "b"]));
        self.finds(trial, 15_700, Some(&["c"]));
        self.run("the batch after a commit that came late", &sink, 15_800, &[&["d"]]);
    }

    fn closed(&self) {
        let (sink, trial) = (self.restarted("a sink closed"), "a batch before the close");
        self.run(trial, &sink, 16_000, &[&["a"]]);
        succeeded("a sink closed", sink.close());
        drop(sink);
        self.finds(trial, 16_000, Some(&["a"]));
        self.batch("a batch after close and restart", 17_000, &[&["b"]]);
        self.finds(trial, 16_000, Some(&["a"]));
    }
}
