//! Programs that are started again over their checkpoint: every input goes on with what no batch picked.

use crate::patience::until;
use std::{
    fs,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
};
use tidemill::{
    Config, Context, Error, ManualClock, Result, StreamingContext, Text, Time,
    base::storage::{Hold, MemoryStorage, Put, Storage, StoredFile},
    io::{Ending, Receiver, ReceiverLink},
    keys, seconds,
    testing::{Step, TestContext},
};

fn start(checkpoint: &MemoryStorage, config: Config) -> TestContext {
    TestContext::remembered_in(checkpoint.clone(), config, seconds(1))
}

#[test]
fn files_are_read_once_over_restarts_and_also_those_that_came_while_the_program_was_down() -> Result<()> {
    let (checkpoint, folder) = (MemoryStorage::new(), tempfile::tempdir().unwrap());
    let write = |name: &str| fs::write(folder.path().join(name), format!("{name}\n")).unwrap();
    write("there at the first start");
    let mut read = Vec::new();
    for number in 0..4 {
        let test = start(&checkpoint, Config::new());
        let lines = test.ssc().text_file_stream(folder.path().display().to_string());
        let seen = test.collect(&lines.map(|line: Text| line.to_string()));
        write(&format!("up {number}"));
        test.run(2)?;
        read.push(seen.batches().concat());
        drop(test);
        write(&format!("down {number}"));
    }
    read.iter_mut().for_each(|names| names.sort());
    assert_eq!(read[0], ["up 0"]);
    for (number, names) in read.iter().enumerate().skip(1) {
        assert_eq!(*names, [format!("down {}", number - 1), format!("up {number}")]);
    }
    Ok(())
}

/// What a crash at this moment would leave.
fn crashed(checkpoint: &MemoryStorage) -> Result<MemoryStorage> {
    let left = MemoryStorage::new();
    for file in checkpoint.list("")? {
        left.put_if_absent(&file.name, &checkpoint.get(&file.name)?.unwrap())?;
    }
    Ok(left)
}

#[test]
fn files_that_came_before_the_first_batch_are_read_though_the_program_died_before_it() -> Result<()> {
    let (mut checkpoint, mut read) = (MemoryStorage::new(), Vec::new());
    let folders = [(); 2].map(|()| tempfile::tempdir().unwrap());
    let write = |folder: usize, name: &str| fs::write(folders[folder].path().join(name), format!("{name}\n")).unwrap();
    (0..2).for_each(|folder| write(folder, "there at the start"));
    for number in 0..4 {
        let test = start(&checkpoint, Config::new());
        // The second folder is new in the program from the third start on.
        let watched = folders.iter().take(1 + number / 2);
        let lines = watched.map(|folder| test.ssc().text_file_stream(folder.path().display().to_string()));
        let seen: Vec<_> = lines.map(|lines| test.collect(&lines.map(|line: Text| line.to_string()))).collect();
        test.ssc().start()?;
        write(number / 2, &format!("up {number}"));
        // Every other start is killed before its first batch.
        if number % 2 == 1 {
            test.run(1)?;
            read.push(seen.iter().flat_map(|seen| seen.sorted().concat()).collect::<Vec<_>>());
        }
        checkpoint = crashed(&checkpoint)?;
    }
    assert_eq!(read, [["up 0", "up 1"], ["up 2", "up 3"]]);
    Ok(())
}

#[test]
fn a_batch_that_was_not_done_is_given_the_same_step_of_a_script_again() -> Result<()> {
    let checkpoint = MemoryStorage::new();
    let mut seen_all = Vec::new();
    for number in 0..3 {
        let config = Config::new().set(keys::BATCH_ON_FAILURE, "stop");
        let test = start(&checkpoint, config);
        let (numbers, source) = test.scripted_stream();
        let seen = test.collect(&numbers);
        numbers.for_each_batch(move |records: Vec<i32>, _| match records.contains(&2) && number == 0 {
            true => Err(Error::user("the second batch of a test fails at the first start")),
            false => Ok(()),
        });
        (1..=6).for_each(|n| source.push(Step::Records(vec![n])));
        test.advance(2)?;
        seen_all.push(seen.batches().concat());
    }
    assert_eq!(seen_all, [vec![1, 2], vec![2, 3, 4], vec![5, 6]]);
    Ok(())
}

