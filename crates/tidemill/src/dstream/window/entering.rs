//! The last batch of a reduced window until it is final: what it brought, and what undoes it.

use crate::{
    base::{Data, Key, Result, Time},
    checkpoint::DeltaWriter,
    dstream::state::{Chains, Listed},
    rdd::SlotMap,
};

/// What one batch brought: values by slot. A slot may occur several times, once for each map partition.
pub(super) struct Pane<V> {
    pub(super) time: Time,
    pub(super) values: Vec<(u32, V)>,
}

/// The values of a batch that is not final, in the order in which they entered.
pub(super) struct Entering<V> {
    at: Time,
    values: Vec<(u32, V)>,
    /// What each of the values replaced.
    replaced: Vec<Option<V>>,
    /// Slots that the batch made.
    added: Vec<u32>,
    /// Up to when batches have left since the last that became final.
    pub(super) left: Option<Time>,
    chains: Chains,
}

impl<V> Default for Entering<V> {
    fn default() -> Self {
        Self {
            at: Time::default(),
            values: Vec::new(),
            replaced: Vec::new(),
            added: Vec::new(),
            left: None,
            chains: Chains::default(),
        }
    }
}

impl<V: Data> Entering<V> {
    pub(super) fn begin(&mut self, time: Time) {
        self.at = time;
    }

    /// The slots of a chunk that is about to enter.
    pub(super) fn slots_of<K: Key>(&mut self, slots: &mut SlotMap<K>, chunk: Vec<(K, V)>) -> Vec<(u32, V)> {
        self.values.reserve(chunk.len());
        self.replaced.reserve(chunk.len());
        slots.slots_of(chunk, |slot| self.added.push(slot))
    }

    /// A value has entered in place of what was there.
    #[inline]
    pub(super) fn push(&mut self, slot: usize, value: V, replaced: Option<V>) {
        self.replaced.push(replaced);
        self.values.push((slot as u32, value));
    }

    /// Makes the batch final; `None` if it brought nothing.
    pub(super) fn commit(&mut self) -> Option<Pane<V>> {
        self.replaced.clear();
        self.added.clear();
        self.left = None;
        let values = std::mem::take(&mut self.values);
        (!values.is_empty()).then_some(Pane { time: self.at, values })
    }

    /// Undoes the batch, the last value first: `put_back` is told of a slot and what was there before.
    pub(super) fn roll_back<K>(&mut self, slots: &mut SlotMap<K>, mut put_back: impl FnMut(usize, Option<V>)) {
        while let (Some((slot, _)), Some(replaced)) = (self.values.pop(), self.replaced.pop()) {
            put_back(slot as usize, replaced);
        }
        // Also those that no value had reached yet.
        for slot in self.added.drain(..) {
            slots.remove(slot as usize);
        }
    }

    /// Writes what the batch at `time` brought, the values of one key in one entry, and that others have left.
    pub(super) fn write<K: Key>(&mut self, time: Time, slots: &SlotMap<K>, delta: &mut DeltaWriter) -> Result<()> {
        let Self { values, chains, left, .. } = self;
        left.iter().for_each(|left| delta.forget_up_to(*left));
        chains.link(slots.slots(), values.len(), |place| values[place].0);
        for (place, (slot, _)) in values.iter().enumerate() {
            if chains.begins_at(place, *slot) {
                let of_key = Listed(chains.from(place).map(|place| &values[place].1));
                delta.put(time, slots.key(*slot as usize), Some(&of_key))?;
            }
        }
        Ok(())
    }
}
