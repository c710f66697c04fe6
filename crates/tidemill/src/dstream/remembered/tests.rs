//! Every operator, restarted at every batch, against the same program that never ends.

mod restarts;

use crate::{
    DStream, ErrorKind, State, StateOptions, StateSpec, Time,
    base::seconds,
    checkpoint::{DeltaWriter, StateDelta},
    testing::TestContext,
};
use proptest::prelude::*;
use restarts::{Fate, Form, Input, Life, Outcome, Pairs, Program, Restart, merged, run, sound, time_of};
use std::fmt::Debug;

/// In the state of a `map_with_state`: the key is forgotten, or only looked at.
const REMOVE: i64 = 2_000;
const LOOK: i64 = 3_000;

fn show<T: crate::Data + Debug>(stream: &DStream<T>) -> DStream<String> {
    stream.map(|record| format!("{record:?}"))
}

fn sum(time: Time, key: &u8, value: Option<i64>, sum: &mut State<i64>) -> Option<(u64, u8, i64, bool)> {
    let total = sum.get_option().unwrap_or(&0) + value.map_or(0, sound);
    match value {
        Some(REMOVE) => sum.remove(),
        Some(LOOK) | None => {}
        Some(_) => sum.update(total),
    }
    Some((time.as_ms(), *key, total, sum.is_timing_out()))
}

fn with_state(pairs: &DStream<(u8, i64)>, spec: StateSpec<u8, i64, i64, (u64, u8, i64, bool)>) -> DStream<String> {
    let sums = pairs.map_with_state(spec);
    show(&sums).union(&show(&sums.state_snapshots()))
}

fn sessions(_: &TestContext, pairs: &DStream<(u8, i64)>, partitions: usize) -> DStream<String> {
    with_state(pairs, StateSpec::function_with_time(sum).num_partitions(partitions))
}

fn timeouts(test: &TestContext, pairs: &DStream<(u8, i64)>, partitions: usize) -> DStream<String> {
    let initial = test.ssc().context().parallelize(vec![(9, 90), (3, 30)], 1);
    let spec = StateSpec::function_with_time(sum).num_partitions(partitions).timeout(seconds(2));
    with_state(pairs, spec.initial_state(&initial))
}

/// The state takes in every other batch.
fn slow_sessions(_: &TestContext, pairs: &DStream<(u8, i64)>, partitions: usize) -> DStream<String> {
    with_state(
        &pairs.window(seconds(2), seconds(2)),
        StateSpec::function_with_time(sum).num_partitions(partitions).timeout(seconds(3)),
    )
}

/// The sum, and for how many batches nothing came: forgotten at the third.
fn idle(values: &[i64], state: Option<(i64, u8)>) -> Option<(i64, u8)> {
    let (sum, idle) = state.unwrap_or_default();
    let idle = if values.is_empty() { idle + 1 } else { 0 };
    (idle < 3).then(|| (sum + values.iter().map(|value| sound(*value)).sum::<i64>(), idle))
}

fn each_key(_: &TestContext, pairs: &DStream<(u8, i64)>, partitions: usize) -> DStream<String> {
    show(&pairs.update_state_by_key_into(partitions, idle))
}

fn each_key_with_initial(test: &TestContext, pairs: &DStream<(u8, i64)>, partitions: usize) -> DStream<String> {
    let initial = test.ssc().context().parallelize((0..6).map(|key| (key, vec![100])).collect(), 2);
    let options = StateOptions::new().initial_state(&initial).partitioner(partitions);
    show(&pairs.update_state_by_key_with(options, |time, _, values, state: Option<Vec<i64>>| {
        let mut all = state.unwrap_or_default();
        all.extend(values.iter().map(|value| sound(*value)));
        // Nothing is left of any key after a while.
        (time.as_ms() < 5_000).then_some(all)
    }))
}

