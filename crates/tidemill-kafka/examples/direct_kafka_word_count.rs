//! Needs a Kafka (`make kafka`): counts the words of lines in a topic, as they come. Arguments: BROKERS TOPIC.
//!
//! Fill the topic with `tidemill gen words --rate 1000 --kafka BROKERS TOPIC`.

use std::process::ExitCode;
use tidemill::{Error, Result, StreamingContext, Text, seconds};
use tidemill_kafka::{KafkaSettings, KafkaSource};

fn run(brokers: &str, topic: &str) -> Result<()> {
    let ssc = StreamingContext::local(2, seconds(2))?;
    let stream = KafkaSource::new(KafkaSettings::new(brokers)).topics([topic]).stream::<(), Text>(&ssc)?;
    // Two outputs have them, and they are fetched once.
    let lines = stream.values().cache();
    lines.flat_map(|line| line.split(' ')).map(|word| (word, 1)).reduce_by_key(|a, b| a + b).print(10);
    lines.count().for_each_batch(move |counts, time| {
        println!("{counts:?} lines of {:?}", stream.offset_ranges(time));
        Ok::<(), Error>(())
    });
    ssc.start()?;
    ssc.await_termination()
}

fn main() -> ExitCode {
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    match arguments.as_slice() {
        [brokers, topic] => tidemill::exit(run(brokers, topic)),
        _ => tidemill::exit(Err(Error::invalid("give two arguments: BROKERS TOPIC"))),
    }
}
