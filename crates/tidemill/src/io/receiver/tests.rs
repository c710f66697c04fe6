//! The log of received data, restart by restart: nothing that was stored is lost, doubled or out of order.

use super::{Ending, Receiver, ReceiverInput, ReceiverLink, ReceiverName};
use crate::{
    Config, Context, ErrorKind, ManualClock, Result, Text, Time,
    base::{
        Data, Error, Interrupt,
        clock::{Deadline, Stopwatch},
        storage::{MemoryStorage, Put, Storage, StoredFile},
        text::LineBlock,
    },
    checkpoint::CheckpointDirectory,
    dstream::{
        graph::Graph,
        input::{Input, InputMemory, Slice},
    },
    io::block::BlockPool,
    keys, milliseconds,
    rdd::Site,
    seconds,
};
use serde::{Deserialize, Serialize, Serializer};
use std::{
    collections::BTreeSet,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
};

/// A receiver that is a function of its link.
struct Does<T, F>(F, Arc<AtomicBool>, std::marker::PhantomData<fn() -> T>);

impl<T: Data, F: FnMut(&ReceiverLink<T>) -> Result<()> + Send + 'static> Receiver for Does<T, F> {
    type Item = T;
    fn run(&mut self, link: &ReceiverLink<T>) -> Result<Ending> {
        let ended = (self.0)(link);
        self.1.store(true, Ordering::SeqCst);
        ended.map(|()| Ending::Stop("done".into()))
    }
}

/// One run of a program of one receiver.
struct Run<R: Receiver> {
    input: ReceiverInput<R>,
    context: Context,
    pool: Arc<BlockPool>,
    returned: Arc<AtomicBool>,
}

fn logged() -> Config {
    Config::new().set(keys::RECEIVER_LOG_ENABLED, true).set(keys::MASTER, "local[2]")
}

fn at(second: u64) -> Time {
    Time::from_ms(second * 1_000)
}

type Memory<'a> = (Option<&'a [u8]>, &'a [(Time, Slice)], &'a [Time]);

/// Starts the program for the `epoch`th time: with what was remembered, what was picked since, and what of that is not done.
fn start<T: Data, F: FnMut(&ReceiverLink<T>) -> Result<()> + Send + 'static>(
    storage: Arc<dyn Storage>,
    config: Config,
    epoch: u64,
    memory: Memory<'_>,
    run: F,
) -> Result<Run<Does<T, F>>> {
    start_of_run(1, storage, config, epoch, memory, run)
}

/// As [`start`], of a run that began with its `first_epoch`th start.
fn start_of_run<T: Data, F: FnMut(&ReceiverLink<T>) -> Result<()> + Send + 'static>(
    first_epoch: u64,
    storage: Arc<dyn Storage>,
    config: Config,
    epoch: u64,
    memory: Memory<'_>,
    run: F,
) -> Result<Run<Does<T, F>>> {
    let context = Context::new(config.clone())?;
    let clock = Arc::new(ManualClock::new(Time::from_ms(0)));
    let graph = Graph::new(context.session().clone(), seconds(1), config.clone(), clock)?;
    graph.set_checkpoint(CheckpointDirectory::of(storage));
    graph.set_epoch(epoch);
    let pool = BlockPool::new(config.get(&keys::RECEIVER_POOL_BYTES)? as usize);
    let returned = Arc::new(AtomicBool::new(false));
    let name = ReceiverName { site: Site::unknown("a test"), name: "Does", source: "Does".into() };
    let input = ReceiverInput::new(&graph, &pool, name, Does(run, returned.clone(), std::marker::PhantomData))?;
    input.check()?;
    let again: BTreeSet<Time> = memory.2.iter().copied().collect();
    let (remembered, picked) = (memory.0, memory.1);
    input.restore(&InputMemory { uid: "does(x)", remembered, picked, again: &again, first_epoch })?;
    input.start()?;
    Ok(Run { input, context, pool, returned })
}

