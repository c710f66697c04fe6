//! The happiest words of the last five seconds: joins the stream with a table. Arguments: HOST PORT, or nothing.

use tidemill::{Error, Result, StreamingContext, Text, seconds, testing::TextServer};

/// Words and how glad they make, from -5 to 5.
const LEXICON: &str = "tide 2\nmill 1\nflour 3\nstone -1\nsea 4\nmoon 5\nriver 2\nshuffle -3\nwater 1\ngrain 2\nclock -2";

fn main() -> Result<()> {
    let (host, port) = TextServer::address_from_args()?;
    let ssc = StreamingContext::local(2, seconds(1))?;
    let feelings: Vec<(Text, i64)> = LEXICON
        .lines()
        .filter_map(|line| line.split_once(' '))
        .filter_map(|(word, feeling)| Some((Text::from(word), feeling.parse().ok()?)))
        .collect();
    let feelings = ssc.context().parallelize(feelings, 2).cache();

    ssc.socket_text_stream(host, port)
        .flat_map(|line| line.split(' '))
        .map(|word| (word, 1i64))
        .reduce_by_key_and_window(|a, b| a + b, seconds(5), seconds(5))
        .transform(move |counts, _time| {
            let gladness = counts.join(&feelings).map(|(word, (count, feeling))| (count * feeling, word));
            gladness.sort_by_key(false, 1)
        })
        .foreach_rdd(|happiest, time| {
            println!("{time}: the happiest words");
            for (gladness, word) in happiest.take(5)? {
                println!("  {word} ({gladness})");
            }
            Ok::<_, Error>(())
        });
    ssc.start()?;
    ssc.await_termination()
}
