//! A reduced window whose function has no inverse: the two-stacks method, sparse, with the turning of the stack spread
//! over the slides.
//!
//! The batches in the window stand in three groups, the oldest first. The *front* holds, for each key, the values of all
//! its batches reduced; with each batch goes a list of what it hid, so that the oldest batch leaves by putting that
//! back. The *back* takes in new batches and holds their values reduced. The *middle* is a former back that is made into
//! the next front, one batch a slide, from the newest to the oldest, while its reduced values stand as they were. The
//! value of a key is front, middle and back reduced in this order, so the function need only be associative.

use super::{
    Window,
    entering::{Entering, Pane},
    panes::restore_panes,
};
use crate::{
    base::{Data, Key, Result, Time, time::ms},
    checkpoint::DeltaWriter,
    dstream::state::{StatePartition, emit_slots},
    rdd::{SlotMap, chunk::Chunks, task::Cursor},
};
use std::{any::type_name, collections::VecDeque, sync::Arc};

/// A batch in the front: what to put back when it leaves, the last first.
struct Hidden<V> {
    time: Time,
    values: Vec<(u32, Option<V>)>,
}

/// Reduced values by slot; slots beyond the end have none.
type Reduced<V> = Vec<Option<V>>;

fn at<V>(reduced: &[Option<V>], slot: usize) -> Option<&V> {
    reduced.get(slot).and_then(Option::as_ref)
}

/// The place of a slot, which is made if need be.
#[inline]
fn place<V>(reduced: &mut Reduced<V>, slot: usize) -> &mut Option<V> {
    if slot >= reduced.len() {
        reduced.resize_with(slot + 1, || None);
    }
    &mut reduced[slot]
}

pub(super) struct TwoStacks<K, V, F> {
    window: Window,
    reduce: Arc<F>,
    slots: SlotMap<K>,
    front: Reduced<V>,
    /// The oldest batch last.
    hidden: Vec<Hidden<V>>,
    middle: Reduced<V>,
    /// The batches of the middle that are not yet turned, the newest last.
    unturned: Vec<Pane<V>>,
    /// The next front, as far as it is made.
    turned: Reduced<V>,
    turned_hidden: Vec<Hidden<V>>,
    back: Reduced<V>,
    panes: VecDeque<Pane<V>>,
    entering: Entering<V>,
}

impl<K: Key, V: Data, F: Fn(V, V) -> V> TwoStacks<K, V, F> {
    pub(super) fn new(window: Window, reduce: Arc<F>) -> Self {
        Self {
            window,
            reduce,
            slots: SlotMap::default(),
            front: Vec::new(),
            hidden: Vec::new(),
            middle: Vec::new(),
            unturned: Vec::new(),
            turned: Vec::new(),
            turned_hidden: Vec::new(),
            back: Vec::new(),
            panes: VecDeque::new(),
            entering: Entering::default(),
        }
    }

    /// Turns batches of the middle until no more than `rest` are left. A panic in between loses nothing.
    fn turn(&mut self, rest: usize) {
        while self.unturned.len() > rest {
            let Some(pane) = self.unturned.last_mut() else { return };
            if self.turned_hidden.last().is_none_or(|hidden| hidden.time != pane.time) {
                let values = Vec::with_capacity(pane.values.len());
                self.turned_hidden.push(Hidden { time: pane.time, values });
            }
            let Some(hidden) = self.turned_hidden.last_mut() else { return };
            while let Some((slot, value)) = pane.values.last() {
                let newer = place(&mut self.turned, *slot as usize);
                let reduced = match newer {
                    Some(newer) => (self.reduce)(value.clone(), newer.clone()),
                    None => value.clone(),
                };
                hidden.values.push((*slot, newer.replace(reduced)));
                pane.values.pop();
            }
            self.unturned.pop();
        }
    }

    /// Makes the back the middle.
    fn shift(&mut self) {
        self.middle = std::mem::take(&mut self.back);
        self.unturned = self.panes.drain(..).collect();
    }

