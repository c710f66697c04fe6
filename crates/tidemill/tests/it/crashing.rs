//! Programs that are aborted between any two of their durable steps.

use tidemill::{State, StateSpec, StreamingContext, io::RollingOptions, seconds, testing::crash_everywhere};

/// Four batches of words, then silence.
fn words() -> Vec<Vec<(String, u64)>> {
    let batch = |words: &str| words.split_whitespace().map(|word| (word.to_owned(), 1)).collect::<Vec<_>>();
    ["a b a c", "b", "", "c a d d", "", ""].map(batch).to_vec()
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
            let mapped = run.input().map_with_state(StateSpec::function(last)).uid("last");
            mapped.save_as_text_files(run.path("mapped"), "");
            mapped.state_snapshots().save_as_object_files(run.path("snapshots"), "");
            let _: &StreamingContext = run.ssc();
            Ok(())
        },
        words(),
    );
}
