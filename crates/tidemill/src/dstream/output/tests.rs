//! What outputs do with batches, and what they say of programs that do nothing.

use super::IdleOutput;
use crate::{
    Error, ErrorKind,
    testing::{Step, TestContext},
};
use std::sync::{Arc, Mutex, atomic::Ordering};

#[test]
fn an_output_without_a_job_is_told_of_once() {
    let idle = IdleOutput::default();
    let told = [(2, 1), (0, 0), (2, 0), (2, 0), (2, 1)].map(|(partitions, jobs)| idle.is_to_be_told(partitions, jobs));
    assert_eq!(told, [false, false, true, false, false]);
}

#[test]
fn jobs_of_a_function_are_counted() {
    let test = TestContext::new();
    let counts = Arc::new(Mutex::new(Vec::new()));
    let seen = counts.clone();
    let session = test.ssc().context().session().clone();
    test.stream(vec![vec![1], vec![1]]).foreach_rdd(move |rdd, time| {
        let before = session.extensions.jobs.load(Ordering::Relaxed);
        if time.as_ms() == 2_000 {
            rdd.count()?;
        }
        seen.lock().unwrap().push(session.extensions.jobs.load(Ordering::Relaxed) - before);
        Ok::<(), Error>(())
    });
    test.run(2).unwrap();
    assert_eq!(*counts.lock().unwrap(), [0, 1]);
}

#[test]
fn every_partition_is_handed_over_with_its_index_and_time() {
    let test = TestContext::new();
    let (numbers, source) = test.scripted_stream();
    source.push(Step::Partitions(vec![vec![1], vec![], vec![2, 3]]));
    let seen = Arc::new(Mutex::new(Vec::new()));
    let into = seen.clone();
    numbers.for_each_partition(move |partition, records, time| {
        into.lock().unwrap().push((time.as_ms(), partition, records.collect::<Vec<i32>>()));
        Ok::<(), Error>(())
    });
    test.run(2).unwrap();
    seen.lock().unwrap().sort();
    let expected = [(1000, 0, vec![1]), (1000, 1, vec![]), (1000, 2, vec![2, 3]), (2000, 0, vec![]), (2000, 1, vec![])];
    assert_eq!(*seen.lock().unwrap(), expected);
}

#[test]
fn an_error_of_a_partition_fails_the_batch_and_says_where() {
    let test = TestContext::new();
    test.stream(vec![vec![1, 2], vec![1]]).for_each_partition(|_, records, _| {
        if records.filter(|n| *n == 2).count() > 0 { Err(Error::user("no twos here")) } else { Ok(()) }
    });
    let error = test.run(1).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::User);
    let text = error.to_string();
    assert!(text.contains("for_each_partition at ") && text.contains("partition 1: no twos here"), "{text}");
    test.advance(1).unwrap();
    assert_eq!(test.ssc().progress().failed_batches, 1);
}

#[test]
fn a_panic_of_a_partition_names_the_record() {
    let test = TestContext::new();
    test.stream(vec![vec![1, 2]]).repartition(1).for_each_partition(|_, records, _| {
        records.for_each(|n| assert!(n != 2, "no twos here"));
        Ok::<(), Error>(())
    });
    let text = test.run(1).unwrap_err().to_string();
    assert!(text.contains("record 2 of partition 0 in the batch of 1000 ms") && text.contains("no twos"), "{text}");
}

#[test]
fn streams_that_no_output_reads_are_named() {
    let test = TestContext::new();
    let numbers = test.stream(vec![vec![1]]);
    let _seen = test.collect(&numbers.map(|n| n + 1).filter(|n| *n > 0));
    let graph = numbers.graph().clone();
    assert!(graph.unused_streams().is_empty());
    let unused = numbers.filter(|n| *n > 1).map(|n| n.to_string());
    drop(numbers.glom());
    let _idle = test.stream(vec![vec![2]]);
    let sites: Vec<_> = graph.unused_streams().iter().map(|site| site.operation).collect();
    assert_eq!(sites, ["map", "glom", "scripted_stream"]);
    drop(unused);
    let sites: Vec<_> = graph.unused_streams().iter().map(|site| site.operation).collect();
    assert_eq!(sites, ["map", "glom", "scripted_stream"]);
}
