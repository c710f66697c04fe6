//! Every wide operation against a slow, obvious model, over random data, partitions, workers and processes.

use crate::rdd::{
    HashPartitioner, Partitioner, RangePartitioner, Rdd,
    tests::sessions::{SESSIONS, Sessions, parts, sorted},
};
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};

type Pairs = Vec<(u8, i16)>;

fn pairs() -> impl Strategy<Value = Pairs> {
    prop::collection::vec((0_u8..6, any::<i16>()), 0..40)
}

/// How one case is cut and where it runs.
#[derive(Clone, Copy, Debug)]
struct Shape {
    session: usize,
    left: usize,
    right: usize,
    into: usize,
    /// Whether the left side is placed by an equal partitioner beforehand.
    placed: bool,
}

fn shape() -> impl Strategy<Value = Shape> {
    (0..SESSIONS, 1_usize..=5, 1_usize..=5, 1_usize..=5, any::<bool>())
        .prop_map(|(session, left, right, into, placed)| Shape { session, left, right, into, placed })
}

/// Runs `check` on random cases; the sessions are made once, because each costs threads.
fn model(check: impl Fn(&Sessions, Shape, Pairs, Pairs)) {
    let sessions = Sessions::new();
    proptest!(ProptestConfig::with_cases(64), |(shape in shape(), left in pairs(), right in pairs())| {
        check(&sessions, shape, left, right);
    });
}

impl Sessions {
    fn left(&self, shape: Shape, values: &Pairs) -> Rdd<(u8, i16)> {
        let rdd = self.rdd(shape.session, values, shape.left);
        if shape.placed { rdd.partition_by(shape.into) } else { rdd }
    }

    fn right(&self, shape: Shape, values: &Pairs) -> Rdd<(u8, i16)> {
        self.rdd(shape.session, values, shape.right)
    }
}

fn grouped(pairs: &Pairs) -> BTreeMap<u8, Vec<i16>> {
    let mut groups: BTreeMap<u8, Vec<i16>> = BTreeMap::new();
    pairs.iter().for_each(|&(key, value)| groups.entry(key).or_default().push(value));
    groups
}

/// Each key where a hash partitioner has it; then the pairs in order of keys, values of a key as they came.
fn placed_by_hash<V: crate::Data>(rdd: &Rdd<(u8, V)>, partitions: usize) -> Vec<(u8, V)> {
    let parts = parts(rdd);
    assert_eq!(parts.len(), partitions);
    for (index, part) in parts.iter().enumerate() {
        for (key, _) in part {
            assert_eq!(Partitioner::partition(&HashPartitioner::new(partitions), key), index);
        }
    }
    let mut pairs: Vec<_> = parts.into_iter().flatten().collect();
    pairs.sort_by_key(|(key, _)| *key);
    pairs
}

#[test]
fn group_by_key_keeps_the_order_of_values() {
    model(|sessions, shape, left, _| {
        let groups = sessions.left(shape, &left).group_by_key_into(shape.into);
        assert_eq!(placed_by_hash(&groups, shape.into), Vec::from_iter(grouped(&left)));
    });
}

#[test]
fn combining_goes_through_the_partitions_in_order() {
    model(|sessions, shape, left, _| {
        let rdd = sessions.left(shape, &left);
        let expected = Vec::from_iter(grouped(&left));
        let append = |mut a: Vec<i16>, mut b: Vec<i16>| {
            a.append(&mut b);
            a
        };
        let push = |mut a: Vec<i16>, v: i16| {
            a.push(v);
            a
        };
        let into = shape.into;
        assert_eq!(placed_by_hash(&rdd.combine_by_key_into(into, |v| vec![v], push, append), into), expected);
        assert_eq!(placed_by_hash(&rdd.aggregate_by_key_into(into, vec![], push, append), into), expected);
        assert_eq!(placed_by_hash(&rdd.map_values(|v| vec![v]).reduce_by_key_into(into, append), into), expected);
        assert_eq!(placed_by_hash(&rdd.map_values(|v| vec![v]).fold_by_key_into(into, vec![], append), into), expected);
    });
}

#[test]
fn the_zero_is_used_once_for_each_key_of_each_partition() {
    model(|sessions, shape, left, _| {
        let rdd = sessions.rdd(shape.session, &left, shape.left).map_values(i64::from);
        let mut expected: BTreeMap<u8, i64> = BTreeMap::new();
        for part in parts(&rdd) {
            for key in part.iter().map(|(key, _)| *key).collect::<BTreeSet<_>>() {
                *expected.entry(key).or_default() += 1000;
            }
            part.into_iter().for_each(|(key, value)| *expected.entry(key).or_default() += value);
        }
        assert_eq!(sorted(&rdd.fold_by_key(1000, |a, b| a + b)), Vec::from_iter(expected));
    });
}

