//! Counts words over all batches, with state that stays in the workers. Arguments: HOST PORT, or nothing.

use tidemill::{Result, State, StateSpec, StreamingContext, Text, seconds, testing::TextServer};

/// The count of `word` so far, this record included.
fn count(word: &Text, ones: Option<u64>, state: &mut State<u64>) -> (Text, u64) {
    let sum = state.get_option().copied().unwrap_or(0) + ones.unwrap_or(0);
    state.update(sum);
    (word.clone(), sum)
}

fn main() -> Result<()> {
    let (host, port) = TextServer::address_from_args()?;
    let ssc = StreamingContext::local(2, seconds(1))?;
    ssc.checkpoint(std::env::temp_dir().join("tidemill-stateful-word-count"))?;
    let known = ssc.context().parallelize(vec![(Text::from("tide"), 1_000), (Text::from("mill"), 1_000)], 2);

    let words = ssc.socket_text_stream(host, port).flat_map(|line| line.split(' ')).map(|word| (word, 1u64));
    // The name by which its state is known, whatever the port of the next run.
    let counts = words.map_with_state(StateSpec::function(count).initial_state(&known)).state_snapshots();
    counts.uid("counts").print(10);

    ssc.start()?;
    ssc.await_termination()?;
    eprintln!("stopped after {}", ssc.progress());
    Ok(())
}
