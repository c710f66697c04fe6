//! What a batch takes of each partition: a pure function of how far it was read, how far it goes, and how much is allowed.

use crate::offsets::{OffsetRange, TopicPartition};
use std::{collections::BTreeMap, time::Duration};

/// How much a batch may take.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    pub(super) batch_duration: Duration,
    /// Of each partition, in records per second.
    pub(super) max_rate: Option<u64>,
    /// Of each partition, in records of a batch, whatever the rate says.
    pub(super) min_records: u64,
    /// Of all partitions together, in records per second, as backpressure has found.
    pub(super) rate: Option<u64>,
    /// Of each partition, in the first batch.
    pub(super) first_batch: Option<u64>,
}

impl Limits {
    /// The most that a partition may give that is behind by `lag` of all `total_lag` records.
    fn of_partition(&self, lag: u64, total_lag: u64) -> u64 {
        // A partition that is further behind gets more of what all may give.
        let share = |rate: u64| rate as f64 * (lag as f64 / total_lag.max(1) as f64);
        let max = self.max_rate.map(|max| max as f64);
        let rate = match (self.rate.map(share), max) {
            (Some(share), Some(max)) => Some(share.min(max)),
            (share, max) => share.or(max),
        };
        let by_rate = rate.map(|rate| ((self.batch_duration.as_secs_f64() * rate) as u64).max(self.min_records));
        by_rate.unwrap_or(u64::MAX).min(self.first_batch.unwrap_or(u64::MAX))
    }
}

/// A range for each partition that has a position, in the order of topics and partitions; an empty one where nothing is new.
pub(super) fn plan(
    positions: &BTreeMap<TopicPartition, i64>,
    ends: &BTreeMap<TopicPartition, i64>,
    limits: &Limits,
) -> Vec<OffsetRange> {
    let lag = |partition: &TopicPartition, position: i64| {
        ends.get(partition).map_or(0, |end| u64::try_from(end - position).unwrap_or(0))
    };
    let total_lag = positions.iter().map(|(partition, position)| lag(partition, *position)).sum();
    let range = |(partition, position): (&TopicPartition, &i64)| {
        let lag = lag(partition, *position);
        let taken = lag.min(limits.of_partition(lag, total_lag)) as i64;
        OffsetRange::new(partition.topic.clone(), partition.partition, *position, position + taken)
    };
    positions.iter().map(range).collect()
}

#[cfg(test)]
mod tests {
    //! Lags in, counts out.

    use super::*;

    const FREE: Limits = Limits {
        batch_duration: Duration::from_secs(2),
        max_rate: None,
        min_records: 1,
        rate: None,
        first_batch: None,
    };

    fn taken(lags: &[i64], limits: Limits) -> Vec<u64> {
        let of = |offset: &dyn Fn(usize) -> i64| {
            (0..lags.len()).map(|index| (TopicPartition::new("t", index as i32), offset(index))).collect()
        };
        let ranges = plan(&of(&|_| 100), &of(&|index| 100 + lags[index]), &limits);
        assert!(ranges.iter().all(|range| range.from_offset == 100));
        ranges.iter().map(OffsetRange::count).collect()
    }

    #[test]
    fn limits_bound_what_is_taken() {
        assert_eq!(taken(&[0, 5, 50_000], FREE), [0, 5, 50_000]);
        assert_eq!(taken(&[0, 5, 50_000], Limits { max_rate: Some(10), ..FREE }), [0, 5, 20]);
        assert_eq!(taken(&[0, 5, 50_000], Limits { first_batch: Some(7), ..FREE }), [0, 5, 7]);
        // 100 a second of 400 records of lag; what is further behind gets more.
        assert_eq!(taken(&[0, 100, 300], Limits { rate: Some(100), ..FREE }), [0, 50, 150]);
        assert_eq!(taken(&[0, 100, 300], Limits { rate: Some(100), max_rate: Some(40), ..FREE }), [0, 50, 80]);
        assert_eq!(taken(&[1, 1_000_000], Limits { rate: Some(100), min_records: 3, ..FREE }), [1, 199]);
        // An end before the position is no reason to go back.
        assert_eq!(taken(&[-5, 1], FREE), [0, 1]);
    }
}
