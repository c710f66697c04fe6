//! Which ids the parts of a program have, and what changes them.

use crate::{
    DStream, State, StateSpec,
    base::seconds,
    checkpoint::{Part, Program},
    dstream::graph::Graph,
    testing::TestContext,
};
use std::sync::Arc;

type Pairs = DStream<(u8, i64)>;

fn declare(program: impl FnOnce(&TestContext, &Pairs)) -> (TestContext, Arc<Graph>) {
    let test = TestContext::new();
    let pairs = test.stream(vec![]);
    program(&test, &pairs);
    let graph = pairs.graph().clone();
    (test, graph)
}

fn described(program: impl FnOnce(&TestContext, &Pairs)) -> Program {
    let (_test, graph) = declare(program);
    graph.describe("test".into()).unwrap()
}

fn uids(parts: &[Part]) -> Vec<&str> {
    parts.iter().map(|part| part.uid.as_str()).collect()
}

fn operators(program: impl FnOnce(&TestContext, &Pairs)) -> Vec<(String, bool)> {
    described(program).operators.into_iter().map(|part| (part.uid, part.uid_is_derived)).collect()
}

fn counts(pairs: &Pairs) -> crate::DStream<(u8, i64)> {
    pairs.update_state_by_key(|values: &[i64], _: Option<i64>| Some(values.len() as i64))
}

fn spec() -> StateSpec<u8, i64, i64, u8> {
    StateSpec::function(|key: &u8, _: Option<i64>, _: &mut State<i64>| *key)
}

#[test]
fn an_id_is_made_of_the_operations_that_lead_there() {
    let program = described(|test, pairs| {
        test.collect(&counts(&pairs.filter(|_| true).map_values(|value| value)));
        test.collect(&pairs.union(&pairs.map(|pair| pair)).window(seconds(2), None));
    });
    assert_eq!(uids(&program.inputs), ["scripted_stream"]);
    assert_eq!(
        uids(&program.operators),
        ["scripted_stream/filter/map_values/update_state_by_key", "scripted_stream+scripted_stream/map/union/datasets"]
    );
    let outputs = uids(&program.outputs);
    assert_eq!(outputs[0], "scripted_stream/filter/map_values/update_state_by_key/collect");
    assert!(program.operators.iter().all(|part| part.uid_is_derived), "{:?}", program.operators);
    assert!(program.operators[0].site.contains("update_state_by_key at "), "{:?}", program.operators);
}

#[test]
fn an_id_that_was_given_stays_whatever_is_around_it() {
    let expected = [("counts".to_owned(), false)];
    assert_eq!(operators(|test, pairs| drop(test.collect(&counts(pairs).uid("counts")))), expected);
    let moved = operators(|test, pairs| drop(test.collect(&counts(&pairs.filter(|_| true)).uid("counts").map(|p| p))));
    assert_eq!(moved, expected);
}

/// What the user gives an id to is not always the stream that has the state.
#[test]
fn an_id_that_is_given_to_what_an_operation_returns_is_that_of_its_state() {
    let expected = [("mine".to_owned(), false)];
    let add = |a, b| a + b;
    let slow = operators(|test, pairs| {
        let slow = pairs.reduce_by_key_and_window(add, seconds(4), seconds(2));
        test.collect(&slow.uid("mine"));
    });
    assert_eq!(slow, expected);
    let counted = operators(|test, pairs| drop(test.collect(&pairs.count_by_window(seconds(4), None).uid("mine"))));
    assert_eq!(counted, expected);
    let values = |pairs: &Pairs| pairs.map(|(_, value)| value);
    let reduced = operators(|test, pairs| {
        test.collect(&values(pairs).reduce_by_window(add, seconds(4), seconds(4)).uid("mine"));
    });
    assert_eq!(reduced, expected);
    // But not that of an operation before it.
    let before = operators(|test, pairs| drop(test.collect(&counts(pairs).map(|pair| pair).uid("mine"))));
    assert_eq!(before, [("scripted_stream/update_state_by_key".to_owned(), true)]);
}

#[test]
fn the_streams_of_one_operator_share_its_id() {
    let id = |derived: bool| {
        let uid = if derived { "scripted_stream/map_with_state" } else { "sessions" };
        vec![(uid.to_owned(), derived)]
    };
    let both = operators(|test, pairs| {
        let mapped = pairs.map_with_state(spec());
        test.collect(&mapped.state_snapshots());
        test.collect(&mapped);
    });
    assert_eq!(both, id(true));
    // Also if only one of them is read.
    let snapshots =
        |test: &TestContext, pairs: &Pairs| drop(test.collect(&pairs.map_with_state(spec()).state_snapshots()));
    assert_eq!(operators(snapshots), id(true));
    assert_eq!(operators(|test, pairs| drop(test.collect(&pairs.map_with_state(spec())))), id(true));
    // And whichever of them was given it.
    assert_eq!(operators(|test, pairs| drop(test.collect(&pairs.map_with_state(spec()).uid("sessions")))), id(false));
    let second = operators(|test, pairs| {
        let mapped = pairs.map_with_state(spec());
        test.collect(&mapped);
        test.collect(&mapped.state_snapshots().uid("sessions"));
    });
    assert_eq!(second, id(false));
}