const NOTHING: Memory<'_> = (None, &[], &[]);

impl<R: Receiver> Run<R> {
    /// Waits until the receiver has returned.
    fn ended(self) -> Self {
        until("the end of the receiver", || self.returned.load(Ordering::SeqCst));
        self.stopped()
    }

    /// Tells the receiver to end.
    fn stopped(self) -> Self {
        assert!(self.input.stop(&Deadline::after(seconds(30))));
        self
    }

    fn pick(&self, second: u64) -> (Time, Slice) {
        (at(second), self.input.pick(at(second)).unwrap())
    }

    fn read(&self, (time, slice): &(Time, Slice)) -> Result<Vec<R::Item>> {
        self.input.rdd(self.context.session(), *time, slice)?.collect()
    }

    fn done(&self, (time, slice): &(Time, Slice)) {
        self.input.release(*time, Some(slice), true);
    }
}

fn files(storage: &MemoryStorage) -> Vec<String> {
    storage.list("received").unwrap().into_iter().map(|file| file.name).collect()
}

fn until(what: &str, condition: impl Fn() -> bool) {
    let (watch, pause) = (Stopwatch::start(), Interrupt::new());
    while !condition() {
        assert!(watch.elapsed() < seconds(30), "{what} did not come");
        pause.wait_timeout(milliseconds(1));
    }
}

fn nothing(_: &ReceiverLink<String>) -> Result<()> {
    Ok(())
}

fn one_to_five(link: &ReceiverLink<String>) -> Result<()> {
    link.store("1".into())?;
    link.store_many(["2".into(), "3".into()])?;
    link.store("4".into())?;
    link.store_many(["5".into()])
}

#[test]
fn what_is_stored_and_not_picked_is_in_the_first_batch_of_the_next_run_in_order() -> Result<()> {
    let storage = MemoryStorage::new();
    drop(start(Arc::new(storage.clone()), logged(), 1, NOTHING, one_to_five)?.ended());
    assert!(!files(&storage).is_empty());
    let run = start(Arc::new(storage.clone()), logged(), 2, NOTHING, |link: &ReceiverLink<String>| {
        link.store_many(["6".into()])
    })?
    .ended();
    let batch = run.pick(10);
    assert_eq!((batch.1.records, run.read(&batch)?), (6, ["1", "2", "3", "4", "5", "6"].map(String::from).to_vec()));
    run.done(&batch);
    assert_eq!(files(&storage), [""; 0]);
    assert!(!run.input.has_unpicked());
    Ok(())
}

#[test]
fn what_a_run_that_is_left_behind_has_stored_is_deleted() -> Result<()> {
    let storage = MemoryStorage::new();
    drop(start(Arc::new(storage.clone()), logged(), 1, NOTHING, one_to_five)?.ended());
    assert!(!files(&storage).is_empty());
    let run = start_of_run(2, Arc::new(storage.clone()), logged(), 3, NOTHING, nothing)?.ended();
    assert_eq!((files(&storage), run.pick(10).1.records), (Vec::new(), 0));
    Ok(())
}

#[test]
fn a_batch_that_runs_again_reads_its_blocks_and_what_is_done_is_deleted() -> Result<()> {
    let storage = MemoryStorage::new();
    let run = start(Arc::new(storage.clone()), logged(), 1, NOTHING, one_to_five)?.ended();
    let first = run.pick(1);
    let parts = run.input.rdd(run.context.session(), first.0, &first.1)?.num_partitions();
    drop(run);
    for epoch in 2..4 {
        let memory: Memory<'_> = (None, std::slice::from_ref(&first), &[first.0]);
        let run = start(Arc::new(storage.clone()), logged(), epoch, memory, nothing)?;
        assert_eq!(run.pick(10).1.records, 0, "nothing is picked twice");
        for _ in 0..2 {
            assert_eq!(run.read(&first)?, ["1", "2", "3", "4", "5"]);
        }
        assert_eq!(run.input.rdd(run.context.session(), first.0, &first.1)?.num_partitions(), parts);
        run.input.release(first.0, Some(&first.1), epoch == 3);
        assert_eq!(files(&storage).is_empty(), epoch == 3, "a batch that failed keeps its blocks for a restart");
    }
    Ok(())
}

