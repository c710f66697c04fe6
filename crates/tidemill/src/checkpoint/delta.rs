//! Changes of state as bytes: entries of a key and a value, sorted into key groups.
//!
//! The same form serves a batch's changes and a whole state, which is a change from nothing. Entries can be merged without
//! knowing their types: of two with the same time and key the later one counts, and a change may forget what is old.

use crate::base::{Error, Result, Time};
use rapidhash::v3::rapidhash_v3;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// How many groups the keys of an operator are sorted into; part of the format.
pub(crate) const GROUPS: usize = 256;

/// Changes of the state of many operators.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct StateDelta {
    /// By the uid of the operator.
    pub(crate) operators: BTreeMap<String, Delta>,
}

/// Changes of the state of one operator, or of a part of it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Delta {
    /// Everything before it is forgotten first.
    pub(crate) from_nothing: bool,
    /// Entries before it that are at or before this time, those without a time excepted, are gone.
    pub(crate) forgotten: Option<Time>,
    /// Groups that something changed in, in order; a group may stand here more than once, the later one is the newer.
    pub(crate) groups: Vec<Group>,
}

/// The changes in one group of keys.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Group {
    pub(crate) index: u16,
    /// Entries one after another; see [`entries`](Self::entries).
    #[serde(with = "serde_bytes")]
    pub(crate) bytes: Vec<u8>,
}

/// One key of one operator, and what it is now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Entry<'a> {
    /// Of what belongs to one batch, as the panes of a window do; 0 for what does not.
    pub(crate) time: Time,
    pub(crate) key: &'a [u8],
    /// `None` if it is gone.
    pub(crate) value: Option<&'a [u8]>,
}

/// Which group an encoded key belongs to, on every machine and for ever.
pub(crate) fn group_of(key: &[u8]) -> usize {
    (rapidhash_v3(key) % GROUPS as u64) as usize
}

/// Collects the changes of one partition of an operator.
#[derive(Debug)]
pub(crate) struct DeltaWriter {
    delta: Delta,
    groups: Vec<Vec<u8>>,
    key: Vec<u8>,
    value: Vec<u8>,
}

fn encoded(scratch: Vec<u8>, value: &impl Serialize) -> Result<Vec<u8>> {
    postcard::to_extend(value, scratch)
        .map_err(|error| Error::data("a record of the state could not be serialised").with_source(error))
}

fn put_number(bytes: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        bytes.push(number as u8 | 0x80);
        number >>= 7;
    }
    bytes.push(number as u8);
}

fn take_number(bytes: &mut &[u8]) -> Option<u64> {
    let (mut number, mut shift) = (0u64, 0);
    loop {
        let (first, rest) = bytes.split_first()?;
        *bytes = rest;
        number |= u64::from(first & 0x7f).checked_shl(shift)?;
        if first & 0x80 == 0 {
            return Some(number);
        }
        shift += 7;
    }
}

fn take_bytes<'a>(bytes: &mut &'a [u8], length: u64) -> Option<&'a [u8]> {
    let (taken, rest) = bytes.split_at_checked(usize::try_from(length).ok()?)?;
    *bytes = rest;
    Some(taken)
}

impl DeltaWriter {
    pub(crate) fn new() -> Self {
        Self { delta: Delta::default(), groups: Vec::new(), key: Vec::new(), value: Vec::new() }
    }

    /// What was there before is not there any more.
    pub(crate) fn from_nothing(&mut self) {
        self.delta.from_nothing = true;
    }

    /// Entries at or before `time` are gone.
    pub(crate) fn forget_up_to(&mut self, time: Time) {
        self.delta.forgotten = self.delta.forgotten.max(Some(time));
    }

    /// A key is now `value`, or gone. `time` is that of the batch it belongs to, 0 if it belongs to none.
    ///
    /// # Errors
    /// Data, if key or value cannot be serialised.
    #[inline]
    pub(crate) fn put<K: Serialize, V: Serialize>(&mut self, time: Time, key: &K, value: Option<&V>) -> Result<()> {
        self.value.clear();
        if let Some(value) = value {
            self.value = encoded(std::mem::take(&mut self.value), value)?;
        }
        self.put_value(time, key, value.is_some())
    }

