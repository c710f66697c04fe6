//! Batch tables, and every window against what a recomputation gives.

use super::{Window, grouped::GroupedWindow, inverse::InverseWindow, two_stacks::TwoStacks};
use crate::{
    Error, Misuse, Time,
    base::{milliseconds, seconds},
    dstream::state::StatePartition,
    rdd::{chunk::CHUNK_RECORDS, task::Cursor},
    testing::{Step, TestContext, check_batches},
};
use proptest::prelude::*;
use std::{
    collections::BTreeMap,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

type Pairs = Vec<(u8, i64)>;

fn window(length: u64, slide: u64) -> Window {
    Window { length: seconds(length), slide: seconds(slide), step: seconds(1) }
}

fn ones(batches: &[&[i64]]) -> Vec<Vec<(i64, i64)>> {
    batches.iter().map(|batch| batch.iter().map(|&key| (key, 1)).collect()).collect()
}

fn sums(results: &[&[(i64, i64)]]) -> Vec<Vec<(i64, i64)>> {
    results.iter().map(|result| result.to_vec()).collect()
}

/// Runs `batches` batches and compares what the windows give.
#[track_caller]
fn check_slides<T: crate::Data, U: crate::Data + Ord + std::fmt::Debug>(
    input: Vec<Vec<T>>,
    batches: usize,
    operation: impl FnOnce(crate::DStream<T>) -> crate::DStream<U>,
    expected: Vec<Vec<U>>,
) {
    let test = TestContext::new();
    let seen = test.collect(&operation(test.stream(input)));
    test.run(batches).unwrap();
    assert_eq!(seen.sorted(), expected);
}

/// Observation 1: what Spark's Python front gives for a window below five slides.
#[test]
fn keys_leave_an_inverse_window_with_their_last_record() {
    check_batches(
        ones(&[&[1], &[2]]),
        |pairs| pairs.reduce_by_key_and_window_inverse(|a, b| a + b, |a, b| a - b, seconds(2), seconds(1)),
        sums(&[&[(1, 1)], &[(1, 1), (2, 1)], &[(2, 1)], &[], &[]]),
    );
}

/// Observation 2 differs: from five slides on, Spark keeps the key with the value 0 for ever.
#[test]
fn keys_leave_a_long_inverse_window_too() {
    let both: &[(i64, i64)] = &[(1, 1), (2, 1)];
    check_batches(
        ones(&[&[1], &[2]]),
        |pairs| pairs.reduce_by_key_and_window_inverse(|a, b| a + b, |a, b| a - b, seconds(5), None),
        sums(&[&[(1, 1)], both, both, both, both, &[(2, 1)], &[]]),
    );
}

/// Observation 3 differs: Spark gives nothing until the first record has come.
#[test]
fn an_empty_window_counts_zero() {
    check_slides(
        vec![Vec::<i32>::new()],
        5,
        |numbers| numbers.count_by_window(seconds(3), seconds(2)),
        vec![vec![0], vec![0]],
    );
}

/// Observation 9.
#[test]
fn a_tumbling_window_joins_the_partitions_of_its_batches() {
    let test = TestContext::new();
    let seen = test.collect(&test.stream((1..=5).map(|n| vec![n]).collect()).window(seconds(2), seconds(2)));
    test.run(6).unwrap();
    assert_eq!(seen.batches(), vec![vec![1, 2], vec![3, 4], vec![5]]);
    assert!(seen.partitions().iter().all(|(_, partitions)| partitions.len() == 4));
    assert_eq!(seen.times(), vec![Time::from_ms(2_000), Time::from_ms(4_000), Time::from_ms(6_000)]);
}

#[test]
fn a_window_shorter_than_its_slide_leaves_gaps() {
    let batches = || (1..=6).map(|n| vec![n]).collect::<Vec<_>>();
    check_slides(batches(), 6, |numbers| numbers.window(seconds(1), seconds(3)), vec![vec![3], vec![6]]);
    check_slides(
        batches(),
        6,
        |numbers| numbers.reduce_by_window(|a, b| a + b, seconds(2), seconds(3)),
        vec![vec![5], vec![11]],
    );
    check_slides(
        batches(),
        6,
        |numbers| numbers.reduce_by_window_inverse(|a, b| a + b, |a, b| a - b, seconds(2), seconds(3)),
        vec![vec![5], vec![11]],
    );
}

#[test]
fn a_window_over_a_window_and_over_state() {
    check_slides(
        (1..=4).map(|n| vec![n]).collect(),
        4,
        |numbers| numbers.window(seconds(2), seconds(2)).window(seconds(4), seconds(4)),
        vec![vec![1, 2, 3, 4]],
    );
    // The state goes on at every batch; a window that is looked at every other batch still has all of them.
    check_slides(
        (1..=4).map(|n| vec![((), n)]).collect(),
        4,
        |pairs| {
            let running = pairs.update_state_by_key(|values, sum| Some(sum.unwrap_or(0) + values.iter().sum::<i32>()));
            running.map(|(_, sum)| sum).window(seconds(2), seconds(2))
        },
        vec![vec![1, 3], vec![6, 10]],
    );
}

#[test]
fn windows_that_fit_no_batches_are_refused() {
    let test = TestContext::new();
    let numbers = test.stream::<i32>(vec![]);
    let refused = |length: Duration, slide: Duration| {
        let declare = || drop(numbers.window(length, slide));
        let panic = catch_unwind(AssertUnwindSafe(declare)).expect_err("the window does not fit");
        panic.downcast_ref::<String>().cloned().unwrap_or_default()
    };
    let misuse = |what, given_ms| Misuse::NotMultiple { what, given_ms, slide_ms: 1_000 }.to_string();
    assert_eq!(refused(milliseconds(1_500), seconds(1)), misuse("window", 1_500));
    assert_eq!(refused(seconds(1), milliseconds(300)), misuse("slide", 300));
    assert_eq!(refused(Duration::ZERO, seconds(1)), misuse("window", 0));
    assert_eq!(refused(seconds(1), Duration::ZERO), misuse("slide", 0));
}

#[test]
fn values_of_a_grouped_window_stand_in_the_order_of_time() {
    let test = TestContext::new();
    let pairs = test.stream(vec![vec![('a', 1), ('a', 2), ('a', 3)], vec![('a', 4)], vec![], vec![('a', 5)]]);
    let seen = test.collect(&pairs.group_by_key_and_window(seconds(2), None));
    test.run(6).unwrap();
    let values: Vec<Vec<i32>> =
        seen.batches().into_iter().map(|b| b.into_iter().flat_map(|(_, v)| v).collect()).collect();
    assert_eq!(values, vec![vec![1, 2, 3], vec![1, 2, 3, 4], vec![4], vec![5], vec![5], vec![]]);
}

/// What a window is to give: everything that came in the good batches it covers, in order.
fn covered(batches: &[(Pairs, bool)], length: u64, until: usize) -> impl Iterator<Item = &(u8, i64)> {
    let from = until.saturating_sub(length as usize);
    batches[from..until].iter().filter(|(_, good)| *good).flat_map(|(pairs, _)| pairs)
}

fn model(batches: &[(Pairs, bool)], length: u64, slide: u64, f: fn(i64, i64) -> i64) -> Vec<Vec<(u8, i64)>> {
    let mut results = Vec::new();
    for until in 1..=batches.len() {
        if (until as u64).is_multiple_of(slide) && batches[until - 1].1 {
            let mut reduced = BTreeMap::new();
            for &(key, value) in covered(batches, length, until) {
                reduced.entry(key).and_modify(|old| *old = f(*old, value)).or_insert(value);
            }
            results.push(reduced.into_iter().collect());
        }
    }
    results
}

/// Random batches of which some cannot be read.
fn batches() -> impl Strategy<Value = Vec<(Pairs, bool)>> {
    let pairs = proptest::collection::vec((0_u8..6, -50_i64..50), 0..8);
    proptest::collection::vec((pairs, proptest::bool::weighted(0.85)), 1..24)
}

/// Digits, in order: associative, and neither commutative nor invertible.
fn first(older: i64, _newer: i64) -> i64 {
    older
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn every_window_is_what_a_recomputation_gives(batches in batches(), length in 1_u64..8, slide in 1_u64..5) {
        let test = TestContext::new();
        let (pairs, source) = test.scripted_stream();
        let (w, s) = (seconds(length), seconds(slide));
        let plain = test.collect(&pairs.reduce_by_key_and_window(i64::max, w, s));
        let oldest = test.collect(&pairs.reduce_by_key_and_window(first, w, s));
        let inverse = test.collect(&pairs.reduce_by_key_and_window_inverse(|a, b| a + b, |a, b| a - b, w, s));
        let joined = test.collect(&pairs.window(w, s));
        let counts = test.collect(&pairs.count_by_window(w, s));
        let grouped = test.collect(&pairs.group_by_key_and_window(w, s));
        for (pairs, good) in &batches {
            source.push(if *good { Step::Records(pairs.clone()) } else { Step::Fail(Error::user("cannot be read")) });
        }
        test.advance(batches.len()).unwrap();
        prop_assert_eq!(plain.sorted(), model(&batches, length, slide, i64::max));
        prop_assert_eq!(oldest.sorted(), model(&batches, length, slide, first));
        prop_assert_eq!(inverse.sorted(), model(&batches, length, slide, |a, b| a + b));
        let at = |until: &usize| (*until as u64).is_multiple_of(slide) && batches[until - 1].1;
        let windows: Vec<Pairs> =
            (1..=batches.len()).filter(at).map(|until| covered(&batches, length, until).copied().collect()).collect();
        prop_assert_eq!(joined.batches(), windows.clone());
        prop_assert_eq!(counts.batches(), windows.iter().map(|w| vec![w.len() as u64]).collect::<Vec<_>>());
        let flat = |mut batch: Vec<(u8, Vec<i64>)>| {
            batch.sort();
            batch.into_iter().flat_map(|(key, values)| values.into_iter().map(move |v| (key, v))).collect::<Pairs>()
        };
        let by_key = |mut pairs: Pairs| { pairs.sort_by_key(|(key, _)| *key); pairs };
        prop_assert_eq!(
            grouped.batches().into_iter().map(flat).collect::<Vec<_>>(),
            windows.into_iter().map(by_key).collect::<Vec<_>>()
        );
    }
}

/// Everything that a partition emits, sorted.
fn emitted<P, T: Ord>(partition: &P, emit: fn(&P, usize, &mut Vec<T>) -> Option<usize>) -> Vec<T> {
    let (mut all, mut position) = (Vec::new(), Some(0));
    while let Some(from) = position {
        let mut chunk = Vec::with_capacity(CHUNK_RECORDS);
        position = emit(partition, from, &mut chunk);
        all.append(&mut chunk);
    }
    all.sort();
    all
}

/// One batch: its pairs, whether it is rolled back after it was applied, and after how many calls it panics.
type Fate = (Pairs, bool, Option<usize>);

/// A function that panics when a fuse has burnt down.
fn fused(
    fuse: &Arc<std::sync::atomic::AtomicI64>,
    f: fn(i64, i64) -> i64,
) -> impl Fn(i64, i64) -> i64 + Send + Sync + 'static {
    let fuse = fuse.clone();
    move |a, b| {
        assert!(fuse.fetch_sub(1, Ordering::Relaxed) != 0, "the fuse has burnt down");
        f(a, b)
    }
}