fn whole_partitions(test: &TestContext, pairs: &DStream<(u8, i64)>, partitions: usize) -> DStream<String> {
    let initial = test.ssc().context().parallelize(vec![(8, (5, 0)), (1, (7, 0))], 1);
    let options = StateOptions::new().initial_state(&initial).partitioner(partitions);
    show(&pairs.update_state_by_key_partitions(options, |keys| {
        let next = keys.filter_map(|(key, values, state)| Some((key, idle(&values, state)?)));
        next.collect::<Vec<_>>()
    }))
}

fn reduced(_: &TestContext, pairs: &DStream<(u8, i64)>, partitions: usize) -> DStream<String> {
    show(&pairs.map_values(sound).reduce_by_key_and_window_into(partitions, i64::max, seconds(3), None))
}

/// Neither commutative nor invertible, and shown at every other batch.
fn oldest(_: &TestContext, pairs: &DStream<(u8, i64)>, partitions: usize) -> DStream<String> {
    show(&pairs.map_values(sound).reduce_by_key_and_window_into(partitions, |a, _| a, seconds(5), seconds(2)))
}

fn inverse(_: &TestContext, pairs: &DStream<(u8, i64)>, partitions: usize) -> DStream<String> {
    let (add, subtract) = (|a, b| a + b, |a, b| a - b);
    show(&pairs.map_values(sound).reduce_by_key_and_window_inverse_into(partitions, add, subtract, seconds(3), None))
}

fn grouped(_: &TestContext, pairs: &DStream<(u8, i64)>, partitions: usize) -> DStream<String> {
    show(&pairs.map_values(sound).group_by_key_and_window_into(partitions, seconds(4), None))
}

fn whole_windows(_: &TestContext, pairs: &DStream<(u8, i64)>, partitions: usize) -> DStream<String> {
    let values = pairs.map(|(_, value)| sound(value));
    let most = show(&values.reduce_by_window(i64::max, seconds(3), None));
    let sums = show(&values.reduce_by_window_inverse(|a, b| a + b, |a, b| a - b, seconds(2), None));
    let counts = show(&values.count_by_window(seconds(3), None));
    let by_value = show(&values.count_by_value_and_window_into(partitions, seconds(2), None));
    most.union(&sums).union(&counts).union(&by_value)
}

/// Windows of two lengths over one stream.
fn joined(_: &TestContext, pairs: &DStream<(u8, i64)>, _: usize) -> DStream<String> {
    let values = pairs.map_values(sound);
    show(&values.window(seconds(2), None)).union(&show(&values.window(seconds(4), None).map_values(|value| -value)))
}

/// Windows that are wider apart than batches, over each other and over state.
fn joined_slowly(_: &TestContext, pairs: &DStream<(u8, i64)>, partitions: usize) -> DStream<String> {
    let state = pairs.update_state_by_key_into(partitions, idle);
    let of_windows = pairs.map_values(sound).window(seconds(2), seconds(2)).window(seconds(4), seconds(2));
    show(&of_windows).union(&show(&state.window(seconds(4), seconds(2))))
}

const PROGRAMS: [(&str, Program); 12] = [
    ("sessions", sessions),
    ("timeouts", timeouts),
    ("slow_sessions", slow_sessions),
    ("each_key", each_key),
    ("each_key_with_initial", each_key_with_initial),
    ("whole_partitions", whole_partitions),
    ("reduced", reduced),
    ("oldest", oldest),
    ("inverse", inverse),
    ("grouped", grouped),
    ("whole_windows", whole_windows),
    ("joined", joined),
];

/// Removals, timeouts, batches without records, and batches that fail in every way, also the first.
fn eventful() -> Input {
    let good = |pairs: &[(u8, i64)]| (pairs.to_vec(), Fate::Good);
    vec![
        (vec![(1, 1), (3, 1)], Fate::OutputFails),
        good(&[(1, 1), (2, 5), (1, 2)]),
        (vec![(2, 7), (4, 4), (1, 9)], Fate::Poisoned),
        good(&[]),
        good(&[(1, REMOVE), (6, REMOVE), (2, LOOK), (5, 1), (5, 2), (5, REMOVE), (5, 4)]),
        (vec![(9, 1)], Fate::Unread),
        good(&[(4, 1), (9, LOOK), (1, 3)]),
        good(&[]),
    ]
}

