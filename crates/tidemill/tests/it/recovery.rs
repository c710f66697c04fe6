//! Programs that are started again over their checkpoint, in one process and under a clock that stands still.

use crate::patience::{a_moment, until};
use std::sync::Arc;
use tidemill::{
    Config, DStream, ErrorKind, Result, State, StateSpec, StreamingContext, Time,
    base::storage::{LocalStorage, MemoryStorage, Storage, StorageRef},
    keys, milliseconds, seconds,
    testing::{Collected, TestContext},
};

type Pairs = Vec<Vec<(char, u64)>>;

/// The batches that every start of a program is given from the beginning.
fn script() -> Pairs {
    ["ab", "a", "", "ccb", "a", "dd", "", "b"].map(|keys| keys.chars().map(|key| (key, 1)).collect()).to_vec()
}

fn running_counts(pairs: &DStream<(char, u64)>) -> DStream<String> {
    let number = |key: &char, one: Option<u64>, count: &mut State<u64>| {
        count.update(count.get_option().unwrap_or(&0) + one.unwrap_or(0));
        format!("{key}{}", count.get())
    };
    pairs.map_with_state(StateSpec::function(number)).uid("counts")
}

/// A start of the program over a checkpoint.
fn start(checkpoint: &MemoryStorage, config: Config) -> (TestContext, Collected<String>) {
    let test = TestContext::remembered_in(checkpoint.clone(), config, seconds(1));
    let seen = test.collect(&running_counts(&test.stream(script())));
    (test, seen)
}

fn uninterrupted() -> Result<Vec<Vec<String>>> {
    let (test, seen) = start(&MemoryStorage::new(), Config::new());
    test.run(script().len())?;
    Ok(seen.sorted())
}

#[test]
fn a_program_goes_on_on_any_number_of_workers() -> Result<()> {
    let checkpoint = MemoryStorage::new();
    let mut seen = Vec::new();
    for (workers, batches) in [(1, 3), (3, 2), (2, 3)] {
        let config = Config::new()
            .set(keys::MASTER, format!("local[{workers}]"))
            .set(keys::DEFAULT_PARALLELISM, workers * 2 - 1);
        let (test, collected) = start(&checkpoint, config);
        test.run(batches)?;
        seen.extend(collected.sorted());
    }
    assert_eq!(seen, uninterrupted()?);
    Ok(())
}

#[test]
fn batch_times_go_on_where_they_were_though_the_clock_does_not() -> Result<()> {
    let checkpoint = MemoryStorage::new();
    let mut times = Vec::new();
    for _ in 0..3 {
        // The clock of each start begins at 0.
        let (test, seen) = start(&checkpoint, Config::new());
        test.run(2)?;
        times.extend(seen.times());
    }
    assert_eq!(times, [1, 2, 3, 4, 5, 6].map(|n| Time::from_ms(n * 1_000)));
    Ok(())
}

#[test]
fn a_run_that_begins_afresh_attaches_nothing_and_is_what_the_next_start_goes_on_from() -> Result<()> {
    let checkpoint = MemoryStorage::new();
    let afresh = || Config::new().set(keys::CHECKPOINT_AFRESH, true);
    let (test, _) = start(&checkpoint, afresh());
    test.run(3)?;
    drop(test);
    // Long after: no batch of the down time is run, and inputs are read from their beginning.
    let (test, seen) = start(&checkpoint, afresh());
    test.clock().set(Time::from_ms(60_500));
    test.run(2)?;
    assert_eq!(seen.times(), [61_000, 62_000].map(Time::from_ms));
    drop(test);
    let (test, went_on) = start(&checkpoint, Config::new());
    test.clock().set(Time::from_ms(62_000));
    test.run(script().len() - 2)?;
    assert_eq!([seen.sorted(), went_on.sorted()].concat(), uninterrupted()?);
    Ok(())
}

