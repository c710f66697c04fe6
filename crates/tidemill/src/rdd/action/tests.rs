//! Every action against a plain vector, on datasets of every shape: no partitions, empty ones, uneven ones.

use crate::{Context, ErrorKind, Rdd, Result, StatCounter};
use proptest::prelude::*;
use std::collections::BTreeMap;
use std::sync::{
    Arc, LazyLock, Mutex,
    atomic::{AtomicI64, AtomicUsize, Ordering},
};

static CONTEXT: LazyLock<Context> = LazyLock::new(|| Context::local(2));

/// The same values in several shapes: an empty dataset also without partitions.
fn shapes(values: &[i64]) -> Vec<Rdd<i64>> {
    let mut shapes: Vec<_> = [1, 3, 8].map(|partitions| CONTEXT.parallelize(values.to_vec(), partitions)).into();
    if values.is_empty() {
        shapes.push(CONTEXT.empty());
    }
    shapes
}

/// Checks an action on each shape of each list against what a model makes of the plain list.
fn check<R: PartialEq + std::fmt::Debug>(action: impl Fn(&Rdd<i64>) -> Result<R>, model: impl Fn(&[i64]) -> Option<R>) {
    for values in [&[][..], &[7], &[3, 1, 2, 3], &[5, -4, 9, 9, 0, 2, -4, 8, 1, 6, 5]] {
        for rdd in shapes(values) {
            match (action(&rdd), model(values)) {
                (Ok(value), expected) => assert_eq!(Some(value), expected, "{rdd:?} of {values:?}"),
                (Err(error), None) => {
                    assert_eq!(error.kind(), ErrorKind::Invalid);
                    assert!(error.to_string().contains("is empty"), "{error}");
                }
                (Err(error), Some(_)) => panic!("{rdd:?} of {values:?}: {error}"),
            }
        }
    }
}

#[test]
fn actions_that_bring_records() {
    check(Rdd::collect, |v| Some(v.to_vec()));
    check(Rdd::count, |v| Some(v.len() as u64));
    check(Rdd::first, |v| v.first().copied());
    check(Rdd::is_empty, |v| Some(v.is_empty()));
    check(|rdd| rdd.to_local_iter().collect(), |v| Some(v.to_vec()));
    for n in [0, 1, 2, 5, 100] {
        check(|rdd| rdd.take(n), |v| Some(v[..n.min(v.len())].to_vec()));
    }
}

#[test]
fn actions_that_combine() {
    check(|rdd| rdd.reduce(|a, b| a + b), |v| v.iter().copied().reduce(|a, b| a + b));
    check(|rdd| rdd.fold(0, |a, b| a + b), |v| Some(v.iter().sum()));
    check(|rdd| rdd.aggregate(0, |n, _| n + 1, |a, b| a + b), |v| Some(v.len()));
    check(|rdd| rdd.tree_reduce(|a, b| a + b, 2), |v| v.iter().copied().reduce(|a, b| a + b));
    check(|rdd| rdd.tree_aggregate(0, |n, _| n + 1, |a, b| a + b, 3), |v| Some(v.len()));
}

#[test]
fn actions_by_order() {
    let sorted = |v: &[i64]| {
        let mut v = v.to_vec();
        v.sort();
        v
    };
    check(Rdd::min, |v| v.iter().min().copied());
    check(Rdd::max, |v| v.iter().max().copied());
    check(|rdd| rdd.min_by(|a, b| b.cmp(a)), |v| v.iter().max().copied());
    check(|rdd| rdd.max_by(|a, b| b.cmp(a)), |v| v.iter().min().copied());
    for n in [0, 1, 3, 100, usize::MAX] {
        let first = |v: Vec<i64>| v.into_iter().take(n).collect::<Vec<_>>();
        check(|rdd| rdd.take_ordered(n), |v| Some(first(sorted(v))));
        check(|rdd| rdd.top(n), |v| Some(first(sorted(v).into_iter().rev().collect())));
    }
}

