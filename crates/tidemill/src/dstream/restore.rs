//! State from a checkpoint back into the workers: changes are merged, and every key goes to the partition that it has now.

use super::state::{CheckpointedState, Resident, StatePartition};
use crate::{
    base::{Error, Result, Time},
    checkpoint::{Delta, Entry, GROUPS},
    rdd::task::run_guarded,
};
use foldhash::fast::FixedState;
use hashbrown::HashMap;
use serde::de::DeserializeOwned;
use std::{
    any::type_name,
    num::NonZero,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
};

/// Threads that read state; more would only wait for memory.
const MOST_THREADS: usize = 8;

/// A value of a key, and the batch it belongs to.
pub(super) struct Live<'a> {
    pub(super) time: Time,
    pub(super) key: &'a [u8],
    pub(super) value: &'a [u8],
}

/// The changes of one operator, the oldest first, by key group.
pub(super) struct Merged<'a> {
    groups: Vec<Vec<(usize, &'a [u8])>>,
    /// Of each change, up to when entries before it are forgotten by it or a later one.
    forgotten: Vec<Option<Time>>,
}

impl<'a> Merged<'a> {
    /// # Errors
    /// Data, if a group has no number.
    pub(super) fn of(deltas: &'a [Delta]) -> Result<Self> {
        let first = deltas.iter().rposition(|delta| delta.from_nothing).unwrap_or(0);
        let mut groups = vec![Vec::new(); GROUPS];
        for (index, delta) in deltas.iter().enumerate().skip(first) {
            for group in &delta.groups {
                let of_group = groups.get_mut(usize::from(group.index));
                let of_group = of_group.ok_or_else(|| Error::data(format!("there is no key group {}", group.index)))?;
                of_group.push((index, group.bytes.as_slice()));
            }
        }
        // What a change forgets was there before it.
        let mut forgotten = vec![None; deltas.len()];
        let mut latest = None;
        for (index, delta) in deltas.iter().enumerate().rev() {
            forgotten[index] = latest;
            latest = latest.max(delta.forgotten);
        }
        Ok(Self { groups, forgotten })
    }

    /// What is left of a group, in the order of first sight.
    fn group(&self, index: usize) -> Result<Vec<Live<'a>>> {
        let mut places: HashMap<(Time, &[u8]), usize, FixedState> = HashMap::default();
        let mut live: Vec<(Entry<'a>, bool)> = Vec::new();
        // One run of a snapshot has every key once.
        let is_one = self.groups[index].len() == 1;
        for (delta, bytes) in &self.groups[index] {
            let forgotten = self.forgotten[*delta];
            for entry in crate::checkpoint::entries_of(index, bytes) {
                let entry = entry?;
                let is_live = entry.time == Time::default() || forgotten.is_none_or(|until| entry.time > until);
                if !is_live || is_one {
                    live.push((entry, is_live));
                    continue;
                }
                match places.entry((entry.time, entry.key)) {
                    hashbrown::hash_map::Entry::Occupied(place) => live[*place.get()].0.value = entry.value,
                    hashbrown::hash_map::Entry::Vacant(place) => {
                        place.insert(live.len());
                        live.push((entry, true));
                    }
                }
            }
        }
        let live = live.into_iter().filter(|(_, is_live)| *is_live);
        Ok(live.filter_map(|(entry, _)| Some(Live { time: entry.time, key: entry.key, value: entry.value? })).collect())
    }

    /// What is left of all groups.
    ///
    /// # Errors
    /// Data, if the bytes are not those of entries.
    pub(super) fn entries(&self) -> Result<Vec<Live<'a>>> {
        let groups: Result<Vec<_>> = (0..GROUPS).map(|group| self.group(group)).collect();
        Ok(groups?.into_iter().flatten().collect())
    }
}

