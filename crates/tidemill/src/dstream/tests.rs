//! Batch tables of every operation that keeps nothing from batch to batch.

use crate::{
    Config, DStream, Data, ErrorKind, HashPartitioner, Key, StreamingContext, keys, seconds,
    testing::{Collected, Step, TestContext, check_batches},
};
use std::{fmt, sync::Arc};

/// Batches of two streams, what is made of both, and what is expected.
#[track_caller]
fn check_two<A: Data, B: Data, U: Data + Ord + fmt::Debug>(
    left: Vec<Vec<A>>,
    right: Vec<Vec<B>>,
    operation: impl FnOnce(DStream<A>, DStream<B>) -> DStream<U>,
    expected: Vec<Vec<U>>,
) {
    let test = TestContext::new();
    let seen = test.collect(&operation(test.stream(left), test.stream(right)));
    test.run(expected.len()).unwrap();
    assert_eq!(seen.sorted(), expected);
}

/// How many partitions each batch had.
fn partition_counts<T: Clone>(seen: &Collected<T>) -> Vec<usize> {
    seen.partitions().iter().map(|(_, partitions)| partitions.len()).collect()
}

/// A stream whose batches have no partitions at all.
fn no_partitions<T: Data>(test: &TestContext) -> DStream<T> {
    test.ssc().constant_stream(&test.ssc().context().parallelize(Vec::new(), 0))
}

fn parallelism(partitions: usize) -> TestContext {
    TestContext::with_config(Config::new().set(keys::DEFAULT_PARALLELISM, partitions))
}

#[test]
fn map_filter_and_flat_map() {
    check_batches(
        vec![vec![1, 2], vec![], vec![3]],
        |s| s.map(|n| n.to_string()),
        vec![vec!["1".to_owned(), "2".to_owned()], vec![], vec!["3".to_owned()]],
    );
    check_batches(vec![vec![1, 2, 3, 4], vec![5]], |s| s.filter(|n| n % 2 == 0), vec![vec![2, 4], vec![]]);
    check_batches(vec![vec![0, 2], vec![1]], |s| s.flat_map(|n| vec![n; n]), vec![vec![2, 2], vec![1]]);
}

#[test]
fn whole_partitions() {
    let input = || vec![vec![1, 2, 3], vec![], vec![9]];
    check_batches(input(), |s| s.map_partitions(|r| [r.count()]), vec![vec![1, 2], vec![0, 0], vec![0, 1]]);
    check_batches(input(), |s| s.glom(), vec![vec![vec![1], vec![2, 3]], vec![vec![], vec![]], vec![vec![], vec![9]]]);
    let indexed =
        |s: DStream<i32>| s.map_partitions_with_index(|index, r| r.map(move |n| (index, n)).collect::<Vec<_>>());
    check_batches(input(), indexed, vec![vec![(0, 1), (1, 2), (1, 3)], vec![], vec![(1, 9)]]);
}

#[test]
fn repartition_gives_exactly_so_many_partitions() {
    let test = TestContext::new();
    let numbers = test.stream(vec![(0..100).collect(), vec![], vec![1]]);
    let (more, fewer) = (test.collect(&numbers.repartition(7)), test.collect(&numbers.repartition(1)));
    let none = test.collect(&no_partitions::<i32>(&test).repartition(3));
    test.run(3).unwrap();
    assert_eq!(partition_counts(&more), [7, 7, 7]);
    assert_eq!(partition_counts(&fewer), [1, 1, 1]);
    assert_eq!(partition_counts(&none), [3, 3, 3]);
    assert_eq!(more.sorted(), [(0..100).collect::<Vec<_>>(), vec![], vec![1]]);
    let sizes: Vec<_> = more.partitions()[0].1.iter().map(Vec::len).collect();
    assert!(sizes.iter().all(|size| (13..=16).contains(size)), "{sizes:?}");
}

#[test]
fn count_is_always_one_record() {
    check_batches(vec![vec![1, 2, 3], vec![], vec![4]], |s| s.count(), vec![vec![3], vec![0], vec![1]]);
    let test = TestContext::new();
    let seen = test.collect(&no_partitions::<i32>(&test).count());
    test.run(2).unwrap();
    assert_eq!(seen.batches(), [[0], [0]]);
}

#[test]
fn reduce_gives_nothing_for_an_empty_batch() {
    check_batches(vec![vec![1, 2, 3], vec![], vec![4]], |s| s.reduce(|a, b| a + b), vec![vec![6], vec![], vec![4]]);
    let test = TestContext::new();
    let seen = test.collect(&no_partitions::<i32>(&test).reduce(|a, b| a + b));
    test.run(1).unwrap();
    assert_eq!(seen.partitions()[0].1, [Vec::<i32>::new()]);
}

#[test]
fn count_by_value() {
    let input = || vec![vec!["a", "b", "a"], vec![], vec!["b"]];
    let input = move || input().into_iter().map(|b| b.into_iter().map(String::from).collect::<Vec<_>>()).collect();
    let one = |word: &str, count| (word.to_owned(), count);
    let expected = || vec![vec![one("a", 2), one("b", 1)], vec![], vec![one("b", 1)]];
    check_batches(input(), |s| s.count_by_value(), expected());
    check_batches(input(), |s| s.count_by_value_into(5), expected());
}

