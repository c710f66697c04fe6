//! Writes entries: each is encoded into a buffer that is used again, and copied to the end of its key group.

use super::{BEGUN, Delta, GROUPS, Group, entries_of, group_of, push_entry, put_number};
use crate::base::{Error, Result, Time};
use postcard::ser_flavors::Flavor;
use rapidhash::v3::rapidhash_v3;
use serde::{Serialize, de::DeserializeOwned};
use std::any::type_name;

/// How much of a buffer for one group of one partition is kept between batches, however little the last batch wrote.
const KEPT_BYTES: usize = 4 * 1024;

/// Collects the changes of one partition of an operator, batch after batch into the same buffers.
#[derive(Debug, Default)]
pub(crate) struct DeltaWriter {
    from_nothing: bool,
    forgotten: Option<Time>,
    /// None until the first entry.
    groups: Vec<Vec<u8>>,
    /// The entry that is being made, and its value.
    entry: Vec<u8>,
    value: Vec<u8>,
    /// Whether what was written was read again once.
    was_read: bool,
}

/// Where postcard writes to: the end of a buffer that is used again.
struct End<'a>(&'a mut Vec<u8>);

impl Flavor for End<'_> {
    type Output = ();

    #[inline(always)]
    fn try_push(&mut self, byte: u8) -> postcard::Result<()> {
        self.0.push(byte);
        Ok(())
    }
    #[inline(always)]
    fn try_extend(&mut self, bytes: &[u8]) -> postcard::Result<()> {
        self.0.extend_from_slice(bytes);
        Ok(())
    }
    fn finalize(self) -> postcard::Result<()> {
        Ok(())
    }
}

#[inline]
fn encode_into<V: Serialize + ?Sized>(bytes: &mut Vec<u8>, value: &V) -> Result<()> {
    postcard::serialize_with_flavor(value, End(bytes)).map_err(|error| {
        Error::data(format!("a \"{}\" could not be serialised: {error}", type_name::<V>())).with_source(error)
    })
}

/// Reads a key or value as [`DeltaWriter::put`] writes it.
///
/// # Errors
/// Data, if the bytes are not those of a `V`.
#[inline]
pub(crate) fn decode_record<V: DeserializeOwned>(bytes: &[u8]) -> Result<V> {
    match postcard::take_from_bytes(bytes) {
        Ok((value, [])) => Ok(value),
        Ok(_) => Err(Error::data(format!("what was remembered is longer than a \"{}\"", type_name::<V>()))),
        Err(error) => {
            Err(Error::data(format!("what was remembered cannot be read as \"{}\"", type_name::<V>()))
                .with_source(error))
        }
    }
}

impl DeltaWriter {
    pub(crate) fn new() -> Self {
        Self::default()
    }

    /// Forgets what was written, not the buffers.
    pub(crate) fn clear(&mut self) {
        (self.from_nothing, self.forgotten) = (false, None);
        for group in &mut self.groups {
            // What one large batch needed is not held for ever.
            group.shrink_to(group.len() * 4 + KEPT_BYTES);
            group.clear();
        }
    }

    /// What was there before is not there any more.
    #[cfg(test)]
    pub(crate) fn from_nothing(&mut self) {
        self.from_nothing = true;
    }

    /// Entries of earlier changes at or before `time` are gone.
    pub(crate) fn forget_up_to(&mut self, time: Time) {
        self.forgotten = self.forgotten.max(Some(time));
    }

    /// Leaves a trace that the operator began, which stays also where it has no keys any more.
    pub(crate) fn mark_begun(&mut self) {
        self.make_groups();
        push_entry(&mut self.groups[group_of(BEGUN.key)], &BEGUN);
    }

    /// A key is now `value`, or gone. `time` is that of the batch it belongs to, 0 if it belongs to none.
    ///
    /// # Errors
    /// Data, if key or value cannot be serialised.
    #[inline]
    pub(crate) fn put<K: Serialize, V: Serialize>(&mut self, time: Time, key: &K, value: Option<&V>) -> Result<()> {
        self.value.clear();
        if let Some(value) = value {
            encode_into(&mut self.value, value)?;
        }
        self.put_encoded(time, key, value.is_some())
    }

