//! HDFS, against a real one.

use crate::hadoop::Hadoop;
use hdfs_native::{Client, ClientBuilder, WriteOptions};
use std::{
    future::Future,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};
use tidemill::{
    ErrorKind,
    base::{
        clock::Stopwatch,
        storage::{Put, probe},
    },
    testing::{FlakyStorage, RetryingStorage, check_storage},
};
use tidemill_store::open;

/// One test, for it takes seconds to start what it needs.
#[test]
fn hdfs_keeps_the_contract() {
    let mut hadoop = Hadoop::start();
    check_storage(|| open(&hadoop.url("contract/deep")).unwrap());
    let seeds = AtomicU64::new(0);
    check_storage(|| {
        let flaky = FlakyStorage::seeded(open(&hadoop.url("flaky")).unwrap(), seeds.fetch_add(1, Ordering::Relaxed));
        Arc::new(RetryingStorage::new(Arc::new(flaky), 30))
    });
    probe(open(&hadoop.url("probed")).unwrap().as_ref()).unwrap();
    modes(&hadoop);
    left_overs(&hadoop);
    a_checkpoint(&hadoop);
    down(&mut hadoop);
}

fn client(hadoop: &Hadoop) -> Client {
    ClientBuilder::new().with_url(hadoop.root()).build().unwrap()
}

fn wait<R>(future: impl Future<Output = R>) -> R {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(future)
}

/// Nobody else reads what is kept; and a second put of the same bytes is no success.
fn modes(hadoop: &Hadoop) {
    let storage = open(&hadoop.url("modes/of")).unwrap();
    assert_eq!(storage.put_if_absent("a/b/c", b"1").unwrap(), Put::Stored);
    assert_eq!(storage.put_if_absent("a/b/c", b"1").unwrap(), Put::Exists);
    let client = client(hadoop);
    for (path, mode) in [("", 0o700), ("/a", 0o700), ("/a/b", 0o700), ("/a/b/c", 0o600), ("/.incomplete", 0o700)] {
        let status = wait(client.get_file_info(&format!("/modes/of{path}"))).unwrap();
        assert_eq!(status.permission & 0o777, mode, "\"{path}\"");
    }
    let incomplete = wait(client.list_status("/modes/of/.incomplete", false)).unwrap();
    assert!(incomplete.is_empty(), "left behind: {incomplete:?}");
}

/// What a process that died left is never listed, and is deleted when it is old.
fn left_overs(hadoop: &Hadoop) {
    let (client, root) = (client(hadoop), "/left/.incomplete");
    wait(client.mkdirs(root, 0o700, true)).unwrap();
    for name in ["old", "new"] {
        let path = format!("{root}/{name}");
        wait(async {
            let mut writer = client.create(&path, WriteOptions::default()).await?;
            writer.write_bytes("half".into()).await?;
            writer.close().await
        })
        .unwrap();
    }
    wait(client.set_times(&format!("{root}/old"), 1_000, 1_000)).unwrap();
    let storage = open(&hadoop.url("left")).unwrap();
    assert_eq!(storage.list("").unwrap(), []);
    assert_eq!(storage.put_if_absent("a", b"1").unwrap(), Put::Stored);
    let left: Vec<_> = wait(client.list_status(root, false)).unwrap().into_iter().map(|file| file.path).collect();
    assert_eq!(left, [format!("{root}/new")]);
}

fn a_checkpoint(hadoop: &Hadoop) {
    tidemill_store::register();
    let ssc = tidemill::StreamingContext::local(1, tidemill::seconds(1)).unwrap();
    ssc.checkpoint(hadoop.url("checkpoint")).unwrap();
}

/// Without a DataNode nothing can be stored, without a NameNode nothing at all; both are told in time.
fn down(hadoop: &mut Hadoop) {
    let url = hadoop.url("down").replace("deadline_seconds=40", "deadline_seconds=5");
    let storage = open(&url).unwrap();
    hadoop.end_data_node();
    let since = Stopwatch::start();
    let error = storage.put_if_absent("a", b"1").unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}");
    assert_eq!(storage.get("a").unwrap(), None, "no half of it is there");
    hadoop.end_name_node();
    let error = storage.get("a").unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}");
    assert!(error.to_string().contains(&format!("{}/down/a", hadoop.root())), "{error}");
    assert!(since.elapsed() < Duration::from_secs(20), "{:?}", since.elapsed());
}