    /// Makes the middle, all turned, the front.
    fn flip(&mut self) {
        self.front = std::mem::take(&mut self.turned);
        self.hidden = std::mem::take(&mut self.turned_hidden);
        self.middle.clear();
    }

    fn middle_is_empty(&self) -> bool {
        self.unturned.is_empty() && self.turned_hidden.is_empty()
    }

    fn oldest(&self) -> Option<Time> {
        let front = self.hidden.last().map(|hidden| hidden.time);
        // The unturned batches of the middle are the oldest of it.
        let middle = || self.unturned.first().map(|pane| pane.time);
        let turned = || self.turned_hidden.last().map(|hidden| hidden.time);
        front.or_else(middle).or_else(turned).or_else(|| self.panes.front().map(|pane| pane.time))
    }

    /// Lets go of what has left. Depends on the time alone, so it is never undone.
    fn evict(&mut self, time: Time) {
        let Some(left) = self.window.left_at(time) else { return };
        while self.oldest().is_some_and(|oldest| oldest <= left) {
            if self.hidden.is_empty() {
                if self.middle_is_empty() {
                    self.shift();
                }
                self.turn(0);
                self.flip();
            }
            let Some(hidden) = self.hidden.pop() else { return };
            self.entering.left = Some(left);
            for (slot, value) in hidden.values.into_iter().rev() {
                self.front[slot as usize] = value;
                self.free_if_gone(slot as usize);
            }
        }
    }

    /// Does what keeps a later slide from having to turn many batches at once.
    fn prepare(&mut self, time: Time) {
        if let Some(oldest) = self.unturned.first() {
            let leaves_in = (oldest.time + self.window.length).since(time);
            let slides_left = (ms(leaves_in) / ms(self.window.step).max(1)) as usize;
            let rest = self.unturned.len().min(slides_left).saturating_sub(1);
            self.turn(rest);
        }
        if self.hidden.is_empty() && self.unturned.is_empty() {
            self.flip();
        }
        if self.middle_is_empty() && self.panes.len() >= self.window.batches().div_ceil(2) {
            self.shift();
        }
    }

    fn free_if_gone(&mut self, slot: usize) {
        let groups = [&self.front, &self.middle, &self.back];
        if groups.into_iter().all(|group| at(group, slot).is_none()) {
            self.slots.remove(slot);
        }
    }

    fn enter(&mut self, slot: usize, value: V) {
        let copy = value.clone();
        let older = place(&mut self.back, slot);
        let reduced = match older {
            Some(older) => (self.reduce)(older.clone(), copy),
            None => copy,
        };
        let replaced = older.replace(reduced);
        self.entering.push(slot, value, replaced);
    }

    pub(super) fn emit(&self, from: usize, chunk: &mut Vec<(K, V)>) -> Option<usize> {
        emit_slots(self.slots.slots(), from, chunk, |slot| {
            let mut groups = [&self.front, &self.middle, &self.back].into_iter().filter_map(|group| at(group, slot));
            let first = groups.next()?.clone();
            Some((self.slots.key(slot).clone(), groups.fold(first, |older, newer| (self.reduce)(older, newer.clone()))))
        })
    }
}

impl<K: Key, V: Data, F: Fn(V, V) -> V + Send + Sync + 'static> StatePartition for TwoStacks<K, V, F> {
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
        self.prepare(time);
        self.entering.begin(time);
        for chunk in batch {
            let values = self.entering.slots_of(&mut self.slots, chunk);
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
        self.entering.roll_back(&mut self.slots, |slot, replaced| self.back[slot] = replaced);
    }

    fn write_changes(&mut self, time: Time, delta: &mut DeltaWriter) -> Result<()> {
        self.entering.write(time, &self.slots, delta)
    }

    fn restore(&mut self, last_done: Time, entries: Vec<(Time, K, Vec<V>)>) -> Result<()> {
        *self = Self::new(self.window, self.reduce.clone());
        restore_panes(self, entries);
        // Also if the window was longer before.
        self.entering.left = self.window.left_at(last_done);
        Ok(())
    }
}