/// # Errors
/// Data, if the bytes are not those of such a value.
pub(super) fn decoded<T: DeserializeOwned>(bytes: &[u8]) -> Result<T> {
    postcard::from_bytes(bytes)
        .map_err(|error| Error::data(format!("bytes cannot be read as {}", type_name::<T>())).with_source(error))
}

/// Calls `f` for every number below `count`, on several threads; the first error that any of them met.
fn on_threads(count: usize, f: impl Fn(usize) -> Result<()> + Sync) -> Result<()> {
    let threads = thread::available_parallelism().map_or(1, NonZero::get).min(MOST_THREADS).min(count.max(1));
    let (next, failure) = (AtomicUsize::new(0), Mutex::new(Ok(())));
    let work = || {
        loop {
            let number = next.fetch_add(1, Ordering::Relaxed);
            if number >= count {
                return;
            }
            let done = run_guarded("a function of the user's failed", || f(number)).and_then(|done| done);
            if done.is_err() {
                next.store(count, Ordering::Relaxed);
                *failure.lock().unwrap_or_else(PoisonError::into_inner) = done;
            }
        }
    };
    thread::scope(|scope| {
        for index in 1..threads {
            // Without it the others do its share.
            drop(thread::Builder::new().name(format!("tidemill-restore-{index}")).spawn_scoped(scope, work));
        }
        work();
    });
    failure.into_inner().unwrap_or_else(PoisonError::into_inner)
}

type Entries<P> = Vec<(Time, <P as StatePartition>::Key, <P as StatePartition>::Value)>;

impl<P: StatePartition> Resident<P> {
    /// The entries of a group for each partition.
    fn split(&self, merged: &Merged<'_>, group: usize) -> Result<Vec<Entries<P>>> {
        let mut split: Vec<Entries<P>> = Vec::new();
        split.resize_with(self.partitions.len(), Vec::new);
        for live in merged.group(group)? {
            let key: P::Key = decoded(live.key)?;
            let partition = self.partitioner.partition(&key);
            let entries = split.get_mut(partition).filter(|_| self.here.contains(&partition));
            if let Some(entries) = entries {
                entries.push((live.time, key, decoded(live.value)?));
            }
        }
        Ok(split)
    }
}

impl<P: StatePartition> CheckpointedState for Resident<P> {
    fn types(&self) -> String {
        format!("{} -> {}", type_name::<P::Key>(), type_name::<P::Value>())
    }

    fn changes(&self, time: Time) -> Result<Option<Delta>> {
        let mut changes = Delta::default();
        for &partition in &self.here {
            let mut versioned = self.lock(partition);
            if versioned.pending == Some(time) {
                versioned.changes.take().into_iter().for_each(|delta| changes.extend(delta));
            }
        }
        Ok(Some(changes).filter(|changes| !changes.is_empty()))
    }

    fn restore(&self, last_done: Time, deltas: &[Delta]) -> Result<()> {
        let merged = Merged::of(deltas)?;
        let groups: Vec<Mutex<Vec<Entries<P>>>> = (0..GROUPS).map(|_| Mutex::default()).collect();
        on_threads(GROUPS, |group| {
            *groups[group].lock().unwrap_or_else(PoisonError::into_inner) = self.split(&merged, group)?;
            Ok(())
        })?;
        on_threads(self.here.len(), |index| {
            let partition = self.here[index];
            let of_group = |group: &Mutex<Vec<Entries<P>>>| {
                std::mem::take(&mut group.lock().unwrap_or_else(PoisonError::into_inner)[partition])
            };
            let mut entries: Entries<P> = groups.iter().flat_map(of_group).collect();
            entries.sort_by_key(|(time, ..)| *time);
            let mut versioned = self.lock(partition);
            versioned.partition.restore(last_done, entries);
            (versioned.loaded, versioned.pending) = (!deltas.is_empty(), None);
            (versioned.committed, versioned.ended) = (Some(last_done), Some(last_done));
            Ok(())
        })
    }
}