/// Applies batches some of which panic half-way or are rolled back, and compares with the model.
fn check_partition<P: StatePartition<In = (u8, i64)>, T: Ord + Clone + std::fmt::Debug>(
    partition: &mut P,
    fuse: &std::sync::atomic::AtomicI64,
    fates: &[Fate],
    emit: fn(&P, usize, &mut Vec<T>) -> Option<usize>,
    expected: impl Fn(&[(Pairs, bool)]) -> Vec<T>,
) {
    let mut done: Vec<(Pairs, bool)> = Vec::new();
    for (index, (pairs, rolled_back, panic_after)) in fates.iter().enumerate() {
        let time = Time::from_ms(1_000 * (index as u64 + 1));
        let chunks = || Box::new(pairs.chunks(3).map(<[_]>::to_vec));
        let mut good = true;
        if let Some(calls) = panic_after {
            fuse.store(*calls as i64, Ordering::Relaxed);
            let apply = || partition.apply(time, chunks(), &Cursor::default());
            if catch_unwind(AssertUnwindSafe(apply)).is_err() {
                partition.roll_back();
                good = false;
            }
            fuse.store(-1, Ordering::Relaxed);
            // A batch that failed may be tried again: this one is, if its number is even.
            if !good && index % 2 == 0 {
                partition.apply(time, chunks(), &Cursor::default());
                good = true;
            }
        } else {
            partition.apply(time, chunks(), &Cursor::default());
        }
        done.push((pairs.clone(), good && !rolled_back));
        if !good {
            continue;
        }
        if *rolled_back {
            partition.roll_back();
        } else {
            assert_eq!(emitted(partition, emit), expected(&done), "before the commit of batch {index}");
            partition.commit();
            assert_eq!(emitted(partition, emit), expected(&done), "after the commit of batch {index}");
        }
    }
}