#[test]
fn joins_are_left_major_cross_products_of_each_key() {
    model(|sessions, shape, left, right| {
        let (l, r, into) = (sessions.left(shape, &left), sessions.right(shape, &right), shape.into);
        let (lefts, rights) = (grouped(&left), grouped(&right));
        let optional = |values: Option<&Vec<i16>>| -> Vec<Option<i16>> {
            values.map_or(vec![None], |values| values.iter().copied().map(Some).collect())
        };
        let mut full = Vec::new();
        for key in lefts.keys().chain(rights.keys()).collect::<BTreeSet<_>>() {
            for v in optional(lefts.get(key)) {
                full.extend(optional(rights.get(key)).into_iter().map(|w| (*key, (v, w))));
            }
        }
        let inner: Vec<_> = full.iter().filter_map(|&(k, (v, w))| Some((k, (v?, w?)))).collect();
        let of_left: Vec<_> = full.iter().filter_map(|&(k, (v, w))| Some((k, (v?, w)))).collect();
        let of_right: Vec<_> = full.iter().filter_map(|&(k, (v, w))| Some((k, (v, w?)))).collect();
        assert_eq!(placed_by_hash(&l.join_into(into, &r), into), inner);
        assert_eq!(placed_by_hash(&l.left_outer_join_into(into, &r), into), of_left);
        assert_eq!(placed_by_hash(&l.right_outer_join_into(into, &r), into), of_right);
        assert_eq!(placed_by_hash(&l.full_outer_join_into(into, &r), into), full);
        assert_eq!(sorted(&l.join(&r)), sorted(&l.join_into(into, &r)));
    });
}

#[test]
fn cogroups_hold_the_values_of_every_side() {
    model(|sessions, shape, left, right| {
        let (a, b) = (sessions.left(shape, &left), sessions.right(shape, &right));
        let (c, d) = (b.map_values(|v| v / 2), a.filter(|(k, _)| k % 2 == 0));
        let sides = [&a, &b, &c, &d].map(|side| grouped(&side.collect().unwrap()));
        let keys = |n: usize| sides[..n].iter().flat_map(BTreeMap::keys).copied().collect::<BTreeSet<_>>();
        let of = |side: usize, key: u8| sides[side].get(&key).cloned().unwrap_or_default();
        let (p, two) = (shape.into, keys(2).into_iter().map(|k| (k, (of(0, k), of(1, k)))));
        assert_eq!(placed_by_hash(&a.cogroup_into(p, &b), p), Vec::from_iter(two));
        let three = keys(3).into_iter().map(|k| (k, (of(0, k), of(1, k), of(2, k))));
        assert_eq!(placed_by_hash(&a.cogroup3_into(p, &b, &c), p), Vec::from_iter(three));
        let four = keys(4).into_iter().map(|k| (k, (of(0, k), of(1, k), of(2, k), of(3, k))));
        assert_eq!(placed_by_hash(&a.cogroup4_into(p, &b, &c, &d), p), Vec::from_iter(four));
    });
}

#[test]
fn sets() {
    model(|sessions, shape, left, right| {
        let (l, r, into) = (sessions.left(shape, &left), sessions.right(shape, &right), shape.into);
        let (small, other) = (l.map(|(k, v)| (k, v % 3)), r.map(|(k, v)| (k, v % 3)));
        let (a, b) = (sorted(&small), BTreeSet::from_iter(sorted(&other)));
        let distinct = BTreeSet::from_iter(a.clone());
        assert_eq!(sorted(&small.distinct_into(into)), Vec::from_iter(distinct.clone()));
        assert_eq!(sorted(&small.intersection_into(into, &other)), Vec::from_iter(distinct.intersection(&b).copied()));
        let kept: Vec<_> = a.into_iter().filter(|record| !b.contains(record)).collect();
        assert_eq!(sorted(&small.subtract_into(into, &other)), kept);
        let (mut expected, keys) = (left.clone(), grouped(&right));
        expected.retain(|(key, _)| !keys.contains_key(key));
        expected.sort_by_key(|(key, _)| *key);
        assert_eq!(placed_by_hash(&l.subtract_by_key_into(into, &r), into), expected);
    });
}

#[test]
fn groups_by_a_function() {
    model(|sessions, shape, left, _| {
        let values = sessions.left(shape, &left).values();
        let keyed = values.collect().unwrap().into_iter().map(|v| ((v & 3) as u8, v)).collect();
        let groups = values.group_by_into(shape.into, |v| (v & 3) as u8);
        assert_eq!(placed_by_hash(&groups, shape.into), Vec::from_iter(grouped(&keyed)));
    });
}

