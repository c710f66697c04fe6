//! Records that are gone before they were read: what becomes of it, and that it is told.

use super::choice::OnDataLoss;
use crate::offsets::TopicPartition;
use std::sync::atomic::{AtomicU64, Ordering};
use tidemill::{Error, Result};

/// The offsets that a partition has now: from its first record until the next that is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Extent {
    pub(super) begin: i64,
    pub(super) end: i64,
}

/// Offsets that cannot be read any more.
#[derive(Debug)]
pub(super) struct Loss<'a> {
    pub(super) partition: &'a TopicPartition,
    /// From where to read.
    pub(super) from: i64,
    /// Until where, if that is known.
    pub(super) until: Option<i64>,
    pub(super) why: &'static str,
    pub(super) extent: Extent,
}

/// What is done about losses, and how many there were.
#[derive(Debug, Default)]
pub(super) struct Losses {
    pub(super) policy: OnDataLoss,
    /// How many offsets were passed over.
    lost: AtomicU64,
}

impl Losses {
    pub(super) fn new(policy: OnDataLoss) -> Self {
        Self { policy, lost: AtomicU64::new(0) }
    }

    /// Where to go on reading.
    ///
    /// # Errors
    /// Data, naming what is lost, unless the user said to go on.
    pub(super) fn go_on(&self, loss: &Loss<'_>) -> Result<i64> {
        let Loss { partition, from, until, why, extent: Extent { begin, end } } = loss;
        let range = until.map_or_else(|| format!("from {from} on"), |until| format!("from {from} until {until}"));
        let next = match self.policy {
            OnDataLoss::Fail => {
                return Err(Error::data(format!(
                    "records of \"{partition}\" {range} were to be read and are lost: {why}; it has {begin} until {end} now. Set \
                     tidemill.kafka.onDataLoss, or on_data_loss of the stream, to go on without them"
                )));
            }
            OnDataLoss::Earliest => *begin,
            OnDataLoss::Latest => *end,
        };
        let lost_until = until.map_or(next, |until| until.min(next.max(*from)));
        let lost = u64::try_from(lost_until - from).unwrap_or(0);
        self.lost.fetch_add(lost, Ordering::Relaxed);
        tracing::warn!(
            %partition, from, lost, why, begin, end, goes_on_at = next,
            "records that were to be read are lost, and the stream goes on without them"
        );
        Ok(next)
    }

    /// How many offsets were passed over.
    pub(super) fn lost(&self) -> u64 {
        self.lost.load(Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_lost_is_an_error_or_counted() {
        let partition = TopicPartition::new("t", 1);
        let extent = Extent { begin: 30, end: 50 };
        let loss = Loss { partition: &partition, from: 10, until: None, why: "they expired", extent };
        let error = Losses::new(OnDataLoss::Fail).go_on(&loss).expect_err("it fails");
        assert!(error.to_string().contains("\"t-1\" from 10 on"), "{error}");
        for (policy, next, lost) in [(OnDataLoss::Earliest, 30, 20), (OnDataLoss::Latest, 50, 40)] {
            let losses = Losses::new(policy);
            assert_eq!((losses.go_on(&loss).expect("it goes on"), losses.lost()), (next, lost));
        }
        // A topic that was made anew is behind.
        let losses = Losses::new(OnDataLoss::Earliest);
        let anew = Loss { from: 90, extent: Extent { begin: 0, end: 5 }, ..loss };
        assert_eq!((losses.go_on(&anew).expect("it goes on"), losses.lost()), (0, 0));
    }
}
