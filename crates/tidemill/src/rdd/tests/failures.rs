//! User code that panics, in every kind of operation: the job fails with an error that says where, and the context
//! goes on.

use crate::rdd::{Partitioner, Rdd};
use crate::{Context, Error, ErrorKind, Interrupt, Result, interruptible, task_interrupt};
use serde::{Deserialize, Serialize};
use std::{
    cmp::Ordering,
    collections::HashMap,
    hash::{Hash, Hasher},
    sync::Arc,
};

type Pairs = Rdd<(i64, i64)>;

/// Panics at the value 7.
fn touchy(n: i64) -> i64 {
    if n == 7 { panic!("no sevens") } else { n }
}

fn pairs(sc: &Context) -> Pairs {
    sc.range(0, 12, 1, 3).map(|n| (n % 2, n))
}

fn check(sc: &Context, operation: &str, outcome: Result<u64>, cause: &str) {
    let error = outcome.expect_err(operation);
    let text = error.to_string();
    assert_eq!(error.kind(), ErrorKind::User, "{operation}: {text}");
    assert!(text.contains(&format!("\"{operation} at ")), "{operation}: {text}");
    assert!(text.contains(file!()), "{operation} names the line of its caller: {text}");
    assert!(text.contains("partition") || text.contains("sample"), "{operation}: {text}");
    assert!(text.contains(cause), "{operation}: {text}");
    assert_eq!(sc.range(0, 3, 1, 2).count().expect("the context goes on"), 3);
}

#[test]
fn functions_that_panic() {
    let sc = Context::local(2);
    let p = pairs(&sc);
    let n = sc.range(0, 12, 1, 3);
    let cases: Vec<(&str, Result<u64>)> = vec![
        ("key_by", n.key_by(|n| touchy(*n)).count()),
        ("map_values", p.map_values(touchy).count()),
        ("flat_map_values", p.flat_map_values(|n| [touchy(n)]).count()),
        ("reduce_by_key", p.reduce_by_key(|a, b| touchy(a.max(b))).count()),
        ("reduce_by_key_into", p.reduce_by_key_into(2, |a, b| touchy(a.max(b))).count()),
        ("fold_by_key", p.fold_by_key(0, |a, b| touchy(a.max(b))).count()),
        ("aggregate_by_key", p.aggregate_by_key(0, |_, b| touchy(b), |a, _| a).count()),
        ("combine_by_key", p.combine_by_key(touchy, |a, _| a, |_, _| panic!("no sevens")).count()),
        ("group_by", n.group_by(|n| touchy(*n)).count()),
        ("sort_by", n.sort_by(|n| touchy(*n), true, 1).and_then(|sorted| sorted.count())),
        ("sort_by", n.sort_by(|n| touchy(*n), true, 3).map(|_| 0)),
    ];
    for (operation, outcome) in cases {
        check(&sc, operation, outcome, "no sevens");
    }
}

#[test]
fn the_record_is_named() {
    let sc = Context::local(2);
    let text = pairs(&sc).map_values(touchy).count().unwrap_err().to_string();
    assert!(text.contains("on record 4 of partition 1"), "{text}");
}

#[test]
fn a_key_without_a_fraction() {
    let sc = Context::local(2);
    let sample = pairs(&sc).sample_by_key(false, HashMap::from([(0, 0.5)]), 1);
    check(&sc, "sample_by_key", sample.and_then(|sample| sample.count()), "no fraction");
}

#[test]
fn partitions_of_different_sizes_are_not_zipped() {
    let sc = Context::local(2);
    let zip = |left: i64, right: i64| sc.range(0, left, 1, 1).zip(&sc.range(0, right, 1, 1)).unwrap().count();
    for (left, right) in [(5, 3), (3, 5), (0, 1), (2000, 1)] {
        let error: Error = zip(left, right).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Invalid);
        let text = error.to_string();
        let counts = format!("partition 0 has \"{left}\" records on the left and \"{right}\" on the right");
        assert!(text.contains(&counts), "{text}");
    }
    assert_eq!(zip(2000, 2000).unwrap(), 2000);
}

/// A partitioner that promises fewer partitions than it uses.
#[derive(Debug)]
struct Liar;

impl Partitioner<i64> for Liar {
    fn partitions(&self) -> usize {
        2
    }
    fn partition(&self, key: &i64) -> usize {
        *key as usize * 2
    }
}

#[test]
fn partitioners_that_lie_or_panic() {
    let sc = Context::local(2);
    let liar = || Arc::new(Liar);
    let p = pairs(&sc);
    check(&sc, "partition_by", p.partition_by(liar()).count(), "placed a key in partition \"2\" of \"2\"");
    check(&sc, "reduce_by_key_into", p.reduce_by_key_into(liar(), |a, _| a).count(), "\"Liar\"");
    check(&sc, "join_into", p.join_into(liar(), &p).count(), "return a number below partitions()");
    check(&sc, "group_by_key_into", p.group_by_key_into(liar()).count(), "\"Liar\"");
}