#[test]
fn actions_on_numbers() {
    check(Rdd::sum, |v| Some(v.iter().sum()));
    check(Rdd::mean, |v| Some(if v.is_empty() { 0.0 } else { v.iter().sum::<i64>() as f64 / v.len() as f64 }));
    check(|rdd| Ok(rdd.stats()?.count()), |v| Some(v.len() as u64));
    check(|rdd| Ok(rdd.variance()?.is_nan()), |v| Some(v.is_empty()));
    check(|rdd| Ok(rdd.stdev()?.is_nan()), |v| Some(v.is_empty()));
    check(|rdd| Ok(rdd.sample_variance()?.is_nan()), |v| Some(v.len() < 2));
    check(|rdd| Ok(rdd.sample_stdev()?.is_nan()), |v| Some(v.len() < 2));
    let none = CONTEXT.empty::<f64>().stats().unwrap();
    assert_eq!((none.min(), none.max(), none.sum()), (f64::INFINITY, f64::NEG_INFINITY, 0.0));
    let error = CONTEXT.parallelize(vec![i64::MAX, 1], 2).sum().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Data);
}

#[test]
fn actions_by_key() {
    let counts = |v: &[i64]| {
        let mut counts = BTreeMap::new();
        v.iter().for_each(|n| *counts.entry(*n).or_insert(0) += 1);
        counts
    };
    check(Rdd::count_by_value, |v| Some(counts(v)));
    check(|rdd| rdd.map(|n| (n, ())).count_by_key(), |v| Some(counts(v)));
    check(|rdd| rdd.map(|n| (n, 1)).reduce_by_key_locally(|a, b| a + b), |v| Some(counts(v)));
    check(|rdd| rdd.map(|n| (n / 2, n)).collect_as_map(), |v| Some(v.iter().map(|n| (n / 2, *n)).collect()));
    check(|rdd| rdd.map(|n| (n / 2, n)).lookup(&1), |v| Some(v.iter().filter(|n| **n / 2 == 1).copied().collect()));
}

#[test]
fn counts_by_value_come_in_order_of_first_sight_within() {
    let pairs = CONTEXT.parallelize(vec![3, 1, 3, 2, 1], 2).count_by_value_at(crate::rdd::Site::here("test")).unwrap();
    assert_eq!(pairs, [(3, 2), (1, 2), (2, 1)]);
}

#[test]
fn lookup_reads_only_the_partition_of_the_key() {
    let read = Arc::new(AtomicUsize::new(0));
    let seen = read.clone();
    let placed = CONTEXT.parallelize((0..100).map(|n| (n, n)).collect(), 4).reduce_by_key(|a, _| a);
    let watched = placed.map_partition_chunks(crate::rdd::Site::here("watch"), true, move |_, chunks, _| {
        seen.fetch_add(1, Ordering::Relaxed);
        chunks
    });
    assert_eq!(watched.lookup(&42).unwrap(), [42]);
    assert_eq!(read.load(Ordering::Relaxed), 1);
}

#[test]
fn take_starts_small_and_reads_no_more_than_it_must() {
    let read = Arc::new(Mutex::new(Vec::new()));
    let seen = read.clone();
    let rdd = CONTEXT.range(0, 1_000, 1, 100).map_partitions_with_index(move |partition, records| {
        seen.lock().unwrap().push(partition);
        records.collect::<Vec<_>>()
    });
    assert_eq!(rdd.take(15).unwrap(), (0..15).collect::<Vec<_>>());
    let mut partitions = std::mem::take(&mut *read.lock().unwrap());
    partitions.sort();
    assert_eq!(partitions, [0, 1]);
    assert_eq!(rdd.take(40).unwrap().len(), 40);
    assert_eq!(read.lock().unwrap().len(), 10);
}

#[test]
fn a_local_iterator_runs_a_job_when_it_needs_one() {
    let read = Arc::new(AtomicUsize::new(0));
    let seen = read.clone();
    let rdd = CONTEXT.range(0, 6, 1, 3).map(move |n| {
        seen.fetch_add(1, Ordering::Relaxed);
        if n == 3 { panic!("three") } else { n }
    });
    let mut records = rdd.to_local_iter();
    assert_eq!(read.load(Ordering::Relaxed), 0);
    assert_eq!(records.next().unwrap().unwrap(), 0);
    assert_eq!(read.load(Ordering::Relaxed), 2);
    assert_eq!(records.next().unwrap().unwrap(), 1);
    assert!(records.next().unwrap().unwrap_err().to_string().contains("three"));
    assert!(records.next().is_none());
}