#[test]
fn what_a_crash_left_of_batches_that_are_done_is_deleted_at_the_restart() -> Result<()> {
    let storage = MemoryStorage::new();
    let run = start(Arc::new(storage.clone()), logged(), 1, NOTHING, one_to_five)?.ended();
    let first = run.pick(1);
    let remembered = run.input.remember()?;
    drop(run);
    for (remembered, picked) in [(Some(&remembered[..]), &[][..]), (None, std::slice::from_ref(&first))] {
        let copy = MemoryStorage::new();
        for file in storage.list("")? {
            copy.put_if_absent(&file.name, &storage.get(&file.name)?.unwrap_or_default())?;
        }
        let run = start(Arc::new(copy.clone()), logged(), 2, (remembered, picked, &[]), nothing)?;
        assert_eq!((files(&copy), run.pick(2).1.records), (Vec::new(), 0));
    }
    Ok(())
}

#[test]
fn a_file_whose_blocks_are_in_two_batches_is_kept_until_both_are_done() -> Result<()> {
    let storage = MemoryStorage::new();
    let config = || logged().set(keys::RECEIVER_FIRST_BATCH_BLOCKS, 1);
    let singles = |link: &ReceiverLink<String>| {
        // Three blocks that are sealed by the batch, and so are in one file.
        (0..3).try_for_each(|n| {
            link.sealed().put(LineOf(n), 1, 10);
            Ok(())
        })
    };
    let run = start(Arc::new(storage.clone()), config(), 1, NOTHING, singles)?;
    until("the blocks", || run.input.has_unpicked());
    let first = run.pick(1);
    assert_eq!((first.1.records, files(&storage).len()), (1, 1));
    run.done(&first);
    assert_eq!(files(&storage).len(), 1);
    let remembered = run.input.remember()?;
    drop(run.ended());
    let run = start(Arc::new(storage.clone()), logged(), 2, (Some(&remembered), &[], &[]), nothing)?;
    let second = run.pick(2);
    assert_eq!(run.read(&second)?, ["1", "2"]);
    run.done(&second);
    assert_eq!(files(&storage), [""; 0]);
    Ok(())
}

/// A block of one record.
struct LineOf(u32);

impl crate::io::block::BlockContent<String> for LineOf {
    fn chunks(&self) -> crate::rdd::chunk::Chunks<'_, String> {
        Box::new(std::iter::once(vec![self.0.to_string()]))
    }
    fn packed(&self) -> crate::io::block::Packed<'_, String> {
        crate::io::block::Packed::Records(Box::leak(vec![self.0.to_string()].into_boxed_slice()))
    }
}

#[test]
fn blocks_of_lines_come_back_as_they_were() -> Result<()> {
    let storage = MemoryStorage::new();
    let lines = |link: &ReceiverLink<Text>| {
        let block = LineBlock::from_text("one\ntwo\n\nfour\n".to_owned());
        link.sealed().put(block.clone(), block.records(), block.bytes());
        Ok(())
    };
    let run = start(Arc::new(storage.clone()), logged(), 1, NOTHING, lines)?;
    until("the block", || run.input.has_unpicked());
    let first = run.pick(1);
    drop(run.ended());
    let memory: Memory<'_> = (None, std::slice::from_ref(&first), &[first.0]);
    let run = start(Arc::new(storage), logged(), 2, memory, |_: &ReceiverLink<Text>| Ok(()))?;
    assert_eq!(run.read(&first)?, ["one", "two", "", "four"]);
    Ok(())
}

