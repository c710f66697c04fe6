//! What the driver asks the cluster: which partitions there are, how far they go, what a group has committed.

use super::{
    choice::{StartingOffsets, Topics},
    topic_ids::WatchLog,
};
use crate::{
    client::{self, ClientLog},
    offsets::TopicPartition,
    settings::KafkaSettings,
};
use rdkafka::{
    Offset, TopicPartitionList,
    consumer::{BaseConsumer, CommitMode, Consumer, ConsumerContext},
    error::{KafkaError, RDKafkaErrorCode},
    metadata::{Metadata, MetadataTopic},
};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};
use tidemill::{Error, Result};

/// How long one question may take; shorter than other calls, so that trouble is soon known.
const LONGEST: Duration = Duration::from_secs(10);

/// What Kafka calls the ends of a partition where it is asked for offsets by time.
const END: i64 = -1;
const BEGINNING: i64 = -2;

const ISOLATION: &str = "isolation.level";
const UNCOMMITTED: &str = "read_uncommitted";

/// Offsets by partition.
pub(super) type Offsets = BTreeMap<TopicPartition, i64>;

/// A client for questions.
pub(super) struct Cluster {
    settings: KafkaSettings,
    group_id: String,
    consumer: Option<BaseConsumer<WatchLog>>,
    /// A client that sees open transactions too, made when it is asked for the first time.
    uncommitted: Option<BaseConsumer<ClientLog>>,
    timeout: Duration,
}

impl Cluster {
    /// # Errors
    /// Invalid, if the settings do not allow for a client.
    pub(super) fn new(settings: &KafkaSettings, group_id: &str, log: WatchLog) -> Result<Self> {
        let engine = log.engine_settings(settings);
        let engine: Vec<_> = engine.iter().map(|(key, value)| (*key, value.as_str())).collect();
        let consumer = settings.consumer(group_id, &engine, log)?;
        let timeout = settings.timeout().min(LONGEST);
        let (settings, group_id) = (settings.clone(), group_id.to_owned());
        Ok(Self { settings, group_id, consumer: Some(consumer), uncommitted: None, timeout })
    }

    fn consumer(&self) -> &BaseConsumer<WatchLog> {
        self.consumer.as_ref().expect("it is there until the cluster is dropped")
    }

    /// Handles what the client has to say: its log, and what became of commits.
    pub(super) fn serve(&self, wait: Duration) {
        client::hear(self.consumer(), wait);
    }

    /// What was learnt from the log.
    pub(super) fn log(&self) -> &WatchLog {
        self.consumer().client().context()
    }

    /// The partitions of the topics that there are.
    ///
    /// # Errors
    /// Unavailable, if the cluster does not answer; Invalid, if a topic is not there or may not be read.
    pub(super) fn partitions(&self, topics: &Topics) -> Result<Vec<TopicPartition>> {
        match topics {
            Topics::Named(names) => {
                let each = names.iter().map(|name| self.partitions_of(name));
                each.collect::<Result<Vec<_>>>().map(|all| all.concat())
            }
            Topics::Pattern(pattern) => {
                let metadata = self.metadata(None)?;
                let matching = metadata.topics().iter().filter(|topic| pattern.matches(topic.name()));
                matching.map(|topic| self.listed(topic)).collect::<Result<Vec<_>>>().map(|all| all.concat())
            }
            Topics::Partitions(partitions) => {
                let topics: BTreeSet<_> = partitions.iter().map(|partition| &*partition.topic).collect();
                let there = topics.into_iter().map(|topic| self.partitions_of(topic));
                let there = there.collect::<Result<Vec<_>>>()?.concat();
                match partitions.iter().find(|partition| !there.contains(partition)) {
                    Some(partition) => {
                        Err(Error::invalid(format!("there is no partition \"{partition}\" to read from")))
                    }
                    None => Ok(partitions.clone()),
                }
            }
        }
    }

    fn partitions_of(&self, topic: &str) -> Result<Vec<TopicPartition>> {
        let metadata = self.metadata(Some(topic))?;
        let described = metadata.topics().iter().find(|described| described.name() == topic);
        described.map_or_else(|| Err(self.failed(topic, RDKafkaErrorCode::UnknownTopicOrPartition)), |d| self.listed(d))
    }

    fn metadata(&self, topic: Option<&str>) -> Result<Metadata> {
        let asked = self.consumer().fetch_metadata(topic, self.timeout);
        asked.map_err(|error| self.settings.error("topics could not be looked up", &error))
    }

    fn listed(&self, topic: &MetadataTopic) -> Result<Vec<TopicPartition>> {
        if let Some(code) = topic.error() {
            return Err(self.failed(topic.name(), code.into()));
        }
        let name: Arc<str> = topic.name().into();
        Ok(topic.partitions().iter().map(|partition| TopicPartition::new(name.clone(), partition.id())).collect())
    }

    fn failed(&self, topic: &str, code: RDKafkaErrorCode) -> Error {
        self.settings
            .error(format_args!("the topic \"{topic}\" could not be looked up"), &KafkaError::MetadataFetch(code))
    }

    /// Until where the partitions can be read; those that do not answer are not among them.
    pub(super) fn ends(&self, partitions: &[TopicPartition]) -> Result<Offsets> {
        self.offsets_at(self.consumer(), partitions, END)
    }