/// The zero values of Spark, section 8.0 of the surface.
#[test]
fn golden_zeros() {
    assert_eq!(CONTEXT.range(1, 4, 1, 3).fold(1, |a, b| a + b).unwrap(), 10);
    let ten = CONTEXT.range(1, 4, 1, 2).aggregate(10, |a, b| a + b, |a, b| a + b).unwrap();
    assert_eq!(ten, 36);
    let tree = CONTEXT.range(1, 5, 1, 4).tree_aggregate(10, |a, b| a + b, |a, b| a + b, 2).unwrap();
    assert_eq!(tree, 50);
    assert_eq!(CONTEXT.empty().tree_aggregate(10, |a, b: i64| a + b, |a, b| a + b, 2).unwrap(), 10);
    assert_eq!(CONTEXT.empty().fold(7, |a, b| a + b).unwrap(), 7);
}

#[test]
fn a_tree_keeps_the_order_and_refuses_no_depth() {
    let letters = |n: i64| char::from(b'a' + n as u8).to_string();
    for (partitions, depth) in [(1, 1), (2, 2), (26, 2), (26, 3), (26, 9), (40, 1)] {
        let words = CONTEXT.range(0, 26, 1, partitions).map(letters);
        assert_eq!(words.tree_reduce(|a, b| a + &b, depth).unwrap(), "abcdefghijklmnopqrstuvwxyz");
    }
    let error = CONTEXT.range(0, 1, 1, 1).tree_reduce(|a, _| a, 0).unwrap_err();
    assert!(error.to_string().ends_with("was given the depth \"0\"; give at least 1"), "{error}");
}

#[test]
fn equal_records_keep_their_order() {
    let pairs = CONTEXT.parallelize((0..2_000).map(|n| (n % 3, n)).collect(), 7);
    let top = pairs.top_by(4, |a, b| a.0.cmp(&b.0)).unwrap();
    assert_eq!(top, [(2, 2), (2, 5), (2, 8), (2, 11)]);
    assert_eq!(pairs.max_by(|a, b| a.0.cmp(&b.0)).unwrap(), (2, 2));
    assert_eq!(pairs.min_by(|a, b| a.0.cmp(&b.0)).unwrap(), (0, 0));
}

#[test]
fn histograms() {
    let fifty = CONTEXT.range(0, 51, 1, 4);
    assert_eq!(fifty.histogram(1).unwrap(), (vec![0.0, 50.0], vec![51]));
    assert_eq!(fifty.histogram_by(vec![0, 25, 50]).unwrap(), [25, 26]);
    assert_eq!(fifty.histogram_by(vec![10, 20]).unwrap(), [11]);
    let equal = CONTEXT.parallelize(vec![3, 3, 3], 2);
    assert_eq!(equal.histogram(5).unwrap(), (vec![3.0, 3.0], vec![3]));
    let odd = CONTEXT.parallelize(vec![1.0, f64::NAN, 2.0], 2);
    assert_eq!(odd.histogram(2).unwrap(), (vec![1.0, 1.5, 2.0], vec![1, 1]));
    assert_eq!(CONTEXT.empty::<i64>().histogram_by(vec![1, 2]).unwrap(), [0]);
    let refused = [
        CONTEXT.empty::<i64>().histogram(2).unwrap_err(),
        fifty.histogram(0).unwrap_err(),
        fifty.histogram_by(vec![1]).unwrap_err(),
        fifty.histogram_by(vec![2, 1]).unwrap_err(),
        fifty.histogram_by(vec![1, 1]).unwrap_err(),
    ];
    assert!(refused.iter().all(|error| error.kind() == ErrorKind::Invalid), "{refused:?}");
    let infinite = CONTEXT.parallelize(vec![1.0, f64::INFINITY], 2).histogram(2).unwrap_err();
    assert_eq!(infinite.kind(), ErrorKind::Data);
}

