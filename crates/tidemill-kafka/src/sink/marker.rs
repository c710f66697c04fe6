//! The mark by which a sink knows a batch again: an offset of a consumer group of its own, committed in the transaction of
//! the batch.
//!
//! Each process of a program has one: the group `tidemill.<job>.<output>.<process>`, partition 0 of the sink's topic. The
//! offset is the time of the last batch that the process has committed; its metadata says how many processes there are,
//! and which start of the program wrote it.

use super::call::Call;
use crate::{
    client::{self, ClientLog},
    settings::KafkaSettings,
};
use rdkafka::{
    Offset, TopicPartitionList,
    consumer::{BaseConsumer, Consumer, ConsumerGroupMetadata},
};
use serde::{Deserialize, Serialize};
use std::{fmt, sync::Arc, time::Duration};
use tidemill::{Error, ErrorKind, Interrupt, Result, Time, base::clock::Stopwatch};

/// How long a mark that could not be read is left alone.
const AGAIN_AFTER: Duration = Duration::from_millis(100);

/// How long the client is listened to after that.
const HEARING: Duration = Duration::from_millis(10);

/// How long one attempt to read it may take, before the client is asked whether it is let in at all.
const LOOK: Duration = Duration::from_secs(5);

/// What the last transaction of a process left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Marker {
    /// The last batch that is committed.
    pub(super) time: Time,
    pub(super) of: Origin,
}

/// Who left it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Origin {
    pub(super) processes: usize,
    pub(super) epoch: u64,
    /// Which of the runs with this epoch, if there are copies of a checkpoint; 0 in marks of before it was written down.
    #[serde(default)]
    pub(super) run: u64,
}

impl Marker {
    fn parse(offset: Offset, metadata: &str) -> Result<Option<Self>> {
        let Offset::Offset(ms) = offset else { return Ok(None) };
        let unreadable = || format!("the mark \"{metadata}\" at {ms} was not written by tidemill");
        let time = u64::try_from(ms).map_err(|error| Error::data(unreadable()).with_source(error))?;
        let of = serde_json::from_str(metadata).map_err(|error| Error::data(unreadable()).with_source(error))?;
        Ok(Some(Self { time: Time::from_ms(time), of }))
    }

    /// As the offset of a partition.
    pub(super) fn offsets(&self, topic: &str) -> Result<TopicPartitionList> {
        let metadata = serde_json::to_string(&self.of)
            .map_err(|error| Error::internal("a mark could not be encoded").with_source(error))?;
        let ms = i64::try_from(self.time.as_ms())
            .map_err(|error| Error::invalid("a batch time is no offset").with_source(error))?;
        let mut list = TopicPartitionList::new();
        list.add_partition(topic, 0).set_metadata(metadata);
        list.set_partition_offset(topic, 0, Offset::Offset(ms))
            .map_err(|error| Error::internal("a mark is no offset").with_source(error))?;
        Ok(list)
    }
}

/// Where the mark of one process is kept: a consumer that never consumes.
pub(super) struct MarkerGroup {
    settings: KafkaSettings,
    topic: String,
    group: String,
    log: ClientLog,
    consumer: Arc<BaseConsumer<ClientLog>>,
}

impl MarkerGroup {
    /// Offsets of a transaction that is not decided yet are waited for.
    pub(super) fn new(settings: &KafkaSettings, topic: &str, group: String, log: ClientLog) -> Result<Self> {
        Self::with_isolation("read_committed", settings, topic, group, log)
    }

    /// What was decided last, whatever is still open: before a start has taken the transactional id nobody may end what an
    /// earlier one has left.
    pub(super) fn last(settings: &KafkaSettings, topic: &str, group: String, log: ClientLog) -> Result<Option<Marker>> {
        Self::with_isolation("read_uncommitted", settings, topic, group, log)?.read()
    }

    fn with_isolation(
        isolation: &str,
        settings: &KafkaSettings,
        topic: &str,
        group: String,
        log: ClientLog,
    ) -> Result<Self> {
        let consumer = Arc::new(settings.consumer(&group, &[("isolation.level", isolation)], log.clone())?);
        Ok(Self { settings: settings.clone(), topic: topic.to_owned(), group, log, consumer })
    }