    /// Until where records are written, whether they are committed or not; `None` if the stream reads those anyway.
    pub(super) fn written_ends(&mut self, partitions: &[TopicPartition]) -> Result<Option<Offsets>> {
        if self.settings.get(ISOLATION) == Some(UNCOMMITTED) {
            return Ok(None);
        }
        if self.uncommitted.is_none() {
            let settings = self.settings.clone().set(ISOLATION, UNCOMMITTED);
            let log = ClientLog::new(&settings, "open transactions");
            self.uncommitted = Some(settings.consumer(&self.group_id, &[], log)?);
        }
        self.uncommitted.as_ref().map(|client| self.offsets_at(client, partitions, END)).transpose()
    }

    /// From where they can be read.
    pub(super) fn beginnings(&self, partitions: &[TopicPartition]) -> Result<Offsets> {
        self.offsets_at(self.consumer(), partitions, BEGINNING)
    }

    /// Where a stream begins to read new partitions.
    pub(super) fn starting(&self, partitions: &[TopicPartition], at: &StartingOffsets) -> Result<Offsets> {
        let mut offsets = match at {
            StartingOffsets::Latest => self.ends(partitions)?,
            StartingOffsets::Earliest => self.beginnings(partitions)?,
            StartingOffsets::Timestamp(time) => {
                let at = i64::try_from(time.as_ms()).unwrap_or(i64::MAX);
                let mut found = self.told_by_all(self.answers(self.consumer(), partitions, at)?)?;
                let ends = self.ends(&without(partitions, &found))?;
                found.extend(ends);
                found
            }
            StartingOffsets::Stored(edge) => {
                let mut found = self.committed(partitions)?;
                let rest = without(partitions, &found);
                found.extend(match edge {
                    super::Edge::Earliest => self.beginnings(&rest)?,
                    super::Edge::Latest => self.ends(&rest)?,
                });
                found
            }
            StartingOffsets::Offsets(given) => {
                let mut found = given.clone();
                found.extend(self.beginnings(&without(partitions, given))?);
                found
            }
        };
        offsets.retain(|partition, _| partitions.contains(partition));
        match partitions.iter().find(|partition| !offsets.contains_key(partition)) {
            Some(partition) => Err(Error::unavailable(format!("\"{partition}\" did not tell where it begins"))),
            None => Ok(offsets),
        }
    }

    /// The offsets of the first records with a timestamp; of those that answer and have one.
    fn offsets_at(
        &self,
        client: &BaseConsumer<impl ConsumerContext>,
        partitions: &[TopicPartition],
        at: i64,
    ) -> Result<Offsets> {
        Ok(self.told(&self.answers(client, partitions, at)?))
    }

    fn answers(
        &self,
        client: &BaseConsumer<impl ConsumerContext>,
        partitions: &[TopicPartition],
        at: i64,
    ) -> Result<TopicPartitionList> {
        if partitions.is_empty() {
            return Ok(TopicPartitionList::new());
        }
        let list = self.list(partitions.iter().map(|partition| (partition, Offset::from_raw(at))))?;
        let asked = client.offsets_for_times(list, self.timeout);
        asked.map_err(|error| self.settings.error("offsets could not be looked up", &error))
    }

    fn committed(&self, partitions: &[TopicPartition]) -> Result<Offsets> {
        let list = self.list(partitions.iter().map(|partition| (partition, Offset::Invalid)))?;
        let asked = self.consumer().committed_offsets(list, self.timeout);
        self.told_by_all(
            asked.map_err(|error| self.settings.error("the offsets of the group could not be looked up", &error))?,
        )
    }

    /// What they told, where one that could not be asked must not pass for one that has nothing.
    fn told_by_all(&self, list: TopicPartitionList) -> Result<Offsets> {
        for element in list.elements() {
            element.error().map_err(|error| {
                let (topic, partition) = (element.topic(), element.partition());
                self.settings.error(format_args!("\"{topic}-{partition}\" did not tell an offset"), &error)
            })?;
        }
        Ok(self.told(&list))
    }

    fn told(&self, list: &TopicPartitionList) -> Offsets {
        let mut offsets = Offsets::new();
        for element in list.elements() {
            let partition = TopicPartition::new(element.topic(), element.partition());
            match (element.error(), element.offset()) {
                (Ok(()), Offset::Offset(offset)) => drop(offsets.insert(partition, offset)),
                (Ok(()), _) => {}
                (Err(error), _) => tracing::debug!(%partition, %error, "a partition did not tell an offset"),
            }
        }
        offsets
    }

    fn list<'a>(&self, offsets: impl Iterator<Item = (&'a TopicPartition, Offset)>) -> Result<TopicPartitionList> {
        let mut list = TopicPartitionList::new();
        for (partition, offset) in offsets {
            let wrong =
                |error| self.settings.error(format_args!("an offset of \"{partition}\" cannot be used"), &error);
            list.add_partition_offset(&partition.topic, partition.partition, offset).map_err(wrong)?;
        }
        Ok(list)
    }

    /// Sends offsets to the group; what becomes of it is known by [`WatchLog::commits_under_way`].
    pub(super) fn commit(&self, offsets: &Offsets) {
        let list = self.list(offsets.iter().map(|(partition, offset)| (partition, Offset::Offset(*offset))));
        let sent = list.and_then(|list| {
            let sent = self.consumer().commit(&list, CommitMode::Async);
            sent.map_err(|error| self.settings.error("offsets could not be committed to the group", &error))
        });
        match sent {
            Ok(()) => self.log().commit_sent(),
            Err(error) => tracing::warn!(%error, "offsets were not committed to the group"),
        }
    }
}

fn without(partitions: &[TopicPartition], known: &Offsets) -> Vec<TopicPartition> {
    partitions.iter().filter(|partition| !known.contains_key(partition)).cloned().collect()
}

impl Drop for Cluster {
    fn drop(&mut self) {
        client::close((self.consumer.take(), self.uncommitted.take()));
    }
}
