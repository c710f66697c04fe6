//! The programs that the tests of several processes launch: each is this very executable, told to run only one.

#![allow(clippy::print_stdout, reason = "the programs tell the tests their answers")]

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};
use tidemill::{
    Config, Context, Error, Result, StreamingContext, Time,
    base::{
        clock::Stopwatch,
        storage::{MemoryStorage, StorageRef},
    },
    dead_letters,
    engine::cluster::ClusterConfig,
    io::RollingOptions,
    keys, milliseconds,
};

/// Which program a process is to run.
pub(crate) const PROGRAM: &str = "TIDEMILL_TEST_PROGRAM";

#[test]
#[ignore = "a process of the clusters of other tests"]
fn program() {
    let Ok(name) = std::env::var(PROGRAM) else { return };
    let outcome = match name.as_str() {
        "batch" => batch(),
        "stream" => stream(),
        "socket" => socket(),
        "sinks" => sinks(),
        "stateful" => stateful(),
        "put aside" => put_aside(1_000),
        "over budget" => put_aside(3),
        "threads" => threads(),
        "failing task" => failing_task(),
        "failing output" => failing_output(),
        "failing follower" => failing_follower(),
        "endless" => endless(),
        "other jobs" => other_jobs(),
        "more jobs" => more_jobs(),
        "fewer jobs" => fewer_jobs(),
        "latency" => latency(),
        "two contexts" => two_contexts(),
        other => panic!("there is no program \"{other}\""),
    };
    if let Err(error) = outcome {
        say(&format!("error {error}"));
        std::process::exit(3);
    }
}

fn index() -> usize {
    ClusterConfig::from_env().unwrap().map_or(0, |config| config.index())
}

/// A line for the test, in one piece and apart from what the test harness writes.
fn say(what: &str) {
    // Formatted first: pieces would be written one by one, and the harness of another process between them.
    let line = format!("\nprocess {} {what}\n", index());
    print!("{line}");
}

/// The same partitions whatever the number of processes, so that the answers can be compared word by word.
fn config() -> Config {
    Config::new().set(keys::DEFAULT_PARALLELISM, 5)
}

fn batch() -> Result<()> {
    let sc = Context::new(config())?;
    let words = sc.range(0, 5_000, 1, 7).map(|n| (format!("word {}", n % 97), n));
    let sums = words.reduce_by_key(|a, b| a + b);
    let sorted = sums.map(|(word, sum)| (sum, word)).sort_by_key(true, 4)?;
    say(&format!("sorted {:?}", sorted.collect()?.into_iter().rev().take(3).collect::<Vec<_>>()));
    let lengths = sc.range(0, 97, 3, 3).map(|n| (format!("word {n}"), n * n));
    let mut joined = sums.join(&lengths).collect()?;
    joined.sort();
    say(&format!("joined {} {:?}", joined.len(), &joined[..3]));
    let both = sums.union(&lengths).map(|(_, n)| n);
    say(&format!("counted {} {}", both.count()?, both.distinct().count()?));
    let mut fewer = both.coalesce(2)?.glom().collect()?;
    fewer.iter_mut().for_each(|part| part.sort_unstable());
    say(&format!("coalesced {:?}", fewer.iter().map(|part| (part.len(), part[0])).collect::<Vec<_>>()));
    say(&format!("first {:?}", sorted.take(2)?));
    Ok(())
}

