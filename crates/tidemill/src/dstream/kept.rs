//! Datasets that a stream keeps for windows, as a checkpoint has them: records by batch, partition and chunk.

use super::{
    node::{ErasedStream, StreamCore},
    state::CheckpointedState,
};
use crate::{
    base::{Data, Result, Time},
    checkpoint::{Delta, DeltaWriter},
    dstream::restore::{Merged, decoded},
    rdd::{Rdd, Site, TaskContext},
};
use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError, atomic::Ordering},
    time::Duration,
};

/// What the partitions of one dataset are written as, in the process that computed them.
#[derive(Default)]
pub(crate) struct KeptChanges(Mutex<(Time, BTreeMap<usize, Delta>)>);

impl KeptChanges {
    /// Computes the dataset of a batch, and keeps what is to be written of it.
    pub(super) fn write<T: Data>(self: &Arc<Self>, rdd: &Rdd<T>, site: Site, time: Time) -> Result<()> {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = (time, BTreeMap::new());
        let kept = self.clone();
        rdd.run(site.step("keep the dataset"), move |rdd, partition, task| {
            let delta = task.expect(written(rdd, partition, task, time));
            kept.0.lock().unwrap_or_else(PoisonError::into_inner).1.insert(partition, delta);
        })?;
        Ok(())
    }

    fn take(&self, time: Time) -> Option<Delta> {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let partitions = std::mem::take(&mut kept.1);
        (kept.0 == time && !partitions.is_empty()).then(|| {
            let mut delta = Delta::default();
            partitions.into_values().for_each(|partition| delta.extend(partition));
            delta
        })
    }
}

/// A partition has at least one entry, so that its number is known.
fn written<T: Data>(rdd: &Rdd<T>, partition: usize, task: &TaskContext, time: Time) -> Result<Delta> {
    let mut delta = DeltaWriter::new();
    delta.put(time, &(partition, 0_usize), Some(&Vec::<T>::new()))?;
    for (index, chunk) in (1_usize..).zip(rdd.chunks(partition, task)) {
        delta.put(time, &(partition, index), Some(&chunk))?;
    }
    Ok(delta.finish())
}

impl<T: Data> StreamCore<T> {
    /// The newest batch whose dataset is not asked for any more at `time`.
    fn forgotten_at(&self, time: Time) -> Option<Time> {
        let remember = Duration::from_millis(self.remember_ms.load(Ordering::Relaxed));
        Some(time.saturating_sub(remember)).filter(|forgotten| *forgotten > Time::default())
    }
}

impl<T: Data> CheckpointedState for StreamCore<T> {
    fn types(&self) -> String {
        format!("datasets of {}", std::any::type_name::<T>())
    }

    fn changes(&self, time: Time) -> Result<Option<Delta>> {
        Ok(self.kept.take(time).map(|mut delta| {
            delta.forgotten = self.forgotten_at(time);
            delta
        }))
    }

    /// A batch of which there is nothing failed, or was before the stream began: it has no dataset.
    fn restore(&self, last_done: Time, deltas: &[Delta]) -> Result<()> {
        let mut datasets: BTreeMap<Time, BTreeMap<usize, BTreeMap<usize, Vec<T>>>> = BTreeMap::new();
        for entry in Merged::of(deltas)?.entries()? {
            let (partition, index): (usize, usize) = decoded(entry.key)?;
            let chunks = datasets.entry(entry.time).or_default().entry(partition).or_default();
            chunks.insert(index, decoded(entry.value)?);
        }
        let session = &self.graph.session;
        let mut generated = self.generated();
        let zero = self.graph.zero_time().unwrap_or_default();
        let first = self.forgotten_at(last_done).unwrap_or(zero).max(zero);
        for time in first.to(last_done, self.op.slide()).filter(|time| self.is_valid(*time)) {
            generated.insert(time, None);
        }
        for (time, partitions) in datasets {
            let count = partitions.keys().next_back().map_or(0, |last| last + 1);
            let mut records = vec![Vec::new(); count];
            for (partition, chunks) in partitions {
                records[partition] = chunks.into_values().flatten().collect();
            }
            generated.insert(time, Some(Rdd::of_partitions(session, self.site, records)));
        }
        Ok(())
    }
}
