//! `tidemill dlq` over the checkpoint of a program that put records aside.

use super::checkpoint::{in_folder, json, text, tidemill};
use std::fs;
use tempfile::TempDir;
use tidemill::{Config, Text, base::storage::MemoryStorage, keys, seconds, testing::TestContext};

/// Of three words two are no numbers.
fn put_aside_two() -> TempDir {
    let checkpoint = MemoryStorage::new();
    let config = Config::new().set(keys::DEAD_LETTER_ENABLED, true);
    let test = TestContext::remembered_in(checkpoint.clone(), config, seconds(1));
    let words = test.stream(vec![["1", "two", "three"].map(Text::from).to_vec()]);
    test.collect(&words.try_map(|word| word.parse::<i32>()));
    test.run(1).unwrap();
    drop(test);
    in_folder(&checkpoint)
}

#[test]
fn letters_are_listed_shown_and_given_back() {
    let folder = put_aside_two();
    let place = folder.path().to_str().unwrap();
    let listed = text(&tidemill(&["dlq", "ls", place]));
    assert!(listed.contains("two") && listed.contains("invalid digit"), "{listed}");
    assert_eq!(json(&tidemill(&["dlq", "ls", place, "--json"])).as_array().unwrap().len(), 2);
    let shown = text(&tidemill(&["dlq", "show", place, "1"]));
    assert!(shown.contains("operation") && shown.contains("invalid digit"), "{shown}");
    assert_eq!(json(&tidemill(&["dlq", "show", place, "2", "--json"]))[0]["number"], 2);

    let mut given: Vec<_> = text(&tidemill(&["dlq", "replay", place])).lines().map(str::to_owned).collect();
    given.sort();
    assert_eq!(given, ["three", "two"]);
    let into = folder.path().join("again");
    let into_text = into.to_str().unwrap();
    for _ in 0..2 {
        text(&tidemill(&["dlq", "replay", place, "1", "--into", into_text]));
    }
    assert_eq!(fs::read_dir(&into).unwrap().count(), 2);
    assert_eq!(fs::read_to_string(into.join("replay-2.txt")).unwrap().lines().count(), 1);
}

#[test]
fn a_letter_that_is_not_there_is_bad_usage() {
    let folder = put_aside_two();
    let place = folder.path().to_str().unwrap();
    for number in ["0", "3", "x"] {
        assert_eq!(tidemill(&["dlq", "show", place, number]).status.code(), Some(2), "{number}");
    }
}