#[test]
fn a_damaged_or_missing_file_fails_by_name_or_is_passed_over_if_so_configured() -> Result<()> {
    for gone in [false, true] {
        let storage = MemoryStorage::new();
        let run = start(Arc::new(storage.clone()), logged(), 1, NOTHING, |link: &ReceiverLink<String>| {
            link.store_many(["good".into()])?;
            link.store_many(["bad".into()])
        })?
        .ended();
        let first = run.pick(1);
        drop(run);
        let bad = files(&storage).pop().expect("there are two");
        let bytes = storage.get(&bad)?.unwrap_or_default();
        storage.delete(&bad)?;
        if !gone {
            storage.put_if_absent(&bad, &bytes[..bytes.len() - 1])?;
        }
        let memory: Memory<'_> = (None, std::slice::from_ref(&first), &[first.0]);
        let run = start(Arc::new(storage.clone()), logged(), 2, memory, nothing)?;
        let error = run.read(&first).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Data);
        for part in [&bad[..], "tidemill.receiver.damagedBlocks"] {
            assert!(error.to_string().contains(part), "{error}");
        }
        let skip = logged().set(keys::RECEIVER_DAMAGED_BLOCKS, "skip");
        let run = start(Arc::new(storage.clone()), skip.clone(), 3, memory, nothing)?;
        assert_eq!(run.read(&first)?, ["good"]);
        if !gone {
            // One that was not picked yet: the start fails, or goes on without.
            let started = start(Arc::new(storage.clone()), logged(), 4, NOTHING, nothing).map(drop);
            assert!(started.unwrap_err().to_string().contains(&bad));
            let run = start(Arc::new(storage.clone()), skip, 5, NOTHING, nothing)?;
            assert_eq!(run.pick(2).1.records, 1);
        }
    }
    Ok(())
}

/// Storage that does not answer for a while: of its next puts so many fail, and so many fail though the file is stored.
#[derive(Debug)]
struct Unsteady {
    storage: MemoryStorage,
    failing: AtomicUsize,
    in_doubt: AtomicUsize,
    puts: AtomicUsize,
}

impl Unsteady {
    fn new(failing: usize, in_doubt: usize) -> Arc<Self> {
        let (failing, in_doubt) = (AtomicUsize::new(failing), AtomicUsize::new(in_doubt));
        Arc::new(Self { storage: MemoryStorage::new(), failing, in_doubt, puts: AtomicUsize::new(0) })
    }
}

fn one_less(count: &AtomicUsize) -> bool {
    count.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |count| count.checked_sub(1)).is_ok()
}

impl Storage for Unsteady {
    fn url(&self) -> &str {
        "unsteady"
    }
    fn put_if_absent(&self, name: &str, bytes: &[u8]) -> Result<Put> {
        self.puts.fetch_add(1, Ordering::SeqCst);
        let no_answer = || Err(Error::unavailable("the storage of a test does not answer"));
        if one_less(&self.failing) {
            return no_answer();
        }
        let put = self.storage.put_if_absent(name, bytes)?;
        if one_less(&self.in_doubt) { no_answer() } else { Ok(put) }
    }
    fn get(&self, name: &str) -> Result<Option<Vec<u8>>> {
        self.storage.get(name)
    }
    fn list(&self, prefix: &str) -> Result<Vec<StoredFile>> {
        self.storage.list(prefix)
    }
    fn delete(&self, name: &str) -> Result<()> {
        self.storage.delete(name)
    }
}

#[test]
fn what_could_not_be_stored_at_once_is_stored_once_and_the_receiver_waits_for_it() -> Result<()> {
    for (failing, in_doubt) in [(2, 0), (0, 2), (1, 1)] {
        let storage = Unsteady::new(failing, in_doubt);
        let returned = Arc::new(Mutex::new(None));
        let told = returned.clone();
        let run = start(storage.clone(), logged(), 1, NOTHING, move |link: &ReceiverLink<String>| {
            let stored = link.store_many(["x".into()]);
            *told.lock().unwrap() = Some(stored.map_err(|error| error.to_string()));
            Ok(())
        })?;
        until("store_many returns", || returned.lock().unwrap().is_some());
        assert_eq!(*returned.lock().unwrap(), Some(Ok(())));
        assert_eq!(storage.puts.load(Ordering::SeqCst), failing + in_doubt + 1);
        drop(run.ended());
        let run = start(storage, logged(), 2, NOTHING, nothing)?;
        let batch = run.pick(1);
        assert_eq!(run.read(&batch)?, ["x"]);
    }
    Ok(())
}

