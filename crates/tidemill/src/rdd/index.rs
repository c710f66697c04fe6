//! Which slot the key with a given hash has: the table behind combining by key. Keys themselves lie elsewhere, by slot.
//!
//! One word for each key, half of a hash and a slot, and linear probing. It is faster than a general hash table here
//! because a whole chunk can be looked up at once: [`KeyIndex::guess`] decides nothing, so the processor waits for many
//! cache lines together, where a lookup after another waits for each.

#[cfg(test)]
mod tests;

/// Slots by hash.
#[derive(Clone, Debug)]
pub(crate) struct KeyIndex {
    /// The upper half is that of the hash, the lower half the slot and one; zero is free. A power of two of them.
    entries: Vec<u64>,
    used: usize,
}

/// No slot.
pub(super) const NONE: u32 = u32::MAX;
const FIRST_ENTRIES: usize = 16;
const LARGE: usize = 1 << 18;

impl Default for KeyIndex {
    fn default() -> Self {
        Self { entries: vec![0; FIRST_ENTRIES], used: 0 }
    }
}

#[inline]
fn slot_of(entry: u64) -> u32 {
    (entry as u32).wrapping_sub(1)
}

impl KeyIndex {
    #[inline]
    fn home(&self, hash: u64) -> usize {
        (hash >> 32) as usize & (self.entries.len() - 1)
    }

    /// The slot that a key with this hash most likely has; larger than any slot if it most likely has none.
    #[inline]
    pub(crate) fn guess(&self, hash: u64) -> u32 {
        let entry = self.entries[self.home(hash)];
        if (entry ^ hash) >> 32 == 0 { slot_of(entry) } else { NONE }
    }

    /// The slot with this hash of which `is_key` holds.
    #[inline]
    pub(crate) fn find(&self, hash: u64, is_key: impl Fn(u32) -> bool) -> Option<u32> {
        let mut at = self.home(hash);
        loop {
            let entry = self.entries[at];
            if entry == 0 {
                return None;
            }
            if (entry ^ hash) >> 32 == 0 && is_key(slot_of(entry)) {
                return Some(slot_of(entry));
            }
            at = (at + 1) & (self.entries.len() - 1);
        }
    }

    /// Adds a slot whose key is not there yet.
    pub(crate) fn add(&mut self, hash: u64, slot: u32) {
        self.used += 1;
        if self.used * 2 > self.entries.len() {
            self.grow();
        }
        self.put((hash >> 32) << 32 | u64::from(slot + 1));
    }

    fn put(&mut self, entry: u64) {
        let mut at = self.home(entry);
        while self.entries[at] != 0 {
            at = (at + 1) & (self.entries.len() - 1);
        }
        self.entries[at] = entry;
    }

    /// Takes out a slot that was added with this hash; whether it was there.
    pub(super) fn remove(&mut self, hash: u64, slot: u32) -> bool {
        let (mask, wanted) = (self.entries.len() - 1, (hash >> 32) << 32 | u64::from(slot + 1));
        let mut gap = self.home(hash);
        while self.entries[gap] != wanted {
            if self.entries[gap] == 0 {
                return false;
            }
            gap = (gap + 1) & mask;
        }
        self.used -= 1;
        // What follows moves up, unless it stands between its home and the gap: nothing may be free on its way.
        let mut at = (gap + 1) & mask;
        while self.entries[at] != 0 {
            let from_home = at.wrapping_sub(self.home(self.entries[at])) & mask;
            if from_home >= (at.wrapping_sub(gap) & mask) {
                self.entries[gap] = self.entries[at];
                gap = at;
            }
            at = (at + 1) & mask;
        }
        self.entries[gap] = 0;
        true
    }

    /// How many slots there are.
    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.used
    }

    #[cold]
    fn grow(&mut self) {
        // A large index grows with less room to spare: what it costs is waiting for memory.
        let by = if self.entries.len() < LARGE { 4 } else { 2 };
        let wider = vec![0; self.entries.len() * by];
        for entry in std::mem::replace(&mut self.entries, wider) {
            if entry != 0 {
                self.put(entry);
            }
        }
    }
}