#[test]
fn combining_by_key() {
    let input = || vec![vec![('a', 1), ('a', 2), ('b', 5)], vec![], vec![('b', 7)]];
    let sums = || vec![vec![('a', 3), ('b', 5)], vec![], vec![('b', 7)]];
    check_batches(input(), |s| s.reduce_by_key(|a, b| a + b), sums());
    check_batches(input(), |s| s.reduce_by_key_into(HashPartitioner::new(3), |a, b| a + b), sums());
    check_batches(input(), |s| s.combine_by_key(|v| v, |c, v| c + v, |a, b| a + b), sums());
    let partitioner: Arc<HashPartitioner> = Arc::new(HashPartitioner::new(1));
    check_batches(input(), |s| s.combine_by_key_into(partitioner, |v| v, |c, v| c + v, |a, b| a + b), sums());
    let sorted = |mut values: Vec<i32>| {
        values.sort();
        values
    };
    let groups = || vec![vec![('a', vec![1, 2]), ('b', vec![5])], vec![], vec![('b', vec![7])]];
    check_batches(input(), move |s| s.group_by_key().map_values(sorted), groups());
    check_batches(input(), move |s| s.group_by_key_into(4).map_values(sorted), groups());
}

#[test]
fn keys_and_values() {
    let input = || vec![vec![('a', 1), ('a', 3)], vec![]];
    check_batches(input(), |s| s.map_values(|v| v * 2), vec![vec![('a', 2), ('a', 6)], vec![]]);
    check_batches(input(), |s| s.flat_map_values(|v| 1..v), vec![vec![('a', 1), ('a', 2)], vec![]]);
    check_batches(input(), |s| s.keys(), vec![vec!['a', 'a'], vec![]]);
    check_batches(input(), |s| s.values(), vec![vec![1, 3], vec![]]);
}

#[test]
fn shuffles_go_into_the_default_parallelism_whatever_the_batch_looks_like() {
    fn shuffled<K: Key + Ord>(test: &TestContext, pairs: &DStream<(K, i32)>) -> Vec<Box<dyn Fn() -> Vec<usize>>> {
        fn counts<T: Data>(test: &TestContext, stream: &DStream<T>) -> Box<dyn Fn() -> Vec<usize>> {
            let seen = test.collect(stream);
            Box::new(move || partition_counts(&seen))
        }
        vec![
            counts(test, &pairs.reduce_by_key(|a, b| a + b)),
            counts(test, &pairs.combine_by_key(|v| v, |c, v| c + v, |a, b| a + b)),
            counts(test, &pairs.group_by_key()),
            counts(test, &pairs.keys().count_by_value()),
            counts(test, &pairs.cogroup(pairs)),
            counts(test, &pairs.join(pairs)),
            counts(test, &pairs.left_outer_join(pairs)),
            counts(test, &pairs.right_outer_join(pairs)),
            counts(test, &pairs.full_outer_join(pairs)),
        ]
    }
    let test = parallelism(3);
    let pairs = test.stream(vec![vec![(1, 1)], vec![]]);
    let mut all = shuffled(&test, &pairs);
    all.extend(shuffled(&test, &pairs.partition_by(7)));
    test.run(2).unwrap();
    for (index, counts) in all.iter().enumerate() {
        assert_eq!(counts(), [3, 3], "operation {index}");
    }
}

#[test]
fn partition_by_places_keys_and_by_key_operations_of_that_partitioner_move_nothing() {
    let test = TestContext::new();
    let placed = test.stream(vec![vec![(1, 'a'), (2, 'b'), (1, 'c')], vec![]]).partition_by(4);
    let seen = test.collect(&placed);
    test.run(2).unwrap();
    assert_eq!(partition_counts(&seen), [4, 4]);
    let holders = seen.partitions()[0].1.iter().filter(|p| p.iter().any(|(key, _)| *key == 1)).count();
    assert_eq!(holders, 1);
}

#[test]
fn joins_of_two_streams() {
    let left = || vec![vec![(1, 'a'), (1, 'b'), (2, 'c')], vec![(3, 'd')], vec![]];
    let right = || vec![vec![(1, 'x'), (4, 'y')], vec![], vec![(5, 'z')]];
    check_two(left(), right(), |l, r| l.join(&r), vec![vec![(1, ('a', 'x')), (1, ('b', 'x'))], vec![], vec![]]);
    check_two(
        left(),
        right(),
        |l, r| l.left_outer_join(&r),
        vec![vec![(1, ('a', Some('x'))), (1, ('b', Some('x'))), (2, ('c', None))], vec![(3, ('d', None))], vec![]],
    );
    check_two(
        left(),
        right(),
        |l, r| l.right_outer_join(&r),
        vec![vec![(1, (Some('a'), 'x')), (1, (Some('b'), 'x')), (4, (None, 'y'))], vec![], vec![(5, (None, 'z'))]],
    );
    check_two(
        left(),
        right(),
        |l, r| l.full_outer_join(&r),
        vec![
            vec![
                (1, (Some('a'), Some('x'))),
                (1, (Some('b'), Some('x'))),
                (2, (Some('c'), None)),
                (4, (None, Some('y'))),
            ],
            vec![(3, (Some('d'), None))],
            vec![(5, (None, Some('z')))],
        ],
    );
    check_two(
        left(),
        right(),
        |l, r| l.cogroup_into(1, &r),
        vec![
            vec![(1, (vec!['a', 'b'], vec!['x'])), (2, (vec!['c'], vec![])), (4, (vec![], vec!['y']))],
            vec![(3, (vec!['d'], vec![]))],
            vec![(5, (vec![], vec!['z']))],
        ],
    );
}