#[test]
fn another_program_may_begin_afresh_over_a_batch_that_is_not_done() -> Result<()> {
    let checkpoint = MemoryStorage::new();
    let (test, _) = breakable(&checkpoint, "stop", true);
    test.advance(4)?;
    assert!(test.ssc().await_termination_or_timeout(seconds(5)).is_err());
    drop(test);
    let config = Config::new().set(keys::CHECKPOINT_AFRESH, true);
    let test = TestContext::remembered_in(checkpoint, config, milliseconds(300));
    let lengths = |key: &char, one: Option<u64>, text: &mut State<String>| {
        text.update(text.get_option().cloned().unwrap_or_default() + &key.to_string());
        text.get().len() as u64 + one.unwrap_or(0)
    };
    let seen = test.collect(&test.stream(script()).map_with_state(StateSpec::function(lengths)).uid("counts"));
    test.run(2)?;
    assert_eq!(seen.sorted(), [vec![2, 2], vec![3]]);
    assert!(seen.times().iter().all(|time| time.is_multiple_of(milliseconds(300))), "{:?}", seen.times());
    Ok(())
}

/// The times of the batches that a start at 6500 ms runs, after one that ended with the batch of 2000 ms.
fn after_down_time(rule: &str) -> Result<(Vec<u64>, Vec<String>)> {
    let checkpoint = MemoryStorage::new();
    let (test, _) = start(&checkpoint, Config::new());
    test.run(2)?;
    drop(test);
    let (test, seen) = start(&checkpoint, Config::new().set(keys::MISSED_BATCHES, rule));
    test.clock().set(Time::from_ms(6_500));
    test.run(1)?;
    Ok((seen.times().into_iter().map(Time::as_ms).collect(), seen.sorted().concat()))
}

#[test]
fn batches_of_the_down_time_are_run_each_or_as_one_or_not_at_all() -> Result<()> {
    assert_eq!(after_down_time("each")?.0, [3_000, 4_000, 5_000, 6_000, 7_000]);
    let mut numbers = after_down_time("each")?.1;
    numbers.sort();
    assert_eq!(numbers, ["a3", "b2", "c1", "c2", "d1", "d2"]);
    assert_eq!(after_down_time("merged")?.0, [6_000, 7_000]);
    assert_eq!(after_down_time("skipped")?.0, [7_000]);
    Ok(())
}

/// A program whose second batch fails as long as `broken`.
fn breakable(checkpoint: &MemoryStorage, on_failure: &str, broken: bool) -> (TestContext, Collected<String>) {
    let config = Config::new().set(keys::BATCH_ON_FAILURE, on_failure);
    let test = TestContext::remembered_in(checkpoint.clone(), config, seconds(1));
    let counts = running_counts(&test.stream(script()));
    let seen = test.collect(&counts);
    counts.foreach_rdd(move |rdd, time| {
        rdd.count()?;
        if broken && time == Time::from_ms(2_000) { Err(tidemill::Error::user("broken")) } else { Ok(()) }
    });
    (test, seen)
}

#[test]
fn a_batch_that_failed_runs_again_after_a_restart_and_no_later_one_before_it() -> Result<()> {
    let checkpoint = MemoryStorage::new();
    let (test, _) = breakable(&checkpoint, "stop", true);
    test.advance(4)?;
    let error = test.ssc().await_termination_or_timeout(seconds(5)).expect_err("the failed batch is raised");
    assert!(error.to_string().contains("broken"), "{error}");
    drop(test);
    let (test, seen) = breakable(&checkpoint, "stop", false);
    test.run(script().len() - 1)?;
    // The batches that waited behind it were picked already, and are run on top of those that are asked for.
    let expected = uninterrupted()?;
    assert_eq!(seen.sorted()[..expected.len() - 1], expected[1..]);
    Ok(())
}

#[test]
fn a_batch_that_failed_is_passed_over_where_the_program_says_so() -> Result<()> {
    let checkpoint = MemoryStorage::new();
    let (test, _) = breakable(&checkpoint, "continue", true);
    test.advance(3)?;
    drop(test);
    let (test, seen) = breakable(&checkpoint, "continue", false);
    test.run(2)?;
    // The "a" of the second batch is not counted.
    assert_eq!(seen.sorted(), [vec!["b2", "c1", "c2"], vec!["a2"]]);
    Ok(())
}

#[test]
fn a_checkpoint_belongs_to_one_program_at_a_time() -> Result<()> {
    let checkpoint = MemoryStorage::new();
    let (first, _) = start(&checkpoint, Config::new());
    first.run(1)?;
    let (second, _) = start(&checkpoint, Config::new());
    let error = second.ssc().start().expect_err("the first one runs");
    assert_eq!(error.kind(), ErrorKind::Closed, "{error}");
    assert!(error.to_string().contains("tidemill.checkpoint.takeOver"), "{error}");
    Ok(())
}

