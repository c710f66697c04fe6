//! The values of each key in the window, in the order of time.

use super::{Window, panes::restore_panes};
use crate::{
    base::{Data, Key, Result, Time},
    checkpoint::DeltaWriter,
    dstream::state::{Chains, Listed, StatePartition, emit_slots},
    rdd::{SlotMap, chunk::Chunks, task::Cursor},
};
use std::{any::type_name, collections::VecDeque};

/// What one batch brought: a slot for each value.
struct Pane {
    time: Time,
    slots: Vec<u32>,
}

pub(super) struct GroupedWindow<K, V> {
    window: Window,
    slots: SlotMap<K>,
    values: Vec<VecDeque<V>>,
    panes: VecDeque<Pane>,
    /// The last batch, until it is final.
    entering: Vec<u32>,
    entering_at: Time,
    /// Up to when batches have left since the last that became final.
    left: Option<Time>,
    chains: Chains,
}

impl<K: Key, V: Data> GroupedWindow<K, V> {
    pub(super) fn new(window: Window) -> Self {
        Self {
            window,
            slots: SlotMap::default(),
            values: Vec::new(),
            panes: VecDeque::new(),
            entering: Vec::new(),
            entering_at: Time::default(),
            left: None,
            chains: Chains::default(),
        }
    }

    fn evict(&mut self, time: Time) {
        let Some(left) = self.window.left_at(time) else { return };
        while self.panes.front().is_some_and(|pane| pane.time <= left) {
            self.left = Some(left);
            for slot in self.panes.pop_front().into_iter().flat_map(|pane| pane.slots) {
                self.values[slot as usize].pop_front();
                self.free_if_gone(slot as usize);
            }
        }
    }

    fn free_if_gone(&mut self, slot: usize) {
        if self.values[slot].is_empty() {
            self.values[slot] = VecDeque::new();
            self.slots.remove(slot);
        }
    }

    pub(super) fn emit(&self, from: usize, chunk: &mut Vec<(K, Vec<V>)>) -> Option<usize> {
        emit_slots(self.values.len(), from, chunk, |slot| {
            let values = &self.values[slot];
            (!values.is_empty()).then(|| (self.slots.key(slot).clone(), values.iter().cloned().collect()))
        })
    }
}

impl<K: Key, V: Data> StatePartition for GroupedWindow<K, V> {
    type In = (K, V);
    type Initial = ();
    type Key = K;
    /// What one batch brought of a key.
    type Value = Vec<V>;

    fn types() -> String {
        format!("window of values: {} -> {}", type_name::<K>(), type_name::<V>())
    }

    fn load(&mut self, _time: Time, _initial: &mut dyn Iterator<Item = ()>) {}

    fn apply(&mut self, time: Time, batch: Chunks<'_, (K, V)>, cursor: &Cursor) {
        self.evict(time);
        self.entering_at = time;
        for (key, value) in batch.flatten() {
            cursor.step();
            let (slot, _) = self.slots.slot(key);
            if slot == self.values.len() {
                self.values.push(VecDeque::new());
            }
            self.values[slot].push_back(value);
            self.entering.push(slot as u32);
        }
    }

    fn commit(&mut self) {
        self.left = None;
        let slots = std::mem::take(&mut self.entering);
        if !slots.is_empty() {
            self.panes.push_back(Pane { time: self.entering_at, slots });
        }
    }

    fn roll_back(&mut self) {
        while let Some(slot) = self.entering.pop() {
            self.values[slot as usize].pop_back();
            self.free_if_gone(slot as usize);
        }
    }

    fn write_changes(&mut self, time: Time, delta: &mut DeltaWriter) -> Result<()> {
        self.left.into_iter().for_each(|left| delta.forget_up_to(left));
        let Self { slots, values, entering, chains, .. } = self;
        chains.link(slots.slots(), entering.len(), |place| entering[place]);
        for (place, slot) in entering.iter().enumerate() {
            if chains.begins_at(place, *slot) {
                // The values of the last batch are the last of each key.
                let (values, new) = (&values[*slot as usize], chains.from(place).count());
                delta.put(time, slots.key(*slot as usize), Some(&Listed(values.range(values.len() - new..))))?;
            }
        }
        Ok(())
    }

    fn restore(&mut self, last_done: Time, entries: Vec<(Time, K, Vec<V>)>) -> Result<()> {
        *self = Self::new(self.window);
        restore_panes(self, entries);
        // Also if the window was longer before.
        self.left = self.window.left_at(last_done);
        Ok(())
    }
}