#[test]
fn made_up_records_go_on_where_they_were_however_missed_batches_are_run() -> Result<()> {
    for missed in ["each", "merged", "skipped"] {
        let checkpoint = MemoryStorage::new();
        let mut made = Vec::new();
        for number in 0..3 {
            let test = start(&checkpoint, Config::new().set(keys::MISSED_BATCHES, missed));
            let seen = test.collect(&test.ssc().generate_stream(3, |n| n));
            // The program was down for some batches.
            test.clock().set(Time::from_ms(number * 10_000));
            test.ssc().start()?;
            // Which batch is the first depends on when the program looks at the clock.
            until("two batches are done", || {
                test.clock().advance(seconds(1));
                test.ssc().progress().completed_batches >= 2
            });
            test.ssc().stop()?;
            made.extend(seen.batches().concat());
        }
        assert!(made.iter().copied().eq(0..made.len() as u64), "{missed}: {made:?}");
        assert!(made.len() >= 18, "{missed}: {made:?}");
    }
    Ok(())
}

/// Stores what it is given, once, and then waits for its end.
struct Stores(Vec<&'static str>, Arc<AtomicBool>);

impl Receiver for Stores {
    type Item = String;
    fn run(&mut self, link: &ReceiverLink<String>) -> Result<Ending> {
        self.0.drain(..).try_for_each(|record| link.store_many([record.to_owned()]))?;
        self.1.store(true, Ordering::SeqCst);
        link.wait(seconds(30));
        Ok(Ending::Stop("done".into()))
    }
}

fn logged() -> Config {
    Config::new().set(keys::RECEIVER_LOG_ENABLED, true).set(keys::BATCH_ON_FAILURE, "stop")
}

#[test]
fn what_a_receiver_stored_outlives_a_program_that_ends_before_its_batch() -> Result<()> {
    let checkpoint = MemoryStorage::new();
    let records = [vec!["1", "2"], vec!["3"], vec![]];
    let mut seen_all = Vec::new();
    for (number, records) in records.into_iter().enumerate() {
        let test = start(&checkpoint, logged());
        let stored = Arc::new(AtomicBool::new(false));
        let stream = test.ssc().receiver_stream(Stores(records, stored.clone()));
        let seen = test.collect(&stream);
        assert_eq!(test.ssc().guarantees(), ["receiver_stream -> collect: at least once"]);
        stream.for_each_batch(move |records, _| match records.is_empty() || number != 1 {
            true => Ok(()),
            false => Err(Error::user("every batch with records fails at the second start of a test")),
        });
        test.ssc().start()?;
        until("all is stored", || stored.load(Ordering::SeqCst));
        // At the first start the program ends before any batch.
        if number > 0 {
            test.advance(2)?;
        }
        seen_all.push(seen.batches().concat());
    }
    assert_eq!(seen_all, [vec![], vec!["1", "2", "3"], vec!["1", "2", "3"]]);
    assert_eq!(checkpoint.list("received")?, [], "what is done with is deleted");
    Ok(())
}

/// Storage that notes what is stored.
#[derive(Debug)]
struct Noted(MemoryStorage, Arc<Mutex<Vec<String>>>);

impl Storage for Noted {
    fn url(&self) -> &str {
        "noted"
    }
    fn put_if_absent(&self, name: &str, bytes: &[u8]) -> Result<Put> {
        let put = self.0.put_if_absent(name, bytes);
        self.1.lock().unwrap().push(name.split('/').next().unwrap().to_owned());
        put
    }
    fn get(&self, name: &str) -> Result<Option<Vec<u8>>> {
        self.0.get(name)
    }
    fn list(&self, prefix: &str) -> Result<Vec<StoredFile>> {
        self.0.list(prefix)
    }
    fn delete(&self, name: &str) -> Result<()> {
        self.0.delete(name)
    }
    fn hold(&self, name: &str, owner: &str) -> Result<Hold> {
        self.0.hold(name, owner)
    }
}

struct Acknowledged(Arc<Mutex<Vec<String>>>, &'static str);

impl Receiver for Acknowledged {
    type Item = String;
    fn run(&mut self, link: &ReceiverLink<String>) -> Result<Ending> {
        let notes = self.0.clone();
        link.store_acknowledged([self.1.to_owned()], move || notes.lock().unwrap().push("acknowledged".into()))?;
        self.0.lock().unwrap().push("returned".into());
        Ok(Ending::Stop("done".into()))
    }
}

#[test]
fn a_record_is_acknowledged_after_the_commit_of_its_batch_and_never_if_that_fails() -> Result<()> {
    for (record, fails) in [("good", false), ("bad", true)] {
        let notes = Arc::new(Mutex::new(Vec::new()));
        let clock = ManualClock::new(Time::from_ms(0));
        let config = logged().set(keys::MASTER, "local[2]").set(keys::SHUTDOWN_SIGNALS, false);
        let ssc = StreamingContext::with_clock(&Context::new(config)?, seconds(1), Arc::new(clock.clone()))?;
        ssc.checkpoint_to(Arc::new(Noted(MemoryStorage::new(), notes.clone())))?;
        let into = notes.clone();
        ssc.receiver_stream(Acknowledged(notes.clone(), record)).for_each_batch(move |records: Vec<String>, _| {
            if records.is_empty() {
                return Ok(());
            }
            into.lock().unwrap().push("output".into());
            if fails { Err(Error::user("an output of a test fails")) } else { Ok(()) }
        });
        ssc.start()?;
        until("the record is stored", || notes.lock().unwrap().iter().any(|note| note == "returned"));
        clock.advance(seconds(1));
        let last = if fails { "output" } else { "acknowledged" };
        until("the end of the batch", || notes.lock().unwrap().iter().any(|note| note == last));
        let _ = ssc.stop();
        let notes = notes.lock().unwrap().clone();
        let at = |what: &str| notes.iter().position(|note| note == what);
        assert!(at("received") < at("returned") && at("returned") < at("output"), "{notes:?}");
        let logged_between = |from: &str, to: &str| {
            let (from, to) = (at(from).unwrap(), at(to).unwrap());
            notes[from..to].iter().any(|note| note == "log")
        };
        assert!(logged_between("returned", "output"), "what is picked is logged before any work: {notes:?}");
        match fails {
            true => assert_eq!(at("acknowledged"), None, "{notes:?}"),
            false => assert!(logged_between("output", "acknowledged"), "{notes:?}"),
        }
    }
    Ok(())
}

#[test]
fn a_queue_that_may_be_checkpointed_loses_what_was_in_it_and_goes_on() -> Result<()> {
    let checkpoint = MemoryStorage::new();
    let mut seen_all = Vec::new();
    for number in 0..2 {
        let config = Config::new().set(keys::QUEUE_STREAM_ALLOW_CHECKPOINT, true).set(keys::BATCH_ON_FAILURE, "stop");
        let test = start(&checkpoint, config);
        let (numbers, queue) = test.ssc().queue_stream(true);
        let seen = test.collect(&numbers);
        numbers.for_each_batch(move |records: Vec<i64>, _| match records.contains(&1) && number == 0 {
            true => Err(Error::user("the second batch of a test fails at the first start")),
            false => Ok(()),
        });
        (0..4).for_each(|n| queue.push(test.ssc().context().range(n, n + 1, 1, 1)));
        test.advance(2)?;
        seen_all.push(seen.batches());
    }
    assert_eq!(seen_all, [vec![vec![0], vec![1]], vec![vec![], vec![0], vec![1]]]);
    Ok(())
}