#[track_caller]
fn same(name: &str, restarts: &[Restart], expected: &Outcome, outcome: &Outcome) {
    assert_eq!(outcome.shown, expected.shown, "\"{name}\" with {restarts:?}");
}

/// Every operator, ended after every batch and in the midst of every batch.
fn at_every_cut(name: &str, program: Program) {
    let input = eventful();
    let expected = run(program, &input, &[]);
    assert_eq!(expected.shown.len(), 5, "{name}");
    for after in 0..input.len() {
        let form = [Form::Deltas, Form::Merged, Form::SnapshotAndDeltas][after % 3];
        let (partitions, workers) = [(1, 1), (3, 2)][after % 2];
        let first = Restart { after, is_torn: after % 2 == 0, form, partitions, workers };
        let second = Restart { after: after + 1, is_torn: after % 2 == 1, partitions: 4 - partitions, ..first };
        for restarts in [&[first][..], &[first, second]] {
            same(name, restarts, &expected, &run(program, &input, restarts));
        }
    }
}

macro_rules! at_every_cut {
    ($($program:ident),*) => {
        mod at_every_cut {
            $(#[test]
            fn $program() {
                super::at_every_cut(stringify!($program), super::$program);
            })*
        }
    };
}

at_every_cut!(
    sessions,
    timeouts,
    slow_sessions,
    each_key,
    each_key_with_initial,
    whole_partitions,
    reduced,
    oldest,
    inverse,
    grouped,
    whole_windows,
    joined,
    joined_slowly
);

fn inputs() -> impl Strategy<Value = Input> {
    let values = prop_oneof![12 => 1_i64..50, 2 => Just(REMOVE), 2 => Just(LOOK)];
    let pairs = proptest::collection::vec((0_u8..10, values), 0..8);
    let fates = prop_oneof![
        8 => Just(Fate::Good),
        1 => Just(Fate::Unread),
        1 => Just(Fate::Poisoned),
        1 => Just(Fate::OutputFails),
    ];
    proptest::collection::vec((pairs, fates), 1..12)
}

