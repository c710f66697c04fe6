//! The values of each key in the window, in the order of time.

use super::{
    Window,
    panes::{restore_panes, write_pane},
};
use crate::{
    base::{Data, Key, Result, Time},
    checkpoint::DeltaWriter,
    dstream::state::{StatePartition, emit_slots},
    rdd::{SlotMap, chunk::Chunks, task::Cursor},
};
use std::collections::{BTreeMap, VecDeque};

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
}

impl<K: Key, V: Data> GroupedWindow<K, V> {
    pub(super) fn new(window: Window) -> Self {
        let (panes, entering) = (VecDeque::new(), Vec::new());
        Self { window, slots: SlotMap::default(), values: Vec::new(), panes, entering, entering_at: Time::default() }
    }

    fn evict(&mut self, time: Time) {
        let Some(left) = self.window.left_at(time) else { return };
        while self.panes.front().is_some_and(|pane| pane.time <= left) {
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

    fn write_changes(&mut self, delta: &mut DeltaWriter) -> Result<()> {
        // The values of the last batch are the last of each key.
        let mut from_end: BTreeMap<u32, usize> = BTreeMap::new();
        self.entering.iter().for_each(|slot| *from_end.entry(*slot).or_default() += 1);
        let values = from_end.into_iter().flat_map(|(slot, count)| {
            let values = &self.values[slot as usize];
            values.range(values.len() - count..).map(move |value| (slot, value))
        });
        write_pane(delta, self.window, self.entering_at, values, |slot| self.slots.key(slot))
    }

    fn restore(&mut self, _last_done: Time, entries: Vec<(Time, K, Vec<V>)>) {
        *self = Self::new(self.window);
        restore_panes(self, entries);
    }
}
