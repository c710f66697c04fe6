//! How what unwinds out of a task is told.

use super::*;
use crate::base::ErrorKind;

#[test]
fn what_unwinds_outside_of_operators_is_the_users_error_too() {
    let task = TaskContext::new(3, JobScope::default());
    let panicked = run_task(&task, |_| -> () { resume_unwind(Box::new("dropped badly")) }).unwrap_err();
    let thrown = run_task(&task, |_| -> () { throw("no luck") }).unwrap_err();
    assert_eq!((panicked.kind(), thrown.kind()), (ErrorKind::User, ErrorKind::User));
    assert_eq!(panicked.to_string(), "\"task\" failed on partition 3: dropped badly");
    assert_eq!(thrown.to_string(), "\"task\" failed on partition 3: no luck");
}
