//! Every key gets a dense number, its slot: one table says which, and what belongs to the keys lies in vectors by slot.
//!
//! Combining in order of first sight makes the output deterministic; and a vector is what windows and state add and
//! subtract on. A slot that is removed is given to the next new key, so the vectors grow with the most keys there ever
//! were at once.

use foldhash::fast::FixedState;
use hashbrown::HashTable;
use std::hash::{BuildHasher, Hash};

/// Maps keys to slots `0..len` in order of first sight.
#[derive(Clone, Debug)]
pub(crate) struct SlotMap<K> {
    table: HashTable<u32>,
    /// The key of a free slot is dropped only when the slot is given to another.
    keys: Vec<K>,
    /// Kept so that no code of the user's runs while the table grows or loses a key.
    hashes: Vec<u64>,
    free: Vec<u32>,
    state: FixedState,
}

impl<K> Default for SlotMap<K> {
    fn default() -> Self {
        Self {
            table: HashTable::new(),
            keys: Vec::new(),
            hashes: Vec::new(),
            free: Vec::new(),
            state: FixedState::default(),
        }
    }
}

impl<K: Hash + Eq> SlotMap<K> {
    #[inline]
    pub(crate) fn get(&self, key: &K) -> Option<usize> {
        let keys = &self.keys;
        let found = self.table.find(self.state.hash_one(key), |&slot| keys[slot as usize] == *key);
        found.map(|&slot| slot as usize)
    }

    /// The slot of `key`, and whether it is new.
    #[inline]
    pub(crate) fn slot(&mut self, key: K) -> (usize, bool) {
        let hash = self.state.hash_one(&key);
        let keys = &self.keys;
        if let Some(&slot) = self.table.find(hash, |&slot| keys[slot as usize] == key) {
            return (slot as usize, false);
        }
        (self.add(key, hash), true)
    }

    fn add(&mut self, key: K, hash: u64) -> usize {
        let slot = match self.free.pop() {
            Some(slot) => {
                self.keys[slot as usize] = key;
                self.hashes[slot as usize] = hash;
                slot
            }
            None => {
                self.keys.push(key);
                self.hashes.push(hash);
                u32::try_from(self.keys.len() - 1).expect("a partition holds fewer than 2^32 keys")
            }
        };
        let hashes = &self.hashes;
        self.table.insert_unique(hash, slot, |&slot| hashes[slot as usize]);
        slot as usize
    }
}

impl<K> SlotMap<K> {
    /// Removes the key of `slot`, which the next new key gets; nothing if the slot is free.
    pub(crate) fn remove(&mut self, slot: usize) {
        if let Ok(entry) = self.table.find_entry(self.hashes[slot], |&entry| entry as usize == slot) {
            entry.remove();
            self.free.push(slot as u32);
        }
    }

    /// The key of a slot that is not free.
    #[inline]
    pub(crate) fn key(&self, slot: usize) -> &K {
        &self.keys[slot]
    }

    /// The keys by slot; only for a map from which nothing was removed.
    pub(crate) fn into_keys(self) -> Vec<K> {
        self.keys
    }

    /// How many slots there are, the free ones included.
    pub(crate) fn slots(&self) -> usize {
        self.keys.len()
    }

    /// How many keys there are.
    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        self.table.len()
    }
}

#[cfg(test)]
mod tests;
