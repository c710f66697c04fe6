//! What is kept, where, and how often a dataset is computed because of it.

use crate::{Context, ErrorKind, Rdd, StorageLevel};
use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

/// Numbers, and how many of them were computed so far.
fn watched(sc: &Context, count: i64, partitions: usize) -> (Rdd<i64>, Arc<AtomicUsize>) {
    let computed = Arc::new(AtomicUsize::new(0));
    let seen = computed.clone();
    let numbers = sc.range(0, count, 1, partitions).map(move |n| {
        seen.fetch_add(1, Ordering::Relaxed);
        n
    });
    (numbers, computed)
}

const KEPT: [StorageLevel; 3] = [StorageLevel::MemoryOnly, StorageLevel::MemoryAndDisk, StorageLevel::DiskOnly];

#[test]
fn a_kept_dataset_is_computed_once_and_comes_back_as_it_was() {
    let sc = Context::local(2);
    for level in KEPT {
        let (numbers, computed) = watched(&sc, 2_000, 3);
        let kept = numbers.persist(level).unwrap();
        for _ in 0..3 {
            assert_eq!(kept.collect().unwrap(), (0..2_000).collect::<Vec<_>>());
        }
        assert_eq!(computed.load(Ordering::Relaxed), 2_000, "{level:?}");
        assert_eq!(kept.storage_level(), level);
        kept.unpersist();
        assert_eq!(kept.count().unwrap(), 2_000);
        assert_eq!(computed.load(Ordering::Relaxed), 4_000, "{level:?}");
        let again = kept.persist(StorageLevel::MemoryOnly).unwrap();
        assert_eq!((again.count().unwrap(), again.count().unwrap()), (2_000, 2_000));
        assert_eq!(computed.load(Ordering::Relaxed), 6_000, "{level:?}");
    }
}

#[test]
fn only_what_was_computed_is_kept() {
    let sc = Context::local(1);
    let (numbers, computed) = watched(&sc, 100, 10);
    let kept = numbers.cache();
    assert_eq!(kept.take(1).unwrap(), [0]);
    assert_eq!(computed.load(Ordering::Relaxed), 10);
    assert_eq!(kept.count().unwrap(), 100);
    assert_eq!(computed.load(Ordering::Relaxed), 100);
}

#[test]
fn a_level_cannot_change() {
    let sc = Context::local(1);
    let numbers = sc.range(0, 3, 1, 1).persist(StorageLevel::DiskOnly).unwrap();
    assert!(numbers.persist(StorageLevel::DiskOnly).is_ok());
    let error = numbers.persist(StorageLevel::MemoryOnly).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Invalid);
    assert!(error.to_string().ends_with("cannot be as \"MemoryOnly\"; call unpersist first"), "{error}");
    assert_eq!(numbers.cache().storage_level(), StorageLevel::DiskOnly);
}

#[test]
fn a_partition_that_failed_is_not_kept() {
    let sc = Context::local(1);
    let fail = Arc::new(AtomicUsize::new(1));
    let once = fail.clone();
    for level in KEPT {
        fail.store(1, Ordering::Relaxed);
        let once = once.clone();
        let numbers = sc.range(0, 5, 1, 1).map(move |n| {
            assert!(n < 3 || once.swap(0, Ordering::Relaxed) == 0, "three");
            n
        });
        let kept = numbers.persist(level).unwrap();
        assert!(kept.count().is_err());
        assert_eq!(kept.collect().unwrap(), [0, 1, 2, 3, 4]);
    }
}

#[test]
fn kept_partitions_cut_the_plan() {
    let sc = Context::local(1);
    let (numbers, computed) = watched(&sc, 10, 2);
    let partitions = 3;
    let kept = numbers.map(|n| (n, n)).combine_at(
        crate::rdd::Site::here("test"),
        Arc::new(crate::HashPartitioner::new(partitions)),
        crate::rdd::wide::Reduce(|a, _| a),
    );
    let kept = kept.cache();
    let failing = kept.map_partitions_with_index(move |partition, records| {
        let records: Vec<_> = records.collect();
        assert!(partition + 1 < partitions, "the last");
        records
    });
    assert!(failing.count().is_err());
    assert_eq!(computed.load(Ordering::Relaxed), 10);
    assert_eq!(kept.count().unwrap(), 10, "the shuffle was reset, but all partitions are kept");
    assert_eq!(computed.load(Ordering::Relaxed), 10);
    kept.unpersist();
    assert_eq!(kept.count().unwrap(), 10);
    assert_eq!(computed.load(Ordering::Relaxed), 20);
}

#[test]
fn partitions_that_a_job_counts_on_outlive_unpersist() {
    let sc = Context::local(1);
    let kept = sc.range(0, 4, 1, 2).cache();
    assert!(!kept.storage().pin(), "nothing is kept yet");
    kept.count().unwrap();
    assert_eq!(kept.storage().all().unwrap().len(), 2);
    assert!(kept.storage().pin());
    kept.unpersist();
    assert!(kept.storage().all().is_none());
    assert!(kept.storage().is_active());
    kept.storage().unpin();
    assert!(!kept.storage().is_active());
}

#[test]
fn temporary_files_go_with_what_they_keep() {
    let sc = Context::local(1);
    let kept = sc.range(0, 4, 1, 2).persist(StorageLevel::DiskOnly).unwrap();
    kept.count().unwrap();
    let folder = kept.session().extensions.spills.folder().unwrap();
    let files = || std::fs::read_dir(&folder).unwrap().count();
    assert_eq!(files(), 2);
    kept.unpersist();
    assert_eq!(files(), 0);
    kept.persist(StorageLevel::DiskOnly).unwrap().count().unwrap();
    assert_eq!(files(), 2);
    sc.stop().unwrap();
    assert!(!folder.exists());
}