#[test]
fn a_dataset_that_stays_is_computed_once_for_all_batches() {
    use std::sync::atomic::{AtomicUsize, Ordering};
    let (test, computed) = (TestContext::new(), Arc::new(AtomicUsize::new(0)));
    let counter = computed.clone();
    let names = test.ssc().context().parallelize(vec![1, 2], 1).map(move |n| {
        counter.fetch_add(1, Ordering::Relaxed);
        (n, n * 10)
    });
    let pairs = test.stream(vec![vec![(1, 'a')], vec![(2, 'b')], vec![(3, 'c')], vec![]]);
    let inner = test.collect(&pairs.join_rdd(&names));
    test.run(4).unwrap();
    assert_eq!(inner.sorted(), [vec![(1, ('a', 10))], vec![(2, ('b', 20))], vec![], vec![]]);
    assert_eq!(computed.load(Ordering::Relaxed), 2);
}

#[test]
fn unions_keep_order_and_duplicates() {
    let test = TestContext::new();
    let (a, b) = (test.stream(vec![vec![1], vec![]]), test.stream(vec![vec![1, 2], vec![3]]));
    let two = test.collect(&a.union(&b));
    let many = test.collect(&test.ssc().union(&[a.clone(), b.clone(), a.clone()]));
    let one = test.collect(&test.ssc().union(std::slice::from_ref(&a)));
    let none = test.collect(&a.union(&no_partitions(&test)));
    test.run(2).unwrap();
    assert_eq!(two.batches(), [vec![1, 1, 2], vec![3]]);
    assert_eq!(many.batches(), [vec![1, 1, 2, 1], vec![3]]);
    assert_eq!(partition_counts(&many), [6, 6]);
    assert_eq!(one.batches(), [vec![1], vec![]]);
    assert_eq!(none.batches(), [vec![1], vec![]]);
}

#[test]
fn transform_sees_every_batch_with_its_time() {
    let test = TestContext::new();
    let numbers = test.stream(vec![vec![3, 1, 2], vec![]]);
    let sorted = numbers.transform(|rdd, time| {
        rdd.sort_by(|n| *n, true, 1)?.zip_with_index().map(|r| r.map(move |p| (time.as_ms(), p)))
    });
    let seen = test.collect(&sorted);
    let sizes = test.ssc().transform(&[numbers.clone(), numbers.clone(), numbers], |rdds, _| {
        let of = rdds.len();
        Ok(rdds[0].map(move |n| (of, n)))
    });
    let sizes = test.collect(&sizes);
    test.run(2).unwrap();
    assert_eq!(seen.batches(), [vec![(1000, (1, 0)), (1000, (2, 1)), (1000, (3, 2))], vec![]]);
    assert_eq!(sizes.sorted(), [vec![(3, 1), (3, 2), (3, 3)], vec![]]);
}

#[test]
fn a_failing_function_fails_its_batch_and_no_other() {
    let test = TestContext::new();
    let (numbers, source) = test.scripted_stream();
    for n in [1, 0, 2] {
        source.push(Step::Records(vec![n]));
    }
    let seen = test.collect(&numbers.map(|n: i32| 10 / n).reduce(|a, b| a + b));
    test.advance(1).unwrap();
    let error = test.run(1).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::User);
    let text = error.to_string();
    assert!(text.contains("map at ") && text.contains("dstream/tests.rs") && text.contains("2000 ms"), "{text}");
    test.advance(1).unwrap();
    assert_eq!(seen.batches(), [[10], [5]]);
}

#[test]
fn what_cannot_be_declared_panics_with_words() {
    fn text<R>(f: impl FnOnce() -> R) -> String {
        let panic = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| drop(f()))).unwrap_err();
        *panic.downcast::<String>().unwrap()
    }
    let (one, other) = (TestContext::new(), TestContext::new());
    let (a, b) = (one.stream(vec![vec![(1, 1)]]), other.stream(vec![vec![(1, 1)]]));
    assert!(text(|| a.union(&b)).contains("\"union\" was given streams of different contexts"));
    assert!(text(|| a.join(&b)).contains("\"join\" was given streams of different contexts"));
    assert!(text(|| a.repartition(0)).contains("\"0\" partitions"));
    let ssc = StreamingContext::local(1, seconds(1)).unwrap();
    assert!(text(|| ssc.union::<i32>(&[])).contains("\"union\" was given no streams"));
}
