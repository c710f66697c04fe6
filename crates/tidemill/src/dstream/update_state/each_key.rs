//! State that a function brings up to date key by key.
//!
//! The new state is built beside the old one, which is dropped when the batch is final: to undo is to drop the new one.

use crate::{
    base::{Data, Key, Result, Time},
    checkpoint::DeltaWriter,
    dstream::state::{StatePartition, emit_slots},
    rdd::{SlotMap, chunk::Chunks, task::Cursor},
};
use std::{any::type_name, sync::Arc};

/// The same for both forms: one can go on from what the other kept.
pub(super) fn types<K, S>() -> String {
    format!("update_state_by_key: {} -> {}", type_name::<K>(), type_name::<S>())
}

pub(super) struct EachKey<K, V, S, F> {
    f: Arc<F>,
    slots: SlotMap<K>,
    states: Vec<Option<S>>,
    /// The states after the last batch, until it is final.
    next: Vec<Option<S>>,
    pending: bool,
    /// Slots that the last batch made, and slots whose keys it has left without state.
    added: Vec<u32>,
    removed: Vec<u32>,
    /// A hash of each state as a checkpoint has it, 0 where it has none; and what the last batch replaced of these. The
    /// function is called for every key, and which states it changed is not known otherwise.
    known: Vec<u64>,
    replaced: Vec<(u32, u64)>,
    values: std::marker::PhantomData<fn(V)>,
}

/// The values of a batch, those of one slot side by side in the order in which they came.
pub(super) struct BySlot<V> {
    values: Vec<V>,
    /// Where the values of a slot begin; one more than there are slots.
    begins: Vec<u32>,
}

impl<V> BySlot<V> {
    /// Sorts by counting: no list for each key.
    pub(super) fn sort(slots: usize, slot_of: &[u32], values: Vec<V>) -> Self {
        let mut begins = vec![0_u32; slots + 1];
        slot_of.iter().for_each(|&slot| begins[slot as usize + 1] += 1);
        let mut sum = 0;
        begins.iter_mut().for_each(|begin| {
            sum += *begin;
            *begin = sum;
        });
        let mut next = begins.clone();
        let mut order = vec![0_u32; values.len()];
        for (index, &slot) in slot_of.iter().enumerate() {
            order[next[slot as usize] as usize] = index as u32;
            next[slot as usize] += 1;
        }
        let mut values: Vec<Option<V>> = values.into_iter().map(Some).collect();
        let sorted = order.into_iter().filter_map(|index| values[index as usize].take());
        Self { values: sorted.collect(), begins }
    }

    #[inline]
    pub(super) fn of(&self, slot: usize) -> &[V] {
        &self.values[self.begins[slot] as usize..self.begins[slot + 1] as usize]
    }
}

impl<K: Key, V: Data, S: Data, F> EachKey<K, V, S, F> {
    pub(super) fn new(f: Arc<F>) -> Self {
        Self {
            f,
            slots: SlotMap::default(),
            states: Vec::new(),
            next: Vec::new(),
            pending: false,
            added: Vec::new(),
            removed: Vec::new(),
            known: Vec::new(),
            replaced: Vec::new(),
            values: std::marker::PhantomData,
        }
    }

    fn take_in(&mut self, batch: Chunks<'_, (K, V)>, cursor: &Cursor) -> BySlot<V> {
        let (mut slot_of, mut values) = (Vec::new(), Vec::new());
        for chunk in batch {
            for (slot, value) in self.slots.slots_of(chunk, |slot| self.added.push(slot)) {
                cursor.step();
                slot_of.push(slot);
                values.push(value);
            }
        }
        BySlot::sort(self.slots.slots(), &slot_of, values)
    }

    pub(super) fn emit(&self, from: usize, chunk: &mut Vec<(K, S)>) -> Option<usize> {
        let states = if self.pending { &self.next } else { &self.states };
        emit_slots(states.len(), from, chunk, |slot| Some((self.slots.key(slot).clone(), states[slot].clone()?)))
    }

    fn free(&mut self, removed: bool) {
        let (added, gone) = (std::mem::take(&mut self.added), std::mem::take(&mut self.removed));
        for slot in if removed { gone } else { added } {
            self.slots.remove(slot as usize);
        }
    }
}

impl<K, V, S, F> StatePartition for EachKey<K, V, S, F>
where
    K: Key,
    V: Data,
    S: Data,
    F: Fn(Time, &K, &[V], Option<S>) -> Option<S> + Send + Sync + 'static,
{
    type In = (K, V);
    type Initial = (K, S);
    type Key = K;
    type Value = S;

    fn types() -> String {
        types::<K, S>()
    }

    fn load(&mut self, _time: Time, initial: &mut dyn Iterator<Item = (K, S)>) {
        (self.slots, self.states) = (SlotMap::default(), Vec::new());
        for (key, state) in initial {
            let (slot, new) = self.slots.slot(key);
            if new {
                self.states.push(Some(state));
            } else {
                self.states[slot] = Some(state);
            }
        }
    }

    fn apply(&mut self, time: Time, batch: Chunks<'_, (K, V)>, cursor: &Cursor) {
        let values = self.take_in(batch, cursor);
        let slots = self.slots.slots();
        self.next.clear();
        self.next.reserve(slots);
        for slot in 0..slots {
            let (values, state) = (values.of(slot), self.states.get(slot).cloned().flatten());
            let exists = state.is_some() || !values.is_empty();
            let next = if exists { (self.f)(time, self.slots.key(slot), values, state) } else { None };
            if exists && next.is_none() {
                self.removed.push(slot as u32);
            }
            self.next.push(next);
        }
        self.pending = true;
    }

    fn commit(&mut self) {
        self.pending = false;
        std::mem::swap(&mut self.states, &mut self.next);
        self.next.clear();
        self.replaced.clear();
        self.free(true);
    }

    fn roll_back(&mut self) {
        self.pending = false;
        self.next.clear();
        for (slot, known) in self.replaced.drain(..).rev() {
            self.known[slot as usize] = known;
        }
        self.free(false);
    }

    fn write_changes(&mut self, _time: Time, delta: &mut DeltaWriter) -> Result<()> {
        self.known.resize(self.next.len().max(self.known.len()), 0);
        for (slot, state) in self.next.iter().enumerate() {
            let mut known = self.known[slot];
            match state {
                Some(state) => delta.put_if_changed(self.slots.key(slot), state, &mut known)?,
                None if known != 0 => {
                    delta.put(Time::default(), self.slots.key(slot), None::<&S>)?;
                    known = 0;
                }
                None => {}
            }
            if known != self.known[slot] {
                self.replaced.push((slot as u32, std::mem::replace(&mut self.known[slot], known)));
            }
        }
        Ok(())
    }

    fn restore(&mut self, _last_done: Time, entries: Vec<(Time, K, S)>) -> Result<()> {
        self.load(Time::default(), &mut entries.into_iter().map(|(_, key, state)| (key, state)));
        let mut writer = DeltaWriter::new();
        let hashes = self.states.iter().map(|state| state.as_ref().map_or(Ok(0), |state| writer.hash_of(state)));
        self.known = hashes.collect::<Result<_>>()?;
        Ok(())
    }
}
