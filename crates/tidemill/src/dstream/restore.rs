//! State from a checkpoint back into the workers: changes are merged, and every key goes to the partition that it has now.

use super::state::{CheckpointedState, Resident, StatePartition};
use crate::{
    base::{Error, Result, Time},
    checkpoint::{BEGUN, Delta, DeltaWriter, Entry, GROUPS, decode_record, entries_of},
    rdd::task::run_guarded,
};
use foldhash::fast::FixedState;
use hashbrown::HashMap;
use std::{
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
            for entry in entries_of(index, bytes) {
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
        let live = live.into_iter().filter(|(entry, is_live)| *is_live && *entry != BEGUN);
        Ok(live.filter_map(|(entry, _)| Some(Live { time: entry.time, key: entry.key, value: entry.value? })).collect())
    }

    /// Whether there is no trace of the operator: it is new in the program.
    fn is_empty(&self) -> bool {
        self.groups.iter().all(|group| group.iter().all(|(_, bytes)| bytes.is_empty()))
    }

    /// What `f` makes of each group, in their order; they are read on several threads.
    ///
    /// # Errors
    /// Data, if the bytes are not those of entries; what `f` returns.
    pub(super) fn by_group<R: Send>(&self, f: impl Fn(Vec<Live<'a>>) -> Result<R> + Sync) -> Result<Vec<R>> {
        let made: Vec<Mutex<Option<R>>> = (0..GROUPS).map(|_| Mutex::new(None)).collect();
        on_threads(GROUPS, |group| {
            let of_group = f(self.group(group)?)?;
            *made[group].lock().unwrap_or_else(PoisonError::into_inner) = Some(of_group);
            Ok(())
        })?;
        Ok(made.into_iter().filter_map(|made| made.into_inner().unwrap_or_else(PoisonError::into_inner)).collect())
    }
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
    /// The entries of a group for each partition of this process.
    fn split(&self, group: Vec<Live<'_>>) -> Result<Vec<Entries<P>>> {
        let (process, processes) = self.process;
        let mut split: Vec<Entries<P>> = Vec::new();
        split.resize_with(self.here.len(), Vec::new);
        for live in group {
            let key: P::Key = decode_record(live.key)?;
            let partition = self.partition_of(&key)?;
            if partition % processes == process {
                split[partition / processes].push((live.time, key, decode_record(live.value)?));
            }
        }
        Ok(split)
    }

    fn partition_of(&self, key: &P::Key) -> Result<usize> {
        let (partition, partitions) = (self.partitioner.partition(key), self.partitions.len());
        if partition < partitions {
            return Ok(partition);
        }
        Err(Error::user(format!(
            "the partitioner \"{:?}\" placed a key in partition \"{partition}\" of \"{partitions}\"; return a number \
             below partitions()",
            self.partitioner
        )))
    }
}

impl<P: StatePartition> CheckpointedState for Resident<P> {
    fn types(&self) -> String {
        P::types()
    }

    fn changes(&self, time: Time) -> Result<Option<Delta>> {
        let partitions: Vec<_> = self.here.iter().map(|&partition| self.lock(partition)).collect();
        let changed = partitions.iter().filter(|versioned| versioned.pending == Some(time));
        let changes = DeltaWriter::gathered(changed.map(|versioned| &versioned.changes));
        Ok(Some(changes).filter(|changes| !changes.is_empty()))
    }

    fn restore(&self, last_done: Time, deltas: &[Delta]) -> Result<()> {
        let merged = Merged::of(deltas)?;
        if merged.is_empty() {
            // It begins as the program says, at the next batch.
            self.here.iter().for_each(|&partition| self.lock(partition).ended = Some(last_done));
            return Ok(());
        }
        let groups = merged.by_group(|group| self.split(group))?;
        let groups: Vec<Vec<Mutex<Entries<P>>>> =
            groups.into_iter().map(|group| group.into_iter().map(Mutex::new).collect()).collect();
        on_threads(self.here.len(), |index| {
            let of_group = |group: &Vec<Mutex<Entries<P>>>| {
                std::mem::take(&mut *group[index].lock().unwrap_or_else(PoisonError::into_inner))
            };
            let mut entries: Entries<P> = groups.iter().flat_map(of_group).collect();
            entries.sort_by_key(|(time, ..)| *time);
            let mut versioned = self.lock(self.here[index]);
            versioned.partition.restore(last_done, entries)?;
            (versioned.loaded, versioned.pending) = (true, None);
            (versioned.committed, versioned.ended) = (Some(last_done), Some(last_done));
            Ok(())
        })
    }
}

#[cfg(test)]
mod tests;