/// Prints each batch's answer on process 0, and in every process how many batches it ran.
fn stream() -> Result<()> {
    let ssc = StreamingContext::new(&Context::new(config())?, milliseconds(20))?;
    let (numbers, queue) = ssc.queue_stream::<i64>(true);
    for batch in 0..6 {
        queue.push(ssc.context().range(0, 100 * (batch + 1), 1, 4));
    }
    let names = ssc.context().range(0, 10, 1, 2).map(|n| (n, format!("name {n}")));
    let counts = numbers.map(|n| (n % 7, 1_i64)).reduce_by_key(|a, b| a + b);
    let named = counts.transform(move |counts, _| Ok(counts.join(&names)));
    let seen = Arc::new(Mutex::new(Vec::new()));
    let answers = seen.clone();
    named.for_each_batch(move |mut batch: Vec<(i64, (i64, String))>, _| {
        batch.sort();
        answers.lock().unwrap().extend((!batch.is_empty()).then_some(batch));
        Ok::<(), Error>(())
    });
    let (total, everywhere) = (Arc::new(Mutex::new(0)), Arc::new(Mutex::new(Vec::new())));
    let totals = everywhere.clone();
    numbers.foreach_rdd(move |rdd, _| {
        let count = rdd.count()?;
        let mut total = total.lock().unwrap();
        *total += count;
        if count > 0 {
            totals.lock().unwrap().push(*total);
        }
        Ok::<(), Error>(())
    });
    ssc.start()?;
    let watch = Stopwatch::start();
    while index() == 0 && everywhere.lock().unwrap().len() < 6 && watch.elapsed() < Duration::from_secs(20) {
        ssc.await_termination_or_timeout(milliseconds(5))?;
    }
    ssc.stop_gracefully()?;
    say(&format!("totals {:?}", everywhere.lock().unwrap()));
    seen.lock().unwrap().iter().for_each(|batch| say(&format!("answer {batch:?}")));
    Ok(())
}

/// Word count of a server that the test runs, until SIGTERM.
fn socket() -> Result<()> {
    let port = std::env::var("TIDEMILL_TEST_PORT").unwrap().parse().unwrap();
    let ssc = StreamingContext::new(&Context::new(config())?, milliseconds(20))?;
    let words = ssc.socket_text_stream("127.0.0.1", port).flat_map(|line| line.split(' '));
    words.map(|word| (word, 1_i64)).reduce_by_key(|a, b| a + b).for_each_batch(|mut counts, _| {
        counts.sort();
        counts.into_iter().for_each(|(word, count)| say(&format!("count {word} {count}")));
        Ok::<(), Error>(())
    });
    ssc.start()?;
    say("started");
    ssc.await_termination()?;
    say("ended");
    Ok(())
}

/// Writes batches of 1000 numbers to sinks; the first try of the second batch fails in process 1, when others have written.
fn sinks() -> Result<()> {
    static TRIES: AtomicUsize = AtomicUsize::new(0);
    let folder = std::env::var("TIDEMILL_TEST_FOLDER").unwrap();
    let config = config().set(keys::TASK_MAX_FAILURES, 3);
    let ssc = StreamingContext::new(&Context::new(config)?, milliseconds(20))?;
    let (numbers, queue) = ssc.queue_stream::<i64>(true);
    for batch in 0..3 {
        queue.push(ssc.context().range(1_000 * batch, 1_000 * (batch + 1), 1, 4));
    }
    let numbers = numbers.map(|n| {
        assert!(index() != 1 || n != 1_400 || TRIES.fetch_add(1, Ordering::Relaxed) > 0, "the first try");
        n
    });
    numbers.save_as_text_files(format!("{folder}/text/out"), "");
    numbers.save_as_rolling_files(format!("{folder}/rolling"), RollingOptions::new());
    let count = Arc::new(Mutex::new(0));
    let counted = count.clone();
    numbers.foreach_rdd(move |rdd, _| {
        *counted.lock().unwrap() += rdd.count()?;
        Ok::<(), Error>(())
    });
    ssc.start()?;
    let watch = Stopwatch::start();
    while index() == 0 && *count.lock().unwrap() < 3_000 && watch.elapsed() < Duration::from_secs(20) {
        ssc.await_termination_or_timeout(milliseconds(5))?;
    }
    ssc.stop_gracefully()?;
    say(&format!("tries {}", TRIES.load(Ordering::Relaxed)));
    Ok(())
}

fn failing_task() -> Result<()> {
    let sc = Context::new(config())?;
    let bad = sc.range(0, 60, 1, 6).map(|n| if n % 10 == 7 { panic!("no {n}") } else { n });
    say(&format!("failed {}", bad.count().unwrap_err()));
    say(&format!("went on {}", sc.range(0, 60, 1, 6).count()?));
    bad.map(|n| (n, n)).reduce_by_key(|a, _| a).count().map(drop)
}

