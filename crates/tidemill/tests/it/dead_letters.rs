//! Records that are put aside: which, with what is known of them, once each, and only by batches that are done.

use std::sync::{
    Arc, Mutex,
    atomic::{AtomicUsize, Ordering},
};
use tidemill::{
    Config, DStream, Error, ErrorKind, HashPartitioner, Result, StreamingContext, Text, Time,
    base::storage::{MemoryStorage, StorageRef},
    dead_letters::{self, DeadLetter},
    io::Sink,
    keys, put_aside, seconds,
    testing::TestContext,
};

/// A test whose checkpoint can be looked into.
struct Lettered {
    test: TestContext,
    storage: StorageRef,
}

fn enabled() -> Config {
    Config::new().set(keys::DEAD_LETTER_ENABLED, true)
}

impl Lettered {
    fn new(config: Config) -> Self {
        let storage = MemoryStorage::new();
        let test = TestContext::remembered_in(storage.clone(), config, seconds(1));
        Self { test, storage: Arc::new(storage) }
    }

    fn letters(&self) -> Result<Vec<DeadLetter>> {
        let files = self.storage.list("dead-letters")?;
        let letters = files.iter().map(|file| dead_letters::read(&self.storage, &file.name));
        Ok(letters.collect::<Result<Vec<_>>>()?.concat())
    }

    /// Operator, partition, record and text of each.
    fn shown(&self) -> Result<Vec<String>> {
        let shown = |letter: DeadLetter| {
            let operation = letter.operator.split(' ').next().unwrap_or_default().to_owned();
            format!("{operation} {}/{} {}", letter.partition, letter.record, letter.text.unwrap_or("-".into()))
        };
        Ok(self.letters()?.into_iter().map(shown).collect())
    }
}

fn strings(words: &[&str]) -> Vec<String> {
    words.iter().map(|word| (*word).to_owned()).collect()
}

fn number(word: &str) -> i32 {
    word.parse().expect("a number")
}

type Program = fn(DStream<String>) -> DStream<i32>;

/// Each makes the numbers of "1 x 3 y" and fails on the other words.
const PROGRAMS: &[(&str, Program)] = &[
    ("try_map", |words| words.try_map(|word| word.parse::<i32>())),
    ("map", |words| words.map(|word| number(&word))),
    ("filter", |words| words.filter(|word| number(word) > 0).map(|word| number(&word))),
    ("try_filter", |words| words.try_filter(|word| word.parse::<i32>().map(|n| n > 0)).map(|word| number(&word))),
    ("flat_map", |words| {
        words.flat_map(|word| [0, 1].map(move |at| if at == 1 { number(&word) } else { 0 })).filter(|n| *n > 0)
    }),
    ("try_flat_map", |words| words.try_flat_map(|word| word.parse::<i32>().map(Some))),
    ("map_values", |words| words.map(|word| ((), word)).map_values(|word| number(&word)).values()),
    ("try_map_values", |words| words.map(|word| ((), word)).try_map_values(|word| word.parse::<i32>()).values()),
    ("flat_map_values", |words| words.map(|word| ((), word)).flat_map_values(|word| [number(&word)]).values()),
];

#[test]
fn a_record_that_a_function_fails_on_is_put_aside_and_the_others_go_on() -> Result<()> {
    for (operation, program) in PROGRAMS {
        let lettered = Lettered::new(enabled());
        let words = lettered.test.stream(vec![strings(&["1", "x", "3", "y"]), strings(&["5", "6"])]);
        let seen = lettered.test.collect(&program(words));
        lettered.test.run(2)?;
        assert_eq!(seen.sorted(), [[1, 3], [5, 6]], "{operation}");
        let letters = lettered.letters()?;
        let found: Vec<_> = letters.iter().map(|letter| (letter.batch_time, letter.partition, letter.record)).collect();
        assert_eq!(found, [(Time::from_ms(1_000), 0, 2), (Time::from_ms(1_000), 1, 2)], "{operation}");
        for letter in letters {
            assert!(letter.operator.starts_with(&format!("{operation} at ")), "{letter:?}");
            assert!(letter.error.to_lowercase().replace(' ', "").contains("invaliddigit"), "{letter:?}");
            assert!(letter.is_whole() && letter.bytes.ends_with(if letter.partition == 0 { b"x" } else { b"y" }));
            assert_eq!((letter.offset, letter.exact), (Some(2), true), "{letter:?}");
        }
        assert_eq!(lettered.test.ssc().progress().dead_letters, 2);
    }
    Ok(())
}

