//! The most popular hashtags of the last ten seconds, every two: a sliding window with an inverse function.

use tidemill::{Result, StreamingContext, Text, seconds};

const TAGS: [&str; 8] = ["#rust", "#tide", "#mill", "#streams", "#batch", "#spark", "#state", "#window"];

/// Message number `n`: what is popular changes every few seconds.
fn message(n: u64) -> Text {
    let popular = TAGS[(n / 20_000) as usize % TAGS.len()];
    let other = TAGS[(n.wrapping_mul(2_654_435_761) >> 7) as usize % TAGS.len()];
    Text::from(format!("message {n} is about {other} and {popular}"))
}

fn main() -> Result<()> {
    let ssc = StreamingContext::local(2, seconds(1))?;
    ssc.checkpoint(std::env::temp_dir().join("tidemill-windowed-top-k"))?;
    ssc.generate_stream(5_000, message)
        .flat_map(|message| message.split(' '))
        .filter(|word| word.starts_with('#'))
        .map(|tag| (tag, 1u64))
        .reduce_by_key_and_window_inverse(|a, b| a + b, |a, b| a - b, seconds(10), seconds(2))
        .transform(|counts, _time| counts.sort_by(|(_, count)| *count, false, 1))
        .print(3);
    ssc.start()?;
    ssc.await_termination()?;
    eprintln!("stopped after {}", ssc.progress());
    Ok(())
}
