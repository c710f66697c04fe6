//! Where in a source the records are that a task read from it.

/// The offsets of records number 1, 2, 3 and so on: as runs, since most follow one upon the other.
#[derive(Debug, Default)]
pub(super) struct Offsets {
    /// The number of the first record of a run, and its offset.
    runs: Vec<(u64, u64)>,
    records: u64,
    next: u64,
}

impl Offsets {
    /// The offset of the record with this number.
    pub(super) fn of(&self, number: u64) -> Option<u64> {
        let run = self.runs.partition_point(|(first, _)| *first <= number).checked_sub(1)?;
        let (first, offset) = self.runs[run];
        (number <= self.records).then_some(offset + (number - first))
    }

    /// The number of the record at this offset.
    pub(super) fn number_at(&self, offset: u64) -> Option<u64> {
        let run = self.runs.partition_point(|(_, first)| *first <= offset).checked_sub(1)?;
        let (number, first) = self.runs[run];
        Some(number + (offset - first))
    }
}

impl Extend<u64> for Offsets {
    fn extend<I: IntoIterator<Item = u64>>(&mut self, offsets: I) {
        for offset in offsets {
            self.records += 1;
            if self.runs.is_empty() || offset != self.next {
                self.runs.push((self.records, offset));
            }
            self.next = offset + 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn offsets_with_gaps_are_found_both_ways() {
        let mut offsets = Offsets::default();
        offsets.extend([7, 8, 10, 20, 21]);
        let of: Vec<_> = (0..=6).map(|number| offsets.of(number)).collect();
        assert_eq!(of, [None, Some(7), Some(8), Some(10), Some(20), Some(21), None]);
        assert_eq!([7, 8, 10, 20, 21].map(|offset| offsets.number_at(offset)), [1, 2, 3, 4, 5].map(Some));
        assert_eq!(offsets.number_at(6), None);
        assert_eq!(offsets.runs.len(), 3);
    }
}
