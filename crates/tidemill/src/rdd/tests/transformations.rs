//! What the transformations promise beyond their results: where keys are, what is moved, what is refused.

use crate::rdd::{
    ErasedRdd, HashPartitioner, Parent, PartitionerRef, RangePartitioner, Rdd,
    tests::sessions::{parts, sorted},
};
use crate::{
    Context, ErrorKind, Result,
    base::{Data, Key},
};
use std::{
    collections::{BTreeSet, HashMap},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

/// How many shuffles the lineage has.
fn shuffles<T: Data>(rdd: &Rdd<T>) -> usize {
    fn walk(rdd: &dyn ErasedRdd, seen: &mut BTreeSet<u64>) {
        for parent in rdd.parents() {
            match parent {
                Parent::Narrow(parent) => walk(&*parent, seen),
                Parent::Shuffle(shuffle) => {
                    seen.insert(shuffle.id());
                    walk(&*shuffle.map_side(), seen);
                }
            }
        }
    }
    let mut seen = BTreeSet::new();
    walk(&*rdd.erased(), &mut seen);
    seen.len()
}

fn letters(sc: &Context) -> Rdd<(u8, char)> {
    sc.parallelize(vec![(1, 'a'), (2, 'b'), (1, 'c'), (3, 'd')], 3)
}

#[test]
fn data_that_is_placed_is_not_moved_again() {
    let sc = Context::local(2);
    let placed = letters(&sc).partition_by(4);
    let other = letters(&sc);
    let cases: Vec<(&str, usize)> = vec![
        ("partition_by again", shuffles(&placed.partition_by(HashPartitioner::new(4)))),
        ("reduce_by_key", shuffles(&placed.reduce_by_key_into(4, |a, _| a))),
        ("map_values", shuffles(&placed.map_values(u32::from).group_by_key_into(4))),
        ("flat_map_values", shuffles(&placed.flat_map_values(|v| [v]).group_by_key_into(4))),
        ("filter", shuffles(&placed.filter(|_| true).group_by_key_into(4))),
        ("join of itself", shuffles(&placed.join(&placed))),
        ("join of a group", shuffles(&placed.join(&placed.group_by_key()))),
        ("cogroup of four", shuffles(&placed.cogroup4(&placed, &placed, &placed))),
        ("subtract_by_key", shuffles(&placed.subtract_by_key(&placed.reduce_by_key(|a, _| a)))),
        ("sample", shuffles(&placed.sample(false, 0.5, 1).unwrap().group_by_key())),
    ];
    for (name, count) in cases {
        assert_eq!(count, 1, "{name}");
    }
    assert_eq!(shuffles(&placed.join(&other)), 2, "one side is placed");
    assert_eq!(shuffles(&other.join_into(3, &letters(&sc))), 2, "no side is placed");
    assert_eq!(shuffles(&placed.map(|pair| pair).group_by_key_into(4)), 2, "a map may change keys");
    assert_eq!(shuffles(&placed.group_by_key_into(5)), 2, "another number of partitions");
}

#[test]
fn a_sorted_dataset_keeps_its_ranges() {
    let sc = Context::local(2);
    let by_key = letters(&sc).sort_by_key(true, 3).unwrap();
    assert_eq!(shuffles(&by_key.group_by_key()), 1);
    let (same, other) = (RangePartitioner::new(vec![1_u8], true), RangePartitioner::new(vec![2_u8], true));
    let placed = letters(&sc).partition_by(same.clone());
    assert_eq!(shuffles(&placed.partition_by(same)), 1);
    assert_eq!(shuffles(&placed.partition_by(other)), 2);
}

#[test]
fn the_default_partitioner_is_the_largest_known_one_if_it_is_big_enough() {
    let sc = Context::local(2);
    let of = |partitions| letters(&sc).partition_by(partitions);
    let plain = |partitions| sc.parallelize(vec![(1_u8, 'z')], partitions);
    let cases = [
        ("nothing is placed", letters(&sc).group_by_key().num_partitions(), 2),
        ("its own", of(5).group_by_key().num_partitions(), 5),
        ("its own, below the default", of(1).group_by_key().num_partitions(), 1),
        ("the larger one", of(3).join(&of(4)).num_partitions(), 4),
        ("the other side's", plain(2).join(&of(4)).num_partitions(), 4),
        ("too small for the other side", of(1).join(&plain(10)).num_partitions(), 2),
        ("as big as the default", of(2).join(&plain(50)).num_partitions(), 2),
    ];
    for (name, found, expected) in cases {
        assert_eq!(found, expected, "{name}");
    }
}

#[test]
fn a_partitioner_is_given_in_many_ways() {
    #[derive(Debug)]
    struct Last;
    impl crate::rdd::Partitioner<u8> for Last {
        fn partitions(&self) -> usize {
            3
        }
        fn partition(&self, _: &u8) -> usize {
            2
        }
    }
    let sc = Context::local(1);
    let last: PartitionerRef<u8> = Arc::new(Last);
    let sizes = |rdd: Rdd<(u8, char)>| parts(&rdd).iter().map(Vec::len).collect::<Vec<_>>();
    assert_eq!(sizes(letters(&sc).partition_by(last)), vec![0, 0, 4]);
    assert_eq!(sizes(letters(&sc).partition_by(Arc::new(Last))), vec![0, 0, 4]);
    assert_eq!(sizes(letters(&sc).partition_by(RangePartitioner::new(vec![1, 2], false))), vec![1, 1, 2]);
    assert_eq!(sizes(letters(&sc).partition_by(0)), vec![4], "0 is taken as 1");
}

#[test]
fn a_dataset_without_partitions_goes_through_everything() {
    let sc = Context::local(2);
    let none = sc.empty::<(u8, char)>();
    let some = letters(&sc);
    assert_eq!(none.group_by_key().count().unwrap(), 0);
    assert_eq!(none.distinct().count().unwrap(), 0);
    assert_eq!(none.join(&some).count().unwrap(), 0);
    assert_eq!(some.left_outer_join(&none).count().unwrap(), 4);
    assert_eq!(some.subtract(&none).count().unwrap(), 4);
    assert_eq!(none.sort_by_key(true, 3).unwrap().count().unwrap(), 0);
    assert_eq!(none.repartition(2).unwrap().count().unwrap(), 0);
    assert_eq!(none.cartesian(&some).num_partitions(), 0);
    assert_eq!(some.cartesian(&none).count().unwrap(), 0);
    assert_eq!(none.coalesce(3).unwrap().num_partitions(), 0);
    assert_eq!(none.union(&some).count().unwrap(), 4);
    assert_eq!(none.zip_with_index().unwrap().count().unwrap(), 0);
    assert_eq!(none.zip(&none).unwrap().count().unwrap(), 0);
    assert_eq!(none.sample(false, 0.5, 1).unwrap().count().unwrap(), 0);
}

#[test]
fn what_cannot_be_is_refused_at_the_call() {
    let sc = Context::local(1);
    let (numbers, pairs) = (sc.range(0, 4, 1, 2), letters(&sc));
    fn refused<T>(result: Result<T>) -> String {
        let error = result.err().expect("it is refused");
        assert_eq!(error.kind(), ErrorKind::Invalid);
        error.to_string()
    }
    assert!(refused(numbers.zip(&sc.range(0, 4, 1, 3))).contains("\"2\" and \"3\" partitions"));
    assert!(refused(numbers.coalesce(0)).contains("\"0\" partitions"));
    assert!(refused(numbers.repartition(0)).contains("repartition at"));
    assert!(refused(numbers.sort_by(|n| *n, true, 0)).contains("sort_by at"));
    assert!(refused(pairs.sort_by_key(true, 0)).contains("sort_by_key at"));
    assert!(refused(numbers.sample(false, 1.5, 1)).contains("\"1.5\""));
    assert!(refused(numbers.sample(true, -0.5, 1)).contains("between 0 and 1000000"));
    assert!(refused(numbers.sample(true, 1e18, 1)).contains("between 0 and 1000000"));
    assert!(refused(numbers.sample(true, f64::NAN, 1)).contains("NaN"));
    assert!(refused(pairs.sample_by_key(false, HashMap::from([(1, 2.0)]), 1)).contains("\"2\""));
    for weights in [&[][..], &[0.0], &[1.0, -1.0], &[f64::INFINITY], &[f64::NAN]] {
        assert!(refused(numbers.random_split(weights, 1)).contains("weights"), "{weights:?}");
    }
    assert!(refused(Rdd::<i64>::union_all(&[])).contains("no datasets"));
    assert!(refused(numbers.pipe(Vec::<String>::new(), Vec::<(String, String)>::new())).contains("empty command"));
}

#[test]
fn the_same_seed_makes_the_same_sample_whatever_runs_it() {
    let draw = |workers, with_replacement, fraction, seed| {
        let numbers = Context::local(workers).range(0, 20_000, 1, 4);
        numbers.sample(with_replacement, fraction, seed).unwrap().collect().unwrap()
    };
    for (with_replacement, fraction) in [(false, 0.3), (true, 0.3), (true, 2.5), (true, 40.0)] {
        let sample = draw(1, with_replacement, fraction, 7);
        assert_eq!(sample, draw(3, with_replacement, fraction, 7));
        assert_ne!(sample, draw(1, with_replacement, fraction, 8));
        let share = sample.len() as f64 / 20_000.0 / fraction;
        assert!((0.95..1.05).contains(&share), "{with_replacement} {fraction}: {share}");
        let distinct = BTreeSet::from_iter(sample.clone()).len();
        assert_eq!(distinct < sample.len(), with_replacement);
    }
    assert_eq!(draw(1, false, 1.0, 7).len(), 20_000);
    assert!(draw(1, false, 0.0, 7).is_empty() && draw(1, true, 0.0, 7).is_empty());
}

#[test]
fn sorts_cut_partitions_of_nearly_equal_size() {
    let sc = Context::local(2);
    let uneven = sc.range(0, 9_000, 1, 3).union(&sc.range(9_000, 10_000, 1, 1)).map(|n| (n * 7919) % 10_007);
    let sizes: Vec<_> = parts(&uneven.sort_by(|n| *n, true, 5).unwrap()).iter().map(Vec::len).collect();
    assert!(sizes.iter().all(|size| (1_200..2_800).contains(size)), "{sizes:?}");
}

#[test]
fn equal_records_that_differ_stay_as_they_are() {
    #[derive(Clone, Debug, serde::Serialize, serde::Deserialize)]
    struct Named(u8, char);
    impl PartialEq for Named {
        fn eq(&self, other: &Self) -> bool {
            self.0 == other.0
        }
    }
    impl Eq for Named {}
    impl std::hash::Hash for Named {
        fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
            self.0.hash(state);
        }
    }
    fn is_key<K: Key>(_: &K) {}
    is_key(&Named(1, 'a'));
    let sc = Context::local(2);
    let left = sc.parallelize(vec![Named(1, 'a'), Named(1, 'b'), Named(2, 'c')], 2);
    let right = sc.parallelize(vec![Named(2, 'z')], 1);
    assert_eq!(sorted(&left.subtract(&right).map(|named| named.1)), vec!['a', 'b']);
    assert_eq!(sorted(&left.intersection(&right).map(|named| named.1)), vec!['c']);
}