#[test]
fn a_driver_that_was_taken_over_from_fails_its_next_commit() -> Result<()> {
    let checkpoint = MemoryStorage::new();
    let (stale, unseen) = start(&checkpoint, Config::new().set(keys::BATCH_ON_FAILURE, "stop"));
    stale.run(2)?;
    let (new, seen) = start(&checkpoint, Config::new().set(keys::CHECKPOINT_TAKE_OVER, true));
    new.run(2)?;
    stale.advance(1)?;
    let error = stale.ssc().await_termination_or_timeout(seconds(5)).expect_err("it was fenced");
    assert_eq!(error.kind(), ErrorKind::Closed, "{error}");
    new.run(script().len() - 4)?;
    assert_eq!([unseen.sorted()[..2].to_vec(), seen.sorted()].concat(), uninterrupted()?);
    Ok(())
}

#[test]
fn what_changed_in_a_program_is_refused_only_if_something_would_be_lost() -> Result<()> {
    let checkpoint = MemoryStorage::new();
    let (test, _) = start(&checkpoint, Config::new());
    test.run(2)?;
    drop(test);
    // Without the operator that has state.
    let other = |config: Config| {
        let test = TestContext::remembered_in(checkpoint.clone(), config, seconds(1));
        let seen = test.collect(&test.stream(script()).map(|(key, _)| key));
        (test, seen)
    };
    let error = other(Config::new()).0.ssc().start().expect_err("the counts would be lost");
    assert!(error.to_string().contains("counts"), "{error}");
    assert!(error.to_string().contains("tidemill.checkpoint.discard"), "{error}");
    let (test, seen) = other(Config::new().set(keys::CHECKPOINT_DISCARD, "counts"));
    test.run(2)?;
    assert_eq!(seen.sorted(), [vec![], vec!['b', 'c', 'c']]);
    drop(test);
    // Back again: a new operator begins with nothing.
    let (test, seen) = start(&checkpoint, Config::new());
    test.run(1)?;
    assert_eq!(seen.sorted(), [["a1"]]);
    Ok(())
}

#[test]
fn a_state_of_another_type_is_refused() -> Result<()> {
    let checkpoint = MemoryStorage::new();
    let (test, _) = start(&checkpoint, Config::new());
    test.run(1)?;
    drop(test);
    let test = TestContext::remembered_in(checkpoint, Config::new(), seconds(1));
    let last = |key: &char, _: Option<u64>, text: &mut State<String>| {
        text.update(key.to_string());
        text.get().clone()
    };
    test.collect(&test.stream(script()).map_with_state(StateSpec::function(last)).uid("counts"));
    let error = test.ssc().start().expect_err("numbers are no texts");
    assert!(error.to_string().contains("counts") && error.to_string().contains("String"), "{error}");
    Ok(())
}

/// A storage that can be made to fail.
#[derive(Debug)]
struct Moody(MemoryStorage, Arc<std::sync::atomic::AtomicBool>);

impl Storage for Moody {
    fn url(&self) -> &str {
        "moody"
    }
    fn put_if_absent(&self, name: &str, bytes: &[u8]) -> Result<tidemill::base::storage::Put> {
        if self.1.load(std::sync::atomic::Ordering::Relaxed) {
            return Err(tidemill::Error::unavailable(format!("\"{name}\" cannot be stored: no space left")));
        }
        self.0.put_if_absent(name, bytes)
    }
    fn get(&self, name: &str) -> Result<Option<Vec<u8>>> {
        self.0.get(name)
    }
    fn list(&self, prefix: &str) -> Result<Vec<tidemill::base::storage::StoredFile>> {
        self.0.list(prefix)
    }
    fn delete(&self, name: &str) -> Result<()> {
        self.0.delete(name)
    }
}

