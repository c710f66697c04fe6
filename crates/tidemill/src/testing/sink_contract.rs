//! The contract of sinks as a list of trials that any sink can be put to.

use crate::{
    base::{Error, Result, Time},
    io::Sink,
};
use std::panic::{AssertUnwindSafe, catch_unwind};

/// Puts a sink to the contract of [`Sink`]: `sink` makes one, `seen` tells what a reader of the outside world finds of
/// a batch, in any order, or `None` if it finds no complete batch.
///
/// Every trial uses batch times of its own, and makes a new sink where the contract speaks of a crash.
///
/// # Panics
/// With the name of the trial, at the first one that the sink fails.
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
    let trials = Trials { sink, seen };
    trials.once();
    trials.twice();
    trials.fewer_partitions();
    trials.out_of_order();
    trials.partition_again();
    trials.nothing();
    trials.aborted();
    trials.crashed();
    trials.panicked();
    trials.at_once();
}

struct Trials<F, G> {
    sink: F,
    seen: G,
}

fn lines(records: &[&str]) -> Vec<String> {
    records.iter().map(|record| (*record).to_owned()).collect()
}

fn write<S: Sink<String>>(sink: &S, time: Time, partition: usize, records: &[&str]) -> Result<S::Receipt> {
    sink.write(time, partition, &mut lines(records).into_iter())
}

fn run<S: Sink<String>>(sink: &S, time: Time, partitions: &[&[&str]]) -> Result<()> {
    sink.begin(time)?;
    let written = partitions.iter().enumerate().map(|(partition, records)| write(sink, time, partition, records));
    sink.commit(time, written.collect::<Result<_>>()?)
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
        assert_eq!(found, expected.map(|records| sorted(lines(records))), "{trial}: what a reader finds");
    }

    #[track_caller]
    fn batch(&self, trial: &str, time_ms: u64, partitions: &[&[&str]]) {
        succeeded(trial, run(&(self.sink)(), Time::from_ms(time_ms), partitions));
        self.finds(trial, time_ms, Some(&partitions.concat()));
    }

    fn once(&self) {
        self.batch("one batch", 1_000, &[&["a", "b"], &["c"]]);
        self.batch("the next batch", 2_000, &[&["d"], &["e"]]);
        self.finds("the batch before the next one", 1_000, Some(&["a", "b", "c"]));
    }

    fn twice(&self) {
        let sink = (self.sink)();
        for _ in 0..2 {
            succeeded("a batch run twice", run(&sink, Time::from_ms(3_000), &[&["a"], &["a", "b"]]));
        }
        self.batch("a batch run again after a restart", 3_000, &[&["a"], &["a", "b"]]);
    }

    fn fewer_partitions(&self) {
        self.batch("a batch of three partitions", 4_000, &[&["a"], &["b"], &["c"]]);
        self.batch("the same batch in one partition", 4_000, &[&["a", "b", "c"]]);
    }

    fn out_of_order(&self) {
        let (sink, time, trial) = ((self.sink)(), Time::from_ms(5_000), "partitions written in any order");
        succeeded(trial, sink.begin(time));
        let second = succeeded(trial, write(&sink, time, 1, &["b"]));
        let first = succeeded(trial, write(&sink, time, 0, &["a"]));
        succeeded(trial, sink.commit(time, vec![first, second]));
        self.finds(trial, 5_000, Some(&["a", "b"]));
    }

    fn partition_again(&self) {
        let (sink, time, trial) = ((self.sink)(), Time::from_ms(6_000), "a partition written twice");
        succeeded(trial, sink.begin(time));
        succeeded(trial, write(&sink, time, 0, &["a", "b"]));
        let again = succeeded(trial, write(&sink, time, 0, &["a", "b"]));
        succeeded(trial, sink.commit(time, vec![again]));
        self.finds(trial, 6_000, Some(&["a", "b"]));
    }

    fn nothing(&self) {
        self.batch("a batch without partitions", 7_000, &[]);
        self.batch("a batch of empty partitions", 8_000, &[&[], &[]]);
        self.batch("a batch with an empty partition", 9_000, &[&["a"], &[], &["b"]]);
    }

    fn aborted(&self) {
        let (sink, time, trial) = ((self.sink)(), Time::from_ms(10_000), "an aborted batch");
        succeeded(trial, sink.begin(time));
        succeeded(trial, write(&sink, time, 0, &["a"]));
        succeeded(trial, sink.abort(time));
        self.finds(trial, 10_000, None);
        succeeded("an abort before anything", sink.abort(Time::from_ms(11_000)));
        self.batch("a batch run again after its abort", 10_000, &[&["b"]]);
    }

    fn crashed(&self) {
        let (time, trial) = (Time::from_ms(12_000), "a batch that crashed before its commit");
        let sink = (self.sink)();
        succeeded(trial, sink.begin(time));
        succeeded(trial, write(&sink, time, 0, &["x"]));
        succeeded(trial, write(&sink, time, 1, &["y"]));
        drop(sink);
        self.finds(trial, 12_000, None);
        self.batch("a batch run again after a crash", 12_000, &[&["a"]]);
    }

    fn panicked(&self) {
        let (sink, time, trial) = ((self.sink)(), Time::from_ms(13_000), "a panic among the records");
        succeeded(trial, sink.begin(time));
        let mut records =
            ["a", "b"].into_iter().map(|record| if record == "b" { panic!("trial") } else { record.into() });
        let outcome = catch_unwind(AssertUnwindSafe(|| sink.write(time, 0, &mut records).map(drop)));
        let swallowed: Option<&Result<(), Error>> = outcome.as_ref().ok();
        assert!(swallowed.is_none_or(Result::is_err), "{trial}: the sink took it for success");
        succeeded(trial, sink.abort(time));
        self.finds(trial, 13_000, None);
        succeeded(trial, run(&sink, time, &[&["a", "b"]]));
        self.finds("a batch run again after a panic", 13_000, Some(&["a", "b"]));
    }

    fn at_once(&self) {
        let (sink, time, trial) = ((self.sink)(), Time::from_ms(14_000), "partitions written at once");
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
        succeeded(trial, sink.commit(time, succeeded(trial, receipts)));
        let all: Vec<&str> = names.iter().flat_map(|name| vec![name.as_str(); 100]).collect();
        self.finds(trial, 14_000, Some(&all));
    }
}