#[test]
fn zip_with_index_runs_one_job_and_reads_all_but_the_last_partition() {
    let (sc, read) = (Context::local(1), Arc::new(AtomicU64::new(0)));
    let count = read.clone();
    let numbers = sc.range(0, 9, 1, 3).map(move |n| {
        count.fetch_add(1, Ordering::Relaxed);
        n
    });
    let _ = numbers.zip_with_index().unwrap();
    assert_eq!(read.load(Ordering::Relaxed), 6);
    let _ = numbers.coalesce(1).unwrap().zip_with_index().unwrap();
    assert_eq!(read.load(Ordering::Relaxed), 6);
}

#[test]
fn a_shuffle_carries_less_where_values_combine() {
    let (sc, merged) = (Context::local(1), Arc::new(AtomicU64::new(0)));
    let count = merged.clone();
    let sums = sc.range(0, 1_000, 1, 4).map(|n| (n % 2, n)).combine_by_key_into(
        2,
        |v| v,
        |a, b| a + b,
        move |a, b| {
            count.fetch_add(1, Ordering::Relaxed);
            a + b
        },
    );
    assert_eq!(sorted(&sums), vec![(0, 249_500), (1, 250_000)]);
    assert_eq!(merged.load(Ordering::Relaxed), 6, "2 keys of 4 partitions arrive");
}