    /// As [`put`](Self::put), unless the encoded value has the hash `last`; that becomes the hash of the value, which is
    /// never 0.
    ///
    /// # Errors
    /// As [`put`](Self::put).
    #[inline]
    pub(crate) fn put_if_changed<K: Serialize, V: Serialize>(
        &mut self,
        key: &K,
        value: &V,
        last: &mut u64,
    ) -> Result<()> {
        let now = self.hash_of(value)?;
        if std::mem::replace(last, now) == now { Ok(()) } else { self.put_encoded(Time::default(), key, true) }
    }

    /// The hash of a value for [`put_if_changed`](Self::put_if_changed).
    ///
    /// # Errors
    /// Data, if it cannot be serialised.
    #[inline]
    pub(crate) fn hash_of<V: Serialize>(&mut self, value: &V) -> Result<u64> {
        self.value.clear();
        encode_into(&mut self.value, value)?;
        Ok(rapidhash_v3(&self.value).max(1))
    }

    /// An entry with the value that was encoded last, or with none.
    #[inline]
    fn put_encoded<K: Serialize>(&mut self, time: Time, key: &K, is_there: bool) -> Result<()> {
        let entry = &mut self.entry;
        entry.clear();
        put_number(entry, time.as_ms());
        // One byte for the length of the key, which is nearly always enough.
        let key_at = entry.len() + 1;
        entry.push(0);
        encode_into(entry, key)?;
        let group = group_of(&entry[key_at..]);
        let key_bytes = entry.len() - key_at;
        if key_bytes < 0x80 {
            entry[key_at - 1] = key_bytes as u8;
        } else {
            let key = entry.split_off(key_at);
            entry.pop();
            put_number(entry, key_bytes as u64);
            entry.extend_from_slice(&key);
        }
        if is_there {
            put_number(entry, self.value.len() as u64 + 1);
            entry.extend_from_slice(&self.value);
        } else {
            entry.push(0);
        }
        self.make_groups();
        self.groups[group].extend_from_slice(&self.entry);
        Ok(())
    }

    #[inline]
    fn make_groups(&mut self) {
        if self.groups.is_empty() {
            self.groups.resize_with(GROUPS, Vec::new);
        }
    }

    /// Reads one entry again, once in the life of the writer: there are types that can be written and not read.
    ///
    /// # Errors
    /// Data, if it cannot be read.
    pub(crate) fn read_again<K: DeserializeOwned, V: DeserializeOwned>(&mut self) -> Result<()> {
        if self.was_read {
            return Ok(());
        }
        for (group, bytes) in self.groups.iter().enumerate() {
            for entry in entries_of(group, bytes) {
                let entry = entry?;
                let Some(value) = entry.value.filter(|_| entry != BEGUN) else { continue };
                let read = decode_record::<K>(entry.key).and_then(|_| decode_record::<V>(value));
                read.map_err(|error| error.context("what was written cannot be read again"))?;
                self.was_read = true;
                return Ok(());
            }
        }
        Ok(())
    }

    /// What many writers wrote, the entries of each group side by side.
    pub(crate) fn gathered<'a>(writers: impl Iterator<Item = &'a Self> + Clone) -> Delta {
        let (mut delta, mut sizes) = (Delta::default(), [0; GROUPS]);
        for writer in writers.clone() {
            delta.from_nothing |= writer.from_nothing;
            delta.forgotten = delta.forgotten.max(writer.forgotten);
            sizes.iter_mut().zip(&writer.groups).for_each(|(size, group)| *size += group.len());
        }
        let filled = sizes.into_iter().enumerate().filter(|(_, size)| *size > 0);
        let group = |(index, size): (usize, usize)| {
            let mut bytes = Vec::with_capacity(size);
            let parts = writers.clone().filter_map(|writer| writer.groups.get(index));
            parts.for_each(|part| bytes.extend_from_slice(part));
            Group { index: index as u16, bytes }
        };
        delta.groups = filled.map(group).collect();
        delta
    }

    #[cfg(test)]
    pub(crate) fn finish(self) -> Delta {
        Self::gathered(std::iter::once(&self))
    }
}
