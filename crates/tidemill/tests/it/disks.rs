//! A program whose disk fails: it stops or goes on, and in either case a restart has every record once. Cases have the
//! number of the list of faults they are from.

use crate::{
    input_faults::{again, of_nobody},
    patience::until,
    trial::{Program, Trial, configured},
};
use std::{
    fs,
    os::unix::fs::{MetadataExt, PermissionsExt},
    path::{Path, PathBuf},
    process::Command,
    sync::OnceLock,
};
use tidemill::{
    Result,
    base::storage::{LocalStorage, Put, Storage, StorageRef, open_existing},
    checkpoint::{Inspection, Severity},
    seconds,
    testing::TestContext,
};

/// The library of `disks/faulty.c`, for `LD_PRELOAD`; the folder that it is in goes with the process.
pub(crate) fn faulty() -> &'static Path {
    static BUILT: OnceLock<(tempfile::TempDir, PathBuf)> = OnceLock::new();
    let (_, library) = BUILT.get_or_init(|| {
        let folder = tempfile::tempdir().unwrap();
        let library = folder.path().join("faulty.so");
        let source = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/disks/faulty.c");
        let built = Command::new("cc").args(["-shared", "-fPIC", "-O1", "-o"]).arg(&library).arg(source).status();
        assert!(built.unwrap().success());
        (folder, library)
    });
    library
}

/// A program in which the syncs of these numbers fail.
fn with_syncs_that_fail(trial: &Trial, first: usize, last: usize) -> Program {
    trial.start_with(|command| {
        command.env("LD_PRELOAD", faulty()).env("FAULTY_FROM", first.to_string()).env("FAULTY_TO", last.to_string());
        configured(&[("tidemill.batch.retryTimeout", "400ms")])(command);
    })
}

/// Nothing that the program relies on was lost; a sound start goes on.
fn end_undamaged(mut trial: Trial) {
    let storage = open_existing(&trial.path("checkpoint").display().to_string()).unwrap();
    let found = Inspection::of(&storage).unwrap();
    let damage: Vec<_> = found.findings.iter().filter(|finding| finding.severity == Severity::Error).collect();
    assert!(damage.is_empty(), "{damage:?}\n{}", trial.log());
    trial.end_exact();
}

/// 9: a sync fails once. What it was about is written anew.
#[test]
fn what_could_not_be_synced_once_is_written_anew() {
    let fails = |nth: usize| {
        let mut trial = Trial::new(900 + nth as u64);
        trial.give(2);
        let mut program = with_syncs_that_fail(&trial, nth, nth);
        let failed = format!("faulty: sync {nth} fails");
        until("a sync has failed", || trial.log().contains(&failed) || program.has_ended());
        trial.give(1);
        until("all is written", || {
            let (written, given) = trial.records.written();
            written >= given || program.has_ended()
        });
        // With an orderly end what was damaged before would not matter any more.
        if !program.has_ended() {
            program.end("KILL");
        }
        assert!(trial.log().contains(&failed), "{}", trial.log());
        end_undamaged(trial);
    };
    // The first ones are those of the start, which does not try again.
    std::thread::scope(|scope| {
        for trials in [[4, 11, 14], [9, 12, 19]] {
            let run = move || trials.into_iter().for_each(fails);
            std::thread::Builder::new().name("trials".into()).spawn_scoped(scope, run).unwrap();
        }
    });
}

/// 9: from some moment on every sync fails.
#[test]
fn a_disk_on_which_nothing_can_be_synced_any_more_ends_the_program_with_the_path() {
    let mut trial = Trial::new(9);
    trial.give(2);
    assert_eq!(with_syncs_that_fail(&trial, 20, usize::MAX >> 1).ended().code(), Some(1), "{}", trial.log());
    let log = trial.log();
    let told = log.lines().find(|line| line.contains("the program of a test has ended")).unwrap();
    assert!(told.contains("Input/output error") && told.contains(trial.path("").to_str().unwrap()), "{told}");
    assert!(log.contains("the program waits and tries again"), "{log}");
    end_undamaged(trial);
}