const NO_ENV: [(&str, &str); 0] = [];

#[test]
fn pipes() {
    let sc = Context::local(2);
    let numbers = sc.range(0, 200_000, 1, 2);
    let through = numbers.pipe(["cat"], NO_ENV).unwrap();
    assert_eq!(through.map(|line| line.parse::<i64>().unwrap()).collect().unwrap(), numbers.collect().unwrap());
    let head = numbers.pipe(["head", "-n", "1"], NO_ENV).unwrap();
    assert_eq!(head.collect().unwrap(), vec!["0", "100000"], "a program need not read it all");
    let endless = sc.parallelize(vec![1], 1).pipe(["yes"], NO_ENV).unwrap();
    assert_eq!(endless.take(2).unwrap(), vec!["y", "y"]);
    let own = sc.parallelize(Vec::<u8>::new(), 2).pipe(["sh", "-c", "echo $FLAVOUR"], [("FLAVOUR", "sweet")]).unwrap();
    assert_eq!(own.collect().unwrap(), vec!["sweet", "sweet"], "it runs for empty partitions too");
    let many = sc.parallelize(vec![1], 1).pipe(["seq", "100000"], NO_ENV).unwrap();
    assert_eq!(many.count().unwrap(), 100_000);
}

#[test]
fn failing_pipes() {
    let sc = Context::local(2);
    let numbers = sc.range(0, 10, 1, 1);
    let run = |command: &[&str]| numbers.pipe(command.iter().copied(), NO_ENV).unwrap().collect().unwrap_err();
    let error = run(&["sh", "-c", "cat > /dev/null; echo gone wrong >&2; exit 3"]);
    assert_eq!(error.kind(), ErrorKind::User);
    let text = error.to_string();
    assert!(text.contains("pipe at") && text.contains("exit status: 3") && text.contains("gone wrong"), "{text}");
    assert!(text.contains("\"sh -c cat"), "{text}");
    let error = run(&["/nowhere/no-such-program"]);
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    assert!(error.to_string().contains("could not be started"), "{error}");
    let error = run(&["printf", "\\377\\n"]);
    assert_eq!(error.kind(), ErrorKind::Data);
    let broken = numbers.map(|n| if n == 5 { panic!("five") } else { n }).pipe(["cat"], NO_ENV).unwrap();
    assert!(broken.collect().unwrap_err().to_string().contains("five"));
    assert_eq!(numbers.count().unwrap(), 10);
}

#[test]
fn what_an_equal_partitioner_placed_is_united_partition_by_partition() {
    let sc = Context::local(2);
    let pairs = |from: i64| sc.range(from, from + 4, 1, 3).map(|n| (n % 4, n)).partition_by(2);
    let (left, right) = (pairs(0), pairs(4));
    let merged: Vec<_> = parts(&left).into_iter().zip(parts(&right)).map(|(a, b)| [a, b].concat()).collect();
    let nothing = sc.empty();
    assert_eq!(parts(&left.union(&right)), merged);
    assert_eq!(parts(&Rdd::union_all(&[left.clone(), nothing.clone(), right.clone()]).unwrap()), merged);
    assert!(left.union(&nothing).partitioner::<i64>().is_some(), "what has no partitions does not count");
    assert_eq!(left.union(&pairs(4).partition_by(3)).num_partitions(), 5);
    assert_eq!(left.union(&right.map(|pair| pair)).num_partitions(), 4);
    let ids = |rdd: &Rdd<(i64, i64)>| parts(&rdd.reduce_by_key_into(2, |a, b| a + b));
    assert_eq!(ids(&left.union(&right)), ids(&left.union(&right).map(|pair| pair)));
}
