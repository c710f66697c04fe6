//! Every key gets a dense number, its slot: one table says which, and what belongs to the keys lies in vectors by slot.
//!
//! Combining in order of first sight makes the output deterministic; and a vector is what windows and state add and
//! subtract on. A slot that is removed is given to the next new key, so the vectors grow with the most keys there ever
//! were at once.

use super::index::KeyIndex;
use foldhash::fast::FixedState;
use std::{
    hash::{BuildHasher, Hash},
    hint::black_box,
};

/// Maps keys to slots `0..len` in order of first sight; what belongs to a key lies in a vector of the user's, by slot.
///
/// Made for keys that come in chunks of some hundreds: the lookups of a chunk wait for memory together.
///
/// # Examples
/// ```
/// use tidemill::rdd::SlotMap;
/// let (mut words, mut sums) = (SlotMap::default(), Vec::new());
/// for (slot, number) in words.slots_of(vec![("to", 1), ("be", 1), ("to", 1)], |_| sums.push(0)) {
///     sums[slot as usize] += number;
/// }
/// assert_eq!((words.into_keys(), sums), (vec!["to", "be"], vec![2, 1]));
/// ```
#[derive(Clone, Debug)]
pub struct SlotMap<K> {
    index: KeyIndex,
    /// The key of a free slot is dropped only when the slot is given to another.
    keys: Vec<K>,
    /// Kept so that no code of the user's runs while a key is removed.
    hashes: Vec<u64>,
    free: Vec<u32>,
    state: FixedState,
}

impl<K> Default for SlotMap<K> {
    fn default() -> Self {
        Self {
            index: KeyIndex::default(),
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
        self.find(key, self.state.hash_one(key)).map(|slot| slot as usize)
    }

    #[inline]
    fn find(&self, key: &K, hash: u64) -> Option<u32> {
        self.index.find(hash, |slot| self.keys[slot as usize] == *key)
    }

    /// The slot of `key`, and whether it is new.
    #[inline]
    pub(crate) fn slot(&mut self, key: K) -> (usize, bool) {
        let hash = self.state.hash_one(&key);
        self.slot_hashed(key, hash)
    }

    #[inline]
    fn slot_hashed(&mut self, key: K, hash: u64) -> (usize, bool) {
        match self.find(&key, hash) {
            Some(slot) => (slot as usize, false),
            None => (self.add(key, hash), true),
        }
    }

    /// The slots of all keys of a chunk, each with what belongs to the key; `added` is told of the slots that are new, in
    /// their order.
    ///
    /// All hashes first, then where each key most likely is, then one comparison each: no step waits for the step
    /// before it, so the processor waits for many cache lines at once.
    ///
    /// # Panics
    /// If there are more than 2^32 - 1 keys; if `Hash` or `Eq` of a key does.
    pub fn slots_of<V>(&mut self, chunk: Vec<(K, V)>, mut added: impl FnMut(u32)) -> Vec<(u32, V)> {
        let hashes: Vec<u64> = chunk.iter().map(|(key, _)| self.state.hash_one(key)).collect();
        let guesses: Vec<u32> = hashes.iter().map(|&hash| self.index.guess(hash)).collect();
        let likely = guesses.into_iter().zip(hashes);
        let slot_of = |((key, value), (guess, hash)): ((K, V), (u32, u64))| {
            if self.keys.get(guess as usize) == Some(&key) {
                return (guess, value);
            }
            let (slot, new) = self.slot_hashed(key, hash);
            if new {
                added(slot as u32);
            }
            (slot as u32, value)
        };
        chunk.into_iter().zip(likely).map(slot_of).collect()
    }

    /// Reads the keys of slots that are read again soon: what is not in the cache is waited for together.
    #[inline]
    pub(crate) fn look_at(&self, slots: &[u32]) {
        let is_read = |slot: &&u32| *black_box(self.key(**slot as usize)) == *self.key(**slot as usize);
        black_box(slots.iter().filter(is_read).count());
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
                let slot = u32::try_from(self.keys.len() - 1).ok().filter(|&slot| slot < u32::MAX);
                slot.expect("a partition holds fewer than 2^32 - 1 keys")
            }
        };
        self.index.add(hash, slot);
        slot as usize
    }
}

impl<K> SlotMap<K> {
    /// Removes the key of `slot`, which the next new key gets; nothing if the slot is free.
    pub(crate) fn remove(&mut self, slot: usize) {
        if self.index.remove(self.hashes[slot], slot as u32) {
            self.free.push(slot as u32);
        }
    }

    /// The key of a slot that is not free.
    #[inline]
    pub(crate) fn key(&self, slot: usize) -> &K {
        &self.keys[slot]
    }

    /// The keys by slot; only for a map from which nothing was removed.
    pub fn into_keys(self) -> Vec<K> {
        self.keys
    }

    /// How many slots there are, the free ones included.
    pub(crate) fn slots(&self) -> usize {
        self.keys.len()
    }

    /// How many keys there are.
    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        self.index.len()
    }
}

#[cfg(test)]
mod tests;
