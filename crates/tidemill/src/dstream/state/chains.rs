//! Lists of slots in which a slot may stand more than once.

use crate::base;
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

/// Goes through lists of slots without coming to one twice.
#[derive(Debug, Default)]
pub(crate) struct Marks {
    /// A bit for each slot, none set between lists.
    bits: Vec<u64>,
    /// Whether a list was left in the middle.
    is_dirty: bool,
}

impl Marks {
    /// Calls `f` once for every slot in a list of slots that are all below `slots`.
    ///
    /// # Errors
    /// The first of `f`, which ends it.
    pub(crate) fn each_once(
        &mut self,
        slots: usize,
        list: impl Iterator<Item = u32> + Clone,
        mut f: impl FnMut(usize) -> base::Result<()>,
    ) -> base::Result<()> {
        if std::mem::replace(&mut self.is_dirty, true) {
            self.bits.fill(0);
        }
        self.bits.resize(slots.div_ceil(64).max(self.bits.len()), 0);
        for slot in list.clone() {
            let (word, bit) = (&mut self.bits[slot as usize / 64], 1 << (slot % 64));
            if *word & bit == 0 {
                *word |= bit;
                f(slot as usize)?;
            }
        }
        list.for_each(|slot| self.bits[slot as usize / 64] = 0);
        self.is_dirty = false;
        Ok(())
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
