//! A sink that keeps what was committed, and can be told to fail.

use crate::{
    base::{Data, Error, Result, Time},
    io::Sink,
};
use std::{
    collections::BTreeMap,
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

/// Keeps every committed batch in memory, partition by partition.
///
/// A cheap handle: a clone is the same sink.
///
/// # Examples
/// ```
/// use tidemill::testing::{MemorySink, TestContext};
/// let (test, sink) = (TestContext::new(), MemorySink::new());
/// test.stream(vec![vec![1], vec![2, 3]]).save_to(sink.clone());
/// sink.fail_writes(1);
/// assert!(test.run(1).is_err());
/// test.advance(1)?;
/// assert_eq!(sink.batches(), [[2, 3]]);
/// # Ok::<(), tidemill::Error>(())
/// ```
pub struct MemorySink<T>(Arc<Mutex<Kept<T>>>);

struct Kept<T> {
    committed: BTreeMap<Time, Vec<Vec<T>>>,
    failing_writes: usize,
    failing_commits: usize,
    doubtful_commits: usize,
    aborts: usize,
}

impl<T> Clone for MemorySink<T> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<T> Default for MemorySink<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T> fmt::Debug for MemorySink<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "MemorySink({} batches)", self.kept().committed.len())
    }
}

/// Counts one down; whether there was one.
fn take_one(count: &mut usize) -> bool {
    let any = *count > 0;
    *count -= usize::from(any);
    any
}

impl<T> MemorySink<T> {
    /// A sink with nothing in it.
    pub fn new() -> Self {
        let committed = BTreeMap::new();
        let (failing_writes, failing_commits, doubtful_commits, aborts) = (0, 0, 0, 0);
        let kept = Kept { committed, failing_writes, failing_commits, doubtful_commits, aborts };
        Self(Arc::new(Mutex::new(kept)))
    }

    fn kept(&self) -> MutexGuard<'_, Kept<T>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Makes the next `count` writes of a partition fail, as [unavailable](crate::ErrorKind::Unavailable).
    pub fn fail_writes(&self, count: usize) {
        self.kept().failing_writes = count;
    }

    /// Makes the next `count` commits fail, as [unavailable](crate::ErrorKind::Unavailable).
    pub fn fail_commits(&self, count: usize) {
        self.kept().failing_commits = count;
    }

    /// Makes the next `count` commits fail although they happen, as when an answer is lost.
    pub fn doubt_commits(&self, count: usize) {
        self.kept().doubtful_commits = count;
    }

    /// How many batches were aborted.
    pub fn aborts(&self) -> usize {
        self.kept().aborts
    }
}

impl<T: Clone> MemorySink<T> {
    /// The committed batches by their times, partition by partition.
    pub fn partitions(&self) -> BTreeMap<Time, Vec<Vec<T>>> {
        self.kept().committed.clone()
    }

    /// The records of every committed batch, in the order of their times.
    pub fn batches(&self) -> Vec<Vec<T>> {
        self.partitions().into_values().map(|partitions| partitions.concat()).collect()
    }
}

impl<T: Data> Sink<T> for MemorySink<T> {
    type Receipt = Vec<T>;

    fn write(&self, _time: Time, _partition: usize, records: &mut dyn Iterator<Item = T>) -> Result<Vec<T>> {
        // The user's functions run first, so that no lock is held while they do.
        let records = records.collect();
        if take_one(&mut self.kept().failing_writes) {
            return Err(Error::unavailable("the sink was told to fail a write"));
        }
        Ok(records)
    }

    fn commit(&self, time: Time, receipts: Vec<Vec<T>>) -> Result<()> {
        let mut kept = self.kept();
        if take_one(&mut kept.failing_commits) {
            return Err(Error::unavailable("the sink was told to fail a commit"));
        }
        kept.committed.insert(time, receipts);
        if take_one(&mut kept.doubtful_commits) {
            return Err(Error::unavailable("the sink was told to leave a commit in doubt"));
        }
        Ok(())
    }

    fn abort(&self, _time: Time) -> Result<()> {
        self.kept().aborts += 1;
        Ok(())
    }
}
