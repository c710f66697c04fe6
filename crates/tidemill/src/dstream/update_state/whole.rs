//! State that a function brings up to date a partition at a time; it may change the keys.

use super::each_key::{BySlot, types};
use crate::{
    base::{Data, Key, Result, Time},
    checkpoint::DeltaWriter,
    dstream::state::{StatePartition, emit_slots},
    rdd::{PartitionerRef, SlotMap, chunk::Chunks, task::Cursor},
};
use std::sync::Arc;

/// The keys of a partition and their states.
struct Keyed<K, S> {
    slots: SlotMap<K>,
    states: Vec<S>,
    /// A hash of each state as a checkpoint has it, 0 where it has none.
    known: Vec<u64>,
}

impl<K, S> Default for Keyed<K, S> {
    fn default() -> Self {
        Self { slots: SlotMap::default(), states: Vec::new(), known: Vec::new() }
    }
}

impl<K: Key, S> Keyed<K, S> {
    fn insert(&mut self, key: K, state: S) {
        let (slot, new) = self.slots.slot(key);
        if new {
            self.states.push(state);
            self.known.push(0);
        } else {
            self.states[slot] = state;
        }
    }
}

pub(super) struct WholePartition<K, V, S, F> {
    f: Arc<F>,
    partitioner: PartitionerRef<K>,
    index: usize,
    current: Keyed<K, S>,
    /// The state before the last batch, until that is final.
    before: Option<Keyed<K, S>>,
    values: std::marker::PhantomData<fn(V)>,
}

impl<K: Key, V: Data, S: Data, F> WholePartition<K, V, S, F> {
    pub(super) fn new(f: Arc<F>, partitioner: PartitionerRef<K>, index: usize) -> Self {
        Self { f, partitioner, index, current: Keyed::default(), before: None, values: std::marker::PhantomData }
    }

    pub(super) fn emit(&self, from: usize, chunk: &mut Vec<(K, S)>) -> Option<usize> {
        let Keyed { slots, states, .. } = &self.current;
        emit_slots(states.len(), from, chunk, |slot| Some((slots.key(slot).clone(), states[slot].clone())))
    }

    fn check_home(&self, key: &K) {
        let home = self.partitioner.partition(key);
        if home != self.index {
            panic!(
                "a key of partition \"{}\" was changed to one of partition \"{home}\"; keep the state in one partition, \
                 or in the partitions of a partitioner that places both alike",
                self.index
            );
        }
    }
}

impl<K, V, S, F, I> StatePartition for WholePartition<K, V, S, F>
where
    K: Key,
    V: Data,
    S: Data,
    F: Fn(&mut dyn Iterator<Item = (K, Vec<V>, Option<S>)>) -> I + Send + Sync + 'static,
    I: IntoIterator<Item = (K, S)> + 'static,
{
    type In = (K, V);
    type Initial = (K, S);
    type Key = K;
    type Value = S;

    fn types() -> String {
        types::<K, S>()
    }

    fn load(&mut self, _time: Time, initial: &mut dyn Iterator<Item = (K, S)>) {
        self.current = Keyed::default();
        initial.for_each(|(key, state)| self.current.insert(key, state));
    }

    fn apply(&mut self, _time: Time, batch: Chunks<'_, (K, V)>, cursor: &Cursor) {
        let (mut slots, states) = (self.current.slots.clone(), &self.current.states);
        let (mut slot_of, mut values) = (Vec::new(), Vec::new());
        for (key, value) in batch.flatten() {
            cursor.step();
            slot_of.push(slots.slot(key).0 as u32);
            values.push(value);
        }
        let values = BySlot::sort(slots.slots(), &slot_of, values);
        let mut keys = (0..slots.slots())
            .map(|slot| (slots.key(slot).clone(), values.of(slot).to_vec(), states.get(slot).cloned()));
        let mut next = Keyed::default();
        for (key, state) in (self.f)(&mut keys) {
            self.check_home(&key);
            next.insert(key, state);
        }
        self.before = Some(std::mem::replace(&mut self.current, next));
    }

    fn commit(&mut self) {
        self.before = None;
    }

    fn roll_back(&mut self) {
        if let Some(before) = self.before.take() {
            self.current = before;
        }
    }

    fn write_changes(&mut self, _time: Time, delta: &mut DeltaWriter) -> Result<()> {
        let Some(before) = &self.before else { return Ok(()) };
        let Keyed { slots, states, known } = &mut self.current;
        for (slot, (state, known)) in states.iter().zip(known).enumerate() {
            let key = slots.key(slot);
            *known = before.slots.get(key).map_or(0, |slot| before.known[slot]);
            delta.put_if_changed(key, state, known)?;
        }
        for (slot, known) in before.known.iter().enumerate() {
            let key = before.slots.key(slot);
            if *known != 0 && slots.get(key).is_none() {
                delta.put(Time::default(), key, None::<&S>)?;
            }
        }
        Ok(())
    }

    fn restore(&mut self, _last_done: Time, entries: Vec<(Time, K, S)>) -> Result<()> {
        self.load(Time::default(), &mut entries.into_iter().map(|(_, key, state)| (key, state)));
        let mut writer = DeltaWriter::new();
        self.current.known = self.current.states.iter().map(|state| writer.hash_of(state)).collect::<Result<_>>()?;
        Ok(())
    }
}
