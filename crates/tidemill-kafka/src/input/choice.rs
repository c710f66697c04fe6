//! What a stream reads and where it begins, as the user chooses.

use crate::offsets::TopicPartition;
use std::{collections::BTreeMap, fmt};
use tidemill::{Error, Result, Time};

pub use tidemill::keys::OnDataLoss;

/// Which partitions are read.
#[derive(Clone, Debug)]
pub(crate) enum Topics {
    Named(Vec<String>),
    Pattern(Pattern),
    Partitions(Vec<TopicPartition>),
}

impl Topics {
    /// # Errors
    /// Invalid, if there are none.
    pub(super) fn check(&self) -> Result<()> {
        let none = match self {
            Topics::Named(names) => names.is_empty(),
            Topics::Pattern(_) => false,
            Topics::Partitions(partitions) => partitions.is_empty(),
        };
        let advice = "call topics, topic_pattern or partitions";
        if none { Err(Error::invalid(format!("a Kafka stream was given no topics; {advice}"))) } else { Ok(()) }
    }
}

impl fmt::Display for Topics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Topics::Named(names) => f.write_str(&names.join(",")),
            Topics::Pattern(pattern) => write!(f, "/{}/", pattern.0),
            Topics::Partitions(partitions) => {
                f.write_str(&partitions.iter().map(ToString::to_string).collect::<Vec<_>>().join(","))
            }
        }
    }
}

/// A regular expression that the whole name of a topic matches.
#[derive(Clone, Debug)]
pub(crate) struct Pattern(regex_lite::Regex);

impl Pattern {
    /// # Errors
    /// Invalid, if it is none.
    pub(super) fn new(pattern: &str) -> Result<Self> {
        let wrong = |error| Error::invalid(format!("\"{pattern}\" is no pattern of topics: {error}"));
        regex_lite::Regex::new(&format!("^(?:{pattern})$")).map(Pattern).map_err(wrong)
    }

    pub(super) fn matches(&self, topic: &str) -> bool {
        // Topics of Kafka's own, such as that of the offsets of groups.
        !topic.starts_with("__") && self.0.is_match(topic)
    }
}

/// Where a stream begins that no checkpoint knows. Partitions that are added later are read from their beginning.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum StartingOffsets {
    /// At what comes from now on, as Kafka's own consumers do.
    #[default]
    Latest,
    /// At the first record that there still is.
    Earliest,
    /// At the first record with this timestamp or a later one; at the end, if there is none.
    Timestamp(Time),
    /// At what the group has committed; where it has nothing, at the end of the partition that is given.
    Stored(Edge),
    /// At these offsets; where none is given, at the first record that there still is.
    Offsets(BTreeMap<TopicPartition, i64>),
}

/// An end of a partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Edge {
    /// The first record that there still is.
    Earliest,
    /// What comes from now on.
    Latest,
}
