//! Sinks that know a batch again by a mark of their own, and that every process is asked to seal.

use crate::{
    Config, Error, ErrorKind, Misuse, Result, StreamingContext, Time,
    base::storage::MemoryStorage,
    io::{Sink, SinkContract, SinkStart},
    keys, seconds,
    testing::{TestContext, check_sink},
};
use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
};

/// What the outside world sees: batches, and the last start that wrote.
#[derive(Default)]
struct World {
    batches: BTreeMap<Time, Vec<String>>,
    epoch: u64,
}

/// What is written and not sealed, by batch and partition.
type Open = BTreeMap<(Time, usize), Vec<String>>;

#[derive(Clone, Default)]
struct Marked {
    world: Arc<Mutex<World>>,
    start: Arc<Mutex<SinkStart>>,
    open: Arc<Mutex<Open>>,
}

impl Marked {
    /// What a new sink of the same place is.
    fn again(&self) -> Self {
        Self { world: self.world.clone(), ..Self::default() }
    }
}

impl Sink<String> for Marked {
    type Receipt = u64;

    fn contract(&self) -> SinkContract {
        SinkContract::Marked
    }

    fn start(&self, start: &SinkStart) -> Result<()> {
        self.world.lock().unwrap().epoch = start.epoch;
        *self.start.lock().unwrap() = start.clone();
        Ok(())
    }

    fn begin(&self, time: Time) -> Result<()> {
        self.open.lock().unwrap().retain(|(of, _), _| *of != time);
        Ok(())
    }

    fn write(&self, time: Time, partition: usize, records: &mut dyn Iterator<Item = String>) -> Result<u64> {
        let records: Vec<_> = records.collect();
        let count = records.len() as u64;
        self.open.lock().unwrap().insert((time, partition), records);
        Ok(count)
    }

    fn seal(&self, time: Time) -> Result<()> {
        let mut world = self.world.lock().unwrap();
        if world.epoch != self.start.lock().unwrap().epoch {
            return Err(Error::fenced("another run writes there"));
        }
        let open = self.open.lock().unwrap();
        let records = open.iter().filter(|((of, _), _)| *of == time).flat_map(|(_, records)| records.clone());
        world.batches.entry(time).or_insert_with(|| records.collect());
        Ok(())
    }

    fn commit(&self, _time: Time, _receipts: Vec<u64>) -> Result<()> {
        Ok(())
    }
}

#[test]
fn the_contract_can_be_kept() {
    let sink = Marked::default();
    let reader = sink.clone();
    check_sink(|| sink.again(), |time| reader.world.lock().unwrap().batches.get(&time).cloned());
}

#[test]
#[should_panic(expected = "what a reader finds")]
fn a_sink_that_shows_before_it_seals_is_found_out() {
    struct Hasty(Marked);
    impl Sink<String> for Hasty {
        type Receipt = u64;
        fn contract(&self) -> SinkContract {
            SinkContract::Marked
        }
        fn write(&self, time: Time, partition: usize, records: &mut dyn Iterator<Item = String>) -> Result<u64> {
            self.0.write(time, partition, records)?;
            self.0.seal(time).map(|()| 0)
        }
        fn commit(&self, _time: Time, _receipts: Vec<u64>) -> Result<()> {
            Ok(())
        }
    }
    let sink = Marked::default();
    let reader = sink.clone();
    check_sink(|| Hasty(sink.again()), |time| reader.world.lock().unwrap().batches.get(&time).cloned());
}

#[test]
fn each_batch_is_sealed_and_the_start_is_told() {
    let (test, sink) = (TestContext::new(), Marked::default());
    test.stream(vec![vec!["a".to_owned(), "b".to_owned()], vec![]]).save_to(sink.clone());
    test.run(2).unwrap();
    let sealed: Vec<_> = sink.world.lock().unwrap().batches.values().cloned().collect();
    assert_eq!(sealed, [vec!["a".to_owned(), "b".to_owned()], vec![]]);
    let start = sink.start.lock().unwrap().clone();
    assert_eq!((start.job.is_some(), start.epoch, start.process, start.processes), (true, 1, 0, 1));
}

#[test]
fn a_program_keeps_its_job_and_counts_its_starts() {
    let folder = tempfile::tempdir().unwrap();
    let start = || {
        let (ssc, sink) = (StreamingContext::local(1, seconds(1)).unwrap(), Marked::default());
        ssc.checkpoint(folder.path()).unwrap();
        ssc.text_file_stream(folder.path().join("in").display().to_string())
            .map(|line| line.to_string())
            .save_to(sink.clone());
        ssc.start().unwrap();
        ssc.stop().unwrap();
        sink.start.lock().unwrap().clone()
    };
    let (first, second) = (start(), start());
    assert!(first.job.is_some());
    assert_eq!((first.job, first.uid), (second.job, second.uid));
    assert_eq!((first.epoch, second.epoch, second.has_unfinished), (1, 2, false));
}

#[test]
fn no_batch_of_a_fresh_run_is_taken_for_one_of_the_run_before() {
    let (checkpoint, world) = (MemoryStorage::new(), Marked::default());
    for run in ["first", "second", "third"] {
        // The clock of each begins at 0.
        let config = Config::new().set(keys::CHECKPOINT_AFRESH, true);
        let test = TestContext::remembered_in(checkpoint.clone(), config, seconds(1));
        test.stream(vec![vec![run.to_owned()], vec![]]).save_to(world.again());
        test.run(2).unwrap();
    }
    let sealed: Vec<_> = world.world.lock().unwrap().batches.values().flatten().cloned().collect();
    assert_eq!(sealed, ["first", "second", "third"]);
}

#[test]
fn batches_at_once_are_refused() {
    let config = Config::new().set(keys::CONCURRENT_JOBS, 2);
    let test = TestContext::with_config(config);
    test.stream(vec![vec!["a".to_owned()]]).save_to(Marked::default());
    let error = test.run(1).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Invalid);
    assert!(matches!(error.misuse(), Some(Misuse::ConcurrentMarked { jobs: 2, .. })), "{error:?}");
}