fn fates() -> impl Strategy<Value = Vec<Fate>> {
    let pairs = proptest::collection::vec((0_u8..6, -50_i64..50), 0..10);
    let panic_after = proptest::option::weighted(0.25, 0_usize..12);
    proptest::collection::vec((pairs, proptest::bool::weighted(0.15), panic_after), 1..40)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn a_window_partition_survives_panics_and_roll_backs(fates in fates(), length in 1_u64..12) {
        let last = |f| move |done: &[(Pairs, bool)]| model(done, length, 1, f).pop().unwrap_or_default();
        let fuse = Arc::new(std::sync::atomic::AtomicI64::new(-1));
        let mut oldest = TwoStacks::new(window(length, 1), Arc::new(fused(&fuse, first)));
        check_partition(&mut oldest, &fuse, &fates, TwoStacks::emit, last(first));
        let mut newest = TwoStacks::new(window(length, 1), Arc::new(fused(&fuse, |_, newer| newer)));
        check_partition(&mut newest, &fuse, &fates, TwoStacks::emit, last(|_, newer| newer));
        let add = Arc::new(fused(&fuse, |a, b| a + b));
        let subtract = Arc::new(fused(&fuse, |a, b| a - b));
        let mut sums = InverseWindow::new(window(length, 1), add, subtract);
        check_partition(&mut sums, &fuse, &fates, InverseWindow::emit, last(|a, b| a + b));
        let mut grouped = GroupedWindow::new(window(length, 1));
        check_partition(&mut grouped, &fuse, &fates, GroupedWindow::emit, |done| {
            let mut groups = BTreeMap::<u8, Vec<i64>>::new();
            covered(done, length, done.len()).for_each(|&(key, value)| groups.entry(key).or_default().push(value));
            groups.into_iter().collect()
        });
    }
}

