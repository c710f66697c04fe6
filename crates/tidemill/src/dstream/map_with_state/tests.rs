//! Batch tables, and a model of the state with its timeouts.

use super::{State, StateSpec, partition::Sessions};
use crate::{
    Error, Time,
    base::seconds as s,
    dstream::state::StatePartition,
    milliseconds,
    rdd::task::Cursor,
    seconds,
    testing::{Step, TestContext},
};
use proptest::prelude::*;
use std::{
    collections::BTreeMap,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
    time::Duration,
};

/// Adds the value to the sum; gives the key, the sum and whether it timed out.
fn add(key: &u8, value: Option<i64>, sum: &mut State<i64>) -> (u8, i64, bool) {
    let total = sum.get_option().unwrap_or(&0) + value.unwrap_or(0);
    assert!(value != Some(POISON), "poison");
    match value {
        Some(REMOVE) if sum.exists() => sum.remove(),
        Some(LOOK) | None => {}
        Some(_) => sum.update(total),
    }
    (*key, total, sum.is_timing_out())
}

const POISON: i64 = 1_000;
const REMOVE: i64 = 2_000;
/// The state is read and not written: that still keeps it from timing out.
const LOOK: i64 = 3_000;

fn sums() -> StateSpec<u8, i64, i64, (u8, i64, bool)> {
    StateSpec::function(add)
}

#[test]
fn the_function_is_called_once_for_each_record() {
    let test = TestContext::new();
    let pairs = test.stream(vec![vec![(1, 1), (1, 2), (2, 5)], vec![], vec![(1, 3)]]);
    let sums = pairs.map_with_state(sums());
    let (seen, states) = (test.collect(&sums), test.collect(&sums.state_snapshots()));
    test.run(3).unwrap();
    assert_eq!(seen.sorted(), vec![vec![(1, 1, false), (1, 3, false), (2, 5, false)], vec![], vec![(1, 6, false)]]);
    assert_eq!(states.sorted(), vec![vec![(1, 3), (2, 5)], vec![(1, 3), (2, 5)], vec![(1, 6), (2, 5)]]);
}

#[test]
fn keys_time_out_at_the_first_batch_after_their_time() {
    let test = TestContext::new();
    let initial = test.ssc().context().parallelize(vec![(9, 90)], 1);
    let pairs = test.stream(vec![vec![(1, 1), (2, 1)], vec![(1, LOOK)], vec![], vec![(2, 1)], vec![]]);
    let spec = sums().timeout(seconds(2)).initial_state(&initial).num_partitions(3);
    let sums = pairs.map_with_state(spec);
    let states = test.collect(&sums.state_snapshots());
    let seen = test.collect(&sums.filter(|(_, _, timed_out)| *timed_out));
    test.run(8).unwrap();
    // Key 9 counts as touched at 1, key 2 is touched at 1 and 4, key 1 at 2. The record of batch 4 comes in time.
    let keys: Vec<Vec<u8>> = seen.batches().iter().map(|batch| batch.iter().map(|(key, ..)| *key).collect()).collect();
    assert_eq!(keys, vec![vec![], vec![], vec![], vec![9], vec![1], vec![], vec![2], vec![]]);
    assert_eq!(states.sorted()[0], vec![(1, 1), (2, 1), (9, 90)]);
    assert_eq!(states.sorted()[4..], [vec![(2, 2)], vec![(2, 2)], vec![], vec![]]);
}

/// However far the first batch came in which partition.
#[test]
fn the_initial_state_counts_as_touched_by_the_first_batch_that_succeeds() {
    let test = TestContext::new();
    let initial = test.ssc().context().parallelize((0..8).map(|key| (key, 1)).collect(), 2);
    let (pairs, source) = test.scripted_stream();
    source.push(Step::Records((0..4).map(|key| (key, POISON)).collect()));
    let seen =
        test.collect(&pairs.map_with_state(sums().timeout(seconds(1)).initial_state(&initial).num_partitions(4)));
    test.advance(4).unwrap();
    let timed_out: Vec<_> = (0..8).map(|key| (key, 1, true)).collect();
    assert_eq!(seen.sorted(), vec![vec![], vec![], timed_out]);
}

