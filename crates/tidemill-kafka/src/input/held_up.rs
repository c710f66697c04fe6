//! Partitions that a transaction holds up: records are there behind where committed ones end, and nobody ends it.

use super::cluster::Offsets;
use crate::offsets::TopicPartition;
use std::{collections::BTreeMap, time::Duration};
use tidemill::base::clock::Stopwatch;

/// What is held up, and since when.
#[derive(Default)]
pub(super) struct HeldUp {
    partitions: BTreeMap<TopicPartition, Hold>,
}

/// One partition that ends at the same place each time it is looked at.
struct Hold {
    stable_end: i64,
    since: Stopwatch,
    told: bool,
}

impl HeldUp {
    /// Takes note of where committed records end and where all that are written do. Gives those that have been held up for
    /// longer than `patience` and were not given before, with the number of offsets that wait.
    pub(super) fn note(
        &mut self,
        stable_ends: &Offsets,
        written_ends: &Offsets,
        patience: Duration,
    ) -> Vec<(TopicPartition, i64)> {
        let waiting = |partition: &TopicPartition| Some(written_ends.get(partition)? - stable_ends.get(partition)?);
        self.partitions.retain(|partition, hold| {
            stable_ends.get(partition) == Some(&hold.stable_end)
                && waiting(partition).is_some_and(|waiting| waiting > 0)
        });
        let mut news = Vec::new();
        for (partition, stable_end) in stable_ends {
            let Some(waiting) = waiting(partition).filter(|waiting| *waiting > 0) else { continue };
            let begun = || Hold { stable_end: *stable_end, since: Stopwatch::start(), told: false };
            let hold = self.partitions.entry(partition.clone()).or_insert_with(begun);
            if !hold.told && hold.since.elapsed() >= patience {
                hold.told = true;
                news.push((partition.clone(), waiting));
            }
        }
        news
    }

    /// The partitions that were given, with where they are held up: `topic-0 at 17, topic-3 at 4`; empty if there are none.
    pub(super) fn told(&self) -> String {
        let told = self.partitions.iter().filter(|(_, hold)| hold.told);
        told.map(|(partition, hold)| format!("{partition} at {}", hold.stable_end)).collect::<Vec<_>>().join(", ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn offsets(of: &[i64]) -> Offsets {
        of.iter().enumerate().map(|(index, offset)| (TopicPartition::new("t", index as i32), *offset)).collect()
    }

    #[test]
    fn what_does_not_move_while_more_is_written_is_told_once() {
        let mut held = HeldUp::default();
        let mut note = |stable: &[i64], written: &[i64], patience_ms| {
            let news = held.note(&offsets(stable), &offsets(written), Duration::from_millis(patience_ms));
            let news: Vec<_> = news.into_iter().map(|(partition, waiting)| (partition.partition, waiting)).collect();
            (news, held.told())
        };
        let nothing = (vec![], String::new());
        // Nothing waits, or not for long.
        assert_eq!(note(&[5, 7], &[5, 7], 0), nothing);
        assert_eq!(note(&[5, 7], &[6, 9], 60_000), nothing);
        // Told once, as long as it stays.
        assert_eq!(note(&[5, 7], &[6, 12], 0), (vec![(0, 1), (1, 5)], "t-0 at 5, t-1 at 7".into()));
        assert_eq!(note(&[6, 7], &[6, 13], 0), (vec![], "t-1 at 7".into()));
        // It went on, and is held up at another place for no time yet.
        assert_eq!(note(&[6, 8], &[6, 13], 60_000), nothing);
        // A partition that does not answer is not known to be held up.
        assert_eq!(note(&[6], &[9], 0), (vec![(0, 3)], "t-0 at 6".into()));
    }
}