fn restarts() -> impl Strategy<Value = Vec<Restart>> {
    let form = prop_oneof![Just(Form::Deltas), Just(Form::Merged), Just(Form::SnapshotAndDeltas)];
    let restart = (0_usize..12, any::<bool>(), form, 1_usize..5, 1_usize..3)
        .prop_map(|(after, is_torn, form, partitions, workers)| Restart { after, is_torn, form, partitions, workers });
    proptest::collection::vec(restart, 1..4).prop_map(|mut restarts| {
        restarts.sort_by_key(|restart| restart.after);
        restarts
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    #[test]
    fn a_program_that_is_restarted_shows_what_one_shows_that_is_not(
        input in inputs(),
        restarts in restarts(),
        program in 0..PROGRAMS.len() + 1,
    ) {
        let (name, program) = PROGRAMS.get(program).copied().unwrap_or(("joined_slowly", joined_slowly));
        same(name, &restarts, &run(program, &input, &[]), &run(program, &input, &restarts));
    }
}

/// Goes on with another program from what the first remembered.
fn go_on_as(first: Program, input: &[Pairs], then: Program) -> (Life, Vec<StateDelta>) {
    let input: Input = input.iter().map(|pairs| (pairs.clone(), Fate::Good)).collect();
    let deltas = run(first, &input, &[]).deltas;
    let life = Life::begin(then, 3, 2);
    life.restore(&deltas, time_of(input.len() - 1)).unwrap();
    (life, deltas)
}

fn shown(life: &Life, index: usize, pairs: &[(u8, i64)]) -> Vec<String> {
    life.run(index, &(pairs.to_vec(), Fate::Good)).unwrap();
    life.shown(index).unwrap()
}

macro_rules! window_of {
    ($name:ident, $seconds:literal) => {
        fn $name(_: &TestContext, pairs: &DStream<(u8, i64)>, partitions: usize) -> DStream<String> {
            let grouped = pairs.group_by_key_and_window_into(partitions, seconds($seconds), None).uid("grouped");
            let (add, subtract) = (|a, b| a + b, |a, b| a - b);
            let sums = pairs.reduce_by_key_and_window_inverse_into(partitions, add, subtract, seconds($seconds), None);
            let most = pairs.reduce_by_key_and_window_into(partitions, |a, b| a + b, seconds($seconds), None);
            show(&grouped).union(&show(&sums.uid("sums"))).union(&show(&most.uid("most")))
        }
    };
}

window_of!(two_seconds, 2);
window_of!(three_seconds, 3);
window_of!(six_seconds, 6);

#[test]
fn a_window_that_gets_longer_or_shorter_goes_on_with_the_batches_that_there_are() {
    let input = [vec![(1, 1)], vec![(1, 10)], vec![(1, 100)], vec![(1, 1_000)]];
    // The batch at 1 s has left a window of three.
    let (longer, _) = go_on_as(three_seconds, &input, six_seconds);
    let all = ["(1, 11110)", "(1, 11110)", "(1, [10, 100, 1000, 10000])"];
    assert_eq!(shown(&longer, 4, &[(1, 10_000)]), all);

    let (shorter, mut deltas) = go_on_as(three_seconds, &input, two_seconds);
    assert_eq!(shown(&shorter, 4, &[(1, 10_000)]), ["(1, 11000)", "(1, 11000)", "(1, [1000, 10000])"]);

    // What the shorter window has left is forgotten for good.
    let (shorter, _) = go_on_as(three_seconds, &input, two_seconds);
    deltas.push(shorter.run(4, &(vec![(2, 5)], Fate::Good)).unwrap());
    let times: std::collections::BTreeSet<Time> = merged(&deltas, false)
        .operators
        .values()
        .flat_map(|delta| delta.groups.iter().flat_map(|group| group.entries().map(|entry| entry.unwrap().time)))
        .collect();
    assert_eq!(times.into_iter().collect::<Vec<_>>(), [time_of(3), time_of(4)]);
}

fn without_timeout(_: &TestContext, pairs: &DStream<(u8, i64)>, partitions: usize) -> DStream<String> {
    show(&pairs.map_with_state(StateSpec::function_with_time(sum).num_partitions(partitions)))
}

fn with_timeout(_: &TestContext, pairs: &DStream<(u8, i64)>, partitions: usize) -> DStream<String> {
    show(&pairs.map_with_state(StateSpec::function_with_time(sum).num_partitions(partitions).timeout(seconds(1))))
}

#[test]
fn keys_from_before_there_was_a_timeout_are_idle_from_the_restart_on() {
    let (life, _) = go_on_as(without_timeout, &[vec![(1, 1)], vec![], vec![], vec![]], with_timeout);
    assert_eq!(shown(&life, 4, &[]), Vec::<String>::new());
    assert_eq!(shown(&life, 5, &[]), ["(6000, 1, 1, true)"]);
}

/// All keys of the first state are gone, and nothing of them is in a snapshot: it is not given again.
#[test]
fn the_initial_state_is_not_given_twice() {
    let input: Input = (0..6).map(|_| (vec![], Fate::Good)).collect();
    let deltas = run(each_key_with_initial, &input, &[]).deltas;
    let life = Life::begin(each_key_with_initial, 2, 2);
    life.restore(&[merged(&deltas, false)], time_of(5)).unwrap();
    assert_eq!(shown(&life, 6, &[]), Vec::<String>::new());
}

fn nothing_yet(_: &TestContext, pairs: &DStream<(u8, i64)>, _: usize) -> DStream<String> {
    show(pairs)
}

#[test]
fn an_operator_that_is_new_begins_with_its_initial_state() {
    let input = [vec![(1, 1)], vec![(1, 1)]];
    let (life, _) = go_on_as(nothing_yet, &input, timeouts);
    let given = ["(3, 30)", "(3000, 9, 91, false)", "(9, 91)"];
    assert_eq!(shown(&life, 2, &[(9, 1)]), given);
    // And that is remembered, however many batches fail first.
    let (life, mut deltas) = go_on_as(nothing_yet, &input, whole_partitions);
    life.run(2, &(vec![(8, 1)], Fate::OutputFails)).unwrap_err();
    deltas.push(life.run(3, &(vec![], Fate::Good)).unwrap());
    let life = Life::begin(whole_partitions, 1, 1);
    life.restore(&deltas, time_of(3)).unwrap();
    assert_eq!(shown(&life, 4, &[]), ["(1, (7, 2))", "(8, (5, 2))"]);
}

/// Only what has changed is written.
#[test]
fn a_state_that_stays_as_it_is_is_not_written_again() {
    fn last_values(_: &TestContext, pairs: &DStream<(u8, i64)>, partitions: usize) -> DStream<String> {
        let last = |values: &[i64], state| values.last().copied().or(state);
        let whole = pairs.update_state_by_key_partitions(StateOptions::new().partitioner(partitions), move |keys| {
            let next = keys.filter_map(|(key, values, state)| Some((key, last(&values, state)?)));
            next.collect::<Vec<_>>()
        });
        show(&pairs.update_state_by_key_into(partitions, last)).union(&show(&whole))
    }
    let count = |delta: &StateDelta| -> usize {
        let entries = |delta: &crate::checkpoint::Delta| delta.groups.iter().flat_map(|group| group.entries()).count();
        delta.operators.values().map(entries).sum()
    };
    let input = [vec![(1, 1), (2, 2), (3, 3)], vec![(2, 2)], vec![(2, 5)], vec![]];
    let (life, deltas) = go_on_as(last_values, &input, last_values);
    assert_eq!(deltas.iter().map(count).collect::<Vec<_>>(), [6, 0, 2, 0]);
    // Nor after a restart.
    let next = |index, pairs: &[(u8, i64)]| life.run(index, &(pairs.to_vec(), Fate::Good)).unwrap();
    assert_eq!(count(&next(4, &[(1, 1), (4, 4)])), 2);
    assert!(next(5, &[]).is_empty());
}

#[test]
fn a_batch_without_records_writes_nothing_of_operators_that_forget_nothing() {
    let input: Input = (0..3).map(|_| (vec![], Fate::Good)).collect();
    for program in [sessions, each_key, reduced, inverse, grouped] {
        let deltas = run(program, &input, &[]).deltas;
        assert!(deltas.iter().all(StateDelta::is_empty), "{deltas:?}");
    }
}

/// A state that can be written and not read, or not written at all.
#[derive(Clone, Debug, PartialEq)]
struct Odd(i64);

impl serde::Serialize for Odd {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            1 => Err(serde::ser::Error::custom("one is odd")),
            3 => panic!("three is odd"),
            other => serializer.serialize_i64(other),
        }
    }
}

