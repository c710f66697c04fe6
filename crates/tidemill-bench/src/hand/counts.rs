//! An open-addressing table of words packed in 16 bytes.

use foldhash::fast::FixedState;
use hashbrown::HashMap;

/// How often each word occurred. Words of up to 16 bytes without zero bytes are kept packed, others in a map.
#[derive(Clone, Debug)]
pub struct WordCounts {
    slots: Vec<Slot>,
    used: usize,
    long: HashMap<Vec<u8>, u64, FixedState>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Slot {
    low: u64,
    high: u64,
    /// Zero: the slot is free.
    count: u64,
}

impl Default for WordCounts {
    fn default() -> Self {
        Self { slots: vec![Slot::default(); 1 << 12], used: 0, long: HashMap::default() }
    }
}

impl WordCounts {
    /// Counts the word in `text[start..end]` once more.
    #[inline(always)]
    pub(super) fn add(&mut self, text: &[u8], start: usize, end: usize) {
        let len = end - start;
        if len > 16 {
            return self.add_long(&text[start..end]);
        }
        let (low, high) = pack(text, start, len);
        self.add_packed(low, high, 1);
    }

    #[inline(always)]
    fn add_packed(&mut self, low: u64, high: u64, count: u64) {
        let mask = self.slots.len() - 1;
        let mut at = hash(low, high) & mask;
        loop {
            let slot = &mut self.slots[at & mask];
            if slot.low == low && slot.high == high && slot.count != 0 {
                slot.count += count;
                return;
            }
            if slot.count == 0 {
                *slot = Slot { low, high, count };
                break;
            }
            at += 1;
        }
        self.used += 1;
        if self.used * 2 > self.slots.len() {
            self.grow();
        }
    }

    #[cold]
    fn grow(&mut self) {
        let wider = vec![Slot::default(); self.slots.len() * 4];
        self.used = 0;
        for slot in std::mem::replace(&mut self.slots, wider) {
            if slot.count != 0 {
                self.add_packed(slot.low, slot.high, slot.count);
            }
        }
    }

    #[cold]
    fn add_long(&mut self, word: &[u8]) {
        *self.long.entry_ref(word).or_insert(0) += 1;
    }

    /// Adds what `other` counted.
    pub(super) fn merge(&mut self, other: WordCounts) {
        for slot in other.slots {
            if slot.count != 0 {
                self.add_packed(slot.low, slot.high, slot.count);
            }
        }
        for (word, count) in other.long {
            *self.long.entry(word).or_insert(0) += count;
        }
    }

    /// How many different words there are.
    pub fn distinct(&self) -> usize {
        self.used + self.long.len()
    }

    /// How many words were counted.
    pub fn total(&self) -> u64 {
        self.slots.iter().map(|slot| slot.count).sum::<u64>() + self.long.values().sum::<u64>()
    }

    /// How often `word` occurred.
    pub fn get(&self, word: &str) -> u64 {
        if word.len() > 16 {
            return self.long.get(word.as_bytes()).copied().unwrap_or(0);
        }
        let (low, high) = pack(word.as_bytes(), 0, word.len());
        let found = self.slots.iter().find(|slot| slot.count != 0 && (slot.low, slot.high) == (low, high));
        found.map_or(0, |slot| slot.count)
    }
}

/// The word as two integers, padded with zeros.
#[inline(always)]
fn pack(text: &[u8], start: usize, len: usize) -> (u64, u64) {
    let Some(room) = text.get(start..).and_then(|rest| rest.first_chunk::<16>()) else {
        let mut room = [0; 16];
        room[..len].copy_from_slice(&text[start..start + len]);
        return halves(u128::from_le_bytes(room));
    };
    let (low, high) = halves(u128::from_le_bytes(*room));
    if len <= 8 { (low & LOW_BYTES[len], 0) } else { (low, high & LOW_BYTES[len - 8]) }
}

const LOW_BYTES: [u64; 9] =
    [0, 0xff, 0xffff, 0xff_ffff, 0xffff_ffff, 0xff_ffff_ffff, 0xffff_ffff_ffff, 0xff_ffff_ffff_ffff, u64::MAX];

#[inline(always)]
fn halves(word: u128) -> (u64, u64) {
    (word as u64, (word >> 64) as u64)
}

#[inline(always)]
fn hash(low: u64, high: u64) -> usize {
    let product = u128::from(low ^ 0x9e37_79b9_7f4a_7c15) * u128::from(high ^ 0xd6e8_feb8_6659_fd93);
    (product as u64 ^ (product >> 64) as u64) as usize
}
