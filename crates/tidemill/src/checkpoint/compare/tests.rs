//! Every change of a program, whether it is let through, and what is said of it.

use super::*;
use crate::{
    base::{ErrorKind, Time},
    checkpoint::Slice,
};

fn part(uid: &str, types: &str) -> Part {
    Part { uid: uid.into(), uid_is_derived: true, site: format!("{uid} at main.rs:7"), types: types.into() }
}

fn program() -> Program {
    Program {
        name: "test".into(),
        batch_ms: 1_000,
        inputs: vec![part("lines", "Text")],
        operators: vec![part("counts", "Text -> u64"), part("reduce_by_key_and_window", "Text -> u64")],
        outputs: vec![part("print", "")],
    }
}

fn unfinished() -> Vec<Picked> {
    vec![Picked { time: Time::from_ms(1), slices: [("lines".to_owned(), Slice::default())].into() }]
}

type Edit = fn(&mut Program);

#[test]
fn what_is_safe_is_let_through_and_told() {
    let cases: [(&str, Edit, &str); 7] = [
        ("the same", |_| (), "kept: input \"lines\" (lines at main.rs:7)"),
        (
            "moved",
            |p| p.operators[0].site = "counts at other.rs:9".into(),
            "kept: operator \"counts\" (counts at other.rs:9)",
        ),
        (
            "a new operator",
            |p| p.operators.push(part("more", "u8")),
            "new: operator \"more\" (more at main.rs:7), which starts from nothing",
        ),
        ("a new output", |p| p.outputs.push(part("save", "")), "new: output \"save\" (save at main.rs:7)"),
        ("a dropped output", |p| p.outputs.clear(), "dropped: output \"print\" (was print at main.rs:7)"),
        ("another name", |p| p.name = "other".into(), "kept: output \"print\" (print at main.rs:7)"),
        ("a new input", |p| p.inputs.push(part("more", "Text")), "new: input \"more\" (more at main.rs:7)"),
    ];
    for (case, edit, line) in cases {
        let mut new = program();
        edit(&mut new);
        let difference = compare(&program(), &new);
        assert_eq!(difference.decide(&unfinished(), "").unwrap(), Discarded::default(), "{case}");
        assert!(difference.to_string().lines().any(|found| found == line), "{case}: {difference}");
    }
    assert!(compare(&program(), &program()).is_none());
}

#[test]
fn what_is_unsafe_is_refused_with_the_option_that_decides_it() {
    let cases: [(&str, Edit, &str, Discarded); 5] = [
        (
            "a dropped operator",
            |p| drop(p.operators.remove(0)),
            "counts",
            Discarded { state: vec!["counts".into()], inputs: vec![] },
        ),
        (
            "a changed type",
            |p| p.operators[0].types = "u8".into(),
            "counts",
            Discarded { state: vec!["counts".into()], inputs: vec![] },
        ),
        ("a dropped input", |p| p.inputs.clear(), "lines", Discarded { state: vec![], inputs: vec!["lines".into()] }),
        (
            "an input of another type",
            |p| p.inputs[0].types = "u8".into(),
            "lines",
            Discarded { state: vec![], inputs: vec!["lines".into()] },
        ),
        (
            "another batch duration",
            |p| p.batch_ms = 500,
            "batch-duration",
            Discarded { state: vec!["reduce_by_key_and_window".into()], inputs: vec![] },
        ),
    ];
    for (case, edit, option, discarded) in cases {
        let mut new = program();
        edit(&mut new);
        let difference = compare(&program(), &new);
        let refused = difference.decide(&unfinished(), "something-else").unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::Invalid, "{case}");
        let text = refused.to_string();
        assert!(text.contains(&format!("tidemill.checkpoint.discard=something-else,{option} ")), "{case}: {text}");
        for discard in [option, "*", &format!("other, {option}")] {
            assert_eq!(difference.decide(&unfinished(), discard).unwrap(), discarded, "{case}");
        }
    }
}

#[test]
fn every_unsafe_thing_is_named_at_once() {
    let mut new = program();
    (new.operators, new.inputs, new.batch_ms) = (vec![], vec![], 5);
    let text = compare(&program(), &new).decide(&unfinished(), "").unwrap_err().to_string();
    for name in ["\"counts\"", "\"reduce_by_key_and_window\"", "\"lines\"", "from 1000 ms to 5 ms"] {
        assert!(text.contains(name), "{text}");
    }
    assert!(text.contains("discard=lines,counts,reduce_by_key_and_window,batch-duration "), "{text}");
}

#[test]
fn batches_that_are_kept_for_a_window_do_not_fit_another_batch_duration() {
    let mut old = program();
    old.operators = vec![part("lines/map/datasets", "datasets: Text")];
    let mut new = old.clone();
    new.batch_ms = 500;
    let refused = compare(&old, &new).decide(&[], "").unwrap_err().to_string();
    assert!(refused.contains("windows hold batches of the old duration: \"lines/map/datasets\""), "{refused}");
    assert!(refused.contains("tidemill.checkpoint.discard=batch-duration "), "{refused}");
    let discarded = compare(&old, &new).decide(&[], "batch-duration").unwrap();
    assert_eq!(discarded.state, ["lines/map/datasets"]);
}

#[test]
fn without_unfinished_batches_and_windows_more_is_safe() {
    let mut old = program();
    old.operators.pop();
    let mut new = old.clone();
    (new.inputs, new.batch_ms) = (vec![], 5);
    let decided = compare(&old, &new).decide(&[], "").unwrap();
    assert_eq!(decided, Discarded::default());
}

#[test]
fn it_is_there_for_machines_too() {
    fn is_serialize<T: Serialize>() {}
    is_serialize::<Difference>();
}
