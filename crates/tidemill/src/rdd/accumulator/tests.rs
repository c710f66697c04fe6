//! What counts in an accumulator, and what does not.

use crate::{Accumulator, Context, ErrorKind};

fn counting(sc: &Context) -> (Accumulator<i64>, crate::Rdd<i64>) {
    let count = sc.long_accumulator("seen");
    let seen = count.clone();
    let numbers = sc.range(0, 3, 1, 2).map(move |n| {
        seen.add(1);
        n
    });
    (count, numbers)
}

#[test]
fn a_dataset_computed_twice_counts_twice_and_one_that_is_cached_once() {
    let sc = Context::local(2);
    let (count, numbers) = counting(&sc);
    numbers.count().unwrap();
    numbers.count().unwrap();
    assert_eq!(count.value(), 6);
    let (count, numbers) = counting(&sc);
    let kept = numbers.cache();
    kept.count().unwrap();
    kept.count().unwrap();
    assert_eq!(count.value(), 3);
}

#[test]
fn the_map_side_of_a_shuffle_counts_once() {
    let sc = Context::local(2);
    let (count, numbers) = counting(&sc);
    let sums = numbers.map(|n| (n % 2, n)).reduce_by_key(|a, b| a + b);
    sums.count().unwrap();
    sums.count().unwrap();
    assert_eq!(count.value(), 3);
}

#[test]
fn what_a_failed_job_added_does_not_count() {
    let sc = Context::local(1);
    let (count, numbers) = counting(&sc);
    let error = numbers.foreach(|n| assert!(n < 2, "too large")).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::User);
    assert_eq!(count.value(), 0);
    numbers.count().unwrap();
    assert_eq!(count.value(), 3, "what the failed tasks left behind would show here");
}

#[test]
fn a_list_comes_in_the_order_of_partitions() {
    let sc = Context::local(2);
    for _ in 0..20 {
        let list = sc.collection_accumulator("list");
        let seen = list.clone();
        sc.range(0, 40, 1, 13).foreach(move |n| seen.add(n)).unwrap();
        assert_eq!(list.value(), (0..40).collect::<Vec<_>>());
    }
}

#[test]
fn the_value_is_the_drivers() {
    let sc = Context::local(2);
    let count = sc.long_accumulator("secret");
    let seen = count.clone();
    let error = sc.range(0, 1, 1, 1).foreach(move |_| assert_eq!(seen.value(), 0)).unwrap_err();
    assert!(error.to_string().contains("the accumulator \"secret\" was read in a task"), "{error}");
    count.add(5);
    assert_eq!(count.value(), 5);
    count.reset();
    assert_eq!(count.value(), 0);
    count.set(9);
    assert_eq!((count.value(), count.name()), (9, "secret"));
}

#[test]
fn one_accumulator_may_add_to_another_and_one_that_fails_is_the_users_error() {
    let sc = Context::local(2);
    let calls = sc.long_accumulator("calls");
    let inner = calls.clone();
    let sum = sc.accumulator("sum", 0, move |sum: &mut i64, n| {
        inner.add(1);
        *sum += n;
    });
    let seen = sum.clone();
    sc.range(0, 4, 1, 2).foreach(move |n| seen.add(n)).unwrap();
    assert_eq!(sum.value(), 6);
    assert!(calls.value() >= 4);

    let bad = sc.accumulator("bad", 0, |_: &mut i64, _| panic!("cannot merge"));
    let seen = bad.clone();
    let error = sc.range(0, 4, 1, 2).foreach(move |n| seen.add(n)).unwrap_err();
    assert!(error.to_string().contains("cannot merge"), "{error}");
}

#[test]
fn an_accumulator_that_is_gone_is_forgotten() {
    let sc = Context::local(1);
    let (count, numbers) = counting(&sc);
    drop(count);
    assert_eq!(numbers.count().unwrap(), 3);
}

#[test]
fn a_destroyed_broadcast_says_so() {
    let sc = Context::local(1);
    let ten = sc.broadcast(10);
    ten.unpersist();
    let by = ten.clone();
    let tens = sc.range(0, 3, 1, 1).map(move |n| n * by.value());
    assert_eq!(tens.collect().unwrap(), [0, 10, 20]);
    ten.destroy();
    let error = tens.collect().unwrap_err();
    assert!(error.to_string().contains("was used after it was destroyed"), "{error}");
    assert!(ten.try_value().unwrap_err().to_string().contains("broadcast at "));
}