/// What process 0 alone cannot do, none has done.
fn failing_output() -> Result<()> {
    let ssc = StreamingContext::new(&Context::new(config())?, milliseconds(20))?;
    let (numbers, queue) = ssc.queue_stream::<i64>(true);
    queue.push(ssc.context().range(0, 9, 1, 3));
    numbers.for_each_batch(|batch: Vec<i64>, _| if batch.is_empty() { Ok(()) } else { Err(Error::user("no disk")) });
    ssc.start()?;
    let outcome = ssc.await_termination();
    ssc.stop()?;
    outcome
}

/// What one process alone cannot do, none has done.
fn failing_follower() -> Result<()> {
    let ssc = StreamingContext::new(&Context::new(config())?, milliseconds(20))?;
    let (numbers, queue) = ssc.queue_stream::<i64>(true);
    queue.push(ssc.context().range(0, 9, 1, 3));
    numbers.foreach_rdd(|rdd, _: Time| match rdd.count()? {
        9 if index() == 1 => Err(Error::user("only here")),
        _ => Ok(()),
    });
    ssc.start()?;
    let outcome = ssc.await_termination();
    ssc.stop()?;
    outcome
}

fn endless() -> Result<()> {
    let ssc = StreamingContext::new(&Context::new(config())?, milliseconds(10))?;
    let numbers = ssc.generate_stream(1_000, |n| n);
    numbers.map(|n| (n % 3, n)).reduce_by_key(|a, b| a.max(b)).foreach_rdd(|rdd, _| rdd.count().map(drop));
    ssc.start()?;
    say(&format!("id {}", std::process::id()));
    ssc.await_termination()
}

fn other_jobs() -> Result<()> {
    let sc = Context::new(config())?;
    let numbers = sc.range(0, 10, 1, 4 + index());
    numbers.count().map(drop)
}

fn more_jobs() -> Result<()> {
    let sc = Context::new(config())?;
    sc.range(0, 10, 1, 4).count()?;
    if index() == 1 { sc.range(0, 10, 1, 4).count().map(drop) } else { Ok(()) }
}

fn fewer_jobs() -> Result<()> {
    let sc = Context::new(config())?;
    sc.range(0, 10, 1, 4).count()?;
    if index() == 1 { Ok(()) } else { sc.range(0, 10, 1, 4).count().map(drop) }
}

fn two_contexts() -> Result<()> {
    let _first = Context::new(config())?;
    Context::new(config()).map(drop)
}

/// How long a job with one shuffle takes.
fn latency() -> Result<()> {
    let sc = Context::new(config().set(keys::DEFAULT_PARALLELISM, 2))?;
    let mut times = Vec::new();
    for _ in 0..1_000 {
        let pairs = sc.range(0, 10, 1, 2).map(|n| (n % 3, n));
        let watch = Stopwatch::start();
        assert_eq!(pairs.reduce_by_key(|a, b| a + b).collect()?.len(), 3);
        times.push(watch.elapsed());
    }
    times.sort();
    say(&format!("p50 {:?} p99 {:?}", times[500], times[990]));
    Ok(())
}