#[test]
fn a_program_waits_for_a_storage_that_is_full_and_goes_on_when_there_is_room() -> Result<()> {
    let full = Arc::new(std::sync::atomic::AtomicBool::new(false));
    let storage: StorageRef = Arc::new(Moody(MemoryStorage::new(), full.clone()));
    let config = Config::new().set(keys::BATCH_RETRY_TIMEOUT, "1min").set(keys::CHECKPOINT_LEASE, "0ms");
    let test = TestContext::with(config, seconds(1));
    test.ssc().checkpoint_to(storage)?;
    let seen = test.collect(&running_counts(&test.stream(script())));
    test.run(1)?;
    full.store(true, std::sync::atomic::Ordering::Relaxed);
    test.clock().advance(seconds(2));
    a_moment();
    assert_eq!(test.ssc().progress().completed_batches, 1, "nothing is done while nothing can be logged");
    full.store(false, std::sync::atomic::Ordering::Relaxed);
    until("the batches are done", || test.ssc().progress().completed_batches == 3);
    test.run(script().len() - 3)?;
    assert_eq!(seen.sorted(), uninterrupted()?);
    Ok(())
}

/// Runs some batches over a folder, as one start.
fn over(folder: &std::path::Path, batches: usize) -> Result<Vec<Vec<String>>> {
    let test = TestContext::new();
    test.ssc().checkpoint_to(Arc::new(LocalStorage::create(folder)?))?;
    let seen = test.collect(&running_counts(&test.stream(script())));
    test.run(batches)?;
    Ok(seen.sorted())
}

#[test]
fn a_damaged_or_missing_file_is_noticed_and_the_good_rest_is_used() -> Result<()> {
    let expected = uninterrupted()?;
    let template = tempfile::tempdir()?;
    over(&template.path().join("ok"), 4)?;
    let files: Vec<_> = LocalStorage::create(template.path().join("ok"))?.list("")?;
    let mut used = 0;
    for file in files.iter().filter(|file| file.bytes > 0 && file.name.contains('/')) {
        for damage in ["missing", "torn", "flipped"] {
            let folder = tempfile::tempdir()?;
            let from = template.path().join("ok");
            assert!(std::process::Command::new("cp").arg("-r").args([&*from, folder.path()]).status()?.success());
            let path = folder.path().join("ok").join(&file.name);
            let mut bytes = std::fs::read(&path)?;
            match damage {
                "missing" => std::fs::remove_file(&path)?,
                "torn" => std::fs::write(&path, &bytes[..bytes.len() / 2])?,
                _ => {
                    let middle = bytes.len() / 2;
                    bytes[middle] ^= 0x10;
                    std::fs::write(&path, &bytes)?;
                }
            }
            // Batches that are run again are seen again; each is what it was.
            match over(&folder.path().join("ok"), expected.len()) {
                Ok(seen) => {
                    let places = expected.windows(seen.len().min(expected.len()));
                    let again = (0..=4).any(|from| seen.starts_with(&expected[from..]));
                    assert!(again, "{damage} {}: {seen:?} of {:?}", file.name, places.count());
                    used += 1;
                }
                Err(error) => assert!(error.to_string().contains(&*folder.path().to_string_lossy()), "{error}"),
            }
        }
    }
    assert!(used > 5, "most damage is survived: {used}");
    Ok(())
}

#[test]
fn get_or_create_goes_on() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let program = || -> Result<StreamingContext> {
        let ssc = StreamingContext::local(2, milliseconds(10))?;
        let numbers = ssc.generate_stream(1_000, |n| (n % 2, 1u64));
        let sums = numbers
            .update_state_by_key(|new: &[u64], sum: Option<u64>| Some(sum.unwrap_or(0) + new.iter().sum::<u64>()));
        sums.save_as_text_files(folder.path().join("sums").display().to_string(), "");
        Ok(ssc)
    };
    for _ in 0..3 {
        let ssc = StreamingContext::get_or_create(folder.path().join("checkpoint"), program)?;
        ssc.start()?;
        until("some batches are done", || ssc.progress().completed_batches > 3);
        ssc.stop()?;
    }
    // The sum after each batch is what its time says, however often the program began.
    let mut found = 0;
    for entry in std::fs::read_dir(folder.path())? {
        let path = entry?.path();
        if !path.join("_SUCCESS").exists() {
            continue;
        }
        let mut sum = 0;
        for part in std::fs::read_dir(&path)? {
            for line in std::fs::read_to_string(part?.path())?.lines() {
                sum += line.trim_matches(['(', ')']).split(',').nth(1).unwrap().parse::<u64>().unwrap();
            }
        }
        assert_eq!(sum % 10, 0, "{}", path.display());
        found += 1;
    }
    assert!(found >= 12, "{found} batches");
    Ok(())
}
