//! Programs that are aborted between any two of their durable steps.

use std::{fs, path::Path, sync::Arc};
use tidemill::{
    Context, Error, ManualClock, Result, State, StateSpec, StreamingContext, Time,
    base::Config,
    io::RollingOptions,
    keys, seconds,
    testing::{CrashRun, crash_everywhere},
};

/// Three batches of words, then silence.
fn words() -> Vec<Vec<(String, u64)>> {
    let batch = |words: &str| words.split_whitespace().map(|word| (word.to_owned(), 1)).collect::<Vec<_>>();
    ["a b a c", "b", "c a d d", "", ""].map(batch).to_vec()
}

#[test]
fn state_and_a_directory_for_each_batch() {
    crash_everywhere(
        |run| {
            let number = |word: &String, _: Option<u64>, count: &mut State<u64>| {
                count.update(count.get_option().unwrap_or(&0) + 1);
                format!("{word} {}", count.get())
            };
            let counted = run.input().map_with_state(StateSpec::function(number));
            counted.save_as_text_files(run.path("numbers"), "txt");
            Ok(())
        },
        words(),
    );
}

/// Leaves a log of another program in the checkpoint of the run, if that has none. Its state has the same keys and types, and
/// its second batch is not done.
fn leave_an_unfinished_run(run: &CrashRun<(String, u64)>) -> Result<()> {
    let (log, elsewhere) = (run.folder().join("../checkpoint/log"), run.folder().join(".elsewhere"));
    if log.exists() {
        return Ok(());
    }
    let _ = fs::remove_dir_all(&elsewhere);
    run_to_a_failure(&elsewhere)?;
    fs::rename(elsewhere.join("log"), log).map_err(Error::from)
}

fn run_to_a_failure(checkpoint: &Path) -> Result<()> {
    let config = Config::new().set(keys::MASTER, "local[2]").set(keys::SHUTDOWN_SIGNALS, false);
    let clock = ManualClock::new(Time::from_ms(0));
    let ssc = StreamingContext::with_clock(&Context::new(config)?, seconds(1), Arc::new(clock.clone()))?;
    ssc.checkpoint(checkpoint)?;
    let count = |_: &String, _: Option<u64>, count: &mut State<u64>| {
        count.update(1_000);
        *count.get()
    };
    let letters = ssc.generate_stream(1_000, |number| (["a", "b", "c"][number as usize % 3].to_owned(), number));
    let counted = letters.map_with_state(StateSpec::function(count));
    counted.uid("counts").foreach_rdd(|rdd, time| match rdd.count() {
        Ok(_) if time > Time::from_ms(1_000) => Err(Error::user("broken")),
        counted => counted.map(drop),
    });
    ssc.start()?;
    clock.advance(seconds(2));
    assert!(ssc.await_termination().is_err());
    Ok(())
}

#[test]
fn a_run_that_begins_afresh_where_another_was_left() {
    crash_everywhere(
        |run| {
            // The first start that the checkpoint knows is the other program's.
            run.ssc().leave_behind(1)?;
            leave_an_unfinished_run(run)?;
            let number = |word: &String, _: Option<u64>, count: &mut State<u64>| {
                count.update(count.get_option().unwrap_or(&0) + 1);
                format!("{word} {}", count.get())
            };
            let counted = run.input().map_with_state(StateSpec::function(number)).uid("counts");
            counted.save_as_text_files(run.path("numbers"), "txt");
            Ok(())
        },
        // Two of its five batches are before the new run's first.
        words(),
    );
}

#[test]
fn timeouts_and_a_file_that_rolls() {
    crash_everywhere(
        |run| {
            let session = |word: &String, one: Option<u64>, count: &mut State<u64>| match one {
                Some(one) => {
                    count.update(count.get_option().unwrap_or(&0) + one);
                    format!("{word} {}", count.get())
                }
                None => format!("{word} ended at {}", count.get()),
            };
            let sessions = run.input().map_with_state(StateSpec::function(session).timeout(seconds(1)));
            sessions.save_as_rolling_files(run.path("sessions"), RollingOptions::new().max_age(seconds(2)));
            Ok(())
        },
        words(),
    );
}

#[test]
fn windows_with_and_without_an_inverse_and_the_whole_state() {
    crash_everywhere(
        |run| {
            let words = run.input();
            let sums = words.reduce_by_key_and_window_inverse(|a, b| a + b, |a, b| a - b, seconds(3), None);
            let most = words.reduce_by_key_and_window(u64::max, seconds(2), seconds(2));
            let joined = words.window(seconds(2), None).map(|(word, _)| word).count_by_value();
            let totals = words.update_state_by_key(|ones: &[u64], sum: Option<u64>| {
                Some(sum.unwrap_or(0) + ones.iter().sum::<u64>()).filter(|sum| *sum < 4)
            });
            sums.save_as_text_files(run.path("sums"), "");
            most.save_as_text_files(run.path("most"), "");
            joined.save_as_text_files(run.path("joined"), "");
            totals.save_as_rolling_json_lines(run.path("totals"), RollingOptions::new().max_rows(3));
            Ok(())
        },
        words(),
    );
}

#[test]
fn two_outputs_of_one_state() {
    crash_everywhere(
        |run| {
            let last = |word: &String, one: Option<u64>, state: &mut State<u64>| {
                state.update(one.unwrap_or(0));
                word.clone()
            };
            let mapped = run.input().map_with_state(StateSpec::function(last));
            let _ = mapped.uid("last");
            mapped.save_as_text_files(run.path("mapped"), "");
            // As text: keys may come in another order after a restart.
            mapped.state_snapshots().save_as_text_files(run.path("snapshots"), "");
            Ok(())
        },
        words(),
    );
}
