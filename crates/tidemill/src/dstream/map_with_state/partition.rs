//! One partition of the state of a `map_with_state`.
//!
//! A batch changes the states in place and logs what it replaced; the states themselves are moved into the log, never
//! cloned. For timeouts, each batch leaves a list of the keys it touched: as batches get old, only the keys on their
//! lists are looked at.

use super::{
    Update,
    state::{Change, State},
};
use crate::{
    base::{Data, Key, Result, Time},
    checkpoint::DeltaWriter,
    dstream::state::{Marks, StatePartition, emit_slots},
    rdd::{SlotMap, chunk::Chunks, task::Cursor},
};
use std::{any::type_name, collections::VecDeque, hint::black_box, sync::Arc, time::Duration};

/// How many changed keys are looked at before the first of them is written.
const LOOKED_AT: usize = 64;

pub(crate) struct Sessions<K, V, S, M> {
    f: Arc<Update<K, V, S, M>>,
    slots: SlotMap<K>,
    states: Vec<Option<S>>,
    timers: Option<Timers>,
    /// What the last batch gave.
    mapped: Vec<M>,
    /// The state under the function's hands, and its slot.
    open: State<S>,
    open_slot: Option<usize>,
    /// What the last batch replaced, in its order.
    replaced: Vec<(u32, Option<S>)>,
    /// Slots that the last batch made, and slots whose state it removed.
    added: Vec<u32>,
    removed: Vec<u32>,
    /// Whether no batch is final since the state was given: all of it is part of what the last batch changed.
    is_fresh: bool,
    marks: Marks,
}

impl<K: Key, V: Data, S: Data, M: Data> Sessions<K, V, S, M> {
    pub(super) fn new(f: Arc<Update<K, V, S, M>>, timeout: Option<Duration>) -> Self {
        Self {
            f,
            slots: SlotMap::default(),
            states: Vec::new(),
            timers: timeout.map(Timers::new),
            mapped: Vec::new(),
            open: State::default(),
            open_slot: None,
            replaced: Vec::new(),
            added: Vec::new(),
            removed: Vec::new(),
            is_fresh: false,
            marks: Marks::default(),
        }
    }

    pub(super) fn emit_mapped(&self, from: usize, chunk: &mut Vec<M>) -> Option<usize> {
        emit_slots(self.mapped.len(), from, chunk, |index| Some(self.mapped[index].clone()))
    }

    pub(super) fn emit_states(&self, from: usize, chunk: &mut Vec<(K, S)>) -> Option<usize> {
        emit_slots(self.states.len(), from, chunk, |slot| {
            Some((self.slots.key(slot).clone(), self.states[slot].clone()?))
        })
    }

    /// Calls the function for a slot and does what it did to the state.
    fn call(&mut self, time: Time, slot: usize, value: Option<V>, timing_out: bool) {
        self.open.open(self.states[slot].take(), timing_out);
        self.open_slot = Some(slot);
        let mapped = (self.f)(time, self.slots.key(slot), value, &mut self.open);
        self.open_slot = None;
        let (state, change, before) = self.open.close();
        if timing_out {
            self.replaced.push((slot as u32, state));
            self.removed.push(slot as u32);
        } else {
            if change != Change::None {
                self.replaced.push((slot as u32, before));
            }
            if change == Change::Removed {
                self.removed.push(slot as u32);
            } else if state.is_some()
                && let Some(timers) = &mut self.timers
            {
                timers.touch(slot, time);
            }
            self.states[slot] = state;
        }
        self.mapped.extend(mapped);
    }

    /// Ends the keys for which nothing came for too long.
    fn time_out(&mut self, time: Time) {
        while let Some((slot, touched)) = self.timers.as_mut().and_then(|timers| timers.next_due(time)) {
            let slot = slot as usize;
            let due = self.timers.as_ref().is_some_and(|timers| timers.touched[slot] == touched);
            if due && self.states[slot].is_some() {
                self.call(time, slot, None, true);
            }
        }
    }
}

