//! Lists of slots in which a slot may stand more than once.

use serde::{Serialize, Serializer, ser::SerializeSeq};

/// No further place.
const END: u32 = u32::MAX;

/// Links the places of a list that have the same slot, first to last. It costs as much as the list is long, however many
/// slots there are: the table is never cleared, and what it has of an earlier list does not fit this one.
#[derive(Debug, Default)]
pub(crate) struct Chains {
    first: Vec<u32>,
    next: Vec<u32>,
}

impl Chains {
    /// Links the `len` places of a list of slots, all below `slots`.
    pub(crate) fn link(&mut self, slots: usize, len: usize, slot_at: impl Fn(usize) -> u32) {
        if self.first.len() < slots {
            self.first.resize(slots, END);
        }
        self.next.clear();
        self.next.resize(len, END);
        for place in (0..len).rev() {
            let slot = slot_at(place);
            let first = &mut self.first[slot as usize];
            let later = *first as usize;
            // A place behind this one that has this slot was linked just now, and with it the table was written.
            if later > place && later < len && slot_at(later) == slot {
                self.next[place] = *first;
            }
            *first = place as u32;
        }
    }

    /// Whether no earlier place has the slot of this one, which is `slot`.
    #[inline]
    pub(crate) fn begins_at(&self, place: usize, slot: u32) -> bool {
        self.first[slot as usize] as usize == place
    }

    /// This place and all behind it of its slot.
    #[inline]
    pub(crate) fn from(&self, place: usize) -> impl Iterator<Item = usize> + Clone + '_ {
        let next = |place: &usize| Some(self.next[*place]).filter(|next| *next != END).map(|next| next as usize);
        std::iter::successors(Some(place), next)
    }
}

const WORD_BITS: usize = u64::BITS as usize;

/// Lists of slots without those that stand in them more than once.
#[derive(Debug, Default)]
pub(crate) struct Marks {
    /// A bit for each slot, none set between lists.
    bits: Vec<u64>,
    once: Vec<u32>,
}

impl Marks {
    /// Every slot of a list of slots, all below `slots`, once; the smallest first if the list is long, as what the slots
    /// stand for is then read in the order in which it lies in memory.
    pub(crate) fn each_once(&mut self, slots: usize, list: impl Iterator<Item = u32> + Clone) -> &[u32] {
        let Self { bits, once } = self;
        once.clear();
        let words = slots.div_ceil(WORD_BITS);
        bits.resize(words.max(bits.len()), 0);
        if list.clone().nth(words).is_some() {
            list.for_each(|slot| bits[slot as usize / WORD_BITS] |= 1 << (slot as usize % WORD_BITS));
            for (index, word) in bits.iter_mut().enumerate() {
                while *word != 0 {
                    once.push((index * WORD_BITS) as u32 + word.trailing_zeros());
                    *word &= *word - 1;
                }
            }
        } else {
            for slot in list {
                let (word, bit) = (&mut bits[slot as usize / WORD_BITS], 1 << (slot as usize % WORD_BITS));
                if *word & bit == 0 {
                    *word |= bit;
                    once.push(slot);
                }
            }
            once.iter().for_each(|slot| bits[*slot as usize / WORD_BITS] = 0);
        }
        once
    }
}

/// What an iterator gives, serialised as a `Vec` of it is.
pub(crate) struct Listed<I>(pub(crate) I);

impl<I: Iterator<Item: Serialize> + Clone> Serialize for Listed<I> {
    #[inline]
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut list = serializer.serialize_seq(Some(self.0.clone().count()))?;
        self.0.clone().try_for_each(|value| list.serialize_element(&value))?;
        list.end()
    }
}

#[cfg(test)]
mod tests;