/// A key or record whose own implementations panic at the value 7, each in its turn.
#[derive(Debug, Serialize, Deserialize)]
struct Trap<const WHAT: u8>(i64);

const CLONE: u8 = 0;
const HASH: u8 = 1;
const EQ: u8 = 2;
const ORD: u8 = 3;

impl<const WHAT: u8> Trap<WHAT> {
    fn spring(&self, what: u8) {
        if what == WHAT && self.0 == 7 {
            panic!("trap {what}");
        }
    }
}

impl<const WHAT: u8> Clone for Trap<WHAT> {
    fn clone(&self) -> Self {
        self.spring(CLONE);
        Self(self.0)
    }
}

impl<const WHAT: u8> Hash for Trap<WHAT> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.spring(HASH);
        self.0.hash(state);
    }
}

impl<const WHAT: u8> PartialEq for Trap<WHAT> {
    fn eq(&self, other: &Self) -> bool {
        self.spring(EQ);
        self.0 == other.0
    }
}

impl<const WHAT: u8> Eq for Trap<WHAT> {}

impl<const WHAT: u8> PartialOrd for Trap<WHAT> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl<const WHAT: u8> Ord for Trap<WHAT> {
    fn cmp(&self, other: &Self) -> Ordering {
        self.spring(ORD);
        self.0.cmp(&other.0)
    }
}

/// Each value twice, over three partitions.
fn traps<const WHAT: u8>(sc: &Context) -> Rdd<Trap<WHAT>> {
    sc.range(0, 24, 1, 3).map(|n| Trap(n % 12))
}

fn keyed<const WHAT: u8>(sc: &Context) -> Rdd<(Trap<WHAT>, i64)> {
    traps(sc).map(|trap| (trap, 1))
}

#[test]
fn hashes_and_comparisons_that_panic() {
    fn cases<const WHAT: u8>(sc: &Context) {
        let (t, k) = (traps::<WHAT>(sc), keyed::<WHAT>(sc));
        let cause = format!("trap {WHAT}");
        check(sc, "distinct", t.distinct().count(), &cause);
        check(sc, "subtract", t.subtract(&t).count(), &cause);
        check(sc, "intersection", t.intersection(&t).count(), &cause);
        check(sc, "reduce_by_key", k.reduce_by_key(|a, b| a + b).count(), &cause);
        check(sc, "group_by_key", k.group_by_key().count(), &cause);
        check(sc, "cogroup", k.cogroup(&k).count(), &cause);
        check(sc, "join", k.join(&k).count(), &cause);
        check(sc, "subtract_by_key", k.subtract_by_key(&k).count(), &cause);
    }
    let sc = Context::local(2);
    cases::<HASH>(&sc);
    cases::<EQ>(&sc);
}

#[test]
fn clones_that_panic() {
    let sc = Context::local(2);
    let (t, k) = (traps::<CLONE>(&sc), keyed::<CLONE>(&sc));
    check(&sc, "distinct", t.distinct().count(), "trap 0");
    check(&sc, "repartition", t.repartition(2).and_then(|spread| spread.count()), "trap 0");
    check(&sc, "cartesian", t.cartesian(&t).count(), "trap 0");
    check(&sc, "partition_by", k.partition_by(2).count(), "trap 0");
    check(&sc, "join", k.join(&k).count(), "trap 0");
    check(&sc, "fold_by_key", k.map(|(key, n)| (n, key)).fold_by_key(Trap(7), |a, _| a).count(), "trap 0");
    check(&sc, "sample", t.sample(true, 5.0, 1).and_then(|sample| sample.count()), "trap 0");
    let values = vec![Trap::<CLONE>(7)];
    check(&sc, "parallelize", sc.parallelize(values, 1).count(), "trap 0");
}

#[test]
fn orders_that_panic() {
    let sc = Context::local(2);
    let k = keyed::<ORD>(&sc);
    check(&sc, "sort_by_key", k.sort_by_key(true, 1).and_then(|sorted| sorted.count()), "trap 3");
    check(&sc, "sort_by_key", k.sort_by_key(true, 3).map(|_| 0), "trap 3");
    let within = k.repartition_and_sort_within_partitions(2);
    check(&sc, "repartition_and_sort_within_partitions", within.count(), "trap 3");
}

#[test]
fn a_job_ends_between_two_chunks_when_it_is_cancelled() {
    let (sc, cancelled) = (Context::local(2), Interrupt::new());
    let endless = sc.parallelize(vec![0u64], 1).flat_map(|_| 0u64..).map(|n| n + 1);
    let error = interruptible(&cancelled, || {
        endless.foreach(|n| {
            if n == 10_000 {
                task_interrupt().expect("the job has one").raise();
            }
        })
    });
    let error = error.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Closed);
    assert!(error.to_string().contains("the job was cancelled"), "{error}");
    assert!(task_interrupt().is_none());
    assert_eq!(sc.range(0, 3, 1, 1).count().unwrap(), 3, "other jobs run");
}