#[test]
fn samples_have_the_exact_size() {
    let numbers = CONTEXT.range(0, 1_000, 1, 7);
    let sample = numbers.take_sample(false, 100, 1).unwrap();
    let mut distinct = sample.clone();
    distinct.sort();
    distinct.dedup();
    assert_eq!((sample.len(), distinct.len()), (100, 100));
    assert_ne!(sample, distinct, "a sample comes in random order");
    assert_eq!(sample, numbers.take_sample(false, 100, 1).unwrap());
    assert_ne!(sample, numbers.take_sample(false, 100, 2).unwrap());
    let mut all = numbers.take_sample(false, 5_000, 1).unwrap();
    all.sort();
    assert_eq!(all, (0..1_000).collect::<Vec<_>>());
    assert_eq!(CONTEXT.range(0, 3, 1, 2).take_sample(true, 50, 1).unwrap().len(), 50);
    for replacement in [true, false] {
        check(
            |rdd| Ok(rdd.take_sample(replacement, 3, 9)?.len()),
            |v| Some(if !replacement || v.is_empty() { v.len().min(3) } else { 3 }),
        );
    }
}

#[test]
fn a_sample_is_even() {
    let mut seen = [0; 10];
    for seed in 0..500 {
        for n in CONTEXT.range(0, 10, 1, 3).take_sample(false, 3, seed).unwrap() {
            seen[n as usize] += 1;
        }
    }
    // 150 expected, standard deviation about 10.
    assert!(seen.iter().all(|times| (105..195).contains(times)), "{seen:?}");
}

#[test]
fn approximate_counts_are_near_and_do_not_depend_on_partitions() {
    check(
        |rdd| rdd.count_approx_distinct(0.01),
        |v| Some(v.iter().collect::<std::collections::BTreeSet<_>>().len() as u64),
    );
    for (relative_sd, count) in [(0.05, 100), (0.05, 1_000), (0.05, 50_000), (0.01, 50_000), (0.002, 50_000)] {
        let estimates = [1, 4].map(|partitions| {
            let rdd = CONTEXT.range(0, 2 * count, 1, partitions).map(move |n| n % count);
            rdd.count_approx_distinct(relative_sd).unwrap()
        });
        assert_eq!(estimates[0], estimates[1]);
        let error = (estimates[0] as f64 - count as f64).abs() / count as f64;
        assert!(error < 3.0 * relative_sd, "{estimates:?} of {count} for {relative_sd}");
    }
    for refused in [0.0, -1.0, f64::NAN, 1.5, 0.0001] {
        assert_eq!(CONTEXT.range(0, 1, 1, 1).count_approx_distinct(refused).unwrap_err().kind(), ErrorKind::Invalid);
    }
}

#[test]
fn foreach_sees_every_record_and_every_partition() {
    let (records, partitions) = (Arc::new(AtomicI64::new(0)), Arc::new(AtomicUsize::new(0)));
    let (seen_records, seen_partitions) = (records.clone(), partitions.clone());
    CONTEXT
        .range(0, 10, 1, 3)
        .foreach(move |n| {
            seen_records.fetch_add(n, Ordering::Relaxed);
        })
        .unwrap();
    CONTEXT
        .parallelize(vec![1], 5)
        .foreach_partition(move |records| {
            seen_partitions.fetch_add(1 + 10 * records.count(), Ordering::Relaxed);
        })
        .unwrap();
    assert_eq!((records.load(Ordering::Relaxed), partitions.load(Ordering::Relaxed)), (45, 15));
    CONTEXT.empty::<i64>().foreach(|_| panic!("there is none")).unwrap();
}

#[test]
fn errors_of_user_functions_name_operator_record_and_partition() {
    let numbers = CONTEXT.range(0, 6, 1, 2);
    let fail = |n: i64| if n == 4 { Err(format!("no \"{n}\" here")) } else { Ok(()) };
    let errors = [
        numbers.try_for_each(fail).unwrap_err(),
        numbers.try_for_each_partition(move |mut records| (&mut records).try_for_each(fail)).unwrap_err(),
        numbers.try_map(fail).count().unwrap_err(),
        numbers.foreach(move |n| fail(n).unwrap()).unwrap_err(),
        numbers.foreach_partition(move |records| records.for_each(|n| fail(n).unwrap())).unwrap_err(),
        numbers.reduce(move |a, n| fail(n).map(|()| a).unwrap()).unwrap_err(),
    ];
    let names =
        ["try_for_each", "try_for_each_partition", "try_map", "foreach", "foreach_partition", "reduce"].into_iter();
    for (error, name) in errors.iter().zip(names) {
        let text = error.to_string();
        assert_eq!(error.kind(), ErrorKind::User);
        assert!(text.starts_with(&format!("\"{name} at ")), "{text}");
        assert!(text.contains("failed on record 2 of partition 1"), "{text}");
        assert!(text.contains("no "), "{text}");
        assert!(text.contains("tests.rs"), "{text}");
    }
    let source = std::error::Error::source(&errors[0]).unwrap();
    assert_eq!(source.to_string(), "no \"4\" here");
}