/// There is no state to remove, and no time at which the key was touched.
#[test]
fn a_key_that_never_was_may_be_removed() {
    let test = TestContext::new();
    let spec = StateSpec::function(|key: &u8, _: Option<i64>, state: &mut State<i64>| {
        state.remove();
        *key
    });
    let removed =
        test.stream(vec![vec![(1, 1), (2, 2), (1, 3)], vec![(2, 2)]]).map_with_state(spec.timeout(seconds(1)));
    let (seen, states) = (test.collect(&removed), test.collect(&removed.state_snapshots()));
    test.run(3).unwrap();
    assert_eq!(seen.sorted(), vec![vec![1, 1, 2], vec![2], vec![]]);
    assert_eq!(states.batches(), vec![vec![]; 3]);
}

#[test]
fn the_function_may_see_the_time_and_give_nothing() {
    let test = TestContext::new();
    let spec = StateSpec::function_with_time(|time: Time, key: &u8, value: Option<i64>, _: &mut State<i64>| {
        value.filter(|value| *value > 1).map(|value| (*key, value, time.as_ms()))
    });
    let seen = test.collect(&test.stream(vec![vec![(1, 1), (1, 2)], vec![(2, 3)]]).map_with_state(spec));
    test.run(2).unwrap();
    assert_eq!(seen.batches(), vec![vec![(1, 2, 1_000)], vec![(2, 3, 2_000)]]);
}

/// Runs a function on a state that is set or not, and gives the text of its panic.
fn misuse(value: Option<i32>, timing_out: bool, f: impl FnOnce(&mut State<i32>)) -> String {
    let mut state = State::default();
    state.open(value, timing_out);
    let panic = catch_unwind(AssertUnwindSafe(|| f(&mut state))).expect_err("a misuse panics");
    crate::rdd::task::panic_message(&*panic).to_string()
}

#[test]
fn what_cannot_be_done_to_a_state_says_why() {
    assert!(misuse(None, false, |state| assert_eq!(*state.get(), 0)).contains("not set"));
    assert!(
        misuse(Some(1), false, |state| {
            state.remove();
            state.update(2)
        })
        .contains("was removed")
    );
    assert!(
        misuse(Some(1), false, |state| {
            state.remove();
            state.remove()
        })
        .contains("already removed")
    );
    assert!(
        misuse(Some(1), false, |state| {
            state.remove();
            state.get();
        })
        .contains("not set")
    );
    assert!(misuse(Some(1), true, |state| state.update(2)).contains("timing out"));
    assert!(misuse(Some(1), true, State::remove).contains("timing out"));
    let mut state = State::default();
    assert_eq!(format!("{state:?}"), "<state is not set>");
    state.update(3);
    state.update(4);
    assert_eq!((format!("{state:?}"), state.exists(), state.is_timing_out()), ("4".into(), true, false));
}

#[test]
fn two_outputs_and_a_window_read_one_state() {
    let test = TestContext::new();
    let sums = test.stream((1..=4).map(|n| vec![(1_u8, n)]).collect()).map_with_state(sums());
    let sums_only = sums.map(|(_, sum, _)| sum);
    let (first, second) = (test.collect(&sums_only), test.collect(&sums_only.map(|sum| -sum)));
    let windows = test.collect(&sums.map(|(_, sum, _)| sum).window(seconds(4), seconds(2)));
    let states = test.collect(&sums.state_snapshots().window(seconds(2), seconds(2)));
    test.run(4).unwrap();
    assert_eq!(first.batches(), vec![vec![1], vec![3], vec![6], vec![10]]);
    assert_eq!(second.batches(), vec![vec![-1], vec![-3], vec![-6], vec![-10]]);
    assert_eq!(windows.batches(), vec![vec![1, 3], vec![1, 3, 6, 10]]);
    assert_eq!(states.batches(), vec![vec![(1, 1), (1, 3)], vec![(1, 6), (1, 10)]]);
}

/// The states, and when each was touched last.
#[derive(Clone, Default)]
struct Model {
    states: BTreeMap<u8, (i64, u64)>,
}