#[test]
fn a_batch_is_given_nothing_that_is_not_stored() -> Result<()> {
    let storage = Unsteady::new(usize::MAX, 0);
    let run = start(storage.clone(), logged(), 1, NOTHING, |link: &ReceiverLink<String>| {
        link.store("x".into())?;
        link.wait(seconds(30));
        Ok(())
    })?;
    until("the record", || run.input.has_unpicked());
    assert_eq!((run.pick(1).1.records, run.input.has_unpicked()), (0, true));
    storage.failing.store(0, Ordering::SeqCst);
    let batch = run.pick(2);
    assert_eq!(run.read(&batch)?, ["x"]);
    drop(run.stopped());
    Ok(())
}

#[test]
fn a_receiver_that_has_to_end_while_nothing_can_be_stored_is_told_so() -> Result<()> {
    let storage = Unsteady::new(usize::MAX, 0);
    let told = Arc::new(Mutex::new(None));
    let tell = told.clone();
    let run = start(storage.clone(), logged(), 1, NOTHING, move |link: &ReceiverLink<String>| {
        *tell.lock().unwrap() = Some(link.store_many(["x".into()]));
        Ok(())
    })?;
    until("a try", || storage.puts.load(Ordering::SeqCst) > 0);
    let run = run.stopped();
    let told = told.lock().unwrap().take();
    assert!(told.is_some_and(|stored| stored.is_err_and(|error| error.kind() == ErrorKind::Unavailable)));
    // It is not given up for that: the last batch has it, if the storage answers by then.
    storage.failing.store(0, Ordering::SeqCst);
    let batch = run.pick(1);
    assert_eq!(run.read(&batch)?, ["x"]);
    Ok(())
}

#[test]
fn what_trickles_in_is_stored_after_a_block_interval_without_any_batch() -> Result<()> {
    let storage = MemoryStorage::new();
    let config = logged().set(keys::BLOCK_INTERVAL, "10ms");
    let run = start(Arc::new(storage.clone()), config, 1, NOTHING, |link: &ReceiverLink<String>| {
        link.store("x".into())?;
        link.wait(seconds(30));
        Ok(())
    })?;
    until("the file", || !files(&storage).is_empty());
    drop(run.stopped());
    let run = start(Arc::new(storage), logged(), 2, NOTHING, nothing)?;
    let batch = run.pick(1);
    assert_eq!(run.read(&batch)?, ["x"]);
    Ok(())
}

#[test]
fn blocks_of_many_threads_share_files() -> Result<()> {
    let storage = Unsteady::new(0, 0);
    let run = start(storage.clone(), logged(), 1, NOTHING, |link: &ReceiverLink<String>| {
        std::thread::scope(|scope| {
            for thread in 0..4 {
                let body = move || (0..50).try_for_each(|n| link.store_many([format!("{thread} {n:02}")]));
                std::thread::Builder::new().name("storing".into()).spawn_scoped(scope, body).unwrap();
            }
        });
        Ok(())
    })?
    .ended();
    drop(run);
    assert!(storage.puts.load(Ordering::SeqCst) <= 200);
    let config = logged().set(keys::RECEIVER_FIRST_BATCH_BLOCKS, 1_000);
    let run = start(storage, config, 2, NOTHING, nothing)?;
    let batch = run.pick(1);
    let mut records = run.read(&batch)?;
    records.sort();
    assert!(records.iter().eq(&(0..4).flat_map(|t| (0..50).map(move |n| format!("{t} {n:02}"))).collect::<Vec<_>>()));
    Ok(())
}