    /// What is there, once every transaction that could change it is decided.
    ///
    /// # Errors
    /// Unavailable, if the cluster does not tell for as long as a call may take; Invalid, if it does not let the client in;
    /// Data, if it is no mark.
    pub(super) fn read(&self) -> Result<Option<Marker>> {
        let (since, timeout) = (Stopwatch::start(), self.settings.timeout());
        loop {
            let left = timeout.saturating_sub(since.elapsed());
            match self.try_read(left.min(LOOK)) {
                // A group that is used for the first time, or whose broker has just come back, needs a moment.
                Err(error) if error.kind() == ErrorKind::Unavailable && !left.is_zero() => {
                    Interrupt::new().wait_timeout(AGAIN_AFTER.min(left));
                }
                Err(error) if error.kind() == ErrorKind::Unavailable => {
                    return Err(error.context(
                        "no broker answers, or none with an answer that is final; if they are there, a transaction may hang \
                         that nobody ends (kafka-transactions.sh find-hanging)",
                    ));
                }
                read => return read,
            }
        }
    }

    fn try_read(&self, timeout: Duration) -> Result<Option<Marker>> {
        let attempted = format!("the mark in the group \"{}\" could not be read", self.group);
        let mut asked = TopicPartitionList::new();
        asked.add_partition(&self.topic, 0);
        let consumer = self.consumer.clone();
        let asked = Call::new(&self.settings, &attempted).run(move || consumer.committed_offsets(asked, timeout));
        client::hear(&self.consumer, HEARING);
        let list = asked.map_err(|error| self.log.explained(error))?;
        let elements = list.elements();
        let Some(found) = elements.first() else { return Ok(None) };
        found.error().map_err(|error| self.settings.error(&attempted, &error))?;
        Marker::parse(found.offset(), found.metadata()).map_err(|error| error.context(attempted))
    }

    pub(super) fn metadata(&self) -> Result<ConsumerGroupMetadata> {
        let missing = || Error::internal(format!("the group \"{}\" has no metadata", self.group));
        self.consumer.group_metadata().ok_or_else(missing)
    }
}

impl fmt::Debug for MarkerGroup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MarkerGroup").field("group", &self.group).finish_non_exhaustive()
    }
}

/// What one start knows before it has asked Kafka for marks.
#[derive(Clone, Copy, Debug)]
pub(super) struct Known {
    pub(super) last_done: Option<Time>,
    pub(super) has_unfinished: bool,
    pub(super) processes: usize,
}

/// The batch up to which each process has to take what it is given for committed, from the marks of those that there were.
///
/// # Errors
/// Invalid, if that cannot be told: a mark is gone, or another number of processes committed a part of a batch.
pub(super) fn committed(marks: &[Option<Marker>], known: Known) -> Result<Vec<Time>> {
    let last_done = known.last_done.unwrap_or_default();
    let there: Vec<Time> = marks.iter().flatten().map(|mark| mark.time).collect();
    if !known.has_unfinished || (marks.is_empty() && known.last_done.is_none()) {
        // All that was committed is done.
        let newest = there.iter().copied().max().unwrap_or_default().max(last_done);
        return Ok(vec![newest; known.processes]);
    }
    if there.is_empty() || there.len() < marks.len() {
        return Err(Error::invalid(
            "Kafka has forgotten what the sink committed last (offsets.retention.minutes), and batches run again that it \
             may have committed already; look at the end of the topic, and start once with \
             tidemill.kafka.acceptLostMarks=true (KafkaSink::accept_lost_marks): what it has of these batches may come twice",
        ));
    }
    if marks.len() == known.processes {
        return Ok(there);
    }
    let (least, most) =
        (there.iter().min().copied().unwrap_or_default(), there.iter().max().copied().unwrap_or_default());
    match most <= last_done || least == most {
        true => Ok(vec![most.max(last_done); known.processes]),
        false => Err(Error::invalid(format!(
            "of the batch of {most} a part is committed, by some of the {} processes that ran it; start the program once \
             with as many before it runs on {}",
            marks.len(),
            known.processes
        ))),
    }
}

#[cfg(test)]
mod tests;
