//! Datasets that a stream keeps for windows, as a checkpoint has them: records by batch, partition and chunk.

use super::{
    node::StreamCore,
    restore::{Live, Merged},
    state::CheckpointedState,
};
use crate::{
    base::{Data, Error, Result, Time},
    checkpoint::{Delta, DeltaWriter, decode_record},
    rdd::{
        Rdd, Site, TaskContext,
        task::{Cursor, guarded},
    },
};
use std::{
    any::type_name,
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError, atomic::Ordering},
    time::Duration,
};

/// Where a chunk of a dataset stands: its partition, and its place there. Of every partition there is at least one, so
/// that their number is known.
type Place = (u32, u32);

/// What the partitions of one dataset are written as, in the process that computed them.
#[derive(Default)]
pub(crate) struct KeptChanges(Mutex<Written>);

#[derive(Default)]
struct Written {
    time: Time,
    partitions: BTreeMap<usize, DeltaWriter>,
    /// Writers that are not in use.
    idle: Vec<DeltaWriter>,
}

impl KeptChanges {
    fn lock(&self) -> MutexGuard<'_, Written> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Computes the dataset of a batch, and keeps what is to be written of it.
    pub(super) fn write<T: Data>(self: &Arc<Self>, rdd: &Rdd<T>, site: Site, time: Time) -> Result<()> {
        self.begin(time);
        let kept = self.clone();
        rdd.run(site.step("keep the dataset"), move |rdd, partition, task| {
            let mut writer = kept.lock().idle.pop().unwrap_or_default();
            writer.clear();
            let written = guarded(&site, task, &Cursor::default(), || write(&mut writer, rdd, partition, task, time));
            task.expect(written.map_err(|error| error.context(format_args!("\"{site}\" cannot be remembered"))));
            kept.lock().partitions.insert(partition, writer);
        })?;
        Ok(())
    }

    /// Nothing is to be written of a batch that failed.
    pub(super) fn roll_back(&self) {
        self.begin(Time::default());
    }

    fn begin(&self, time: Time) {
        let mut written = self.lock();
        let partitions = std::mem::take(&mut written.partitions);
        written.time = time;
        written.idle.extend(partitions.into_values());
    }

    /// What was written of the batch at `time`.
    fn changes(&self, time: Time) -> Delta {
        let written = self.lock();
        let partitions = written.partitions.values().filter(|_| written.time == time);
        DeltaWriter::gathered(partitions)
    }
}

fn write<T: Data>(
    writer: &mut DeltaWriter,
    rdd: &Rdd<T>,
    partition: usize,
    task: &TaskContext,
    time: Time,
) -> Result<()> {
    let mut place: Place = (partition as u32, 0);
    for chunk in rdd.chunks(partition, task) {
        writer.put(time, &place, Some(&chunk))?;
        place.1 += 1;
    }
    if place.1 == 0 {
        writer.put(time, &place, Some(&Vec::<T>::new()))?;
    }
    writer.read_again::<Place, Vec<T>>()
}

/// A chunk that is remembered; nothing if its partition belongs to another process.
struct Chunk<T> {
    time: Time,
    place: Place,
    records: Vec<T>,
}

/// Datasets by batch, partition and place.
type Datasets<T> = BTreeMap<Time, BTreeMap<u32, BTreeMap<u32, Vec<T>>>>;

impl<T: Data> StreamCore<T> {
    /// The newest batch whose dataset is not asked for any more at `time`.
    fn forgotten_at(&self, time: Time) -> Option<Time> {
        let remember = Duration::from_millis(self.remember_ms.load(Ordering::Relaxed));
        Some(time.saturating_sub(remember)).filter(|forgotten| *forgotten > Time::default())
    }

    fn decoded(&self, group: Vec<Live<'_>>) -> Result<Vec<Chunk<T>>> {
        let (process, processes) = self.graph.session.runner().process();
        let chunk = |live: Live<'_>| {
            let place: Place = decode_record(live.key)?;
            let is_here = place.0 as usize % processes == process;
            let records = if is_here { decode_record(live.value)? } else { Vec::new() };
            Ok(Chunk { time: live.time, place, records })
        };
        group.into_iter().map(chunk).collect()
    }

    /// The dataset of these partitions, of which none may be missing.
    fn dataset(&self, time: Time, partitions: BTreeMap<u32, BTreeMap<u32, Vec<T>>>) -> Result<Rdd<T>> {
        let count = partitions.len();
        if partitions.keys().next_back().map_or(0, |last| *last as usize + 1) != count {
            return Err(Error::data(format!("a partition of the batch of {time} is missing")));
        }
        let records = partitions.into_values().map(|chunks| chunks.into_values().flatten().collect());
        Ok(Rdd::of_partitions(&self.graph.session, self.site, records.collect()))
    }
}

impl<T: Data> CheckpointedState for StreamCore<T> {
    fn types(&self) -> String {
        format!("datasets: {}", type_name::<T>())
    }

    fn changes(&self, time: Time) -> Result<Option<Delta>> {
        let mut changes = self.kept.changes(time);
        if !changes.is_empty() {
            changes.forgotten = self.forgotten_at(time);
        }
        Ok(Some(changes).filter(|changes| !changes.is_empty()))
    }

    /// A batch of which there is nothing failed, or was before the stream began: it has no dataset.
    fn restore(&self, last_done: Time, deltas: &[Delta]) -> Result<()> {
        let mut datasets: Datasets<T> = BTreeMap::new();
        for chunk in Merged::of(deltas)?.by_group(|group| self.decoded(group))?.into_iter().flatten() {
            let (partition, place) = chunk.place;
            datasets.entry(chunk.time).or_default().entry(partition).or_default().insert(place, chunk.records);
        }
        let mut generated = self.generated();
        let _ = self.restored_to.set(last_done);
        for (time, partitions) in datasets {
            generated.insert(time, Some(self.dataset(time, partitions)?));
        }
        Ok(())
    }
}