#[test]
fn parts_that_are_alike_are_numbered_as_they_were_declared() {
    let alike = |reversed: bool| {
        move |test: &TestContext, pairs: &Pairs| {
            let (first, second) = (counts(pairs), counts(pairs).map(|pair| pair));
            // What is read first does not matter.
            if reversed {
                test.collect(&second);
                test.collect(&first);
            } else {
                test.collect(&first);
                test.collect(&second);
            }
        }
    };
    let sorted = |mut uids: Vec<(String, bool)>| {
        uids.sort();
        uids.into_iter().map(|(uid, _)| uid).collect::<Vec<_>>()
    };
    let expected = ["scripted_stream/update_state_by_key", "scripted_stream/update_state_by_key#2"];
    assert_eq!(sorted(operators(alike(false))), expected);
    let program = described(alike(true));
    assert_eq!(uids(&program.operators), [expected[1], expected[0]]);
    assert!(uids(&program.outputs)[0].starts_with(expected[1]), "{:?}", program.outputs);
    // An id that was given is not taken by another part.
    let given = operators(|test, pairs| {
        test.collect(&counts(pairs));
        test.collect(&counts(&pairs.map(|pair| pair)).uid(expected[0]));
    });
    assert_eq!(sorted(given), expected);
}

#[test]
fn something_else_in_the_program_changes_no_id() {
    let program = |with_more: bool| {
        described(move |test, pairs| {
            if with_more {
                test.collect(&pairs.map_values(|value| value + 1).reduce_by_key_and_window(i64::max, seconds(2), None));
            }
            let sums = counts(pairs);
            if with_more {
                sums.filter(|_| true).print(10);
            }
            test.collect(&sums.window(seconds(2), None));
            test.collect(&pairs.map_with_state(spec()));
        })
    };
    let (before, after) = (program(false), program(true));
    let (before, after) = (uids(&before.operators), uids(&after.operators));
    assert_eq!(before.len(), 3);
    assert!(before.iter().all(|uid| after.contains(uid)), "{before:?}, {after:?}");
}

#[test]
fn two_streams_with_one_given_id_are_refused() {
    let (_test, graph) = declare(|test, pairs| {
        test.collect(&counts(pairs).uid("same"));
        test.collect(&pairs.map(|pair| pair).uid("same"));
    });
    let error = graph.describe("test".into()).unwrap_err().to_string();
    assert!(error.contains("two streams have the uid \"same\"") && error.contains("map at "), "{error}");
}

#[test]
fn inputs_are_known_by_what_they_read() {
    let program = described(|test, pairs| {
        let (one, two) = (test.ssc().text_file_stream("in a,b"), test.ssc().text_file_stream("other"));
        let (again, third) = (test.ssc().text_file_stream("other"), test.ssc().text_file_stream("given").uid("lines"));
        for lines in [two, one, again, third] {
            test.collect(&lines);
        }
        test.collect(pairs);
    });
    let ids = uids(&program.inputs);
    assert_eq!(ids.len(), 5);
    assert!(ids.contains(&"lines") && ids.contains(&"scripted_stream"), "{ids:?}");
    // Not by the order in which they are read.
    let of_files: Vec<_> = ids.iter().filter(|uid| uid.starts_with("text_file_stream")).collect();
    assert_eq!(of_files.len(), 3);
    assert!(ids.iter().all(|uid| !uid.contains(' ') && !uid.contains(',')), "{ids:?}");
}

#[test]
fn a_long_way_makes_a_short_id() {
    let program = |last: i64| {
        described(move |test, pairs| {
            let mut pairs = pairs.clone();
            for _ in 0..40 {
                pairs = pairs.map(|pair| pair);
            }
            let pairs = if last == 0 { pairs.filter(|_| true) } else { pairs.map(|pair| pair) };
            test.collect(&counts(&pairs));
        })
    };
    let (one, other) = (program(0), program(1));
    assert!(one.operators[0].uid.len() <= 200, "{:?}", one.operators);
    assert_ne!(one.operators[0].uid, other.operators[0].uid);
    assert_eq!(one.operators[0].uid, program(0).operators[0].uid);
}
