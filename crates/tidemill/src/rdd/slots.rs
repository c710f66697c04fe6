//! Dense slots for keys: a hash table of indices over a vector of keys in first-seen order.
//!
//! Order of first sight, not of hashing, is what reaches the output; and a vector is what windows and state
//! add and subtract on.

use foldhash::fast::FixedState;
use hashbrown::HashTable;
use std::hash::{BuildHasher, Hash};

/// Maps keys to slots `0..len` in order of first sight.
#[derive(Clone, Debug)]
pub(crate) struct SlotMap<K> {
    table: HashTable<u32>,
    keys: Vec<K>,
    state: FixedState,
}

impl<K> Default for SlotMap<K> {
    fn default() -> Self {
        Self { table: HashTable::new(), keys: Vec::new(), state: FixedState::default() }
    }
}

impl<K: Hash + Eq> SlotMap<K> {
    #[inline]
    pub(crate) fn get(&self, key: &K) -> Option<usize> {
        let hash = self.state.hash_one(key);
        self.table.find(hash, |&slot| self.keys[slot as usize] == *key).map(|&slot| slot as usize)
    }

    /// The slot of `key`, and whether it is new.
    #[inline]
    pub(crate) fn slot(&mut self, key: K) -> (usize, bool) {
        let hash = self.state.hash_one(&key);
        let Self { table, keys, state } = self;
        if let Some(&slot) = table.find(hash, |&slot| keys[slot as usize] == key) {
            return (slot as usize, false);
        }
        let slot = u32::try_from(keys.len()).expect("a partition holds fewer than 2^32 keys");
        keys.push(key);
        table.insert_unique(hash, slot, |&slot| state.hash_one(&keys[slot as usize]));
        (slot as usize, true)
    }

    /// Removes the key of `slot`; the key of the last slot moves into its place.
    pub(crate) fn swap_remove(&mut self, slot: usize) -> K {
        let last = self.keys.len() - 1;
        self.forget(slot, slot);
        if slot != last {
            let hash = self.state.hash_one(&self.keys[last]);
            if let Some(entry) = self.table.find_mut(hash, |&entry| entry as usize == last) {
                *entry = slot as u32;
            }
        }
        self.keys.swap_remove(slot)
    }

    fn forget(&mut self, key_of: usize, slot: usize) {
        let hash = self.state.hash_one(&self.keys[key_of]);
        if let Ok(entry) = self.table.find_entry(hash, |&entry| entry as usize == slot) {
            entry.remove();
        }
    }

    pub(crate) fn keys(&self) -> &[K] {
        &self.keys
    }

    pub(crate) fn into_keys(self) -> Vec<K> {
        self.keys
    }

    pub(crate) fn len(&self) -> usize {
        self.keys.len()
    }
}