impl<K: Key, V: Data, S: Data, M: Data> StatePartition for Sessions<K, V, S, M> {
    type In = (K, V);
    type Initial = (K, S);
    type Key = K;
    /// With the batch that touched it last, if keys time out.
    type Value = (S, Time);

    fn types() -> String {
        format!("map_with_state: {} -> {}", type_name::<K>(), type_name::<S>())
    }

    fn load(&mut self, _time: Time, initial: &mut dyn Iterator<Item = (K, S)>) {
        (self.slots, self.states) = (SlotMap::default(), Vec::new());
        for (key, state) in initial {
            let (slot, new) = self.slots.slot(key);
            if new {
                self.states.push(None);
            }
            self.states[slot] = Some(state);
        }
        self.added.clear();
        self.is_fresh = true;
    }

    fn apply(&mut self, time: Time, batch: Chunks<'_, (K, V)>, cursor: &Cursor) {
        self.mapped.clear();
        if let Some(timers) = &mut self.timers {
            if self.is_fresh {
                // What was given counts as touched by the first batch that does not fail.
                let touched = |state: &Option<S>| if state.is_some() { time } else { NEVER };
                *timers = Timers::restored(timers.timeout, self.states.iter().map(touched).collect());
            }
            timers.now = time;
        }
        for chunk in batch {
            self.mapped.reserve(chunk.len());
            let records = self.slots.slots_of(chunk, |slot| self.added.push(slot));
            self.states.resize(self.slots.slots(), None);
            // A look at all states before the first is changed: what is not in the cache is waited for together.
            let known = records.iter().filter(|(slot, _)| self.states[*slot as usize].is_some()).count();
            self.replaced.reserve(known);
            if let Some(timers) = &mut self.timers {
                timers.make_room(&records);
            }
            for (slot, value) in records {
                cursor.step();
                self.call(time, slot as usize, Some(value), false);
            }
        }
        self.time_out(time);
    }

    fn commit(&mut self) {
        self.is_fresh = false;
        self.replaced.clear();
        for slot in self.added.drain(..).chain(self.removed.drain(..)) {
            if self.states[slot as usize].is_none() {
                self.slots.remove(slot as usize);
            }
        }
        if let Some(timers) = &mut self.timers {
            timers.commit();
        }
    }

    fn roll_back(&mut self) {
        if let Some(slot) = self.open_slot.take() {
            self.states[slot] = self.open.give_up();
        }
        for (slot, state) in self.replaced.drain(..).rev() {
            self.states[slot as usize] = state;
        }
        self.removed.clear();
        for slot in self.added.drain(..) {
            self.slots.remove(slot as usize);
        }
        self.mapped.clear();
        if let Some(timers) = &mut self.timers {
            timers.roll_back();
        }
    }

    fn write_changes(&mut self, _time: Time, delta: &mut DeltaWriter) -> Result<()> {
        let Self { slots, states, timers, replaced, marks, .. } = self;
        let touched = timers.as_ref().map_or(&[][..], |timers| &timers.touched);
        let mut put = |slot: usize| {
            let touched = touched.get(slot).copied().unwrap_or_default();
            let value = states[slot].as_ref().map(|state| (state, touched));
            delta.put(Time::default(), slots.key(slot), value.as_ref())
        };
        if self.is_fresh {
            return (0..states.len()).filter(|slot| states[*slot].is_some()).try_for_each(put);
        }
        let touching = timers.as_ref().map_or(&[][..], |timers| &timers.touching);
        let changed = replaced.iter().map(|(slot, _)| *slot).chain(touching.iter().map(|(slot, _)| *slot));
        marks.each_once(states.len(), changed).chunks(LOOKED_AT).try_for_each(|changed| {
            // As `apply` does: what is not in the cache is waited for together.
            slots.look_at(changed);
            black_box(changed.iter().filter(|slot| states[**slot as usize].is_some()).count());
            changed.iter().try_for_each(|slot| put(*slot as usize))
        })
    }

