//! Where a checkpoint may be.

use super::*;
use crate::{
    ErrorKind,
    base::storage::{MemoryStorage, Put, Storage},
};

#[test]
fn a_path_and_a_file_url_are_the_same_directory() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("kept");
    let by_path = CheckpointDirectory::create(&path).unwrap();
    assert_eq!(by_path.storage().put_if_absent("a", b"1").unwrap(), Put::Stored);
    let by_url = CheckpointDirectory::create(Path::new(&format!("file://{}", path.display()))).unwrap();
    assert_eq!(by_url.storage().put_if_absent("a", b"2").unwrap(), Put::Exists);
    assert_eq!(by_url.path(), by_path.path());
}

#[test]
fn another_storage_is_probed_before_it_is_used() {
    let storage = MemoryStorage::new();
    let probed = storage.clone();
    storage::register("checkpoint-trial", move |_| Ok(Arc::new(probed.clone())));
    let directory = CheckpointDirectory::create(Path::new("checkpoint-trial://bucket/kept")).unwrap();
    assert_eq!(directory.path(), None);
    assert_eq!(storage.list("").unwrap(), [], "the probe is gone");

    let error = CheckpointDirectory::create(Path::new("s3://bucket/kept?key=CANARY")).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Invalid);
    let text = error.to_string();
    assert!(text.starts_with("the checkpoint: ") && text.contains("tidemill_store::register()"), "{text}");
    assert!(!text.contains("CANARY"), "{text}");
}