/// Running sums and first sights by key, over batches some of which are empty, with a window on top.
fn stateful() -> Result<()> {
    let folder = std::env::temp_dir().join(format!("tidemill-stateful-{}", std::process::id()));
    let config = config().set(keys::QUEUE_STREAM_ALLOW_CHECKPOINT, true);
    let ssc = StreamingContext::new(&Context::new(config)?, milliseconds(20))?;
    ssc.checkpoint(&folder)?;
    let (numbers, queue) = ssc.queue_stream::<i64>(true);
    for batch in 0..6 {
        queue.push(ssc.context().range(0, 100 * (batch % 3), 1, 4));
    }
    let pairs = numbers.map(|n| (n % 7, n));
    let sums =
        pairs.update_state_by_key(|new: &[i64], old: Option<i64>| Some(old.unwrap_or(0) + new.iter().sum::<i64>()));
    let windowed = pairs.reduce_by_key_and_window(|a, b| a + b, milliseconds(40), milliseconds(20));
    let answers = Arc::new(Mutex::new(Vec::new()));
    let seen = answers.clone();
    let both = sums.transform_with(&windowed, |sums, windowed, _| Ok(sums.left_outer_join(&windowed)));
    both.for_each_batch(move |mut batch, _| {
        batch.sort();
        seen.lock().unwrap().push(batch);
        Ok::<(), Error>(())
    });
    ssc.start()?;
    let watch = Stopwatch::start();
    while index() == 0 && answers.lock().unwrap().len() < 6 && watch.elapsed() < Duration::from_secs(20) {
        ssc.await_termination_or_timeout(milliseconds(5))?;
    }
    ssc.stop_gracefully()?;
    answers.lock().unwrap().iter().take(6).for_each(|batch| say(&format!("state {batch:?}")));
    Ok(std::fs::remove_dir_all(folder)?)
}

/// Five records of one batch are put aside by whoever computes them, and one by a function of the driver.
fn put_aside(budget: usize) -> Result<()> {
    let config = config().set(keys::QUEUE_STREAM_ALLOW_CHECKPOINT, true).set(keys::DEAD_LETTER_ENABLED, true);
    let config = config.set(keys::DEAD_LETTER_MAX_PER_BATCH, budget).set(keys::BATCH_ON_FAILURE, "continue");
    let ssc = StreamingContext::new(&Context::new(config)?, milliseconds(20))?;
    let storage = MemoryStorage::new();
    ssc.checkpoint_to(Arc::new(storage.clone()))?;
    let (numbers, queue) = ssc.queue_stream::<i64>(true);
    queue.push(ssc.context().range(0, 10, 1, 5));
    numbers.map(|n| if n % 2 == 1 { panic!("odd") } else { n }).foreach_rdd(|rdd, _| match rdd.count()? {
        0 => Ok(()),
        _ => tidemill::put_aside(&rdd.reduce(|a, b| a + b)?, "the driver does not like it"),
    });
    ssc.start()?;
    let watch = Stopwatch::start();
    let done = || ssc.progress().dead_letters >= 6;
    while index() == 0 && !done() && watch.elapsed() < Duration::from_secs(20) {
        ssc.await_termination_or_timeout(milliseconds(5))?;
    }
    if index() == 0 {
        say(&format!("put aside {}", ssc.progress().dead_letters));
    }
    ssc.stop_gracefully()?;
    ssc.await_termination()?;
    let storage: StorageRef = Arc::new(storage);
    for file in storage.list("dead-letters")? {
        let letters = dead_letters::read(&storage, &file.name)?;
        say(&format!("letters {:?}", letters.iter().map(|letter| letter.text.as_deref()).collect::<Vec<_>>()));
    }
    Ok(())
}

/// Two threads of the program run jobs at a time, over one dataset whose shuffle only one of them has to run.
fn threads() -> Result<()> {
    let sc = Context::new(config())?;
    let seen = sc.long_accumulator("records");
    let adding = seen.clone();
    let sums = sc.range(0, 1_000, 1, 6).map(move |n| (n % 10, adding_one(&adding, n))).reduce_by_key(|a, b| a + b);
    let sums = &sums;
    let counts = std::thread::scope(|scope| -> Result<Vec<u64>> {
        let threads = ["left", "right"].map(|name| {
            let count = move || (0..20).map(|n| sums.filter(move |(key, _)| *key < n).count()).sum::<Result<u64>>();
            std::thread::Builder::new().name(name.into()).spawn_scoped(scope, count).unwrap()
        });
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    })?;
    say(&format!("threads {counts:?} accumulated {}", seen.value()));
    Ok(())
}

fn adding_one(records: &tidemill::Accumulator<i64>, n: i64) -> i64 {
    records.add(1);
    n
}
