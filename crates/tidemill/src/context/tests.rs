//! The life of a context, and the datasets that start from it.

use crate::{Context, ErrorKind};

#[test]
fn a_stopped_context_runs_no_jobs_and_may_be_stopped_again() {
    let sc = Context::local(2);
    let numbers = sc.range(0, 10, 1, 3);
    assert_eq!(numbers.count().unwrap(), 10);
    sc.stop().unwrap();
    sc.stop().unwrap();
    assert_eq!(numbers.count().unwrap_err().kind(), ErrorKind::Closed);
    assert_eq!(sc.range(0, 1, 1, 1).collect().unwrap_err().kind(), ErrorKind::Closed);
}

#[test]
fn a_context_may_go_before_its_datasets_and_a_worker_may_be_the_last_to_hold_it() {
    for _ in 0..200 {
        let numbers = Context::local(2).range(0, 10, 1, 3);
        assert_eq!(numbers.map(|n| n + 1).count().unwrap(), 10);
    }
}

/// Section 8.0.2 of the surface.
#[test]
fn values_are_cut_as_spark_cuts_them() {
    let sc = Context::local(2);
    let sizes = |values: usize, partitions| -> Vec<_> {
        let parts = sc.parallelize(vec![0; values], partitions).glom().collect().unwrap();
        parts.iter().map(Vec::len).collect()
    };
    assert_eq!(sizes(7, 4), [1, 2, 2, 2]);
    assert_eq!(sizes(2, 4), [0, 1, 0, 1]);
    assert_eq!(sizes(0, 2), [0, 0]);
    assert_eq!(sizes(4, 0), [2, 2], "0 stands for the default");
    assert_eq!(sc.range(0, 4, 1, 0).num_partitions(), 2);
}

#[test]
fn an_empty_dataset_has_no_partitions_and_a_union_has_all() {
    let sc = Context::local(2);
    assert_eq!(sc.empty::<i64>().num_partitions(), 0);
    assert_eq!(sc.union::<i64>(&[]).count().unwrap(), 0);
    let numbers = sc.range(0, 3, 1, 2);
    let union = sc.union(&[numbers.clone(), sc.empty(), numbers]);
    assert_eq!((union.num_partitions(), union.collect().unwrap()), (4, vec![0, 1, 2, 0, 1, 2]));
}
