//! What a program takes of its machine, and what happens when there is no more. Cases have the number of the list of
//! faults they are from.

use crate::{
    processes::{is_alone, open_files, our_threads, resident_kb},
    trial::{Trial, variant},
};
use std::{path::Path, process::Command, sync::Arc};
use tidemill::{
    Config, Result, State, StateSpec,
    base::storage::{LocalStorage, Storage},
    io::RollingOptions,
    keys, seconds,
    testing::TestContext,
};

/// 31: there is no more memory for the process.
#[test]
fn a_program_that_gets_no_more_memory_ends_and_a_restart_counts_exactly() {
    let mut trial = Trial::new(31);
    trial.give(1);
    let mut program = trial.start();
    trial.until_written();
    assert_eq!(program.end("TERM").code(), Some(0), "{}", trial.log());
    trial.give(2);
    let mut limited = Command::new("sh");
    limited.args(["-c", "ulimit -v 3000000; exec \"$0\" \"$@\""]).arg(std::env::current_exe().unwrap());
    let ended = trial.start_by(limited, variant("hungry")).ended();
    let log = trial.log();
    // Two workers may say it at once, one in the midst of the other.
    let is_told = log.contains("memory allocation of ") && log.contains("268435456");
    assert!(!ended.success() && is_told, "{ended}: {log}");
    trial.end_exact();
}

/// Files of a checkpoint, and their bytes.
fn size(storage: &LocalStorage) -> (usize, u64) {
    let files = storage.list("").unwrap();
    (files.len(), files.iter().map(|file| file.bytes).sum())
}

/// Runs so many batches without a record, and holds what is in use after the first 500 against the end.
fn idle(batches: usize) -> Result<()> {
    let memory = Path::new("/dev/shm");
    let folder = if memory.is_dir() { tempfile::tempdir_in(memory)? } else { tempfile::tempdir()? };
    let storage = Arc::new(LocalStorage::create(folder.path().join("checkpoint"))?);
    let test = TestContext::with(
        Config::new().set(keys::BATCH_QUEUE_WARNING, 1_000_000).set(keys::MASTER, "local[1]"),
        seconds(1),
    );
    test.ssc().checkpoint_to(storage.clone())?;
    std::fs::create_dir(folder.path().join("in"))?;
    let lines = test.ssc().text_file_stream(folder.path().join("in").display().to_string());
    let number = |key: &usize, _: Option<u64>, count: &mut State<u64>| {
        count.update(count.get_option().unwrap_or(&0) + 1);
        format!("{key} {}", count.get())
    };
    let pairs = test.stream(vec![vec![1, 2, 3]]).map(|n: usize| (n, 1)).union(&lines.map(|line| (line.len(), 1)));
    let counted = pairs.map_with_state(StateSpec::function(number).timeout(seconds(100_000_000)));
    counted.save_as_rolling_files(folder.path().join("out").display().to_string(), RollingOptions::new());
    let run = |batches: usize| {
        for _ in 0..batches / 100 {
            test.clock().advance(seconds(99));
            test.advance(1)?;
        }
        test.run(1)
    };
    run(500)?;
    let (before, first) = ((our_threads().len(), open_files()), resident_kb());
    run(batches)?;
    let (after, last) = ((our_threads().len(), open_files()), resident_kb());
    assert_eq!(before, after, "threads and files");
    assert!(last < first + 8_192, "memory grew from {first} to {last} KB");
    let (files, bytes) = size(&storage);
    assert!(files < 300 && bytes < 300_000, "{files} files with {bytes} bytes");
    Ok(())
}

/// 29: nothing comes for a long time.
#[test]
fn idle_batches_leave_nothing_behind() -> Result<()> {
    if is_alone("limits::idle_batches_leave_nothing_behind") { idle(2_000) } else { Ok(()) }
}

#[test]
#[ignore = "the long run of the test above, for make soak"]
fn soak_of_idle_batches() -> Result<()> {
    if is_alone("limits::soak_of_idle_batches") { idle(1_000_000) } else { Ok(()) }
}
