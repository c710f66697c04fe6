//! When a checkpoint is written, what it cuts, and what is read from it.

use crate::{Context, ErrorKind, Rdd};
use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

fn watched(sc: &Context) -> (Rdd<(i64, i64)>, Arc<AtomicUsize>) {
    let computed = Arc::new(AtomicUsize::new(0));
    let seen = computed.clone();
    let numbers = sc.range(0, 12, 1, 4).map(move |n| {
        seen.fetch_add(1, Ordering::Relaxed);
        (n % 3, n)
    });
    (numbers, computed)
}

#[test]
fn the_first_job_writes_it_and_later_ones_read_it() {
    let folder = tempfile::tempdir().unwrap();
    let sc = Context::local(2);
    sc.set_checkpoint_dir(folder.path()).unwrap();
    let (numbers, computed) = watched(&sc);
    numbers.checkpoint().unwrap();
    numbers.checkpoint().unwrap();
    let first = numbers.collect().unwrap();
    assert!(numbers.is_checkpointed());
    assert_eq!(numbers.collect().unwrap(), first);
    assert_eq!(numbers.filter(|(key, _)| *key == 0).count().unwrap(), 4);
    assert_eq!(computed.load(Ordering::Relaxed), 12, "written while the first job ran");
    let files = numbers.checkpoint_file().unwrap();
    assert!(files.join("part-00003").exists() && files.join("_SUCCESS").exists());
    let again = sc.object_file::<(i64, i64)>(files.to_str().unwrap()).unwrap();
    assert_eq!(again.collect().unwrap(), first);
}

#[test]
fn partitions_that_the_first_job_left_out_follow() {
    let folder = tempfile::tempdir().unwrap();
    let sc = Context::local(1);
    sc.set_checkpoint_dir(folder.path()).unwrap();
    let (numbers, computed) = watched(&sc);
    numbers.checkpoint().unwrap();
    assert_eq!(numbers.take(1).unwrap(), [(0, 0)]);
    assert!(numbers.is_checkpointed());
    assert_eq!(computed.load(Ordering::Relaxed), 12);
}

#[test]
fn the_lineage_above_is_not_run_again_and_the_placement_is_known() {
    let folder = tempfile::tempdir().unwrap();
    let sc = Context::local(2);
    sc.set_checkpoint_dir(folder.path()).unwrap();
    let (numbers, _) = watched(&sc);
    let sums = numbers.reduce_by_key(|a, b| a + b);
    sums.checkpoint().unwrap();
    let doubled = sums.map(|(key, sum)| (key, 2 * sum));
    let mut before = doubled.collect().unwrap();
    assert!(sums.is_checkpointed(), "a job on a dataset that is computed from it counts");
    assert!(sums.erased().parents().is_empty());
    assert!(sums.partitioner_id().is_some());
    let mut after = doubled.collect().unwrap();
    before.sort();
    after.sort();
    assert_eq!(before, after);
    assert_eq!(sums.lookup(&1).unwrap(), [22]);
}

#[test]
fn a_kept_dataset_is_written_from_where_it_is_kept() {
    let folder = tempfile::tempdir().unwrap();
    let sc = Context::local(2);
    sc.set_checkpoint_dir(folder.path()).unwrap();
    let (numbers, computed) = watched(&sc);
    let kept = numbers.cache();
    kept.count().unwrap();
    kept.checkpoint().unwrap();
    kept.count().unwrap();
    assert!(kept.is_checkpointed());
    kept.unpersist();
    assert_eq!(kept.count().unwrap(), 12);
    assert_eq!(computed.load(Ordering::Relaxed), 12);
}

#[test]
fn a_job_that_fails_leaves_no_checkpoint() {
    let folder = tempfile::tempdir().unwrap();
    let sc = Context::local(1);
    sc.set_checkpoint_dir(folder.path()).unwrap();
    let fail = Arc::new(AtomicUsize::new(1));
    let once = fail.clone();
    let numbers = sc.range(0, 4, 1, 2).map(move |n| {
        assert!(n < 3 || once.swap(0, Ordering::Relaxed) == 0, "three");
        n
    });
    numbers.checkpoint().unwrap();
    assert!(numbers.count().is_err());
    assert!(!numbers.is_checkpointed());
    assert_eq!(numbers.collect().unwrap(), [0, 1, 2, 3]);
    assert!(numbers.is_checkpointed());
}

#[test]
fn empty_datasets_have_checkpoints_too() {
    let folder = tempfile::tempdir().unwrap();
    let sc = Context::local(1);
    sc.set_checkpoint_dir(folder.path()).unwrap();
    for empty in [sc.empty::<i64>(), sc.parallelize(Vec::new(), 2)] {
        empty.checkpoint().unwrap();
        assert_eq!(empty.count().unwrap(), 0);
        assert!(empty.is_checkpointed());
        assert_eq!(empty.count().unwrap(), 0);
    }
}

#[test]
fn a_directory_is_needed_and_each_context_has_its_own() {
    let folder = tempfile::tempdir().unwrap();
    let sc = Context::local(1);
    let error = sc.range(0, 1, 1, 1).checkpoint().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Invalid);
    assert!(error.to_string().contains("call Context::set_checkpoint_dir first"), "{error}");
    sc.set_checkpoint_dir(folder.path()).unwrap();
    let first = sc.checkpoint_dir().unwrap();
    sc.set_checkpoint_dir(folder.path()).unwrap();
    assert_ne!(first, sc.checkpoint_dir().unwrap());
}

#[test]
fn a_damaged_checkpoint_is_noticed() {
    let folder = tempfile::tempdir().unwrap();
    let sc = Context::local(1);
    sc.set_checkpoint_dir(folder.path()).unwrap();
    let numbers = sc.range(0, 100, 1, 1);
    numbers.checkpoint().unwrap();
    numbers.count().unwrap();
    let part = numbers.checkpoint_file().unwrap().join("part-00000");
    let mut bytes = std::fs::read(&part).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(&part, bytes).unwrap();
    let error = numbers.count().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Data);
    assert!(error.to_string().contains("part-00000"), "{error}");
}
