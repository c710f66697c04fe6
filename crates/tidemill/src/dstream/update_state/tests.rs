//! Batch tables, and a model of the state under batches that fail.

use super::StateOptions;
use crate::{
    Config, DStream, Error, Misuse, Time, keys, milliseconds,
    testing::{Step, TestContext, check_batches},
};
use proptest::prelude::*;
use std::{collections::BTreeMap, time::Duration};

type Pairs = Vec<(u8, i64)>;

fn letters(batches: &[&str]) -> Vec<Vec<(char, i32)>> {
    batches.iter().map(|batch| batch.chars().map(|letter| (letter, 1)).collect()).collect()
}

/// Observation 6.
#[test]
fn a_key_whose_state_is_none_is_forgotten() {
    check_batches(
        letters(&["ab", "a"]),
        |pairs| {
            pairs.update_state_by_key(|values: &[i32], sum: Option<i32>| {
                (!values.is_empty()).then(|| sum.unwrap_or(0) + values.iter().sum::<i32>())
            })
        },
        vec![vec![('a', 1), ('b', 1)], vec![('a', 2)], vec![]],
    );
}

/// Observation 7.
#[test]
fn idle_keys_are_brought_up_to_date_too() {
    check_batches(
        letters(&["ab", "aa"]),
        |pairs| {
            pairs.update_state_by_key(|values: &[i32], last: Option<(usize, Option<usize>)>| {
                Some((values.len(), last.map(|(count, _)| count)))
            })
        },
        vec![
            vec![('a', (1, None)), ('b', (1, None))],
            vec![('a', (2, Some(1))), ('b', (0, Some(1)))],
            vec![('a', (0, Some(2))), ('b', (0, Some(0)))],
        ],
    );
}

#[test]
fn values_stand_in_the_order_in_which_they_came() {
    let test = TestContext::new();
    let (pairs, source) = test.scripted_stream();
    source.push(Step::Partitions(vec![vec![('a', 1), ('b', 9), ('a', 2)], vec![('a', 3)]]));
    let seen = test.collect(&pairs.update_state_by_key(|values: &[i32], _: Option<Vec<i32>>| Some(values.to_vec())));
    test.run(1).unwrap();
    assert_eq!(seen.sorted(), vec![vec![('a', vec![1, 2, 3]), ('b', vec![9])]]);
}

#[test]
fn the_function_may_see_time_and_key() {
    check_batches(
        letters(&["a", "b"]),
        |pairs| {
            pairs.update_state_by_key_with(StateOptions::new().partitioner(3), |time: Time, key, values: &[i32], _| {
                Some(format!("{key} {} {}", values.len(), time.as_ms()))
            })
        },
        vec![vec![('a', "a 1 1000".to_string())], vec![('a', "a 0 2000".to_string()), ('b', "b 1 2000".to_string())]],
    );
}

/// The first batch cannot be read: the state given at the start is that of the second.
#[test]
fn the_initial_state_outlives_a_first_batch_that_fails() {
    let test = TestContext::new();
    let initial = test.ssc().context().parallelize((0..20).map(|key| (key, 100)).collect(), 3);
    let (pairs, source) = test.scripted_stream();
    source.push(Step::Records(vec![(3, -1), (4, 1), (5, 1)]));
    source.push(Step::Records(vec![(3, 1)]));
    let options = StateOptions::new().initial_state(&initial).partitioner(5);
    let sums = pairs.update_state_by_key_with(options, |_, _, values: &[i32], sum: Option<i32>| {
        assert!(!values.contains(&-1), "poison");
        Some(sum.unwrap_or(0) + values.len() as i32)
    });
    let seen = test.collect(&sums);
    test.advance(2).unwrap();
    let expected: Vec<_> = (0..20).map(|key| (key, if key == 3 { 101 } else { 100 })).collect();
    assert_eq!(seen.sorted(), vec![expected]);
}

#[test]
fn a_partition_may_change_its_keys() {
    check_batches(
        letters(&["ab", "c"]),
        |pairs| {
            pairs.update_state_by_key_partitions(StateOptions::new().partitioner(1), |keys| {
                let total: i32 = keys.map(|(_, values, sum)| sum.unwrap_or(0) + values.iter().sum::<i32>()).sum();
                [('*', 0), ('*', total)]
            })
        },
        vec![vec![('*', 2)], vec![('*', 3)], vec![('*', 3)]],
    );
}

#[test]
fn a_key_that_moves_to_another_partition_fails_the_batch() {
    let test = TestContext::new();
    let pairs = test.stream(vec![(0..40).map(|key| (key, 1)).collect::<Vec<(i32, i32)>>()]);
    let moved = pairs.update_state_by_key_partitions(StateOptions::new().partitioner(4), |keys| {
        keys.map(|(key, _, _): (i32, Vec<i32>, Option<i32>)| (key + 1, 1)).collect::<Vec<_>>()
    });
    let seen = test.collect(&moved);
    let error = test.run(1).expect_err("keys have moved");
    assert!(error.to_string().contains("keep the state in one partition"), "{error}");
    test.advance(1).unwrap();
    assert_eq!(seen.batches(), vec![vec![]]);
}

