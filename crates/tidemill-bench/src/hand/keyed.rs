//! Windows and state over numbers by key: every key has a dense slot, and a table says which.

use foldhash::fast::FixedState;
use hashbrown::HashTable;
use std::{collections::VecDeque, hash::BuildHasher};

/// Which slot a key has, in the order of first sight.
#[derive(Debug, Default)]
struct Slots {
    table: HashTable<(u64, u32)>,
    keys: Vec<u64>,
    hasher: FixedState,
}

impl Slots {
    #[inline]
    fn of(&mut self, key: u64) -> usize {
        let hasher = &self.hasher;
        let slot = self.table.entry(hasher.hash_one(key), |(known, _)| *known == key, |(key, _)| hasher.hash_one(key));
        let keys = &mut self.keys;
        let occupied = slot.or_insert_with(|| {
            keys.push(key);
            (key, keys.len() as u32 - 1)
        });
        occupied.get().1 as usize
    }
}

/// Sums by key over the last batches: the new batch is added, the one that falls out is subtracted.
#[derive(Debug)]
pub struct InverseWindow {
    batches: usize,
    slots: Slots,
    sums: Vec<i64>,
    kept: VecDeque<Vec<(u32, i64)>>,
}

impl InverseWindow {
    /// A window over `batches` batches.
    pub fn new(batches: usize) -> Self {
        Self { batches, slots: Slots::default(), sums: Vec::new(), kept: VecDeque::new() }
    }

    /// Takes in a batch, and returns the sum of every key.
    pub fn slide(&mut self, batch: &[(u64, i64)]) -> Vec<(u64, i64)> {
        let mut new = Vec::new();
        if self.kept.len() == self.batches
            && let Some(old) = self.kept.pop_front()
        {
            old.iter().for_each(|&(slot, value)| self.sums[slot as usize] -= value);
            new = old;
            new.clear();
        }
        new.reserve(batch.len());
        for &(key, value) in batch {
            let slot = self.slots.of(key);
            if slot == self.sums.len() {
                self.sums.push(0);
            }
            self.sums[slot] += value;
            new.push((slot as u32, value));
        }
        self.kept.push_back(new);
        self.slots.keys.iter().copied().zip(self.sums.iter().copied()).collect()
    }
}

/// Sums by key over the last batches, with no use of subtraction: every slide adds up all batches again.
#[derive(Debug)]
pub struct NaiveWindow {
    batches: usize,
    slots: Slots,
    /// What each batch brings to each slot.
    kept: VecDeque<Vec<i64>>,
}

impl NaiveWindow {
    /// A window over `batches` batches.
    pub fn new(batches: usize) -> Self {
        Self { batches, slots: Slots::default(), kept: VecDeque::new() }
    }

    /// Takes in a batch, and returns the sum of every key.
    pub fn slide(&mut self, batch: &[(u64, i64)]) -> Vec<(u64, i64)> {
        let mut new = if self.kept.len() == self.batches { self.kept.pop_front() } else { None }.unwrap_or_default();
        new.fill(0);
        for &(key, value) in batch {
            let slot = self.slots.of(key);
            if slot >= new.len() {
                new.resize(slot + 1, 0);
            }
            new[slot] += value;
        }
        self.kept.push_back(new);
        let mut sums = vec![0; self.slots.keys.len()];
        for values in &self.kept {
            sums.iter_mut().zip(values).for_each(|(sum, value)| *sum += value);
        }
        self.slots.keys.iter().copied().zip(sums).collect()
    }
}

/// A running sum for every key ever seen.
#[derive(Debug, Default)]
pub struct State {
    slots: Slots,
    sums: Vec<i64>,
}

impl State {
    /// Adds a batch, and returns the new sum at each record, as `map_with_state` does.
    pub fn touched(&mut self, batch: &[(u64, i64)]) -> Vec<(u64, i64)> {
        let updated = batch.iter().map(|&(key, value)| (key, self.add(key, value)));
        updated.collect()
    }

    /// Adds a batch, and returns the sum of every key ever seen, as `update_state_by_key` does.
    pub fn all(&mut self, batch: &[(u64, i64)]) -> Vec<(u64, i64)> {
        for &(key, value) in batch {
            self.add(key, value);
        }
        self.slots.keys.iter().copied().zip(self.sums.iter().copied()).collect()
    }

    #[inline]
    fn add(&mut self, key: u64, value: i64) -> i64 {
        let slot = self.slots.of(key);
        if slot == self.sums.len() {
            self.sums.push(0);
        }
        self.sums[slot] += value;
        self.sums[slot]
    }
}