impl<'de> serde::Deserialize<'de> for Odd {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match i64::deserialize(deserializer)? {
            5 => Err(serde::de::Error::custom("five is odd")),
            other => Ok(Odd(other)),
        }
    }
}

#[test]
fn a_state_that_cannot_be_remembered_fails_the_batch_and_leaves_no_trace() {
    fn odd(_: &TestContext, pairs: &DStream<(u8, i64)>, partitions: usize) -> DStream<String> {
        show(
            &pairs
                .update_state_by_key_into(partitions, |values: &[i64], state| values.last().map(|v| Odd(*v)).or(state)),
        )
    }
    let life = Life::begin(odd, 2, 2);
    for (index, value, why, kind) in [
        (0, 1, "could not be serialised", ErrorKind::Data),
        (1, 3, "three is odd", ErrorKind::User),
        (2, 5, "cannot be read again", ErrorKind::Data),
    ] {
        let error = life.run(index, &(vec![(1, value), (2, 2)], Fate::Good)).unwrap_err();
        assert_eq!(error.kind(), kind, "{error:?}");
        assert!(error.to_string().contains(why) || format!("{error:?}").contains(why), "{error:?}");
        assert!(error.to_string().contains("update_state_by_key_into at "), "{error}");
    }
    assert_eq!(shown(&life, 3, &[(4, 4)]), ["(4, Odd(4))"]);
}

