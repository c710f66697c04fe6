//! `tidemill gen`: made-up data for trying programs out, to a socket, a topic or a folder.

mod files;
#[cfg(feature = "kafka")]
mod kafka;
mod made_up;
mod pace;
mod tcp;

use crate::{Failure, output::print};
use clap::{Args, ValueEnum};
use made_up::{Made, MadeUp};
use pace::Pace;
use signal_hook::consts::{SIGINT, SIGTERM};
use std::{
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};
use tidemill::Interrupt;

/// How many records are handed over at once at the most.
const BURST: u64 = 10_000;
/// How long it waits for what is due next, or for somebody to take it.
const PAUSE: Duration = Duration::from_millis(10);

/// Makes up records at a steady rate, until Ctrl-C or so many are made.
///
/// The same seed makes the same records, but for their times. `words` are lines of text; `clicks` JSON of a user, a page
/// and a time in ms; `payments` JSON of an id, a card, an amount, a merchant and a time, now and then with a spree of large
/// payments of one card, as of a thief.
#[derive(Args, Debug)]
pub(crate) struct Gen {
    /// What to make up.
    kind: Kind,
    /// Records per second; 0 for as many as are taken.
    #[arg(long, value_name = "N", default_value_t = 1_000)]
    rate: u64,
    /// Ends after so many records.
    #[arg(long, value_name = "N")]
    count: Option<u64>,
    /// Which records.
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,
    #[command(flatten)]
    place: Place,
    /// Sets a key of librdkafka for `--kafka`, such as security.protocol=SSL; may be given again.
    #[arg(long, value_name = "KEY=VALUE", value_parser = key_and_value)]
    set: Vec<(String, String)>,
}

fn key_and_value(text: &str) -> Result<(String, String), String> {
    let (key, value) = text.split_once('=').ok_or("it is no KEY=VALUE")?;
    Ok((key.to_owned(), value.to_owned()))
}

/// What records are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Kind {
    Words,
    Clicks,
    Payments,
}

/// Where records go: one of them.
#[derive(Args, Debug)]
#[group(required = true, multiple = false)]
struct Place {
    /// Serves lines on this port of 127.0.0.1 (0 for a free one) to whoever connects, while somebody is connected. Who
    /// reads too slowly misses some, but at rate 0.
    #[arg(long, value_name = "PORT")]
    tcp: Option<u16>,
    /// Writes to a topic of Kafka; clicks have the user as key, payments the card.
    #[arg(long, num_args = 2, value_names = ["BROKERS", "TOPIC"])]
    kafka: Option<Vec<String>>,
    /// Writes files of lines into a folder: one a second, which appears when it is complete.
    #[arg(long, value_name = "DIR")]
    files: Option<PathBuf>,
}

/// What takes records.
trait Destination {
    /// How many it has room for now, up to `wanted`; 0 while nobody takes any.
    fn room(&mut self, wanted: u64) -> u64 {
        wanted
    }

    fn take(&mut self, records: Vec<Made>) -> Result<(), Failure>;

    /// No more come.
    fn finish(&mut self) -> Result<(), Failure>;
}

impl Gen {
    pub(crate) fn run(&self) -> Result<u8, Failure> {
        let stop = stop_flag()?;
        let (mut destination, told) = self.destination()?;
        print(format!("{told}; Ctrl-C ends it\n").as_bytes())?;
        let made = self.make(&mut *destination, &stop);
        // What is half done is not left lying about, whatever happened.
        let finished = destination.finish();
        let made = made.and_then(|made| finished.map(|()| made))?;
        print(format!("{made} records were made\n").as_bytes()).map(|()| 0)
    }

    fn make(&self, destination: &mut dyn Destination, stop: &AtomicBool) -> Result<u64, Failure> {
        let (mut source, mut pace, pause) = (MadeUp::new(self.kind, self.seed), Pace::new(self.rate), Interrupt::new());
        let mut made = 0;
        while !stop.load(Ordering::Relaxed) && self.count.is_none_or(|count| made < count) {
            let left = self.count.map_or(BURST, |count| (count - made).min(BURST));
            let due = pace.due(left);
            let burst = destination.room(due);
            if burst == 0 {
                if due > 0 {
                    pace.skip();
                }
                pause.wait_timeout(PAUSE);
                continue;
            }
            destination.take((0..burst).map(|_| source.next_record()).collect())?;
            pace.made(burst);
            made += burst;
        }
        Ok(made)
    }

    /// Where records go, and what the user is told of it.
    fn destination(&self) -> Result<(Box<dyn Destination>, String), Failure> {
        let Place { tcp, kafka, files } = &self.place;
        if kafka.is_none() && !self.set.is_empty() {
            return Err(Failure::new(2, "--set is for --kafka only"));
        }
        if let Some(port) = tcp {
            let served = tcp::Served::start(*port, self.rate == 0)?;
            let told = format!("lines for whoever connects to 127.0.0.1:{}", served.port());
            return Ok((Box::new(served), told));
        }
        if let Some(folder) = files {
            let told = format!("files appear in \"{}\"", folder.display());
            return Ok((Box::new(files::Folder::new(folder, self.kind)?), told));
        }
        kafka_topic(kafka.as_deref().unwrap_or_default(), &self.set)
    }
}

#[cfg(feature = "kafka")]
fn kafka_topic(place: &[String], set: &[(String, String)]) -> Result<(Box<dyn Destination>, String), Failure> {
    let [brokers, topic] = place else { return Err(Failure::new(2, "--kafka needs brokers and a topic")) };
    let told = format!("records go to the topic \"{topic}\" at \"{brokers}\"");
    Ok((Box::new(kafka::Topic::new(brokers, topic, set)?), told))
}

#[cfg(not(feature = "kafka"))]
fn kafka_topic(_place: &[String], _set: &[(String, String)]) -> Result<(Box<dyn Destination>, String), Failure> {
    Err(Failure::new(2, "this command was built without Kafka; build it with the feature \"kafka\""))
}

/// Raised by the first signal; the second ends the process as if nobody listened.
fn stop_flag() -> Result<Arc<AtomicBool>, Failure> {
    let stop = Arc::new(AtomicBool::new(false));
    for signal in [SIGINT, SIGTERM] {
        let registered = signal_hook::flag::register_conditional_default(signal, stop.clone())
            .and_then(|_| signal_hook::flag::register(signal, stop.clone()));
        registered.map_err(|error| Failure::new(1, format!("cannot watch for signals: {error}")))?;
    }
    Ok(stop)
}
