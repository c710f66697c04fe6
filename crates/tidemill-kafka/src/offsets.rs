//! Partitions of topics, and ranges of their offsets.

use serde::{Deserialize, Serialize};
use std::{fmt, sync::Arc};

/// A partition of a topic.
///
/// # Examples
/// ```
/// use tidemill_kafka::TopicPartition;
/// assert_eq!(TopicPartition::new("clicks", 3).to_string(), "clicks-3");
/// ```
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct TopicPartition {
    /// The topic.
    pub topic: Arc<str>,
    /// The number of the partition, from 0.
    pub partition: i32,
}

impl TopicPartition {
    /// The partition with this number.
    pub fn new(topic: impl Into<Arc<str>>, partition: i32) -> Self {
        Self { topic: topic.into(), partition }
    }
}

impl fmt::Display for TopicPartition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.topic, self.partition)
    }
}

/// What one batch reads of one partition: the offsets from the first until, and without, the last.
///
/// # Examples
/// ```
/// use tidemill_kafka::OffsetRange;
/// let range = OffsetRange::new("clicks", 3, 10, 30);
/// assert_eq!(range.count(), 20);
/// assert_eq!(range.to_string(), "clicks-3 from 10 until 30");
/// ```
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct OffsetRange {
    /// The topic.
    pub topic: Arc<str>,
    /// The number of the partition, from 0.
    pub partition: i32,
    /// The first offset.
    pub from_offset: i64,
    /// The offset after the last one.
    pub until_offset: i64,
}

impl OffsetRange {
    /// The offsets of a partition from `from_offset` until `until_offset`.
    pub fn new(topic: impl Into<Arc<str>>, partition: i32, from_offset: i64, until_offset: i64) -> Self {
        Self { topic: topic.into(), partition, from_offset, until_offset }
    }

    /// How many offsets it has. There may be fewer records, since compaction and transactions leave gaps.
    pub fn count(&self) -> u64 {
        u64::try_from(self.until_offset - self.from_offset).unwrap_or(0)
    }

    /// The partition that it is of.
    ///
    /// # Examples
    /// ```
    /// use tidemill_kafka::{OffsetRange, TopicPartition};
    /// assert_eq!(OffsetRange::new("clicks", 3, 10, 30).topic_partition(), TopicPartition::new("clicks", 3));
    /// ```
    pub fn topic_partition(&self) -> TopicPartition {
        TopicPartition { topic: self.topic.clone(), partition: self.partition }
    }
}

impl fmt::Display for OffsetRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { topic, partition, from_offset, until_offset } = self;
        write!(f, "{topic}-{partition} from {from_offset} until {until_offset}")
    }
}

/// The ranges as Spark shows them: a line each, with tabs, the largest first, without empty ones.
pub(crate) fn description(ranges: &[OffsetRange]) -> String {
    let mut shown: Vec<_> = ranges.iter().filter(|range| range.count() > 0).collect();
    shown.sort_by_key(|range| std::cmp::Reverse(range.count()));
    let line = |range: &&OffsetRange| {
        let OffsetRange { topic, partition, from_offset, until_offset } = range;
        let count = range.count();
        format!("topic: {topic}\tpartition: {partition}\toffsets: {from_offset} to {until_offset}\tcount: {count}")
    };
    shown.iter().map(line).collect::<Vec<_>>().join("\n")
}