#[test]
fn without_dead_letters_the_same_fails_the_batch() {
    for (operation, program) in PROGRAMS {
        let lettered = Lettered::new(Config::new());
        let words = lettered.test.stream(vec![strings(&["1", "x", "3", "y"])]);
        let seen = lettered.test.collect(&program(words));
        let error = lettered.test.run(1).unwrap_err();
        assert_eq!((error.kind(), error.exit_code()), (ErrorKind::User, 1));
        let text = error.to_string();
        assert!(text.contains(&format!("\"{operation} at ")) && text.contains("record 2 of partition"), "{text}");
        assert!(seen.batches().is_empty() && lettered.letters().unwrap().is_empty());
    }
}

#[test]
fn what_a_record_has_become_is_taken_back_with_it() -> Result<()> {
    let lettered = Lettered::new(enabled());
    let numbers = lettered.test.stream(vec![vec![2, 5, 1]]);
    let seen = lettered.test.collect(&numbers.flat_map(|n| (0..n).inspect(|i| assert!(*i < 4, "too far"))));
    lettered.test.run(1)?;
    assert_eq!(seen.sorted(), [[0, 0, 1]]);
    let letters = lettered.letters()?;
    assert_eq!((letters.len(), letters[0].text.as_deref()), (1, Some("5")));
    assert_eq!(letters[0].error, "the function panicked: too far");
    Ok(())
}

#[test]
fn a_stream_that_two_outputs_compute_leaves_each_letter_once_and_two_operators_of_one_place_leave_two() -> Result<()> {
    let lettered = Lettered::new(enabled());
    let words = lettered.test.stream(vec![strings(&["1", "x"])]);
    let numbers = words.try_map(|word| word.parse::<i32>());
    lettered.test.collect(&numbers);
    lettered.test.collect(&numbers.map(|n| n + 1));
    lettered.test.run(1)?;
    assert_eq!(lettered.shown()?, ["try_map 1/1 x"]);

    let lettered = Lettered::new(enabled());
    let words = lettered.test.stream(vec![strings(&["1", "x"])]);
    for _ in 0..2 {
        lettered.test.collect(&words.try_map(|word| word.parse::<i32>()));
    }
    lettered.test.run(1)?;
    assert_eq!(lettered.shown()?, ["try_map 1/1 x", "try_map 1/1 x"]);
    Ok(())
}

#[test]
fn letters_name_the_partition_of_the_operator_whatever_the_task_computes() -> Result<()> {
    type Program = fn(DStream<String>) -> DStream<i32>;
    let programs: [Program; 2] = [
        |words| words.try_map(|word| word.parse::<i32>()).transform(|rdd, _| rdd.coalesce(1)),
        |words| {
            words
                .map(|word| number(&format!("0{word}")))
                .filter(|_| false)
                .union(&words.try_map(|word| word.parse::<i32>()))
        },
    ];
    for program in programs {
        let lettered = Lettered::new(enabled());
        let words = lettered.test.stream(vec![strings(&["1", "x", "3", "y"])]);
        lettered.test.collect(&program(words));
        lettered.test.run(1)?;
        let letters = lettered.letters()?.into_iter().filter(|letter| letter.operator.starts_with("try_map"));
        let places: Vec<_> =
            letters.map(|letter| (letter.partition, letter.record, letter.offset, letter.exact)).collect();
        assert_eq!(places, [(0, 2, Some(2), true), (1, 2, Some(2), true)]);
    }
    Ok(())
}