#[test]
fn sorts_are_stable_and_cut_by_ranges() {
    model(|sessions, shape, left, _| {
        let rdd = sessions.rdd(shape.session, &left, shape.left);
        let (mut up, mut down) = (left.clone(), left.clone());
        up.sort_by_key(|(key, _)| *key);
        down.sort_by_key(|(key, _)| std::cmp::Reverse(*key));
        let sorted_up = rdd.sort_by_key(true, shape.into).unwrap();
        assert_eq!(sorted_up.num_partitions(), shape.into);
        let by_part = parts(&sorted_up);
        for pair in by_part.iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().windows(2) {
            assert!(pair[0].last().unwrap().0 < pair[1][0].0, "a key is in two partitions: {by_part:?}");
        }
        assert_eq!(by_part.concat(), up);
        assert_eq!(rdd.sort_by_key(false, shape.into).unwrap().collect().unwrap(), down);
        assert_eq!(rdd.sort_by(|(key, _)| *key, true, shape.into).unwrap().collect().unwrap(), up);
        assert_eq!(rdd.sort_by(|(key, _)| *key, false, shape.into).unwrap().collect().unwrap(), down);
    });
}

#[test]
fn partitions_are_sorted_where_they_are_placed() {
    model(|sessions, shape, left, _| {
        let rdd = sessions.left(shape, &left);
        let ranges = RangePartitioner::new(vec![1, 3], true);
        let mut expected = vec![Vec::new(); 3];
        left.iter().for_each(|pair| expected[Partitioner::partition(&ranges, &pair.0)].push(*pair));
        expected.iter_mut().for_each(|part| part.sort_by_key(|(key, _)| *key));
        assert_eq!(parts(&rdd.repartition_and_sort_within_partitions(ranges)), expected);
    });
}

#[test]
fn repartitioning_balances_and_loses_nothing() {
    model(|sessions, shape, left, _| {
        let spread = sessions.rdd(shape.session, &left, shape.left).repartition(shape.into).unwrap();
        let parts = parts(&spread);
        assert_eq!(parts.len(), shape.into);
        let sizes = parts.iter().map(Vec::len);
        assert!(sizes.clone().max().unwrap() - sizes.min().unwrap() <= shape.left, "{parts:?}");
        let (mut all, mut expected) = (parts.concat(), left);
        all.sort();
        expected.sort();
        assert_eq!(all, expected);
    });
}

#[test]
fn narrow_operations_that_read_other_partitions() {
    model(|sessions, shape, left, right| {
        let a = sessions.rdd(shape.session, &left, shape.left);
        let b = sessions.rdd(shape.session, &right, shape.right);
        let (lefts, rights) = (parts(&a), parts(&b));
        let union = Rdd::union_all(&[a.clone(), b.clone(), a.clone()]).unwrap();
        assert_eq!(parts(&union), [lefts.clone(), rights.clone(), lefts.clone()].concat());
        let coalesced = union.coalesce(shape.into).unwrap();
        assert_eq!(coalesced.num_partitions(), shape.into.min(union.num_partitions()));
        assert_eq!(parts(&coalesced).concat(), union.collect().unwrap());
        let mut product = Vec::new();
        for part in &lefts {
            for other in &rights {
                product.push(part.iter().flat_map(|&x| other.iter().map(move |&y| (x, y))).collect::<Vec<_>>());
            }
        }
        assert_eq!(parts(&a.cartesian(&b)), product);
        let indexed = a.zip_with_index().unwrap();
        assert_eq!(indexed.collect().unwrap(), left.iter().copied().zip(0..).collect::<Vec<_>>());
        let zipped = a.zip(&indexed.map(|(_, index)| index)).unwrap();
        assert_eq!(zipped.collect().unwrap(), indexed.collect().unwrap());
        let ids: BTreeSet<_> = a.zip_with_unique_id().map(|(_, id)| id).collect().unwrap().into_iter().collect();
        assert_eq!(ids.len(), left.len());
    });
}

#[test]
fn splits_are_disjoint_and_complete() {
    model(|sessions, shape, left, _| {
        let numbered = sessions.rdd(shape.session, &left, shape.left).zip_with_index().unwrap();
        let split = numbered.random_split(&[1.0, 0.0, 2.5, 0.1], u64::from(shape.into as u32)).unwrap();
        assert_eq!(split[1].count().unwrap(), 0);
        let mut all: Vec<u64> = split.iter().flat_map(|part| part.map(|(_, i)| i).collect().unwrap()).collect();
        all.sort();
        assert_eq!(all, (0..left.len() as u64).collect::<Vec<_>>());
    });
}
