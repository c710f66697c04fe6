//! Offsets of the user's consumer group that are committed in the transaction of a batch.

use super::place::Place;
use crate::{client::ClientLog, offsets::OffsetRange};
use rdkafka::{
    Offset, TopicPartitionList,
    consumer::{BaseConsumer, Consumer, ConsumerGroupMetadata},
};
use std::{fmt, sync::OnceLock};
use tidemill::{Error, Result, Time};

type Ranges = Box<dyn Fn(Time) -> Vec<OffsetRange> + Send + Sync>;

/// A group, and what it has read after each batch.
pub(super) struct Offsets {
    group: String,
    ranges: Ranges,
    /// Knows the group; it never consumes.
    member: OnceLock<BaseConsumer<ClientLog>>,
}

impl Offsets {
    pub(super) fn new(group: String, ranges: impl Fn(Time) -> Vec<OffsetRange> + Send + Sync + 'static) -> Self {
        Self { group, ranges: Box::new(ranges), member: OnceLock::new() }
    }

    /// What is to be committed with the batch at `time`, if anything is.
    pub(super) fn at(&self, time: Time, place: &Place) -> Result<Option<(TopicPartitionList, ConsumerGroupMetadata)>> {
        let mut list = TopicPartitionList::new();
        for range in (self.ranges)(time).iter().filter(|range| range.count() > 0) {
            let wrong = |error| place.settings.error(format_args!("{range} has no offset to commit"), &error);
            let next = Offset::Offset(range.until_offset);
            list.add_partition_offset(&range.topic, range.partition, next).map_err(wrong)?;
        }
        if list.count() == 0 {
            return Ok(None);
        }
        if self.member.get().is_none() {
            let _ = self.member.set(place.settings.consumer(&self.group, &[], place.log())?);
        }
        let metadata = self.member.get().and_then(BaseConsumer::group_metadata);
        let missing = || Error::internal(format!("the group \"{}\" has no metadata", self.group));
        Ok(Some((list, metadata.ok_or_else(missing)?)))
    }
}

impl fmt::Debug for Offsets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Offsets").field("group", &self.group).finish_non_exhaustive()
    }
}