#[test]
fn a_function_that_fails_on_the_driver_is_the_users_error() {
    let combine = |_: i64, _: i64| panic!("cannot combine");
    let error = CONTEXT.range(0, 4, 1, 2).aggregate(0, |a, n| a + n, combine).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::User);
    assert!(error.to_string().contains("\"aggregate at "), "{error}");
}

#[test]
fn an_action_in_a_task_is_refused() {
    let inner = CONTEXT.range(0, 4, 1, 2);
    let error = CONTEXT.range(0, 4, 1, 2).map(move |_| inner.count().unwrap()).collect().unwrap_err();
    assert!(error.to_string().contains("call actions only on the driver"), "{error}");
}

fn near(a: f64, b: f64) -> bool {
    (a.is_nan() && b.is_nan()) || (a - b).abs() <= 1e-9 * (1.0 + a.abs().max(b.abs()))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn folds_and_trees_equal_the_plain_fold(
        values in prop::collection::vec("[a-c]{0,2}", 0..40), partitions in 1_usize..30, depth in 1_usize..5,
    ) {
        let rdd = CONTEXT.parallelize(values.clone(), partitions);
        let joined = values.concat();
        let join = |a: String, b: String| a + &b;
        prop_assert_eq!(&rdd.fold(String::new(), join).unwrap(), &joined);
        prop_assert_eq!(&rdd.aggregate(String::new(), join, join).unwrap(), &joined);
        prop_assert_eq!(&rdd.tree_aggregate(String::new(), join, join, depth).unwrap(), &joined);
        prop_assert_eq!(rdd.tree_reduce(join, depth).ok(), values.into_iter().reduce(join));
    }

    #[test]
    fn statistics_equal_two_passes(values in prop::collection::vec(-1e6..1e6_f64, 0..60), partitions in 1_usize..9) {
        let stats: StatCounter = CONTEXT.parallelize(values.clone(), partitions).stats().unwrap();
        let count = values.len() as f64;
        let mean = values.iter().sum::<f64>() / count;
        let squares = values.iter().map(|x| (x - mean).powi(2)).sum::<f64>();
        prop_assert_eq!(stats.count(), values.len() as u64);
        prop_assert!(values.is_empty() || near(stats.mean(), mean));
        prop_assert!(near(stats.variance(), squares / count));
        prop_assert!(values.len() < 2 || near(stats.sample_variance(), squares / (count - 1.0)));
        prop_assert_eq!(stats.min(), values.iter().copied().fold(f64::INFINITY, f64::min));
    }

    #[test]
    fn histograms_count_every_number(values in prop::collection::vec(-50..50_i64, 1..80), buckets in 1_usize..12) {
        let (boundaries, counts) = CONTEXT.parallelize(values.clone(), 3).histogram(buckets).unwrap();
        prop_assert_eq!(counts.len() + 1, boundaries.len());
        let last = counts.len() - 1;
        for (i, count) in counts.iter().enumerate() {
            let within = |x: f64| x >= boundaries[i] && (x < boundaries[i + 1] || (i == last && x <= boundaries[i + 1]));
            prop_assert_eq!(*count, values.iter().filter(|n| within(**n as f64)).count() as u64);
        }
        prop_assert_eq!(counts.iter().sum::<u64>(), values.len() as u64);
    }

    #[test]
    fn the_first_by_order_equal_a_sort(values in prop::collection::vec(0..50_u8, 0..2_000), n in 0_usize..40) {
        let rdd = CONTEXT.parallelize(values.clone(), 3);
        let mut sorted = values;
        sorted.sort();
        prop_assert_eq!(rdd.take_ordered(n).unwrap(), sorted.iter().take(n).copied().collect::<Vec<_>>());
        prop_assert_eq!(rdd.top(n).unwrap(), sorted.iter().rev().take(n).copied().collect::<Vec<_>>());
    }
}