#[test]
fn letters_tell_the_place_in_the_source_as_exactly_as_it_is_known() -> Result<()> {
    type Program = fn(DStream<i32>) -> DStream<i32>;
    const DIRECT: Program = |numbers| numbers.map(|n| n + 1).try_map(five);
    const AFTER_LETTERS: Program = |numbers| numbers.map(|n| if n == 2 { panic!("two") } else { n }).try_map(five);
    const FILTERED: Program = |numbers| numbers.filter(|n| *n > 2).try_map(five);
    const KEPT: Program = |numbers| numbers.map(|n| n + 1).cache().try_map(five);
    const SHUFFLED: Program = |numbers| numbers.map(|n| (n, n)).reduce_by_key(|a, _| a).keys().try_map(five);
    fn five(n: i32) -> Result<i32, String> {
        if n == 5 { Err("five".into()) } else { Ok(n) }
    }
    let place = |program: Program| -> Result<_> {
        let lettered = Lettered::new(enabled().set(keys::DEFAULT_PARALLELISM, 1));
        let (numbers, script) = lettered.test.scripted_stream();
        script.push(tidemill::testing::Step::Partitions(vec![vec![], (1..10).collect()]));
        lettered.test.collect(&program(numbers));
        lettered.test.run(1)?;
        let letter = lettered.letters()?.pop().unwrap();
        assert!(letter.source.as_ref().is_none_or(|source| source.starts_with("scripted_stream at ")));
        Ok((letter.record, letter.offset, letter.exact))
    };
    assert_eq!(place(DIRECT)?, (4, Some(4), true));
    assert_eq!(place(AFTER_LETTERS)?, (4, Some(5), true), "the record that was put aside before it counts");
    assert_eq!(place(FILTERED)?, (3, Some(9), false), "all nine were read");
    assert!(!place(KEPT)?.2, "what is kept may have been computed by another task");
    assert_eq!(place(SHUFFLED)?, (5, None, false));
    Ok(())
}

#[test]
fn a_line_of_a_file_is_told_by_path_and_number() -> Result<()> {
    let folder = tempfile::tempdir().unwrap();
    let lettered = Lettered::new(enabled());
    let lines: DStream<Text> = lettered.test.ssc().text_file_stream(folder.path().to_str().unwrap());
    let seen = lettered.test.collect(&lines.try_map(|line| line.as_str().parse::<i32>()));
    lettered.test.ssc().start()?;
    std::fs::write(folder.path().join("orders.txt"), "1\n2\nthree\n4\nfive\n").unwrap();
    lettered.test.run(1)?;
    assert_eq!(seen.sorted(), [[1, 2, 4]]);
    let letters = lettered.letters()?;
    let places: Vec<_> =
        letters.iter().map(|letter| (letter.offset, letter.exact, letter.payload().to_vec())).collect();
    assert_eq!(places, [(Some(3), true, b"three".to_vec()), (Some(5), true, b"five".to_vec())]);
    assert!(letters.iter().all(|letter| letter.source.as_ref().is_some_and(|path| path.ends_with("orders.txt"))));
    Ok(())
}

/// Fails the first time that it is asked.
fn first_time(count: &AtomicUsize) -> bool {
    count.fetch_add(1, Ordering::Relaxed) == 0
}

#[test]
fn an_output_that_is_tried_again_leaves_each_letter_once() -> Result<()> {
    for cached in [false, true] {
        let lettered = Lettered::new(enabled().set(keys::MASTER, "local[2,3]"));
        let words = lettered.test.stream(vec![strings(&["1", "x", "3", "y"])]);
        let numbers = words.try_map(|word| word.parse::<i32>());
        let numbers = if cached { numbers.cache() } else { numbers };
        let tries = AtomicUsize::new(0);
        numbers.for_each_partition(move |_, records, _| {
            let records: Vec<_> = records.collect();
            if records == [1] {
                // Partition 1 is done by then, or not; its letters are the same in the end.
                if first_time(&tries) { Err(Error::user("not yet")) } else { Ok(()) }
            } else {
                Ok(())
            }
        });
        lettered.test.run(1)?;
        assert_eq!(lettered.shown()?, ["try_map 0/2 x", "try_map 1/2 y"], "cached: {cached}");
    }
    Ok(())
}