    /// As [`put`](Self::put), unless `is_known` says of the encoded value that it stands there already.
    ///
    /// # Errors
    /// As [`put`](Self::put).
    pub(crate) fn put_unless<K: Serialize, V: Serialize>(
        &mut self,
        key: &K,
        value: &V,
        is_known: impl FnOnce(&[u8]) -> bool,
    ) -> Result<()> {
        self.value.clear();
        self.value = encoded(std::mem::take(&mut self.value), value)?;
        if is_known(&self.value) { Ok(()) } else { self.put_value(Time::default(), key, true) }
    }

    /// An entry with the value that was encoded last.
    #[inline]
    fn put_value<K: Serialize>(&mut self, time: Time, key: &K, is_there: bool) -> Result<()> {
        if self.groups.is_empty() {
            self.groups.resize_with(GROUPS, Vec::new);
        }
        self.key.clear();
        self.key = encoded(std::mem::take(&mut self.key), key)?;
        let entry = Entry { time, key: &self.key, value: is_there.then_some(self.value.as_slice()) };
        push_entry(&mut self.groups[group_of(&self.key)], &entry);
        Ok(())
    }

    pub(crate) fn finish(mut self) -> Delta {
        let groups = self.groups.into_iter().enumerate().filter(|(_, bytes)| !bytes.is_empty());
        self.delta.groups = groups.map(|(index, bytes)| Group { index: index as u16, bytes }).collect();
        self.delta
    }
}

/// Appends an entry: time, length of the key, the key, length of the value plus one (0: it is gone), the value.
#[inline]
pub(crate) fn push_entry(bytes: &mut Vec<u8>, entry: &Entry<'_>) {
    put_number(bytes, entry.time.as_ms());
    put_number(bytes, entry.key.len() as u64);
    bytes.extend_from_slice(entry.key);
    put_number(bytes, entry.value.map_or(0, |value| value.len() as u64 + 1));
    bytes.extend_from_slice(entry.value.unwrap_or_default());
}

impl Group {
    /// The entries, the oldest first; an error ends them if the bytes are not those of entries.
    pub(crate) fn entries(&self) -> impl Iterator<Item = Result<Entry<'_>>> {
        entries_of(usize::from(self.index), &self.bytes)
    }
}

/// The entries of a key group.
pub(crate) fn entries_of(group: usize, bytes: &[u8]) -> impl Iterator<Item = Result<Entry<'_>>> {
    let mut rest = bytes;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let entry = next_entry(&mut rest);
        if entry.is_none() {
            rest = &[];
        }
        Some(entry.ok_or_else(|| Error::data(format!("the entries of key group {group} cannot be read"))))
    })
}

fn next_entry<'a>(rest: &mut &'a [u8]) -> Option<Entry<'a>> {
    let time = Time::from_ms(take_number(rest)?);
    let key_bytes = take_number(rest)?;
    let key = take_bytes(rest, key_bytes)?;
    let value = match take_number(rest)? {
        0 => None,
        bytes => Some(take_bytes(rest, bytes - 1)?),
    };
    Some(Entry { time, key, value })
}

impl StateDelta {
    pub(crate) fn is_empty(&self) -> bool {
        self.operators.is_empty()
    }

    /// How much the entries of all operators take up.
    pub(crate) fn content_bytes(&self) -> usize {
        let groups = self.operators.values().flat_map(|delta| &delta.groups);
        groups.map(|group| group.bytes.len()).sum()
    }

    pub(crate) fn encode(&self) -> Result<Vec<u8>> {
        postcard::to_stdvec(self)
            .map_err(|error| Error::internal("changes of state could not be encoded").with_source(error))
    }

    pub(crate) fn decode(bytes: &[u8]) -> Result<Self> {
        postcard::from_bytes(bytes).map_err(|error| Error::data("changes of state cannot be read").with_source(error))
    }
}

impl Delta {
    /// Adds what other keys changed to.
    pub(crate) fn extend(&mut self, other: Delta) {
        self.from_nothing |= other.from_nothing;
        self.forgotten = self.forgotten.max(other.forgotten);
        self.groups.extend(other.groups);
        self.groups.sort_by_key(|group| group.index);
    }

    pub(crate) fn is_empty(&self) -> bool {
        !self.from_nothing && self.forgotten.is_none() && self.groups.is_empty()
    }
}
