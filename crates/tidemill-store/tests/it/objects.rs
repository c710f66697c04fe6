//! S3 against a server, and against one that misbehaves.

use crate::{
    faults::{Fault, Proxy},
    s3_server::{Condition, S3Server, url},
};
use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};
use tidemill::{
    ErrorKind,
    base::storage::{Put, probe},
    testing::{FlakyStorage, RetryingStorage, check_storage},
};
use tidemill_store::open;

#[test]
fn s3_keeps_the_contract() {
    let server = S3Server::start(Condition::Kept);
    check_storage(|| open(&url(server.address, "a/b")).unwrap());
    check_storage(|| open(&url(server.address, "")).unwrap());
    let seeds = AtomicU64::new(0);
    check_storage(|| {
        let storage = open(&url(server.address, "flaky")).unwrap();
        let flaky = FlakyStorage::seeded(storage, seeds.fetch_add(1, Ordering::Relaxed));
        Arc::new(RetryingStorage::new(Arc::new(flaky), 30))
    });
}

#[test]
fn the_same_bytes_put_by_another_are_not_ours() {
    let server = S3Server::start(Condition::Kept);
    let storage = open(&url(server.address, "same")).unwrap();
    assert_eq!(storage.put_if_absent("a", b"1").unwrap(), Put::Stored);
    assert_eq!(storage.put_if_absent("a", b"1").unwrap(), Put::Exists);
}

#[test]
fn a_put_is_known_to_be_stored_or_not_whatever_the_answer_was() {
    let server = S3Server::start(Condition::Kept);
    let each = [
        (vec![Fault::SlowDown, Fault::SlowDown], 3),
        (vec![Fault::StoredButSlowDown], 2),
        (vec![Fault::StoredButReset], 1),
        (vec![Fault::Reset], 2),
        (vec![Fault::Conflict, Fault::Conflict], 3),
        (vec![Fault::Reset, Fault::Conflict, Fault::SlowDown, Fault::StoredButReset], 4),
    ];
    for (at, (faults, puts)) in each.into_iter().enumerate() {
        let proxy = Proxy::start(server.address, faults.clone());
        let storage = open(&url(proxy.address, &format!("faults/{at}"))).unwrap();
        assert_eq!(storage.put_if_absent("a", b"first").unwrap(), Put::Stored, "{faults:?}");
        assert!(proxy.puts() >= puts, "{faults:?}: {} puts", proxy.puts());
        assert_eq!(storage.put_if_absent("a", b"first").unwrap(), Put::Exists, "{faults:?}: the same bytes again");
        assert_eq!(storage.get("a").unwrap().as_deref(), Some(&b"first"[..]), "{faults:?}");

        let proxy = Proxy::start(server.address, faults.clone());
        let storage = open(&url(proxy.address, &format!("faults/{at}"))).unwrap();
        assert_eq!(storage.put_if_absent("a", b"second").unwrap(), Put::Exists, "{faults:?}: where it was taken");
    }
}

#[test]
fn a_store_that_never_answers_is_given_up_in_time() {
    let server = S3Server::start(Condition::Kept);
    let proxy = Proxy::start(server.address, vec![Fault::Conflict; 10_000]);
    let url = url(proxy.address, "never").replace("deadline_seconds=20", "deadline_seconds=1");
    let error = open(&url).unwrap().put_if_absent("a", b"1").unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    assert!(error.to_string().contains("s3://bucket/never/a"), "{error}");
}

#[test]
fn the_probe_refuses_a_server_that_does_not_keep_the_condition() {
    let kept = S3Server::start(Condition::Kept);
    probe(open(&url(kept.address, "kept")).unwrap().as_ref()).unwrap();
    let ignored = S3Server::start(Condition::Ignored);
    let error = probe(open(&url(ignored.address, "ignored")).unwrap().as_ref()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Invalid);
    assert!(error.to_string().contains("stored the same name twice"), "{error}");
}

#[test]
fn a_checkpoint_by_url_is_probed_before_the_program_starts() {
    let ignored = S3Server::start(Condition::Ignored);
    tidemill_store::register();
    let ssc = tidemill::StreamingContext::local(1, tidemill::seconds(1)).unwrap();
    let error = ssc.checkpoint(url(ignored.address, "checkpoint")).unwrap_err();
    assert!(error.to_string().contains("not safe for a checkpoint"), "{error}");
    let kept = S3Server::start(Condition::Kept);
    ssc.checkpoint(url(kept.address, "checkpoint")).unwrap();
}