/// 9: the folder could not be synced after the file got its name, so that the name may be forgotten by a loss of power.
#[test]
fn a_name_that_could_not_be_synced_is_given_to_a_new_file() -> Result<()> {
    if std::env::var_os("TIDEMILL_TEST_ALONE").is_none() {
        // Synced are the folders above, the folder of the file, the file, and the folder once more.
        let run = format!("LD_PRELOAD={} FAULTY_FROM=4 FAULTY_TO=4", faulty().display());
        again("disks::a_name_that_could_not_be_synced_is_given_to_a_new_file", &run);
        return Ok(());
    }
    let folder = tempfile::tempdir()?;
    let storage = LocalStorage::create(folder.path().join("kept"))?;
    let file = || fs::metadata(folder.path().join("kept/a/1")).unwrap().ino();
    let error = storage.put_if_absent("a/1", b"one").unwrap_err();
    assert!(error.to_string().contains("Input/output error"), "{error}");
    let first = file();
    assert_eq!(storage.put_if_absent("a/1", b"two")?, Put::Exists);
    assert_eq!((file(), storage.get("a/1")?.as_deref()), (first, Some(&b"one"[..])), "it is not the same");
    storage.put_if_absent("a/2", b"two")?;
    assert_eq!(storage.put_if_absent("a/1", b"one")?, Put::Exists);
    let second = file();
    assert_eq!((second != first, storage.get("a/1")?.as_deref()), (true, Some(&b"one"[..])));
    assert_eq!((storage.put_if_absent("a/1", b"one")?, file()), (Put::Exists, second), "now it is known to be there");
    Ok(())
}

/// 10: the checkpoint is moved away under a running program, or only its log; nothing is made in its place.
#[test]
fn a_checkpoint_that_is_taken_away_ends_the_program_with_its_path_and_nothing_is_lost() {
    for (seed, taken) in [(11, "checkpoint"), (12, "checkpoint/log")] {
        let mut trial = Trial::new(seed);
        trial.give(2);
        let mut program = trial.start();
        trial.until_written();
        let (path, away) = (trial.path(taken), trial.path("away"));
        fs::rename(&path, &away).unwrap();
        trial.give(1);
        assert_eq!(program.ended().code(), Some(1), "{}", trial.log());
        let log = trial.log();
        let told = log.lines().find(|line| line.contains("the program of a test has ended")).unwrap();
        assert!(told.contains("No such file") && told.contains(path.to_str().unwrap()), "{told}");
        assert!(!path.exists(), "{told}");
        fs::rename(&away, &path).unwrap();
        trial.end_exact();
    }
}

/// 10: the checkpoint becomes read-only.
#[test]
fn a_checkpoint_that_may_not_be_written_any_more_fails_the_batch_with_its_path() -> Result<()> {
    if !of_nobody("disks::a_checkpoint_that_may_not_be_written_any_more_fails_the_batch_with_its_path") {
        return Ok(());
    }
    let folder = tempfile::tempdir()?;
    let mut seen = Vec::new();
    for start in 0..2 {
        let test = TestContext::new();
        let storage: StorageRef = std::sync::Arc::new(LocalStorage::create(folder.path())?);
        test.ssc().checkpoint_to(storage)?;
        let collected = test.collect(&test.stream((1..5).map(|n| vec![n]).collect()));
        test.run(1)?;
        if start == 0 {
            let log = folder.path().join("log");
            fs::set_permissions(&log, fs::Permissions::from_mode(0o500))?;
            test.advance(1)?;
            let error = test.ssc().await_termination_or_timeout(seconds(5)).unwrap_err();
            fs::set_permissions(&log, fs::Permissions::from_mode(0o700))?;
            assert!(error.to_string().contains(log.to_str().unwrap()), "{error}");
            assert!(error.to_string().contains("ermission denied"), "{error}");
        }
        seen.push(collected.batches());
    }
    assert_eq!(seen, [[[1]], [[2]]]);
    Ok(())
}