/// A poison value in the middle of a batch: its batch fails, and those after it are as if it had never been.
#[test]
fn a_poisoned_batch_leaves_no_trace() {
    let test = TestContext::new();
    let poison = |a: i64, b: i64| if a == 13 || b == 13 { panic!("poison") } else { a + b };
    let pairs = test.stream(vec![
        vec![('a', 1), ('b', 1), ('c', 1)],
        vec![('a', 1), ('b', 13), ('c', 1), ('d', 1)],
        vec![('a', 1)],
    ]);
    let sums = test.collect(&pairs.reduce_by_key_and_window_inverse(poison, |a, b| a - b, seconds(3), None));
    let plain = test.collect(&pairs.reduce_by_key_and_window(poison, seconds(3), None));
    test.advance(4).unwrap();
    let error = test.ssc().await_termination_or_timeout(Duration::ZERO).expect_err("a batch failed");
    assert!(error.to_string().contains("poison"), "{error}");
    let expected = vec![vec![('a', 1), ('b', 1), ('c', 1)], vec![('a', 2), ('b', 1), ('c', 1)], vec![('a', 1)]];
    assert_eq!((sums.sorted(), plain.sorted()), (expected.clone(), expected));
}

/// The first try of an output fails after the state was brought to the batch: the second finds it there.
#[test]
fn a_batch_that_is_tried_again_is_applied_once() {
    let config = crate::Config::new().set(crate::keys::MASTER, "local[2,2]");
    let test = TestContext::with_config(config);
    let sums = test.stream(vec![vec![('a', 1)], vec![('a', 2)]]).reduce_by_key_and_window_inverse(
        |a, b| a + b,
        |a, b| a - b,
        seconds(2),
        None,
    );
    let failed = AtomicBool::new(false);
    sums.for_each_batch(
        move |_, _| {
            if failed.swap(true, Ordering::Relaxed) { Ok(()) } else { Err(Error::user("the first try")) }
        },
    );
    let seen = test.collect(&sums);
    test.run(3).unwrap();
    assert_eq!(seen.batches(), vec![vec![('a', 1)], vec![('a', 3)], vec![('a', 2)]]);
}