#[test]
fn what_a_driver_stored_that_was_taken_over_from_is_not_lost() -> Result<()> {
    let storage = MemoryStorage::new();
    let (go, gone) = std::sync::mpsc::channel::<()>();
    let stale = start(Arc::new(storage.clone()), logged(), 1, NOTHING, move |link: &ReceiverLink<String>| {
        link.store_many(["before".into()])?;
        let _ = gone.recv();
        link.store_many(["after".into()])
    })?;
    until("the first file", || files(&storage).len() == 1);
    let taken_over = start(Arc::new(storage.clone()), logged(), 2, NOTHING, nothing)?;
    let batch = taken_over.pick(1);
    assert_eq!(taken_over.read(&batch)?, ["before"]);
    drop(go);
    until("the second file", || files(&storage).len() == 2);
    drop(stale.ended());
    taken_over.done(&batch);
    let remembered = taken_over.input.remember()?;
    let third = start(Arc::new(storage), logged(), 3, (Some(&remembered), &[], &[]), nothing)?;
    let batch = third.pick(2);
    assert_eq!(third.read(&batch)?, ["after"]);
    Ok(())
}

#[test]
fn what_waits_counts_in_the_pool_after_a_restart_too() -> Result<()> {
    let storage = MemoryStorage::new();
    let fill = |link: &ReceiverLink<String>| link.store_many(["x".repeat(3_000)]);
    drop(start(Arc::new(storage.clone()), logged(), 1, NOTHING, fill)?.ended());
    let run = start(Arc::new(storage), logged(), 2, NOTHING, nothing)?;
    assert!(run.pool.used_now() >= 3_000);
    let batch = run.pick(1);
    run.done(&batch);
    assert_eq!(run.pool.used_now(), 0);
    Ok(())
}

#[test]
fn without_the_log_what_an_earlier_run_stored_is_still_processed_and_nothing_more_is_stored() -> Result<()> {
    let storage = MemoryStorage::new();
    drop(start(Arc::new(storage.clone()), logged(), 1, NOTHING, one_to_five)?.ended());
    let unlogged = Config::new().set(keys::MASTER, "local[2]");
    let run = start(Arc::new(storage.clone()), unlogged, 2, NOTHING, |link: &ReceiverLink<String>| {
        link.store_many(["6".into()])
    })?
    .ended();
    let batch = run.pick(1);
    assert_eq!(run.read(&batch)?.len(), 6);
    assert!(!run.input.is_replayable());
    run.done(&batch);
    assert_eq!(files(&storage), [""; 0]);
    Ok(())
}

/// Serialises unless it is bad.
#[derive(Clone, Debug, PartialEq, Deserialize)]
struct Fussy(String);

impl Serialize for Fussy {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        assert_ne!(self.0, "panics", "a record of a test panics");
        match self.0.as_str() {
            "bad" => Err(serde::ser::Error::custom("a record of a test is bad")),
            text => serializer.serialize_newtype_struct("Fussy", text),
        }
    }
}

#[test]
fn records_that_cannot_be_serialised_are_refused_and_hold_up_nothing() -> Result<()> {
    let storage = MemoryStorage::new();
    let refused = Arc::new(Mutex::new(Vec::new()));
    let tell = refused.clone();
    let run = start(Arc::new(storage), logged(), 1, NOTHING, move |link: &ReceiverLink<Fussy>| {
        for text in ["good", "bad", "panics", "good again"] {
            if let Err(error) = link.put(vec![Fussy(text.into())], 10, None) {
                tell.lock().unwrap().push(error.kind());
            }
        }
        Ok(())
    })?;
    let run = run.ended();
    assert_eq!(*refused.lock().unwrap(), [ErrorKind::Data, ErrorKind::User]);
    let batch = run.pick(1);
    assert_eq!(run.read(&batch)?, [Fussy("good".into()), Fussy("good again".into())]);
    Ok(())
}
