//! `tidemill checkpoint` over checkpoints of real programs.

use crate::s3_server::{Condition, S3Server, SECRET, url};
use serde_json::Value;
use std::{
    fs,
    path::Path,
    process::{Command, Output},
};
use tempfile::TempDir;
use tidemill::{
    Config,
    base::storage::{LocalStorage, MemoryStorage, Storage},
    seconds,
    testing::TestContext,
};

pub(super) fn tidemill(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_tidemill")).args(arguments).output().unwrap()
}

pub(super) fn text(output: &Output) -> String {
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout.clone()).unwrap()
}

pub(super) fn json(output: &Output) -> Value {
    serde_json::from_str(&text(output)).unwrap()
}

/// The files of a storage, in a folder.
pub(super) fn in_folder(checkpoint: &MemoryStorage) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let local = LocalStorage::create(folder.path()).unwrap();
    for file in checkpoint.list("").unwrap() {
        local.put_if_absent(&file.name, &checkpoint.get(&file.name).unwrap().unwrap()).unwrap();
    }
    folder
}

/// A program that counts letters, and was closed.
fn counted(letters: &str) -> TempDir {
    let checkpoint = MemoryStorage::new();
    let test = TestContext::remembered_in(checkpoint.clone(), Config::new(), seconds(1));
    let input = test.stream(vec![letters.chars().map(|letter| (letter, 1)).collect()]);
    let counts = input.update_state_by_key(|new: &[i32], n: Option<usize>| Some(n.unwrap_or(0) + new.len()));
    test.collect(&counts.uid("counts"));
    test.run(2).unwrap();
    drop(test);
    in_folder(&checkpoint)
}

fn path(folder: &TempDir) -> &str {
    folder.path().to_str().unwrap()
}

#[test]
fn commits_are_listed() {
    let folder = counted("aab");
    let listed = text(&tidemill(&["checkpoint", "ls", path(&folder)]));
    assert!(listed.contains("BATCH (MS)") && listed.contains("1970-01-01 00:00:02 UTC"), "{listed}");
    let listed = json(&tidemill(&["checkpoint", "ls", "--json", path(&folder)]));
    assert_eq!(listed[0]["time"], 1_000);
    assert_eq!(listed[1]["time"], 2_000);
}

#[test]
fn all_that_is_known_is_shown() {
    let folder = counted("aab");
    let shown = text(&tidemill(&["checkpoint", "inspect", path(&folder)]));
    assert!(shown.contains("counts") && shown.contains("2000 ms") && shown.contains("live"), "{shown}");
    let shown = json(&tidemill(&["checkpoint", "inspect", path(&folder), "--json"]));
    assert_eq!(shown["operators"][0]["uid"], "counts");
    assert_eq!(shown["operators"][0]["keys"], 2);
}

#[test]
fn two_checkpoints_are_compared() {
    let (one, other) = (counted("aab"), counted("abc"));
    let shown = text(&tidemill(&["checkpoint", "diff", path(&one), path(&other)]));
    assert!(shown.contains("kept: operator \"counts\"") && shown.contains("keys of counts"), "{shown}");
    let shown = json(&tidemill(&["checkpoint", "diff", path(&one), path(&other), "--json"]));
    assert_eq!(shown["operators"][0]["keys"], serde_json::json!([2, 3]));
}

/// The file of the log with the highest number.
fn newest(folder: &Path) -> std::path::PathBuf {
    fs::read_dir(folder.join("log")).unwrap().map(|file| file.unwrap().path()).max().unwrap()
}

#[test]
fn a_checkpoint_in_an_object_store_is_looked_into_by_its_url() {
    let server = S3Server::start(Condition::Kept);
    let folder = counted("aab");
    let local = LocalStorage::create(folder.path()).unwrap();
    let url = url(server.address, "checkpoint");
    let remote = tidemill_store::open(&url).unwrap();
    for file in local.list("").unwrap() {
        remote.put_if_absent(&file.name, &local.get(&file.name).unwrap().unwrap()).unwrap();
    }
    let listed = json(&tidemill(&["checkpoint", "ls", "--json", &url]));
    assert_eq!(listed, json(&tidemill(&["checkpoint", "ls", "--json", path(&folder)])));
    assert!(text(&tidemill(&["checkpoint", "fsck", &url])).contains("nothing is lost"));
    let refused = tidemill(&["checkpoint", "ls", &url.replace("/checkpoint?", "/nothing-there?")]);
    let told = String::from_utf8(refused.stderr).unwrap();
    assert!(told.contains("there is no checkpoint in \"s3://bucket/nothing-there\""), "{told}");
    assert!(!told.contains(SECRET), "{told}");
}

#[test]
fn damage_is_named_and_is_exit_code_3() {
    let folder = counted("aab");
    let whole = text(&tidemill(&["checkpoint", "fsck", path(&folder)]));
    assert!(whole.contains("nothing is lost"), "{whole}");
    let file = newest(folder.path());
    let bytes = fs::read(&file).unwrap();
    fs::write(&file, &bytes[..bytes.len() - 1]).unwrap();
    let damaged = tidemill(&["checkpoint", "fsck", path(&folder)]);
    let told = String::from_utf8(damaged.stdout).unwrap();
    assert_eq!(damaged.status.code(), Some(3), "{told}");
    assert!(told.contains(file.file_name().unwrap().to_str().unwrap()) && told.contains("cut short"), "{told}");
    let damaged = tidemill(&["checkpoint", "fsck", "--json", path(&folder)]);
    let findings: Value = serde_json::from_slice(&damaged.stdout).unwrap();
    assert_eq!((damaged.status.code(), &findings[0]["severity"]), (Some(3), &Value::from("error")));
}

#[test]
fn a_place_without_a_checkpoint_is_an_error_and_nothing_is_made() {
    let folder = tempfile::tempdir().unwrap();
    let missing = folder.path().join("missing");
    for command in ["ls", "inspect", "fsck"] {
        let output = tidemill(&["checkpoint", command, missing.to_str().unwrap()]);
        assert_eq!(output.status.code(), Some(1));
        assert!(String::from_utf8(output.stderr).unwrap().contains("missing"));
    }
    assert!(!missing.exists());
    let output = tidemill(&["checkpoint", "ls", path(&folder)]);
    assert!(String::from_utf8(output.stderr).unwrap().contains("there is no checkpoint in"));
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
    assert_eq!(tidemill(&["checkpoint", "ls"]).status.code(), Some(2));
}