    fn restore(&mut self, last_done: Time, entries: Vec<(Time, K, (S, Time))>) -> Result<()> {
        (self.slots, self.states, self.is_fresh) = (SlotMap::default(), Vec::with_capacity(entries.len()), false);
        let mut touched = Vec::with_capacity(entries.len());
        for (_, key, (state, time)) in entries {
            let (slot, _) = self.slots.slot(key);
            self.states.resize(self.slots.slots(), None);
            touched.resize(self.slots.slots(), last_done);
            self.states[slot] = Some(state);
            // In the earlier program keys did not time out: there none was idle before the restart.
            touched[slot] = if time == Time::default() { last_done } else { time };
        }
        self.timers = self.timers.as_ref().map(|timers| Timers::restored(timers.timeout, touched));
        Ok(())
    }
}

/// When each key was touched last, and which keys each batch touched.
struct Timers {
    timeout: Duration,
    touched: Vec<Time>,
    batches: VecDeque<(Time, Vec<u32>)>,
    now: Time,
    /// The keys that the last batch touched, and when they were touched before.
    touching: Vec<(u32, Time)>,
    /// How many keys of the oldest list, and how many lists, the last batch has looked at.
    seen: usize,
    seen_batches: usize,
}

/// Of a slot that was never touched.
const NEVER: Time = Time::from_ms(u64::MAX);

impl Timers {
    fn new(timeout: Duration) -> Self {
        Self {
            timeout,
            touched: Vec::new(),
            batches: VecDeque::new(),
            now: NEVER,
            touching: Vec::new(),
            seen: 0,
            seen_batches: 0,
        }
    }

    fn restored(timeout: Duration, touched: Vec<Time>) -> Self {
        let slots = touched.iter().copied().zip(0..);
        let mut slots: Vec<(Time, u32)> = slots.filter(|(time, _)| *time != NEVER).collect();
        slots.sort_unstable();
        let batches = slots.chunk_by(|(one, _), (other, _)| one == other);
        let batches = batches.map(|batch| (batch[0].0, batch.iter().map(|(_, slot)| *slot).collect()));
        Self { touched, batches: batches.collect(), ..Self::new(timeout) }
    }

    /// Looks at all slots that will be touched, as is done with their states.
    fn make_room<V>(&mut self, records: &[(u32, V)]) {
        let untouched = records.iter().filter(|(slot, _)| self.touched.get(*slot as usize) != Some(&self.now));
        self.touching.reserve(untouched.count());
    }

    #[inline]
    fn touch(&mut self, slot: usize, time: Time) {
        self.now = time;
        if slot >= self.touched.len() {
            self.touched.resize(slot + 1, NEVER);
        }
        if self.touched[slot] != time {
            self.touching.push((slot as u32, self.touched[slot]));
            self.touched[slot] = time;
        }
    }

    /// The next key on the list of a batch that is older than the timeout at `time`, and when that batch was.
    fn next_due(&mut self, time: Time) -> Option<(u32, Time)> {
        loop {
            let (touched, slots) = self.batches.get(self.seen_batches)?;
            if *touched + self.timeout >= time {
                return None;
            }
            if let Some(&slot) = slots.get(self.seen) {
                self.seen += 1;
                return Some((slot, *touched));
            }
            (self.seen, self.seen_batches) = (0, self.seen_batches + 1);
        }
    }

    fn commit(&mut self) {
        self.batches.drain(..std::mem::take(&mut self.seen_batches));
        self.seen = 0;
        if !self.touching.is_empty() {
            let slots = self.touching.drain(..).map(|(slot, _)| slot).collect();
            self.batches.push_back((self.now, slots));
        }
    }

    fn roll_back(&mut self) {
        (self.seen, self.seen_batches) = (0, 0);
        for (slot, touched) in self.touching.drain(..).rev() {
            self.touched[slot as usize] = touched;
        }
    }
}
