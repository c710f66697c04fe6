//! Marks of errors outlive what is added to an error, and decide how a process ends.

use super::*;

#[test]
fn a_mark_is_found_wherever_it_is_and_the_first_one_stays() {
    let marked = Error::closed("taken").marked(Mark::Checkpoint);
    let errors = [
        marked.clone(),
        marked.clone().context("there"),
        Error::user("led").with_source(marked.clone()),
        Error::user("boxed").with_boxed_source(Box::new(marked.clone())),
        Error::data("twice").with_source(Error::user("led").with_source(marked.clone())),
        marked.marked(Mark::Running),
    ];
    for error in errors {
        assert_eq!((error.mark(), error.exit_code()), (Some(Mark::Checkpoint), 3), "{error:?}");
    }
    assert_eq!(Error::invalid("so").mark(), None);
    assert_eq!(Error::invalid("so").marked(Mark::Running).exit_code(), 1);
    assert_eq!(Error::data("too many").marked(Mark::Final).exit_code(), 1);
    assert_eq!(Error::from(Misuse::AlreadyStopped).exit_code(), 2);
}