#[test]
fn what_a_failed_try_of_an_output_put_aside_is_forgotten_with_it() -> Result<()> {
    let lettered = Lettered::new(enabled().set(keys::MASTER, "local[2,2]"));
    let tries = AtomicUsize::new(0);
    lettered.test.stream(vec![vec![1, 2]]).foreach_rdd(move |rdd, _| {
        let first = first_time(&tries);
        // The database rejects 1 the first time, and 2 the second.
        rdd.map(move |n| if first == (n == 1) { panic!("rejected") } else { n }).count()?;
        put_aside(&"whole batch", "of the driver")?;
        if first { Err(Error::unavailable("lost").context("the database")) } else { Ok(()) }
    });
    lettered.test.run(1)?;
    assert_eq!(lettered.shown()?, ["foreach_rdd 0/0 whole batch", "map 1/1 2"]);
    Ok(())
}

#[test]
fn a_batch_that_fails_leaves_no_letters() -> Result<()> {
    let lettered = Lettered::new(enabled());
    let numbers = lettered.test.stream(vec![vec![1, -1], vec![2, -2]]).map(|n| if n < 0 { panic!("below") } else { n });
    numbers.foreach_rdd(|rdd, _| if rdd.collect()? == [1] { Err(Error::user("no ones")) } else { Ok(()) });
    lettered.test.advance(2)?;
    assert_eq!(lettered.shown()?, ["map 1/1 -2"]);
    assert_eq!(lettered.test.ssc().progress().dead_letters, 1);
    Ok(())
}

/// Rejects negative rows.
#[derive(Clone, Default)]
struct Table(Arc<Mutex<Vec<i32>>>);

impl Sink<i32> for Table {
    type Receipt = Vec<i32>;

    fn write(&self, _: Time, _: usize, records: &mut dyn Iterator<Item = i32>) -> Result<Vec<i32>> {
        let mut rows = Vec::new();
        for row in records {
            if row < 0 {
                put_aside(&row, "a row must not be negative")?;
            } else {
                rows.push(row);
            }
        }
        Ok(rows)
    }

    fn commit(&self, _: Time, receipts: Vec<Vec<i32>>) -> Result<()> {
        self.0.lock().unwrap().extend(receipts.concat());
        Ok(())
    }
}

#[test]
fn a_row_that_a_sink_rejects_is_put_aside_and_the_others_are_written() -> Result<()> {
    for (on, rows, letters) in
        [(true, vec![1, 2, 3], vec!["save_to 0/2 -7", "save_to 1/1 -8"]), (false, vec![], vec![])]
    {
        let lettered = Lettered::new(Config::new().set(keys::DEAD_LETTER_ENABLED, on));
        let table = Table::default();
        lettered.test.stream(vec![vec![1, -7, -8, 2], vec![3]]).save_to(table.clone());
        lettered.test.advance(1)?;
        if !on {
            let error = lettered.test.run(0).unwrap_err().to_string();
            assert!(error.contains("a row must not be negative"), "{error}");
        } else {
            lettered.test.run(1)?;
        }
        assert_eq!(*table.0.lock().unwrap(), rows);
        assert_eq!(lettered.shown()?, letters);
    }
    Ok(())
}

#[test]
fn several_rows_of_one_place_are_several_letters_also_when_they_come_after_the_last_record() -> Result<()> {
    let lettered = Lettered::new(enabled());
    lettered.test.stream(vec![vec![-1, -1, 2, 2]]).for_each_partition(|_, records, _| {
        let rows: Vec<i32> = records.collect();
        rows.iter().filter(|row| **row < 0).try_for_each(|row| put_aside(row, "rejected"))
    });
    lettered.test.run(1)?;
    assert_eq!(lettered.shown()?, ["for_each_partition 0/2 -1", "for_each_partition 0/2 -1"]);
    Ok(())
}