fn running(pairs: &DStream<(u8, i64)>) -> DStream<(u8, i64)> {
    pairs.update_state_by_key(|values: &[i64], sum| Some(sum.unwrap_or(0) + values.iter().sum::<i64>()))
}

#[test]
fn state_needs_a_checkpoint_directory_and_batches_in_turn() {
    let ssc = crate::StreamingContext::local(1, milliseconds(10)).unwrap();
    let (pairs, _queue) = ssc.queue_stream::<(u8, i64)>(true);
    running(&pairs).foreach_rdd(|_, _| Ok::<(), Error>(()));
    assert!(matches!(ssc.start().unwrap_err().misuse(), Some(Misuse::NoCheckpointDirectory { .. })));

    let test = TestContext::with_config(Config::new().set(keys::CONCURRENT_JOBS, 2));
    test.collect(&running(&test.stream(vec![])));
    let refused = test.run(1).unwrap_err();
    assert!(matches!(refused.misuse(), Some(Misuse::ConcurrentStateful { jobs: 2, .. })), "{refused}");
}

#[test]
fn a_queue_stream_is_not_checkpointed_unless_that_is_allowed() {
    for (allowed, refused) in [(false, true), (true, false)] {
        let test = TestContext::with_config(Config::new().set(keys::QUEUE_STREAM_ALLOW_CHECKPOINT, allowed));
        let (pairs, _queue) = test.ssc().queue_stream::<(u8, i64)>(true);
        test.collect(&running(&pairs));
        let started = test.run(1);
        let misuse = started.as_ref().err().and_then(Error::misuse);
        assert_eq!(misuse == Some(&Misuse::QueueWithCheckpoint), refused, "{started:?}");
    }
}

/// The model: what the state is after the batches that succeeded.
fn model(batches: &[(Pairs, Fate)]) -> Vec<Pairs> {
    let (mut sums, mut results) = (BTreeMap::new(), Vec::new());
    for (pairs, fate) in batches {
        if *fate == Fate::Good {
            let mut next = sums.clone();
            next.values_mut().for_each(|(_, idle)| *idle += 1);
            for &(key, value) in pairs {
                let (sum, idle) = next.entry(key).or_insert((0, 0));
                (*sum, *idle) = (*sum + value, 0);
            }
            next.retain(|_, (_, idle)| *idle < 3);
            sums = next;
            results.push(sums.iter().map(|(&key, &(sum, _))| (key, sum)).collect());
        }
    }
    results
}

/// What becomes of a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    Good,
    /// It cannot be read.
    Unread,
    /// The function of the state panics in it.
    Poisoned,
    /// Its output fails after the state was brought to it.
    OutputFails,
}

fn batches() -> impl Strategy<Value = Vec<(Pairs, Fate)>> {
    let pairs = proptest::collection::vec((0_u8..12, -50_i64..50), 0..10);
    let fate = prop_oneof![
        6 => Just(Fate::Good),
        1 => Just(Fate::Unread),
        1 => Just(Fate::Poisoned),
        1 => Just(Fate::OutputFails),
    ];
    proptest::collection::vec((pairs, fate), 1..25)
}

const POISON: i64 = 1_000;

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn the_state_is_that_of_the_batches_that_succeeded(batches in batches()) {
        let test = TestContext::new();
        let (pairs, source) = test.scripted_stream();
        let sums = pairs.update_state_by_key(|values: &[i64], state: Option<(i64, i32)>| {
            assert!(!values.contains(&POISON), "poison");
            let (sum, idle) = state.unwrap_or((0, 0));
            let idle = if values.is_empty() { idle + 1 } else { 0 };
            (idle < 3).then(|| (sum + values.iter().sum::<i64>(), idle))
        });
        let seen = test.collect(&sums.map(|(key, (sum, _))| (key, sum)));
        let fates: Vec<Fate> = batches.iter().map(|(_, fate)| *fate).collect();
        let unpoisoned = fates.clone();
        sums.foreach_rdd(move |rdd, time| {
            rdd.count()?;
            let fails = fates.get(time.as_ms() as usize / 1_000 - 1) == Some(&Fate::OutputFails);
            if fails { Err(Error::user("the output fails")) } else { Ok(()) }
        });
        for (pairs, fate) in &batches {
            let mut pairs = pairs.clone();
            if *fate == Fate::Poisoned {
                pairs.insert(pairs.len() / 2, (7, POISON));
            }
            source.push(if *fate == Fate::Unread { Step::Fail(Error::user("unread")) } else { Step::Records(pairs) });
        }
        test.advance(batches.len()).unwrap();
        let _ = test.ssc().await_termination_or_timeout(Duration::ZERO);
        let good = |time: &Time| unpoisoned[time.as_ms() as usize / 1_000 - 1] == Fate::Good;
        let times = seen.times();
        let results: Vec<_> = seen.sorted().into_iter().zip(&times).filter(|(_, t)| good(t)).map(|(r, _)| r).collect();
        prop_assert_eq!(results, model(&batches));
    }
}
