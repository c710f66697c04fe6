//! The ids of topics, by which one that was deleted and made anew under its old name is told from itself.
//!
//! The library knows them and tells of them nowhere but in its debug log, so that is where they are read. A version of it
//! that says it in other words costs the ids and no more: then a topic that was made anew is only noticed by its offsets.

use crate::{client::ClientLog, lock::lock, settings::KafkaSettings};
use rdkafka::{
    ClientContext, TopicPartitionList,
    config::RDKafkaLogLevel,
    consumer::ConsumerContext,
    error::{KafkaError, KafkaResult},
};
use std::{
    collections::BTreeMap,
    sync::{
        Mutex, MutexGuard,
        atomic::{AtomicI64, Ordering},
    },
};
use tidemill::Error;

/// The ids of topics by their names.
pub(super) type TopicIds = BTreeMap<String, String>;

/// The id of a topic that the library does not know the id of.
const NO_ID: &str = "AAAAAAAAAAAAAAAAAAAAAA";

/// The log of the client that asks, which is read for ids, and what is known of its commits.
pub(super) struct WatchLog {
    log: ClientLog,
    /// Whether the user asked for the debug log.
    shows_debug: bool,
    ids: Mutex<TopicIds>,
    commits_under_way: AtomicI64,
}

impl WatchLog {
    pub(super) fn new(settings: &KafkaSettings, log: ClientLog) -> Self {
        let shows_debug = settings.get("debug").is_some();
        Self { log, shows_debug, ids: Mutex::default(), commits_under_way: AtomicI64::new(0) }
    }

    /// What makes the library tell of ids.
    pub(super) fn engine_settings(&self, settings: &KafkaSettings) -> Vec<(&'static str, String)> {
        let debug = settings.get("debug").map_or_else(|| "metadata".into(), |debug| format!("{debug},metadata"));
        vec![("debug", debug)]
    }

    pub(super) fn complaint(&self) -> String {
        self.log.complaint()
    }

    pub(super) fn explained(&self, error: Error) -> Error {
        self.log.explained(error)
    }

    /// The ids that are known.
    pub(super) fn ids(&self) -> TopicIds {
        self.lock().clone()
    }

    pub(super) fn commit_sent(&self) {
        self.commits_under_way.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn commits_under_way(&self) -> bool {
        self.commits_under_way.load(Ordering::Relaxed) > 0
    }

    fn lock(&self) -> MutexGuard<'_, TopicIds> {
        lock(&self.ids)
    }
}

/// The topic and its new id, if the line tells of one.
fn changed_id(line: &str) -> Option<(&str, &str)> {
    let (before, change) = line.split_once(" changed id from ")?;
    let topic = before.rsplit_once("Topic ").map_or(before, |(_, topic)| topic);
    let id = change.split_once(" to ")?.1.trim();
    (id != NO_ID).then_some((topic, id))
}

impl ClientContext for WatchLog {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, line: &str) {
        if let Some((topic, id)) = changed_id(line) {
            self.lock().insert(topic.to_owned(), id.to_owned());
        }
        if self.shows_debug || !matches!(level, RDKafkaLogLevel::Debug) {
            self.log.log(level, facility, line);
        }
    }

    fn error(&self, error: KafkaError, reason: &str) {
        self.log.error(error, reason);
    }

    fn stats_raw(&self, statistics: &[u8]) {
        self.log.stats_raw(statistics);
    }
}

impl ConsumerContext for WatchLog {
    fn commit_callback(&self, result: KafkaResult<()>, offsets: &TopicPartitionList) {
        self.commits_under_way.fetch_sub(1, Ordering::Relaxed);
        self.log.commit_callback(result, offsets);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_read_from_the_log() {
        let line = "[thrd:main]: Topic clicks.eu changed id from AAAAAAAAAAAAAAAAAAAAAA to 5Z3nQ8yhTlWcUQyVb0pY1A";
        assert_eq!(changed_id(line), Some(("clicks.eu", "5Z3nQ8yhTlWcUQyVb0pY1A")));
        assert_eq!(changed_id("[thrd:main]: Topic clicks changed id from 5Z3 to AAAAAAAAAAAAAAAAAAAAAA"), None);
        assert_eq!(changed_id("[thrd:main]: Topic clicks partition 3 Leader 1"), None);
    }
}
