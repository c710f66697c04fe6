//! What must hold however a job and its workers end.

use crate::Context;
use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
};

#[test]
fn the_last_handle_may_go_with_its_last_job() {
    for round in 0..100 {
        let count = Context::local(1 + round % 3).range(0, 4, 1, 4).map(|n| n).count();
        assert_eq!(count.unwrap(), 4);
    }
}

#[test]
fn a_job_is_dropped_by_who_submitted_it() {
    struct Tell(thread::ThreadId, Arc<AtomicBool>);
    impl Drop for Tell {
        fn drop(&mut self) {
            self.1.store(thread::current().id() == self.0, Ordering::SeqCst);
        }
    }
    let sc = Context::local(3);
    for _ in 0..100 {
        let here = Arc::new(AtomicBool::new(false));
        let tell = Tell(thread::current().id(), here.clone());
        let numbers = sc.range(0, 4, 1, 4).map(move |n| if tell.1.load(Ordering::SeqCst) { 0 } else { n });
        let sum: i64 = numbers.collect().unwrap().into_iter().sum();
        drop(numbers);
        assert_eq!((sum, here.load(Ordering::SeqCst)), (6, true));
    }
}