#[test]
fn what_cannot_be_read_says_which_operator_it_is_of() {
    let deltas = run(each_key, &vec![(vec![(1, 1)], Fate::Good)], &[]).deltas;
    let uid = deltas[0].operators.keys().next().unwrap().clone();
    let with = |write: &dyn Fn(&mut DeltaWriter)| {
        let mut writer = DeltaWriter::new();
        write(&mut writer);
        StateDelta { operators: [(uid.clone(), writer.finish())].into() }
    };
    let other_value = with(&|writer| writer.put(Time::default(), &1_u8, Some(&"text")).unwrap());
    let longer = with(&|writer| writer.put(Time::default(), &1_u8, Some(&(1_i64, 1_u8, 1_u8))).unwrap());
    let other_key = with(&|writer| writer.put(Time::default(), &"a key", Some(&(1_i64, 1_u8))).unwrap());
    let mut cut = deltas[0].clone();
    cut.operators.values_mut().for_each(|delta| delta.groups.iter_mut().for_each(|group| group.bytes.truncate(2)));
    let mut numbered = deltas[0].clone();
    numbered.operators.values_mut().for_each(|delta| delta.groups[0].index = 256);
    for (what, delta) in [other_value, longer, other_key, cut, numbered].iter().enumerate() {
        let error = Life::begin(each_key, 2, 2).restore(std::slice::from_ref(delta), time_of(0)).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Data, "{what}: {error:?}");
        assert!(error.to_string().contains("update_state_by_key_into at "), "{what}: {error}");
    }
}

#[test]
fn datasets_of_which_a_partition_is_missing_are_not_taken_for_whole() {
    let deltas = run(joined, &vec![(vec![(1, 1), (2, 2)], Fate::Good)], &[]).deltas;
    let (uid, _) = deltas[0].operators.iter().next().unwrap();
    let mut writer = DeltaWriter::new();
    writer.put(time_of(0), &(u32::MAX, 0_u32), Some(&vec![(1_u8, 1_i64)])).unwrap();
    let only = StateDelta { operators: [(uid.clone(), writer.finish())].into() };
    let error = Life::begin(joined, 2, 2).restore(&[only], time_of(0)).unwrap_err();
    assert!(error.kind() == ErrorKind::Data && error.to_string().contains("is missing"), "{error:?}");
}

#[test]
fn the_types_name_the_operator_and_not_what_may_change() {
    let types = |program: Program, partitions| -> Vec<String> {
        let life = Life::begin(program, partitions, 1);
        life.graph.describe("test".into()).unwrap().operators.into_iter().map(|part| part.types).collect()
    };
    assert_eq!(types(two_seconds, 2), types(six_seconds, 5));
    assert_eq!(
        types(two_seconds, 1),
        ["window of values: u8 -> i64", "window of reduced values: u8 -> i64", "window of reduced values: u8 -> i64"]
    );
    assert_eq!(types(timeouts, 1), ["map_with_state: u8 -> i64"]);
    assert_eq!(types(each_key, 1), types(whole_partitions, 1));
    assert_eq!(types(joined, 1), ["datasets: (u8, i64)"]);
}
