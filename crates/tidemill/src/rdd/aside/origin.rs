//! From which record of which source a record comes.

use super::{Letters, Offsets};
use crate::base::dead_letters::DeadLetter;
use std::collections::{BTreeSet, HashMap};

/// Where the records of a partition come from, as the operators between say.
#[derive(Clone, Debug)]
pub(crate) struct Origin {
    /// The path of a file, or the operation of an input.
    pub(crate) source: String,
    /// The id of the Rdd that reads the source, and the partition of it.
    pub(crate) read_by: (u64, usize),
    /// Whether the records are numbered in the source as they are in the partition, but for those put aside.
    pub(crate) exact: bool,
    /// The operators that they went through.
    pub(crate) through: Vec<u64>,
}

impl Origin {
    /// Adds what it knows of the record of `letter`; `offsets` are those of the source, if it has any.
    pub(super) fn write_to(
        self,
        letter: &mut DeadLetter,
        found: &Letters,
        read: &HashMap<(u64, usize), u64>,
        offsets: Option<&Offsets>,
    ) {
        letter.source = Some(self.source);
        letter.exact = self.exact;
        let number_of = |offset| offsets.map_or(Some(offset), |offsets| offsets.number_at(offset));
        let number = if self.exact {
            let before = found.iter().filter(|(place, _)| self.through.contains(&place.operator));
            let put_aside: BTreeSet<u64> = before.filter_map(|(_, letter)| number_of(letter.offset?)).collect();
            Some(numbered_with(letter.record, &put_aside))
        } else {
            read.get(&self.read_by).copied()
        };
        letter.offset = number.and_then(|number| offsets.map_or(Some(number), |offsets| offsets.of(number)));
    }
}

/// The number that the record with this number had before those with the numbers `put_aside` were taken out.
fn numbered_with(record: u64, put_aside: &BTreeSet<u64>) -> u64 {
    put_aside.iter().fold(record, |number, put_aside| number + u64::from(*put_aside <= number))
}

#[cfg(test)]
mod tests {
    //! Numbers of records in their source.

    use super::*;

    #[test]
    fn records_that_were_put_aside_are_counted_again() {
        let numbers = |put_aside: &[u64]| {
            let put_aside = put_aside.iter().copied().collect();
            (1..=4).map(|record| numbered_with(record, &put_aside)).collect::<Vec<_>>()
        };
        assert_eq!(numbers(&[]), [1, 2, 3, 4]);
        assert_eq!(numbers(&[1]), [2, 3, 4, 5]);
        assert_eq!(numbers(&[2, 3, 6]), [1, 4, 5, 7]);
    }
}
