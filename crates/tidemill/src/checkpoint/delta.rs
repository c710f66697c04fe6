//! Changes of state as bytes: entries of a key and a value, sorted into key groups.
//!
//! The same form serves a batch's changes and a whole state, which is a change from nothing. Entries can be merged without
//! knowing their types: of two with the same time and key the later one counts, and a change may forget what is old.

mod writer;

pub(crate) use writer::{DeltaWriter, decode_record};

use crate::base::{Error, Result, Time};
use rapidhash::v3::rapidhash_v3;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// How many groups the keys of an operator are sorted into; part of the format.
pub(crate) const GROUPS: usize = 256;

/// The entry that says that an operator began; no other has a time and an empty value.
pub(crate) const BEGUN: Entry<'static> = Entry { time: Time::from_ms(1), key: &[], value: Some(&[]) };

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
    pub(crate) fn is_empty(&self) -> bool {
        !self.from_nothing && self.forgotten.is_none() && self.groups.is_empty()
    }
}
