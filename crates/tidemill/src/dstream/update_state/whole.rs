//! State that a function brings up to date a partition at a time; it may change the keys.

use super::each_key::BySlot;
use crate::{
    base::{Data, Error, Key, Result, Time},
    checkpoint::DeltaWriter,
    dstream::state::{StatePartition, emit_slots},
    rdd::{PartitionerRef, SlotMap, chunk::Chunks, task::Cursor},
};
use std::sync::Arc;

/// The keys of a partition and their states.
struct Keyed<K, S> {
    slots: SlotMap<K>,
    states: Vec<S>,
}

impl<K, S> Default for Keyed<K, S> {
    fn default() -> Self {
        Self { slots: SlotMap::default(), states: Vec::new() }
    }
}

impl<K: Key, S> Keyed<K, S> {
    fn insert(&mut self, key: K, state: S) {
        let (slot, new) = self.slots.slot(key);
        if new {
            self.states.push(state);
        } else {
            self.states[slot] = state;
        }
    }

    fn get(&self, key: &K) -> Option<&S> {
        self.slots.get(key).map(|slot| &self.states[slot])
    }

    fn iter(&self) -> impl Iterator<Item = (&K, &S)> {
        self.states.iter().enumerate().map(|(slot, state)| (self.slots.key(slot), state))
    }
}

pub(super) struct WholePartition<K, V, S, F> {
    f: Arc<F>,
    partitioner: PartitionerRef<K>,
    index: usize,
    current: Keyed<K, S>,
    /// The state before the last batch, until that is final.
    before: Option<Keyed<K, S>>,
    /// Whether the checkpoint has nothing of it yet.
    is_fresh: bool,
    values: std::marker::PhantomData<fn(V)>,
}

impl<K: Key, V: Data, S: Data, F> WholePartition<K, V, S, F> {
    pub(super) fn new(f: Arc<F>, partitioner: PartitionerRef<K>, index: usize) -> Self {
        Self {
            f,
            partitioner,
            index,
            current: Keyed::default(),
            before: None,
            is_fresh: true,
            values: std::marker::PhantomData,
        }
    }

    pub(super) fn emit(&self, from: usize, chunk: &mut Vec<(K, S)>) -> Option<usize> {
        let Keyed { slots, states } = &self.current;
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
        self.is_fresh = false;
    }

    fn roll_back(&mut self) {
        if let Some(before) = self.before.take() {
            self.current = before;
        }
    }

    fn write_changes(&mut self, delta: &mut DeltaWriter) -> Result<()> {
        let Some(before) = self.before.as_ref().filter(|_| !self.is_fresh) else {
            return self.current.iter().try_for_each(|(key, state)| delta.put(Time::default(), key, Some(state)));
        };
        for (key, state) in self.current.iter() {
            let known = before.get(key).map(postcard::to_stdvec).transpose();
            let known = known.map_err(|error| Error::data("a state could not be serialised").with_source(error))?;
            delta.put_unless(key, state, |bytes| known.as_deref() == Some(bytes))?;
        }
        for (key, _) in before.iter().filter(|(key, _)| self.current.get(key).is_none()) {
            delta.put(Time::default(), key, None::<&S>)?;
        }
        Ok(())
    }

    fn restore(&mut self, _last_done: Time, entries: Vec<(Time, K, S)>) {
        self.load(Time::default(), &mut entries.into_iter().map(|(_, key, state)| (key, state)));
        self.is_fresh = false;
    }
}