impl Model {
    /// What the batch gives; `None` if it is poisoned.
    fn apply(&mut self, now: u64, timeout: u64, pairs: &[(u8, i64)]) -> Option<Vec<(u8, i64, bool)>> {
        let mut given = Vec::new();
        for &(key, value) in pairs {
            let sum = self.states.get(&key).map(|(sum, _)| *sum);
            let total = sum.unwrap_or(0) + value;
            match value {
                POISON => return None,
                REMOVE if sum.is_some() => drop(self.states.remove(&key)),
                LOOK => drop(self.states.get_mut(&key).map(|(_, touched)| *touched = now)),
                _ => drop(self.states.insert(key, (total, now))),
            }
            given.push((key, total, false));
        }
        let late = |touched: u64| touched + timeout < now;
        let gone: Vec<_> = self.states.iter().filter(|(_, (_, t))| late(*t)).map(|(&k, &(sum, _))| (k, sum)).collect();
        for (key, sum) in gone {
            self.states.remove(&key);
            given.push((key, sum, true));
        }
        Some(given)
    }
}

fn values() -> impl Strategy<Value = i64> {
    prop_oneof![20 => 1_i64..50, 2 => Just(REMOVE), 2 => Just(LOOK), 1 => Just(POISON)]
}

fn sorted<T: Ord>(mut records: Vec<T>) -> Vec<T> {
    records.sort();
    records
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn a_partition_is_as_the_model_says(
        batches in proptest::collection::vec(
            (proptest::collection::vec((0_u8..10, values()), 0..10), proptest::bool::weighted(0.2)),
            1..40,
        ),
        timeout in 0_u64..6,
    ) {
        let f = Arc::new(|_: Time, key: &u8, value: Option<i64>, state: &mut State<i64>| Some(add(key, value, state)));
        let mut partition: Sessions<u8, i64, i64, (u8, i64, bool)> = Sessions::new(f, Some(s(timeout)));
        let mut model = Model::default();
        for (index, (pairs, rolled_back)) in batches.iter().enumerate() {
            let now = index as u64 + 1;
            let chunks = Box::new(pairs.chunks(4).map(<[_]>::to_vec));
            let apply = || partition.apply(Time::from_ms(now * 1_000), chunks, &Cursor::default());
            let applied = catch_unwind(AssertUnwindSafe(apply));
            let mut next = model.clone();
            let expected = next.apply(now, timeout, pairs);
            prop_assert_eq!(applied.is_ok(), expected.is_some());
            let mut given = Vec::new();
            partition.emit_mapped(0, &mut given);
            if let Some(expected) = expected {
                prop_assert_eq!(sorted(given), sorted(expected));
            }
            if applied.is_err() || *rolled_back {
                partition.roll_back();
            } else {
                partition.commit();
                model = next;
            }
            let mut states = Vec::new();
            partition.emit_states(0, &mut states);
            let expected: Vec<_> = model.states.iter().map(|(&key, &(sum, _))| (key, sum)).collect();
            prop_assert_eq!(sorted(states), expected);
        }
    }
}

#[test]
fn a_batch_that_fails_leaves_no_trace_and_the_next_go_on() {
    let test = TestContext::new();
    let (pairs, source) = test.scripted_stream();
    source.push(Step::Records(vec![(1, 1), (2, 1)]));
    source.push(Step::Records(vec![(1, 5), (3, 1), (2, POISON), (4, 1)]));
    source.push(Step::Fail(Error::user("cannot be read")));
    source.push(Step::Records(vec![(1, 1)]));
    let sums = pairs.map_with_state(sums().timeout(milliseconds(60_000)));
    let states = test.collect(&sums.state_snapshots());
    let seen = test.collect(&sums);
    test.advance(4).unwrap();
    let error = test.ssc().await_termination_or_timeout(Duration::ZERO).expect_err("batches failed");
    assert!(error.to_string().contains("cannot be read") || error.to_string().contains("poison"), "{error}");
    assert_eq!(states.sorted(), vec![vec![(1, 1), (2, 1)], vec![(1, 2), (2, 1)]]);
    assert_eq!(seen.sorted(), vec![vec![(1, 1, false), (2, 1, false)], vec![(1, 2, false)]]);
}
