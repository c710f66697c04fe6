//! A reduced window whose function has an inverse: a total for each key, to which batches are added as they enter and
//! from which they are subtracted as they leave.
//!
//! A key leaves with its last record, so the result is always what a recomputation would give.

use super::{
    Window,
    entering::{Entering, Pane},
    panes::restore_panes,
};
use crate::{
    base::{Data, Key, Result, Time},
    checkpoint::DeltaWriter,
    dstream::state::{StatePartition, emit_slots},
    rdd::{SlotMap, chunk::Chunks, task::Cursor},
};
use std::{any::type_name, collections::VecDeque, sync::Arc};

/// The value of a key in the window, of so many values that are still in it.
#[derive(Clone)]
struct Total<V> {
    value: V,
    count: u32,
}

pub(super) struct InverseWindow<K, V, F, G> {
    window: Window,
    reduce: Arc<F>,
    inverse: Arc<G>,
    slots: SlotMap<K>,
    totals: Vec<Option<Total<V>>>,
    panes: VecDeque<Pane<V>>,
    entering: Entering<V>,
}

impl<K: Key, V: Data, F, G> InverseWindow<K, V, F, G>
where
    F: Fn(V, V) -> V,
    G: Fn(V, V) -> V,
{
    pub(super) fn new(window: Window, reduce: Arc<F>, inverse: Arc<G>) -> Self {
        Self {
            window,
            reduce,
            inverse,
            slots: SlotMap::default(),
            totals: Vec::new(),
            panes: VecDeque::new(),
            entering: Entering::default(),
        }
    }

    /// Subtracts what has left. Depends on the time alone, so it is never undone; after a panic it goes on where it was.
    fn evict(&mut self, time: Time) {
        let Some(left) = self.window.left_at(time) else { return };
        while self.panes.front().is_some_and(|pane| pane.time <= left) {
            if let Some(pane) = self.panes.front_mut() {
                while let Some((slot, value)) = pane.values.last() {
                    let slot = *slot as usize;
                    let total = &mut self.totals[slot];
                    match total {
                        Some(total) if total.count > 1 => {
                            total.value = (self.inverse)(total.value.clone(), value.clone());
                            total.count -= 1;
                        }
                        _ => {
                            *total = None;
                            self.slots.remove(slot);
                        }
                    }
                    pane.values.pop();
                }
            }
            self.panes.pop_front();
            self.entering.left = Some(left);
        }
    }

    fn enter(&mut self, slot: usize, value: V) {
        let copy = value.clone();
        let replaced = match &mut self.totals[slot] {
            Some(total) => {
                let new = (self.reduce)(total.value.clone(), copy);
                total.count += 1;
                Some(std::mem::replace(&mut total.value, new))
            }
            empty => {
                *empty = Some(Total { value: copy, count: 1 });
                None
            }
        };
        self.entering.push(slot, value, replaced);
    }

    pub(super) fn emit(&self, from: usize, chunk: &mut Vec<(K, V)>) -> Option<usize> {
        emit_slots(self.totals.len(), from, chunk, |slot| {
            let total = self.totals[slot].as_ref()?;
            Some((self.slots.key(slot).clone(), total.value.clone()))
        })
    }
}

impl<K, V, F, G> StatePartition for InverseWindow<K, V, F, G>
where
    K: Key,
    V: Data,
    F: Fn(V, V) -> V + Send + Sync + 'static,
    G: Fn(V, V) -> V + Send + Sync + 'static,
{
    type In = (K, V);
    type Initial = ();
    type Key = K;
    /// What one batch brought of a key.
    type Value = Vec<V>;

    fn types() -> String {
        format!("window of reduced values: {} -> {}", type_name::<K>(), type_name::<V>())
    }

    fn load(&mut self, _time: Time, _initial: &mut dyn Iterator<Item = ()>) {}

    fn apply(&mut self, time: Time, batch: Chunks<'_, (K, V)>, cursor: &Cursor) {
        self.evict(time);
        self.entering.begin(time);
        for chunk in batch {
            let values = self.entering.slots_of(&mut self.slots, chunk);
            self.totals.resize(self.slots.slots(), None);
            for (slot, value) in values {
                cursor.step();
                self.enter(slot as usize, value);
            }
        }
    }

    fn commit(&mut self) {
        self.panes.extend(self.entering.commit());
    }

    fn roll_back(&mut self) {
        self.entering.roll_back(&mut self.slots, |slot, replaced| match (&mut self.totals[slot], replaced) {
            (Some(total), Some(value)) => {
                total.value = value;
                total.count -= 1;
            }
            (total, _) => *total = None,
        });
    }

    fn write_changes(&mut self, time: Time, delta: &mut DeltaWriter) -> Result<()> {
        self.entering.write(time, &self.slots, delta)
    }

    fn restore(&mut self, last_done: Time, entries: Vec<(Time, K, Vec<V>)>) -> Result<()> {
        *self = Self::new(self.window, self.reduce.clone(), self.inverse.clone());
        restore_panes(self, entries);
        // Also if the window was longer before.
        self.entering.left = self.window.left_at(last_done);
        Ok(())
    }
}