#[test]
fn a_batch_over_its_budget_fails_and_stops_the_program_whatever_is_configured() -> Result<()> {
    for (key, max) in [(keys::DEAD_LETTER_MAX_PER_BATCH, 2), (keys::DEAD_LETTER_MAX_TOTAL, 3)] {
        let name = key.name();
        let lettered = Lettered::new(enabled().set(key, max).set(keys::MASTER, "local[2,4]"));
        let words = lettered.test.stream(vec![
            strings(&["x", "1"]),
            strings(&["2", "y", "z"]),
            strings(&["u", "v", "w", "4"]),
            strings(&["5"]),
        ]);
        let tries = Arc::new(AtomicUsize::new(0));
        let counted = tries.clone();
        words.try_map(|word| word.parse::<i32>()).foreach_rdd(move |rdd, _| {
            counted.fetch_add(1, Ordering::Relaxed);
            rdd.count().map(drop)
        });
        lettered.test.advance(4)?;
        let error = lettered.test.run(0).unwrap_err();
        let text = error.to_string();
        assert!(text.contains(name) && text.contains("try_map at ") && text.contains("invalid digit"), "{text}");
        assert_eq!(error.exit_code(), 1);
        assert_eq!(lettered.test.ssc().progress().dead_letters, 3, "{name}");
        assert_eq!(tries.load(Ordering::Relaxed), 3, "the batch is not tried again, and no later one is run");
    }
    Ok(())
}

#[test]
fn what_is_no_function_of_one_record_fails_the_batch() {
    type Program = fn(DStream<i32>) -> DStream<i32>;
    let programs: [Program; 4] = [
        |numbers| {
            numbers.map_partitions(|records| [records.map(|n| if n == 2 { panic!("two") } else { n }).sum::<i32>()])
        },
        |numbers| numbers.reduce(|a, b| if b == 2 { panic!("two") } else { a + b }),
        |numbers| {
            let pairs = numbers.map(|n| (0, n));
            pairs
                .update_state_by_key(
                    |new: &[i32], _: Option<i32>| if new.contains(&2) { panic!("two") } else { Some(1) },
                )
                .values()
        },
        |numbers| numbers.map(|n| (n, n)).partition_by_panicking(),
    ];
    for program in programs {
        let lettered = Lettered::new(enabled());
        lettered.test.collect(&program(lettered.test.stream(vec![vec![1, 2]])));
        let error = lettered.test.run(1).unwrap_err();
        assert!(error.to_string().ends_with("two"), "{error}");
        assert!(lettered.letters().unwrap().is_empty());
    }
}

trait PartitionByPanicking {
    fn partition_by_panicking(self) -> DStream<i32>;
}

impl PartitionByPanicking for DStream<(i32, i32)> {
    fn partition_by_panicking(self) -> DStream<i32> {
        self.transform(|rdd, _| Ok(rdd.partition_by(HashPartitioner::new(2)).reduce_by_key(|a, _| a).values()))
            .reduce(|_, _| panic!("two"))
    }
}

#[test]
fn a_long_record_is_kept_in_part() -> Result<()> {
    let lettered = Lettered::new(enabled().set(keys::DEAD_LETTER_MAX_RECORD_BYTES, "16"));
    let words = lettered.test.stream(vec![vec!["é".repeat(100)]]);
    lettered.test.collect(&words.try_map(|word| word.parse::<i32>()));
    lettered.test.run(1)?;
    let letter = lettered.letters()?.remove(0);
    assert_eq!((letter.bytes.len(), letter.record_bytes, letter.is_whole()), (16, 202, false));
    assert_eq!(letter.text, Some("é".repeat(8)));
    Ok(())
}

#[test]
fn dead_letters_need_a_checkpoint() -> Result<()> {
    let context = tidemill::Context::new(enabled().set(keys::MASTER, "local[1]"))?;
    let ssc = StreamingContext::new(&context, seconds(1))?;
    ssc.generate_stream(1, |n| n).print(1);
    let error = ssc.start().unwrap_err();
    assert_eq!((error.kind(), error.exit_code()), (ErrorKind::Invalid, 2));
    let text = error.to_string();
    assert!(
        text.contains("tidemill.deadLetter.enabled") && text.contains("spark.streaming.checkpoint.directory"),
        "{text}"
    );
    Ok(())
}

#[test]
fn put_aside_elsewhere_or_without_dead_letters_returns_the_error() {
    let error = put_aside(&1, "bad").unwrap_err();
    assert_eq!((error.kind(), error.to_string()), (ErrorKind::User, "bad".into()));
    let error = put_aside(&1, Error::data("worse")).unwrap_err();
    assert_eq!((error.kind(), error.to_string()), (ErrorKind::Data, "worse".into()));
}
