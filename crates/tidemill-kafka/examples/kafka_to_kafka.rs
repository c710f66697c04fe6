//! Needs a Kafka (`make kafka`): counts records by key, exactly once. Reads `id key` values, and writes `id key count`
//! values, where count is the record's number among those of its key. Arguments: BROKERS IN_TOPIC OUT_TOPIC CHECKPOINT.
//!
//! Kill the program as often as you like: started again with the same arguments it goes on as if nothing had happened, for
//! readers of OUT_TOPIC with `isolation.level=read_committed`. The records of a key are there in the order of IN_TOPIC.

use std::process::ExitCode;
use tidemill::{Error, Result, State, StateSpec, StreamingContext, Text, milliseconds};
use tidemill_kafka::{KafkaSettings, KafkaSource, KafkaStreamExt as _, ProducerRecord, StartingOffsets};

/// The key of a record, and its id.
fn record(value: Text) -> Result<(Text, Text)> {
    let mut fields = value.split(' ');
    match (fields.next(), fields.next(), fields.next()) {
        (Some(id), Some(key), None) => Ok((key, id)),
        _ => Err(Error::data(format!("\"{value}\" is not an id and a key"))),
    }
}

/// The record with its number among those of its key, from 1; and the key, which decides the partition.
fn number(key: &Text, id: Option<Text>, count: &mut State<u64>) -> (Text, String) {
    let number = count.get_option().unwrap_or(&0) + 1;
    count.update(number);
    (key.clone(), format!("{} {key} {number}", id.unwrap_or_default()))
}

fn program([brokers, input, output, _]: &[String; 4]) -> Result<StreamingContext> {
    let ssc = StreamingContext::local(2, milliseconds(100))?;
    let settings = KafkaSettings::new(brokers);
    let source = KafkaSource::new(settings.clone()).topics([input]).starting(StartingOffsets::Earliest);
    let records = source.stream::<(), Text>(&ssc)?.values().try_map(record);
    let counted = records.map_with_state(StateSpec::function(number)).uid("counts");
    counted.to_kafka(&settings, output, |(key, line)| ProducerRecord::new(line).key(key));
    Ok(ssc)
}

fn run(arguments: &[String; 4]) -> Result<()> {
    let ssc = StreamingContext::get_or_create(&arguments[3], || program(arguments))?;
    ssc.start()?;
    let ended = ssc.await_termination();
    println!("stopped after {}", ssc.progress());
    ended
}

fn main() -> ExitCode {
    match <[String; 4]>::try_from(std::env::args().skip(1).collect::<Vec<_>>()) {
        Ok(arguments) => tidemill::exit(run(&arguments)),
        Err(_) => tidemill::exit(Err(Error::invalid("give four arguments: BROKERS IN_TOPIC OUT_TOPIC CHECKPOINT"))),
    }
}
